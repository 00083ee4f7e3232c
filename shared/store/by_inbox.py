"""Pages of rows of some inboxes, for people who see no others (console.md, 6)."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from itertools import islice

from shared.store.documents import Document, Documents, Filter, Sort
from shared.store.vocabulary import merged


def find_in_inboxes(
    documents: Documents,
    collection: str,
    where: Filter,
    inboxes: Collection[str],
    *,
    sort: Sort,
    limit: int = 0,
    skip: int = 0,
) -> Iterator[Document]:
    """Matching documents whose `inbox` is one of these, in the order of `sort`; `limit` 0 means all.

    Each inbox is asked for by itself, and the answers are merged: so an index has each page in its order, while for
    several values of a field the embedded store would read and sort all that there is.
    """
    reach = skip + limit if limit else 0
    found = [
        documents.find(collection, {**where, "inbox": each}, sort=sort, limit=reach) for each in sorted({*inboxes})
    ]
    return islice(merged(found, sort), skip, reach or None)
