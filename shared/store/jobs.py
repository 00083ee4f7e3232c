"""The `jobs` collection: actions of an operator on many things, how far each has come, and what failed.

What a job acts on is fixed when it is made: the ids are one blob, so that mail which comes in later is not touched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field
from datetime import datetime
from typing import Any, Final, Literal

from shared.contracts.mapping import STORE, from_plain, named, to_plain
from shared.ids import id_under
from shared.lazy_dataclass import dataclass
from shared.store.documents import Documents

Verb = Literal["release", "replay", "discard"]
"""What a job does to each of its things."""
Kind = Literal["mails", "letters"]
"""What the things of a job are: mails, or dead letters."""
JobState = Literal["running", "done", "stopped"]
JOBS: Final = "jobs"
FAILURES: Final = "job_failures"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredJob:
    """One action on many things.

    Life: inserted as `running` with all that it acts on; `done` things are behind it, in the order of `things`, and a
    process that goes on with it begins there. Ends `done`, or `stopped` by a person (`ended_at`, `ended_by`). Nothing
    removes it.

    `things` is the blob of the ids, one in a line, and `total` their number. `chosen` says in words which these were.
    `per_minute` bounds the speed; None: as fast as it goes. What failed are rows of their own.
    """

    id: str = field(metadata=named("_id"))
    verb: Verb
    kind: Kind
    chosen: str
    things: str
    total: int
    by: str
    at: datetime
    reason: str = ""
    per_minute: int | None = None
    state: JobState = "running"
    done: int = 0
    ended_at: datetime | None = None
    ended_by: str | None = None


@dataclass(frozen=True, slots=True)
class JobFailure:
    """One thing on which a job could not act, and why. Written once; `place` counts the things of the job from 0."""

    id: str = field(metadata=named("_id"))
    job_id: str
    place: int
    thing: str
    why: str


_encode, _decode = to_plain(StoredJob, STORE), from_plain(StoredJob, STORE)
_encode_failure, _decode_failure = to_plain(JobFailure, STORE), from_plain(JobFailure, STORE)


class Jobs:
    """Reads and writes jobs; every write is safe to repeat."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def add(self, job: StoredJob) -> bool:
        """Keep a new job; False when there is one with this id."""
        return self._documents.insert(JOBS, _encode(job))

    def put_things(self, ids: Sequence[str]) -> str:
        """Keep the ids of things; the blob that holds them."""
        return self._documents.put_blob("\n".join(ids).encode())

    def things(self, job: StoredJob) -> list[str]:
        """The ids of what a job acts on, in its order."""
        return self._documents.get_blob(job.things).decode().splitlines()

    def get(self, job_id: str) -> StoredJob | None:
        """One job."""
        found = self._documents.get(JOBS, job_id)
        return _decode(found) if found else None

    def beginning_with(self, id_beginning: str) -> list[StoredJob]:
        """At most two jobs whose ids begin so: enough to see whether it is one."""
        return [_decode(each) for each in self._documents.find(JOBS, {"_id": {"$prefix": id_beginning}}, limit=2)]

    def recent(self, limit: int, skip: int = 0, *, by: str | None = None) -> Iterator[StoredJob]:
        """Jobs of one person (None: of all), the newest first."""
        where = {} if by is None else {"by": by}
        return map(_decode, self._documents.find(JOBS, where, sort=(("at", -1),), limit=limit, skip=skip))

    def running(self) -> list[StoredJob]:
        """Jobs that are not at their end, the oldest first."""
        return [_decode(each) for each in self._documents.find(JOBS, {"state": "running"}, sort=(("at", 1),))]

    def advance(self, job: StoredJob, done: int, failures: Sequence[JobFailure]) -> bool:
        """Note how far a job has come and what failed on the way; False when it has been stopped."""
        if failures:
            self._documents.insert_many(FAILURES, [_encode_failure(each) for each in failures])
        return self._documents.update(JOBS, {"_id": job.id, "state": "running"}, {"$set": {"done": done}})

    def end(self, job_id: str, state: JobState, at: datetime, by: str) -> bool:
        """End a running job."""
        ended: dict[str, Any] = {"state": state, "ended_at": at, "ended_by": by}
        return self._documents.update(JOBS, {"_id": job_id, "state": "running"}, {"$set": ended})

    def failed(self, job_id: str) -> int:
        """On how many things a job could not act."""
        return self._documents.count(FAILURES, {"job_id": job_id})

    def failures(self, job_id: str, limit: int, skip: int = 0) -> Iterator[JobFailure]:
        """What a job could not act on, in its order."""
        sort = (("place", 1),)
        return map(
            _decode_failure, self._documents.find(FAILURES, {"job_id": job_id}, sort=sort, limit=limit, skip=skip)
        )


def failure(job: StoredJob, place: int, thing: str, why: str) -> JobFailure:
    """The row of a thing on which a job could not act; its id is derived, so that writing it again is the same."""
    return JobFailure(id_under(job.id, thing), job.id, place, thing, why)
