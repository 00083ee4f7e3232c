"""What every adapter of the document port keeps, finds, changes and refuses.

Where the port's docstring is silent, this suite is the decision.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from shared.contracts.errors import Unsupported
from shared.store.vocabulary import MAX_DEPTH

if TYPE_CHECKING:
    from shared.store.documents import Change, Documents
    from tests.servers.documents import Place

NOON = datetime(2024, 2, 29, 12, 0, 0, 123000, tzinfo=UTC)


class Colour(StrEnum):
    RED = "red"


def nested(levels: int) -> Any:
    value: Any = "core"
    for _ in range(levels):
        value = {"in": value}
    return value


def ids(documents: Documents, where: Any, **how: Any) -> list[str]:
    return [document["_id"] for document in documents.find("things", where, **how)]


def fill(documents: Documents, **values: Any) -> None:
    """One document for each value, under `value`; `...` leaves the field out."""
    for id_, value in values.items():
        documents.insert("things", {"_id": id_} if value is ... else {"_id": id_, "value": value})


# --- what is kept ----------------------------------------------------------------------------------------

KEPT: list[Any] = [
    None,
    True,
    False,
    0,
    -1,
    2**31,
    2**53 + 1,
    2**63 - 1,
    -(2**63),
    1.5,
    1.0,
    -2.5e-300,
    "",
    "line\nbreak\ttab",
    "nul\0inside",
    "naïve Grüße 漢字 😀",
    "\ufeff\uffff\U0010ffff",
    "$gt",
    "a.b",
    [],
    {},
    [None, [1, [2]], {"a": []}],
    {"b": 1, "a": {"z": None}},
    NOON,
    datetime(1, 1, 1, tzinfo=UTC),
    datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=UTC),
]


@pytest.mark.parametrize("value", KEPT, ids=repr)
def test_a_value_comes_back_as_it_was_with_its_type(documents: Documents, value: Any) -> None:
    assert documents.insert("things", {"_id": "a", "value": value})
    found = documents.get("things", "a")
    assert found == {"_id": "a", "value": value}
    assert type(found["value"]) is type(value)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (datetime(2024, 1, 1, 12, 0, 0, 123999, tzinfo=UTC), datetime(2024, 1, 1, 12, 0, 0, 123000, tzinfo=UTC)),
        (datetime(1969, 7, 20, 20, 17, 40, 999, tzinfo=UTC), datetime(1969, 7, 20, 20, 17, 40, tzinfo=UTC)),
        (datetime(2024, 1, 1, 1, tzinfo=timezone(timedelta(hours=2))), datetime(2023, 12, 31, 23, tzinfo=UTC)),
        ((1, (2, "x")), [1, [2, "x"]]),
        (Colour.RED, "red"),
    ],
    ids=["microseconds", "microseconds before 1970", "another zone", "tuples", "enumeration"],
)
def test_a_value_is_kept_in_its_normal_form(documents: Documents, given: Any, kept: Any) -> None:
    documents.insert("things", {"_id": "a", "value": given})
    assert documents.get("things", "a") == {"_id": "a", "value": kept}
    assert documents.upsert("things", "b", {"$set": {"value": given}}) == {"_id": "b", "value": kept}
    assert ids(documents, {"value": given}) == ["a", "b"]


def test_a_time_comes_back_in_utc(documents: Documents) -> None:
    documents.insert("things", {"_id": "a", "at": NOON.astimezone(timezone(timedelta(hours=-7)))})
    found = documents.get("things", "a")
    assert found is not None
    assert found["at"].tzinfo is UTC


def test_keys_keep_their_order(documents: Documents) -> None:
    documents.insert("things", {"_id": "a", "z": 1, "a": {"y": 1, "b": 2}})
    found = documents.get("things", "a")
    assert found is not None
    assert (list(found), list(found["a"])) == (["_id", "z", "a"], ["y", "b"])


def test_what_was_read_or_written_is_nobody_elses(documents: Documents) -> None:
    mine: dict[str, Any] = {"_id": "a", "list": [1]}
    documents.insert("things", mine)
    mine["list"].append(2)
    read = documents.get("things", "a")
    assert read is not None
    read["list"].append(3)
    assert documents.get("things", "a") == {"_id": "a", "list": [1]}


def test_a_document_of_a_megabyte_is_kept(documents: Documents) -> None:
    big = {"_id": "a", "texts": ["ä" * 1000] * 500, "rows": [{"n": n, "at": NOON} for n in range(2000)]}
    documents.insert("things", big)
    assert documents.get("things", "a") == big


def test_a_document_beyond_sixteen_megabytes_is_refused(documents: Documents) -> None:
    with pytest.raises(ValueError, match=r"."):
        documents.insert("things", {"_id": "a", "text": "x" * (17 * 1024 * 1024)})
    assert documents.get("things", "a") is None


# --- what is refused -------------------------------------------------------------------------------------

REFUSED_VALUES: list[tuple[str, Any, type[Exception]]] = [
    ("an integer above 64 bits", 2**63, ValueError),
    ("an integer below 64 bits", -(2**63) - 1, ValueError),
    ("not a number", float("nan"), ValueError),
    ("infinity", float("-inf"), ValueError),
    ("a time without a zone", datetime(2024, 1, 1), ValueError),
    ("a time before the year 1", datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1))), ValueError),
    ("a lone surrogate", "half \ud83d", ValueError),
    ("a lone surrogate deep inside", {"a": [{"b": "\udc80"}]}, ValueError),
    ("too deep", nested(MAX_DEPTH + 1), ValueError),
    ("bytes", b"raw", Unsupported),
    ("a set", {1}, Unsupported),
    ("a date", NOON.date(), Unsupported),
    ("a duration", timedelta(1), Unsupported),
    ("an object", object(), Unsupported),
    ("a complex number", 1j, Unsupported),
    ("an operator from outside", {"$gt": ""}, Unsupported),
    ("an operator from outside, deep inside", {"a": [{"$where": "1"}]}, Unsupported),
    ("a dotted key", {"a.b": 1}, Unsupported),
    ("an empty key", {"": 1}, Unsupported),
    ("a key with NUL", {"a\0b": 1}, Unsupported),
    ("a key with a lone surrogate", {"\ud800": 1}, Unsupported),
    ("a number as key", {1: 1}, Unsupported),
]


@pytest.mark.parametrize(
    ("value", "error"), [row[1:] for row in REFUSED_VALUES], ids=[row[0] for row in REFUSED_VALUES]
)
@pytest.mark.parametrize("write", ["insert", "insert_many", "replace", "update", "upsert", "push"])
def test_a_value_that_cannot_be_kept_is_refused_and_nothing_is_written(
    documents: Documents, write: str, value: Any, error: type[Exception]
) -> None:
    documents.insert("things", {"_id": "there", "list": []})
    writes: dict[str, Any] = {
        "insert": lambda: documents.insert("things", {"_id": "new", "value": value}),
        "insert_many": lambda: documents.insert_many("things", [{"_id": "ok"}, {"_id": "new", "value": value}]),
        "replace": lambda: documents.replace("things", {"_id": "there", "value": value}),
        "update": lambda: documents.update("things", {"_id": "there"}, {"$set": {"value": value}}),
        "upsert": lambda: documents.upsert("things", "new", {"$set": {"value": value}}),
        "push": lambda: documents.update("things", {"_id": "there"}, {"$push": {"list": value}}),
    }
    with pytest.raises(error):
        writes[write]()
    assert list(documents.find("things", {})) == [{"_id": "there", "list": []}]


@pytest.mark.parametrize(
    ("document", "error"),
    [
        ({"name": "no id"}, ValueError),
        ({"_id": ""}, ValueError),
        ({"_id": "\ud800"}, ValueError),
        ({"_id": 7}, Unsupported),
        ({"_id": None}, Unsupported),
        ({"_id": "a", "$set": {"b": 1}}, Unsupported),
        ({"_id": "a", "b.c": 1}, Unsupported),
        ([("_id", "a")], Unsupported),
    ],
    ids=repr,
)
def test_a_document_without_a_proper_id_or_key_is_refused(
    documents: Documents, document: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        documents.insert("things", document)
    with pytest.raises(error):
        documents.replace("things", document)
    assert documents.count("things", {}) == 0


REFUSED_FILTERS: list[Any] = [
    {"$where": "true"},
    {"$or": [{"a": 1}]},
    {"$and": [{"a": 1}]},
    {"$expr": {}},
    {"a": {"$regex": "^a"}},
    {"a": {"$not": {"$gt": 1}}},
    {"a": {"$elemMatch": {"b": 1}}},
    {"a": {"$eq": 1}},
    {"a": {"$nin": [1]}},
    {"a": {"$size": 1}},
    {"a": {"$gt": 1}},
    {"a": {"$lte": 1}},
    {"a": {"$ne": 1}},
    {"a": {"$gte": 1, "b": 2}},
    {"a": {"b": {"$gte": ""}}},
    {"a": {"$in": [{"$gt": ""}]}},
    {"a": {"$in": "text"}},
    {"a": {"$gte": None}},
    {"a": {"$gte": True}},
    {"a": {"$lt": [1]}},
    {"a": {"$lt": {}}},
    {"a": {"$prefix": 1}},
    {"a": {"$exists": True}},
    {"a": b"bytes"},
    {"a..b": 1},
    {"": 1},
    {"a.$": 1},
    {"a.$b": 1},
    {"a.0": 1},
    {"a.1.b": 1},
    {7: 1},
    [("a", 1)],
]


@pytest.mark.parametrize("where", REFUSED_FILTERS, ids=repr)
def test_a_filter_outside_the_vocabulary_is_refused_loudly(documents: Documents, where: Any) -> None:
    documents.insert("things", {"_id": "a", "a": 1})
    with pytest.raises(Unsupported):
        documents.find("things", where)  # at the call, not at the first document
    with pytest.raises(Unsupported):
        documents.count("things", where)
    with pytest.raises(Unsupported):
        documents.update("things", where, {"$set": {"a": 2}})
    with pytest.raises(Unsupported):
        documents.delete("things", where)
    assert documents.get("things", "a") == {"_id": "a", "a": 1}


@pytest.mark.parametrize(
    "where",
    [{"a": "\ud800"}, {"a": 2**63}, {"a": {"$in": [datetime(2024, 1, 1)]}}, {"a": {"$prefix": "x" * 10_000}}],
    ids=["surrogate", "integer", "time", "prefix"],
)
def test_a_filter_with_a_value_that_cannot_be_kept_is_refused(documents: Documents, where: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        documents.find("things", where)


REFUSED_CHANGES: list[tuple[Any, type[Exception]]] = [
    ({}, ValueError),
    ({"a": 1}, Unsupported),
    ({"$rename": {"a": "b"}}, Unsupported),
    ({"$setOnInsert": {"a": 1}}, Unsupported),
    ({"$currentDate": {"a": True}}, Unsupported),
    ({"$mul": {"a": 2}}, Unsupported),
    ({"$set": [("a", 1)]}, Unsupported),
    ({"$set": {"a.$": 1}}, Unsupported),
    ({"$set": {"a.$[]": 1}}, Unsupported),
    ({"$set": {"$a": 1}}, Unsupported),
    ({"$set": {"a..b": 1}}, Unsupported),
    ({"$set": {"list.0": 1}}, Unsupported),
    ({"$set": {"": 1}}, Unsupported),
    ({"$push": {"list": {"$each": [1, 2]}}}, Unsupported),
    ({"$addToSet": {"list": {"$each": [1, 2]}}}, Unsupported),
    ({"$pull": {"list": {"$in": [1]}}}, Unsupported),
    ({"$pull": {"list": {"a": {"$gte": 1}}}}, Unsupported),
    ({"$pull": {"list": 1}}, Unsupported),
    ({"$inc": {"a": "1"}}, ValueError),
    ({"$inc": {"a": True}}, ValueError),
    ({"$inc": {"a": None}}, ValueError),
    ({"$set": {"_id": "other"}}, ValueError),
    ({"$unset": {"_id": ""}}, ValueError),
    ({"$set": {"a": 1}, "$inc": {"a": 1}}, ValueError),
    ({"$set": {"a": 1, "a.b": 2}}, ValueError),
    ({"$set": {"a.b.c": 1}, "$unset": {"a.b": ""}}, ValueError),
    ([{"$set": {"a": 1}}], Unsupported),
]


@pytest.mark.parametrize(("change", "error"), REFUSED_CHANGES, ids=[repr(row[0]) for row in REFUSED_CHANGES])
def test_a_change_outside_the_vocabulary_is_refused_loudly(
    documents: Documents, change: Any, error: type[Exception]
) -> None:
    before = {"_id": "a", "a": 1, "list": [1]}
    documents.insert("things", before)
    with pytest.raises(error):
        documents.update("things", {"_id": "a"}, change)
    with pytest.raises(error):
        documents.upsert("things", "a", change)
    assert list(documents.find("things", {})) == [before]


@pytest.mark.parametrize(
    "name", ["", "Records", "system.users", "fs.files", "fs", "blobs", "a$b", "1st", "a b", "x" * 65]
)
def test_a_collection_has_a_plain_name(documents: Documents, name: str) -> None:
    for ask in (
        lambda: documents.insert(name, {"_id": "a"}),
        lambda: documents.get(name, "a"),
        lambda: documents.find(name, {}),
        lambda: documents.replace(name, {"_id": "a"}),
        lambda: documents.delete(name, {}),
    ):
        with pytest.raises(Unsupported):
            ask()


@pytest.mark.parametrize("sort", [(("a", 0),), (("a", "asc"),), (("$a", 1),), (("a..b", -1),)], ids=repr)
def test_a_sort_outside_the_vocabulary_is_refused(documents: Documents, sort: Any) -> None:
    with pytest.raises(Unsupported):
        documents.find("things", {}, sort=sort)


@pytest.mark.parametrize("window", [{"limit": -1}, {"skip": -1}], ids=repr)
def test_a_negative_limit_or_skip_is_refused(documents: Documents, window: Any) -> None:
    with pytest.raises(ValueError, match="negative"):
        documents.find("things", {}, **window)


@pytest.mark.parametrize(
    ("id_", "error"), [("", ValueError), ("\udfff", ValueError), (1, Unsupported), ({"$gt": ""}, Unsupported)]
)
def test_an_id_that_cannot_be_is_refused_when_asked_for(documents: Documents, id_: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        documents.get("things", id_)
    with pytest.raises(error):
        documents.upsert("things", id_, {"$set": {"a": 1}})


# --- what a filter finds ---------------------------------------------------------------------------------

FOUND: list[tuple[str, dict[str, Any], Any, str]] = [
    # the rule, the values under `value` (`...`: no such field), the condition, the ids that match
    ("null matches null and missing", {"a": None, "b": ..., "c": 0, "d": "", "e": [], "f": [None]}, None, "a b f"),
    ("an array contains", {"a": [1, 2], "b": 1, "c": [[1]], "d": [3]}, 1, "a b"),
    ("an array equals", {"a": [1, 2], "b": [2, 1], "c": [[1, 2]], "d": [1, 2, 3]}, [1, 2], "a c"),
    ("an empty array", {"a": [], "b": [[]], "c": ..., "d": None}, [], "a b"),
    ("a document equals, in its order", {"a": {"x": 1, "y": 2}, "b": {"y": 2, "x": 1}}, {"x": 1, "y": 2}, "a"),
    ("a document in an array", {"a": [{"x": 1}], "b": {"x": 1}, "c": [{"x": 1, "y": 1}]}, {"x": 1}, "a b"),
    ("an empty document", {"a": {}, "b": {"x": 1}, "c": None}, {}, "a"),
    ("1 equals 1.0", {"a": 1, "b": 1.0, "c": "1", "d": True, "e": 1.5}, 1, "a b"),
    ("true is no number", {"a": True, "b": 1, "c": "true"}, True, "a"),
    ("false is not zero", {"a": False, "b": 0, "c": None}, 0, "b"),
    ("big integers are exact", {"a": 2**53, "b": 2**53 + 1, "c": 2**63 - 1}, 2**53 + 1, "b"),
    ("case counts", {"a": "Ann", "b": "ann", "c": "ann "}, "ann", "b"),
    ("composed and decomposed differ", {"a": "\u00e9", "b": "e\u0301"}, "\u00e9", "a"),
    ("nul is a character", {"a": "x\0y", "b": "x"}, "x\0y", "a"),
    ("one of", {"a": 1, "b": "x", "c": [3, 9], "d": 4}, {"$in": [1, "x", 9]}, "a b c"),
    ("one of, null too", {"a": 1, "b": ..., "c": None, "d": 2}, {"$in": [1, None]}, "a b c"),
    ("one of none", {"a": 1, "b": None}, {"$in": []}, ""),
    ("one of arrays", {"a": [1, 2], "b": [2]}, {"$in": [[1, 2]]}, "a"),
    ("at least, numbers only", {"a": 5, "b": 5.5, "c": "9", "d": True, "e": None, "f": NOON}, {"$gte": 5}, "a b"),
    ("less, texts only", {"a": "a", "b": "b", "c": 1, "d": None, "e": ""}, {"$lt": "b"}, "a e"),
    ("texts by code point", {"a": "Z", "b": "a", "c": "é", "d": "\uffff", "e": "😀"}, {"$gte": "\uffff"}, "d e"),
    ("times only", {"a": NOON, "b": NOON + timedelta(1), "c": 9e15, "d": "2025"}, {"$gte": NOON}, "a b"),
    ("times to the millisecond", {"a": NOON, "b": NOON - timedelta(milliseconds=1)}, {"$gte": NOON}, "a"),
    ("between", {"a": 1, "b": 2, "c": 3, "d": 4}, {"$gte": 2, "$lt": 4}, "b c"),
    ("between, of different types", {"a": 1, "b": "m"}, {"$gte": 0, "$lt": "z"}, ""),
    ("a range in an array: each bound by any element", {"a": [1, 9], "b": [5], "c": [9]}, {"$gte": 4, "$lt": 6}, "a b"),
    ("big integers in order", {"a": 2**53, "b": 2**53 + 1, "c": float(2**53)}, {"$lt": 2**53 + 1}, "a c"),
    (
        "a prefix",
        {"a": "CHG12", "b": "chg1", "c": "xCHG", "d": ["x", "CHGs"], "e": 5, "f": "CHG"},
        {"$prefix": "CHG"},
        "a d f",
    ),
    ("an empty prefix: any text", {"a": "", "b": "x", "c": 1, "d": None}, {"$prefix": ""}, "a b"),
    ("a prefix is not a pattern", {"a": "a.*b", "b": "axxb", "c": "a.*"}, {"$prefix": "a.*"}, "a c"),
    ("a prefix and another condition", {"a": "CHG1", "b": "CHG2"}, {"$prefix": "CHG", "$gte": "CHG2"}, "b"),
    ("a prefix does not look past a line", {"a": "x\nab", "b": "ab"}, {"$prefix": "ab"}, "b"),
]


@pytest.mark.parametrize(("rule", "values", "condition", "expected"), FOUND, ids=[row[0] for row in FOUND])
@pytest.mark.parametrize("field", ["value", "outer.value"])
def test_a_filter_finds(
    documents: Documents, place: Place, field: str, rule: str, values: Any, condition: Any, expected: str
) -> None:
    for id_, value in values.items():
        inner = {} if value is ... else {"value": value}
        documents.insert("things", {"_id": id_, **inner} if field == "value" else {"_id": id_, "outer": inner})
    with place.may_differ(rule):
        found = sorted(ids(documents, {field: condition}))
        assert (found, documents.count("things", {field: condition})) == (expected.split(), len(found))
        if not isinstance(condition, dict):
            assert sorted(ids(documents, {field: {"$in": [condition]}})) == found


@pytest.mark.parametrize(
    "text",
    [
        r".^$*+?()[]{}|\/-#&~ ",
        "a\\Eb\\Q",
        "[CHG#12]",
        "(?i)x",
        "line\nnext\r\n\ttab\v\f",
        "nul\0nul",
        "\x7f\x01",
        "ß漢😀",
        "%_*?",
    ],
    ids=repr,
)
def test_a_prefix_with_special_characters_is_taken_literally(documents: Documents, text: str) -> None:
    fill(documents, exact=text, longer=text + "more", shorter=text[:-1], upper=f"x{text}", other="unrelated")
    assert sorted(ids(documents, {"value": {"$prefix": text}})) == ["exact", "longer"]


@pytest.mark.parametrize("last", ["a", "\x7f", "\ud7ff", "\ue000", "\uffff", "\U00010000", "\U0010ffff"], ids=ascii)
def test_a_prefix_of_ids_ends_with_the_last_that_begins_so(documents: Documents, last: str) -> None:
    prefix = "mail-" + last
    wanted = [prefix, prefix + "\x01", prefix + "z", prefix + "\U0010ffff"]
    for id_ in (*wanted, "mail-", "mail-A", "mail-b", "mail.", "mails"):
        documents.insert("things", {"_id": id_})
    assert sorted(ids(documents, {"_id": {"$prefix": prefix}})) == sorted(wanted)
    assert documents.count("things", {"_id": {"$prefix": prefix}}) == len(wanted)


def test_the_longest_prefix_is_found(documents: Documents) -> None:
    fill(documents, a="ä." * 4096 + "z", b="ä." * 4095)
    assert ids(documents, {"value": {"$prefix": "ä." * 4096}}) == ["a"]


PATHS: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    # the rule, the values of `a`, the filter, the ids that match
    ("through documents", {"x": {"b": 1}, "y": {"b": 2}, "z": 1}, {"a.b": 1}, "x"),
    ("through an array of documents", {"x": [{"b": 1}, {"b": 2}], "y": [{"b": 2}], "z": []}, {"a.b": 1}, "x"),
    ("two fields, any elements", {"x": [{"b": 1, "c": 2}, {"b": 2, "c": 1}]}, {"a.b": 1, "a.c": 1}, "x"),
    ("missing below a value", {"x": 1, "y": {"b": 1}, "z": {}, "w": None}, {"a.b": None}, "w x z"),
    ("missing in one element", {"x": [{"b": 1}, {}], "y": [{"b": 1}]}, {"a.b": None}, "x"),
    ("an array of values has no fields", {"x": [1, 2], "y": []}, {"a.b": None}, ""),
    ("an array in a document in an array", {"x": [{"b": [1, 2]}], "y": [{"b": 3}]}, {"a.b": 2}, "x"),
    ("no array in an array", {"x": [[{"b": 1}]], "y": [{"b": 1}]}, {"a.b": 1}, "y"),
]


@pytest.mark.parametrize(("rule", "values", "where", "expected"), PATHS, ids=[row[0] for row in PATHS])
def test_a_dotted_field_leads(
    documents: Documents, place: Place, rule: str, values: Any, where: Any, expected: str
) -> None:
    for id_, value in values.items():
        documents.insert("things", {"_id": id_, "a": value})
    with place.may_differ(rule):
        assert sorted(ids(documents, where)) == expected.split()


def test_an_empty_filter_matches_everything_and_all_fields_must_match(documents: Documents) -> None:
    documents.insert_many("things", [{"_id": "a", "x": 1, "y": 1}, {"_id": "b", "x": 1, "y": 2}])
    assert sorted(ids(documents, {})) == ["a", "b"]
    assert ids(documents, {"x": 1, "y": 2}) == ["b"]
    assert ids(documents, {"_id": {"$in": ["b", "zz"]}}) == ["b"]
    assert ids(documents, {"_id": {"$prefix": "a"}, "x": 1}) == ["a"]


def test_counting_ends_at_the_limit(documents: Documents) -> None:
    documents.insert_many("things", [{"_id": str(number), "x": number % 2} for number in range(10)])
    assert [documents.count("things", {"x": 1}, most) for most in (0, 3, 5, 9)] == [5, 3, 5, 5]
    assert documents.count("things", {"_id": {"$prefix": ""}}, 4) == 4
    with pytest.raises(ValueError, match="negative"):
        documents.count("things", {}, -1)


def test_collections_do_not_know_of_each_other(documents: Documents) -> None:
    documents.insert("things", {"_id": "a"})
    assert documents.get("others", "a") is None
    assert list(documents.find("others", {})) == []
    assert documents.count("others", {}) == 0
    assert documents.delete("others", {}) == 0
    assert not documents.update("others", {"_id": "a"}, {"$set": {"x": 1}})


# --- order -----------------------------------------------------------------------------------------------

IN_ORDER: list[Any] = [
    [],
    None,
    -(2**63),
    -1.5,
    0,
    1,
    2**53,
    2**53 + 1,
    "",
    "A",
    "a",
    "aa",
    "é",
    "\uffff",
    "😀",
    {},
    {"a": 1},
    {"a": 2},
    {"b": 1},
    {"a": "x"},
    False,
    True,
    datetime(1969, 1, 1, tzinfo=UTC),
    NOON,
]


def test_values_sort_in_mongodbs_order_of_types(documents: Documents, place: Place) -> None:
    for rank, value in sorted(enumerate(IN_ORDER), key=lambda item: item[0] * 7 % len(IN_ORDER)):
        documents.insert("things", {"_id": f"{rank:02}", "value": value})
    with place.may_differ("values sort in mongodb's order of types"):
        upwards = list(documents.find("things", {}, sort=(("value", 1),)))
        assert [document["value"] for document in upwards] == IN_ORDER
        downwards = list(documents.find("things", {}, sort=(("value", -1),)))
        assert [document["value"] for document in downwards] == IN_ORDER[::-1]


def test_missing_sorts_as_null_and_an_array_by_its_nearest_element(documents: Documents) -> None:
    fill(documents, missing=..., five=5, array=[1, 9], low=0, high=10)
    upwards = ids(documents, {}, sort=(("value", 1),))
    assert upwards == ["missing", "low", "array", "five", "high"]
    downwards = ids(documents, {}, sort=(("value", -1),))
    assert downwards == ["high", "array", "five", "low", "missing"]


def test_a_sort_by_several_fields_limits_and_skips_after_sorting(documents: Documents) -> None:
    rows = [{"_id": f"{n:02}", "group": n % 3, "at": NOON + timedelta(minutes=n)} for n in range(30)]
    documents.insert_many("things", rows)
    sort = (("group", -1), ("at", 1))
    expected = [row["_id"] for row in sorted(rows, key=lambda row: (-row["group"], row["at"]))]  # type: ignore[operator]
    assert ids(documents, {}, sort=sort) == expected
    assert ids(documents, {}, sort=sort, limit=5) == expected[:5]
    assert ids(documents, {}, sort=sort, skip=28) == expected[28:]
    assert ids(documents, {}, sort=sort, limit=4, skip=9) == expected[9:13]
    assert ids(documents, {"group": 1}, sort=(("sender.name", 1), ("_id", -1)), limit=1) == ["28"]


def test_a_sort_by_a_dotted_field(documents: Documents) -> None:
    for id_, name in (("a", "z"), ("b", "m"), ("c", "q")):
        documents.insert("things", {"_id": id_, "sender": {"name": name}})
    assert ids(documents, {}, sort=(("sender.name", 1),)) == ["b", "c", "a"]


def test_more_documents_than_one_answer_holds_are_all_found(documents: Documents) -> None:
    documents.insert_many("things", [{"_id": f"{n:05}", "text": "x" * 2000} for n in range(1234)])
    found = ids(documents, {}, sort=(("_id", 1),))
    assert len(found) == 1234
    assert all(one < other for one, other in pairwise(found))


def test_a_search_may_be_left_early(documents: Documents) -> None:
    documents.insert_many("things", [{"_id": f"{n:05}"} for n in range(500)])
    found = documents.find("things", {}, sort=(("_id", 1),))
    assert [next(found)["_id"], next(found)["_id"]] == ["00000", "00001"]
    del found
    assert documents.count("things", {}) == 500


# --- writing ---------------------------------------------------------------------------------------------


def test_the_first_insert_wins_and_the_second_changes_nothing(documents: Documents) -> None:
    assert documents.insert("things", {"_id": "a", "n": 1}) is True
    assert documents.insert("things", {"_id": "a", "n": 2}) is False
    assert documents.get("things", "a") == {"_id": "a", "n": 1}


def test_inserting_many_counts_the_new_ones(documents: Documents) -> None:
    documents.insert("things", {"_id": "b", "n": 0})
    new = documents.insert_many("things", [{"_id": id_, "n": n} for n, id_ in enumerate("abcda", start=1)])
    assert new == 3
    assert {d["_id"]: d["n"] for d in documents.find("things", {})} == {"a": 1, "b": 0, "c": 3, "d": 4}
    assert documents.insert_many("things", []) == 0
    assert documents.insert_many("things", [{"_id": "a"}, {"_id": "b"}]) == 0


def test_many_thousands_are_inserted_at_once(documents: Documents) -> None:
    rows = [{"_id": f"{n:05}", "n": n} for n in range(2500)]
    assert documents.insert_many("things", rows[:10]) == 10
    assert documents.insert_many("things", rows) == 2490
    assert documents.count("things", {"n": {"$gte": 0}}) == 2500


def test_an_update_changes_one_document_and_says_whether_one_matched(documents: Documents) -> None:
    documents.insert_many("things", [{"_id": "a", "n": 1}, {"_id": "b", "n": 1}])
    assert documents.update("things", {"n": 1}, {"$set": {"done": True}}) is True
    assert documents.count("things", {"done": True}) == 1
    assert documents.update("things", {"_id": "a"}, {"$set": {"n": 1}}) is True  # matched, though nothing differs
    assert documents.update("things", {"_id": "zz"}, {"$set": {"n": 1}}) is False
    assert documents.count("things", {}) == 2


def test_an_update_is_conditional_on_a_version(documents: Documents) -> None:
    documents.insert("things", {"_id": "a", "version": 1})
    change: Change = {"$set": {"text": "mine"}, "$inc": {"version": 1}}
    assert documents.update("things", {"_id": "a", "version": 1}, change)
    assert not documents.update("things", {"_id": "a", "version": 1}, {"$set": {"text": "late"}})
    assert documents.get("things", "a") == {"_id": "a", "version": 2, "text": "mine"}


def test_a_change_of_nothing_matches_and_creates(documents: Documents) -> None:
    documents.insert("things", {"_id": "a", "n": 1})
    assert documents.update("things", {"_id": "a"}, {"$set": {}}) is True
    assert documents.update("things", {"_id": "b"}, {"$set": {}}) is False
    assert documents.upsert("things", "c", {"$set": {}}) == {"_id": "c"}
    assert documents.get("things", "a") == {"_id": "a", "n": 1}


def test_an_upsert_creates_then_changes_and_returns_the_document_after(documents: Documents) -> None:
    assert documents.upsert("counters", "chg", {"$inc": {"n": 1}}) == {"_id": "chg", "n": 1}
    assert documents.upsert("counters", "chg", {"$inc": {"n": 2}, "$set": {"by": "x"}}) == {
        "_id": "chg",
        "n": 3,
        "by": "x",
    }
    assert documents.get("counters", "chg") == {"_id": "chg", "n": 3, "by": "x"}


@pytest.mark.parametrize("change", [{"$unset": {"a": ""}}, {"$pull": {"a": {"b": 1}}}], ids=repr)
def test_an_upsert_that_only_removes_creates_a_bare_document(documents: Documents, change: Change) -> None:
    assert documents.upsert("things", "new", change) == {"_id": "new"}
    assert list(documents.find("things", {})) == [{"_id": "new"}]


def test_replace_puts_the_whole_document(documents: Documents) -> None:
    documents.replace("things", {"_id": "a", "old": 1, "n": 1})
    documents.replace("things", {"_id": "a", "n": 2})
    assert list(documents.find("things", {})) == [{"_id": "a", "n": 2}]


def test_delete_removes_what_matches_and_counts(documents: Documents) -> None:
    documents.insert_many("things", [{"_id": id_, "n": n} for n, id_ in enumerate("abcd")])
    assert documents.delete("things", {"n": {"$gte": 2}}) == 2
    assert documents.delete("things", {"n": 99}) == 0
    assert sorted(ids(documents, {})) == ["a", "b"]
    assert documents.delete("things", {}) == 2
    assert documents.insert("things", {"_id": "c"})


CHANGED: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    # the rule, the document before (without _id), the change, the document after
    ("set replaces", {"a": 1}, {"$set": {"a": [1]}}, {"a": [1]}),
    ("set creates on the way", {}, {"$set": {"a.b.c": 1}}, {"a": {"b": {"c": 1}}}),
    ("set beside others", {"a": {"x": 1}}, {"$set": {"a.y": 2}}, {"a": {"x": 1, "y": 2}}),
    ("set null", {"a": 1}, {"$set": {"a": None}}, {"a": None}),
    ("several fields", {"a": 1}, {"$set": {"b": 2, "c.d": 3}, "$unset": {"a": ""}}, {"b": 2, "c": {"d": 3}}),
    ("unset", {"a": 1, "b": {"c": 1, "d": 2}}, {"$unset": {"b.c": ""}}, {"a": 1, "b": {"d": 2}}),
    ("unset what is not there", {"a": 1}, {"$unset": {"b": "", "a.b": "", "c.d": ""}}, {"a": 1}),
    ("inc", {"a": 1}, {"$inc": {"a": 2}}, {"a": 3}),
    ("inc down", {"a": 1}, {"$inc": {"a": -2}}, {"a": -1}),
    ("inc a missing field", {}, {"$inc": {"a": 2, "b.c": 1}}, {"a": 2, "b": {"c": 1}}),
    ("inc with a fraction", {"a": 1}, {"$inc": {"a": 0.5}}, {"a": 1.5}),
    ("inc beyond 32 bits", {"a": 2**31 - 1}, {"$inc": {"a": 1}}, {"a": 2**31}),
    ("inc big", {"a": 2**62}, {"$inc": {"a": 2**62 - 1}}, {"a": 2**63 - 1}),
    ("push", {"a": [1]}, {"$push": {"a": 1}}, {"a": [1, 1]}),
    ("push creates", {}, {"$push": {"a.b": 1}}, {"a": {"b": [1]}}),
    ("push an array is one element", {"a": [1]}, {"$push": {"a": [2, 3]}}, {"a": [1, [2, 3]]}),
    ("push a document", {"a": []}, {"$push": {"a": {"x": NOON}}}, {"a": [{"x": NOON}]}),
    ("add to a set", {"a": [1]}, {"$addToSet": {"a": 2}}, {"a": [1, 2]}),
    ("add to a set what is there", {"a": [1]}, {"$addToSet": {"a": 1.0}}, {"a": [1]}),
    ("add true to a set with 1", {"a": [1]}, {"$addToSet": {"a": True}}, {"a": [1, True]}),
    ("add a document to a set", {"a": [{"x": 1}]}, {"$addToSet": {"a": {"x": 1}}}, {"a": [{"x": 1}]}),
    ("add to a set creates", {}, {"$addToSet": {"a": None}}, {"a": [None]}),
    (
        "pull documents by a field",
        {"a": [{"k": 1, "x": 1}, {"k": 2}, 1]},
        {"$pull": {"a": {"k": 1}}},
        {"a": [{"k": 2}, 1]},
    ),
    ("pull documents that lack a field", {"a": [{"k": 1}, {}, 3]}, {"$pull": {"a": {"k": None}}}, {"a": [{"k": 1}, 3]}),
    ("pull from a missing field", {"b": 1}, {"$pull": {"a": {"k": 1}}}, {"b": 1}),
    ("pull below a missing field", {"b": 1}, {"$pull": {"a.c": {"k": 1}}}, {"b": 1}),
]


@pytest.mark.parametrize(("rule", "before", "change", "after"), CHANGED, ids=[row[0] for row in CHANGED])
def test_a_change_does(documents: Documents, place: Place, rule: str, before: Any, change: Any, after: Any) -> None:
    documents.insert("things", {"_id": "u", **before})
    documents.insert("things", {"_id": "o", **before})
    with place.may_differ(rule):
        assert documents.update("things", {"_id": "u"}, change)
        assert documents.get("things", "u") == {"_id": "u", **after}
        assert documents.upsert("things", "o", change) == {"_id": "o", **after}


WRONG_CHANGES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("inc a text", {"a": "1"}, {"$inc": {"a": 1}}),
    ("inc null", {"a": None}, {"$inc": {"a": 1}}),
    ("inc true", {"a": True}, {"$inc": {"a": 1}}),
    ("inc an array", {"a": [1]}, {"$inc": {"a": 1}}),
    ("push to a text", {"a": "x"}, {"$push": {"a": 1}}),
    ("push to null", {"a": None}, {"$push": {"a": 1}}),
    ("add to a field that is not a set", {"a": {}}, {"$addToSet": {"a": 1}}),
    ("pull from a text", {"a": "x"}, {"$pull": {"a": {"k": 1}}}),
    ("a field in a number", {"a": 1}, {"$set": {"a.b": 1}}),
    ("a field in null", {"a": None}, {"$set": {"a.b": 1}}),
    ("a field in an array", {"a": []}, {"$set": {"a.b": 1}}),
    ("inc in a text", {"a": {"b": "x"}}, {"$inc": {"a.b.c": 1}}),
    ("a sum beyond 64 bits", {"a": 2**63 - 1}, {"$inc": {"a": 1}}),
    ("one of two", {"a": 1, "b": "x"}, {"$set": {"a": 2}, "$inc": {"b": 1}}),
]


@pytest.mark.parametrize(("rule", "before", "change"), WRONG_CHANGES, ids=[row[0] for row in WRONG_CHANGES])
def test_a_change_that_does_not_fit_the_document_is_an_error_and_changes_nothing(
    documents: Documents, place: Place, rule: str, before: Any, change: Any
) -> None:
    documents.insert("things", {"_id": "a", **before})
    with place.may_differ(rule):
        with pytest.raises(ValueError, match=r"."):
            documents.update("things", {"_id": "a"}, change)
        with pytest.raises(ValueError, match=r"."):
            documents.upsert("things", "a", change)
        assert documents.get("things", "a") == {"_id": "a", **before}


def test_writes_in_a_batch_are_seen_inside_and_after_it(documents: Documents, place: Place) -> None:
    with documents.batch():
        assert documents.insert("things", {"_id": "a", "n": 1})
        assert not documents.insert("things", {"_id": "a", "n": 2})
        assert documents.update("things", {"_id": "a"}, {"$inc": {"n": 5}})
        assert documents.get("things", "a") == {"_id": "a", "n": 6}
        with documents.batch():
            assert documents.insert("things", {"_id": "b"})
    other = place.open()
    assert sorted(d["_id"] for d in other.find("things", {})) == ["a", "b"]
    other.close()


def test_another_connection_sees_what_was_written(documents: Documents, place: Place) -> None:
    documents.insert("things", {"_id": "a"})
    other = place.open()
    assert other.get("things", "a") == {"_id": "a"}
    other.close()
    other.close()
    documents.ping()
