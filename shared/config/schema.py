"""The sections of a configuration file: how each dataclass of `shared.config.model` is read from what a file states.

A key is a field: its type names the reader (`shared.config.keys`), and a field without a default is needed. Only
classes whose keys depend on each other have a function of their own here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from shared.config import model as desk
from shared.config import readers as read
from shared.config.keys import NOT_A_KEY
from shared.config.problems import InvalidValue, Location
from shared.config.section import Section, Sections, list_of, mapping_of
from shared.config.tree import Item
from shared.config.values import Secret
from shared.contracts.fields import Kinds, made_of, members_of


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
        raise InvalidValue(f'the status "{twice}" appears twice; a status belongs to one group')
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
            f'the protected field "{unknown}" is not a field of the type; it has {", ".join(fields) or "none"}'
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


@cache
def section_of(cls: Any) -> Section:
    """The reader of a mapping whose keys are the fields of a dataclass."""
    keys = [each for each in members_of(cls) if NOT_A_KEY not in each.marks]
    readers = {each.name: made_of(each.type, _READING) for each in keys}
    return Section(_MAKERS.get(cls, cls), readers, tuple(each.name for each in keys if each.required))


_READING: Final = Kinds(
    {bool: read.switch, Secret: read.secret, desk.Statuses: _statuses},
    of_class=section_of,
    of_list=lambda item: Sections(item) if isinstance(item, Section) else list_of(item),
    of_mapping=mapping_of,
    of_choice=lambda words: read.one_of(*words),
    of_union=lambda arms, _: arms[0],  # the first type says what can be stated
    of_other=section_of,
    of_annotations=lambda marks: next(filter(callable, marks), None),
)
"""How a key is read, by its type; most types name their reader themselves (`shared.config.keys`)."""


CONFIGURATION: Final = section_of(desk.Configuration)
SECTIONS: Final[Mapping[str, Section]] = {
    name: reader.section for name, reader in CONFIGURATION.readers.items() if isinstance(reader, Sections)
}
"""The lists of the file, by key; the same names are the store's collections."""


def key_of(section: str) -> str:
    """The key whose value names a thing of a section."""
    return "id" if section == "people" else "name"
