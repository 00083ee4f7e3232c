"""Faults planted on purpose in the batches of workers, see `tests.harness.plants`.

`shared.store.batch` makes the batches of a store whose writes are durable one by one; a batch of the embedded file is a
transaction. Each plant puts a wrong function in the place of one of the product: `put` is `setattr` in a child process,
and pytest's `monkeypatch.setattr` in the process of a test.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any, Final

from shared.embedded.relay import Relay
from shared.runtime.crash_points import crash_point
from shared.runtime.worker import Worker
from shared.store.batch import BufferedBatch
from shared.store.firings import Firings
from shared.store.mails import Mails
from shared.store.outbox import Outbox
from shared.store.people import People
from shared.store.records import RECORDS, Records

Put = Callable[[Any, str, Any], None]
"""(owner, name, value): gives the owner another value under this name."""
EFFECTS: Final = (
    (Outbox, "add_once"), (People, "create_once"), (People, "add_history"), (Records, "add_activity"),
    (Records, "link"),
)  # fmt: skip
"""What is carried out once a record is written."""


def half_a_batch(put: Put) -> None:
    """A phase counts as written when half of it is."""

    def write(self: BufferedBatch, phase: Any) -> None:
        original(self, phase[: len(phase) // 2])

    original = BufferedBatch._write
    put(BufferedBatch, "_write", write)


class _LastFirst(list[Any]):
    """Phases of which the last one is taken first."""

    def pop(self, _: Any = -1) -> Any:
        return super().pop()


def phases_in_reverse(put: Put) -> None:
    """The last phase is written first."""

    def init(self: BufferedBatch, *args: Any) -> None:
        original(self, *args)
        self._phases = _LastFirst(self._phases)

    original = BufferedBatch.__init__
    put(BufferedBatch, "__init__", init)


def settled_before_the_last_phase(put: Put) -> None:
    """The broker lets the deliveries go, and only then is the last phase of their batch written."""

    def keep(self: BufferedBatch) -> None:
        late.append(self)

    def catch_up() -> None:
        while late:
            close(late.pop(0))

    def run(self: BufferedBatch, *args: Any) -> Any:
        catch_up()
        return run_(self, *args)

    def settle_all(self: Worker, answers: Any) -> None:
        settle_all_(self, answers)
        self.consumer.flush()
        crash_point("planted")
        catch_up()

    late: list[BufferedBatch] = []
    close, run_, settle_all_ = BufferedBatch.close, BufferedBatch.run, Worker.settle_all
    put(BufferedBatch, "close", keep)
    put(BufferedBatch, "run", run)
    put(Worker, "settle_all", settle_all)


def barrier_left_out(put: Put) -> None:
    """What a handler writes goes out together, in whatever order."""
    put(BufferedBatch, "barrier", lambda _: None)


def without_the_barrier_before(*writes: tuple[type[Any], str]) -> Callable[[Put], None]:
    """These writes of a repository go out with what is before them."""

    def plant(put: Put) -> None:
        for owner, name in writes:
            put(owner, name, _in_the_phase_before(getattr(owner, name)))

    return plant


def _in_the_phase_before(write: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(write)
    def early(self: Any, *args: Any, **keys: Any) -> Any:
        batch = (self._documents if isinstance(self, Firings) else self.documents)._mine.batch  # type: ignore[attr-defined]
        attempt = batch and batch._attempt
        if attempt and len(attempt.phases) > 1 and not attempt.phases[-1]:
            attempt.phases.pop()
        return write(self, *args, **keys)

    return early


def others_unseen(method: str) -> Callable[[Put], None]:
    """This method of a batch answers as if no other handler had changed anything."""

    def plant(put: Put) -> None:
        def unseeing(self: BufferedBatch, *args: Any, **keys: Any) -> Any:
            if self._attempt is None:
                return original(self, *args, **keys)
            changed, self._changed = self._changed, {}
            try:
                return original(self, *args, **keys)
            finally:
                self._changed = changed

        original = getattr(BufferedBatch, method)
        put(BufferedBatch, method, unseeing)

    return plant


def conditions_not_looked_at(put: Put) -> None:
    """A conditional write of a batch is written whatever the document is by then."""

    def write(self: BufferedBatch, phase: Any) -> None:
        for _, each in phase:
            each.where = {"_id": each.id} if each.where else each.where
        original(self, phase)

    original = BufferedBatch._write
    put(BufferedBatch, "_write", write)


def losers_not_looked_at(put: Put) -> None:
    """A handler whose write came too late goes on as if it had not."""

    def write(self: BufferedBatch, phase: Any) -> None:
        again = dict(self.again)
        original(self, phase)
        self.again = again

    original = BufferedBatch._write
    put(BufferedBatch, "_write", write)


def error_takes_others_along(put: Put) -> None:
    """A handler that fails drops what was to be written for those before it.

    The first that has two records before it counts as failed. Its own work is done, so that only the others' is missed.
    Two, because the first sample mail is handed in twice, and its second delivery does the work of the first again.
    """

    def has_run(self: BufferedBatch, place: int, job: Any, results: dict[int, Any]) -> bool:
        others = {other for phase in self._phases for other, write in phase if write.collection == RECORDS}
        done = original(self, place, job, results)
        if done and len(others) > 1 and not failed:
            failed.append(place)
            self._phases[:] = [[each for each in phase if each[0] == place] for phase in self._phases]
        return done

    failed: list[int] = []
    original = BufferedBatch._has_run
    put(BufferedBatch, "_has_run", has_run)


def commit_left_out(put: Put) -> None:
    """What the parser wrote in the first round is rolled back unnoticed, and its deliveries are settled."""

    def hand_on(self: Relay) -> bool:
        if self._settled and not left_out:
            left_out.append(self)
            self._file._end(commit=False)
            self._transaction = None
        return original(self)

    left_out: list[Relay] = []
    original = Relay.hand_on
    put(Relay, "hand_on", hand_on)


def relay_drops_what_is_left(put: Put) -> None:
    """A message that no stage of the round took is forgotten when the round ends."""

    def finish(self: Relay) -> None:
        self._ready.clear()
        original(self)

    original = Relay._finish
    put(Relay, "_finish", finish)


BATCH_PLANTS: Final[Mapping[str, Callable[[Put], None]]] = {
    "half-a-batch": half_a_batch,
    "phases-in-reverse": phases_in_reverse,
    "settled-before-the-last-phase": settled_before_the_last_phase,
    "barrier-left-out": barrier_left_out,
    "no-barrier-before-the-commit": without_the_barrier_before((Records, "commit"), (Records, "create_once")),
    "no-barrier-before-effects": without_the_barrier_before(*EFFECTS),
    "no-barrier-before-the-outcome": without_the_barrier_before((Mails, "finish")),
    "no-barrier-before-pending-goes": without_the_barrier_before((Records, "forget")),
    "no-barrier-before-the-firing": without_the_barrier_before((Firings, "keep")),
    "documents-of-others-unseen": others_unseen("_left"),
    "queries-without-others": others_unseen("_refuse_changed"),
    "counts-without-others": others_unseen("count"),
    "conditions-not-looked-at": conditions_not_looked_at,
    "losers-not-looked-at": losers_not_looked_at,
    "error-takes-others-along": error_takes_others_along,
    "commit-left-out": commit_left_out,
    "relay-drops-what-is-left": relay_drops_what_is_left,
}
