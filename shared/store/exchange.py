"""One round of waiting for a store: many questions and many writes at once, in no order.

An adapter that can do this is a `BulkDocuments`; `shared.store.batch` makes the batches of workers of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from typing import Any, Final, Protocol

from shared.lazy_dataclass import dataclass
from shared.store.documents import Change, Document, Documents, Filter, Sort

BLOBS: Final = "blobs"
"""Stands for the collection where a small blob is written: `{_id: SHA-256, data}`."""


@dataclass(frozen=True, slots=True)
class Get:
    """One document by `_id`."""

    collection: str
    id: str


@dataclass(frozen=True, slots=True)
class Find:
    """Documents that match."""

    collection: str
    where: Filter
    sort: Sort = ()
    limit: int = 0
    skip: int = 0


@dataclass(frozen=True, slots=True)
class Count:
    """The number of documents that match."""

    collection: str
    where: Filter


@dataclass(frozen=True, slots=True)
class GetBlob:
    """The bytes of a blob, None when there is none."""

    sha256: str


@dataclass(frozen=True, slots=True)
class GetSmallBlob:
    """The bytes of a small blob, None when there is none or it is a large one."""

    sha256: str


@dataclass(frozen=True, slots=True)
class NextNumber:
    """The first of `count` numbers, see `Documents.next_number`."""

    collection: str
    id: str
    count: int


Read = Get | Find | Count | GetBlob | GetSmallBlob | NextNumber


@dataclass(slots=True)
class Write:
    """An insert (`document`) or an update. `expected`: the answer that the handler got, None if it ignores it."""

    collection: str
    id: str
    expected: bool | None
    document: Document | None = None
    where: Filter = field(default_factory=dict)
    change: Change = field(default_factory=dict)


class BulkDocuments(Documents, Protocol):
    """A store that does many things in one round of waiting."""

    def exchange(self, reads: Sequence[Read], writes: Sequence[Write]) -> tuple[Sequence[Any], Sequence[bool | None]]:
        """Do all of it, in no order: the answers, and of each write whether it is known to have taken effect.

        None for what the store refuses, for another reason than that it is there already.

        A write that fails keeps no other out. Raises `Unavailable`, when everything else is done or given up.
        """
