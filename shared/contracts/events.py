"""What travels between stages: facts in the past tense, and two requests. `codec` knows the wire form.

A field is added with a default; a new meaning is a new event. Every event names the mail it is about.
"""

from __future__ import annotations

from shared.contracts.mail import Address, ParsedMail
from shared.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class History:
    """What marks an old mail that `postroom import` brought in: it changes nothing but the history of records.

    `at` (UTC, ISO 8601) is when it was sent, as its own header says. `follows` is the id of the mail that it answers,
    handed in before it. `status`: the status of a record that it makes; None: the first open one of its type.
    """

    at: str
    follows: str | None = None
    status: str | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """What is known of a mail besides its bytes. `received_at` is UTC ISO 8601: when Postroom took it in.

    `history` is None for the mail of today, and set for an old one that was imported.
    """

    mail_id: str
    inbox: str
    received_at: str
    envelope_from: str | None = None
    envelope_to: tuple[str, ...] = ()
    history: History | None = None


@dataclass(frozen=True, slots=True)
class Sender:
    """Who wrote, as far as Postroom can tell: the claimed address, and the person or object behind it.

    `address` is None when the mail has no usable From. `object_id` is set by method 2 (IV-23). `configured`: the person
    is in the desk's configuration, not one whom a mail created. `language`: the person's, if one is stated.
    """

    address: Address | None
    person_id: str | None = None
    name: str = ""
    kind: str | None = None
    roles: tuple[str, ...] = ()
    object_type: str | None = None
    object_id: str | None = None
    configured: bool = False
    language: str | None = None


@dataclass(frozen=True, slots=True)
class MailReceived:
    """A raw mail arrived at intake. Never travels as JSON: on the intake queue it is the bytes themselves.

    `inbox` is empty when the message names none; `arrival_id` is the message's id, empty when it has none. `sha256` is
    the hash under which the store has the bytes, empty when they came in the message.
    """

    raw: bytes
    inbox: str
    source_id: str | None = None
    envelope_from: str | None = None
    envelope_to: tuple[str, ...] = ()
    arrival_id: str = ""
    history: History | None = None
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class MailParsed:
    """The mail is stored and read."""

    envelope: Envelope
    mail: ParsedMail


@dataclass(frozen=True, slots=True)
class MailAccepted:
    """No rule matched: the mail may become a record. `answers` is False when nobody may be answered (PR-02)."""

    envelope: Envelope
    mail: ParsedMail
    answers: bool = True
    commands: bool = True


@dataclass(frozen=True, slots=True)
class MailRejected:
    """A rule rejects the mail, which is kept with this reason. The end of a canary's probe is not among these."""

    mail_id: str
    inbox: str
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class SenderMatched:
    """The person who wrote the mail, or that the sender is unknown.

    `original`: the sender of the mail that this one forwards, where the inbox asks for it.
    """

    envelope: Envelope
    mail: ParsedMail
    sender: Sender
    answers: bool = True
    commands: bool = True
    original: Sender | None = None


@dataclass(frozen=True, slots=True)
class RecordChanged:
    """A record was created or changed. `action`: created, updated, closed, sla_breached, ..."""

    mail_id: str
    inbox: str
    action: str
    type: str
    number: str
    record_id: str


@dataclass(frozen=True, slots=True)
class NotificationQueued:
    """An outgoing mail waits in the outbox."""

    mail_id: str
    outbox_id: str


@dataclass(frozen=True, slots=True)
class ExportWanted:
    """A mail is to be handed to a data import connection as XML; `document` is the blob that holds it."""

    mail_id: str
    inbox: str
    connection: str
    document: str


@dataclass(frozen=True, slots=True)
class IncidentWanted:
    """A dead letter asks for an incident on error (IV-37)."""

    mail_id: str
    inbox: str
    letter_id: str
    stage: str
    reason: str


@dataclass(frozen=True, slots=True)
class ServiceTargetReached:
    """A target of a record's service level is near (`event` due) or has passed (breached); the schedule says so.

    `target`: respond or resolve. No mail is the cause: `mail_id` is empty.
    """

    mail_id: str
    record_id: str
    sla: str
    target: str
    event: str


Event = (
    MailParsed
    | MailAccepted
    | MailRejected
    | SenderMatched
    | RecordChanged
    | NotificationQueued
    | ExportWanted
    | IncidentWanted
    | ServiceTargetReached
)
