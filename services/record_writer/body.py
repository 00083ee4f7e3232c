"""The body language: several records in one mail, and fields by name (IV-33, IV-34, IV-42).

A record marker on its own separates parts; blank parts make none. A line `Name<separator>text` sets a field; no
white space may stand before the separator. Following lines up to the next field belong to the value. A name that
the type does not have sets nothing, and its line stays text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.contracts.desk import RECORD_FIELDS, RecordType
from shared.contracts.service import FieldValue


class BadValue(ValueError):
    """A value that a field cannot hold; the message names both (Create Incident On Error shows it)."""


@dataclass(frozen=True, slots=True)
class Block:
    """One part of a body: its fields as written, and the text that is no field."""

    fields: tuple[tuple[str, str], ...]
    text: str


def parts(text: str, marker: str | None) -> list[str]:
    """The body, cut at the record marker; parts without any text are left out."""
    if not marker:
        return [text]
    return [part for part in text.split(marker) if part.strip()] or [text]


def read(text: str, separator: str | None, names: Mapping[str, str]) -> Block:
    """Fields and remaining text of one part. `names` maps folded names to the names as configured."""
    if not separator:
        return Block((), text)
    found: list[tuple[str, list[str]]] = []
    rest: list[str] = []
    for line in text.splitlines():
        name = _name(line, separator, names)
        if name is not None:
            found.append((name, [line.split(separator, 1)[1]]))
        elif found:
            found[-1][1].append(line)
        else:
            rest.append(line)
    return Block(tuple((name, "\n".join(lines).strip()) for name, lines in found), "\n".join(rest).strip())


def _name(line: str, separator: str, names: Mapping[str, str]) -> str | None:
    head, found, _ = line.partition(separator)
    if not found or head != head.rstrip():
        return None
    return names.get(head.strip().casefold())


def names_of(type_: RecordType) -> dict[str, str]:
    """What a line may begin with: the type's fields, the record's own properties, the number field."""
    return {name.casefold(): name for name in (*type_.fields, *RECORD_FIELDS, type_.number_field)}


def typed(type_: RecordType, fields: Sequence[tuple[str, str]]) -> tuple[FieldValue, ...]:
    """The fields with values of their types. Raises `BadValue`."""
    return tuple(FieldValue(name, _typed(type_.fields.get(name, "text"), name, value)) for name, value in fields)


def _typed(kind: str, name: str, value: str) -> str | int | float | bool | None:
    text = value.strip()
    match kind:
        case "number":
            return _number(name, text)
        case "boolean":
            return _boolean(name, text)
        case "date":
            return _date(name, text)
    return value


def _number(name: str, text: str) -> int | float | None:
    if not text:
        return None
    try:
        number = float(text.replace(" ", ""))
        if number.is_integer() and abs(number) < 1 << 53:
            return int(number)
        if number - number == 0:
            return number
    except ValueError:
        pass
    raise BadValue(f"the field {name} takes a number, not {text!r}")


def _boolean(name: str, text: str) -> bool | None:
    words = {"true": True, "yes": True, "1": True, "on": True, "false": False, "no": False, "0": False, "off": False}
    if text and text.casefold() not in words:
        raise BadValue(f"the field {name} takes yes or no, not {text!r}")
    return words.get(text.casefold())


def _date(name: str, text: str) -> str | None:
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).isoformat()
    except ValueError:
        raise BadValue(f"the field {name} takes a date such as 2026-11-20, not {text!r}") from None
