"""Bytes in GridFS (PR-13): an upload in pieces, and a reader.

The upload writes the two collections of the GridFS specification itself. The driver's own writer looks
both of them up before each file and holds up to 32 MB; this one costs a round trip for each 4 MiB and one
for the file's entry. Any GridFS tool reads the result, and the reader here wraps the driver's.

A file in GridFS is no blob yet: only the entry in `blobs`, which the store writes last, makes it one.
It is separate from the document adapter because it knows bytes and pieces, and no vocabulary.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from bson import Binary, Int64, ObjectId
from gridfs.errors import CorruptGridFile

if TYPE_CHECKING:
    from gridfs import GridOut
    from pymongo.database import Database

    from shared.store.documents import Document

CHUNK: Final = 255 * 1024
"""Bytes in one chunk: the specification's default, just below what a power-of-two allocation holds."""
_CHUNKS: Final = 16
"""Chunks sent at once: 4 MiB in memory, whatever the size of the file."""

Bounded = Callable[[], AbstractContextManager[None]]
"""Makes the context in which one exchange with the server is bounded and its errors are translated."""


class Upload:
    """One file on its way into GridFS, under a random id. `sha256` and `size` are of what was sent."""

    def __init__(self, database: Database[Document], bounded: Bounded) -> None:
        self.file = ObjectId()
        self.size = 0
        self._digest = hashlib.sha256()
        self._chunks = database["fs.chunks"]
        self._files = database["fs.files"]
        self._bounded = bounded

    @property
    def sha256(self) -> str:
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

    def discard(self) -> None:
        """Remove what was sent. What a lost connection leaves is unreferenced, and harmless."""
        with self._bounded():
            self._files.delete_one({"_id": self.file})
            self._chunks.delete_many({"files_id": self.file})

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
    """The driver's reader as a stream of the standard library, each read bounded and its errors translated."""

    def __init__(self, stored: GridOut, sha256: str, bounded: Bounded) -> None:
        super().__init__()
        self._stored = stored
        self._sha256 = sha256
        self._bounded = bounded

    @classmethod
    def buffered(cls, stored: GridOut, sha256: str, bounded: Bounded) -> io.BufferedReader:
        """The reader to hand out: what it reads ahead is one chunk."""
        return io.BufferedReader(cls(stored, sha256, bounded), buffer_size=CHUNK)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._exactly(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def readall(self) -> bytes:
        return self._exactly(-1)

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        with self._bounded():
            return self._stored.seek(offset, whence)

    def tell(self) -> int:
        return self._stored.tell()

    def _exactly(self, size: int) -> bytes:
        with self._bounded():
            try:
                return self._stored.read(size)
            except CorruptGridFile as error:
                raise LookupError(f"blob {self._sha256} is damaged: {error}") from error
