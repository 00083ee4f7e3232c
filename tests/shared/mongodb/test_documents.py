"""How the MongoDB adapter says things: errors in our words, no password in any, few round trips."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING

import pymongo
import pytest
from bson.errors import InvalidDocument
from pymongo import errors, monitoring

from shared.contracts.errors import Misconfigured, Unavailable, Unsupported
from shared.mongodb import blobs
from shared.mongodb import documents as mongo
from shared.mongodb.blobs import Upload
from shared.mongodb.documents import MongoDocuments, place_of
from shared.mongodb.errors import translated
from shared.store.documents import SMALL_BLOB_BYTES, Index
from shared.store.vocabulary import Taken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.mongodb import MongoServer


def bulk(*write_errors: dict[str, object], unconfirmed: bool = False) -> errors.BulkWriteError:
    late = [{"code": 64, "errmsg": "waiting for replication timed out"}] if unconfirmed else []
    return errors.BulkWriteError({"writeErrors": list(write_errors), "writeConcernErrors": late})


TRANSLATIONS = [
    (errors.ServerSelectionTimeoutError("No servers, Timeout: 5s, Topology Description: <...>"), Unavailable),
    (errors.NetworkTimeout("timed out"), Unavailable),
    (errors.AutoReconnect("connection closed"), Unavailable),
    (errors.NotPrimaryError("not primary"), Unavailable),
    (errors.WaitQueueTimeoutError("pool is busy"), Unavailable),
    (errors.ExecutionTimeout("operation exceeded time limit", 50), Unavailable),
    (errors.WTimeoutError("waiting for replication timed out", 64), Unavailable),
    (errors.WriteConcernError("not enough data-bearing nodes", 100), Unavailable),
    (errors.OperationFailure("interrupted at shutdown", 11600), Unavailable),
    (errors.OperationFailure("node is recovering", 13436), Unavailable),
    (errors.OperationFailure("cursor id not found", 43), Unavailable),
    (errors.OperationFailure("out of disk space", 14031), Unavailable),
    (bulk(unconfirmed=True), Unavailable),
    (bulk({"code": 11000, "errmsg": "E11000"}, unconfirmed=True), Unavailable),
    (errors.OperationFailure("Authentication failed.", 18), Misconfigured),
    (errors.OperationFailure("not authorized on postroom", 13), Misconfigured),
    (errors.OperationFailure("bad auth : authentication failed", 8000), Misconfigured),
    (errors.ConfigurationError("reports wire version 6, but requires at least 9"), Misconfigured),
    (errors.OperationFailure("no such command: 'explain'", 59), Unsupported),
    (errors.DuplicateKeyError("E11000 duplicate key", 11000), Taken),
    (bulk({"code": 11000, "errmsg": "E11000"}), Taken),
    (errors.WriteError("Cannot apply $inc to a value of non-numeric type", 14), ValueError),
    (errors.WriteError("Cannot create field 'b' in element {a: 1}", 28), ValueError),
    (bulk({"code": 2, "errmsg": "BadValue"}), ValueError),
    (errors.DocumentTooLarge("BSON document too large"), ValueError),
    (InvalidDocument("cannot encode object"), ValueError),
    (errors.WriteError("deadlock detected", 16908292), Unavailable),
    (errors.WriteError("a lock was not available", 50463045), Unavailable),
    (errors.WriteError("another code, deadlock detected", 5), Unavailable),
    (errors.OperationFailure("sorry, too many clients already", 12485), Unavailable),
    (errors.OperationFailure("the database system is shutting down", 1), Unavailable),
    (errors.OperationFailure("WriteConflict error: please retry", 112), Unavailable),
    (errors.OperationFailure("primary stepped down", 189), Unavailable),
    (errors.OperationFailure("Unable to acquire a lock within 5ms", 24), Unavailable),
    (errors.OperationFailure("rate is large", 16500), Unavailable),
    (errors.OperationFailure("anything", 1, {"errorLabels": ["TransientTransactionError"]}), Unavailable),
    (bulk({"code": 14, "errmsg": "BadValue"}, {"code": 16908292, "errmsg": "deadlock detected"}), Unavailable),
    (errors.WriteError("conflicting key value violates exclusion constraint", 16908482), Taken),
    (errors.WriteError('conflicting key value violates exclusion constraint "documents_rum_2"', 1), Taken),
    (bulk({"code": 1, "errmsg": "duplicate key value violates unique constraint"}), Taken),
    (errors.OperationFailure("something nobody has seen", 987654), errors.OperationFailure),
    (errors.InvalidOperation("Cannot use MongoClient after close"), errors.InvalidOperation),
]


@pytest.mark.parametrize(("error", "ours"), TRANSLATIONS, ids=lambda value: repr(value)[:60])
def test_an_error_of_the_driver_becomes_ours(error: Exception, ours: type[Exception]) -> None:
    assert type(translated(error, "db.example:27017")) is ours


def test_an_error_says_where_and_what_and_nothing_else() -> None:
    error = errors.ServerSelectionTimeoutError("refused, Timeout: 5s, Topology Description: <...>")
    assert str(translated(error, "db.example:27017")) == "MongoDB at db.example:27017 cannot be reached: refused"
    failure = errors.OperationFailure("Authentication failed., full error: {...}", 18)
    assert "the user or password of the store URL" in str(translated(failure, "db.example"))


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("mongodb://db.example", "db.example"),
        ("mongodb://user:s3cr3t@db.example:27017/postroom?authSource=admin", "db.example:27017"),
        ("mongodb://user:s3cr%40t@a.example,b.example:27018/?replicaSet=rs", "a.example,b.example:27018"),
        ("mongodb://user:s3cr@t@db.example/", "?"),
        ("mongodb://user:1234/5@db.example/", "?"),
        ("mongodb://db.example/?tlsCertificateKeyFilePassword=s3cr@t", "?"),
        ("mongodb+srv://user:s3cr3t@cluster.example/", "cluster.example"),
        ("s3cr3t", "?"),
        ("", "?"),
    ],
)
def test_a_place_is_shown_without_user_and_password(url: str, place: str) -> None:
    assert place_of(url) == place


@pytest.mark.parametrize(
    "url",
    [
        "",
        "db.example:27017",
        "amqp://user:s3cr3t@db.example/",
        "mongodb://",
        "mongodb://user:s3cr3t@db.example:port/",
        "mongodb://user:s3cr/3t@db.example/",
        "mongodb://user:s3cr@3t@db.example/",
        "mongodb://user:s3cr3t@db.example/?readPreference=whatever",
        "mongodb://user:s3cr3t@db.example/?authMechanism=NONE",
        "mongodb://db.example/?w=-1",
        "mongodb://db.example/?journl=true",
        "mongodb://db.example/a b$c",
    ],
)
def test_a_url_that_cannot_be_read_is_misconfigured_and_keeps_its_password(url: str) -> None:
    with pytest.raises(Misconfigured, match="store URL") as caught:
        MongoDocuments(url)
    assert "s3cr" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("url", "given", "used"),
    [
        ("mongodb://db.example/", None, "postroom"),
        ("mongodb://db.example/desk", None, "desk"),
        ("mongodb://db.example/admin", None, "postroom"),
        ("mongodb://db.example/desk", "other", "other"),
    ],
)
def test_the_database_is_the_one_given_or_named_or_postroom(url: str, given: str | None, used: str) -> None:
    store = MongoDocuments(url, database=given)
    assert store._database.name == used
    store.close()


def test_writes_wait_for_a_majority_and_the_journal_and_reads_for_a_majority() -> None:
    store = MongoDocuments("mongodb://db.example/?w=1&readConcernLevel=local")
    assert store._database.write_concern.document == {"w": "majority", "j": True}
    assert store._database.read_concern.document == {"level": "majority"}
    assert store._client.options.retry_writes
    store.close()


class Commands(monitoring.CommandListener):
    """The names of the commands sent since `clear`."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.names.append(f"{event.command_name} {event.command[event.command_name]}")

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None: ...

    def failed(self, event: monitoring.CommandFailedEvent) -> None: ...


@pytest.fixture
def commands() -> Commands:
    return Commands()


@pytest.fixture
def store(
    mongodb: MongoServer, mongodb_database: str, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MongoDocuments]:
    monkeypatch.setattr(mongo, "MongoClient", partial(pymongo.MongoClient, event_listeners=[commands]))
    store = MongoDocuments(mongodb.url, database=mongodb_database)
    store.ensure([Index("things", ("type", "number"), unique=True)])
    commands.names.clear()
    yield store
    store.close()


def test_one_call_is_one_round_trip(store: MongoDocuments, commands: Commands) -> None:
    store.insert("things", {"_id": "a"})
    store.insert_many("things", [{"_id": "b"}, {"_id": "c"}])
    store.get("things", "a")
    store.update("things", {"_id": "a"}, {"$set": {"n": 1}})
    store.upsert("things", "a", {"$inc": {"n": 1}})
    store.replace("things", {"_id": "a"})
    list(store.find("things", {}))
    store.count("things", {})
    store.delete("things", {"_id": "a"})
    told = [name.split()[0] for name in commands.names]
    assert told == ["insert", "insert", "find", "update", "findAndModify", "update", "find", "aggregate", "delete"]


def test_a_new_large_blob_costs_four_round_trips_and_a_known_one_a_single_lookup(
    store: MongoDocuments, commands: Commands
) -> None:
    content = b"a large attachment" * 20_000
    key = store.put_blob(content)
    assert commands.names == ["find blobs", "insert fs.chunks", "insert fs.files", "insert blobs"]
    commands.names.clear()
    store.put_blob(content)
    assert commands.names == ["find blobs"]
    commands.names.clear()
    store.get_blob(key)
    assert commands.names == ["find blobs", "find fs.chunks"]


@pytest.mark.req("PR-13")
@pytest.mark.parametrize("size", [0, SMALL_BLOB_BYTES])
def test_a_small_blob_is_a_document_and_costs_one_round_trip(
    store: MongoDocuments, commands: Commands, size: int
) -> None:
    content = b"x" * size
    key = store.put_blob(content)
    store.put_blob(content)
    assert store.get_blob(key) == content
    assert commands.names == ["insert blobs", "insert blobs", "find blobs"]
    assert store._blobs.find_one({"_id": key}) == {"_id": key, "size": size, "data": content}


@pytest.mark.req("PR-13")
def test_a_small_blob_that_an_earlier_version_put_into_gridfs_is_read(store: MongoDocuments) -> None:
    upload = Upload(store._database, store._bounded)
    upload.write(b"from before")
    store._blobs.insert_one({"_id": upload.sha256, "file": upload.file, "size": upload.size})
    assert store.put_blob(b"from before") == upload.sha256
    assert store.get_blob(upload.sha256) == b"from before"
    assert "file" in (store._blobs.find_one({"_id": upload.sha256}) or {})


def test_a_blob_is_a_file_that_the_drivers_own_gridfs_reads(store: MongoDocuments) -> None:
    import gridfs

    content = bytes(range(256)) * 5000
    key = store.put_blob(content)
    record = store._blobs.find_one({"_id": key})
    assert record is not None
    stored = gridfs.GridFSBucket(store._database).open_download_stream(record["file"])
    assert stored.read() == content
    assert (stored.length, stored.filename) == (len(content), key)


def test_the_loser_of_two_uploads_leaves_nothing_behind(store: MongoDocuments, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"twice" * 100_000
    key = store.put_blob(content)
    monkeypatch.setattr(store, "has_blob", lambda _: False)
    assert store.put_blob(content) == key
    assert store._database["fs.files"].count_documents({}) == 1
    assert store._database["fs.chunks"].count_documents({}) == 2


def test_a_blob_whose_chunks_are_gone_is_a_lookup_error(store: MongoDocuments) -> None:
    key = store.put_blob(b"x" * 600_000)
    store._database["fs.chunks"].delete_one({"n": 1})
    with pytest.raises(LookupError, match="incomplete"):
        store.get_blob(key)


def test_a_duplicate_in_the_words_of_another_server_is_a_duplicate(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = {"code": 16908482, "errmsg": "conflicting key value violates exclusion constraint", "index": 0}

    def insert_one(*_: object) -> None:
        raise errors.WriteError(str(refused["errmsg"]), 16908482, refused)

    def insert_many(*_: object, **__: object) -> None:
        raise bulk(refused)

    monkeypatch.setattr(pymongo.collection.Collection, "insert_one", insert_one)
    monkeypatch.setattr(pymongo.collection.Collection, "insert_many", insert_many)
    store = MongoDocuments("mongodb://db.example/")
    assert store.insert("things", {"_id": "a"}) is False
    assert store.insert_many("things", [{"_id": "a"}]) == 0
    store.close()


def test_an_upload_that_took_too_long_is_given_up(store: MongoDocuments, monkeypatch: pytest.MonkeyPatch) -> None:
    """What stays unfinished for a day is removed, so nothing may be finished much later."""
    monkeypatch.setattr(blobs, "MAX_UPLOAD_SECONDS", -1.0)
    with pytest.raises(Unavailable, match="took longer"):
        store.put_blob(b"late" * SMALL_BLOB_BYTES)
    assert not store.has_blob(hashlib.sha256(b"late" * SMALL_BLOB_BYTES).hexdigest())


def test_unfinished_uploads_are_found_page_by_page(store: MongoDocuments) -> None:
    whole = [store.put_blob(b"%d" % number * 2 * SMALL_BLOB_BYTES) for number in range(5)]
    halves = []
    for number in range(3):
        upload = Upload(store._database, store._bounded)
        upload.write(b"half %d" % number)
        halves.append(str(upload.file))
    first, after = store.unfinished_uploads("", 6)
    second, end = store.unfinished_uploads(after, 6)
    assert ([*first, *second], end) == (halves, "")
    store.remove_upload(halves[1])
    assert store.unfinished_uploads("", 100) == ([halves[0], halves[2]], "")
    assert all(map(store.has_blob, whole))
