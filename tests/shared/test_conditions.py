"""Conditions on the values of records."""

from __future__ import annotations

from typing import Any

import pytest

from shared.conditions import Compared, holds

OLD, NEW, EMPTY = Compared("Active"), Compared("Waiting", "Active", is_change=True), Compared(None)


@pytest.mark.parametrize(
    ("condition", "value", "expected"),
    [
        ("active", OLD, True),
        ("Waiting", OLD, False),
        (("Waiting", "ACTIVE"), OLD, True),
        (None, EMPTY, True),
        (None, Compared(" "), True),
        ("", EMPTY, True),
        (None, OLD, False),
        (1, Compared("1"), True),
        ("1.0", Compared(1), True),
        (True, Compared(True), True),
        (True, Compared(1), False),
        (0, EMPTY, False),
        ({"is": ("a", "b")}, Compared("B"), True),
        ({"not": "a"}, Compared("b"), True),
        ({"not": ("a", "b")}, Compared("b"), False),
        ({"not": None}, EMPTY, False),
        ({"contains": "print"}, Compared("The Printer"), True),
        ({"contains": ("x", "print")}, Compared("The Printer"), True),
        ({"contains": "x"}, EMPTY, False),
        ({"begins": ("the", "a")}, Compared("The Printer"), True),
        ({"begins": "printer"}, Compared("The Printer"), False),
        ({"more_than": 2}, Compared(10), True),
        ({"more_than": 2}, Compared("10"), True),
        ({"less_than": 2}, Compared(2), False),
        ({"at_least": 2, "at_most": 3}, Compared(3), True),
        ({"at_least": 2, "at_most": 3}, Compared(4), False),
        ({"less_than": "2026-12-01"}, Compared("2026-11-30"), True),
        ({"less_than": 5}, EMPTY, False),
        ({"empty": True}, EMPTY, True),
        ({"empty": False}, EMPTY, False),
        ({"changed": True}, NEW, True),
        ({"changed": True}, OLD, False),
        ({"changed": False}, OLD, True),
        ({"changed": True}, Compared("Active", "active", is_change=True), False),
        ({"changed": True}, Compared("Active", None, is_change=True), True),
        ({"from": "active"}, NEW, True),
        ({"from": "active", "to": ("Waiting", "Closed")}, NEW, True),
        ({"from": "Logged"}, NEW, False),
        ({"to": "Waiting"}, Compared("Waiting", "Waiting", is_change=True), False),
    ],
)
def test_a_condition_holds_or_not(condition: Any, value: Compared, *, expected: bool) -> None:
    assert holds(condition, value) is expected
