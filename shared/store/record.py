"""A record with its activities and links, as stored, and how a Change alters them. Rows and pure functions.

Life of a record: created once with the Change that made it (`version` 1), then changed by conditional writes, each of
which counts `version` up and puts its Change into `pending` under the mail id (decision 0003). The Change leaves
`pending` when it is carried out and the mail's outcome is stored. Nothing removes a record; `deleted` (True, else
not there) hides it from lists and from mails, until an operator undeletes it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, fields, replace
from datetime import datetime
from typing import Any, Final

from shared.contracts.change import Change, ServiceLevel
from shared.contracts.mail import Attachment
from shared.contracts.mapping import STORE, from_plain, named, to_plain
from shared.lazy_dataclass import dataclass
from shared.store.documents import Document

KEY_LENGTH: Final = 128
"""Longer field values are text, not keys."""
PARENT: Final = "parent"
"""The relationship of a record to the one that it lies below."""


@dataclass(frozen=True, slots=True)
class PendingChange:
    """A Change that one mail committed to a record and that is not yet carried out; `change` is as stored."""

    mail_id: str
    change: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Record:
    """A record: an incident, a change, a task, an object, … The comment above has its life.

    `number` is its type's prefix and `serial`. `customer`, `owner` and `logging_analyst` are ids of persons; `origin`
    is the mail that made it, `parent` the record that it lies below. `copied` are keys of the addresses that take part
    in it, `participants` those of people in copy, who may get its answers; `keys` is what it is found by;
    `forwarded_by` and `forwarded_to` are the people who gave it away and who got it; `fields` holds the values of its
    type's fields. `person` is whom a record of a type of people stands for (TI-32). `merged_into` is the record that
    has taken its place (TI-31). `verdict` is what was decided about an approval, `approval` what the approvals below a
    record decided: `approved` or `rejected` (VF-18). `service` are its targets, the next event of which is at
    `service_due_at`.
    """

    id: str = field(metadata=named("_id"))
    type: str
    serial: int
    number: str
    version: int
    customer: str | None = None
    updated_by_mail: bool = False
    status: str = ""
    subject: str = ""
    description: str = ""
    owner: str | None = None
    owner_team: str | None = None
    logging_analyst: str | None = None
    created_by: str | None = None
    source: str | None = None
    inbox: str | None = None
    partition: str | None = None
    template: str | None = None
    copied: tuple[str, ...] = ()
    participants: tuple[str, ...] = ()
    origin: str | None = None
    parent: str | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    created_at: datetime | None = None
    updated_at: datetime | None = None
    keys: tuple[str, ...] = ()
    forwarded_by: tuple[str, ...] = ()
    forwarded_to: tuple[str, ...] = ()
    pending: tuple[PendingChange, ...] = ()
    deleted: bool | None = None
    person: str | None = None
    merged_into: str | None = None
    verdict: str | None = None
    approval: str | None = None
    service: ServiceLevel | None = None
    service_due_at: datetime | None = None

    def is_below(self, record_id: str) -> bool:
        """Whether a link to this parent still holds; a record that names no parent is below those it is linked to."""
        return self.parent in (None, record_id)


@dataclass(frozen=True, slots=True)
class StoredActivity:
    """An entry in a record's activities: written once, never changed.

    `place` orders the activities of one mail; `mail_id` is None for what an operator did. `subject` is the
    mail's; `shortened`: some of the mail's text is left out.
    """

    id: str = field(metadata=named("_id"))
    record_id: str
    at: datetime
    place: int
    by: str
    kind: str
    text: str
    mail_id: str | None = None
    attachments: tuple[Attachment, ...] = ()
    security_profile: str | None = None
    subject: str | None = None
    shortened: bool = False


@dataclass(frozen=True, slots=True)
class StoredLink:
    """A named relationship from one record to another: written once, never changed, found from both ends."""

    id: str = field(metadata=named("_id"))
    from_id: str
    to_id: str
    relationship: str
    at: datetime


def ids_below(record_id: str, links: Iterable[StoredLink]) -> list[str]:
    """The records that were linked below a record, some of which may lie below another one by now (`is_below`)."""
    return [each.from_id for each in links if (each.to_id, each.relationship) == (record_id, PARENT)]


FORWARDED: Final = ("forwarded_by", "forwarded_to")
MAX_HOLDERS: Final = 50
"""People of each kind that are remembered, the last ones."""
_FOUND_BY: Final = frozenset(("fields", *FORWARDED))
_COLUMNS: Final = frozenset(each.name for each in fields(Record))
_to_change = from_plain(Change, STORE)
_to_record = from_plain(Record, STORE)
_service_to_document = to_plain(ServiceLevel, STORE)


def pending_change(record: Record, mail_id: str, part: str) -> Change | None:
    """The Change that was decided for this part of a mail on this record and is not yet carried out wholly."""
    for entry in record.pending:
        if entry.mail_id == mail_id and entry.change["part"] == part:
            return _to_change(entry.change)
    return None


def with_change(record: Record, change: Change, at: datetime) -> Record:
    """The record as the commit of this change leaves it."""
    changed = changed_properties(change, record, at)
    known = {name: _column(value) for name, value in changed.items() if name in _COLUMNS}
    if change.service:
        known["service"] = change.service
    return replace(record, **known, version=record.version + 1)


def after_change(change: Change, before: Record | None, at: datetime) -> Record:
    """The record as a change leaves it; `before` None: the new record."""
    return new_record(change, at) if before is None else with_change(before, change, at)


def _column(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def changed_properties(change: Change, record: Record, at: datetime) -> dict[str, Any]:
    """The properties that an update sets on the record, by name."""
    changed = {value.name: value.value for value in change.set}
    if change.fields:
        changed["fields"] = {**record.fields, **{value.name: value.value for value in change.fields}}
    if changed.keys() & _FOUND_BY:
        holders = {name: changed.get(name, getattr(record, name)) for name in FORWARDED}
        keys = [holding_key(name, person) for name, people in holders.items() for person in people]
        changed["keys"] = [*search_keys(change.type, changed.get("fields", record.fields)), *keys]
    changed |= _service(change)
    updated_at = max(at, record.updated_at or at)  # an old mail may come later than newer ones
    return {**changed, "updated_at": updated_at} if change.action != "none" else changed


def _service(change: Change) -> dict[str, Any]:
    """The targets of a record, and the time by which the schedule finds it."""
    if change.service is None:
        return {}
    return {"service": _service_to_document(change.service), "service_due_at": change.service.next_at}


def forwarding(record: Record, by: str | None, own: Mapping[str, Any]) -> dict[str, list[str]]:
    """The people who have forwarded the record and to whom, after a person (None: nobody known) changed its owner
    or team as `own` says; empty when neither changes.
    """
    moved = [name for name in ("owner", "owner_team") if name in own and own[name] != getattr(record, name)]
    added = {"forwarded_by": by if moved else None, "forwarded_to": own["owner"] if "owner" in moved else None}
    return {
        name: [*(each for each in getattr(record, name) if each != person), person][-MAX_HOLDERS:]
        for name, person in added.items()
        if person
    }


def holding_key(holding: str, person_id: str) -> str:
    """How a person stands to a record, in the form in which records are found by it; no field's key has a blank."""
    return f"{holding} {person_id}"


def new_record(change: Change, at: datetime) -> Record:
    """The record that a Change makes, as its commit leaves it; without a number as long as the Change has none."""
    return _to_record({"pending": [], **new_document(change, at)})


def new_document(change: Change, at: datetime, parent: str | None = None) -> Document:
    """The document of a new record; `parent`: the record that it lies below."""
    values = {value.name: value.value for value in change.fields}
    return {
        "_id": change.record_id,
        "type": change.type,
        "serial": change.serial,
        "number": change.number,
        "customer": change.customer,
        "updated_by_mail": False,
        **{value.name: value.value for value in change.set},
        "fields": values,
        "created_at": at,
        "updated_at": at,
        **({"parent": parent} if parent else {}),
        **_service(change),
        "keys": search_keys(change.type, values),
        "version": 1,
    }


def search_key(name: str, value: str) -> str:
    """A field with its value, in the form in which records are found by it: whatever the case."""
    return f"{name}={value}".casefold()


def search_keys(type_: str, values: Mapping[str, Any]) -> list[str]:
    """The search keys of a record: its short field values."""
    short = {name: str(value) for name, value in values.items() if value not in (None, "")}
    return [f"{type_}:{search_key(name, value)}" for name, value in short.items() if len(value) <= KEY_LENGTH]
