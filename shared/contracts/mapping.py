"""Dataclass ↔ plain data: one mapping for messages, stored documents and configuration.

A dataclass becomes a dict with one member a field; `from_` is named `from`, and `named` gives any other name. A dialect
says how values that JSON lacks are written (`datetime`), and whether reading checks types (`WIRE`: data from
elsewhere) or trusts them (`STORE`: data that this code wrote, and reads very often). Absent members take the field's
default, unknown members are ignored. The functions for a class are built once, at their first use.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from datetime import datetime
from functools import cache
from itertools import compress
from operator import attrgetter, is_not, itemgetter
from typing import Any, Final, TypeVar

from shared.contracts.errors import Undecodable
from shared.contracts.fields import Kinds, made_of, members_of, named
from shared.lazy_dataclass import dataclass

__all__ = ["SPARSE", "STORE", "WIRE", "Dialect", "from_plain", "named", "to_plain"]
T = TypeVar("T")
Convert = Callable[[Any], Any]
MAX_INTEGER: Final = (1 << 63) - 1
"""Integers in messages are counts, codes and sizes."""


@dataclass(frozen=True, slots=True, eq=False)
class Dialect:
    """How plain data is written: type → function to and from its plain form, and whether reading checks types.

    `write_object`: how a value of a dataclass is written; None: with all its fields, or, when `leaves_out_defaults`,
    with those that differ from their defaults, which reading fills in.
    """

    checked: bool
    write: Mapping[Any, Convert] = field(default_factory=dict)
    read: Mapping[Any, Convert] = field(default_factory=dict)
    write_mapping: Convert = dict
    write_object: Convert | None = None
    leaves_out_defaults: bool = False


def to_plain(cls: Any, dialect: Dialect | None = None) -> Convert:
    """The function from a value of this type to plain data."""
    return _writer(cls, dialect or WIRE)


def from_plain(cls: type[T], dialect: Dialect | None = None) -> Callable[[Any], T]:
    """The function from plain data to a value of this type. It raises `Undecodable`, which names the member."""
    return _outermost(typing.cast(Any, cls), dialect or WIRE)


class _Mismatch(Exception):
    """Plain data is not what the type says. `path` grows on the way out: steps from the innermost."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.path: list[str] = []

    def below(self, step: str) -> _Mismatch:
        self.path.append(step)
        return self


@cache
def _outermost(cls: Any, dialect: Dialect) -> Callable[[Any], Any]:
    read = _reader(cls, dialect)

    def read_whole(plain: Any) -> Any:
        try:
            return read(plain)
        except _Mismatch as mismatch:
            place = "".join([getattr(cls, "__name__", "value"), *reversed(mismatch.path)])
            raise Undecodable(f"{place} {mismatch}") from None

    return read_whole


def _same(value: Any) -> Any:
    return value


@cache
def _writer(type_: Any, dialect: Dialect) -> Convert:
    write: Convert = made_of(type_, _writing(dialect))
    return write


@cache
def _writing(dialect: Dialect) -> Kinds:
    return Kinds(
        dialect.write,
        of_class=lambda cls: dialect.write_object or _of_objects(dialect)(cls, dialect),
        of_list=_list_writer,
        of_mapping=lambda _keys, _values: dialect.write_mapping,
        of_choice=lambda _: _same,
        of_union=lambda arms, _: _optional_writer(arms[0]),
        of_other=lambda _: _same,
    )


def _of_objects(dialect: Dialect) -> Callable[[type, Dialect], Convert]:
    return _sparse_object_writer if dialect.leaves_out_defaults else _object_writer


def _list_writer(item: Convert) -> Convert:
    return list if item is _same else lambda value: [item(each) for each in value]


def _optional_writer(inner: Convert) -> Convert:
    return inner if inner is _same else lambda value: None if value is None else inner(value)


def _object_writer(cls: type, dialect: Dialect) -> Convert:
    """All fields are taken at once; then those that are written otherwise are replaced."""

    @cache
    def plan() -> tuple[list[str], Convert, list[tuple[str, Convert]]]:  # at first use: a dataclass may hold itself
        members = members_of(cls)
        writers = [(each.plain, _writer(each.type, dialect)) for each in members]
        changing = [(plain, write) for plain, write in writers if write is not _same]
        return [each.plain for each in members], _values_of(attrgetter, [each.name for each in members]), changing

    def write(value: Any) -> dict[str, Any]:
        names, values_of, changing = plan()
        plain = dict(zip(names, values_of(value), strict=True))
        for name, write_member in changing:
            plain[name] = write_member(plain[name])
        return plain

    return write


def _sparse_object_writer(cls: type, dialect: Dialect) -> Convert:
    """Most values are their defaults themselves, which is seen without looking into them."""

    @cache
    def plan() -> tuple[list[tuple[str, Any, Convert]], list[Any], Convert]:
        members = members_of(cls)
        defaults = [_NONE if each.required or each.factory else each.default for each in members]
        steps = [
            (each.plain, default, _writer(each.type, dialect)) for each, default in zip(members, defaults, strict=True)
        ]
        return steps, defaults, _values_of(attrgetter, [each.name for each in members])

    def write(value: Any) -> dict[str, Any]:
        steps, defaults, values_of = plan()
        values = values_of(value)
        others = compress(zip(steps, values, strict=True), map(is_not, values, defaults))
        return {
            name: found if write_member is _same else write_member(found)
            for (name, default, write_member), found in others
            if default is _NONE or found != default
        }

    return write


_NONE: Final = object()
"""In place of a default: the value is always written."""


@cache
def _reader(type_: Any, dialect: Dialect) -> Convert:
    read: Convert = made_of(type_, _reading(dialect))
    return read


@cache
def _reading(dialect: Dialect) -> Kinds:
    if dialect.checked:
        return Kinds(
            dialect.read,
            of_class=lambda cls: _checked_object_reader(cls, dialect),
            of_list=_list_reader,
            of_mapping=lambda _keys, _values: _mapping,
            of_choice=_choice_reader,
            of_union=_union_reader,
            of_other=lambda type_: _CHECKED.get(type_, _same),
        )
    return Kinds(
        dialect.read,
        of_class=lambda cls: _trusted_object_reader(cls, dialect),
        of_list=lambda item: tuple if item is _same else _list_reader(item),
        of_mapping=lambda _keys, _values: _same,
        of_choice=lambda _: _same,
        of_union=_union_reader,
        of_other=lambda _: _same,
    )


def _checked_object_reader(cls: type, dialect: Dialect) -> Convert:
    """Only members that are there are looked at: `SPARSE` leaves most of them out."""

    @cache
    def plan() -> tuple[dict[str, tuple[int, Convert]], list[Any], dict[str, None], list[_Made], Convert]:
        members = members_of(cls)
        readers = {each.plain: (place, _reader(each.type, dialect)) for place, each in enumerate(members)}
        made = [(place, each.plain, each.factory) for place, each in enumerate(members) if each.factory]
        required = {each.plain: None for each in members if each.required}
        return readers, [each.default for each in members], required, made, _maker(cls)

    def read(plain: Any) -> Any:
        if type(plain) is not dict:
            raise _Mismatch("must be a JSON object")
        readers, defaults, required, made, make = plan()
        if not required.keys() <= plain.keys():
            raise _Mismatch(f"has no {next(each for each in required if each not in plain)}")
        values = defaults.copy()
        for member, value in plain.items():
            if member in readers:
                place, read_member = readers[member]
                try:
                    values[place] = read_member(value)
                except _Mismatch as mismatch:
                    raise mismatch.below(f".{member}") from None
        for place, member, factory in made:
            if member not in plain:
                values[place] = factory()
        return make(values)

    return read


_Made = tuple[int, str, Callable[[], Any]]
"""A default that is made: its place among the fields, its member, how it is made."""


def _trusted_object_reader(cls: type, dialect: Dialect) -> Convert:
    """Defaults and document are merged and all members taken at once: a row of 25 members in a few µs."""

    @cache
    def plan() -> tuple[dict[str, Any], Convert, list[_Change], Convert]:
        members = members_of(cls)
        defaults = {each.plain: None if each.factory else each.default for each in members if not each.required}
        changes: list[_Change] = [
            (place, each.plain, _reader(each.type, dialect), each.factory) for place, each in enumerate(members)
        ]
        changing = [each for each in changes if each[2] is not _same or each[3]]
        return defaults, _values_of(itemgetter, [each.plain for each in members]), changing, _maker(cls)

    def read(plain: Any) -> Any:
        defaults, values_of, changing, make = plan()
        try:
            values = values_of({**defaults, **plain})
        except KeyError as error:
            raise _Mismatch(f"has no {error.args[0]}") from None
        return make(_changed(list(values), plain, changing) if changing else values)

    return read


def _maker(cls: type) -> Convert:
    """The function from the values of all fields, in order, to the dataclass."""
    fields_ = dataclasses.fields(cls)
    if not any(each.kw_only for each in fields_):
        return lambda values: cls(*values)
    names = [each.name for each in fields_]
    return lambda values: cls(**dict(zip(names, values, strict=True)))


def _values_of(getter: Callable[..., Convert], names: list[str]) -> Convert:
    """Like `itemgetter` or `attrgetter`, a tuple for a single name too."""
    get = getter(*names)
    return get if len(names) > 1 else lambda value: (get(value),)


_Change = tuple[int, str, Convert, Callable[[], Any] | None]
"""A value that is read: its place among the fields, its member, how it is read, how its default is made."""


def _changed(values: list[Any], plain: Mapping[str, Any], changing: list[_Change]) -> list[Any]:
    for place, member, read_member, factory in changing:
        if member in plain:
            try:
                values[place] = read_member(values[place])
            except _Mismatch as mismatch:
                raise mismatch.below(f".{member}") from None
        elif factory:
            values[place] = factory()
    return values


def _list_reader(item: Convert) -> Convert:
    def read(plain: Any) -> tuple[Any, ...]:
        if type(plain) is not list:
            raise _Mismatch("must be a list")
        if not plain:
            return ()
        found: list[Any] = []
        try:
            found.extend(map(item, plain))
        except _Mismatch as mismatch:
            raise mismatch.below(f"[{len(found)}]") from None
        return tuple(found)

    return read


def _union_reader(readers: list[Convert], nullable: bool) -> Convert:
    inner = readers[0] if len(readers) == 1 else _first_reader(readers)
    if inner is _same or not nullable:
        return inner
    return lambda plain: None if plain is None else inner(plain)


def _first_reader(readers: list[Convert]) -> Convert:
    """The first of several that takes a value."""
    if _same in readers:
        return _same

    def read(plain: Any) -> Any:
        refused = []
        for each in readers:
            try:
                return each(plain)
            except _Mismatch as mismatch:
                refused.append(str(mismatch))
        raise _Mismatch(" or ".join(refused))

    return read


def _choice_reader(choices: tuple[Any, ...]) -> Convert:
    def read(plain: Any) -> Any:
        if plain not in choices:
            raise _Mismatch(f"must be one of {', '.join(map(str, choices))}")
        return plain

    return read


def _text(plain: Any) -> str:
    """Text that UTF-8 can encode: a lone surrogate is refused by every store."""
    if type(plain) is not str:
        raise _Mismatch("must be text")
    if not plain.isascii():
        try:
            plain.encode()
        except UnicodeEncodeError:
            raise _Mismatch("must be text without lone surrogates") from None
    return plain


def _integer(plain: Any) -> int:
    if type(plain) is not int or not 0 <= plain <= MAX_INTEGER:
        raise _Mismatch("must be a whole number from 0 to 2^63-1")
    return plain


def _number(plain: Any) -> float:
    if type(plain) not in (float, int):
        raise _Mismatch("must be a number")
    return float(plain)


def _boolean(plain: Any) -> bool:
    if type(plain) is not bool:
        raise _Mismatch("must be true or false")
    return plain


def _mapping(plain: Any) -> dict[str, Any]:
    if type(plain) is not dict:
        raise _Mismatch("must be a JSON object")
    return plain


def _time(plain: Any) -> datetime:
    try:
        return datetime.fromisoformat(_text(plain))
    except ValueError:
        raise _Mismatch("must be a time as in ISO 8601") from None


_CHECKED: Final[Mapping[Any, Convert]] = {str: _text, int: _integer, float: _number, bool: _boolean}
WIRE: Final = Dialect(checked=True, write={datetime: datetime.isoformat}, read={datetime: _time})
"""JSON from elsewhere: types are checked, times are ISO 8601."""
SPARSE: Final = replace(WIRE, leaves_out_defaults=True)
"""The same, as short as it can be written."""
STORE: Final = Dialect(checked=False)
"""Documents that the store gives back as they were written: nothing is checked, times are `datetime`."""
