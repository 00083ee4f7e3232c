"""The sections of a configuration file: how each dataclass of `shared.config.model` is read from what a file states.

A key is a field: its type names the reader (`shared.config.keys`), and a field without a default is needed. Only
classes whose keys depend on each other have a function of their own here.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Any, Final, Literal

from shared.config import model as desk
from shared.config import readers as read
from shared.config.keys import NOT_A_KEY
from shared.config.problems import InvalidValue, Location
from shared.config.section import Section, list_of, list_of_sections, mapping_of
from shared.config.tree import Item
from shared.config.values import Secret


def _inbox(**values: Any) -> desk.Inbox:
    """POP3 cannot mark mail, so there both words mean that it stays on the server (TI-08)."""
    if values.get("after") == "leave":
        if values.get("protocol") != "pop3":
            raise InvalidValue("after: leave is for pop3; write archive, delete or mark_read")
        values["after"] = "mark_read"
    return desk.Inbox(**values)


def _statuses(item: Item, location: Location) -> desk.Statuses:
    """All three groups as stated: one that is left out is empty, but a record has to start somewhere."""
    values = section_of(desk.Statuses).values(item, location)
    if not values.get("open"):
        raise InvalidValue("a new record takes the first open status; write at least one, such as open: [Logged]")
    every = [status.casefold() for group in values.values() for status in group]
    if twice := next((status for status in every if every.count(status) > 1), None):
        raise InvalidValue(f'the status "{twice}" is here twice; a status belongs to one group')
    return desk.Statuses(*(values.get(group, ()) for group in ("open", "resolved", "closed")))


def _record_type(**values: Any) -> desk.RecordType:
    """A type of one's own keeps the aliases of the built-in one whose name it has, unless it states others."""
    replaced = (each for each in desk.BUILT_IN_TYPES if each.name == desk.folded(values["name"]))
    aliases = next((each.aliases for each in replaced), ())
    stated = values.pop("fields", {})
    fields = {name: kind for name, (kind, _) in stated.items()}
    marked = [name for name, (_, protected) in stated.items() if protected]
    protected = tuple(dict.fromkeys([*marked, *values.pop("protected", ())]))
    if unknown := next((name for name in protected if name not in fields), None):
        raise InvalidValue(
            f'the protected field "{unknown}" is no field of the type; it has {", ".join(fields) or "none"}'
        )
    return desk.RecordType(**{"aliases": aliases, **values, "fields": fields, "protected": protected})


def _rule(**values: Any) -> desk.Rule:
    """A rule with the name of a preconfigured one keeps that one's values for keys that it does not state."""
    given = next((each for each in desk.PRECONFIGURED_RULES if each.name == values["name"]), None)
    return dataclasses.replace(given, **values) if given else desk.Rule(**values)


_MAKERS: Final[Mapping[type, Callable[..., Any]]] = {
    desk.Inbox: _inbox,
    desk.RecordType: _record_type,
    desk.Rule: _rule,
}
_READERS: Final[Mapping[Any, read.Read[Any]]] = {bool: read.switch, Secret: read.secret, desk.Statuses: _statuses}


@cache
def section_of(cls: Any) -> Section:
    """The reader of a mapping whose keys are the fields of a dataclass."""
    hints = typing.get_type_hints(cls, include_extras=True)
    keys = [each for each in dataclasses.fields(cls) if each.name not in marked(cls, NOT_A_KEY)]
    readers = {each.name: reader_of(hints[each.name]) for each in keys}
    return Section(_MAKERS.get(cls, cls), readers, tuple(each.name for each in keys if is_needed(each)))


def is_needed(field: dataclasses.Field[Any]) -> bool:
    """Whether a key has to be stated: it has no default."""
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


@cache
def marked(cls: Any, mark: object) -> frozenset[str]:
    """The fields of a dataclass whose types have a mark: `NOT_A_KEY` or `WITHOUT_EFFECT`."""
    hints = typing.get_type_hints(cls, include_extras=True)
    return frozenset(name for name, type_ in hints.items() if mark in getattr(type_, "__metadata__", ()))


def reader_of(type_: Any) -> read.Read[Any]:
    """The reader of a value of a type. Of a union the first type says what can be stated."""
    if typing.get_origin(type_) is Annotated:
        return next(filter(callable, type_.__metadata__), None) or reader_of(type_.__origin__)
    origin, arguments = typing.get_origin(type_), typing.get_args(type_)
    if origin in (types.UnionType, typing.Union):
        return reader_of(arguments[0])
    if origin is Literal:
        return read.one_of(*arguments)
    if origin is tuple:
        return _list_reader(arguments[0])
    if origin is Mapping:
        return mapping_of(reader_of(arguments[0]), reader_of(arguments[1]))
    return _READERS[type_] if type_ in _READERS else section_of(type_)


def _list_reader(item: Any) -> read.Read[tuple[Any, ...]]:
    reader = reader_of(item)
    return list_of_sections(reader) if isinstance(reader, Section) else list_of(reader)


CONFIGURATION: Final = section_of(desk.Configuration)
SECTIONS: Final[Mapping[str, Section]] = {
    name: section_of(typing.get_args(type_)[0])
    for name, type_ in typing.get_type_hints(desk.Configuration).items()
    if typing.get_origin(type_) is tuple
}
"""The lists of the file, by key; the same names are the store's collections."""


def key_of(section: str) -> str:
    """The key whose value names a thing of a section."""
    return "id" if section == "people" else "name"
