"""A batch of handlers on a store whose writes are durable one by one: they read together, and write together.

Handlers know nothing of it: they see the document port. In a `BufferedBatch` they run one after the other, on what was
read for all of them. What a handler asks that was not read yet is answered with a guess ("there is none"); its work is
dropped, what all of them asked is read in one round, and it runs again: handlers are functions of their event. What
they write is kept back and written in phases, each phase of all handlers in one round; a handler begins a new phase
with `barrier`.

A handler learns how each write ends before it is written. Where the store says otherwise, because another process
was faster, that handler alone takes no further part: it runs again on the store itself, as after a redelivery. One that
meets a document which a handler before it has changed waits for the next batch, so that the two come out as if one had
followed the other. What does not fit (other writes than inserts and updates by `_id`) runs on the store itself.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections import Counter, deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import field
from typing import Any, Final, cast

from shared.contracts.errors import Unavailable
from shared.lazy_dataclass import dataclass
from shared.runtime.crash_points import crash_point
from shared.store.documents import Change, Document, Documents, Filter, Job, Sort, is_small
from shared.store.exchange import BLOBS, BulkDocuments, Count, Find, Get, GetBlob, GetSmallBlob, NextNumber, Read, Write
from shared.store.vocabulary import apply, check_change, check_document, check_filter, matches

log = logging.getLogger(__name__)

JOURNEY: Final = frozenset(
    (
        *("mails", "arrivals", "journal", "dead_letters", "outbox"),
        *("records", "activities", "links", "people", "history", "firings"),
    )
)
"""The collections of mails and of what the clock causes. Others (configuration) are read and written directly."""
MAX_READS: Final = 10
"""Rounds of reading in a batch. A handler that asks for more runs on the store itself, where each question is a round.

A mail asks for five; a reply to a mail of ours, whose answers are counted, for one or two more.
"""
CLOSING: Final = -1
"""Stands for the handler where hooks write at the end of a batch."""

Key = tuple[str, str]
"""Collection and `_id`."""


class _Interrupted(BaseException):
    """Ends a handler's run; no handler catches it."""


class _Postponed(_Interrupted):
    """The handler needs what another one of this batch has changed."""


class _Unsuited(_Interrupted):
    """The handler does what a batch cannot keep back."""


@dataclass(slots=True)
class _Changed:
    """A document before and after; None where it is not there. `unknown`: it was changed without having been read."""

    before: Document | None
    after: Document | None
    unknown: bool = False

    def touches(self, where: Filter) -> bool:
        """Whether a query may answer otherwise because of the change."""
        return self.unknown or _fits(self.before, where) or _fits(self.after, where)

    def added(self, where: Filter) -> int:
        """How many more documents match than before."""
        return _fits(self.after, where) - _fits(self.before, where)


def _fits(document: Document | None, where: Filter) -> bool:
    return document is not None and matches(document, where)


@dataclass(slots=True)
class _Attempt:
    """One run of one handler: what it would write in each phase, and whether an answer was guessed."""

    place: int
    phases: list[list[Write]] = field(default_factory=lambda: [[]])
    changed: dict[Key, _Changed] = field(default_factory=dict)
    numbers: list[tuple[Key, int]] = field(default_factory=list)
    guessed: bool = False

    def inserted_now(self, key: Key) -> Write | None:
        """The insert of this document in the current phase."""
        found = (each for each in self.phases[-1] if (each.collection, each.id) == key and each.document is not None)
        return next(found, None)

    def is_written_now(self, key: Key) -> bool:
        """Whether the current phase writes the document already."""
        return any((each.collection, each.id) == key for each in self.phases[-1])


class BufferedBatch:
    """The document port as the handlers of one batch see it."""

    def __init__(self, store: BulkDocuments, mine: _Thread) -> None:
        self._store, self._mine = store, mine
        self._known: dict[Key, Document | None] = {}
        self._answers: dict[str, Any] = {}
        self._asked: dict[str, Read] = {}
        self._kept: set[str] = set()
        self._changed: dict[Key, _Changed] = {}
        self._phases: list[list[tuple[int, Write]]] = [[]]
        self._attempt: _Attempt | None = None
        self._has_run_all = False
        self._size = 1
        self._short, self._used = Counter[Key](), Counter[Key]()
        self.again: dict[int, bool] = {}
        """Handlers that have to run again, by place; whether on the store itself."""

    def __getattr__(self, name: str) -> Any:
        """What a batch does not keep back is the store's."""
        return getattr(self._store, name)

    def run(self, jobs: Sequence[Job], alone: Collection[int] = ()) -> dict[int, Any]:
        """The results of these handlers, or their errors, by place; those `again` have none. `Unavailable` is raised.

        `alone`: those that run on the store itself. All phases but the last are written; the last one with the batch.
        """
        self._size = len(jobs)
        results = {place: self._run_alone(jobs[place]) for place in alone}
        left = [place for place in range(len(jobs)) if place not in results]
        for _ in range(MAX_READS):
            left = [place for place in left if not self._has_run(place, jobs[place], results)]
            if not left or not self._has_read():
                break
        self._has_run_all = True
        self.again |= dict.fromkeys(left, True)
        while len(self._phases) > 1:
            self._write(self._phases.pop(0))
        return {place: result for place, result in results.items() if place not in self.again}

    def look_ahead(self, jobs: Sequence[Job]) -> None:
        """Read what these ask for and keep the small blobs that they put, in one round. Their errors come up later."""
        self._size, writes = len(jobs), list[Write]()
        for job in jobs:
            self._attempt = attempt = _Attempt(CLOSING)
            with suppress(Exception, _Interrupted):
                job()
            writes += (each for phase in attempt.phases for each in phase if each.collection == BLOBS)
        self._attempt = None
        self._has_read(writes)

    def close(self) -> None:
        """Write the last phase, and what hooks wrote."""
        for phase in self._phases:
            self._write(phase)
        self._mine.used = self._used

    def _run_alone(self, job: Job) -> Any:
        self._mine.batch = None
        try:
            return attempted(job)
        finally:
            self._mine.batch = self

    def _has_run(self, place: int, job: Job, results: dict[int, Any]) -> bool:
        """Run a handler; False when an answer was guessed, so that it has to run once more in this batch."""
        self._attempt = attempt = _Attempt(place)
        try:
            results[place] = attempted(job)
        except _Interrupted as interrupted:
            self.again |= {} if attempt.guessed else {place: isinstance(interrupted, _Unsuited)}
        finally:
            self._attempt = None
        if attempt.guessed or place in self.again:
            self._mine.give_back(attempt.numbers)
        else:
            self._accept(attempt)
        return not attempt.guessed

    def _accept(self, attempt: _Attempt) -> None:
        self._used.update(key for key, _ in attempt.numbers)
        self._changed |= attempt.changed
        self._phases += ([] for _ in range(len(attempt.phases) - len(self._phases)))
        for phase, writes in zip(self._phases, attempt.phases, strict=False):
            phase.extend((attempt.place, write) for write in writes)

    def _has_read(self, writes: Sequence[Write] = ()) -> bool:
        """Read; False after an error. It shows whose it is where each handler runs on the store itself."""
        try:
            self._read(writes)
        except Unavailable:
            raise
        except Exception:
            log.warning("batch_not_read", exc_info=True)
            return False
        return True

    def _read(self, writes: Sequence[Write]) -> None:
        """Read what was asked for, reserve numbers, and keep blobs."""
        asked = [*self._asked.values(), *self._mine.numbers_wanted(self._size, self._short)]
        self._short.clear()
        answers, took = self._store.exchange(asked, writes)
        self._kept |= {each.id for each, effect in zip(writes, took, strict=True) if effect is not None}
        self._asked = {}
        for read, answer in zip(asked, answers, strict=True):
            self._note(read, answer)

    def _note(self, read: Read, answer: Any) -> None:
        match read:
            case Get(collection, id_):
                self._known[collection, id_] = answer
            case Find(collection):
                self._answers[repr(read)] = answer
                for document in answer:
                    self._known.setdefault((collection, document["_id"]), document)
            case NextNumber(collection, id_, count):
                self._mine.numbers[collection, id_].extend(range(answer, answer + count))
            case _:
                self._answers[repr(read)] = answer

    def _write(self, phase: Sequence[tuple[int, Write]]) -> None:
        """One phase of all handlers; a handler whose write ends otherwise than it was answered runs again."""
        left = [(place, write) for place, write in phase if place not in self.again]
        if not left:
            return
        _, took = self._store.exchange((), [write for _, write in left])
        for (place, write), effect in zip(left, took, strict=True):
            if effect is None or write.expected not in (None, effect):
                self.again[place] = True
        crash_point("store.phase")

    # what handlers ask

    def get(self, collection: str, id_: str) -> Document | None:
        """One document by `_id`."""
        key = (collection, id_)
        if collection in JOURNEY and (changed := self._left(key)):
            return changed.after
        if key in self._known:
            return self._known[key]
        if collection not in JOURNEY or self._attempt is None:
            return self._store.get(collection, id_)
        self._guess(Get(collection, id_))
        return None

    def get_fresh(self, collection: str, id_: str) -> Document | None:
        """One document by `_id` as it is now: as this handler has changed it, since that will be found out or hold."""
        changed = self._left((collection, id_))
        if changed is None and self._attempt is not None:
            raise _Unsuited
        return changed.after if changed else self._store.get(collection, id_)

    def find(
        self, collection: str, where: Filter, *, sort: Sort = (), limit: int = 0, skip: int = 0
    ) -> Iterator[Document]:
        """Matching documents."""
        if collection not in JOURNEY or self._attempt is None:
            return self._store.find(collection, where, sort=sort, limit=limit, skip=skip)
        self._refuse_changed(collection, where)
        return iter(self._answer(Find(collection, where, tuple(sort), limit, skip), ()))

    def count(self, collection: str, where: Filter, most: int = 0) -> int:
        """How many match, with what this batch adds."""
        if collection not in JOURNEY or self._attempt is None:
            return self._store.count(collection, where, most)
        changes = [*self._changed.items(), *self._attempt.changed.items()]
        touching = [each for key, each in changes if key[0] == collection and each.touches(where)]
        if any(each.unknown for each in touching):
            raise _Unsuited
        found = int(self._answer(Count(collection, where), 0)) + sum(each.added(where) for each in touching)
        return min(found, most) if most else found

    def get_blob(self, sha256: str) -> bytes:
        """The bytes. What looks ahead asks for small ones alone: a large one is read when its mail has its turn."""
        ahead = GetSmallBlob(sha256)
        if self._attempt is None:
            return self._answers.get(repr(ahead)) or self._store.get_blob(sha256)
        if self._attempt.place == CLOSING:
            return bytes(self._answer(ahead, b"") or b"")
        if (found := self._answer(GetBlob(sha256), b"")) is None:
            raise LookupError(f"no blob {sha256!a}")
        return bytes(found)

    def _answer(self, read: Read, guess: Any) -> Any:
        known = repr(read)
        if known in self._answers:
            return self._answers[known]
        self._guess(read)
        return guess

    def _guess(self, read: Read) -> None:
        """Answer with a guess for now: the handler runs again when this was read."""
        assert self._attempt is not None
        self._asked[repr(read)] = read
        self._attempt.guessed = True

    def _left(self, key: Key) -> _Changed | None:
        """What this handler, or at the end any, made of a document. A handler that needs another's has to wait."""
        attempt = self._attempt
        if attempt is None:
            return self._changed.get(key)
        if key in attempt.changed:
            if attempt.changed[key].unknown:
                raise _Unsuited
            return attempt.changed[key]
        if key in self._changed:
            raise _Postponed
        return None

    def _refuse_changed(self, collection: str, where: Filter) -> None:
        """A query that a change of this batch may answer otherwise has to wait for the store."""
        assert self._attempt is not None
        for changes, interruption in ((self._attempt.changed, _Unsuited), (self._changed, _Postponed)):
            if any(key[0] == collection and changed.touches(where) for key, changed in changes.items()):
                raise interruption

    # what handlers write

    def barrier(self) -> None:
        """What follows is written in a later phase."""
        if self._attempt is not None and self._attempt.phases[-1]:
            self._attempt.phases.append([])

    def insert(self, collection: str, document: Document) -> bool:
        """Insert once; a document that is not known yet is expected to be new."""
        attempt = self._attempt
        if collection not in JOURNEY or not (attempt or self._has_run_all):
            return self._store.insert(collection, document)
        document = check_document(document)
        key = (collection, document["_id"])
        if attempt is None:
            self._keep_insert(key, document)
            return True
        if key in attempt.changed or self._known.get(key) is not None:
            return False
        new = key not in self._changed
        attempt.phases[-1].append(Write(*key, new, document))
        if new:
            attempt.changed[key] = _Changed(None, document)
        return new

    def insert_many(self, collection: str, documents: Sequence[Document]) -> int:
        """Insert once each; what is there already is ignored."""
        if collection not in JOURNEY or not (self._attempt or self._has_run_all):
            return self._store.insert_many(collection, documents)
        for document in map(check_document, documents):
            self._keep_insert((collection, document["_id"]), document)
        return len(documents)

    def _keep_insert(self, key: Key, document: Document) -> None:
        attempt = self._attempt
        write = Write(*key, None, document)
        if attempt is None:
            self._phases[-1].append((CLOSING, write))
        elif key not in attempt.changed and self._known.get(key) is None:
            attempt.phases[-1].append(write)
            attempt.changed[key] = _Changed(None, document)

    def update(self, collection: str, where: Filter, change: Change) -> bool:
        """The conditional write; the condition is checked on the document as it was read."""
        if collection not in JOURNEY or self._attempt is None:
            return self._store.update(collection, where, change)
        if not isinstance(id_ := where.get("_id"), str):
            raise _Unsuited
        where, change, key = check_filter(where), check_change(change), (collection, id_)
        changed = self._changed_by(key, where)
        if changed is None or changed.unknown:
            return self._keep(key, where, change, _Changed(None, None, unknown=True)) if len(where) == 1 else True
        if changed.after is None or not matches(changed.after, where):
            return False
        return self._keep(key, where, change, _Changed(changed.before, apply(changed.after, change)))

    def _changed_by(self, key: Key, where: Filter) -> _Changed | None:
        """The document as it is now. None: it is not known, and is asked for if the condition needs it."""
        assert self._attempt is not None
        if len(where) == 1 and key in self._attempt.changed:
            return self._attempt.changed[key]
        if changed := self._left(key):
            return changed
        if key in self._known:
            return _Changed(self._known[key], self._known[key])
        if len(where) > 1:
            self._guess(Get(*key))
        return None

    def _keep(self, key: Key, where: Filter, change: Change, changed: _Changed) -> bool:
        """Keep an update back: in the document that this phase inserts, or else in a phase of its own document."""
        attempt = self._attempt
        assert attempt is not None
        attempt.changed[key] = changed
        if (inserted := attempt.inserted_now(key)) and changed.after is not None:
            inserted.document = changed.after
            return True
        if attempt.is_written_now(key):
            self.barrier()
        attempt.phases[-1].append(Write(*key, True, None, where, change))
        return True

    def upsert(self, collection: str, id_: str, change: Change) -> Document:
        """Change or create: never kept back."""
        return self._direct(collection).upsert(collection, id_, change)

    def replace(self, collection: str, document: Document) -> None:
        """Put the document: never kept back."""
        self._direct(collection).replace(collection, document)

    def delete(self, collection: str, where: Filter) -> int:
        """Delete what matches: never kept back."""
        return self._direct(collection).delete(collection, where)

    def _direct(self, collection: str) -> BulkDocuments:
        if collection in JOURNEY and self._attempt is not None:
            raise _Unsuited
        return self._store

    def put_blob(self, content: bytes, sha256: str | None = None) -> str:
        """Keep bytes once, with the batch. What looks ahead leaves large ones to the handler."""
        if self._attempt is None:
            return self._store.put_blob(content, sha256)
        sha256 = sha256 or hashlib.sha256(content).hexdigest()
        is_left = self._attempt.place == CLOSING and not is_small(content)
        if sha256 not in self._kept and not self._attempt.guessed and not is_left:
            self._attempt.phases[-1].append(Write(BLOBS, sha256, None, {"_id": sha256, "data": content}))
        return sha256

    def next_number(self, collection: str, id_: str, count: int = 1) -> int:
        """One of the numbers that this thread has reserved, which are as many as its latest batch needed."""
        if self._attempt is None or count > 1:
            return self._store.next_number(collection, id_, count)
        key = (collection, id_)
        pool = self._mine.numbers.setdefault(key, deque())
        if not pool:
            self._short[key] += 1
            self._attempt.guessed = True
            return 0
        self._attempt.numbers.append((key, pool.popleft()))
        return self._attempt.numbers[-1][1]


class _Thread(threading.local):
    """What one thread has: its batch, what was looked ahead for the next one, and numbers that it has reserved."""

    def __init__(self) -> None:
        super().__init__()
        self.batch: BufferedBatch | None = None
        self.ahead: BufferedBatch | None = None
        self.numbers: dict[Key, deque[int]] = {}
        self.used = Counter[Key]()

    def numbers_wanted(self, size: int, short: Mapping[Key, int]) -> Iterator[NextNumber]:
        """What handlers lacked; else what a batch of `size` lacks if it is like the one before."""
        for key, pool in self.numbers.items():
            if (missing := short.get(key) or min(size, self.used[key]) - len(pool)) > 0:
                yield NextNumber(*key, missing)

    def give_back(self, numbers: Sequence[tuple[Key, int]]) -> None:
        """What a dropped run has taken is for the next one."""
        for key, number in reversed(numbers):
            self.numbers[key].appendleft(number)


class BatchedDocuments:
    """The document port on a store that does many things in one round; see `batched`."""

    def __init__(self, store: BulkDocuments) -> None:
        self._store, self._mine = store, _Thread()

    def __getattr__(self, name: str) -> Any:
        """A method of this thread's batch, or of the store."""
        return getattr(self._mine.batch or self._store, name)

    @contextmanager
    def batch(self) -> Iterator[BufferedBatch]:
        """A batch for this thread; its last phase is written at the end, unless there is an exception."""
        mine = self._mine
        if mine.batch and not mine.ahead:
            yield mine.batch
            return
        batch, mine.ahead = mine.ahead or BufferedBatch(self._store, mine), None
        mine.batch = batch
        try:
            yield batch
            batch.close()
        finally:
            mine.batch = None

    @contextmanager
    def look_ahead(self, jobs: Sequence[Job]) -> Iterator[None]:
        """Read together what these ask for, for the block and its first batch."""
        mine = self._mine
        mine.batch = mine.ahead = BufferedBatch(self._store, mine)
        try:
            mine.batch.look_ahead(jobs)
            yield
        finally:
            mine.batch = mine.ahead = None


def batched(store: BulkDocuments) -> Documents:
    """The port on a store that does many things in one round, whose batches use that."""
    return cast("Documents", BatchedDocuments(store))


def attempted(job: Job) -> Any:
    """What the handler returns, or its error. Raises `Unavailable`."""
    try:
        return job()
    except Unavailable:
        raise
    except Exception as error:  # the worker makes a dead letter of it
        return error
