"""Conditions on the values of a record: what business rules, service levels and reports ask. Pure.

A condition is a value (equal), several (equal to one of them), or a mapping of the words of `WORDS` to what they
compare with, all of which have to hold. Texts are compared whatever their case, numbers as numbers; None means empty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from shared.lazy_dataclass import dataclass

Condition = Any
"""A scalar, a tuple of scalars, or a mapping of words to one of both."""


@dataclass(frozen=True, slots=True)
class Compared:
    """A value as it is now, and as it was before the change; `is_change`: whether there was a change at all."""

    now: object
    before: object = None
    is_change: bool = False

    @property
    def has_changed(self) -> bool:
        """Whether the change has given it another value; a value of a new record has changed from empty."""
        return self.is_change and not _same(self.now, self.before)


def holds(condition: Condition, value: Compared) -> bool:
    """Whether a value meets a condition."""
    if isinstance(condition, Mapping):
        return all(WORDS[word](value, wanted) for word, wanted in condition.items())
    return _one_of(value.now, condition)


def _one_of(value: object, wanted: object) -> bool:
    return any(_same(value, each) for each in _several(wanted))


def _several(wanted: object) -> tuple[object, ...]:
    return tuple(wanted) if isinstance(wanted, tuple | list) else (wanted,)


def _same(value: object, wanted: object) -> bool:
    if _is_empty(value) or _is_empty(wanted):
        return _is_empty(value) and _is_empty(wanted)
    numbers = _number(value), _number(wanted)
    return numbers[0] == numbers[1] if None not in numbers else _text(value) == _text(wanted)


def _is_empty(value: object) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _number(value: object) -> float | None:
    """The number of a value, as a field or as a text; True and False are none."""
    if isinstance(value, bool):
        return None
    try:
        return float(value) if isinstance(value, int | float | str) else None
    except ValueError:
        return None


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value).strip().casefold()


def _contains(value: Compared, wanted: object) -> bool:
    return any(_text(each) in _text(value.now) for each in _several(wanted)) and not _is_empty(value.now)


def _begins(value: Compared, wanted: object) -> bool:
    return not _is_empty(value.now) and _text(value.now).startswith(tuple(map(_text, _several(wanted))))


def _compares(is_so: Callable[[Any, Any], bool]) -> Callable[[Compared, object], bool]:
    """Numbers by size; other texts, such as dates, by their characters. Nothing compares with an empty value."""

    def compare(value: Compared, wanted: object) -> bool:
        if _is_empty(value.now) or _is_empty(wanted):
            return False
        numbers = _number(value.now), _number(wanted)
        return is_so(*numbers) if None not in numbers else is_so(_text(value.now), _text(wanted))

    return compare


WORDS: Final[Mapping[str, Callable[[Compared, Any], bool]]] = {
    "is": lambda value, wanted: _one_of(value.now, wanted),
    "not": lambda value, wanted: not _one_of(value.now, wanted),
    "contains": _contains,
    "begins": _begins,
    "more_than": _compares(lambda value, wanted: value > wanted),
    "less_than": _compares(lambda value, wanted: value < wanted),
    "at_least": _compares(lambda value, wanted: value >= wanted),
    "at_most": _compares(lambda value, wanted: value <= wanted),
    "empty": lambda value, wanted: _is_empty(value.now) is wanted,
    "changed": lambda value, wanted: value.has_changed is wanted,
    "from": lambda value, wanted: value.has_changed and _one_of(value.before, wanted),
    "to": lambda value, wanted: value.has_changed and _one_of(value.now, wanted),
}
"""Word → whether a value meets it. `changed`, `from` and `to` are about the change, the others about the value now."""
SWITCHES: Final = frozenset({"empty", "changed"})
"""Words that take true or false."""
LISTS: Final = frozenset({"is", "not", "contains", "begins", "from", "to"})
"""Words that take one value or several."""
SIZES: Final = frozenset({"more_than", "less_than", "at_least", "at_most"})
"""Words that compare the size of numbers, or the order of other values."""
OF_CHANGES: Final = frozenset({"changed", "from", "to"})
"""Words that need a change: a service level and a report see none."""


def words_of(condition: Condition) -> frozenset[str]:
    """The words of a condition; none when it is a value or several."""
    return frozenset(condition) if isinstance(condition, Mapping) else frozenset()


def values_of(condition: Condition) -> tuple[tuple[str, object], ...]:
    """The whole values that a condition compares with, each with its word; not parts of a text, and no switches."""
    stated = condition.items() if isinstance(condition, Mapping) else [("is", condition)]
    return tuple(
        (word, each)
        for word, wanted in stated
        if word in {"is", "not", "from", "to", *SIZES}
        for each in _several(wanted)
    )
