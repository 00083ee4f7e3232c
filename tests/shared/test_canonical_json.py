"""JSON that Postroom wrote itself is told from any other, which is read strictly."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared import canonical_json
from shared.contracts import codec

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 53) + 1, (1 << 53) - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_what_it_wrote_is_read_as_any_reader_reads_it(value: Any) -> None:
    body = canonical_json.write(value)
    assert body == json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    assert canonical_json.read(body) == value
    assert codec.loads(body) == value


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": 1}',
        b'{"a":1}\n',
        b'{"a":"\\u0041"}',
        b'{"a":"\\/"}',
        '\ufeff{"a":1}'.encode(),
        '{"a":1}'.encode("utf-16"),
        b'{"a":1,"a":1}',
        b'{"b":{"a":1,"a":2}}',
        b'{"a":NaN}',
        b'{"a":-Infinity}',
        b'{"a":-0}',
        b'{"a":1e2}',
        b'{"a":1e400}',
        b'{"a":9007199254740992}',
        b'{"a":9223372036854775808}',
        b'{"a":' + b"9" * 5000 + b"}",
        b'{"a":"\\ud800"}',
        b'{"a":"\xff"}',
        b'{"a":1',
        b'{"a":1}{"a":1}',
        b"[" * 900 + b"]" * 900,
        b"[" * 100_000 + b"]" * 100_000,
        b"",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_what_it_would_write_in_another_way_is_not_its_own(body: bytes) -> None:
    assert canonical_json.read(body) is canonical_json.NOT_CANONICAL


def test_json_of_others_is_read_too() -> None:
    assert codec.loads(b'{ "a" : [1, "\\u0041", 9007199254740992] }') == {"a": [1, "A", 9007199254740992]}


@pytest.mark.parametrize(
    "value",
    [{"a": "\ud800"}, {"a": 1 << 64}, {1: "a"}, {"a": object()}],
    ids=["lone-surrogate", "65-bits", "key-is-a-number", "object"],
)
def test_what_json_cannot_say_is_not_written(value: Any) -> None:
    with pytest.raises(TypeError):
        canonical_json.write(value)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")], ids=str)
def test_a_number_that_is_not_finite_is_not_written_as_null(number: float) -> None:
    for value in (number, {"a": number}, {"a": [None, {"b": (number,)}]}):
        with pytest.raises(ValueError, match="is not a finite number"):
            canonical_json.write(value)
    assert canonical_json.write({"null": [None, 0.5, ("null",)]}) == b'{"null":[null,0.5,["null"]]}'
