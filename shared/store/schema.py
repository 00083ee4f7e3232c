"""What a store says of itself: the version of its documents, compared at every start, and whether it is the demo's.

The version goes up when an older program cannot read what this one writes. A store without a version was written before
there was one, with the documents of version 1.

Version 2: on MongoDB, small blobs are documents of `blobs`. What version 1 wrote is read as it is, so nothing has to be
rewritten; its programs would not find the new blobs.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from shared.contracts.errors import Misconfigured
from shared.store.documents import Documents

VERSION: Final = 2
READ: Final = frozenset({1, VERSION})
"""Versions whose documents are read as they are."""
SCHEMA: Final = "schema"
"""The collection, and the `_id` of its one document."""
DEMO: Final = "demo"


def agree_on_version(documents: Documents) -> None:
    """Write our version into a store that has none, or one that we read. Raises `Misconfigured` for any other."""
    found = (documents.get(SCHEMA, SCHEMA) or {}).get("version")
    if found == VERSION:
        return
    if found is None:
        documents.insert(SCHEMA, {"_id": SCHEMA, "version": VERSION})
    elif found in READ:
        documents.update(SCHEMA, {"_id": SCHEMA, "version": found}, {"$set": {"version": VERSION}})
    else:
        age = "a newer" if isinstance(found, int) and found > VERSION else "an older"
        raise Misconfigured(
            f"the store was written by {age} version of Postroom (schema {found}, this version reads {VERSION}); "
            'docs/operations.md, "Upgrading", says what to do'
        )


def mark_as_demo(documents: Documents, at: datetime) -> None:
    """Note that this store belongs to the demo, which may change and delete everything in it."""
    documents.upsert(DEMO, "desk", {"$set": {"at": at}})


def is_demo(documents: Documents) -> bool:
    """Whether the store belongs to the demo."""
    return documents.get(DEMO, "desk") is not None
