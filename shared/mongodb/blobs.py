"""Blobs (PR-13): small ones as documents, others in GridFS by an upload in pieces and a reader.

Both of these follow the GridFS specification by themselves, so that any GridFS tool reads the result. The driver's
own writer looks two collections up before each file and holds up to 32 MB; this one costs a round trip
for each 4 MiB and one for the file's entry. Its reader keeps a cursor open between two reads and takes what
one answer holds; this one asks for 4 MiB by their numbers.

A document of `blobs` makes a blob: `{_id: SHA-256, size, data}` for a small one, `{_id: SHA-256, size, file}` for a
file in GridFS, written when the file is complete. Every size is read in both forms.
It is separate from the document adapter, because it handles bytes only, and no documents.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from bson import Binary, Int64, ObjectId

from shared.contracts.errors import Unavailable

if TYPE_CHECKING:
    from pymongo.collection import Collection
    from pymongo.database import Database

    from shared.store.documents import Document

CHUNK: Final = 255 * 1024
"""Bytes in one chunk, the specification's default. Never changes: the reader of stored files relies on it."""
MAX_UPLOAD_SECONDS: Final = 3600.0
"""An upload that took longer is never made a blob, because what stays unfinished for a day is removed."""
_CHUNKS: Final = 16
"""Chunks sent or read at once: 4 MiB."""

Bounded = Callable[[], AbstractContextManager[None]]
"""Makes the context in which one exchange with the server is bounded and its errors are translated."""


def blob_document(content: bytes) -> Document:
    """A small blob as it is kept."""
    return {"_id": hashlib.sha256(content).hexdigest(), "size": len(content), "data": Binary(content)}


class Upload:
    """One file on its way into GridFS, under a random id. `sha256` and `size` are of what was sent."""

    def __init__(self, database: Database[Document], bounded: Bounded) -> None:
        self.file = ObjectId()
        self.size, self.sha256 = 0, ""
        self._began = time.monotonic()
        self._database = database
        self._chunks = database["fs.chunks"]
        self._files = database["fs.files"]
        self._bounded = bounded

    def write(self, content: bytes) -> None:
        """Send everything, the file's entry last."""
        self.size, self.sha256 = len(content), hashlib.sha256(content).hexdigest()
        for first in range(0, self.size, _CHUNKS * CHUNK):
            starts = range(first, min(first + _CHUNKS * CHUNK, self.size), CHUNK)
            with self._bounded():
                self._chunks.insert_many([self._chunk(start, content[start : start + CHUNK]) for start in starts])
        with self._bounded():
            self._files.insert_one(self._entry())

    def _chunk(self, start: int, piece: bytes) -> Document:
        return {"_id": ObjectId(), "files_id": self.file, "n": start // CHUNK, "data": Binary(piece)}

    def refuse_if_slow(self) -> None:
        """Raise `Unavailable` when the process stood still for so long that the upload may be removed any moment."""
        if time.monotonic() - self._began > MAX_UPLOAD_SECONDS:
            raise Unavailable(f"an upload took longer than {MAX_UPLOAD_SECONDS:.0f} s and is given up")

    def discard(self) -> None:
        """Remove what was sent. What a lost connection leaves is unreferenced, and harmless."""
        with self._bounded():
            remove_file(self._database, str(self.file))

    def _entry(self) -> dict[str, Any]:
        return {
            "_id": self.file,
            "length": Int64(self.size),
            "chunkSize": CHUNK,
            "uploadDate": datetime.now(UTC),
            "filename": self.sha256,
        }


def unfinished(
    database: Database[Document], blobs: Collection[Document], after: str, limit: int
) -> tuple[list[str], str]:
    """Look at `limit` files behind `after`, by their first chunks: those that are not blobs, and the last one or ""."""
    where = {"n": 0, **({"files_id": {"$gt": ObjectId(after)}} if after else {})}
    chunks = database["fs.chunks"].find(where, {"files_id": True}, sort=[("files_id", 1)], limit=limit)
    files = [chunk["files_id"] for chunk in chunks]
    named = database["fs.files"].find({"_id": {"$in": files}}, {"filename": True})
    hashes = [file["filename"] for file in named]
    kept = {blob.get("file") for blob in blobs.find({"_id": {"$in": hashes}}, {"file": True})}
    return [str(file) for file in files if file not in kept], str(files[-1]) if len(files) == limit else ""


def remove_file(database: Database[Document], file: str) -> None:
    """Remove a file's entry and its chunks, the first chunk last: by it what a crash leaves is found again."""
    id_ = ObjectId(file)
    database["fs.files"].delete_one({"_id": id_})
    database["fs.chunks"].delete_many({"files_id": id_, "n": {"$gt": 0}})
    database["fs.chunks"].delete_many({"files_id": id_})


def read_file(database: Database[Document], file: ObjectId, size: int, bounded: Bounded) -> bytes:
    """The bytes of a file. Raises `LookupError` when its chunks are not all there."""
    pieces: list[bytes] = []
    for first in range(0, -(-size // CHUNK), _CHUNKS):
        where = {"files_id": file, "n": {"$gte": first, "$lt": first + _CHUNKS}}
        with bounded():
            found = database["fs.chunks"].find(where, {"data": True}, sort=[("n", 1)])
            pieces += [chunk["data"] for chunk in found]
    content = b"".join(pieces)
    if len(content) != size:
        raise LookupError(f"GridFS file {file} is incomplete: {len(content)} of {size} bytes")
    return content
