"""Hooks: each event has its details, and a hook that raises never harms the mail."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest

from services import runner
from services.queues import QUEUES
from shared.contracts.errors import Unavailable
from shared.embedded.broker import EmbeddedBroker
from shared.runtime import hooks as hooks_module
from shared.runtime.broker import Message, Unroutable
from shared.runtime.hooks import (
    EVENTS,
    Announced,
    Committed,
    Decided,
    Failed,
    Hook,
    Hooks,
    Outage,
    Paused,
    Resumed,
    Retried,
    Settled,
    Taken,
)
from shared.runtime.outcome import Emit, Fail, Outcome, Retry, Wait
from shared.runtime.stage import Stage
from shared.runtime.worker import Worker, WorkerDependencies
from tests.builders import a_mail
from tests.desk import Desk
from tests.listener import Listener

ALL = list(EVENTS.values())


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    made = EmbeddedBroker(tmp_path, QUEUES)
    made.declare()
    yield made
    made.close()


@dataclass
class Batch:
    """Says whether a batch was committed or taken back."""

    ends: list[str] = field(default_factory=list)

    @contextmanager
    def open(self) -> Iterator[None]:
        try:
            yield
        except Exception:
            self.ends.append("taken back")
            raise
        self.ends.append("committed")


def a_worker(
    broker: EmbeddedBroker, answer: Callable[[Message], Outcome], *hooks: Hook, batch: Batch | None = None
) -> Worker:
    """A worker of the filter that answers as the test says; what it emits is one announcement."""
    stage = Stage("filter", "filter", answer, lambda message: message)
    news = [Message("n", "record.created", b"")]
    opened = (batch or Batch()).open
    return Worker(stage, WorkerDependencies(broker, lambda *_: news, opened, lambda: None, Hooks(*hooks)))


def publish(broker: EmbeddedBroker, *ids: str) -> None:
    broker.publish([Message(each, "filter", b"", correlation_id=f"mail-{each}") for each in ids])


OUTCOMES = {
    "done": (Emit(), Settled),
    "retry": (Retry("busy"), Retried),
    "wait": (Wait("not yet", timedelta(seconds=20)), Retried),
    "failed": (Fail("broken"), Failed),
}


@pytest.mark.parametrize(("outcome", "last"), OUTCOMES.values(), ids=OUTCOMES)
def test_hooks_are_called_at_the_start_and_end_of_a_delivery(
    broker: EmbeddedBroker, outcome: Outcome, last: type
) -> None:
    listener = Listener()
    publish(broker, "a")
    a_worker(broker, lambda _: outcome, listener).step(1)
    assert [type(each) for each in listener.heard] == [Taken, Decided, Committed, last]
    assert {(each.part, each.source) for each in listener.heard} == {("filter", "filter")}


def test_a_retry_says_when_the_message_comes_again_and_whether_it_counts(broker: EmbeddedBroker) -> None:
    listener = Listener()
    publish(broker, "a")
    a_worker(broker, lambda _: Retry("busy"), listener).step(1)
    publish(broker, "b")
    a_worker(broker, lambda _: Wait("not yet", timedelta(seconds=20)), listener).step(1)
    assert listener.of(Retried) == [
        Retried("filter", "filter", "a", "mail-a", "busy", 5, counted=True),
        Retried("filter", "filter", "b", "mail-b", "not yet", 30, counted=False),
    ]


def test_the_last_retry_is_a_failure(broker: EmbeddedBroker) -> None:
    listener = Listener()
    broker.publish([Message("a", "filter", b"", headers={"attempt": 3})])
    a_worker(broker, lambda _: Retry("busy"), listener).step(1)
    assert [each.reason for each in listener.of(Failed)] == ["given up after 4 attempts: busy"]
    assert not listener.of(Retried)


def test_hooks_are_called_for_announcements(desk: Desk) -> None:
    listener = Listener()
    desk.hand_in(a_mail())
    runner.run_all(desk.app, threading.Event(), once=True, sources=False, hooks=[listener])
    assert [(each.part, each.count) for each in listener.of(Announced)] == [("record-writer", 1)]


class Moving:
    """A clock that tests move."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


def test_durations_are_of_reading_and_handling_of_the_batch_and_since_the_taking(
    broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, listener = Moving(), Listener()
    monkeypatch.setattr("shared.runtime.worker.time", clock)

    def handle(_: Message) -> Outcome:
        clock.now += 2
        return Emit()

    def decode(message: Message) -> Message:
        clock.now += 1
        return message

    publish(broker, "a")
    stage = Stage("filter", "filter", handle, decode, prepare=lambda event, _: decode(event))
    Worker(stage, WorkerDependencies(broker, lambda *_: [], Batch().open, lambda: None, Hooks(listener))).step(1)
    assert listener.of(Decided)[0].answers[0].seconds == 4
    assert listener.of(Committed)[0].seconds == 2
    assert listener.of(Settled)[0].seconds == 4


class Broken(Hook):
    """Raises whenever it is called."""

    error: ClassVar[Exception] = ValueError("a bug of the hook")


def _raise(self: Any, _: object) -> None:
    raise self.error


for _name in ALL:
    setattr(Broken, _name, _raise)


@pytest.mark.parametrize("error", [ValueError("a bug"), Unavailable("no metrics server"), Unroutable("no queue")])
@pytest.mark.parametrize("outcome", [each for each, _ in OUTCOMES.values()], ids=OUTCOMES)
def test_a_hook_that_raises_harms_no_mail(
    broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch, error: Exception, outcome: Outcome
) -> None:
    monkeypatch.setattr(Broken, "error", error)
    listener, batch = Listener(), Batch()
    publish(broker, "a")
    assert a_worker(broker, lambda _: outcome, Broken(), listener, batch=batch).step(1) == 1
    assert batch.ends == ["committed"]
    assert [type(each) for each in listener.heard][:3] == [Taken, Decided, Committed]
    assert next(each.ready for each in broker.depths() if each.name == "filter") == 0


def test_an_error_of_a_hook_is_logged_once(broker: EmbeddedBroker, caplog: pytest.LogCaptureFixture) -> None:
    publish(broker, "a", "b")
    worker = a_worker(broker, lambda _: Emit(), Broken())
    worker.step(1)
    worker.step(1)
    failed = [each for each in caplog.records if each.message == "hook_failed"]
    assert [each.event for each in failed] == ["taken", "decided", "committed", "settled"]  # type: ignore[attr-defined]


class InBatch(Broken):
    belongs_to_batch: ClassVar[bool] = True


def test_what_belongs_to_the_batch_and_is_unavailable_takes_the_batch_back(
    broker: EmbeddedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that what is decided is journalled in the same commit, or neither."""
    monkeypatch.setattr(Broken, "error", Unavailable("the store does not answer"))
    batch = Batch()
    publish(broker, "a")
    with pytest.raises(Unavailable):
        a_worker(broker, lambda _: Emit(), InBatch(), batch=batch).step(1)
    assert batch.ends == ["taken back"]
    (depth,) = (each for each in broker.depths() if each.name == "filter")
    assert (depth.ready, depth.unacked) == (1, 0)


def test_a_bug_in_what_belongs_to_the_batch_is_logged_each_time_and_the_mail_goes_on(
    broker: EmbeddedBroker, caplog: pytest.LogCaptureFixture
) -> None:
    publish(broker, "a", "b")
    worker = a_worker(broker, lambda _: Emit(), InBatch())
    assert (worker.step(1), worker.step(1)) == (1, 1)
    assert [each.event for each in caplog.records if each.message == "hook_failed"].count("decided") == 2  # type: ignore[attr-defined]


def test_hooks_are_called_once_for_an_outage_and_once_for_its_end(broker: EmbeddedBroker) -> None:
    listener, away = Listener(), [True]

    def handle(_: Message) -> Outcome:
        if away[0]:
            raise Unavailable("the store does not answer")
        return Emit()

    publish(broker, "a")
    worker = a_worker(broker, handle, listener)
    for _ in range(3):
        with pytest.raises(Unavailable):
            worker.step(1)
    away[0] = False
    worker.step(1)
    worker.step(0)
    assert listener.of(Paused) == [Paused("filter", "filter", "the store does not answer", "unavailable")]
    assert len(listener.of(Resumed)) == 1


def test_an_outage_has_a_duration(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, listener = Moving(), Listener()
    monkeypatch.setattr(hooks_module, "time", clock)
    outage = Outage(Hooks(listener), "fetcher", "")
    outage.begin("no store")
    clock.now += 7
    outage.end()
    assert listener.heard == [Paused("fetcher", "", "no store"), Resumed("fetcher", "", 7)]


class Metrics(Hook):
    """What a metrics library would keep: how many by stage and end, and the seconds spent."""

    def __init__(self) -> None:
        self.ends: Counter[tuple[str, str]] = Counter()
        self.seconds: Counter[str] = Counter()

    def decided(self, details: Decided) -> None:
        self.seconds[details.part] += sum(answer.seconds for answer in details.answers)  # type: ignore[assignment]

    def settled(self, details: Settled) -> None:
        self.ends[details.part, "settled"] += 1

    def failed(self, details: Failed) -> None:
        self.ends[details.part, "failed"] += 1


def test_metrics_plug_in_beside_the_journal(desk: Desk) -> None:
    metrics = Metrics()
    desk.hand_in(a_mail(), a_mail(subject="Another"))
    desk.hand_in(a_mail(), inbox="nowhere")
    runner.run_all(desk.app, threading.Event(), once=True, sources=False, hooks=[metrics])
    assert metrics.ends["parser", "settled"] == 2
    assert metrics.ends["parser", "failed"] == 1
    assert metrics.ends["record-writer", "settled"] == 3  # two mails, and the incident of the third
    assert all(metrics.seconds[stage] > 0 for stage in ("parser", "filter", "sender-matcher", "record-writer"))
    assert desk.store.count("journal", {"stage": "record-writer"}) == 3
