"""Dataclass ↔ plain data: names, defaults and dialects; `test_codec` holds what is refused on the wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

import pytest

from shared.contracts.errors import Undecodable
from shared.contracts.mapping import SPARSE, STORE, WIRE, Dialect, from_plain, named, to_plain

NOON = datetime(2024, 5, 14, 12, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A part."""

    word: str
    count: int = 0


@dataclass(frozen=True, slots=True)
class Row:
    """One field of each kind that rows have."""

    id: str = field(metadata=named("_id"))
    at: datetime
    from_: str | None = None
    ratio: float = 0.5
    open: bool = True
    kind: Literal["a", "b"] = "a"
    value: str | int | None = None
    words: tuple[str, ...] = ()
    leaves: tuple[Leaf, ...] = ()
    leaf: Leaf | None = None
    below: tuple[Row, ...] = ()
    seen_at: tuple[datetime, ...] = ()
    fields: Mapping[str, Any] = field(default_factory=dict)
    anything: Any = None


@dataclass(frozen=True, slots=True)
class Single:
    """A part with one member."""

    word: str


FULL = Row(
    id="r1",
    at=NOON,
    from_="zoe@shop.example",
    ratio=2.5,
    open=False,
    kind="b",
    value=7,
    words=("one", "two"),
    leaves=(Leaf("x"), Leaf("y", 2)),
    leaf=Leaf("z"),
    below=(Row("r2", NOON),),
    seen_at=(NOON,),
    fields={"Impact": "high"},
    anything={"free": [1]},
)
DIALECTS = pytest.mark.parametrize("dialect", [WIRE, SPARSE, STORE], ids=["wire", "sparse", "store"])


@DIALECTS
@pytest.mark.parametrize("row", [FULL, Row("r2", NOON)], ids=["all members", "defaults"])
def test_plain_data_gives_the_same_value_again(row: Row, dialect: Dialect) -> None:
    assert from_plain(Row, dialect)(to_plain(Row, dialect)(row)) == row


@DIALECTS
def test_a_class_with_one_member_is_mapped_too(dialect: Dialect) -> None:
    assert to_plain(Single, dialect)(Single("x")) == {"word": "x"}
    assert from_plain(Single, dialect)({"word": "x"}) == Single("x")


def test_members_have_their_plain_names() -> None:
    plain = to_plain(Row, STORE)(FULL)
    assert plain["_id"] == "r1"
    assert plain["from"] == "zoe@shop.example"
    assert {"id", "from_"}.isdisjoint(plain)


def test_times_are_native_in_the_store_and_text_on_the_wire() -> None:
    assert to_plain(Row, STORE)(FULL)["at"] == NOON
    assert to_plain(Row, WIRE)(FULL)["at"] == "2024-05-14T12:00:00+00:00"
    assert to_plain(Row, WIRE)(FULL)["seen_at"] == ["2024-05-14T12:00:00+00:00"]


def test_parts_become_plain_data() -> None:
    plain = to_plain(Row, STORE)(FULL)
    assert plain["leaves"] == [{"word": "x", "count": 0}, {"word": "y", "count": 2}]
    assert plain["words"] == ["one", "two"]
    assert plain["below"][0]["_id"] == "r2"


@DIALECTS
def test_absent_members_take_their_defaults_and_unknown_ones_are_ignored(dialect: Dialect) -> None:
    at = to_plain(Row, dialect)(FULL)["at"]
    assert from_plain(Row, dialect)({"_id": "r2", "at": at, "pending": [1], "id": "other"}) == Row("r2", NOON)


def test_a_default_that_is_made_is_made_anew_for_each_value() -> None:
    read = from_plain(Row, STORE)
    first, second = read({"_id": "1", "at": NOON}), read({"_id": "2", "at": NOON})
    assert first.fields == {}
    assert first.fields is not second.fields


@DIALECTS
def test_a_missing_member_is_named_with_its_place(dialect: Dialect) -> None:
    at = to_plain(Row, dialect)(FULL)["at"]
    with pytest.raises(Undecodable, match=r"^Row has no _id$"):
        from_plain(Row, dialect)({"at": at})
    with pytest.raises(Undecodable, match=r"^Row.leaves\[1\] has no word$"):
        from_plain(Row, dialect)({"_id": "1", "at": at, "leaves": [{"word": "x"}, {}]})


@pytest.mark.parametrize(
    ("member", "wrong", "says"),
    [
        ("at", "yesterday", "Row.at must be a time as in ISO 8601"),
        ("at", 7, "Row.at must be text"),
        ("ratio", "half", "Row.ratio must be a number"),
        ("ratio", True, "Row.ratio must be a number"),
        ("value", 1.5, "Row.value must be text or must be a whole number from 0 to 2^63-1"),
        ("fields", [], "Row.fields must be a JSON object"),
        ("below", [{"_id": "1", "at": 7}], "Row.below[0].at must be text"),
    ],
)
def test_the_wire_is_checked(member: str, wrong: object, says: str) -> None:
    with pytest.raises(Undecodable) as raised:
        from_plain(Row, WIRE)({"_id": "1", "at": NOON.isoformat(), member: wrong})
    assert str(raised.value) == says


def test_the_store_is_trusted() -> None:
    assert from_plain(Row, STORE)({"_id": "1", "at": NOON, "ratio": "half"}).ratio == "half"  # type: ignore[comparison-overlap]


def test_a_dialect_adds_types_of_its_own() -> None:
    reversed_text = Dialect(checked=False, write={str: lambda text: text[::-1]}, read={str: lambda text: text[::-1]})
    assert to_plain(Leaf, reversed_text)(Leaf("abc")) == {"word": "cba", "count": 0}
    assert from_plain(Leaf, reversed_text)({"word": "cba"}) == Leaf("abc")


def test_the_sparse_dialect_leaves_out_what_has_its_default() -> None:
    """Not what is made anew for each value: such a default is not compared."""
    assert to_plain(Row, SPARSE)(Row("r2", NOON)) == {"_id": "r2", "at": NOON.isoformat(), "fields": {}}
    assert to_plain(Row, SPARSE)(Row("r2", NOON, leaf=Leaf("x"), words=("a",), open=False)) == {
        "_id": "r2",
        "at": NOON.isoformat(),
        "leaf": {"word": "x"},
        "words": ["a"],
        "open": False,
        "fields": {},
    }
    assert to_plain(Row, SPARSE)(FULL) == to_plain(Row, WIRE)(FULL) | {
        "leaves": [{"word": "x"}, {"word": "y", "count": 2}],
        "leaf": {"word": "z"},
        "below": [{"_id": "r2", "at": NOON.isoformat(), "fields": {}}],
    }


def test_a_tuple_is_mapped_on_its_own() -> None:
    assert to_plain(tuple[Leaf, ...])((Leaf("x"),)) == [{"word": "x", "count": 0}]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keywords:
    """A row whose first member has a default."""

    open: bool = True
    word: str


@pytest.mark.parametrize("dialect", [STORE, WIRE])
def test_fields_that_are_given_by_name_only_are_read(dialect: Dialect) -> None:
    assert from_plain(Keywords, dialect)({"word": "a"}) == Keywords(word="a")
