"""Tables of phrases as patterns."""

from __future__ import annotations

import re

import pytest

from services.parser.tables import any_in_lower, any_of, phrases

TABLE = r"""
    en  undeliver(?:ed|able) | u?nknown | not (?:be )?delivered | \bfull\b | user unknown
    de  unzustellbar | zustell(?:ung|fehler)
    ru  не доставлен
"""
TEXTS = ("undelivered mail", "nknown", "it was not delivered", "mailbox full.", "unzustellbar", "не доставлен", "hello")


@pytest.mark.parametrize("text", TEXTS)
def test_phrases_grouped_by_first_letter_match_as_one_by_one(text: str) -> None:
    expected = any(re.search(phrase, text) for phrase in phrases(TABLE))
    assert bool(any_in_lower(TABLE).search(text)) is bool(any_of(TABLE).search(text)) is expected is (text != "hello")
