"""The first two hooks: the journal of mails in the store, and the log lines.

The journal answers "where is that mail?": which stage decided what, when, and why.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import ClassVar

from shared.clock import Clock
from shared.ids import id_under
from shared.runtime.hooks import Answer, Decided, Hook, Paused, Resumed
from shared.runtime.outcome import Emit, Fail, Outcome, Retry, Wait
from shared.store.journal import Journal, JournalEntry

log = logging.getLogger(__name__)


class JournalWriter(Hook):
    """Writes the journal of mails into the store, in the commit in which the decision becomes durable."""

    belongs_to_batch: ClassVar[bool] = True

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self.journal, self.clock = journal, clock

    def decided(self, details: Decided) -> None:
        """Write one entry for each decision about a known mail; a redelivery overwrites nothing."""
        self.journal.add([self._entry(details.part, answer) for answer in details.answers if answer.mail_id])

    def _entry(self, stage: str, answer: Answer) -> JournalEntry:
        message, (decision, why) = answer.delivery.message, describe(answer.outcome)
        id_ = id_under(answer.mail_id, stage, message.id, str(message.attempt), decision, why)
        return JournalEntry(id_, answer.mail_id, stage, self.clock.now(), decision, why, message.attempt)


class LogLines(Hook):
    """Logs every decision, and when a stage pauses and resumes.

    `is_logged(mail_id)`: whether decisions about a mail are logged (TI-06); the journal has them in any case.
    """

    def __init__(self, is_logged: Callable[[str], bool] = lambda _mail_id: True) -> None:
        self._is_logged = is_logged

    def decided(self, details: Decided) -> None:
        """Log `decided` for each."""
        if not log.isEnabledFor(logging.INFO):
            return
        for answer in details.answers:
            if not self._is_logged(answer.mail_id):
                continue
            decision, why = describe(answer.outcome)
            fields = {"stage": details.part, "mail_id": answer.mail_id, "decision": decision, "why": why}
            log.info("decided", extra=fields)

    def paused(self, details: Paused) -> None:
        """Log `worker_paused`."""
        log.warning("worker_paused", extra={"stage": details.part, "reason": details.reason})

    def resumed(self, details: Resumed) -> None:
        """Log `worker_resumed`."""
        log.warning("worker_resumed", extra={"stage": details.part, "seconds": round(details.seconds, 1)})


def describe(outcome: Outcome) -> tuple[str, str]:
    """A decision in two texts: what, and why. A reason may quote a mail: what no store takes is replaced by `?`."""
    match outcome:
        case Emit(events, note):
            decision, why = ", ".join(type(event).__name__ for event in events) or "done", note
        case Retry(reason):
            decision, why = "retry", reason
        case Wait(reason):
            decision, why = "wait", reason
        case Fail(reason):
            decision, why = "failed", reason
    return decision, why.encode("utf-8", "replace").decode()
