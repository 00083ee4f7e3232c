"""The version of the stored documents, kept in the store itself and compared at every start.

It goes up when documents that were written before can no longer be read as they are. A store without a version was
written before there was one, with the documents of version 1.
"""

from __future__ import annotations

from typing import Final

from shared.contracts.errors import Misconfigured
from shared.store.documents import Documents

VERSION: Final = 1
SCHEMA: Final = "schema"
"""The collection, and the `_id` of its one document."""


def agree_on_version(documents: Documents) -> None:
    """Write our version into a store that has none. Raises `Misconfigured` for a store of another version."""
    found = (documents.get(SCHEMA, SCHEMA) or {}).get("version")
    if found is None:
        documents.insert(SCHEMA, {"_id": SCHEMA, "version": VERSION})
    elif found != VERSION:
        age = "a newer" if isinstance(found, int) and found > VERSION else "an older"
        raise Misconfigured(
            f"the store was written by {age} version of Postroom (schema {found}, this version reads {VERSION}); "
            'docs/operations.md, "Upgrading", says what to do'
        )
