"""What a transaction of the embedded store remembers is given to all who ask: a test in which it is changed fails.

The store hands out the documents themselves and not copies, which would cost more than to read them again. So nobody
may change one that it has given, or taken. Here each is looked at again when its transaction ends.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import wraps
from typing import TYPE_CHECKING, Any

import pytest

from shared.embedded.documents import EmbeddedDocuments, _encode
from shared.embedded.file import LocalFile

if TYPE_CHECKING:
    from shared.store.documents import Document, Filter

_CHANGED: list[str] = []


class _Given(threading.local):
    """What this thread's transaction has remembered: place, document, and its content then."""

    def __init__(self) -> None:
        self.documents: dict[int, tuple[str, Document, str]] = {}

    def add(self, place: str, document: Document) -> None:
        """Note a document as it is now, once."""
        if id(document) not in self.documents:
            self.documents[id(document)] = place, document, _encode(document)

    def look_again(self) -> None:
        """Note which of them somebody has changed."""
        given = self.documents.values()
        _CHANGED.extend(place for place, document, content in given if _encode(document) != content)
        self.documents.clear()


_GIVEN = _Given()


def pytest_configure() -> None:
    """Watch every embedded store of this process."""
    remember, find, end = EmbeddedDocuments._remember, EmbeddedDocuments.find, LocalFile._end

    @wraps(remember)
    def remembered(self: EmbeddedDocuments, collection: str, id_: str, document: Document | None) -> None:
        remember(self, collection, id_, document)
        if document is not None and self.file.seen is not None:
            _GIVEN.add(f"{collection}/{id_}", document)

    @wraps(find)
    def found(self: EmbeddedDocuments, collection: str, where: Filter, **how: Any) -> Iterator[Document]:
        answer = find(self, collection, where, **how)
        if self.file.seen is None or not how.get("limit"):
            return answer
        documents = list(answer)
        for each in documents:
            _GIVEN.add(f"{collection}/{each['_id']}", each)
        return iter(documents)

    @wraps(end)
    def ended(self: LocalFile, *, commit: bool) -> None:
        _GIVEN.look_again()
        end(self, commit=commit)

    EmbeddedDocuments._remember = remembered  # type: ignore[method-assign]
    EmbeddedDocuments.find = found  # type: ignore[method-assign]
    LocalFile._end = ended  # type: ignore[method-assign]


@pytest.fixture(autouse=True)
def changed_documents() -> Iterator[list[str]]:
    """The remembered documents that somebody has changed, as `collection/id`; the test fails if there are any left."""
    _CHANGED.clear()
    yield _CHANGED
    assert _CHANGED == [], "a document that the store remembers for others was changed: change a copy"
