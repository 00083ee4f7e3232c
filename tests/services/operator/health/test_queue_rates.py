"""Messages per second, from counts that workers of every process store."""

from __future__ import annotations

import pytest

from services import runner
from services.operator.health.queue_rates import LOOK_SECONDS, OLD_SECONDS, QueueRate, QueueRates
from services.operator.health.queues import QueueState
from shared.runtime.hooks import Committed
from shared.runtime.throughput import Throughput
from tests.builders import a_mail
from tests.desk import Desk


def _states(**ready: int) -> list[QueueState]:
    return [QueueState(name, count, 0, 1, None) for name, count in ready.items()]


def test_rates_are_made_of_what_was_handled_and_what_waits_more_than_before(desk: Desk) -> None:
    now = [100.0]
    rates = QueueRates(lambda: now[0])
    assert rates.look(desk.app, _states(intake=10, filter=0)) == {}
    desk.app.stage_counts.add({"parser": 30, "filter": 20})
    now[0] += 1
    assert rates.look(desk.app, _states(intake=20, filter=10)) == {}
    now[0] = 100 + 2 * LOOK_SECONDS
    found = rates.look(desk.app, _states(intake=18, filter=0))
    assert found == {"intake": QueueRate(38 / 8, 30 / 8), "filter": QueueRate(20 / 8, 20 / 8)}
    now[0] += OLD_SECONDS + 1
    assert rates.look(desk.app, _states(intake=18, filter=0)) == {}


def test_counts_are_stored_every_two_seconds_together() -> None:
    now, stored = [0.0], list[dict[str, int]]()
    counting = Throughput(lambda counts: stored.append(dict(counts)), lambda: now[0])
    for at, count in ((0.5, 3), (1.0, 4), (2.5, 1), (3.0, 9)):
        now[0] = at
        counting.committed(Committed("parser", "intake", count, 0.1))
    assert stored == [{"parser": 8}]


def test_workers_count_what_they_handle(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.runtime.throughput.FLUSH_SECONDS", 0)
    desk.receive(a_mail(), a_mail())
    counted = desk.app.stage_counts.all()
    assert {stage: counted[stage] for stage in ("parser", "filter", "record-writer")} == {
        "parser": 2,
        "filter": 2,
        "record-writer": 2,
    }
    assert set(counted) <= set(runner.STAGES)
