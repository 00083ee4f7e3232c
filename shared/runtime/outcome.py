"""Outcomes of one event: other events follow, this one has to wait, or a person has to look."""

from __future__ import annotations

from dataclasses import field
from datetime import datetime, timedelta

from shared.contracts.events import Event
from shared.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class MailEnded:
    """A mail got its one outcome, for hooks that count; `rule` is the one that rejected it. None: not known."""

    outcome: str
    inbox: str
    received_at: datetime | None = None
    rule: str = ""


@dataclass(frozen=True, slots=True)
class OutgoingEnded:
    """An outgoing mail got the state `result`; `server` is the configured one, empty without one."""

    server: str
    result: str


@dataclass(frozen=True, slots=True)
class Emit:
    """Done; these events follow (none is an answer too). `note` goes into the mail's journal.

    `mail_id` names the mail when neither message nor events do. `ended`: what is over with it, for hooks that count.
    """

    events: tuple[Event, ...] = ()
    note: str = ""
    mail_id: str = ""
    ended: MailEnded | OutgoingEnded | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Retry:
    """Handling this message failed for now: try again later, an attempt is counted."""

    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """The event has to wait for another one: try again after `after`; no attempt is counted."""

    reason: str
    after: timedelta = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Fail:
    """A person has to look: the original message goes to the dead letters with this reason.

    `mail_id` names the mail when the message does not; `incident` is False when an incident on error
    would be of no use, because it is the making of an incident that failed (IV-37). `events` follow all the same.
    """

    reason: str
    mail_id: str = ""
    incident: bool = True
    events: tuple[Event, ...] = ()


Outcome = Emit | Retry | Wait | Fail


def emit(*events: Event, note: str = "") -> Emit:
    """Done; these events follow."""
    return Emit(events, note)
