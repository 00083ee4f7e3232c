"""Facts and lookups made of plain values: a decision needs no store and no broker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from services.record_writer.decide.facts import Facts
from services.record_writer.decide.model import Decision
from shared.config.model import Configuration, Inbox
from shared.contracts.events import Envelope, Sender
from shared.contracts.mail import Address, ParsedMail
from shared.store.canaries import CanaryState
from shared.store.mails import StoredMail, message_key
from shared.store.outbox import OutboxMail
from shared.store.people import StoredPerson
from shared.store.record import Record, StoredActivity, StoredLink
from tests.builders import a_configuration, an_inbox

NOW: Final = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
ANNA: Final = Sender(Address("Anna", "anna@customer.example"), "anna", "Anna", "employee", ("user",), configured=True)
STRANGER: Final = Sender(Address("Eve", "eve@elsewhere.example"), name="Eve")
ANALYST: Final = Sender(
    Address("Ann", "ann@example.com"), "ann", "Ann", "employee", ("user", "analyst"), configured=True
)


@dataclass(frozen=True)
class PlainLookups:
    """Answers from values. `sent_count`: mails of ours that anybody got lately."""

    records: tuple[Record, ...] = ()
    received_mails: tuple[StoredMail, ...] = ()
    linked: tuple[StoredLink, ...] = ()
    people: tuple[StoredPerson, ...] = ()
    sent_mails: tuple[OutboxMail, ...] = ()
    sent_count: int = 0
    noted: tuple[StoredActivity, ...] = ()
    probes: tuple[OutboxMail, ...] = ()
    canaries: tuple[CanaryState, ...] = ()

    def record(self, record_id: str) -> Record | None:
        return next((each for each in self.records if each.id == record_id), None)

    def numbered(self, type_: str, serial: int, *, deleted: bool = False) -> Record | None:
        found = (each for each in self.records if (each.type, each.serial) == (type_, serial))
        return next((each for each in found if deleted or not each.deleted), None)

    def beginning_with(self, id_beginning: str) -> Record | None:
        return next((each for each in self.records if each.id.startswith(id_beginning)), None)

    def activities(self, record_id: str, limit: int) -> Sequence[StoredActivity]:
        return [each for each in self.noted if each.record_id == record_id][-limit:]

    def links(self, record_id: str) -> Sequence[StoredLink]:
        return [each for each in self.linked if record_id in (each.from_id, each.to_id)]

    def received(self, message_ids: Sequence[str], _: str) -> Sequence[StoredMail]:
        return [each for each in self.received_mails if each.message_key in message_ids]

    def is_on_intake(self, message_ids: Sequence[str], mail_id: str) -> bool:
        return False

    def sent(self, message_ids: Sequence[str]) -> Sequence[OutboxMail]:
        return [each for each in self.sent_mails if each.message_key in message_ids]

    def outgoing(self, outbox_id: str) -> OutboxMail | None:
        return next((each for each in self.sent_mails if each.id == outbox_id), None)

    def probe(self, mail: ParsedMail, inbox: str) -> OutboxMail | None:
        keys = (message_key(mail.message_id), inbox)
        return next((each for each in self.probes if (each.message_key, each.inbox) == keys), None)

    def canary(self, inbox: str) -> CanaryState | None:
        return next((each for each in self.canaries if each.inbox == inbox), None)

    def sent_to(self, mailbox: str, since: datetime) -> Sequence[OutboxMail]:
        return [each for each in self.sent_mails if each.to_key == mailbox and each.at >= since]

    def similar(self, loop_key: str, since: datetime, until: datetime, limit: int) -> int:
        return 0

    def sent_since(self, recipients: str, value: str | bool, since: datetime) -> int:
        return self.sent_count

    def touched_since(self, person_id: str, since: datetime) -> int:
        return self.sent_count

    def held_by(
        self, person_id: str, holding: str, type_: str, statuses: Sequence[str], limit: int
    ) -> Sequence[Record]:
        return [each for each in self.records if each.type == type_ and each.owner == person_id][:limit]

    def mail(self, mail_id: str) -> StoredMail | None:
        return next((each for each in self.received_mails if each.id == mail_id), None)

    def is_answered(self, mail_id: str) -> bool:
        return False

    def group(self, kind: str, name: str, limit: int) -> Sequence[StoredPerson]:
        return [each for each in self.people if name in getattr(each, kind)][:limit]

    def person(self, text: str) -> StoredPerson | None:
        return next((each for each in self.people if text in (each.id, *each.addresses)), None)


NOTHING: Final = PlainLookups()


def facts(inbox: Inbox | None = None, *, text: str = "Fire\n", subject: str = "Printer", **keys: Any) -> Facts:
    """One mail of Anna's to an inbox. `keys`: fields of `Facts`, or of its mail; `configuration` sections too."""
    inbox = inbox or an_inbox()
    own = {name: keys.pop(name) for name in list(keys) if name in Facts.__dataclass_fields__}
    sections = {name: keys.pop(name) for name in list(keys) if name in Configuration.__dataclass_fields__}
    own = {"configuration": a_configuration(inbox, **sections), "sender": ANNA, "now": NOW, "raw": "0" * 64, **own}
    address = own["sender"].address
    mail = ParsedMail("0" * 64, 400, "<m1@customer.example>", subject=subject, text=text, new_text=text, from_=address)
    envelope = Envelope("m1", inbox.name, "2026-11-20T12:00:00Z")
    return Facts(envelope=envelope, mail=replace(mail, **keys), inbox=inbox, **own)


def a_record(number: int = 1, type_: str = "incident", prefix: str = "INC", **properties: Any) -> Record:
    """A record of Anna's, as stored."""
    own = {"status": "Logged", "subject": "Old", "customer": "anna", **properties}
    return Record(own.pop("id", f"{type_}-{number}"), type_, number, f"{prefix}{number}", own.pop("version", 3), **own)


def made(decision: Decision) -> list[tuple[str, str]]:
    """What is done to which type of record."""
    return [(change.action, change.type) for change in decision.changes]
