"""The values of the variables about a record and about the desk, for `render`. Pure.

    values = {**desk_values(configuration, inbox), **record_values(configuration, record_facts)}

Whoever sends mail about records (the record writer, rules, service levels) gets them here, so that a variable means the
same in every mail.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any, Final
from urllib.parse import quote

from shared.config.model import Configuration, Inbox, RecordType
from shared.lazy_dataclass import dataclass
from shared.mail_text.render import Value
from shared.mail_text.variables import FIELD, OLD
from shared.store.record import Record
from shared.typed import as_text

RECORD_PATH: Final = "/records/{type}/{number}"
"""What is added to a response URL that does not say where a record is (TI-42)."""
_WORDS: Final[Mapping[str, str]] = {"Incident": "Call", "Service Request": "Request"}
_PROPERTIES: Final[Mapping[str, str]] = {
    "Status": "status",
    "Subject": "subject",
    "Owner": "owner",
    "OwnerTeam": "owner_team",
    "Description": "description",
}
"""Names of fields → the record's own properties."""


@dataclass(frozen=True, slots=True)
class RecordFacts:
    """What a mail may say of a record. `properties`: status, subject, owner, …; `fields`: those of its type.

    `number` may stand for one that is not given yet. `before`: properties and fields by the names of fields as they
    were before a change. `name_of` gives the name of a person from an id; it is called when a mail needs it.
    """

    id: str
    type: RecordType
    number: str
    properties: Mapping[str, Any]
    fields: Mapping[str, Any]
    before: Mapping[str, Any] = field(default_factory=dict)
    name_of: Callable[[str], str] = str


def facts_of_record(
    record: Record, type_: RecordType, name_of: Callable[[str], str] = str, before: Mapping[str, Any] | None = None
) -> RecordFacts:
    """The facts of a stored record."""
    names = ("customer", *_PROPERTIES.values())
    properties = {name: getattr(record, name) for name in names}
    return RecordFacts(record.id, type_, record.number, properties, record.fields, before or {}, name_of)


def title(configuration: Configuration, type_: RecordType) -> str:
    """The customer's word for a type: its label, or for the built-in ones a call and a request (VF-20)."""
    word = _WORDS.get(type_.label, type_.label)
    word = word if configuration.type_named(word) == type_ else type_.label
    return word[:1].upper() + word[1:]


def keyword(configuration: Configuration, type_: RecordType, number: str) -> str:
    """What names a record in the subject of a mail, for when it comes back without the thread's headers."""
    return f"[{title(configuration, type_)} - {number}]"


def desk_values(configuration: Configuration, inbox: Inbox | None) -> dict[str, Value]:
    """The values about the desk and the inbox that a mail belongs to."""
    name, address = (inbox.name, inbox.address) if inbox else ("", "")
    return {"desk": configuration.settings.desk_name or name, "inbox": name, "address": address}


def record_values(configuration: Configuration, facts: RecordFacts) -> dict[str, Value]:
    """The values about a record: `RECORD` of the variables, `field.*` and `old.*`."""
    settings, own = configuration.settings, facts.properties
    stated = {**{name: own.get(key) for name, key in _PROPERTIES.items()}, **facts.fields}
    return {
        **{f"{FIELD}{name.casefold()}": _shown(value) for name, value in stated.items()},
        **{f"{OLD}{name.casefold()}": _shown(value) for name, value in facts.before.items()},
        "number": facts.number,
        "type": title(configuration, facts.type),
        "label": facts.type.label,
        "keyword": keyword(configuration, facts.type, facts.number),
        "subject": _shown(own.get("subject")),
        "status": _shown(own.get("status")),
        "description": _shown(own.get("description")),
        "priority": _shown(facts.fields.get("Priority")),
        "customer": lambda: _named(own.get("customer"), facts.name_of),
        "owner": lambda: _named(own.get("owner"), facts.name_of),
        "owner_team": _shown(own.get("owner_team")),
        "response_url": record_url(settings.response_url, facts),
        "self_service_url": record_url(settings.self_service_url, facts),
    }


def record_url(base: str | None, facts: RecordFacts) -> str:
    """The web address of a record (TI-42): `{type}`, `{number}` and `{id}` of a setting filled in.

    `/records/<type>/<number>` is added to a setting that has none of them. "" without a setting.
    """
    if not base:
        return ""
    values = {"{type}": quote(facts.type.name), "{number}": facts.number, "{id}": facts.id}
    address = base if any(each in base for each in values) else base.rstrip("/") + RECORD_PATH
    for name, value in values.items():
        address = address.replace(name, value)
    return address


def _shown(value: Any) -> str:
    return "" if value is None else as_text(value)


def _named(person: Any, name_of: Callable[[str], str]) -> str:
    return name_of(person) if person else ""
