"""Views of records: summaries for lists, and whole records with activities, links and attachments.

Separate from the command line, so that every face of Postroom shows the same. The names of the views' fields, and
their order, are those of the JSON that scripts rely on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from services.operator.errors import NotAvailable, UnknownName
from services.operator.view import view_of
from shared.config.model import RecordType
from shared.store.record import Record, StoredActivity, StoredLink

if TYPE_CHECKING:
    from shared.app import App
    from shared.contracts.mail import Attachment

PARENT: Final = "parent"
"""The relationship of a record to the one that it lies below."""
MAX_ACTIVITIES: Final = 1000
"""The newest activities of a record, whose attachments are shown."""
MAX_DIGITS: Final = 18


@dataclass(frozen=True, slots=True)
class _RecordLabels:
    """The values that every view of a record begins with."""

    id: str
    type: str
    number: str
    status: str
    subject: str
    owner: str | None
    owner_team: str | None


@dataclass(frozen=True, slots=True)
class RecordSummary(_RecordLabels):
    """A record in a list."""

    customer: str | None


@dataclass(frozen=True, slots=True)
class CustomerView:
    """The person whom a record belongs to, with the first of the addresses."""

    id: str
    name: str
    address: str | None
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
class ActivityView:
    """An activity of a record. `shortened`: some text of its mail is left out; the mail has the whole."""

    at: datetime
    by: str
    kind: str
    subject: str | None
    text: str
    mail_id: str | None
    attachments: tuple[Attachment, ...]
    security_profile: str | None
    shortened: bool


@dataclass(frozen=True, slots=True)
class RecordView(_RecordLabels):
    """A record with its customer, the records below it, its links, attachments and newest activities.

    `links` leave out those that come from a record below; `tasks` are the records below: tasks and approvals.
    """

    customer: CustomerView | None
    description: str
    logging_analyst: str | None
    source: str | None
    partition: str | None
    created_by: str | None
    template: str | None
    created_at: datetime | None
    updated_at: datetime | None
    fields: Mapping[str, Any]
    updated_by_mail: bool
    priority: Any
    tasks: tuple[RecordSummary, ...]
    links: tuple[LinkView, ...]
    attachments: tuple[AttachmentView, ...]
    activities: tuple[ActivityView, ...]


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
    return app.records.numbered(type_.name, int(bare)) if is_number else None


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
        raise NotAvailable(f"there is no record {words[0]!r}; write the number as it is printed (INC1), or TYPE NUMBER")
    return found[0]


def attachment_called(app: App, record: Record, named: str) -> AttachmentView:
    """The file of a record with this name, or with a SHA-256 that begins so. Raises `NotAvailable`."""
    files = _attachments(app.records.activities(record.id, MAX_ACTIVITIES))
    found = [each for each in files if each.filename == named or (len(named) >= 8 and each.sha256.startswith(named))]
    if len(found) > 1:
        raise NotAvailable(
            f"{len(found)} files are called so; name one by: {', '.join(each.sha256[:12] for each in found)}"
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


def as_json(shown: RecordSummary | RecordView) -> dict[str, Any]:
    """The keys that scripts rely on."""
    return {**asdict(shown), "record_id": shown.id}


def summary(record: Record) -> RecordSummary:
    """A record as lists show it."""
    return view_of(RecordSummary, record)


def view(app: App, record: Record, activities: int) -> RecordView:
    """A record with all that hangs on it; of its activities the newest so many."""
    newest = app.records.activities(record.id, activities)
    return view_of(
        RecordView,
        record,
        customer=_customer(app, record),
        priority=record.fields.get("Priority"),
        tasks=_tasks(app, record),
        links=tuple(_links(app, record)),
        attachments=_attachments(app.records.activities(record.id, MAX_ACTIVITIES)),
        activities=tuple(view_of(ActivityView, each) for each in newest),
    )


def _customer(app: App, record: Record) -> CustomerView | None:
    person = app.people.get(record.customer) if record.customer else None
    if person is None:
        return None
    return CustomerView(person.id, person.name, next(iter(person.addresses), None), person.kind)


def _links(app: App, record: Record) -> Iterator[LinkView]:
    """Links in both directions, without those from records below, which are `tasks`."""
    for link in app.records.links(record.id):
        outward = link.from_id == record.id
        other = app.records.get(link.to_id if outward else link.from_id)
        if other and (outward or link.relationship != PARENT):
            yield LinkView(link.relationship, other.type, other.number)


def _tasks(app: App, record: Record) -> tuple[RecordSummary, ...]:
    """The records below this one, by type and number."""
    links = (link for link in app.records.links(record.id) if _is_from_below(link, record))
    below = [other for link in links if (other := app.records.get(link.from_id))]
    return tuple(summary(each) for each in sorted(below, key=lambda each: (each.type, each.serial)))


def _is_from_below(link: StoredLink, record: Record) -> bool:
    return link.to_id == record.id and link.relationship == PARENT


def _attachments(activities: list[StoredActivity]) -> tuple[AttachmentView, ...]:
    """Every file once, in the order in which they came."""
    found: dict[tuple[str, str], AttachmentView] = {}
    for entry in activities:
        for each in entry.attachments:
            shown = AttachmentView(each.filename, each.content_type, each.size, each.sha256, entry.security_profile)
            found.setdefault((each.sha256, each.filename), shown)
    return tuple(found.values())
