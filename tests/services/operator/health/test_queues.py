"""Queues as an operator sees them."""

from __future__ import annotations

import pytest

from services.operator.health.queues import QueueState, queue_states, ready_per_second
from shared.runtime.broker import Depth
from tests.builders import a_mail
from tests.desk import Desk


def _queue(name: str, ready: int) -> QueueState:
    return QueueState(name, ready, 0, 1, None)


def test_the_change_of_a_queue_is_per_second_and_a_new_queue_was_empty() -> None:
    before = [_queue("intake", 10), _queue("filter", 8)]
    assert ready_per_second(_queue("intake", 30), before, 2.0) == 10.0
    assert ready_per_second(_queue("filter", 0), before, 2.0) == -4.0
    assert ready_per_second(_queue("notifier", 4), before, 2.0) == 2.0


@pytest.mark.req("PR-14")
def test_a_waiting_mail_stands_in_its_queue(desk: Desk) -> None:
    desk.hand_in(a_mail())
    states = {each.name: each for each in queue_states(desk.app)}
    assert states["intake"].ready == 1
    assert states["intake"].oldest_seconds is not None
    assert states["filter"] == QueueState("filter", 0, 0, states["filter"].consumers, None)


def test_the_journal_knows_the_age_that_a_broker_does_not(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.hand_in(a_mail())
    monkeypatch.setattr(desk.app.broker, "depths", lambda: [Depth("intake", 1, None, 0), Depth("filter", 0, None, 0)])
    intake, filter_ = queue_states(desk.app)
    assert intake.oldest_seconds is not None
    assert intake.oldest_seconds > 0
    assert filter_.oldest_seconds is None
