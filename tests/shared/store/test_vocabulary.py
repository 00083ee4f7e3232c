"""The reference meaning of the vocabulary by itself; what it means in a store, tests/conformance proves."""

from __future__ import annotations

import re
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.errors import Unsupported
from shared.store import vocabulary
from shared.store.vocabulary import (
    MAX_DEPTH,
    MISSING,
    _document_key,
    apply,
    check_change,
    check_document,
    check_filter,
    equal,
    matches,
    path_of,
    sort_documents,
    values_at,
)

NAMES = st.sampled_from(["a", "b", "c"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5).filter(lambda text: text.encode("utf-8", "ignore").decode() == text)
    | st.datetimes(timezones=st.just(UTC))
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=4).map(lambda fields: check_document({"_id": "d", **fields}))
FIELDS = st.lists(NAMES, min_size=1, max_size=3).map(".".join)
OPERATIONS = st.one_of(
    st.tuples(st.sampled_from(["$set", "$push", "$addToSet", "$unset"]), st.dictionaries(FIELDS, VALUES, max_size=2)),
    st.tuples(st.just("$pull"), st.dictionaries(FIELDS, st.dictionaries(FIELDS, SCALARS), max_size=2)),
    st.tuples(st.just("$inc"), st.dictionaries(FIELDS, st.integers(-10, 10), max_size=2)),
)


@given(VALUES)
def test_checking_twice_changes_nothing_more(value: Any) -> None:
    once = check_document({"_id": "d", "value": value})
    assert check_document(once) == once
    assert equal(check_document(once), once)


@given(DOCUMENTS)
def test_what_is_checked_is_a_copy(document: dict[str, Any]) -> None:
    copy = check_document(document)
    before = deepcopy(document)
    for value in copy.values():
        if isinstance(value, list | dict):
            value.clear()
    assert document == before


@given(DOCUMENTS, st.lists(OPERATIONS, min_size=1, max_size=3).map(dict))
def test_a_change_leaves_the_document_before_it_alone(document: dict[str, Any], change: Any) -> None:
    before = deepcopy(document)
    try:
        after = apply(document, check_change(change))
    except ValueError:
        assert document == before
        return
    assert document == before
    assert check_document(after)["_id"] == "d"


@given(DOCUMENTS, FIELDS, VALUES)
def test_a_document_matches_what_was_set(document: dict[str, Any], field: str, value: Any) -> None:
    try:
        after = apply(document, check_change({"$set": {field: value}}))
    except ValueError:
        return
    assert matches(after, check_filter({field: value}))


@given(DOCUMENTS, FIELDS, VALUES)
def test_a_choice_of_one_value_is_that_value(document: dict[str, Any], field: str, value: Any) -> None:
    assert matches(document, check_filter({field: {"$in": [value]}})) == matches(document, check_filter({field: value}))


@given(st.lists(VALUES, max_size=12))
def test_any_values_can_be_sorted_both_ways(values: list[Any]) -> None:
    documents = [check_document({"_id": str(n), "value": value}) for n, value in enumerate(values)]
    for direction in (1, -1):
        ordered = sort_documents(documents, (("value", direction),))
        keys = [*map(_document_key(("value",), direction), ordered)]
        assert keys == sorted(keys, reverse=direction < 0)


@given(DOCUMENTS, FIELDS)
def test_a_missing_field_is_said_once(document: dict[str, Any], field: str) -> None:
    found = values_at({"_id": document["_id"]}, path_of(field))
    assert found == [MISSING]


def test_an_unchanged_document_is_the_very_same() -> None:
    document = {"_id": "d", "list": [1], "inner": {"a": 1}}
    change = check_change({"$unset": {"other": ""}, "$pull": {"list": {"b": 2}}, "$addToSet": {"inner.b.c": 1}})
    assert apply(document, check_change({"$unset": {"other": ""}, "$pull": {"list": {"b": 2}}})) is document
    assert apply(document, change)["list"] is document["list"]


def test_nesting_is_allowed_to_the_bound() -> None:
    value: Any = "core"
    for _ in range(MAX_DEPTH - 1):
        value = [value]
    assert check_document({"_id": "d", "value": value})
    with pytest.raises(ValueError, match="value: nested"):
        check_document({"_id": "d", "value": [value]})


def test_a_list_that_holds_itself_is_refused() -> None:
    endless: list[Any] = []
    endless.append(endless)
    with pytest.raises(ValueError, match="nested"):
        check_document({"_id": "d", "value": endless})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"inner": {"when": datetime(2024, 1, 1)}}, "when"),
        ({"list": [1, b"x"]}, "list"),
        ({"big": 2**64}, "big"),
        ({"text": "\ud800"}, "text"),
        ({"left": timedelta(1)}, "timedelta"),
    ],
)
def test_a_refusal_names_the_field(value: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, Unsupported), match=message):
        check_document({"_id": "d", **value})


def test_a_refusal_of_a_surrogate_can_itself_be_printed() -> None:
    with pytest.raises(Unsupported) as caught:
        check_filter({"\ud800": 1})
    str(caught.value).encode()


def test_documents_with_known_keys_have_their_values_checked() -> None:
    for _ in range(2):
        assert check_document({"_id": "a", "known": 1}) == {"_id": "a", "known": 1}
    with pytest.raises(ValueError, match="known: the integer does not fit 64 bits"):
        check_document({"_id": "a", "known": 1 << 64})
    for _ in range(2):
        with pytest.raises(Unsupported, match=re.escape("'$bad' cannot be the name of a field")):
            check_document({"_id": "a", "$bad": 1})


def test_the_keys_that_are_remembered_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vocabulary, "_MOST_KNOWN_KEYS", 3)
    for number in range(10):
        check_document({"_id": "a", f"field{number}": 1})
        assert number == 0 or len(vocabulary._known_keys) <= 3
