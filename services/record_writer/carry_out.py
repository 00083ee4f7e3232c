"""Carry out a committed Change: every write is safe to repeat, and its id is derived from its cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from shared.config.model import PEOPLE_TYPES
from shared.contracts.change import Change, Notification
from shared.contracts.errors import PostroomError
from shared.contracts.events import Event, NotificationQueued, RecordChanged
from shared.ids import derived_id
from shared.lazy_dataclass import dataclass
from shared.runtime.crash_points import crash_point
from shared.sending import as_sent
from shared.store.arrivals import Arrivals
from shared.store.canaries import Canaries
from shared.store.dead_letters import DeadLetters
from shared.store.mails import Mails, StoredMail
from shared.store.outbox import Outbox, QueuedFor, SendingSide
from shared.store.people import People
from shared.store.records import Records

MAX_ACTIVITIES = 100
"""Places reserved for each part of a mail, so that activities on one record keep the order of the parts."""


@dataclass(frozen=True, slots=True)
class Stores:
    """The repositories that the writer reads and writes."""

    records: Records
    people: People
    outbox: Outbox
    mails: Mails
    dead_letters: DeadLetters
    canaries: Canaries
    arrivals: Arrivals

    def barrier(self) -> None:
        """What was written before is durable before what is written after (decision 0003)."""
        self.mails.documents.barrier()

    def mail(self, mail_id: str) -> StoredMail:
        """The mail that a message is about. Raises `PostroomError` when it is not stored."""
        found = self.mails.get(mail_id)
        if found is not None and found.targets is not None:  # claimed before: nothing read until now counts
            found = self.mails.get_fresh(mail_id)
        if found is None:
            raise PostroomError("the mail's document is missing")
        return found


@dataclass(frozen=True, slots=True)
class Cause:
    """The mail that causes a change, its inbox, the time, and the server that sends notifications about it.

    `key`: what else causes it, when no mail does (`mail_id` is empty then).
    """

    mail_id: str
    inbox: str
    at: datetime
    outgoing: SendingSide
    key: str = ""

    @property
    def id(self) -> str:
        """What the ids of everything that is written are derived from."""
        return self.mail_id or self.key


def carry_out(change: Change, cause: Cause, stores: Stores) -> list[Event]:
    """Write everything of a committed Change but the record itself and the answer; return the events that follow."""
    if change.person:
        stores.people.create_once(change.person, cause.at)
    if change.type in PEOPLE_TYPES and change.action == "update" and (record := stores.records.get(change.record_id)):
        stores.people.follow(record)
    if change.becomes_user:
        stores.people.make_user(change.becomes_user)
    for each in change.objects:
        _create_object(each, cause, stores)
    _write_activities(change, cause, stores)
    if above := change.above:
        origin = f"{cause.id}/{change.part}/above"
        stores.records.add_activity(above.record_id, origin, 0, above.activity, cause.at, cause.mail_id or None)
        stores.records.flag(above.record_id)
        crash_point("writer.carried-out")
    for link in change.links:
        stores.records.link(change.record_id, link.record_id, link.relationship, cause.at)
    if change.customer:
        stores.people.add_history(change, cause.mail_id, cause.at, cause.inbox)
        crash_point("writer.carried-out")
    events: list[Event] = [_announcement(change, cause)] if change.action != "none" else []
    events += queue_messages(change, cause, stores)
    for subordinate in change.subordinates:
        events += _carry_out_below(change, subordinate, cause, stores)
    return events


def _create_object(change: Change, cause: Cause, stores: Stores) -> None:
    """Create the object that method 2 links to. Its id is derived from the matched value, so two mails make one."""
    stores.records.create_once(change, cause.id, cause.at)
    stores.records.forget(change.record_id, cause.id)


def _write_activities(change: Change, cause: Cause, stores: Stores) -> None:
    origin, first = f"{cause.id}/{change.part}", MAX_ACTIVITIES * int(change.part)
    for index, activity in enumerate(change.activities, start=first):
        stores.records.add_activity(change.record_id, origin, index, activity, cause.at, cause.mail_id or None)
        crash_point("writer.carried-out")


def _carry_out_below(parent: Change, change: Change, cause: Cause, stores: Stores) -> list[Event]:
    """Insert a record below another one, and link it to the parent."""
    stores.records.create_once(change, cause.id, cause.at, parent=parent.record_id)
    stores.records.link(change.record_id, parent.record_id, "parent", cause.at)
    _write_activities(change, cause, stores)
    messages = queue_messages(change, cause, stores)
    stores.records.forget(change.record_id, cause.id)
    crash_point("writer.carried-out")
    return [_announcement(change, cause), *messages]


def _announcement(change: Change, cause: Cause) -> RecordChanged:
    return RecordChanged(cause.mail_id, cause.inbox, change.event, change.type, change.number, change.record_id)


def queue_messages(change: Change, cause: Cause, stores: Stores) -> list[Event]:
    """Put what business rules send into the outbox once; return the events for the notifier."""
    because = QueuedFor(cause.at, cause.mail_id or None, change.record_id, change.number)
    made = derived_id("messages", cause.id, change.record_id, change.part)
    ids, to = [], Counter[str]()
    for each in change.messages:
        address = each.to[0]
        ids.append(_queued(each, f"{made} {address}", to[address], because, cause, stores))
        to[address] += 1
        crash_point("writer.carried-out")
    return [NotificationQueued(cause.mail_id, id_) for id_ in ids]


def queue_notifications(
    notifications: Sequence[Notification], change: Change, cause: Cause, stores: Stores
) -> list[Event]:
    """Put notifications into the outbox once; return the events for the notifier."""
    because = QueuedFor(cause.at, cause.mail_id, change.record_id or None, change.number or None)
    made = derived_id("notifications", cause.mail_id, change.record_id, change.part)
    ids = [_queued(each, made, index, because, cause, stores) for index, each in enumerate(notifications)]
    if ids:
        crash_point("writer.carried-out")
    return [NotificationQueued(cause.mail_id, id_) for id_ in ids]


def _queued(mail: Notification, made: str, index: int, because: QueuedFor, cause: Cause, stores: Stores) -> str:
    """The outbox id of a mail, which is stored as it will be sent."""
    sending = replace(cause.outgoing, stranger_domain=mail.stranger_domain)
    return stores.outbox.add_once(made, index, as_sent(mail, sending, because.record_id), sending, because)
