"""The one loop, on a broker of our own making: what is prepared, what is decided, and when."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import pytest

from services.queues import QUEUES
from shared.contracts.errors import Unavailable
from shared.embedded.broker import EmbeddedBroker
from shared.embedded.file import LocalFile
from shared.runtime import worker as worker_module
from shared.runtime.broker import Message
from shared.runtime.current_mail import current_mail
from shared.runtime.hooks import Decided, Hook, Hooks
from shared.runtime.outcome import Emit, Fail, Outcome
from shared.runtime.stage import Stage
from shared.runtime.worker import Worker, WorkerDependencies
from shared.store.batch import attempted
from tests.listener import Listener
from tests.servers.presence import PATIENCE_SECONDS


@dataclass
class Story:
    """What happened, in order."""

    told: list[str] = field(default_factory=list)
    fails: str = ""

    def decode(self, message: Message) -> str:
        self.told.append(f"decode {message.id}")
        return message.id

    def prepare(self, event: str, handed_out_before: bool) -> str:
        self.told.append(f"prepare {event}{' again' if handed_out_before else ''}")
        if self.fails == event:
            raise Unavailable("the store does not answer")
        return event.upper()

    def handle(self, event: str) -> Outcome:
        self.told.append(f"handle {event}")
        return Emit()

    @contextmanager
    def batch(self) -> Iterator[None]:
        self.told.append("begin")
        yield
        self.told.append("commit")


@pytest.fixture
def story() -> Story:
    return Story()


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[EmbeddedBroker]:
    made = EmbeddedBroker(tmp_path, QUEUES)
    made.declare()
    yield made
    made.close()


def a_worker(broker: EmbeddedBroker, story: Story, *hooks: Hook, **keys: Any) -> Worker:
    """A worker that takes all at once."""
    stage = Stage("parser", "intake", story.handle, story.decode, **keys)
    world = WorkerDependencies(
        broker, lambda *_: [], story.batch, lambda: None, Hooks(*hooks), all_prepared=lambda: story.told.append("all")
    )
    made = Worker(stage, world)
    made.consumer._width = 32  # type: ignore[attr-defined]
    return made


def publish(broker: EmbeddedBroker, names: str) -> None:
    broker.publish([Message(name, "intake", b"") for name in names])


def test_all_are_prepared_before_the_store_is_written_and_handled_together(
    broker: EmbeddedBroker, story: Story
) -> None:
    publish(broker, "ab")
    assert a_worker(broker, story, prepare=story.prepare).step(1) == 2
    assert story.told == [
        "decode a", "prepare a", "decode b", "prepare b", "all", "begin", "handle A", "handle B", "commit",
    ]  # fmt: skip
    assert broker.in_flight() == 0


def test_a_stage_without_preparation_holds_one_event_at_a_time(broker: EmbeddedBroker, story: Story) -> None:
    publish(broker, "ab")
    a_worker(broker, story).step(1)
    assert story.told == ["all", "begin", "decode a", "handle a", "decode b", "handle b", "commit"]


def test_what_is_heavy_is_decided_before_the_next_is_prepared(broker: EmbeddedBroker, story: Story) -> None:
    publish(broker, "abc")
    a_worker(broker, story, prepare=story.prepare, weight=lambda event: (event == "A") << 30).step(1)
    assert [each for each in story.told if not each.startswith("decode")] == [
        "prepare a", "begin", "handle A", "commit",
        "prepare b", "prepare c", "all", "begin", "handle B", "handle C", "commit",
    ]  # fmt: skip


def test_what_took_long_is_decided_and_goes_on_before_the_next_is_prepared(
    broker: EmbeddedBroker, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A neighbour of slow mails waits for none behind it."""
    publish(broker, "ab")
    monkeypatch.setattr(worker_module, "GROUP_SECONDS", -1)
    seen: list[int] = []

    def prepare(event: str, handed_out_before: bool) -> str:
        seen.append(broker.in_flight())
        return event

    a_worker(broker, story, prepare=prepare).step(1)
    assert seen == [2, 1]


def test_when_the_store_goes_away_what_was_decided_stays_and_the_rest_goes_back_uncounted(
    broker: EmbeddedBroker, story: Story
) -> None:
    publish(broker, "abc")
    story.fails = "b"
    worker = a_worker(broker, story, prepare=story.prepare, weight=lambda _: 1 << 30)
    with pytest.raises(Unavailable):
        worker.step(1)
    story.fails = ""
    worker.step(1)
    worker.step(1)
    assert [each for each in story.told if each.startswith("handle")] == ["handle A", "handle B", "handle C"]
    assert not any("again" in each for each in story.told)


def test_what_was_handed_out_before_is_prepared_with_care(broker: EmbeddedBroker, story: Story) -> None:
    publish(broker, "a")
    broker.consumer("intake", 1).take(1)
    broker.file.connection.execute("UPDATE queue SET held = 0, holder = NULL")
    a_worker(broker, story, prepare=story.prepare).step(1)
    assert "prepare a again" in story.told


@pytest.mark.parametrize("where", ["decode", "prepare", "handle"])
def test_what_breaks_in_one_mail_is_its_dead_letter_and_no_other_s(
    broker: EmbeddedBroker, story: Story, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    publish(broker, "ab")
    good: Callable[..., Any] = getattr(story, where)

    def broken(event: Any, *rest: Any) -> Any:
        if getattr(event, "id", event) in {"a", "A"}:
            raise KeyError("a bug")
        return good(event, *rest)

    monkeypatch.setattr(story, where, broken)
    listener = Listener()
    a_worker(broker, story, listener, prepare=story.prepare).step(1)
    assert [answer.outcome for answer in listener.of(Decided)[0].answers] == [Fail("KeyError: 'a bug'"), Emit()]


def test_others_write_and_leases_are_renewed_while_a_mail_is_prepared(tmp_path: Path, story: Story) -> None:
    """Slower than its lease: nobody else gets it, and the file is free."""
    broker, other = EmbeddedBroker(tmp_path, QUEUES, lease_seconds=1.0), EmbeddedBroker(tmp_path, QUEUES)
    broker.declare()
    publish(broker, "a")
    busy, go_on = threading.Event(), threading.Event()

    def prepare(event: str, handed_out_before: bool) -> str:
        broker.file.connection.execute("SELECT 1 FROM queue").fetchall()  # a look at the store, as the parser takes one
        busy.set()
        assert go_on.wait(PATIENCE_SECONDS)
        return event

    file = LocalFile(tmp_path)
    worker = a_worker(broker, story, prepare=prepare)
    worker.dependencies = WorkerDependencies(broker, lambda *_: [], file.batch, lambda: None)  # type: ignore[arg-type]
    thread = threading.Thread(target=worker.step, args=(1,))
    thread.start()
    assert busy.wait(PATIENCE_SECONDS)
    publish(other, "b")  # the lock is free, or this fails: until `go_on` nothing else would release it
    waiting = other.consumer("intake", 1)
    assert [each.message.id for each in waiting.take(1)] == ["b"]
    assert not waiting.take(2.0)
    go_on.set()
    thread.join()
    assert [row[0] for row in other._rows("SELECT id FROM queue")] == ["b"]
    for each in (broker, other, file):
        each.close()


def test_the_mail_that_is_worked_on_is_known_to_log_lines_until_it_is_decided(
    broker: EmbeddedBroker, story: Story
) -> None:
    seen: list[str] = []

    def handle(event: str) -> Outcome:
        seen.append(f"{event} {current_mail.get()}")
        return Emit()

    def decode(message: Message) -> str:
        seen.append(current_mail.get())
        return message.id

    stage = Stage("filter", "filter", handle, decode)
    worker = Worker(stage, WorkerDependencies(broker, lambda *_: [], story.batch, lambda: None))
    broker.publish([Message("m", "filter", b"", correlation_id="mail-1")])
    before = current_mail.get()
    worker.step(0)
    assert seen == ["mail-1", "m mail-1"]
    assert current_mail.get() == before


@dataclass
class Leaving:
    """A store whose batches leave the handlers at these places for the next one; notes who runs alone."""

    story: Story
    leaves: list[dict[int, bool]]
    again: dict[int, bool] = field(default_factory=dict)

    @contextmanager
    def open(self) -> Iterator[Leaving]:
        self.story.told.append("begin")
        self.again = {}
        yield self
        self.story.told.append("commit")

    def run(self, jobs: Sequence[Callable[[], Any]], alone: Collection[int] = ()) -> dict[int, Any]:
        self.story.told += [f"alone {place}" for place in alone]
        self.again = self.leaves.pop(0) if self.leaves else {}
        return {place: attempted(job) for place, job in enumerate(jobs) if place not in self.again}

    @contextmanager
    def look_ahead(self, jobs: Sequence[Callable[[], Any]]) -> Iterator[None]:
        for job in jobs:
            job()
        yield


def a_batching_worker(broker: EmbeddedBroker, store: Leaving, listener: Listener, **keys: Any) -> Worker:
    made = a_worker(broker, store.story, listener, **keys)
    made.dependencies = WorkerDependencies(
        broker, lambda *_: [], store.open, lambda: None, Hooks(listener), store.look_ahead
    )
    return made


def ready(broker: EmbeddedBroker) -> int:
    """Messages of intake that nobody holds."""
    return next(each.ready for each in broker.depths() if each.name == "intake")


def test_what_has_to_run_on_the_store_itself_does_and_what_waits_is_in_the_next_batch(
    broker: EmbeddedBroker, story: Story
) -> None:
    publish(broker, "abc")
    store, listener = Leaving(story, [{1: False, 2: True}, {0: True}]), Listener()
    worker = a_batching_worker(broker, store, listener)
    assert worker.step(1) == 3
    publish(broker, "d")
    assert worker.step(1) == 2
    handled = [each for each in story.told if not each.startswith("decode")]
    assert handled == [
        "begin", "handle a", "commit",
        "begin", "alone 0", "commit",
        "begin", "alone 0", "handle c", "commit",
        "begin", "handle b", "handle d", "commit",
    ]  # fmt: skip
    decided = [[answer.delivery.message.id for answer in each.answers] for each in listener.of(Decided)]
    assert decided == [["a"], [], ["c"], ["b", "d"]]
    assert broker.in_flight() == 0


def test_what_waits_for_the_next_batch_goes_back_when_the_worker_rests(broker: EmbeddedBroker, story: Story) -> None:
    publish(broker, "ab")
    worker = a_batching_worker(broker, Leaving(story, [{1: False}]), Listener())
    worker.step(1)
    assert ready(broker) == 0
    worker.rest()
    assert ready(broker) == 1
    assert (worker.step(1), worker.step(0)) == (1, 0)
    assert [each for each in story.told if each.startswith("handle")] == ["handle a", "handle b"]


def test_what_waits_for_the_next_batch_goes_back_when_nothing_can_be_taken(
    broker: EmbeddedBroker, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    def take(_: float) -> NoReturn:
        raise Unavailable("no broker")

    publish(broker, "ab")
    worker = a_batching_worker(broker, Leaving(story, [{1: False}]), Listener())
    worker.step(1)
    with monkeypatch.context() as outage:
        outage.setattr(worker.consumer, "take", take)
        with pytest.raises(Unavailable):
            worker.step(1)
    assert ready(broker) == 1
    assert (worker.step(1), worker.step(0)) == (1, 0)


def test_an_error_in_a_batch_is_the_answer_of_its_own_mail(
    broker: EmbeddedBroker, story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    def handle(event: str) -> Outcome:
        if event == "a":
            raise KeyError("a bug")
        return Emit()

    publish(broker, "ab")
    monkeypatch.setattr(story, "handle", handle)
    listener = Listener()
    a_batching_worker(broker, Leaving(story, []), listener).step(1)
    assert [answer.outcome for answer in listener.of(Decided)[0].answers] == [Fail("KeyError: 'a bug'"), Emit()]


def test_what_was_handed_out_before_runs_alone(broker: EmbeddedBroker, story: Story) -> None:
    publish(broker, "a")
    broker.consumer("intake", 1).take(1)
    broker.file.connection.execute("UPDATE queue SET held = 0, holder = NULL")
    a_batching_worker(broker, Leaving(story, []), Listener()).step(1)
    assert "alone 0" in story.told


def test_a_stage_looks_ahead_for_all_before_it_prepares_one(broker: EmbeddedBroker, story: Story) -> None:
    publish(broker, "ab")

    def look_ahead(event: str) -> None:
        story.told.append(f"look ahead {event}")

    keys = {"prepare": story.prepare, "look_ahead": look_ahead}
    a_batching_worker(broker, Leaving(story, []), Listener(), **keys).step(1)
    seen = [each for each in story.told if each.startswith(("look", "prepare"))]
    assert seen == ["look ahead a", "look ahead b", "prepare a", "prepare b"]
