"""The queries of a decision. Tests answer them with plain values, the stage and the dry run with repositories."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from shared.contracts.mail import ParsedMail
from shared.store.canaries import CanaryState
from shared.store.mails import StoredMail
from shared.store.outbox import OutboxMail, Recipients
from shared.store.people import GroupKind, StoredPerson
from shared.store.record import Record, StoredActivity, StoredLink
from shared.store.records import Holding


class Lookups(Protocol):
    """Questions about records, mails and people. Nothing is written; answers are rows as stored."""

    def record(self, record_id: str) -> Record | None:
        """One record by its id, deleted or not."""

    def numbered(self, type_: str, serial: int, *, deleted: bool = False) -> Record | None:
        """One record by type and number; a deleted one only when that is asked for."""

    def beginning_with(self, id_beginning: str) -> Record | None:
        """The record whose id begins so, if there is exactly one."""

    def activities(self, record_id: str, limit: int) -> Sequence[StoredActivity]:
        """The newest activities of a record, oldest of them first."""

    def links(self, record_id: str) -> Sequence[StoredLink]:
        """Links of a record, in both directions."""

    def received(self, message_ids: Sequence[str], sender: str) -> Sequence[StoredMail]:
        """Mails that came in with one of these Message-IDs; those of the sender are among them, however many."""

    def is_on_intake(self, message_ids: Sequence[str], mail_id: str) -> bool:
        """Whether a mail with one of these Message-IDs was handed in to its inbox before this one, and is not read."""

    def sent(self, message_ids: Sequence[str]) -> Sequence[OutboxMail]:
        """Outgoing mails with one of these Message-IDs."""

    def outgoing(self, outbox_id: str) -> OutboxMail | None:
        """One outgoing mail."""

    def probe(self, mail: ParsedMail, inbox: str) -> OutboxMail | None:
        """The probe of this inbox's canary that has come back as this mail (see `Outbox.probe`)."""

    def canary(self, inbox: str) -> CanaryState | None:
        """How far the canary of an inbox has come."""

    def sent_to(self, mailbox: str, since: datetime) -> Sequence[OutboxMail]:
        """The newest outgoing mails since then to a mailbox (see `mailbox_key`), at most 50."""

    def similar(self, loop_key: str, since: datetime, until: datetime, limit: int) -> int:
        """How many mails with this key (see `shared.loops`) came in between, at most `limit`."""

    def sent_since(self, recipients: Recipients, value: str | bool, since: datetime) -> int:
        """How many outgoing mails since then have this value (see `Outbox.sent_since`)."""

    def touched_since(self, person_id: str, since: datetime) -> int:
        """How many times since then mails of this person were about a record."""

    def held_by(
        self, person_id: str, holding: Holding, type_: str, statuses: Sequence[str], limit: int
    ) -> Sequence[Record]:
        """The newest records of a type in these statuses that a person owns, has forwarded or was forwarded."""

    def mail(self, mail_id: str) -> StoredMail | None:
        """One mail that came in."""

    def is_answered(self, mail_id: str) -> bool:
        """Whether an answer to this mail is in the outbox, sent or not."""

    def group(self, kind: GroupKind, name: str, limit: int) -> Sequence[StoredPerson]:
        """Active people of the configuration in a team, or with a role."""

    def person(self, text: str) -> StoredPerson | None:
        """The person with this id, else with this address."""


def person_name(lookups: Lookups, text: str) -> str:
    """The name of a person named by id or address; other text is returned unchanged."""
    found = lookups.person(text)
    return found.name if found else text
