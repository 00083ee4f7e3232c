"""The document port: a named subset of MongoDB's own vocabulary.

Repositories are written once on this port. `shared.mongodb.documents` passes it through; `shared.embedded.documents`
keeps the same documents in a local SQLite file. One conformance suite runs on both.

A document is a dict with a string `_id`. Values: None, bool, int (64 bit), float, str, datetime (aware,
UTC, kept to the millisecond), list and dict of those. Keys are strings without `.` and without a leading `$`. Nobody
changes a document that a store has returned: others may get the same object. What it becomes is another one.

A filter is a dict `{field: condition}`; a field may be dotted (`sender.person`). A condition is
- a value: equal, or an array that contains it; None also matches a missing field;
- `{"$in": [...]}`, `{"$gte" | "$lt": value}` (ranges compare within one type only), `{"$prefix": text}`. Several
  conditions in one dict must all hold.

A change is a dict of `$set`, `$unset`, `$inc`, `$push`, `$addToSet`, and `$pull` of elements with given fields. Sorting
is `(("field", 1 | -1), ...)` in MongoDB's order of types. Everything else raises `Unsupported`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final, Protocol

from shared.lazy_dataclass import dataclass

SMALL_BLOB_BYTES: Final = 256 << 10

Document = dict[str, Any]
Filter = Mapping[str, Any]
Change = Mapping[str, Mapping[str, Any]]
Sort = Sequence[tuple[str, int]]
Job = Callable[[], Any]


def is_small(content: bytes) -> bool:
    """Whether a blob may be kept as a document (PR-13)."""
    return len(content) <= SMALL_BLOB_BYTES


@dataclass(frozen=True, slots=True)
class Index:
    """An index of one collection. `array`: the (single) field holds lists; `unique` skips missing fields."""

    collection: str
    fields: tuple[str, ...]
    unique: bool = False
    array: bool = False


class Batch(Protocol):
    """Handlers that read together and write together; see `shared.store.batch`."""

    @property
    def again(self) -> Mapping[int, bool]:
        """Places of the handlers that have to run again, complete when the batch has ended; True: alone."""

    def run(self, jobs: Sequence[Job], alone: Collection[int] = ()) -> Mapping[int, Any]:
        """The results of the handlers by place, an `Exception` where there was one. Raises `Unavailable`."""


class Documents(Protocol):
    """Collections of documents, and blobs. Every write that returned is durable (but see `batch`)."""

    def ensure(self, indexes: Iterable[Index]) -> None:
        """Create what is missing. Idempotent."""

    def insert(self, collection: str, document: Document) -> bool:
        """Insert once: False when `_id` or a unique field is taken already, and nothing is changed."""

    def insert_many(self, collection: str, documents: Sequence[Document]) -> int:
        """Insert once each; how many were new. A `Batch` does not know it: its callers ignore the number."""

    def get(self, collection: str, id_: str) -> Document | None:
        """One document by `_id`."""

    def get_fresh(self, collection: str, id_: str) -> Document | None:
        """One document by `_id` as it is now, not as a batch has read it."""

    def find(
        self, collection: str, where: Filter, *, sort: Sort = (), limit: int = 0, skip: int = 0
    ) -> Iterator[Document]:
        """Matching documents; `limit` 0 means all."""

    def count(self, collection: str, where: Filter, most: int = 0) -> int:
        """How many match; counting ends at `most`, 0: at the last one."""

    def update(self, collection: str, where: Filter, change: Change) -> bool:
        """Change at most one matching document; False when none matches. Atomic: the conditional write.

        Returns True when a document matched, whether or not it now differs.
        """

    def upsert(self, collection: str, id_: str, change: Change) -> Document:
        """Change the document with this `_id`, creating it when missing; the document after the change."""

    def next_number(self, collection: str, id_: str, count: int = 1) -> int:
        """The first of `count` numbers that nobody else gets, from 1 on; the document's `last` is the latest."""

    def replace(self, collection: str, document: Document) -> None:
        """Put the document, whatever was there under its `_id`."""

    def delete(self, collection: str, where: Filter) -> int:
        """Delete what matches; how many."""

    def put_blob(self, content: bytes, sha256: str | None = None) -> str:
        """Keep bytes once, durable before it returns; their SHA-256 in hex, which a caller may pass in."""

    def get_blob(self, sha256: str) -> bytes:
        """The bytes; `LookupError` when there are none."""

    def has_blob(self, sha256: str) -> bool:
        """Whether a complete blob is kept under this hash."""

    def delete_blob(self, sha256: str) -> bool:
        """Remove a blob; False when there is none. Only for bytes that nobody else can have put or will put."""

    def unfinished_uploads(self, after: str, limit: int) -> tuple[Sequence[str], str]:
        """Look at `limit` uploads behind `after`, in the order of their ids.

        Those that no blob has come of (of a killed process, or still in progress), and the last one looked at, empty
        when there are no more.
        """

    def remove_upload(self, upload: str) -> None:
        """Remove what was uploaded; only for one that stays unfinished."""

    def barrier(self) -> None:
        """What was written before is durable before, or together with, what is written after."""

    def look_ahead(self, jobs: Sequence[Job], /) -> AbstractContextManager[None]:
        """Read together, for the block, what these ask for; they may be called, and their results are ignored."""

    def batch(self) -> AbstractContextManager[Batch | None]:
        """Writes inside may become durable together at its end (None), each at once, or in the phases of a `Batch`.

        On an exception from the block what was written may or may not stay: callers write idempotently.
        """

    def ping(self) -> None:
        """Raises `Unavailable` when the store cannot be reached."""

    def close(self) -> None:
        """Release connections. Safe to call twice."""
