"""Records as people see them: find one, list them, show one with activities, links and attachments.

Separate from the command line, so that command line and console show the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from services.operator.errors import NotAvailable, UnknownName
from services.operator.view import values_of
from shared.lazy_dataclass import dataclass
from shared.store.record import PARENT, Record, StoredActivity, ids_below

if TYPE_CHECKING:
    from shared.app import App
    from shared.config.model import RecordType

INWARD: Final = {"merged_into": "merged_from"}
"""Relationships that have another name, seen from the record that they lead to."""
MAX_ACTIVITIES: Final = 1000
"""The newest activities of a record, whose attachments are shown."""
MAX_DIGITS: Final = 18


_LISTED: Final = ("id", "type", "number", "status", "subject", "owner", "owner_team")
_DETAILS: Final = (
    *("description", "logging_analyst", "source", "partition", "created_by", "template"),
    *("created_at", "updated_at", "fields", "updated_by_mail"),
)
_OF_ACTIVITY: Final = ("at", "by", "kind", "subject", "text", "mail_id")
"""Names of values in the JSON of a list, of one record, and of an activity."""


@dataclass(frozen=True, slots=True)
class CustomerView:
    """The person whom a record belongs to, with the first of the addresses."""

    id: str
    name: str
    address: str | None
    kind: str | None


@dataclass(frozen=True, slots=True)
class ParticipantView:
    """Somebody in copy who takes part in a record, and the person with that address, if there is one."""

    address: str
    id: str | None
    name: str | None
    kind: str | None


@dataclass(frozen=True, slots=True)
class LinkView:
    """A relationship, and the record that it leads to."""

    relationship: str
    type: str
    number: str


@dataclass(frozen=True, slots=True)
class AttachmentView:
    """A file of a record; `security_profile` is that of the activity with which it came."""

    filename: str
    content_type: str
    size: int
    sha256: str
    security_profile: str | None


@dataclass(frozen=True, slots=True)
class TargetView:
    """A target of a record's service level. `state`: running, paused, met; `late`: it was due before it was met.

    `due_at` None: it counts nothing now. `used_seconds`: working time that was used when its state was last written.
    """

    sla: str
    target: str
    state: str
    due_at: datetime | None
    warn_at: datetime | None
    met_at: datetime | None
    used_seconds: float
    length_seconds: float
    late: bool


@dataclass(frozen=True, slots=True)
class RecordView:
    """A record with its customer, the records below it, its links, attachments and newest activities.

    `links` leave out those that come from a record below; `tasks` are the records below: tasks and approvals.
    """

    record: Record
    customer: CustomerView | None
    tasks: tuple[Record, ...]
    links: tuple[LinkView, ...]
    attachments: tuple[AttachmentView, ...]
    activities: tuple[StoredActivity, ...]
    targets: tuple[TargetView, ...] = ()
    participants: tuple[ParticipantView, ...] = ()

    @property
    def priority(self) -> Any:
        """The field Priority, None where the record has none."""
        return self.record.fields.get("Priority")

    def as_json(self) -> dict[str, Any]:
        """The keys that scripts rely on."""
        return {
            **values_of(self.record, _LISTED),
            "customer": asdict(self.customer) if self.customer else None,
            "participants": [asdict(each) for each in self.participants],
            **values_of(self.record, _DETAILS),
            "priority": self.priority,
            "targets": [asdict(each) for each in self.targets],
            "tasks": [_summary(each) for each in self.tasks],
            "links": [asdict(each) for each in self.links],
            "attachments": [asdict(each) for each in self.attachments],
            "activities": [_activity_as_json(each) for each in self.activities],
            "record_id": self.record.id,
            "deleted": bool(self.record.deleted),
        }


def type_called(app: App, named: str) -> RecordType:
    """The record type with this name, label or alias. Raises `UnknownName`."""
    found = app.directory.type_named(named)
    if found is None:
        known = ", ".join(each.name for each in app.directory.current().types)
        raise UnknownName(f"there is no record type {named!r}; known are {known}")
    return found


def record_numbered(app: App, type_: RecordType, number: str) -> Record:
    """The record with this number, bare (12) or as it is shown (INC12, in any case). Raises `NotAvailable`."""
    if record := _numbered(app, type_, number):
        return record
    raise NotAvailable(f"there is no {type_.name} {number!r}")


def _numbered(app: App, type_: RecordType, number: str) -> Record | None:
    bare = _bare(type_, number.strip())
    is_number = bare.isascii() and bare.isdigit() and len(bare) <= MAX_DIGITS
    return app.records.numbered(type_.name, int(bare), deleted=True) if is_number else None


def _bare(type_: RecordType, number: str) -> str:
    """The number without the prefix of its type."""
    has_prefix = type_.prefix and number.casefold().startswith(type_.prefix.casefold())
    return number[len(type_.prefix) :] if has_prefix else number


def record_called(app: App, *words: str) -> Record:
    """The record with a number as it is printed (INC1), or with a type and a number. Raises `NotAvailable`."""
    if len(words) == 2:
        return record_numbered(app, type_called(app, words[0]), words[1])
    number = words[0].strip()
    types = [each for each in app.directory.current().types if _bare(each, number) != number]
    found = [record for each in types if (record := _numbered(app, each, number))]
    if len(found) > 1:
        raise NotAvailable(
            f"{words[0]!r} is a number of {' and '.join(each.type for each in found)}; write the type too"
        )
    if not found:
        raise NotAvailable(no_record(words[0]))
    return found[0]


def no_record(named: str) -> str:
    """The sentence for a number that no record has."""
    return f"there is no record {named!r}; write the number as it is printed (INC1), or TYPE NUMBER"


def attachment_called(app: App, record: Record, named: str) -> AttachmentView:
    """The file of a record with this name, or with a SHA-256 that begins so. Raises `NotAvailable`."""
    files = _attachments(app.records.activities(record.id, MAX_ACTIVITIES))
    found = [each for each in files if each.filename == named or (len(named) >= 8 and each.sha256.startswith(named))]
    if len(found) > 1:
        raise NotAvailable(
            f"{len(found)} files have this name; name one by its hash: {', '.join(each.sha256[:12] for each in found)}"
        )
    if not found:
        known = ", ".join(each.filename for each in files) or "none"
        raise NotAvailable(f"{record.number} has no file {named!r}; it has {known}")
    return found[0]


def see(app: App, record: Record) -> Record:
    """Clear the mark that a mail has updated the record, because the handler has looked (PR-17)."""
    return app.records.see(record)


def statuses_named(app: App, type_: RecordType | None, named: str) -> list[str]:
    """The statuses that a word means: one of them in any case, or all of a group (open, resolved, closed).

    `type_` None: of every type. A word that means none is returned as it is.
    """
    types, folded = [type_] if type_ else list(app.directory.current().types), named.casefold()
    groups = [(group, status) for each in types for group, statuses in each.statuses.groups() for status in statuses]
    return sorted({status for group, status in groups if folded in (group, status.casefold())}) or [named]


def record_as_json(record: Record) -> dict[str, Any]:
    """A record as `records list --json` prints it."""
    return {**_summary(record), "record_id": record.id}


def _summary(record: Record) -> dict[str, Any]:
    return values_of(record, (*_LISTED, "customer"))


def _activity_as_json(activity: StoredActivity) -> dict[str, Any]:
    attachments = [asdict(each) for each in activity.attachments]
    more = values_of(activity, ("security_profile", "shortened"))
    return {**values_of(activity, _OF_ACTIVITY), "attachments": attachments, **more}


def view(
    app: App, record: Record, activities: int, *, sees: Callable[[str | None], bool] = lambda _inbox: True
) -> RecordView:
    """A record with everything related to it, with the newest `activities` of its activities.

    `sees` says whether related records of an inbox are shown.
    """
    return RecordView(
        record,
        _customer(app, record),
        tuple(each for each in _tasks(app, record) if sees(each.inbox)),
        tuple(LinkView(name, other.type, other.number) for name, other in _linked(app, record) if sees(other.inbox)),
        _attachments(app.records.activities(record.id, MAX_ACTIVITIES)),
        tuple(app.records.activities(record.id, activities)),
        tuple(_targets(record, app.clock.now())),
        tuple(_participant(app, each) for each in record.participants),
    )


def _participant(app: App, address: str) -> ParticipantView:
    plus = app.directory.current().settings.plus_addressing
    person = app.people.with_address(address, plus_addressing=plus)
    return ParticipantView(address, *((person.id, person.name, person.kind) if person else (None, None, None)))


def _targets(record: Record, now: datetime) -> Iterator[TargetView]:
    """The targets of the record's service level."""
    if (level := record.service) is None:
        return
    for each in level.targets:
        late = each.due_at is not None and each.due_at < (each.met_at or now)
        times = (each.due_at, each.warn_at, each.met_at, each.used_seconds, each.length_seconds)
        yield TargetView(level.sla, each.kind, each.state, *times, late=late)


def _customer(app: App, record: Record) -> CustomerView | None:
    person = app.people.get(record.customer) if record.customer else None
    if person is None:
        return None
    return CustomerView(person.id, person.name, next(iter(person.addresses), None), person.kind)


def _linked(app: App, record: Record) -> Iterator[tuple[str, Record]]:
    """Relationship and record of the links in both directions, without those from records below, which are `tasks`,
    and those to a record that this one lies below no more.
    """
    for link in app.records.links(record.id):
        outward = link.from_id == record.id
        other = app.records.get(link.to_id if outward else link.from_id)
        is_omitted = link.relationship == PARENT and (not outward or not record.is_below(link.to_id))
        if other and not is_omitted:
            yield link.relationship if outward else INWARD.get(link.relationship, link.relationship), other


def _tasks(app: App, record: Record) -> tuple[Record, ...]:
    """The records below this one, by type and number."""
    ids = ids_below(record.id, app.records.links(record.id))
    below = [each for id_ in ids if (each := app.records.get(id_)) and each.is_below(record.id)]
    return tuple(sorted(below, key=lambda each: (each.type, each.serial)))


def _attachments(activities: list[StoredActivity]) -> tuple[AttachmentView, ...]:
    """Every file once, in the order in which they came."""
    found: dict[tuple[str, str], AttachmentView] = {}
    for entry in activities:
        for each in entry.attachments:
            shown = AttachmentView(each.filename, each.content_type, each.size, each.sha256, entry.security_profile)
            found.setdefault((each.sha256, each.filename), shown)
    return tuple(found.values())
