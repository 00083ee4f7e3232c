"""The values that a template, a mapping, a quick action or the body sets, as properties and as fields.

Gives the pair that a Change holds: properties of the record itself, and fields of its type. Configuration may name a
field that the type does not have: it is kept as text, because an administrator asked for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final

from services.record_writer.decide.content.body import names_of
from services.record_writer.decide.facts import MAX_TEXT
from services.record_writer.decide.lookups import Lookups
from shared.addresses import written_address
from shared.config.model import RecordType
from shared.config.values import Scalar
from shared.contracts.change import Action, Change, FieldValue
from shared.store.record import Record
from shared.text import shortened
from shared.typed import BadValue, as_text, typed

PROPERTY: Final[Mapping[str, str]] = MappingProxyType(
    {"Status": "status", "Subject": "subject", "Owner": "owner", "OwnerTeam": "owner_team", "Partition": "partition"}
)
"""Names of the record's own properties in templates, mappings and bodies."""
MIRRORED: Final[Mapping[str, str]] = MappingProxyType({"Description": "description", "Source": "source"})
"""Fields that the record shows as its own too."""
MAX_SUBJECT: Final = 1000
"""Characters of a subject that a mapping or a template makes; it is one line, whatever it is made of."""
NEVER_EMPTY: Final = frozenset({"Status", "Subject"})


def as_written(type_: RecordType, texts: Mapping[str, str]) -> dict[str, Any]:
    """Filled templates, with values of their fields' types; what is empty sets nothing. Raises `BadValue`."""
    return _typed(type_, [(_spelled(type_, name), text) for name, text in texts.items() if text.strip()])


def templated(type_: RecordType, values: Mapping[str, Scalar]) -> dict[str, Any]:
    """The values of a template; None sets nothing. Raises `BadValue`."""
    return _typed(
        type_, [(_spelled(type_, name), as_text(value)) for name, value in values.items() if value is not None]
    )


def commanded(type_: RecordType, values: Mapping[str, Scalar]) -> dict[str, Any]:
    """The values of a quick action; None empties a field. Raises `BadValue`."""
    emptied = {_spelled(type_, name): None for name, value in values.items() if value is None}
    return {**emptied, **templated(type_, values)}


def on_creation(type_: RecordType, fields: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Fields of a body for a new record: a line left empty in a form sets nothing. Raises `BadValue`."""
    return _typed(type_, [(name, text) for name, text in fields if text.strip() and name != type_.number_field])


def on_update(type_: RecordType, fields: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Fields of a body for an existing record: an empty line empties its field. Raises `BadValue`."""
    given = [(name, text) for name, text in fields if text.strip() or name not in NEVER_EMPTY]
    return _typed(type_, [(name, text) for name, text in given if name != type_.number_field])


def _typed(type_: RecordType, texts: list[tuple[str, str]]) -> dict[str, Any]:
    return {each.name: _bounded(each.value) for each in typed(type_, texts)}


def _bounded(value: Any) -> Any:
    return shortened(value, MAX_TEXT) if isinstance(value, str) else value


def _spelled(type_: RecordType, name: str) -> str:
    """The field as its type spells it, whatever the case; a name that it lacks stays as it is."""
    return {**names_of(type_), "partition": "Partition"}.get(name.strip().casefold(), name)


def split(values: Mapping[str, Any], lookups: Lookups) -> tuple[dict[str, Any], dict[str, Any]]:
    """The record's own properties, and the fields of its type. An owner may be named by id or address.

    Raises `BadValue` for an owner who does not exist.
    """
    fields = dict(values)
    own = {PROPERTY[name]: fields.pop(name) for name in PROPERTY if name in fields}
    if own.get("subject"):
        own["subject"] = shortened(" ".join(str(own["subject"]).split()), MAX_SUBJECT)
    if own.get("owner"):
        own["owner"] = _owner(str(own["owner"]), lookups)
    if "owner" in own or "owner_team" in own:
        own.update({name: own[name] or None for name in ("owner", "owner_team") if name in own})
    return {**own, **mirrored(fields)}, fields


def _owner(named: str, lookups: Lookups) -> str:
    found = lookups.person(named.strip())
    if found is None and (address := written_address(named)):
        found = lookups.person(address)
    if found is None:
        raise BadValue(
            f"the field Owner takes the id or the address of a person, not {shortened(named.strip(), 100)!r}"
        )
    return found.id


def mirrored(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that the record shows as its own properties too."""
    return {MIRRORED[name]: fields[name] or "" for name in MIRRORED if name in fields}


def creation(type_: RecordType, record_id: str, own: Mapping[str, Any], **more: Any) -> Change:
    """The Change that makes a record with these properties, open unless they say otherwise.

    It has no number: that is given when it is committed. `more` are other fields of the Change.
    """
    properties = {"status": type_.statuses.open[0] if type_.statuses.open else "", **own}
    numberless = {"number": "", "serial": 0, **more}
    return Change("create", type_.name, record_id, event="created", set=pairs(properties), **numberless)


def revision(record: Record, event: str, *, action: Action = "update", **more: Any) -> Change:
    """The Change that an existing record gets. `more` are other fields of the Change."""
    return Change(action, record.type, record.id, record.number, record.serial, event, **more)


def pairs(values: Mapping[str, Any]) -> tuple[FieldValue, ...]:
    """Values as a Change holds them."""
    return tuple(FieldValue(name, value) for name, value in values.items())
