"""Blobs: the bytes come back, a half upload is none, and a large one does not fill the memory."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from shared.store.documents import Documents
    from tests.servers.documents import Place

KIB, MIB = 1024, 1024 * 1024
SIZES = [0, 1, 255 * KIB - 1, 255 * KIB, 255 * KIB + 1, MIB, MIB + 1, 4080 * KIB, 4080 * KIB + 1, 20 * MIB]


def some_bytes(size: int) -> bytes:
    """Bytes that repeat at no chunk's length, so that a chunk in the wrong place shows."""
    row = b"".join(hashlib.sha256(str(n).encode()).digest() for n in range(10_007))
    return (row * (size // len(row) + 1))[:size]


class Trickle(io.RawIOBase):
    """A source that cannot be read twice and gives less than was asked for; it may break."""

    def __init__(self, content: bytes, *, breaks: bool = False) -> None:
        self._rest = io.BytesIO(content)
        self._breaks = breaks

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        piece = self._rest.read(min(len(buffer), 100_000))
        if not piece and self._breaks:
            raise OSError("the source broke")
        buffer[: len(piece)] = piece
        return len(piece)


@pytest.mark.req("PR-13")
@pytest.mark.parametrize("size", SIZES)
def test_bytes_come_back_as_they_were(documents: Documents, size: int) -> None:
    content = some_bytes(size)
    key = documents.put_blob(content)
    assert key == hashlib.sha256(content).hexdigest()
    assert documents.has_blob(key)
    assert documents.get_blob(key) == content
    with documents.open_blob(key) as stream:
        assert stream.read() == content


@pytest.mark.parametrize("size", SIZES)
def test_a_stream_is_kept_like_bytes(documents: Documents, size: int) -> None:
    content = some_bytes(size)
    key = documents.put_blob(io.BytesIO(content))
    assert key == hashlib.sha256(content).hexdigest()
    with documents.open_blob(key) as stream:
        pieces = list(iter(lambda: stream.read(70_001), b""))
    assert b"".join(pieces) == content
    assert all(len(piece) == 70_001 for piece in pieces[:-1])


@pytest.mark.parametrize("size", [0, 1, MIB + 1, 5 * MIB])
def test_a_source_that_cannot_be_read_twice_is_kept(documents: Documents, size: int) -> None:
    content = some_bytes(size)
    key = documents.put_blob(Trickle(content))  # type: ignore[arg-type]
    assert key == hashlib.sha256(content).hexdigest()
    assert documents.get_blob(key) == content


def test_a_stream_is_read_from_where_it_stands(documents: Documents) -> None:
    stream = io.BytesIO(b"header and body")
    stream.seek(11)
    assert documents.get_blob(documents.put_blob(stream)) == b"body"


def test_an_open_file_is_kept(documents: Documents, tmp_path: Path) -> None:
    (tmp_path / "mail.eml").write_bytes(some_bytes(3 * MIB))
    with (tmp_path / "mail.eml").open("rb") as file:
        key = documents.put_blob(file)
    assert documents.get_blob(key) == some_bytes(3 * MIB)


@pytest.mark.parametrize("wrap", [bytes, io.BytesIO, Trickle], ids=lambda wrap: wrap.__name__)
def test_the_same_content_is_one_blob(documents: Documents, wrap: type) -> None:
    content = some_bytes(MIB + 1)
    first = documents.put_blob(content)
    assert documents.put_blob(wrap(content)) == first
    assert documents.get_blob(first) == content


def test_a_stream_of_a_blob_reads_lines(documents: Documents) -> None:
    key = documents.put_blob(b"one\ntwo\n" * 100_000)
    with documents.open_blob(key) as stream:
        assert sum(1 for line in stream if line in {b"one\n", b"two\n"}) == 200_000


def test_two_blobs_do_not_mix(documents: Documents) -> None:
    one, other = some_bytes(600 * KIB), some_bytes(600 * KIB)[::-1]
    keys = [documents.put_blob(one), documents.put_blob(other)]
    assert [documents.get_blob(key) for key in keys] == [one, other]


@pytest.mark.parametrize("key", ["0" * 64, "", "no-hash", "../etc/passwd", "\ud800", "A" * 64])
def test_what_is_not_there_is_a_lookup_error(documents: Documents, key: str) -> None:
    documents.put_blob(b"something else")
    assert not documents.has_blob(key)
    with pytest.raises(LookupError):
        documents.get_blob(key)
    with pytest.raises(LookupError):
        documents.open_blob(key)


def test_a_source_that_breaks_leaves_no_blob(documents: Documents) -> None:
    content = some_bytes(9 * MIB)
    with pytest.raises(OSError, match="the source broke"):
        documents.put_blob(Trickle(content, breaks=True))  # type: ignore[arg-type]
    key = hashlib.sha256(content).hexdigest()
    assert not documents.has_blob(key)
    assert documents.put_blob(content) == key
    assert documents.get_blob(key) == content


def test_a_blob_in_a_batch_is_there_after_it(documents: Documents) -> None:
    with documents.batch():
        key = documents.put_blob(b"in a batch")
        documents.insert("mails", {"_id": "m", "raw": key})
    assert documents.get_blob(key) == b"in a batch"


HALF_AN_UPLOAD = """
import io, sys, time
from tests.conformance.test_documents_blobs import some_bytes
from tests.servers.documents import opened

class Half(io.RawIOBase):
    sent = 0
    def readable(self): return True
    def readinto(self, buffer):
        if self.sent >= 9 * 1024 * 1024:
            print("half", flush=True)
            sys.stdin.read()
        piece = some_bytes(20 * 1024 * 1024)[self.sent:self.sent + len(buffer)]
        buffer[:len(piece)] = piece
        self.sent += len(piece)
        return len(piece)

opened(*sys.argv[1:4]).put_blob(Half())
"""


def test_an_upload_killed_half_way_is_no_blob(place: Place, documents: Documents) -> None:
    content = some_bytes(20 * MIB)
    key = hashlib.sha256(content).hexdigest()
    with in_a_child(HALF_AN_UPLOAD, place) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"half\n"
        child.kill()
    for half in (content[: 9 * MIB], content):
        assert not documents.has_blob(hashlib.sha256(half).hexdigest())
    assert documents.put_blob(content) == key
    assert documents.get_blob(key) == content


MEMORY_OF_AN_UPLOAD = """
import io, resource, sys
from tests.servers.documents import opened

class Zeros(io.RawIOBase):
    left = 50 * 1024 * 1024
    def readable(self): return True
    def readinto(self, buffer):
        size = min(len(buffer), self.left)
        buffer[:size] = bytes(size)
        self.left -= size
        return size

store = opened(*sys.argv[1:4])
store.put_blob(b"x" * 2_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
key = store.put_blob(Zeros())
with store.open_blob(key) as stream:
    while stream.read(100_000):
        pass
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_a_large_blob_does_not_fill_the_memory(place: Place, documents: Documents) -> None:
    """50 MB in and out again grow the process by less than 25 MB."""
    documents.ping()
    with in_a_child(MEMORY_OF_AN_UPLOAD, place) as child:
        printed, _ = child.communicate(timeout=120)
    assert int(printed) < 25


def in_a_child(code: str, place: Place) -> subprocess.Popen[bytes]:
    """Python of its own on the same store; its standard input stays open until the caller is done."""
    return subprocess.Popen(
        [sys.executable, "-c", code, place.kind, place.address, place.database],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )


def test_a_blob_is_removed_for_good(documents: Documents) -> None:
    kept, gone = (documents.put_blob(some_bytes(5 * MIB + n)) for n in range(2))
    assert documents.delete_blob(gone)
    assert not documents.delete_blob(gone)
    assert (documents.has_blob(gone), documents.has_blob(kept)) == (False, True)
    with pytest.raises(LookupError):
        documents.get_blob(gone)
    assert documents.get_blob(kept) == some_bytes(5 * MIB)
    unfinished, after = documents.unfinished_uploads("", 100)
    assert (list(unfinished), after) == ([], "")
    assert documents.put_blob(some_bytes(5 * MIB + 1)) == gone
