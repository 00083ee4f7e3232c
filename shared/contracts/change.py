"""What the desk decides because of a mail: one `Change` for each record it touches.

A `Change` is decided once, stored with the record that it commits to, and carried out from there, so it holds
everything that is needed for that: carrying it out reads no clock and looks nothing up.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final, Literal

from shared.contracts.mail import Attachment
from shared.lazy_dataclass import dataclass

Action = Literal["create", "update", "none"]
TargetKind = Literal["new", "update", "command", "create", "reject", "wait", "none", "covered", "undelivered"]
"""`command`: the mail is a command about the record; `create`: it is one that makes a record; `none`: the part names a
record that is not there; `covered`: another part's record has this one in it; `undelivered`: the mail reports that mail
about the record could not be delivered.
"""


@dataclass(frozen=True, slots=True)
class FieldValue:
    """One field and what it is set to. `value`: text, number, bool or None."""

    name: str
    value: Any


@dataclass(frozen=True, slots=True)
class Activity:
    """An entry in a record's activities. `kind`: email, note, status, created, ...

    `subject` is that of the mail; `shortened`: some of the mail's text is left out, and the mail has the whole.
    """

    kind: str
    text: str
    by: str
    attachments: tuple[Attachment, ...] = ()
    security_profile: str | None = None
    subject: str | None = None
    shortened: bool = False


@dataclass(frozen=True, slots=True)
class Notification:
    """A mail to be sent. `to` holds addresses; `kind` names the reason (`updated`, `closed`, ...).

    `to_name` is the recipient's name, `references` the Message-IDs of the thread before `in_reply_to`. `html` None: it
    is made from the text; `template`: the mail template that both were made of, if one was. `stranger_domain`: the
    recipient is not known, and mail to this domain is counted ("": it has none).
    """

    to: tuple[str, ...]
    subject: str
    text: str
    kind: str
    in_reply_to: str | None = None
    to_name: str = ""
    references: tuple[str, ...] = ()
    cc: tuple[str, ...] = ()
    html: str | None = None
    template: str | None = None
    stranger_domain: str | None = None
    attachments: tuple[Attachment, ...] = ()


PERSON_NAME: Final = "Name"
PERSON_EMAIL: Final = "Email"
PERSON_LOGIN: Final = "LoginID"
"""The fields of a record of a type of people which the person whom it stands for follows (TI-32)."""


@dataclass(frozen=True, slots=True)
class NewPerson:
    """A person who is created together with the record (IV-20). `id` is derived from the normalised address."""

    id: str
    name: str
    address: str
    kind: str
    login_id: str | None
    roles: tuple[str, ...] = ("user",)


@dataclass(frozen=True, slots=True)
class Link:
    """A named relationship to another record."""

    relationship: str
    record_id: str


@dataclass(frozen=True, slots=True)
class Target:
    """Where a mail goes. `step` names the strategy, `why` says it in words.

    `record_id` is set for an update; `related` is the record that a new one is linked to. `type` is the type of a
    new record when it is not the inbox's own. `missing` names the record that was asked for and is not there (IV-36).
    """

    kind: TargetKind
    step: str
    why: str
    record_id: str | None = None
    related: str | None = None
    type: str | None = None
    missing: str | None = None


@dataclass(frozen=True, slots=True)
class NoteAbove:
    """A note on the record above a changed one, which is flagged for its handler.

    `follows`: how it moves on when nothing else happens until then (VF-18); shown by a dry run, and decided again when
    the change is carried out.
    """

    record_id: str
    activity: Activity
    follows: Change | None = None


TargetState = Literal["running", "paused", "met"]


@dataclass(frozen=True, slots=True)
class ServiceTarget:
    """One target of a service level: `respond` or `resolve` within `length_seconds` of working time (TI-35).

    `used_seconds` are used up; a running target uses more since `since`. A running target is due at `due_at` and
    near from `warn_at` on; both are None when working time never reaches them. `met_at`: when it was met.
    """

    kind: str
    state: TargetState
    length_seconds: float
    used_seconds: float = 0.0
    since: datetime | None = None
    due_at: datetime | None = None
    warn_at: datetime | None = None
    met_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """The service level that holds for a record; `sla` is empty when none does.

    `fired`: the events that happened. `responded_at`: when the desk responded first, also under a former service level.
    """

    sla: str
    targets: tuple[ServiceTarget, ...] = ()
    fired: tuple[str, ...] = ()
    responded_at: datetime | None = None

    def target(self, kind: str) -> ServiceTarget | None:
        """The target of this kind."""
        return next((each for each in self.targets if each.kind == kind), None)

    def key(self, target: ServiceTarget, event: str) -> str:
        """What `fired` holds when an event (`due` or `breached`) of a target has happened."""
        return f"{self.sla}/{target.kind}/{event}"

    def moments(self, target: ServiceTarget) -> Iterator[tuple[str, datetime]]:
        """The events of a running target that have not happened, each with its time."""
        times = (("due", target.warn_at), ("breached", target.due_at))
        for event, at in times if target.state == "running" else ():
            if at is not None and self.key(target, event) not in self.fired:
                yield event, at

    @property
    def next_at(self) -> datetime | None:
        """When the next event of any target happens."""
        return min((at for target in self.targets for _, at in self.moments(target)), default=None)


@dataclass(frozen=True, slots=True)
class Change:
    """What one mail does to one record.

    `set` are properties of the record itself (`status`, `subject`, `owner_team`, ...), `fields` those of its type.
    `serial` is the number of a new record: 0 in a plan, given when the change is committed. `event` is the name that
    integrators get: created, updated, reopened, undelivered. `subordinates` are records below this one, `objects` those
    created together with it and linked by `links` (IV-23); `above`: what the record above this one hears;
    `becomes_user` is an analyst who logs as a user (VS-05). `why` lists the steps that led here, for the trace; `part`
    is which part of the mail led here. `notifications` ask for the one answer to the mail, `messages` are what business
    rules send: they are queued as they are when the change is carried out.
    """

    action: Action
    type: str
    record_id: str
    number: str
    serial: int
    event: str
    set: tuple[FieldValue, ...] = ()
    fields: tuple[FieldValue, ...] = ()
    activities: tuple[Activity, ...] = ()
    notifications: tuple[Notification, ...] = ()
    person: NewPerson | None = None
    customer: str | None = None
    links: tuple[Link, ...] = ()
    subordinates: tuple[Change, ...] = ()
    objects: tuple[Change, ...] = ()
    becomes_user: str | None = None
    why: tuple[str, ...] = ()
    part: str = "0"
    above: NoteAbove | None = None
    messages: tuple[Notification, ...] = ()
    service: ServiceLevel | None = None
