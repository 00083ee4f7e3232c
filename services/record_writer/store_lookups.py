"""The lookups of a decision, answered by the store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from services.record_writer.carry_out import Stores
from shared.contracts.mail import ParsedMail
from shared.lazy_dataclass import dataclass
from shared.store.canaries import CanaryState
from shared.store.mails import StoredMail
from shared.store.outbox import OutboxMail, Recipients
from shared.store.people import GroupKind, StoredPerson
from shared.store.record import Record, StoredActivity, StoredLink
from shared.store.records import Holding


@dataclass(frozen=True, slots=True)
class StoreLookups:
    """Each question is one query, or two. `plus_addressing` is a setting of the desk."""

    stores: Stores
    plus_addressing: str

    def record(self, record_id: str) -> Record | None:
        """One record by its id."""
        return self.stores.records.get(record_id)

    def numbered(self, type_: str, serial: int, *, deleted: bool = False) -> Record | None:
        """One record by type and number; a deleted one only when that is asked for."""
        return self.stores.records.numbered(type_, serial, deleted=deleted)

    def beginning_with(self, id_beginning: str) -> Record | None:
        """The record whose id begins so, if there is exactly one."""
        found = self.stores.records.beginning_with(id_beginning)
        return found[0] if len(found) == 1 else None

    def activities(self, record_id: str, limit: int) -> Sequence[StoredActivity]:
        """The newest activities of a record."""
        return self.stores.records.activities(record_id, limit)

    def links(self, record_id: str) -> Sequence[StoredLink]:
        """Links of a record, in both directions."""
        return self.stores.records.links(record_id)

    def received(self, message_ids: Sequence[str], sender: str) -> Sequence[StoredMail]:
        """Mails that came in with one of these Message-IDs."""
        return self.stores.mails.with_message_ids(message_ids, sender)

    def is_on_intake(self, message_ids: Sequence[str], mail_id: str) -> bool:
        """Whether an earlier mail with one of these Message-IDs is not read yet."""
        own = self.stores.mails.get(mail_id)
        return bool(own and own.arrival and self.stores.arrivals.waits_behind(own.arrival, message_ids))

    def sent(self, message_ids: Sequence[str]) -> Sequence[OutboxMail]:
        """Outgoing mails with one of these Message-IDs."""
        return self.stores.outbox.with_message_ids(message_ids)

    def outgoing(self, outbox_id: str) -> OutboxMail | None:
        """One outgoing mail."""
        return self.stores.outbox.get(outbox_id)

    def probe(self, mail: ParsedMail, inbox: str) -> OutboxMail | None:
        """The probe of this inbox's canary that has come back as this mail."""
        return self.stores.outbox.probe(mail, inbox)

    def canary(self, inbox: str) -> CanaryState | None:
        """How far the canary of an inbox has come."""
        return self.stores.canaries.get(inbox)

    def sent_to(self, mailbox: str, since: datetime) -> Sequence[OutboxMail]:
        """The newest outgoing mails since then, to the full second, to a mailbox."""
        return self.stores.outbox.sent_to(mailbox, since.replace(microsecond=0))

    def similar(self, loop_key: str, since: datetime, until: datetime, limit: int) -> int:
        """How many mails with this key came in between."""
        return self.stores.mails.similar_between(loop_key, since, until, limit)

    def sent_since(self, recipients: Recipients, value: str | bool, since: datetime) -> int:
        """How many outgoing mails since then, to the full second, have this value."""
        return self.stores.outbox.sent_since(recipients, value, since.replace(microsecond=0))

    def touched_since(self, person_id: str, since: datetime) -> int:
        """How many times since then, to the full second, mails of this person were about a record."""
        return self.stores.people.touched_since(person_id, since.replace(microsecond=0))

    def held_by(
        self, person_id: str, holding: Holding, type_: str, statuses: Sequence[str], limit: int
    ) -> Sequence[Record]:
        """The newest records of a type in these statuses that a person owns, has forwarded or was forwarded."""
        return self.stores.records.held_by(person_id, holding, type_, statuses, limit)

    def mail(self, mail_id: str) -> StoredMail | None:
        """One mail that came in."""
        return self.stores.mails.get(mail_id)

    def is_answered(self, mail_id: str) -> bool:
        """Whether an answer to this mail is in the outbox."""
        return self.stores.outbox.is_answered(mail_id)

    def group(self, kind: GroupKind, name: str, limit: int) -> Sequence[StoredPerson]:
        """Active people of the configuration in a team, or with a role."""
        return self.stores.people.in_group(kind, name, limit)

    def person(self, text: str) -> StoredPerson | None:
        """The person with this id, else with this address."""
        return self.stores.people.named(text, plus_addressing=self.plus_addressing)
