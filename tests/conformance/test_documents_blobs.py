"""Blobs: the bytes come back, once, and half an upload is none."""

from __future__ import annotations

import hashlib
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


@pytest.mark.req("PR-13")
@pytest.mark.parametrize("size", SIZES)
def test_bytes_come_back_as_they_were(documents: Documents, size: int) -> None:
    content = some_bytes(size)
    key = documents.put_blob(content)
    assert key == hashlib.sha256(content).hexdigest()
    assert documents.has_blob(key)
    assert documents.get_blob(key) == content


def test_the_same_content_is_one_blob(documents: Documents) -> None:
    content = some_bytes(MIB + 1)
    first = documents.put_blob(content)
    assert documents.put_blob(bytes(bytearray(content))) == first
    assert documents.get_blob(first) == content


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


def test_a_blob_in_a_batch_is_there_after_it(documents: Documents) -> None:
    with documents.batch():
        key = documents.put_blob(b"in a batch")
        documents.insert("mails", {"_id": "m", "raw": key})
    assert documents.get_blob(key) == b"in a batch"


HALF_AN_UPLOAD = """
import sys
from tests.conformance.test_documents_blobs import some_bytes
from tests.servers.documents import opened

class Half(bytes):
    def __getitem__(self, part):
        if part.start >= 9 * 1024 * 1024:
            print("half", flush=True)
            sys.stdin.read()
        return super().__getitem__(part)

opened(*sys.argv[1:4]).put_blob(Half(some_bytes(20 * 1024 * 1024)))
"""


def test_an_upload_killed_half_way_leaves_no_blob(place: Place, documents: Documents) -> None:
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


def in_a_child(code: str, place: Place) -> subprocess.Popen[bytes]:
    """Python of its own on the same store; its standard input stays open until the caller is done."""
    return subprocess.Popen(
        [sys.executable, "-c", code, place.kind, place.address, place.database],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )


def test_a_removed_blob_stays_removed(documents: Documents) -> None:
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
