"""Indexes: what is unique stays so, what is declared is used, declaring twice is harmless."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from shared.contracts.errors import Misconfigured, Unsupported
from shared.store.documents import Index
from shared.store.indexes import INDEXES
from shared.store.vocabulary import Taken, check_filter, matches, sort_documents
from tests.servers.documents import uses_index

if TYPE_CHECKING:
    from shared.store.documents import Documents
    from tests.servers.documents import Place

NUMBER = Index("things", ("type", "number"), unique=True)
KEY = Index("things", ("key",), unique=True)


def test_a_unique_value_is_taken_once(documents: Documents) -> None:
    documents.ensure([KEY])
    assert documents.insert("things", {"_id": "a", "key": "k"})
    assert not documents.insert("things", {"_id": "b", "key": "k"})
    assert documents.insert("things", {"_id": "c", "key": "K"})
    assert documents.insert_many("things", [{"_id": "d", "key": "x"}, {"_id": "e", "key": "x"}, {"_id": "a"}]) == 1
    assert documents.get("things", "b") is None


def test_a_unique_index_skips_documents_without_the_field(documents: Documents) -> None:
    documents.ensure([KEY])
    assert [documents.insert("things", {"_id": id_}) for id_ in "abc"] == [True, True, True]
    assert documents.count("things", {"key": None}) == 3


def test_null_in_a_unique_field_is_a_value(documents: Documents) -> None:
    documents.ensure([KEY])
    assert documents.insert("things", {"_id": "a", "key": None})
    assert not documents.insert("things", {"_id": "b", "key": None})


def test_a_unique_index_of_two_fields_wants_both_equal_and_both_present(documents: Documents) -> None:
    documents.ensure([NUMBER])
    assert documents.insert("things", {"_id": "a", "type": "CHG", "number": 1})
    assert documents.insert("things", {"_id": "b", "type": "CHG", "number": 2})
    assert documents.insert("things", {"_id": "c", "type": "INC", "number": 1})
    assert not documents.insert("things", {"_id": "d", "type": "CHG", "number": 1})
    assert documents.insert("things", {"_id": "e", "type": "CHG"})
    assert documents.insert("things", {"_id": "f", "type": "CHG"})
    assert documents.insert("things", {"_id": "g"})
    assert sorted(found["_id"] for found in documents.find("things", {"type": "CHG"})) == ["a", "b", "e", "f"]
    assert [found["_id"] for found in documents.find("things", {"type": "CHG", "number": 1})] == ["a"]
    assert documents.delete("things", {"_id": {"$in": ["e", "g"]}}) == 2
    assert documents.update("things", {"_id": "f"}, {"$set": {"number": 3}})
    assert not documents.insert("things", {"_id": "h", "type": "CHG", "number": 3})


def test_a_unique_value_is_free_again_when_its_document_goes_or_changes(documents: Documents) -> None:
    documents.ensure([NUMBER])
    documents.insert("things", {"_id": "a", "type": "CHG", "number": 1})
    documents.insert("things", {"_id": "b", "type": "CHG", "number": 2})
    documents.delete("things", {"_id": "a"})
    documents.update("things", {"_id": "b"}, {"$unset": {"number": ""}})
    assert documents.insert("things", {"_id": "c", "type": "CHG", "number": 1})
    assert documents.insert("things", {"_id": "d", "type": "CHG", "number": 2})
    with pytest.raises(Taken):
        documents.update("things", {"_id": "b"}, {"$set": {"number": 2}})
    assert documents.update("things", {"_id": "b"}, {"$set": {"number": 3}})
    assert documents.get("things", "b") == {"_id": "b", "type": "CHG", "number": 3}


@pytest.mark.parametrize("index", [KEY, NUMBER], ids=["one field", "two fields"])
def test_a_change_to_a_taken_unique_value_is_an_error_and_changes_nothing(documents: Documents, index: Index) -> None:
    documents.ensure([index])
    before = [{"_id": "a", "key": "x", "type": "T", "number": 1}, {"_id": "b", "key": "y", "type": "T", "number": 2}]
    documents.insert_many("things", before)
    taken = {"key": "x", "type": "T", "number": 1}
    with pytest.raises(Taken):
        documents.update("things", {"_id": "b"}, {"$set": taken})
    with pytest.raises(Taken):
        documents.upsert("things", "b", {"$set": taken})
    with pytest.raises(Taken):
        documents.upsert("things", "new", {"$set": taken})
    with pytest.raises(Taken):
        documents.replace("things", {"_id": "b", **taken})
    with pytest.raises(Taken):
        documents.replace("things", {"_id": "new", **taken})
    assert list(documents.find("things", {}, sort=(("_id", 1),))) == before


def test_replacing_a_document_may_keep_its_own_unique_value(documents: Documents) -> None:
    documents.ensure([KEY])
    documents.insert("things", {"_id": "a", "key": "x"})
    documents.replace("things", {"_id": "a", "key": "x", "n": 1})
    assert documents.upsert("things", "a", {"$set": {"key": "x", "n": 2}}) == {"_id": "a", "key": "x", "n": 2}


def test_indexes_may_be_declared_again_and_over_what_is_there(documents: Documents, place: Place) -> None:
    documents.insert_many("things", [{"_id": "a", "key": "x", "tags": ["p", "q"]}, {"_id": "b", "tags": []}])
    for _ in range(2):
        documents.ensure([KEY, Index("things", ("tags",), array=True), Index("things", ("at",))])
    other = place.open()
    other.ensure([KEY, Index("things", ("tags",), array=True), Index("things", ("at",))])
    assert [found["_id"] for found in other.find("things", {"tags": "q"})] == ["a"]
    assert not other.insert("things", {"_id": "c", "key": "x"})
    other.close()


def test_a_unique_index_over_documents_that_break_it_is_refused_in_words(documents: Documents) -> None:
    documents.insert_many("things", [{"_id": "a", "key": "x"}, {"_id": "b", "key": "x"}])
    with pytest.raises(Misconfigured, match="things"):
        documents.ensure([KEY])


@pytest.mark.parametrize(
    "index",
    [
        Index("things", ()),
        Index("things", ("a", "a")),
        Index("things", ("a", "b"), array=True),
        Index("things", ("a",), array=True, unique=True),
        Index("things", ("$a",)),
        Index("things", ("a..b",)),
        Index("Things", ("a",)),
    ],
    ids=repr,
)
def test_an_index_outside_the_vocabulary_is_refused(documents: Documents, index: Index) -> None:
    with pytest.raises(Unsupported):
        documents.ensure([index])


SCALARS: list[Any] = [
    None,
    "a",
    "b",
    "A",
    1,
    2,
    1.0,
    True,
    False,
    "ab",
    "",
    datetime(2024, 1, 1, tzinfo=UTC),
    2**62,
    ...,
]
ARRAYS: list[Any] = [*SCALARS, [], ["a", 1], [None], ["ab", "b"], [2, "a", "a"], [True]]


@pytest.mark.parametrize(
    ("index", "values"),
    [
        (None, [*ARRAYS, {"x": 1}, [{"x": 1}]]),
        (Index("things", ("value",)), SCALARS),
        (Index("things", ("value",), array=True), ARRAYS),
    ],
    ids=["none", "plain", "array"],
)
@pytest.mark.parametrize(
    "condition",
    [
        None,
        "a",
        1,
        True,
        ["a", 1],
        {"x": 1},
        {"$in": ["a", 2, None]},
        {"$in": []},
        {"$in": ["a", 2.0]},
        {"$gte": "a"},
        {"$lt": 2},
        {"$gte": 1, "$lt": 2},
        {"$gte": datetime(2023, 1, 1, tzinfo=UTC)},
        {"$prefix": "a"},
        {"$gte": "a", "$lt": "b"},
    ],
    ids=repr,
)
def test_an_index_changes_no_answer(
    documents: Documents, index: Index | None, values: list[Any], condition: Any
) -> None:
    """An indexed field never holds a document, and a list only when the index says `array`."""
    if index is not None:
        documents.ensure([index])
    rows = [{"_id": f"{n:02}"} | ({} if value is ... else {"value": value}) for n, value in enumerate(values)]
    documents.insert_many("things", rows)
    where = check_filter({"value": condition})
    expected = [row["_id"] for row in rows if matches(row, where)]
    assert sorted(found["_id"] for found in documents.find("things", where)) == expected
    assert documents.count("things", where) == len(expected)


def test_an_indexed_sort_changes_no_order(documents: Documents) -> None:
    documents.ensure([Index("things", ("value",)), Index("things", ("group", "value"))])
    values = ["b", None, 3, "a", 1.5, True, ..., 2, "B", False]
    rows = [{"_id": f"{n:02}", "group": n % 2} | ({} if v is ... else {"value": v}) for n, v in enumerate(values)]
    documents.insert_many("things", rows)
    for sort in ((("value", 1), ("_id", 1)), (("value", -1), ("_id", 1)), (("group", 1), ("value", -1), ("_id", -1))):
        assert list(documents.find("things", {}, sort=sort)) == sort_documents(rows, sort)
        assert list(documents.find("things", {}, sort=sort, skip=3, limit=4)) == sort_documents(rows, sort)[3:7]


def test_a_query_without_an_index_is_detected(documents: Documents, place: Place) -> None:
    documents.ensure([Index("things", ("type", "number")), Index("things", ("tags",), array=True)])
    documents.insert_many("things", [{"_id": f"{n:03}", "type": "T", "number": n, "tags": ["x"]} for n in range(300)])
    with place.may_differ("explain"):
        assert uses_index(documents, "things", {"_id": "007"})
        assert uses_index(documents, "things", {"type": "T", "number": 7})
        assert uses_index(documents, "things", {"type": "T", "number": {"$gte": 7}}, (("number", 1),))
        assert uses_index(documents, "things", {"tags": "x"})
        assert uses_index(documents, "things", {"type": {"$prefix": "T"}})
        assert not uses_index(documents, "things", {"colour": "red"})


@pytest.mark.parametrize("index", INDEXES, ids=lambda index: f"{index.collection}-{'-'.join(index.fields)}")
def test_every_declared_index_serves_its_query(documents: Documents, place: Place, index: Index) -> None:
    documents.ensure(INDEXES)
    *equal, last = index.fields
    where: dict[str, Any] = dict.fromkeys(equal, "x") | {last: "x"}
    with place.may_differ("explain"):
        assert uses_index(documents, index.collection, where)
        assert uses_index(documents, index.collection, dict.fromkeys(equal, "x") | {last: {"$gte": "x"}}) or index.array


def test_an_element_that_begins_so_is_found_by_the_index(documents: Documents, place: Place) -> None:
    documents.ensure([Index("things", ("words",), array=True)])
    words = {"a": ["printer", "fire"], "b": ["print"], "c": ["reprint"], "d": [], "e": ["prio"], "f": "printing"}
    documents.insert_many("things", [{"_id": id_, "words": value} for id_, value in words.items()])
    found = sorted(each["_id"] for each in documents.find("things", {"words": {"$prefix": "print"}}))
    assert found == ["a", "b", "f"]
    assert documents.count("things", {"words": {"$prefix": "print"}}) == 3
    with place.may_differ("explain"):
        assert uses_index(documents, "things", {"words": {"$prefix": "print"}})
