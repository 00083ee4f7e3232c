"""The administrator's rules as a table: what each direction matches, and for whom."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from shared.config.model import Rule
from shared.contracts.mail import Address
from shared.patterns import PatternTime
from shared.rules import is_in_force, recipient_matches

ANNA = Address("Anna Becker", "anna@customer.example")


@pytest.mark.req("TI-20")
@pytest.mark.parametrize(
    ("match", "kept_back"),
    [
        ({"sender": ("Customer.Example",)}, True),
        ({"sender": ("bob@", "anna@")}, True),
        ({"sender": ("bob@b.example, anna@",)}, True),
        ({"sender": ("becker",)}, True),
        ({"recipient": ("anna@",)}, True),
        ({"subject": ("OFFER",)}, True),
        ({"subject": ("our  offer",), "sender": ("anna\u00a0BECKER",)}, True),
        ({"sender": ("becker <anna",)}, False),
        ({"sender": ("anna@",), "subject": ("offer",)}, True),
        ({"sender": ("anna@",), "subject": ("order",)}, False),
        ({"sender": ("bob@",), "subject": ("offer",)}, False),
        ({"regex": {"subject": r"^our\s+offer"}}, True),
        ({"regex": {"recipient": r"@customer\.example>$", "subject": "order"}}, False),
        ({"regex": {"any": "anna"}}, True),
        ({"regex": {"body": "."}}, False),
        ({"sender": ("anna@",), "header": {"X-Campaign": "spring"}}, False),
        ({"sender": ("anna@",), "size": 1}, False),
        ({}, False),
    ],
)
def test_a_recipient_is_matched_as_a_sender_is_and_every_part_has_to_hold(
    match: dict[str, Any], kept_back: bool
) -> None:
    assert recipient_matches(Rule("mine", match, "outbound"), ANNA, "Our offer", PatternTime()) is kept_back


@pytest.mark.req("TI-23")
@pytest.mark.parametrize(
    ("direction", "applies_to", "asked", "roles", "in_force"),
    [
        ("inbound", "both", "inbound", None, True),
        ("inbound", "both", "outbound", None, False),
        ("outbound", "both", "inbound", None, False),
        ("both", "both", "outbound", None, True),
        ("both", "analysts", "outbound", {"analyst", "user"}, True),
        ("both", "analysts", "outbound", {"user"}, False),
        ("both", "requestors", "inbound", {"analyst"}, False),
        ("both", "requestors", "inbound", None, True),
    ],
)
def test_a_rule_is_for_a_direction_and_for_people(
    direction: Literal["inbound", "outbound", "both"],
    applies_to: Literal["analysts", "requestors", "both"],
    asked: str,
    roles: set[str] | None,
    in_force: bool,
) -> None:
    rule = Rule("mine", {"sender": ("anna@",)}, direction, applies_to)
    assert is_in_force(rule, asked, frozenset(roles) if roles else None) is in_force
