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
import io
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO, Final

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
"""Chunks sent or read at once: 4 MiB in memory, whatever the size of the file."""

SMALL: Final = 256 << 10
"""Bytes that a blob may have to be kept as a document (PR-13)."""

Bounded = Callable[[], AbstractContextManager[None]]
"""Makes the context in which one exchange with the server is bounded and its errors are translated."""


def small_content(content: bytes | BinaryIO) -> bytes | None:
    """The bytes of a blob that is kept as a document; None for a larger one, or one that cannot be read twice."""
    if isinstance(content, bytes):
        return content if len(content) <= SMALL else None
    if not content.seekable():
        return None
    start, found = content.tell(), b""
    while len(found) <= SMALL and (piece := content.read(SMALL + 1 - len(found))):  # a raw stream may give less
        found += piece
    content.seek(start)
    return found if len(found) <= SMALL else None


def blob_document(content: bytes) -> Document:
    """A small blob as it is kept."""
    return {"_id": hashlib.sha256(content).hexdigest(), "size": len(content), "data": Binary(content)}


class Upload:
    """One file on its way into GridFS, under a random id. `sha256` and `size` are of what was sent."""

    def __init__(self, database: Database[Document], bounded: Bounded) -> None:
        self.file = ObjectId()
        self.size = 0
        self._began = time.monotonic()
        self._digest = hashlib.sha256()
        self._database = database
        self._chunks = database["fs.chunks"]
        self._files = database["fs.files"]
        self._bounded = bounded

    @property
    def sha256(self) -> str:
        """The hash of what was sent, in hex."""
        return self._digest.hexdigest()

    def write(self, content: bytes | BinaryIO) -> None:
        """Send everything, the file's entry last. A source that fails leaves nothing behind."""
        try:
            for chunks in _in_groups(self._numbered(_pieces(content))):
                with self._bounded():
                    self._chunks.insert_many(chunks)
        except OSError:
            self.discard()
            raise
        with self._bounded():
            self._files.insert_one(self._entry())

    def refuse_if_slow(self) -> None:
        """Raise `Unavailable` when the process stood still for so long that the upload may be removed any moment."""
        if time.monotonic() - self._began > MAX_UPLOAD_SECONDS:
            raise Unavailable(f"an upload took longer than {MAX_UPLOAD_SECONDS:.0f} s and is given up")

    def discard(self) -> None:
        """Remove what was sent. What a lost connection leaves is unreferenced, and harmless."""
        with self._bounded():
            remove_file(self._database, str(self.file))

    def _numbered(self, pieces: Iterator[bytes]) -> Iterator[dict[str, Any]]:
        for number, piece in enumerate(pieces):
            self._digest.update(piece)
            self.size += len(piece)
            yield {"_id": ObjectId(), "files_id": self.file, "n": number, "data": Binary(piece)}

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


def _pieces(content: bytes | BinaryIO) -> Iterator[bytes]:
    """Chunks of exactly `CHUNK` bytes, the last one shorter. A raw stream may give less than was asked."""
    stream = io.BytesIO(content) if isinstance(content, bytes) else content
    rest = b""
    while piece := stream.read(CHUNK - len(rest)):
        rest += piece
        if len(rest) == CHUNK:
            yield rest
            rest = b""
    if rest:
        yield rest


def _in_groups(chunks: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    group = []
    for chunk in chunks:
        group.append(chunk)
        if len(group) == _CHUNKS:
            yield group
            group = []
    if group:
        yield group


class BlobReader(io.RawIOBase):
    """A file as a stream that holds one group of chunks, and no cursor that a slow reader would lose.

    Raises `LookupError` for a file whose chunks are not all there.
    """

    def __init__(self, database: Database[Document], file: ObjectId, size: int, bounded: Bounded) -> None:
        super().__init__()
        self._chunks = database["fs.chunks"]
        self._file = file
        self._size = size
        self._bounded = bounded
        self._at = 0
        self._group = -1
        self._pieces: list[bytes] = []

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True: chunks are found by their number."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer from the current chunk; return the number of bytes, 0 at the end."""
        piece = self._rest_of_chunk()[: len(buffer)]
        buffer[: len(piece)] = piece
        self._at += len(piece)
        return len(piece)

    def readall(self) -> bytes:
        """Everything from here on."""
        pieces = []
        while piece := self._rest_of_chunk():
            pieces.append(piece)
            self._at += len(piece)
        return b"".join(pieces)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position; past the end nothing is read."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def tell(self) -> int:
        """Bytes from the start."""
        return self._at

    def _rest_of_chunk(self) -> bytes:
        if self._at >= self._size:
            return b""
        number, offset = divmod(self._at, CHUNK)
        group, within = divmod(number, _CHUNKS)
        if group != self._group:
            self._pieces, self._group = self._fetched(group), group
        return self._pieces[within][offset:]

    def _fetched(self, group: int) -> list[bytes]:
        first = group * _CHUNKS
        expected = [min(CHUNK, self._size - n * CHUNK) for n in range(first, first + _CHUNKS) if n * CHUNK < self._size]
        where = {"files_id": self._file, "n": {"$gte": first, "$lt": first + _CHUNKS}}
        with self._bounded():
            pieces = [chunk["data"] for chunk in self._chunks.find(where, {"data": True}, sort=[("n", 1)])]
        if [len(piece) for piece in pieces] != expected:
            raise LookupError(f"GridFS file {self._file} is incomplete from its chunk {first} on")
        return pieces
