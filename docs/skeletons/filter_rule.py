"""A skeleton of a filter rule: mail whose subject is written in capitals only does not become a record."""

from __future__ import annotations

from services.filter.rules import Check, FilterFacts

MIN_LETTERS = 8
"""Shorter subjects may be abbreviations, such as `VPN`."""


def _shouting(facts: FilterFacts) -> str | None:
    """The objection in words that an operator can read aloud, or None."""
    letters = [each for each in facts.mail.subject if each.isalpha()]
    if len(letters) >= MIN_LETTERS and all(each.isupper() for each in letters):
        return "the subject is written in capitals only"
    return None


SHOUTING = Check("shouting", _shouting)
"""In `services/filter/rules.py`: the function, and this line in `CHECKS`, where the order of rules is the policy."""
