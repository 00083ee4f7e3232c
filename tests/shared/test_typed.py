"""What a value may be, by the type of its field, as a table."""

from __future__ import annotations

from typing import Any

import pytest

from shared.config.model import RecordType
from shared.typed import MAX_VALUES, BadValue, typed

TYPE = RecordType(
    "change",
    prefix="CHG",
    fields={"Summary": "text", "Details": "text", "Amount": "number", "Due": "date", "Urgent": "boolean"},
)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("Amount", "2", 2),
        ("Amount", " -2 500 ", -2500),
        ("Amount", "2.5", 2.5),
        ("Amount", "", None),
        ("Amount", "123456789012345", 123456789012345),
        ("Amount", "-2\u202f500\u00a0000", -2500000),
        ("Amount", "1e3", 1000),
        ("Amount", ".5", 0.5),
        ("Amount", "１２", 12),
        ("Amount", "9007199254740993", 9007199254740993),
        ("Due", "2026-11-20", "2026-11-20"),
        ("Due", "2026-11-20 10:00", "2026-11-20T10:00:00"),
        ("Due", "2026-11-20T00:30+02:00", "2026-11-19T22:30:00+00:00"),
        ("Due", "2026-11-20T10:00Z", "2026-11-20T10:00:00+00:00"),
        ("Due", "", None),
        ("Urgent", "Yes", True),
        ("Urgent", "y", True),
        ("Urgent", "off", False),
        ("Urgent", "", None),
        ("Summary", " 2 ", " 2 "),
        ("Status", "aCTIVE", "Active"),
    ],
)
def test_a_value_has_the_type_of_its_field(name: str, text: str, value: Any) -> None:
    (found,) = typed(TYPE, [(name, text)])
    assert found.value == value
    assert type(found.value) is type(value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Amount", "two"),
        ("Amount", "nan"),
        ("Amount", "1e999"),
        ("Amount", "1,5"),
        ("Amount", "1_000"),
        ("Amount", "12 34"),
        ("Amount", "0x10"),
        ("Amount", "1234567890123456789"),
        ("Due", "0001-01-01T00:00+02:00"),
        ("Due", "tomorrow"),
        ("Urgent", "maybe"),
        ("Status", "Gone"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_the_names_of_both(name: str, text: str) -> None:
    with pytest.raises(BadValue) as refused:
        typed(TYPE, [(name, text)])
    assert name in str(refused.value)
    assert repr(text) in str(refused.value)


def test_a_long_bad_value_is_shortened_in_the_message() -> None:
    with pytest.raises(BadValue) as refused:
        typed(TYPE, [("Amount", "x" * 10_000)])
    assert len(str(refused.value)) < 200


def test_fields_beyond_what_a_record_takes_are_refused() -> None:
    with pytest.raises(BadValue, match="at most"):
        typed(TYPE, [("Summary", "x" * (MAX_VALUES // 2)), ("Details", "x" * (MAX_VALUES // 2 + 1))])
