"""Dead letters: stores each one, then requests the incident on error.

Reads the dead-letter queue: messages that a stage failed on, and those that exceeded the broker's delivery limit.
Stores the letter before it emits IncidentWanted. A failed IncidentWanted does not cause another one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final

from shared import intake
from shared.app import App
from shared.clock import Clock
from shared.config.model import Configuration, Inbox
from shared.contracts.errors import PostroomError
from shared.contracts.events import IncidentWanted
from shared.ids import mail_id
from shared.lazy_dataclass import dataclass
from shared.runtime.broker import DEAD_LETTER, INTAKE, Message
from shared.runtime.crash_points import crash_point
from shared.runtime.outcome import Emit, MailEnded, Outcome
from shared.runtime.stage import Stage
from shared.store.arrivals import Arrivals
from shared.store.dead_letters import NO_REASON, DeadLetters
from shared.store.mails import Mails, StoredMail

PARSER: Final = "parser"


@dataclass(frozen=True, slots=True)
class DeadLetterKeeper:
    """Stores dead letters, and the mails that they are about."""

    mails: Mails
    arrivals: Arrivals
    dead_letters: DeadLetters
    clock: Clock
    configuration: Callable[[], Configuration]

    def handle(self, message: Message) -> Outcome:
        """Store the letter, set the mail's outcome to `dead`, and request an incident if the inbox is configured so."""
        mail = self._mail(message)
        inbox = mail.inbox if mail else None
        now = self.clock.now()
        letter_id, is_new = self.dead_letters.keep(message, mail_id=mail.id if mail else None, inbox=inbox, at=now)
        reason = str(message.headers.get("reason", NO_REASON))
        self.mails.documents.barrier()
        crash_point("dead-letter.kept")
        if not is_new and not self._is_open(letter_id):
            return Emit(note="the letter was closed already")
        if mail is None:
            self._count_unreadable(message, letter_id)
            return Emit(note=f"a message about no mail: {reason}")
        has_died = self.mails.finish(mail.id, "dead", reason=reason)
        if not has_died and (other := self._other_outcome(mail.id)):
            return Emit(note=f"the mail already has the outcome {other}: {reason}")
        ended = MailEnded("dead", mail.inbox, mail.received_at) if has_died else None
        if not self._wants_incident(message, mail):
            return Emit(note=f"kept without an incident: {reason}", ended=ended)
        stage = str(message.headers.get("stage", ""))
        self.mails.documents.barrier()
        self.dead_letters.ask(letter_id)
        crash_point("dead-letter.outcome")
        return Emit((IncidentWanted(mail.id, mail.inbox, letter_id, stage, reason),), reason, ended=ended)

    def _is_open(self, letter_id: str) -> bool:
        letter = self.dead_letters.get(letter_id)
        return letter is not None and letter.state == "open"

    def _other_outcome(self, mail_id: str) -> str | None:
        """The outcome that another worker has stored; None when it is `dead` or missing."""
        mail = self.mails.get(mail_id)
        return None if mail is None or mail.outcome == "dead" else mail.outcome

    def _mail(self, message: Message) -> StoredMail | None:
        """Return the mail that the message is about; a mail that failed in the intake queue is first stored here.

        A letter from intake has a trusted mail id only if the parser wrote it; else the publisher chose the id.
        """
        from_intake = message.headers.get("queue") == INTAKE
        named = message.correlation_id and not (from_intake and message.headers.get("stage") != PARSER)
        known = self.mails.get(message.correlation_id) if named else None
        return self._receive(message) if from_intake and known is None else known

    def _receive(self, message: Message) -> StoredMail | None:
        try:
            received = intake.read(message, self.mails.documents)
        except (PostroomError, LookupError):
            return None
        default = self.configuration().default_inbox
        inbox = received.inbox or (default.name if default else "")
        sha256 = hashlib.sha256(received.raw).hexdigest()
        id_ = mail_id(inbox, received.source_id, sha256)
        self.mails.documents.put_blob(received.raw)
        arrival, now = received.arrival_id or id_, self.clock.now()
        unread = StoredMail(
            id=id_,
            inbox=inbox,
            raw=sha256,
            size=len(received.raw),
            source_id=received.source_id,
            arrival=arrival,
            received_at=now,
            subject="(unread)",
            history=received.history,
        )
        self.mails.receive(unread)
        self.mails.documents.barrier()
        mail = self.mails.get(id_)
        duplicate = mail is not None and mail.arrival not in {None, arrival}
        self.arrivals.taken(arrival, inbox, now, id_, duplicate=duplicate)
        return mail

    def _count_unreadable(self, message: Message, letter_id: str) -> None:
        """Count a message from intake that is not a mail as an arrival, too."""
        if message.headers.get("queue") == INTAKE:
            self.arrivals.taken(message.id or letter_id, "", self.clock.now(), None, duplicate=False)

    def _wants_incident(self, message: Message, mail: StoredMail) -> bool:
        if message.type == IncidentWanted.__name__ or message.headers.get("incident", 1) == 0:
            return False
        if mail.history is not None:  # an old mail causes nothing new
            return False
        return wants_incident(self.configuration().inbox(mail.inbox))


def wants_incident(inbox: Inbox | None) -> bool:
    """Whether a mail to this inbox causes an incident when it cannot be processed; True for an unknown inbox."""
    return inbox is None or inbox.create_incident_on_error


def build(app: App) -> Stage:
    """The dead-letter stage on an app's store and configuration."""
    keeper = DeadLetterKeeper(app.mails, app.arrivals, app.dead_letters, app.clock, app.directory.current)
    return Stage("dead-letter", DEAD_LETTER, keeper.handle, lambda message: message)
