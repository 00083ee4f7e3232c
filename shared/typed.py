"""Convert texts to values of their fields' types: a number, a date, a switch, a status. Pure.

A text that a field cannot hold is refused with an error that names both.

Separate from the body language, because mappings, templates and operators set fields too, and from the writer,
because a configuration is checked by the same rules.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from math import isfinite
from typing import Final

from shared.config.model import RecordType
from shared.config.values import Scalar
from shared.contracts.change import FieldValue
from shared.lazy_pattern import lazy_compile

MAX_VALUES: Final = 1_000_000
"""Characters that the fields of one record take from one mail, so that it stays well below what a store holds."""
_GROUPED: Final = lazy_compile(r"(?<=\d)[ \u00a0\u202f](?=\d{3}(?!\d))")
"""Between thousands; a comma or a point there would be read otherwise elsewhere."""
_WHOLE: Final = lazy_compile(r"[-+]?\d{1,18}")
_YES: Final = frozenset({"true", "yes", "y", "1", "on"})
_NO: Final = frozenset({"false", "no", "n", "0", "off"})
_DECIMAL: Final = lazy_compile(r"[-+]?(?:\d+\.\d*|\.\d+|\d+(?=e))(?:e[-+]?\d{1,3})?", re.IGNORECASE)


class BadValue(ValueError):
    """A value that a field cannot hold; the message names both (Create Incident On Error shows it)."""


def typed(type_: RecordType, fields: Sequence[tuple[str, str]]) -> tuple[FieldValue, ...]:
    """The fields with values of their types; a status in the type's own spelling. Raises `BadValue`."""
    if sum(len(value) for _, value in fields) > MAX_VALUES:
        raise BadValue(f"the fields of one record take at most {MAX_VALUES} characters from one mail")
    return tuple(FieldValue(name, _typed(type_, name, value)) for name, value in fields)


def as_text(value: Scalar) -> str:
    """A value of a template or quick action as a body would state it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _typed(type_: RecordType, name: str, value: str) -> str | int | float | bool | None:
    text = value.strip()
    if name == "Status":
        return _status(type_, text)
    match type_.fields.get(name, "text"):
        case "number":
            return _number(name, text)
        case "boolean":
            return _boolean(name, text)
        case "date":
            return _date(name, text)
    return value


def _status(type_: RecordType, text: str) -> str:
    every = [status for _, group in type_.statuses.groups() for status in group]
    found = next((status for status in every if status.casefold() == text.casefold()), None)
    if found is None:
        raise BadValue(f"the field Status takes one of {', '.join(every)}, not {_shown(text)}")
    return found


def _number(name: str, text: str) -> int | float | None:
    if not text:
        return None
    digits = _GROUPED.sub("", text)
    if _WHOLE.fullmatch(digits):
        return int(digits)
    if _DECIMAL.fullmatch(digits) and isfinite(number := float(digits)):
        return int(number) if number.is_integer() and abs(number) < 1 << 53 else number
    raise BadValue(f"the field {name} takes a number, not {_shown(text)}")


def _boolean(name: str, text: str) -> bool | None:
    word = text.casefold()
    if word and word not in _YES | _NO:
        raise BadValue(f"the field {name} takes yes or no, not {_shown(text)}")
    return word in _YES if word else None


def _date(name: str, text: str) -> str | None:
    """A day stays a day; a time that states its zone is kept in UTC, as every time in the store."""
    if not text:
        return None
    with suppress(ValueError):
        return date.fromisoformat(text).isoformat()
    try:
        at = datetime.fromisoformat(text)
        return (at.astimezone(UTC) if at.tzinfo else at).isoformat()
    except (ValueError, OverflowError):
        raise BadValue(f"the field {name} takes a date such as 2026-11-20, not {_shown(text)}") from None


def _shown(text: str) -> str:
    """A value as a message quotes it."""
    return repr(text if len(text) <= 100 else f"{text[:99]}…")
