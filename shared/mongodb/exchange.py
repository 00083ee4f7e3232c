"""Many questions and writes in one round: a command for each collection and kind, all sent at the same time.

Questions of one form about one collection become one query, whose documents are sorted out here by the vocabulary's own
rules. Writes go as bulks, unordered: within a round no write depends on another.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Protocol, TypeVar

from shared.contracts.errors import Unavailable
from shared.store.documents import Document, Filter, Sort, is_small
from shared.store.exchange import BLOBS, Count, Find, Get, GetBlob, GetSmallBlob, NextNumber, Read, Write
from shared.store.vocabulary import is_operators, predicate, sort_documents

SPARE: Final = 2
"""A common query may bring this many times the documents that its parts ask for; else each part asks by itself."""

Job = Callable[[], None]
T = TypeVar("T")


class Commands(Protocol):
    """The commands of which a round is made."""

    def find(
        self, collection: str, where: Filter, *, sort: Sort = (), limit: int = 0, skip: int = 0
    ) -> Iterator[Document]:
        """See `Documents`."""

    def count(self, collection: str, where: Filter) -> int:
        """See `Documents`."""

    def next_number(self, collection: str, id_: str, count: int = 1) -> int:
        """See `Documents`."""

    def get_blobs(self, hashes: Sequence[str], *, small: bool = False) -> list[bytes | None]:
        """The bytes of several blobs, None where there is none, or no `small` one."""

    def insert_each(self, collection: str, writes: Sequence[Write]) -> list[bool | None]:
        """One bulk of inserts: which took effect."""

    def update_each(self, collection: str, writes: Sequence[Write]) -> list[bool | None]:
        """One bulk of updates: which are known to have taken effect."""


def exchange(
    store: Commands, pool: ThreadPoolExecutor, reads: Sequence[Read], writes: Sequence[Write]
) -> tuple[list[Any], list[bool | None]]:
    """Ask and write everything, one job in this thread and the others beside it. Raises `Unavailable` before others."""
    answers: dict[int, Any] = {}
    took: dict[int, bool | None] = {}
    jobs = [*_reading(store, reads, answers), *_writing(store, writes, took)]
    others = [pool.submit(job) for job in jobs[1:]]
    errors = [error for job in jobs[:1] if (error := _error_of(job))]
    errors += [error for each in others if (error := _error_of(each.result))]
    if errors:
        raise next((each for each in errors if isinstance(each, Unavailable)), errors[0])
    return [answers[place] for place in range(len(reads))], [took[place] for place in range(len(writes))]


def _error_of(job: Callable[[], Any]) -> Exception | None:
    try:
        job()
    except Exception as error:  # all have to end before one of them is raised
        return error
    return None


def _reading(store: Commands, reads: Sequence[Read], answers: dict[int, Any]) -> Iterator[Job]:
    """The commands that answer the questions."""
    for form, places in _grouped(enumerate(reads), _form).items():
        asked = [reads[place] for place in places]
        yield _answering(store, form, places, asked, answers)


def _answering(
    store: Commands, form: tuple[Any, ...], places: Sequence[int], asked: Sequence[Any], answers: dict[int, Any]
) -> Job:
    def job() -> None:
        answers.update(zip(places, _ANSWER[form[0]](store, asked), strict=True))

    return job


def _form(read: Read) -> tuple[Any, ...]:
    """Questions of the same form can be asked as one; a count or a number is asked alone."""
    match read:
        case Get(collection):
            return Get, collection
        case GetBlob() | GetSmallBlob():
            return (type(read),)
        case Find(collection, where, sort, limit, skip):
            return Find, collection, _shape(where), sort, bool(limit), skip
        case _:
            return type(read), repr(read)


def _shape(where: Filter) -> tuple[Any, ...]:
    """What must be the same: the fields with their operators, and the values of all but what `_common` widens."""
    return tuple((field, *_fixed(condition)) for field, condition in sorted(where.items()))


def _fixed(condition: Any) -> tuple[Any, ...]:
    if not is_operators(condition):
        return ("one of",) if isinstance(condition, str) else ("is", repr(condition))
    if set(condition) == {"$in"}:
        return ("one of",)
    ranges = sorted(set(condition) & set(_WIDER))
    return (*ranges, *(repr(item) for item in sorted(condition.items()) if item[0] not in _WIDER))


def _gets(store: Commands, asked: Sequence[Get]) -> list[Document | None]:
    ids = list({each.id for each in asked})
    where = {"_id": ids[0]} if len(ids) == 1 else {"_id": {"$in": ids}}
    found = {document["_id"]: document for document in store.find(asked[0].collection, where)}
    return [found.get(each.id) for each in asked]


def _finds(store: Commands, asked: Sequence[Find]) -> list[list[Document]]:
    """One query that finds what all of them find, or each by itself where that would be too much."""
    first = asked[0]
    limit = SPARE * sum(each.limit for each in asked)
    if len(asked) > 1 and not first.skip:
        common = _common([each.where for each in asked])
        found = list(store.find(first.collection, common, limit=limit))
        if not limit or len(found) < limit:
            return [_part(each, found) for each in asked]
    return [_find(store, each) for each in asked]


def _find(store: Commands, asked: Find) -> list[Document]:
    where, sort, limit, skip = asked.where, asked.sort, asked.limit, asked.skip
    return list(store.find(asked.collection, where, sort=sort, limit=limit, skip=skip))


def _part(asked: Find, found: Sequence[Document]) -> list[Document]:
    """What one of the questions has of the common answer."""
    own = sort_documents(filter(predicate(asked.where), found), asked.sort)
    return own[: asked.limit] if asked.limit else own


def _common(filters: Sequence[Filter]) -> Filter:
    """A filter that keeps what any of these keeps, all of one shape."""
    return {field: _common_condition([each[field] for each in filters]) for field in filters[0]}


def _common_condition(conditions: Sequence[Any]) -> Any:
    first = conditions[0]
    if all(each == first for each in conditions):
        return first
    if not is_operators(first) or "$in" in first:
        return {"$in": list(dict.fromkeys(value for each in conditions for value in _choices(each)))}
    return {
        operator: _WIDER[operator](each[operator] for each in conditions) if operator in _WIDER else value
        for operator, value in first.items()
    }


def _choices(condition: Any) -> Sequence[Any]:
    return condition["$in"] if is_operators(condition) else [condition]


_WIDER: Final[Mapping[str, Callable[[Iterable[Any]], Any]]] = {"$gte": min, "$lt": max}


def _blobs(store: Commands, asked: Sequence[GetBlob | GetSmallBlob]) -> list[bytes | None]:
    return store.get_blobs([each.sha256 for each in asked], small=isinstance(asked[0], GetSmallBlob))


_ANSWER: Final[Mapping[type[Any], Callable[[Commands, Sequence[Any]], Sequence[Any]]]] = {
    Get: _gets,
    Find: _finds,
    GetBlob: _blobs,
    GetSmallBlob: _blobs,
    Count: lambda store, asked: [store.count(each.collection, each.where) for each in asked],
    NextNumber: lambda store, asked: [store.next_number(each.collection, each.id, each.count) for each in asked],
}


def _writing(store: Commands, writes: Sequence[Write], took: dict[int, bool | None]) -> Iterator[Job]:
    """The bulk writes of a round. Documents that a bulk inserts and others that it updates are not the same."""
    for (collection, inserts, _), places in _grouped(enumerate(writes), _target).items():
        yield _bulk(store, collection, [(place, writes[place]) for place in places], took, inserts=inserts)


def _target(write: Write) -> tuple[str, bool, str]:
    """What a job writes together: inserts or updates of a collection. A large blob, in many pieces, has its own job."""
    return write.collection, write.document is not None, write.id if is_large_blob(write) else ""


def is_large_blob(write: Write) -> bool:
    """Whether it is kept as a file."""
    return write.collection == BLOBS and write.document is not None and not is_small(write.document["data"])


def _bulk(
    store: Commands,
    collection: str,
    writes: Sequence[tuple[int, Write]],
    took: dict[int, bool | None],
    *,
    inserts: bool,
) -> Job:
    def job() -> None:
        bulk = [write for _, write in writes]
        done = store.insert_each(collection, bulk) if inserts else store.update_each(collection, bulk)
        took.update(zip((place for place, _ in writes), done, strict=True))

    return job


def _grouped(items: Iterable[tuple[int, T]], key: Callable[[T], Any]) -> dict[Any, list[int]]:
    """The places of the items with the same key."""
    groups: dict[Any, list[int]] = defaultdict(list)
    for place, item in items:
        groups[key(item)].append(place)
    return groups


def pushed(document: Document | None, write: Write) -> bool:
    """Whether the document shows that this update was carried out: it holds what the update pushes.

    Values that are set show nothing: another process may have set the same.
    """
    pushes = write.change.get("$push", {})
    return (
        document is not None and bool(pushes) and all(each in document.get(name, ()) for name, each in pushes.items())
    )
