"""What is seen of the work: one log line and one journal entry for each decision.

The journal answers "where is that mail?": which stage decided what, when, and why.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol

from shared.clock import Clock
from shared.ids import id_under
from shared.runtime.broker import INTAKE, Delivery
from shared.runtime.envelope import mail_id_of
from shared.runtime.outcome import Emit, Fail, Outcome, Retry, Wait
from shared.store.journal import Journal, JournalEntry

log = logging.getLogger(__name__)

Decided = Sequence[tuple[Delivery, Outcome]]


class Observer(Protocol):
    """Sees what a worker decided, inside the batch in which it was decided."""

    def decided(self, stage: str, decided: Decided) -> None:
        """Look, and keep; never raises anything but `Unavailable`."""


class JournalWriter:
    """Writes the journal of mails into the store, and a log line."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self.journal, self.clock = journal, clock

    def decided(self, stage: str, decided: Decided) -> None:
        """One entry for each decision about a known mail; a redelivery overwrites nothing."""
        entries = [self._entry(stage, delivery, outcome) for delivery, outcome in decided]
        self.journal.add([entry for entry in entries if entry.mail_id])

    def _entry(self, stage: str, delivery: Delivery, outcome: Outcome) -> JournalEntry:
        message = delivery.message
        decision, why = describe(outcome)
        why = why.encode("utf-8", "replace").decode()  # a reason may quote what no store takes
        mail_id = _mail_id(outcome) or ("" if delivery.queue == INTAKE else message.correlation_id)
        log.info("decided", extra={"stage": stage, "mail_id": mail_id, "decision": decision, "why": why})
        id_ = id_under(mail_id, stage, message.id, str(message.attempt), decision, why)
        return JournalEntry(id_, mail_id, stage, self.clock.now(), decision, why, message.attempt)


def describe(outcome: Outcome) -> tuple[str, str]:
    """A decision in two texts: what, and why."""
    match outcome:
        case Emit(events, note):
            return ", ".join(type(event).__name__ for event in events) or "done", note
        case Retry(reason):
            return "retry", reason
        case Wait(reason):
            return "wait", reason
        case Fail(reason):
            return "failed", reason


def _mail_id(outcome: Outcome) -> str:
    if isinstance(outcome, Fail):
        return outcome.mail_id
    if not isinstance(outcome, Emit) or not outcome.events:
        return outcome.mail_id if isinstance(outcome, Emit) else ""
    return mail_id_of(outcome.events[0])
