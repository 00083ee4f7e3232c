"""What the store keeps when it, or who writes to it, ends without warning; what it says when it is unavailable.

The stand-in for MongoDB keeps what it acknowledged through the end of its process, like the real one.
"""

from __future__ import annotations

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from shared.contracts.errors import Unavailable
from shared.mongodb.documents import DEADLINE, MongoDocuments
from shared.store.documents import Index
from tests.servers.presence import PATIENCE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from shared.store.documents import Documents
    from tests.servers.documents import Place
    from tests.servers.mongodb import MongoServer

SHORT = timedelta(milliseconds=300)
SLACK = 40
"""How many times the deadline a call may take on a busy machine."""

WRITE_AND_TELL = """
import sys
from tests.servers.documents import opened

store = opened(*sys.argv[1:4])
for n in range(1_000_000):
    blob = store.put_blob(b"content of %d" % n)
    store.insert("things", {"_id": str(n), "blob": blob})
    store.upsert("counters", "c", {"$inc": {"n": 1}})
    print(n, flush=True)
"""


def test_a_writer_killed_loses_nothing_that_was_acknowledged(place: Place, documents: Documents) -> None:
    documents.ensure([Index("things", ("blob",), unique=True)])
    child = subprocess.Popen(
        [sys.executable, "-c", WRITE_AND_TELL, place.kind, place.address, place.database],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert child.stdout is not None
    with child:
        told = [child.stdout.readline() for _ in range(40)]
        child.kill()
        told += child.stdout.readlines()
    acknowledged = [line.decode().strip() for line in told if line.endswith(b"\n")]
    assert len(acknowledged) >= 40
    for id_ in acknowledged:
        found = documents.get("things", id_)
        assert found is not None
        assert documents.get_blob(found["blob"]) == f"content of {id_}".encode()
    counter = documents.get("counters", "c")
    assert counter is not None
    assert counter["n"] >= len(acknowledged)
    assert documents.insert("things", {"_id": "after"})


@pytest.fixture
def own_documents(own_mongodb: MongoServer) -> Iterator[MongoDocuments]:
    store = MongoDocuments(own_mongodb.url, deadline=timedelta(seconds=6))
    yield store
    store.close()


@pytest.fixture
def hasty_documents(own_mongodb: MongoServer) -> Iterator[MongoDocuments]:
    """The same server with a short deadline, for calls that are meant to miss it."""
    store = MongoDocuments(own_mongodb.url, deadline=SHORT)
    yield store
    store.close()


def test_a_server_killed_keeps_what_it_acknowledged(own_mongodb: MongoServer, own_documents: MongoDocuments) -> None:
    acknowledged: list[tuple[str, str]] = []

    def write(thread: int) -> None:
        for n in range(100_000):
            try:
                blob = own_documents.put_blob(f"blob {thread}/{n}".encode())
                own_documents.insert("things", {"_id": f"{thread}/{n}"})
            except Unavailable:
                return
            acknowledged.append((f"{thread}/{n}", blob))

    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(write, thread) for thread in range(4)]
        wait_for(lambda: len(acknowledged) > 200)
        own_mongodb.kill9()
        for each in done:
            each.result(PATIENCE_SECONDS)
    with pytest.raises(Unavailable):
        own_documents.ping()
    own_mongodb.start()
    wait_for(lambda: answers(own_documents))
    assert {id_ for id_, _ in acknowledged} <= {found["_id"] for found in own_documents.find("things", {})}
    for id_, blob in acknowledged:
        assert own_documents.get_blob(blob) == f"blob {id_}".encode()


def answers(documents: Documents) -> bool:
    try:
        documents.ping()
    except Unavailable:
        return False
    return True


def wait_for(holds: Callable[[], bool], seconds: float = PATIENCE_SECONDS) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


CALLS: dict[str, Callable[[MongoDocuments], Any]] = {
    "ping": lambda store: store.ping(),
    "get": lambda store: store.get("things", "a"),
    "find": lambda store: list(store.find("things", {})),
    "count": lambda store: store.count("things", {}),
    "insert": lambda store: store.insert("things", {"_id": "b"}),
    "insert_many": lambda store: store.insert_many("things", [{"_id": "b"}, {"_id": "c"}]),
    "update": lambda store: store.update("things", {"_id": "a"}, {"$set": {"n": 1}}),
    "upsert": lambda store: store.upsert("things", "a", {"$set": {"n": 1}}),
    "replace": lambda store: store.replace("things", {"_id": "a"}),
    "delete": lambda store: store.delete("things", {"_id": "zz"}),
    "ensure": lambda store: store.ensure([Index("things", ("n",))]),
    "put_blob": lambda store: store.put_blob(b"new"),
    "get_blob": lambda store: store.get_blob("0" * 64),
    "has_blob": lambda store: store.has_blob("0" * 64),
}


def test_every_call_to_a_frozen_server_ends_in_time_as_unavailable(
    own_mongodb: MongoServer, own_documents: MongoDocuments, hasty_documents: MongoDocuments
) -> None:
    own_documents.insert("things", {"_id": "a"})
    wait_for(lambda: answers(hasty_documents))
    own_mongodb.freeze()
    try:
        for name, call in CALLS.items():
            began = time.monotonic()
            with pytest.raises(Unavailable, match=r"127\.0\.0\.1"):
                call(hasty_documents)
            assert time.monotonic() - began < SHORT.total_seconds() * SLACK, name
    finally:
        own_mongodb.thaw()
    wait_for(lambda: answers(hasty_documents))
    assert own_documents.get("things", "a") is not None


def test_the_deadline_by_default_keeps_the_promised_bound(own_mongodb: MongoServer) -> None:
    assert timedelta(seconds=10) > DEADLINE
    store = MongoDocuments(own_mongodb.url)
    store.ping()
    own_mongodb.freeze()
    try:
        began = time.monotonic()
        with pytest.raises(Unavailable):
            store.insert("things", {"_id": "a"})
        assert time.monotonic() - began < 3 * DEADLINE.total_seconds()
    finally:
        own_mongodb.thaw()
        store.close()


def test_every_call_to_a_server_that_is_gone_is_unavailable(
    own_mongodb: MongoServer, hasty_documents: MongoDocuments
) -> None:
    wait_for(lambda: answers(hasty_documents))
    own_mongodb.kill9()
    for name, call in CALLS.items():
        began = time.monotonic()
        with pytest.raises(Unavailable):
            call(hasty_documents)
        assert time.monotonic() - began < SHORT.total_seconds() * SLACK, name


def test_a_reader_of_a_blob_meets_a_frozen_server_as_unavailable(
    own_mongodb: MongoServer, own_documents: MongoDocuments
) -> None:
    key = own_documents.put_blob(b"0123456789" * 1_000_000)
    own_mongodb.freeze()
    try:
        with pytest.raises(Unavailable):
            own_documents.get_blob(key)
    finally:
        own_mongodb.thaw()


def test_nobody_at_the_address_is_unavailable() -> None:
    store = MongoDocuments("mongodb://127.0.0.1:1/", deadline=SHORT)
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:1"):
        store.ping()
    store.close()
    store.close()
