"""Writes of a batch without savepoints: one that fails leaves nothing, whatever the others of its batch do."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.contracts.errors import Unavailable
from shared.embedded.documents import EmbeddedDocuments
from shared.store.documents import Index
from shared.store.indexes import INDEXES
from shared.store.vocabulary import Taken


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedDocuments]:
    made = EmbeddedDocuments(tmp_path)
    made.ensure([Index("things", ("number",), unique=True), Index("things", ("keys",), array=True)])
    made.insert("things", {"_id": "a", "number": 1, "keys": ["x"]})
    yield made
    made.close()


def statements(store: EmbeddedDocuments) -> list[str]:
    """The first words of every statement from here on, those of settings aside."""
    heard: list[str] = []
    store.file.connection.set_trace_callback(
        lambda text: None if text[:6] == "PRAGMA" else heard.append(text.split()[0])
    )
    return heard


def found(store: EmbeddedDocuments, key: str) -> list[str]:
    return [each["_id"] for each in store.find("things", {"keys": key})]


def test_a_refused_write_leaves_nothing_and_the_batch_goes_on(store: EmbeddedDocuments) -> None:
    store.insert("things", {"_id": "b", "number": 2, "keys": ["y"]})
    with store.batch():
        assert not store.insert("things", {"_id": "c", "number": 1, "keys": ["z"]})
        with pytest.raises(Taken):
            store.update("things", {"_id": "b"}, {"$set": {"number": 1, "keys": ["z"]}})
        with pytest.raises(ValueError, match="cannot hold"):
            store.insert("things", {"_id": "d", "number": 4, "keys": [{}]})
        with pytest.raises(ValueError, match="cannot hold"):
            store.update("things", {"_id": "b"}, {"$set": {"keys": ["z", {}]}})
        assert store.insert("things", {"_id": "e", "number": 5, "keys": ["z"]})
    assert found(store, "z") == ["e"]
    assert store.get("things", "b") == {"_id": "b", "number": 2, "keys": ["y"]}
    assert store.get("things", "c") is store.get("things", "d") is None


def test_a_failure_behind_the_first_statement_takes_the_batch_back(store: EmbeddedDocuments) -> None:
    store.file.connection.execute("DROP TABLE c_things_values_of_keys")

    def write() -> None:
        with store.batch():
            store.insert("things", {"_id": "b", "number": 2})
            with pytest.raises(Unavailable):
                store.insert("things", {"_id": "c", "number": 3, "keys": ["y"]})

    with pytest.raises(Unavailable):
        write()
    assert store.count("things", {}) == 1


def test_inserts_and_changes_of_a_batch_need_no_savepoint(store: EmbeddedDocuments) -> None:
    heard = statements(store)
    with store.batch():
        store.insert("things", {"_id": "b", "number": 2})
        store.update("things", {"_id": "a"}, {"$set": {"title": "new"}})
        store.upsert("things", "c", {"$inc": {"last": 1}})
    assert heard == ["BEGIN", "INSERT", "SELECT", "UPDATE", "SELECT", "INSERT", "COMMIT"]


def test_the_values_by_which_an_array_is_found_are_written_when_they_change(store: EmbeddedDocuments) -> None:
    store.update("things", {"_id": "a"}, {"$set": {"keys": ["y", "z"]}})
    assert (found(store, "x"), found(store, "y"), found(store, "z")) == ([], ["a"], ["a"])


def test_a_document_that_goes_takes_its_values_along(store: EmbeddedDocuments) -> None:
    store.replace("things", {"_id": "a", "keys": ["z"]})
    assert (found(store, "x"), found(store, "z")) == ([], ["a"])
    store.delete("things", {"_id": "a"})
    store.insert("things", {"_id": "b", "keys": ["y"]})
    assert (found(store, "z"), found(store, "y")) == ([], ["b"])
    assert store.file.connection.execute("SELECT value FROM c_things_values_of_keys").fetchall() == [("y",)]


def test_a_page_of_a_common_value_is_looked_for_in_its_order(
    store: EmbeddedDocuments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.embedded.documents.MANY", 3)
    for number in range(2, 8):
        store.insert("things", {"_id": str(number), "number": number, "keys": ["x", f"only {number}"]})
    asked = list[str]()
    store.file.connection.set_trace_callback(asked.append)
    sort = (("number", -1),)
    assert [each["_id"] for each in store.find("things", {"keys": "x"}, sort=sort, limit=2)] == ["7", "6"]
    assert "+seq IN" in asked[-1]
    assert [each["_id"] for each in store.find("things", {"keys": "only 3"}, sort=sort, limit=2)] == ["3"]
    assert "+seq IN" not in asked[-1]
    assert [each["_id"] for each in store.find("things", {"keys": {"$prefix": "o"}}, sort=sort, limit=1)] == ["7"]
    assert "+seq IN" in asked[-1]


def test_a_file_of_format_1_is_brought_up_to_date(tmp_path: Path) -> None:
    """It kept the values of arrays by the id of the document."""
    before = EmbeddedDocuments(tmp_path)
    before.ensure([Index("things", ("keys",), array=True)])
    before.insert("things", {"_id": "a", "keys": ["x", "y"]})
    db = before.file.connection
    db.execute("DROP TABLE c_things_values_of_keys")
    db.execute("CREATE TABLE c_things_has_keys(value, id TEXT NOT NULL, PRIMARY KEY(value, id)) WITHOUT ROWID")
    db.execute("INSERT INTO c_things_has_keys VALUES('x', 'a'), ('y', 'a')")
    db.execute("PRAGMA user_version = 1")
    before.close()
    after = EmbeddedDocuments(tmp_path)
    after.ensure([Index("things", ("keys",), array=True)])
    assert (found(after, "x"), found(after, "y"), found(after, "z")) == (["a"], ["a"], [])
    tables = {row[0] for row in after.file.connection.execute("SELECT name FROM sqlite_master")}
    assert "c_things_has_keys" not in tables
    after.close()


def test_a_table_that_went_with_its_batch_is_made_again(store: EmbeddedDocuments) -> None:
    def number_and_fail() -> None:
        with store.batch():
            store.next_number("counters", "incident")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        number_and_fail()
    assert store.next_number("counters", "incident") == 1


def test_a_store_that_is_there_is_opened_without_a_write_and_without_looking_at_each_index(tmp_path: Path) -> None:
    EmbeddedDocuments(tmp_path).ensure(INDEXES)
    writer, opened = EmbeddedDocuments(tmp_path), EmbeddedDocuments(tmp_path)
    asked = list[str]()
    opened.file.connection.set_trace_callback(asked.append)
    with writer.batch():
        writer.insert("notes", {"_id": "a"})  # holds the lock of writing
        again = EmbeddedDocuments(tmp_path)
        again.ensure(INDEXES)
        opened.ensure(INDEXES)
    assert len(asked) == 1
    assert list(again.find("mails", {"inbox": "support"})) == []


def test_a_changed_declaration_is_carried_out(tmp_path: Path) -> None:
    store = EmbeddedDocuments(tmp_path)
    store.ensure([Index("things", ("a",))])
    store.insert("things", {"_id": "1", "a": 1, "b": 2})
    store.ensure([Index("things", ("a",)), Index("things", ("b",))])
    assert store.file.connection.execute("SELECT f_b FROM c_things").fetchall() == [(2,)]


def test_a_transaction_reads_a_document_once(store: EmbeddedDocuments) -> None:
    with store.batch():
        store.insert("things", {"_id": "b", "number": 2})
        heard = statements(store)
        assert [store.get("things", id_) for id_ in ("b", "c", "c")] == [{"_id": "b", "number": 2}, None, None]
        assert store.update("things", {"_id": "b", "number": 2}, {"$set": {"number": 3}})
        assert not store.update("things", {"_id": "b", "number": 2}, {"$set": {"number": 4}})
        assert store.get("things", "b") == {"_id": "b", "number": 3}
        assert heard == ["SELECT", "UPDATE"]
    assert store.get("things", "b") == {"_id": "b", "number": 3}


def test_a_transaction_asks_one_question_once(store: EmbeddedDocuments) -> None:
    with store.batch():
        store.update("things", {"_id": "a"}, {"$set": {"x": 1}})
        heard = statements(store)
        for _ in range(3):
            assert [each["x"] for each in store.find("things", {"keys": "x"}, limit=1)] == [1]
        assert heard.count("SELECT") <= 2


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (lambda store: store.insert("things", {"_id": "b", "number": 2, "keys": ["x"]}), ["a", "b"]),
        (lambda store: store.insert_many("things", [{"_id": "b", "keys": ["x"]}, {"_id": "c"}]), ["a", "b"]),
        (lambda store: store.update("things", {"_id": "a"}, {"$set": {"keys": []}}), []),
        (lambda store: store.upsert("things", "b", {"$set": {"keys": ["x"]}}), ["a", "b"]),
        (lambda store: store.replace("things", {"_id": "a"}), []),
        (lambda store: store.delete("things", {"_id": "a"}), []),
    ],
    ids=["insert", "insert_many", "update", "upsert", "replace", "delete"],
)
def test_a_write_ends_what_was_found_in_its_collection(
    store: EmbeddedDocuments, write: Callable[[EmbeddedDocuments], object], expected: list[str]
) -> None:
    with store.batch():
        store.insert("others", {"_id": "begins the transaction"})
        assert [store.get("things", id_) is not None for id_ in "abc"] == [True, False, False]
        assert [each["_id"] for each in store.find("things", {"keys": "x"}, limit=4)] == ["a"]
        write(store)
        assert [each["_id"] for each in store.find("things", {"keys": "x"}, limit=4)] == expected
        assert [store.get("things", id_) is not None for id_ in "ab"] == [
            store.count("things", {"_id": id_}) == 1 for id_ in "ab"
        ]


def test_what_others_write_before_the_transaction_is_not_missed(store: EmbeddedDocuments, tmp_path: Path) -> None:
    other = EmbeddedDocuments(tmp_path)
    with store.batch():
        assert store.get("things", "a") == {"_id": "a", "number": 1, "keys": ["x"]}
        other.replace("things", {"_id": "a", "number": 7})
        store.insert("things", {"_id": "b", "number": 2})
        assert store.get("things", "a") == {"_id": "a", "number": 7}
    other.replace("things", {"_id": "a", "number": 8})
    with store.batch():
        store.insert("things", {"_id": "c", "number": 3})
        assert store.get("things", "a") == {"_id": "a", "number": 8}
    other.close()


def test_what_was_taken_back_is_forgotten(store: EmbeddedDocuments) -> None:
    with store.batch():
        store.insert("things", {"_id": "b", "number": 2})
        with pytest.raises(Taken):
            store.replace("things", {"_id": "b", "number": 1})
        with pytest.raises(Taken):
            store.update("things", {"_id": "b"}, {"$set": {"number": 1}})
        assert store.get("things", "b") == {"_id": "b", "number": 2}
        assert store.delete("things", {"number": 2}) == 1
        assert store.get("things", "b") is None
    with pytest.raises(OverflowError):
        _insert_and_fail(store)
    assert store.get("things", "d") is None


def test_of_many_those_that_are_new_are_inserted(store: EmbeddedDocuments) -> None:
    for collection in ("things", "notes"):  # with entries of an array, and without
        store.insert(collection, {"_id": "b", "number": 2})
        documents = [{"_id": "b", "number": 9}, {"_id": "c", "number": 3}, {"_id": "d", "number": 4}, {"_id": "c"}]
        assert store.insert_many(collection, documents) == 2
        assert [store.get(collection, id_) for id_ in "bc"] == [{"_id": "b", "number": 2}, {"_id": "c", "number": 3}]
    assert store.insert_many("things", [{"_id": "e", "number": 4}]) == 0


def _insert_and_fail(store: EmbeddedDocuments) -> None:
    with store.batch():
        store.insert("things", {"_id": "d", "number": 4})
        raise OverflowError


def test_an_update_writes_the_indexes_of_what_changes_alone(store: EmbeddedDocuments) -> None:
    """SQLite takes an entry out of an index and puts it in again for each column that a statement names."""
    heard: list[str] = []
    store.insert("things", {"_id": "b", "number": 2})
    store.file.connection.set_trace_callback(heard.append)
    store.update("things", {"_id": "b"}, {"$set": {"text": "later"}})
    store.update("things", {"_id": "b"}, {"$set": {"number": 3}})
    updates = [each.partition(" WHERE ")[0] for each in heard if each.startswith("UPDATE")]
    assert [("f_number" in each, "u_f_number" in each) for each in updates] == [(False, False), (True, True)]
    assert [each["_id"] for each in store.find("things", {"number": 3})] == ["b"]


@pytest.mark.parametrize(("before", "after"), [(1, True), (True, 1), (0, None), (None, False), (1, "1")])
def test_a_value_is_found_as_what_it_has_become(store: EmbeddedDocuments, before: object, after: object) -> None:
    """1 and True are equal to Python, and different values to a search."""
    store.ensure([Index("marked", ("mark",))])
    store.insert("marked", {"_id": "a", "mark": before})
    store.update("marked", {"_id": "a"}, {"$set": {"mark": after}})
    assert [each["mark"] for each in store.find("marked", {"mark": after})] == [after]
    assert list(store.find("marked", {"mark": before})) == []


def test_a_blob_is_written_in_a_batch_without_a_savepoint(store: EmbeddedDocuments) -> None:
    heard = statements(store)
    with store.batch():
        store.put_blob(b"some bytes")
    assert "SAVEPOINT" not in heard
    assert heard.count("INSERT") == 2


def test_documents_of_an_earlier_version_are_read(store: EmbeddedDocuments) -> None:
    """As `json` of the standard library wrote them."""
    stored = (
        '{"_id":"old","at":{"$date":1500},"n":1e+16,"l":[{"$date":-1},[{"a":{"$date":0}}],"é\\u0007"],"d":{},"e":[]}'
    )
    store.insert("notes", {"_id": "old"})
    store.file.connection.execute("UPDATE c_notes SET doc = ? WHERE id = 'old'", (stored,))
    moments = [datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=each) for each in (1500, -1, 0)]
    expected = {"at": moments[0], "n": 1e16, "l": [moments[1], [{"a": moments[2]}], "é\a"], "d": {}, "e": []}
    assert store.get("notes", "old") == {"_id": "old", **expected}
    store.replace("notes", {"_id": "new", **expected})
    assert store.get("notes", "new") == {"_id": "new", **expected}


def test_a_document_that_is_too_large_is_refused(store: EmbeddedDocuments) -> None:
    with pytest.raises(ValueError, match="'big' has more than 16777216 bytes"):
        store.insert("notes", {"_id": "big", "text": "é" * (8 << 20)})
    assert store.get("notes", "big") is None


def test_a_caller_that_changes_what_is_remembered_for_others_is_found(
    tmp_path: Path, changed_documents: list[str]
) -> None:
    """In every test that uses the embedded store, see `tests.harness.remembered`."""
    store = EmbeddedDocuments(tmp_path)
    store.insert("things", {"_id": "1", "tags": ["a"]})
    store.insert("things", {"_id": "2", "tags": ["a"]})
    with store.batch():
        store.insert("things", {"_id": "3", "tags": ["a"]})
        (found,) = store.find("things", {"_id": "1"}, limit=1)
        found["tags"].append("b")
        given = store.get("things", "2")
        assert given is not None
        given["name"] = "x"
        copy = {**store.upsert("things", "3", {"$set": {"name": "y"}})}
        copy["name"] = "z"
    assert sorted(changed_documents) == ["things/1", "things/2"]
    changed_documents.clear()
    store.close()


def test_a_blob_that_comes_while_it_is_looked_for_is_not_an_empty_one(
    store: EmbeddedDocuments, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process stores it between the two questions."""
    content = b"some bytes"
    key, translated, asked = hashlib.sha256(content).hexdigest(), store.file.translated, list[int]()

    def later() -> object:
        asked.append(1)
        if len(asked) == 2:
            other = EmbeddedDocuments(tmp_path)
            other.put_blob(content)
            other.close()
        return translated()

    monkeypatch.setattr(store.file, "translated", later)
    with pytest.raises(LookupError):
        store.get_blob(key)
    assert store.get_blob(key) == content
    assert store.get_blob(store.put_blob(b"")) == b""
