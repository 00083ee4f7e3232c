"""The document port on MongoDB, for the scaled form (PR-13).

Reads and writes whole documents with majority write concern, journaled; blobs lie in GridFS. It
translates the vocabulary for the server, and the server's errors; `shared.store.vocabulary` defines the vocabulary
for both adapters.

Every call is bounded by one deadline, retries included, so that a frozen server becomes `Unavailable`.
"""

from __future__ import annotations

import hashlib
import re
import ssl
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from datetime import UTC, timedelta
from typing import Any, Final, cast
from urllib.parse import parse_qsl, urlsplit

import pymongo
from bson import Int64
from bson.codec_options import CodecOptions, TypeDecoder, TypeRegistry
from bson.errors import BSONError
from pymongo import ASCENDING, IndexModel, MongoClient, ReturnDocument, UpdateOne
from pymongo.collection import Collection
from pymongo.cursor import Cursor
from pymongo.errors import BulkWriteError, ConfigurationError, InvalidURI, OperationFailure, PyMongoError, WriteError
from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference
from pymongo.write_concern import WriteConcern

from shared.contracts.errors import Misconfigured, Unavailable
from shared.lazy_pattern import lazy_compile
from shared.mongodb.blobs import Upload, blob_document, read_file, remove_file, unfinished
from shared.mongodb.errors import driver_text, is_duplicate, is_duplicate_refusal, translated
from shared.mongodb.exchange import exchange, is_large_blob, pushed
from shared.store.documents import Change, Document, Filter, Index, Job, Sort, is_small
from shared.store.exchange import BLOBS, Read, Write
from shared.store.vocabulary import (
    check_change,
    check_collection,
    check_document,
    check_filter,
    check_id,
    check_index,
    check_sort,
    check_window,
    is_operators,
)

DEADLINE: Final = timedelta(seconds=8)
_DATABASE: Final = "postroom"
_BATCH: Final = 100
_THREADS: Final = 8
"""Commands of one round that are sent at the same time."""
_RACES: Final = 5
"""How often an upsert that lost the race to insert is tried again."""

_INDEX_DIFFERS: Final = frozenset({85, 86})


class MongoDocuments:
    """`Documents` on the server that `url` names.

    `database`: where the collections lie; by default what the URL names, else `postroom`.
    `deadline` bounds each call; a blob's bound holds for each of its pieces. `ca_file` (PEM) replaces the system's
    certificate authorities when the URL asks for TLS and names no `tlsCAFile`.
    Raises `Misconfigured` for a URL that cannot be read. The connection is made at the first call.
    """

    def __init__(
        self, url: str, *, database: str | None = None, deadline: timedelta = DEADLINE, ca_file: str | None = None
    ) -> None:
        self._place = place_of(url)
        self._seconds = deadline.total_seconds()
        self._client = _client(url, self._place, deadline, ca_file)
        self._database = self._client.get_database(
            database or _database_in(self._client),
            codec_options=_CODEC,
            write_concern=WriteConcern("majority", j=True),
            read_concern=ReadConcern("majority"),
            read_preference=ReadPreference.PRIMARY,
        )
        self._blobs: Collection[Document] = self._database["blobs"]
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="store")

    def ensure(self, indexes: Iterable[Index]) -> None:
        """Create what is missing, the index of GridFS too. `Misconfigured` when stored documents violate an index."""
        by_collection: dict[str, list[IndexModel]] = defaultdict(list)
        for index in indexes:
            by_collection[check_index(index).collection].append(_index_model(index))
        with self._bounded():
            self._database["fs.chunks"].create_index([("files_id", ASCENDING), ("n", ASCENDING)], unique=True)
            for collection, models in by_collection.items():
                self._create_indexes(collection, models)

    def _create_indexes(self, collection: str, models: list[IndexModel]) -> None:
        try:
            self._database[collection].create_indexes(models)
        except OperationFailure as error:
            if is_duplicate(error):
                raise Misconfigured(f"{collection}: documents break a unique index: {driver_text(error)}") from error
            if error.code not in _INDEX_DIFFERS:
                raise
            raise Misconfigured(
                f"{collection}: drop the index that differs and start again: {driver_text(error)}"
            ) from error

    def insert(self, collection: str, document: Document) -> bool:
        """Insert once."""
        checked = check_document(document)
        with self._bounded():
            try:
                self._of(collection).insert_one(checked)
            except WriteError as error:
                if not is_duplicate(error):
                    raise
                return False
        return True

    def insert_many(self, collection: str, documents: Sequence[Document]) -> int:
        """Insert once each, unordered: a duplicate does not keep the others out."""
        checked = [check_document(document) for document in documents]
        if not checked:
            return 0
        with self._bounded():
            try:
                self._of(collection).insert_many(checked, ordered=False)
            except BulkWriteError as error:
                if not _only_duplicates(error):
                    raise
                return len(checked) - len(error.details["writeErrors"])
        return len(checked)

    def get_fresh(self, collection: str, id_: str) -> Document | None:
        """One document by `_id`."""
        return self.get(collection, id_)

    def get(self, collection: str, id_: str) -> Document | None:
        """One document by `_id`."""
        query = {"_id": check_id(id_)}
        with self._bounded():
            return self._of(collection).find_one(query)

    def find(
        self, collection: str, where: Filter, *, sort: Sort = (), limit: int = 0, skip: int = 0
    ) -> Iterator[Document]:
        """Matching documents, fetched as they are asked for; the filter is checked at the call."""
        check_window(limit, skip)
        query = _filter_to_server(check_filter(where))
        order = list(check_sort(sort)) or None
        return self._walk(self._of(collection).find(query, sort=order, limit=limit, skip=skip))

    def _walk(self, cursor: Cursor[Document]) -> Iterator[Document]:
        with closing(cursor):
            while True:
                with self._bounded():
                    documents = cursor.to_list(_BATCH)
                if not documents:
                    return
                yield from documents

    def count(self, collection: str, where: Filter, most: int = 0) -> int:
        """How many match."""
        check_window(most, 0)
        query = _filter_to_server(check_filter(where))
        limited: dict[str, Any] = {"limit": most} if most else {}
        with self._bounded():
            return self._of(collection).count_documents(query, **limited)

    def update(self, collection: str, where: Filter, change: Change) -> bool:
        """The conditional write: one document, atomically. `Taken` when it would break a unique index."""
        query = _filter_to_server(check_filter(where))
        changed = check_change(change)
        with self._bounded():
            return self._of(collection).update_one(query, changed).matched_count > 0

    def upsert(self, collection: str, id_: str, change: Change) -> Document:
        """Change or create the document with this `_id`. `Taken` when it would break a unique index."""
        query = {"_id": check_id(id_)}
        changed = check_change(change)
        target = self._of(collection)
        with self._bounded():
            after = _despite_races(
                lambda: target.find_one_and_update(query, changed, upsert=True, return_document=ReturnDocument.AFTER)
            )
        return cast("Document", after)

    def next_number(self, collection: str, id_: str, count: int = 1) -> int:
        """The first of `count` numbers that nobody else gets."""
        return int(self.upsert(collection, id_, {"$inc": {"last": count}})["last"]) - count + 1

    def replace(self, collection: str, document: Document) -> None:
        """Put the document, whatever was there. `Taken` when it would break a unique index."""
        checked = check_document(document)
        target = self._of(collection)
        with self._bounded():
            _despite_races(lambda: target.replace_one({"_id": checked["_id"]}, checked, upsert=True))

    def delete(self, collection: str, where: Filter) -> int:
        """Delete what matches."""
        query = _filter_to_server(check_filter(where))
        with self._bounded():
            return self._of(collection).delete_many(query).deleted_count

    def put_blob(self, content: bytes, sha256: str | None = None) -> str:
        """Keep a small blob as a document; upload others, then publish them under the hash.

        A large one that is kept already costs one round trip.
        """
        if is_small(content):
            document = blob_document(content)
            self._insert_blob(document)
            return str(document["_id"])
        sha256 = sha256 or hashlib.sha256(content).hexdigest()
        if not self.has_blob(sha256):
            upload = Upload(self._database, self._bounded)
            upload.write(content)
            upload.refuse_if_slow()
            if not self._insert_blob({"_id": sha256, "file": upload.file, "size": upload.size}):
                upload.discard()  # another was faster
        return sha256

    def _insert_blob(self, document: Document) -> bool:
        """Make the document the blob; False when there is one already."""
        with self._bounded():
            try:
                self._blobs.insert_one(document)
            except WriteError as error:
                if not is_duplicate(error):
                    raise
                return False
        return True

    def get_blob(self, sha256: str) -> bytes:
        """The bytes; one round trip for a small blob, two up to 4 MiB."""
        record = None
        if _is_digest(sha256):
            with self._bounded():
                record = self._blobs.find_one({"_id": sha256})
        if record is None:
            raise LookupError(f"no blob {sha256!a}")
        return self._content(record)

    def _content(self, record: Document) -> bytes:
        """What is kept: in the blob's own document, or in a file in GridFS."""
        if "data" in record:
            return bytes(record["data"])
        return read_file(self._database, record["file"], record["size"], self._bounded)

    def get_blobs(self, hashes: Sequence[str], *, small: bool = False) -> list[bytes | None]:
        """The bytes of several blobs, None where there is none, or no `small` one; all small ones in one round trip."""
        asked: Filter = {"_id": {"$in": list(filter(_is_digest, hashes))}}
        if small:
            asked = {**asked, "data": {"$exists": True}}
        with self._bounded():
            found = {each["_id"]: each for each in self._blobs.find(asked)}
        return [self._content(found[each]) if each in found else None for each in hashes]

    def has_blob(self, sha256: str) -> bool:
        """Whether a complete blob is kept."""
        if not _is_digest(sha256):
            return False
        with self._bounded():
            return self._blobs.find_one({"_id": sha256}, {"_id": True}) is not None

    def delete_blob(self, sha256: str) -> bool:
        """Remove the entry first: of a large blob, a crash leaves an unfinished upload."""
        with self._bounded():
            record = self._blobs.find_one_and_delete({"_id": sha256})
        if record is not None and "file" in record:
            self.remove_upload(str(record["file"]))
        return record is not None

    def unfinished_uploads(self, after: str, limit: int) -> tuple[Sequence[str], str]:
        """Files in GridFS, finished or not, that no entry in `blobs` names."""
        with self._bounded():
            return unfinished(self._database, self._blobs, after, limit)

    def remove_upload(self, upload: str) -> None:
        """Remove file and chunks."""
        with self._bounded():
            remove_file(self._database, upload)

    def exchange(self, reads: Sequence[Read], writes: Sequence[Write]) -> tuple[list[Any], list[bool | None]]:
        """Ask and write many things in one round of waiting, see `BulkDocuments`."""
        return exchange(self, self._pool, reads, writes)

    def insert_each(self, collection: str, writes: Sequence[Write]) -> list[bool | None]:
        """One unordered bulk: which of these documents are new, None for what the server refuses to store."""
        if is_large_blob(writes[0]):  # all of them are this one
            return [self._is_kept(writes[0])] * len(writes)
        documents = [each.document for each in writes if each.document is not None]
        if collection == BLOBS:
            documents = [blob_document(each["data"]) for each in documents]
        return self._each(len(writes), lambda: self._database[collection].insert_many(documents, ordered=False))

    def _is_kept(self, write: Write) -> bool | None:
        """Keep a large blob; None when the server refuses it."""
        assert write.document is not None
        try:
            self.put_blob(write.document["data"], write.id)
        except Unavailable:
            raise
        except Exception:  # its mail, tried alone, says why
            return None
        return True

    def update_each(self, collection: str, writes: Sequence[Write]) -> list[bool | None]:
        """One unordered bulk: which of these updates are known to be carried out, None for what the server refuses."""
        updates = [UpdateOne(_filter_to_server(each.where), each.change) for each in writes]
        matched: list[int] = []
        done = self._each(
            len(writes), lambda: matched.append(self._of(collection).bulk_write(updates, ordered=False).matched_count)
        )
        if matched == [len(writes)]:
            return done
        found = {each["_id"]: each for each in self.find(collection, {"_id": {"$in": [each.id for each in writes]}})}
        return [took and pushed(found.get(each.id), each) for took, each in zip(done, writes, strict=True)]

    def _each(self, count: int, bulk: Callable[[], Any]) -> list[bool | None]:
        """Run a bulk of `count` writes: True, False for a duplicate, None for what is refused. Raises `Unavailable`."""
        try:
            with self._bounded():
                try:
                    bulk()
                except BulkWriteError as error:
                    refused = error.details["writeErrors"]
                    if error.details["writeConcernErrors"] or isinstance(translated(error, self._place), Unavailable):
                        raise
                    duplicate = {each["index"]: is_duplicate_refusal(each["code"], each["errmsg"]) for each in refused}
                    return [(not duplicate[at] and None) if at in duplicate else True for at in range(count)]
        except ValueError:  # one of them cannot be sent at all: each is tried alone by who wrote it
            return [None] * count
        return [True] * count

    def barrier(self) -> None:
        """Nothing to do: each write is durable by itself."""

    def look_ahead(self, _jobs: Sequence[Job], /) -> AbstractContextManager[None]:
        """Nothing to do, see `shared.store.batch`."""
        return nullcontext()

    def batch(self) -> AbstractContextManager[None]:
        """Nothing to do: each write is durable by itself."""
        return nullcontext()

    def ping(self) -> None:
        """Raises `Unavailable` when the server does not answer in time."""
        with self._bounded():
            self._database.command("ping")

    def close(self) -> None:
        """Close all connections."""
        self._pool.shutdown()
        self._client.close()

    def _of(self, collection: str) -> Collection[Document]:
        return self._database[check_collection(collection)]

    @contextmanager
    def _bounded(self) -> Iterator[None]:
        """One deadline over what happens inside, and our errors for the driver's."""
        try:
            with pymongo.timeout(self._seconds):
                yield
        except (PyMongoError, BSONError) as error:
            raise translated(error, self._place) from error


class _PlainInt(TypeDecoder):
    """The driver's class for 64-bit integers as the plain one."""

    bson_type = Int64

    def transform_bson(self, value: Any) -> int:
        return int(value)


_CODEC: Final = CodecOptions[Document](tz_aware=True, tzinfo=UTC, type_registry=TypeRegistry([_PlainInt()]))


def _despite_races(write: Callable[[], Any]) -> Any:
    """Run an upsert again when another writer inserted the same `_id` meanwhile: now it changes that document.

    What still is a duplicate then is a unique field's.
    """
    for _ in range(_RACES):
        try:
            return write()
        except OperationFailure as error:
            if not is_duplicate(error):
                raise
    return write()


def place_of(url: str) -> str:
    """Hosts and ports of a URL for messages, never user or password; `?` when it is not clear which is which."""
    match = _URL.match(url)
    if match is None or ("@" in url and not match["user"]):
        return "?"
    return match["hosts"]


_URL: Final = lazy_compile(
    r"mongodb(\+srv)?://(?P<user>[^@/?#]*@)?(?P<hosts>[^@/?#:,]+(:\d+)?(,[^@/?#:,]+(:\d+)?)*)(?=[/?]|$)"
)


def _client(url: str, place: str, deadline: timedelta, ca_file: str | None) -> MongoClient[Document]:
    if not url.startswith(("mongodb://", "mongodb+srv://")):  # the driver would take it for a host's name
        raise _unreadable(url, place, InvalidURI())
    milliseconds = int(deadline.total_seconds() * 1000)
    files: dict[str, Any] = {"tlsCAFile": ca_file} if ca_file and _takes_ca_file(url) else {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # that is how the driver mentions an option it ignores
            return MongoClient(
                url,
                appname="postroom",
                retryWrites=True,
                retryReads=True,
                serverSelectionTimeoutMS=milliseconds * 5 // 8,
                connectTimeoutMS=milliseconds // 2,
                **files,
            )
    except OSError as error:  # the driver reads certificates at once
        file = error.filename or "of certificates"
        raise Misconfigured(f"the file {file} for MongoDB at {place} cannot be read: {_words(error)}") from None
    except (PyMongoError, ValueError, TypeError, UserWarning) as error:
        raise _unreadable(url, place, error) from None


def _takes_ca_file(url: str) -> bool:
    """Whether the URL asks for TLS; the driver would begin TLS when it is given a file."""
    options = {name.lower(): value.lower() for name, value in parse_qsl(urlsplit(url).query)}
    encrypted = options.get("tls", options.get("ssl", "true" if url.startswith("mongodb+srv:") else "false"))
    return encrypted == "true" and "tlscafile" not in options


def _words(error: OSError) -> str:
    return "no certificate in PEM form" if isinstance(error, ssl.SSLError) else error.strerror or type(error).__name__


def _unreadable(url: str, place: str, error: Exception) -> Exception:
    """The driver's own sentence may repeat the URL and the password in it: only its kind is shown."""
    if url.startswith("mongodb+srv:") and type(error) is ConfigurationError:
        return Unavailable(f"the servers of {place} cannot be looked up now")
    return Misconfigured(
        f"the store URL (host {place}) cannot be read as mongodb://user:password@host:port/: {type(error).__name__}"
    )


def _database_in(client: MongoClient[Document]) -> str:
    """The database that the URL names. `admin` there is the authentication database, not the one to use."""
    name = client.get_default_database(default=_DATABASE).name
    return _DATABASE if name == "admin" else name


def _index_model(index: Index) -> IndexModel:
    """A unique index skips a document in which one of its fields is missing.

    `sparse` says that for one field; for several it would skip only when all are missing.
    """
    keys = [(field, ASCENDING) for field in index.fields]
    if not index.unique:
        return IndexModel(keys)
    if len(keys) == 1:
        return IndexModel(keys, unique=True, sparse=True)
    present = {field: {"$exists": True} for field in index.fields}
    return IndexModel(keys, unique=True, partialFilterExpression=present)


def _filter_to_server(where: Filter) -> dict[str, Any]:
    """A checked filter as MongoDB's: a prefix becomes an anchored expression, which an index can serve."""
    return {field: _condition_to_server(condition) for field, condition in where.items()}


def _condition_to_server(condition: Any) -> Any:
    if not is_operators(condition) or "$prefix" not in condition:
        return condition
    said = {operator: operand for operator, operand in condition.items() if operator != "$prefix"}
    return said | {"$regex": "^" + _SPECIAL.sub(_escaped, condition["$prefix"])}


_SPECIAL: Final = lazy_compile(r"[\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]")


def _escaped(special: re.Match[str]) -> str:
    """Every ASCII character that is neither a letter nor a digit; NUL has to be spelt out, a pattern cannot hold it."""
    return "\\x00" if special[0] == "\0" else "\\" + special[0]


def _is_digest(sha256: str) -> bool:
    return _DIGEST.fullmatch(sha256) is not None


_DIGEST: Final = lazy_compile(r"[0-9a-f]{64}")


def _only_duplicates(error: BulkWriteError) -> bool:
    refused = error.details["writeErrors"]
    duplicates = (is_duplicate_refusal(each["code"], each["errmsg"]) for each in refused)
    return not error.details["writeConcernErrors"] and all(duplicates)
