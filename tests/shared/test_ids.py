"""Derived ids: a store that an earlier version wrote is found again."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from shared.ids import derived_id


@example(["a" * 127])
@example(["a" * 128, ""])
@example(["\x80"])
@example(["\ud800"])
@given(st.lists(st.text(max_size=200), max_size=6))
def test_an_id_is_the_hash_of_every_cause_behind_its_length(causes: list[str]) -> None:
    parts = [each.encode("utf-8", "surrogatepass") for each in causes]
    hashed = hashlib.sha256(b"".join(len(part).to_bytes(8, "big") + part for part in parts))
    assert derived_id(*causes) == hashed.hexdigest()[:32]


def test_ids_stay_as_they_are() -> None:
    assert derived_id("mail", "support", "", "0" * 64) == "560e05df721de1fd46191ffbc737bf59"
    assert derived_id("loop", "jürgen@example.com", "größe") == "f36d94241cb8bce6a13c387c20934991"


@pytest.mark.parametrize(("one", "other"), [(("ab", "c"), ("a", "bc")), (("a",), ("a", "")), ((), ("",))])
def test_causes_do_not_run_together(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    assert derived_id(*one) != derived_id(*other)
