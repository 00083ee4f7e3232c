"""The `unfinished_uploads` collection: uploads of blobs that were seen unfinished, and when first.

An upload that is in progress looks like one whose process was killed. So it is noted when it is first seen, and removed
only when it is still unfinished a day later; no adapter finishes an upload that has taken longer than an hour.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from shared.store.documents import Documents

COLLECTION: Final = "unfinished_uploads"


class Uploads:
    """Finds and removes uploads that no blob came of."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def page(self, after: str, limit: int) -> tuple[Sequence[str], str]:
        """Look at `limit` uploads behind `after`: the unfinished ones, and the last one looked at, empty at the end."""
        return self._documents.unfinished_uploads(after, limit)

    def note(self, uploads: Sequence[str], at: datetime) -> None:
        """Note unfinished uploads; one that is noted already stays as it is."""
        self._documents.insert_many(COLLECTION, [{"_id": upload, "at": at} for upload in uploads])

    def seen_before(self, uploads: Sequence[str], at: datetime) -> list[str]:
        """Those that were first seen before then."""
        found = self._documents.find(COLLECTION, {"_id": {"$in": list(uploads)}, "at": {"$lt": at}})
        return [str(each["_id"]) for each in found]

    def remove(self, uploads: Sequence[str]) -> None:
        """Remove what was uploaded, and the notes."""
        if not uploads:
            return
        for upload in uploads:
            self._documents.remove_upload(upload)
        self._documents.delete(COLLECTION, {"_id": {"$in": list(uploads)}})

    def forget(self, before: datetime) -> None:
        """Remove the notes of uploads that were finished later."""
        self._documents.delete(COLLECTION, {"at": {"$lt": before}})
