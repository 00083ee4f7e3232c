"""The document port on one SQLite file, for trying Postroom out and for small desks.

Each collection is a table of JSON documents. A declared index is a column whose value Python computes (no
SQL looks into the JSON); a declared array index is an entry table `(value, id)`. Conditions on such fields
narrow the search in SQL; `vocabulary.matches` then decides, so that both adapters mean the same.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import time
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from shared.contracts.errors import Misconfigured
from shared.embedded.file import LocalFile
from shared.store.documents import Change, Document, Filter, Index, Job, Sort
from shared.store.vocabulary import (
    MISSING,
    Taken,
    apply,
    check_change,
    check_collection,
    check_document,
    check_filter,
    check_id,
    check_index,
    check_sort,
    check_window,
    is_operators,
    matches,
    path_of,
    predicate,
    sort_documents,
    values_at,
)

BLOB_ROW = 1 << 20
MANY = 2000
"""Documents with one value of an array, from which on a page of them is looked for in its order."""
MOST_SEEN = 4096
"""Documents that are remembered in a transaction."""
MOST_ANSWERS, SHORT_ANSWER = 256, 4
"""Questions to a collection whose answers are remembered until it is written to, and documents in one of them."""
_ANSWERS = ""
"""In place of the id of a document: what was found in its collection."""
_EPOCH, _MILLISECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)
_TAG = "\U0010fffe"
"""Begins the column form of what SQLite has no type for, and sorts behind every other text."""
_LAST_BEFORE_SURROGATES = "\ud7ff"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS blobs(sha TEXT PRIMARY KEY, file TEXT NOT NULL, size INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blob_rows(file TEXT NOT NULL, n INTEGER NOT NULL, data BLOB NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS blob_rows_by_file ON blob_rows(file, n);
CREATE TABLE IF NOT EXISTS ensured(declaration TEXT PRIMARY KEY) WITHOUT ROWID;
"""


class EmbeddedDocuments:
    """Documents and blobs in `folder`; several threads and processes may share it."""

    def __init__(self, folder: Path) -> None:
        self.file = LocalFile(folder)
        self._tables: dict[str, _Table] = {}
        self._made: set[str] = set()
        self._rollbacks = self.file.rollbacks
        self.file.make(_SCHEMA)

    def is_new(self) -> bool:
        """Whether no document was ever kept here."""
        with self.file.translated():
            found = self.file.connection.execute("SELECT 1 FROM sqlite_master WHERE name GLOB 'c_*' LIMIT 1")
            return found.fetchone() is None

    def ensure(self, indexes: Iterable[Index]) -> None:
        """Create missing columns, entry tables and indexes; fill them from what is stored.

        A declaration that was carried out once is noted in the file: to look at each of its parts takes longer than
        all else that opens a store.
        """
        by_collection: dict[str, list[Index]] = defaultdict(list)
        for index in indexes:
            by_collection[index.collection].append(check_index(index))
        tables = {collection: _Table(collection, declared) for collection, declared in by_collection.items()}
        declaration = repr(by_collection.items())
        if not self._is_ensured(declaration):
            for collection, table in tables.items():
                self._create(collection, table)
            with self.file.writing() as db:
                db.execute("INSERT OR IGNORE INTO ensured VALUES(?)", (declaration,))
        self._tables |= tables

    def _is_ensured(self, declaration: str) -> bool:
        with self.file.translated():
            found = self.file.connection.execute("SELECT 1 FROM ensured WHERE declaration = ?", (declaration,))
            return found.fetchone() is not None

    def _create(self, collection: str, table: _Table) -> None:
        try:
            with self.file.writing() as db:
                table.create(db)
        except sqlite3.IntegrityError as error:
            raise Misconfigured(f"{collection}: stored documents break a unique index: {error}") from error

    def insert(self, collection: str, document: Document) -> bool:
        """Insert once."""
        document = check_document(document)
        table = self._table(collection)
        try:
            with self.file.writing_whole() as db:
                table.add(db, document)
        except sqlite3.IntegrityError:
            return False
        self._wrote(collection, document["_id"], document)
        return True

    def insert_many(self, collection: str, documents: Sequence[Document]) -> int:
        """Insert once each, in one transaction."""
        if len(documents) == 1:
            return int(self.insert(collection, documents[0]))
        checked, table = [check_document(document) for document in documents], self._table(collection)
        with self.file.writing() as db:
            number = table.add_new(db, checked)
        for each in checked:  # one that was there already stays as it was
            self._forget(collection, each["_id"])
        return number

    def get_fresh(self, collection: str, id_: str) -> Document | None:
        """One document by `_id`."""
        return self.get(collection, id_)

    def get(self, collection: str, id_: str) -> Document | None:
        """One document by `_id`."""
        return self._get(collection, check_id(id_))

    def _get(self, collection: str, id_: str) -> Document | None:
        """A document, which is read once in a transaction. Nobody changes it: what it becomes is another one."""
        seen = self.file.seen
        if seen is not None and (collection, id_) in seen:
            found: Document | None = seen[collection, id_]
            return found
        statement = self._table(collection).by_id
        with self.file.translated():
            row = self.file.connection.execute(statement, (id_,)).fetchone()
        document = _decode(row[0]) if row else None
        self._remember(collection, id_, document)
        return document

    def _remember(self, collection: str, id_: str, document: Document | None) -> None:
        """Keep a document as it is in the store until the transaction ends; None: there is none."""
        seen = self.file.seen
        if seen is None:
            return
        if len(seen) > MOST_SEEN:
            seen.clear()
        seen[collection, id_] = document

    def _wrote(self, collection: str, id_: str, document: Document | None) -> None:
        """Keep what was written, in place of what was found before."""
        self._forget(collection, id_)
        self._remember(collection, id_, document)

    def _forget(self, collection: str, id_: str) -> None:
        """Forget a document, and what was found in its collection."""
        if seen := self.file.seen:
            seen.pop((collection, id_), None)
            seen.pop((collection, _ANSWERS), None)

    def find(
        self, collection: str, where: Filter, *, sort: Sort = (), limit: int = 0, skip: int = 0
    ) -> Iterator[Document]:
        """Matching documents, as they stood when the first one was asked for."""
        seen = self.file.seen
        if seen is None or not limit:
            return self._find(collection, where, sort, limit, skip)
        answers: dict[str, list[Document]] = seen.setdefault((collection, _ANSWERS), {})
        asked = repr((where, sort, limit, skip))
        if (answer := answers.get(asked)) is None:
            answer = list(self._find(collection, where, sort, limit, skip))
            if len(answers) < MOST_ANSWERS and len(answer) <= SHORT_ANSWER:
                answers[asked] = answer
        return iter(answer)

    def _find(self, collection: str, where: Filter, sort: Sort, limit: int, skip: int) -> Iterator[Document]:
        where = check_filter(where)
        check_window(limit, skip)
        table = self._table(collection)
        clause, values, exact = table.narrow(where)
        ordered = table.order(check_sort(sort))
        in_sql = exact and ordered is not None
        if in_sql and limit and table.arrays:
            with self.file.translated():
                in_order = table.is_common(self.file.connection, where)
            clause, values, _ = table.narrow(where, in_order=in_order)
        statement = f"SELECT doc FROM {table.name}{clause}{ordered or ''}"
        if in_sql and (limit or skip):
            statement += f" LIMIT {limit or -1} OFFSET {skip}"
        with self.file.translated():
            rows = self.file.connection.execute(statement, values).fetchall()
        if in_sql:
            return (_decode(row[0]) for row in rows)
        found: Iterator[Document] = filter(predicate(where), (_decode(row[0]) for row in rows))
        if ordered is None:
            found = iter(sort_documents(found, sort))
        return islice(found, skip, skip + limit if limit else None)

    def count(self, collection: str, where: Filter, most: int = 0) -> int:
        """How many match."""
        check_window(most, 0)
        where = check_filter(where)
        table = self._table(collection)
        clause, values, exact = table.narrow(where)
        if not exact:
            return sum(1 for _ in self.find(collection, where, limit=most))
        counted = f"{table.name}{clause}"
        if most:  # a count of all needs no row of its own for each
            counted = f"(SELECT 1 FROM {counted} LIMIT {most})"
        with self.file.translated():
            row = self.file.connection.execute(f"SELECT count(*) FROM {counted}", values).fetchone()
        return int(row[0])

    def update(self, collection: str, where: Filter, change: Change) -> bool:
        """The conditional write: at most one document, atomically."""
        change = check_change(change)
        table = self._table(collection)
        try:
            with self.file.writing_whole() as db:
                found = self._first(collection, where)
                if found is None:
                    return False
                after = apply(found, change)
                if after is not found:
                    table.put(db, after, found)
        except sqlite3.IntegrityError as error:
            raise _taken(collection) from error
        self._wrote(collection, after["_id"], after)
        return True

    def _first(self, collection: str, where: Filter) -> Document | None:
        """A matching document."""
        id_ = where.get("_id") if type(where) is dict else None
        if type(id_) is not str:
            return next(self.find(collection, where, limit=1), None)
        conditions = check_filter(where)
        found = self._get(collection, id_)
        if found is None or len(conditions) == 1:
            return found
        return found if matches(found, conditions) else None

    def upsert(self, collection: str, id_: str, change: Change) -> Document:
        """Change or create the document with this `_id`."""
        change = check_change(change)
        table = self._table(check_collection(collection))
        try:
            with self.file.writing_whole() as db:
                before = self.get(collection, id_)
                after = apply(before or {"_id": id_}, change)
                table.put(db, after, before) if before else table.add(db, after)
        except sqlite3.IntegrityError as error:
            raise _taken(collection) from error
        self._wrote(collection, id_, after)
        return after

    def next_number(self, collection: str, id_: str, count: int = 1) -> int:
        """The first of `count` numbers that nobody else gets."""
        return int(self.upsert(collection, id_, {"$inc": {"last": count}})["last"]) - count + 1

    def replace(self, collection: str, document: Document) -> None:
        """Put the document, whatever was there."""
        document = check_document(document)
        table = self._table(collection)
        try:
            with self.file.writing() as db:
                table.remove(db, document["_id"])
                table.add(db, document)
        except sqlite3.IntegrityError as error:
            raise _taken(collection) from error
        self._wrote(collection, document["_id"], document)

    def delete(self, collection: str, where: Filter) -> int:
        """Delete what matches."""
        table = self._table(collection)
        with self.file.writing() as db:
            ids = [document["_id"] for document in self.find(collection, where)]
            for id_ in ids:
                table.remove(db, id_)
                self._wrote(collection, id_, None)
        return len(ids)

    def put_blob(self, content: bytes, sha256: str | None = None) -> str:
        """Keep bytes once, in rows of 1 MiB."""
        sha = sha256 or hashlib.sha256(content).hexdigest()
        if self.file.seen is not None or not self.has_blob(sha):  # within a transaction to look costs a statement more
            self._upload(content, sha)
        return sha

    def _upload(self, content: bytes, sha: str) -> None:
        """Write the blob under its hash, and its rows unless it was there."""
        file = f"{time.time_ns():016x}{uuid.uuid4().hex[:16]}"
        with self.file.writing_whole() as db:
            entry = (sha, file, len(content))
            new = db.execute("INSERT OR IGNORE INTO blobs(sha, file, size) VALUES(?, ?, ?)", entry).rowcount
            for n, start in enumerate(range(0, len(content) if new else 0, BLOB_ROW)):
                row = (file, n, content[start : start + BLOB_ROW])
                db.execute("INSERT INTO blob_rows(file, n, data) VALUES(?, ?, ?)", row)

    def get_blob(self, sha256: str) -> bytes:
        """The bytes."""
        if not sha256.isascii():
            raise LookupError(f"no blob {sha256!a}")
        statement = "SELECT data FROM blob_rows WHERE file = (SELECT file FROM blobs WHERE sha = ?) ORDER BY n"
        with self.file.translated():
            rows = [data for (data,) in self.file.connection.execute(statement, (sha256,))]
        if not rows and not self._is_empty_blob(sha256):
            raise LookupError(f"no blob {sha256}")
        return rows[0] if len(rows) == 1 else b"".join(rows)

    def _is_empty_blob(self, sha256: str) -> bool:
        """Whether there is such a blob, without bytes. One that has any may have come since they were looked for."""
        with self.file.translated():
            found = self.file.connection.execute("SELECT size FROM blobs WHERE sha = ?", (sha256,)).fetchone()
        return bool(found == (0,))

    def has_blob(self, sha256: str) -> bool:
        """Whether the blob is complete."""
        if not sha256.isascii():
            return False
        with self.file.translated():
            found = self.file.connection.execute("SELECT 1 FROM blobs WHERE sha = ?", (sha256,)).fetchone()
        return found is not None

    def delete_blob(self, sha256: str) -> bool:
        """Remove a blob and its rows in one transaction."""
        with self.file.writing() as db:
            found = db.execute("SELECT file FROM blobs WHERE sha = ?", (sha256,)).fetchone()
            if found:
                db.execute("DELETE FROM blobs WHERE sha = ?", (sha256,))
                db.execute("DELETE FROM blob_rows WHERE file = ?", found)
        return found is not None

    def unfinished_uploads(self, after: str, limit: int) -> tuple[Sequence[str], str]:
        """None: an upload is one transaction."""
        del after, limit
        return (), ""

    def remove_upload(self, upload: str) -> None:
        """Remove its rows."""
        with self.file.writing() as db:
            db.execute("DELETE FROM blob_rows WHERE file = ?", (upload,))

    def barrier(self) -> None:
        """Nothing to do: a batch is one transaction."""

    def look_ahead(self, _jobs: Sequence[Job], /) -> AbstractContextManager[None]:
        """Nothing to do: to read is a matter of microseconds."""
        return nullcontext()

    def batch(self) -> AbstractContextManager[None]:
        """One commit for all writes inside."""
        return self.file.batch()

    def ping(self) -> None:
        """Raises `Unavailable` when the file cannot be read."""
        with self.file.translated():
            self.file.connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()

    def close(self) -> None:
        """Close the file."""
        self.file.close()

    def _table(self, collection: str) -> _Table:
        """The table of a collection; one without declared indexes is made at its first use.

        When a batch was taken back, the table may have gone with it.
        """
        if self._rollbacks != self.file.rollbacks:
            self._rollbacks = self.file.rollbacks
            while self._made:
                self._tables.pop(self._made.pop(), None)
        if collection not in self._tables:
            table = _Table(collection, ())
            with self.file.writing() as db:
                table.create(db)
            self._tables[collection] = table
            self._made.add(collection)
        return self._tables[collection]


class _Table:
    """One collection in SQL: its statements, prepared once."""

    def __init__(self, collection: str, indexes: Sequence[Index]) -> None:
        self.name = f"c_{check_collection(collection)}"
        self.indexes = tuple(indexes)
        self.columns = sorted({field for index in indexes if not index.array for field in index.fields} - {"_id"})
        self.arrays = sorted({field for index in indexes if index.array for field in index.fields})
        self._first_steps = {field: path_of(field)[0] for field in (*self.columns, *self.arrays)}
        self.unique = [index for index in self.indexes if index.unique]
        self.by_id = f"SELECT doc FROM {self.name} WHERE id = ?"
        names = ["id", "doc", *map(_column, self.columns), *map(_unique_column, self.unique)]
        self._insert = f"INSERT INTO {self.name}({', '.join(names)}) VALUES({', '.join('?' * len(names))})"
        self._derived = tuple(names[2:])
        self._updates: dict[tuple[str, ...], str] = {}

    def create(self, db: sqlite3.Connection) -> None:
        """Make table, columns, entry tables and indexes that are missing."""
        columns = "seq INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, doc TEXT"
        db.execute(f"CREATE TABLE IF NOT EXISTS {self.name}({columns})")
        there = {str(row[1]) for row in db.execute(f"PRAGMA table_info({self.name})")}
        names = [*map(_column, self.columns), *map(_unique_column, self.unique)]
        added = [name for name in names if name not in there]
        for name in added:
            db.execute(f"ALTER TABLE {self.name} ADD COLUMN {name}")
        fresh = [field for field in self.arrays if self._create_entries(db, field)]
        if added or fresh:
            self._fill(db, added, fresh)
        for index in self.indexes:
            self._create_index(db, index)

    def _create_entries(self, db: sqlite3.Connection, field: str) -> bool:
        """Entries name a document by `seq`: those of one value are then in the order of writing, and new ones last."""
        entries = self._entries(field)
        if db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (entries,)).fetchone():
            return False
        db.execute(f"DROP TABLE IF EXISTS {self.name}_has_{_column(field)[2:]}")  # of an earlier form, by id
        db.execute(f"CREATE TABLE {entries}(value, seq INTEGER NOT NULL, PRIMARY KEY(value, seq)) WITHOUT ROWID")
        return True

    def _create_index(self, db: sqlite3.Connection, index: Index) -> None:
        if index.array or index.fields == ("_id",):
            return
        columns = [_column(field) for field in index.fields]
        name = f"{self.name}_by_{'_'.join(columns)}"
        db.execute(f"CREATE INDEX IF NOT EXISTS {name} ON {self.name}({', '.join(columns)})")
        if index.unique:
            column = _unique_column(index)
            db.execute(f"CREATE UNIQUE INDEX IF NOT EXISTS {self.name}_{column} ON {self.name}({column})")

    def _fill(self, db: sqlite3.Connection, added: Sequence[str], fresh: Sequence[str]) -> None:
        last = 0
        while rows := db.execute(
            f"SELECT seq, doc FROM {self.name} WHERE seq > ? ORDER BY seq LIMIT {_FILLED_AT_ONCE}", (last,)
        ).fetchall():
            for last, doc in rows:
                document = _decode(doc)
                if added:
                    db.execute(self._update(self._derived), (doc, *self._values(document), document["_id"]))
                for field in fresh:
                    self._enter(db, last, field, self._entries_of(document, field))

    def add(self, db: sqlite3.Connection, document: Document) -> None:
        """Insert; `sqlite3.IntegrityError` when `_id` or a unique field is taken, before anything is written."""
        entries = [self._entries_of(document, field) for field in self.arrays]
        done = db.execute(self._insert, (document["_id"], _encode(document), *self._values(document)))
        for field, values in zip(self.arrays, entries, strict=True):
            self._enter(db, done.lastrowid or 0, field, values)

    def add_new(self, db: sqlite3.Connection, documents: Sequence[Document]) -> int:
        """Insert those whose `_id` and unique fields are not taken; how many."""
        if self.arrays:
            return sum(self._is_added(db, document) for document in documents)
        rows = [(document["_id"], _encode(document), *self._values(document)) for document in documents]
        return db.executemany(f"{self._insert} ON CONFLICT DO NOTHING", rows).rowcount

    def _is_added(self, db: sqlite3.Connection, document: Document) -> bool:
        try:
            self.add(db, document)
        except sqlite3.IntegrityError:
            return False
        return True

    def put(self, db: sqlite3.Connection, document: Document, before: Document) -> None:
        """Replace the document that has this `_id`; `sqlite3.IntegrityError` before anything is written."""
        entries = {field: self._entries_of(document, field) for field in self._touched(self.arrays, document, before)}
        changed = self._changed(document, before)
        db.execute(self._update(tuple(changed)), (_encode(document), *changed.values(), document["_id"]))
        for field, values in entries.items():
            if values != (former := self._entries_of(before, field)):
                ((seq,),) = db.execute(f"SELECT seq FROM {self.name} WHERE id = ?", (document["_id"],))
                self._leave(db, seq, field, former - values)
                self._enter(db, seq, field, values - former)

    def remove(self, db: sqlite3.Connection, id_: str) -> None:
        """Delete by `_id`."""
        rows = db.execute(f"SELECT seq, doc FROM {self.name} WHERE id = ?", (id_,)).fetchall() if self.arrays else ()
        db.execute(f"DELETE FROM {self.name} WHERE id = ?", (id_,))
        for seq, doc in rows:
            before = _decode(doc)
            for field in self.arrays:
                self._leave(db, seq, field, self._entries_of(before, field))

    def _update(self, columns: tuple[str, ...]) -> str:
        """Set a document and these columns: SQLite writes the indexes of each column that is named, changed or not."""
        if columns not in self._updates:
            named = "".join(f", {column} = ?" for column in columns)
            self._updates[columns] = f"UPDATE {self.name} SET doc = ?{named} WHERE id = ?"
        return self._updates[columns]

    def _touched(self, fields: Sequence[str], document: Document, before: Document) -> list[str]:
        """Those of the fields that may differ: what a change left alone is the same object in both documents."""
        steps = self._first_steps
        return [field for field in fields if document.get(steps[field]) is not before.get(steps[field])]

    def _changed(self, document: Document, before: Document) -> dict[str, Any]:
        """The columns whose value is another one than before, and their values."""
        touched = self._touched(self.columns, document, before)
        fields = [field for field in touched if _differ(_at(document, field), _at(before, field))]
        changed = {_column(field): _scalar(_at(document, field), field) for field in fields}
        unique = (index for index in self.unique if not set(index.fields).isdisjoint(fields))
        return changed | {_unique_column(index): _unique_value(index, document) for index in unique}

    def _values(self, document: Document) -> list[Any]:
        found = [(field, _at(document, field)) for field in self.columns]
        scalars = [value if type(value) is str or value is None else _scalar(value, field) for field, value in found]
        return [*scalars, *(_unique_value(index, document) for index in self.unique)]

    def _entries_of(self, document: Document, field: str) -> set[Any]:
        """The values by which an array field is found."""
        value = _at(document, field)
        items = value if type(value) is list else [value]
        return {item if type(item) is str else _scalar(item, field) for item in items} - {None}

    def _enter(self, db: sqlite3.Connection, seq: int, field: str, values: set[Any]) -> None:
        if values:
            statement = f"INSERT INTO {self._entries(field)}(value, seq) VALUES(?, ?)"
            db.executemany(statement, [(value, seq) for value in values])

    def _leave(self, db: sqlite3.Connection, seq: int, field: str, values: set[Any]) -> None:
        statement = f"DELETE FROM {self._entries(field)} WHERE value = ? AND seq = ?"
        db.executemany(statement, [(value, seq) for value in values])

    def _entries(self, field: str) -> str:
        return f"{self.name}_values_of_{_column(field)[2:]}"

    def is_common(self, db: sqlite3.Connection, where: Filter) -> bool:
        """Whether so many documents have the wanted values of arrays that a page of them is found sooner in its order.

        Else each that has them would be read, to be sorted.
        """
        having = [self._has(field, _operators(condition)) for field, condition in where.items() if field in self.arrays]
        counted = "SELECT count(*) FROM ({} LIMIT {})"
        counts = (db.execute(counted.format(each[0], MANY), each[1]).fetchone()[0] if each else 0 for each in having)
        return bool(having) and all(count == MANY for count in counts)

    def narrow(self, where: Filter, *, in_order: bool = False) -> tuple[str, list[Any], bool]:
        """A WHERE clause that keeps every matching document, its values, and whether it keeps no other.

        `in_order`: it is to walk through all documents in the order that is asked for, and look whether each has the
        wanted values of arrays; a `+` keeps SQLite from beginning with those that have them.
        """
        clauses, values, exact = list[str](), list[Any](), True
        for field, condition in where.items():
            found = self._condition(field, condition, "+seq" if in_order else "seq")
            if found is None:
                exact = False
                continue
            clauses.append(found[0])
            values.extend(found[1])
            exact = exact and found[2]
        return f" WHERE {' AND '.join(clauses)}" if clauses else "", values, exact

    def _condition(self, field: str, condition: Any, seq: str) -> tuple[str, list[Any], bool] | None:
        operators = _operators(condition)
        if field in self.arrays:
            having = self._has(field, operators)
            return having and (f"{seq} IN ({having[0]})", *having[1:])
        if field != "_id" and field not in self.columns:
            return None
        column = "id" if field == "_id" else _column(field)
        parts = [part for operator, value in operators.items() if (part := _comparison(column, operator, value))]
        if not parts:
            return None
        text = " AND ".join(part[0] for part in parts)
        return text, [value for part in parts for value in part[1]], len(parts) == len(operators)

    def _has(self, field: str, operators: Mapping[str, Any]) -> tuple[str, list[Any], bool] | None:
        """SQL for `seq` of the documents that have these values in an array."""
        if "$prefix" in operators:
            text, begun = _prefix("value", operators["$prefix"])
            return f"SELECT seq FROM {self._entries(field)} WHERE {text}", begun, len(operators) == 1
        values = operators.get("$in", [operators["$eq"]] if "$eq" in operators else None)
        if values is None or any(value is None or isinstance(value, list | dict) for value in values):
            return None
        marks = ", ".join("?" * len(values))
        text = f"SELECT seq FROM {self._entries(field)} WHERE value IN ({marks})"
        return text, [_scalar(value, field) for value in values], len(operators) == 1

    def order(self, sort: Sort) -> str | None:
        """An ORDER BY clause, or None when SQL cannot sort by these fields."""
        if not sort:
            return ""
        if any(field != "_id" and field not in self.columns for field, _ in sort):
            return None
        keys = [f"{'id' if field == '_id' else _column(field)} {'ASC' if way > 0 else 'DESC'}" for field, way in sort]
        return f" ORDER BY {', '.join(keys)}, seq"


def _operators(condition: Any) -> Mapping[str, Any]:
    operators: Mapping[str, Any] = condition if is_operators(condition) else {"$eq": condition}
    return operators


def _taken(collection: str) -> Taken:
    return Taken(f"{collection}: another document has a unique value of this one")


def _comparison(column: str, operator: str, value: Any) -> tuple[str, list[Any]] | None:
    """One condition as exact SQL, or None when only Python can decide."""
    if isinstance(value, dict) or (isinstance(value, list) and operator != "$in"):
        return None
    match operator:
        case "$eq":
            return (f"{column} IS NULL", []) if value is None else (f"{column} = ?", [_scalar(value)])
        case "$in":
            return _one_of(column, value)
        case "$gte" | "$lt":
            return _range(column, ">=" if operator == "$gte" else "<", value)
        case "$prefix":
            return _prefix(column, value)
    return None


def _prefix(column: str, prefix: str) -> tuple[str, list[Any]]:
    """A range of texts: from the prefix up to the prefix with its last character increased by one."""
    text, values = f"{column} >= ? AND substr({column}, 1, ?) = ?", [prefix, len(prefix), prefix]
    if not prefix or prefix[-1] >= _LAST_BEFORE_SURROGATES:
        return text, values
    return f"{text} AND {column} < ?", [*values, prefix[:-1] + chr(ord(prefix[-1]) + 1)]


def _one_of(column: str, values: Sequence[Any]) -> tuple[str, list[Any]] | None:
    if any(isinstance(value, list | dict) for value in values):
        return None
    present = [_scalar(value) for value in values if value is not None]
    text = f"{column} IN ({', '.join('?' * len(present))})"
    return (f"({text} OR {column} IS NULL)" if len(present) < len(values) else text), present


def _range(column: str, sign: str, value: Any) -> tuple[str, list[Any]] | None:
    """A range stays within one type: numbers, texts, times (each is one stretch of SQLite's order)."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return f"{column} {sign} ? AND typeof({column}) IN ('integer', 'real')", [value]
    if isinstance(value, datetime):
        return f"{column} {sign} ? AND {column} >= ?", [_scalar(value), f"{_TAG}d"]
    return f"{column} {sign} ? AND {column} >= '' AND {column} < ?", [value, _TAG]


def _column(field: str) -> str:
    return "f_" + field.replace(".", "__")


def _unique_column(index: Index) -> str:
    return "u_" + "_".join(_column(field) for field in index.fields)


def _unique_value(index: Index, document: Document) -> str | None:
    """The value of a unique index: all its fields together, null included; None when a field is missing."""
    found = [values_at(document, path_of(field)) for field in index.fields]
    if any(not values or values[0] is MISSING for values in found):
        return None
    return json.dumps([_scalar(values[0], field) for values, field in zip(found, index.fields, strict=True)])


def _at(document: Document, field: str) -> Any:
    if "." not in field:
        return document.get(field)
    value: Any = document
    for name in path_of(field):
        if type(value) is not dict:
            return None
        value = value.get(name)
    return value


def _scalar(value: Any, field: str = "") -> Any:
    """A value as a column holds it, in MongoDB's order: null, numbers, text, booleans, times."""
    if value is None or type(value) in _AS_THEY_ARE:
        return value
    if type(value) is bool:
        return f"{_TAG}b{value:d}"
    if type(value) is datetime:
        return f"{_TAG}d{_milliseconds(value) + (1 << 52):020d}"
    raise ValueError(f"the indexed field {field!r} cannot hold {type(value).__name__}")


def _differ(value: Any, former: Any) -> bool:
    """Whether two values are not the same in a column: 1 and True are equal to Python alone."""
    return value is not former and (value != former or type(value) is not type(former))


_AS_THEY_ARE = frozenset((str, int, float))


def _milliseconds(value: datetime) -> int:
    return (value - _EPOCH) // _MILLISECOND


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return {"$date": _milliseconds(value)}
    raise TypeError(f"{type(value).__name__} cannot be stored")


_FILLED_AT_ONCE = 1000
"""Documents in memory while a new index is filled."""
MAX_DOCUMENT = 16 << 20
"""Bytes of one document; MongoDB's own bound."""


def _encode(document: Document) -> str:
    content = orjson.dumps(document, _as_json, orjson.OPT_PASSTHROUGH_DATETIME)
    if len(content) > MAX_DOCUMENT:
        raise ValueError(f"the document {document['_id']!r} has more than {MAX_DOCUMENT} bytes")
    return content.decode()


def _decode(content: str) -> Document:
    return _with_times(orjson.loads(content))


def _with_times(decoded: dict[str, Any]) -> dict[str, Any]:
    """The same object, with the times in it as such."""
    for key, value in decoded.items():
        kind = type(value)
        if kind is dict or kind is list:
            decoded[key] = _as_python(value)
    return decoded


def _as_python(value: Any) -> Any:
    if type(value) is dict:
        is_time = len(value) == 1 and "$date" in value
        return _EPOCH + timedelta(milliseconds=value["$date"]) if is_time else _with_times(value)
    return [_as_python(item) for item in value] if type(value) is list else value
