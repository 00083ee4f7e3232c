"""Actions of an operator on one mail or dead letter: release, replay, discard.

The command line and the console call these. Each is safe to repeat after a crash: a mail is decided once, whatever
number of messages asks for it. Every action leaves a line in the mail's journal.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from services.operator.errors import NotAvailable
from services.queues import FILTER
from shared.contracts.errors import BoundExceeded
from shared.contracts.events import Envelope, IncidentWanted, MailParsed, NotificationQueued
from shared.ids import id_under
from shared.runtime.broker import Message
from shared.runtime.envelope import pack
from shared.store.dead_letters import LetterQuery
from shared.store.journal import JournalEntry
from shared.text import iso

if TYPE_CHECKING:
    from shared.app import App
    from shared.store.dead_letters import DeadLetter
    from shared.store.jobs import Verb
    from shared.store.mails import StoredMail


OPERATOR: Final = "operator"
"""The name of the stage under which the journal lists an operator's action."""
FOLLOWING: Final = frozenset({IncidentWanted.__name__, NotificationQueued.__name__})
"""Messages that follow from a mail's outcome. Replaying one must not remove that outcome."""


def release(app: App, mail_id: str, *, by: str = OPERATOR, reason: str = "") -> None:
    """Let a rejected mail through: it goes to the filter's queue once more, and no rule is asked (PR-01).

    It is not counted as another arrival, and its way shows in the journal like the first one.

    Raises `NotAvailable` when there is no such mail, it was not rejected, or it is a probe of a canary.
    """
    mail = app.mails.get(mail_id)
    if mail is None:
        raise NotAvailable(f"there is no mail {mail_id!r}")
    if mail.outcome != "rejected" and not (mail.outcome is None and mail.released):
        raise NotAvailable(f"the mail is {mail.outcome or 'in flight'}; only a rejected mail can be released")
    if mail.is_probe:
        raise NotAvailable("the mail is a probe of a canary: nobody wrote it, and it makes no record")
    now, message = app.clock.now(), _again(app, mail)
    app.mails.release(mail_id, now, by)
    app.broker.publish([message])
    journal_action(app, mail_id, now, "released", f"by {by}{_because(reason)}; it was rejected: {mail.reason or ''}")


def _again(app: App, mail: StoredMail) -> Message:
    """Build the parser's event for the mail again, for the filter."""
    from services.parser import guarded
    from services.parser.stage import for_desk

    envelope = Envelope(mail.id, mail.inbox, iso(mail.received_at), history=mail.history)
    try:
        read = for_desk(guarded.read(app.mails.source(mail)).mail, mail.inbox, app.directory.current())
    except BoundExceeded as error:
        raise NotAvailable(f"the mail cannot be read: {error}") from None
    cause = Message(uuid.uuid4().hex, OPERATOR, b"", correlation_id=mail.id)
    event = MailParsed(envelope, replace(read, html=None))
    return pack(event, FILTER, cause=cause, stage=OPERATOR, index=0, large=app.large_events)


def replay(app: App, letter_id: str, *, by: str = OPERATOR, reason: str = "") -> str:
    """Send a dead letter's message back to the queue that it came from, with no attempt counted; the queue.

    What was committed is not repeated. Raises `NotAvailable` when there is no such letter, it is closed, or it is not
    known from which queue it came.
    """
    letter = _open_letter(app, letter_id)
    if not letter.queue:
        again = f"`postroom dead-letters source {letter_id}` prints the message, to be handed in again"
        raise NotAvailable(f"it is not known from which queue it came; {again}")
    now = app.clock.now()
    if letter.mail_id and letter.message.type not in FOLLOWING:
        app.mails.reopen(letter.mail_id, was="dead")
    app.broker.publish([app.dead_letters.message(letter)])
    app.dead_letters.close(letter_id, "replayed", at=now, by=by)
    journal_action(app, letter.mail_id, now, "replayed", f"by {by}{_because(reason)}; back to {letter.queue}")
    return letter.queue


def replay_mail(app: App, mail: StoredMail, *, by: str = OPERATOR, reason: str = "") -> int:
    """Replay the open dead letters of a mail; how many. A mail in flight that has none goes to the filter again.

    The message of such a mail may be lost (a queue was purged); if it is not, the second one changes nothing, because
    a mail is decided once. Raises `NotAvailable` for a mail that has an outcome and no open letter.
    """
    if mail.outcome is not None or any(app.dead_letters.find(LetterQuery("open", mail_id=mail.id))):
        return with_letters_of(app, mail.id, "replay", by=by, reason=reason)
    app.broker.publish([_again(app, mail)])
    journal_action(app, mail.id, app.clock.now(), "replayed", f"by {by}{_because(reason)}; to {FILTER}")
    return 0


def discard(app: App, letter_id: str, *, by: str = OPERATOR, reason: str = "") -> None:
    """Close a dead letter without another try; the letter, the mail and the incident stay. Raises as `replay`."""
    letter = _open_letter(app, letter_id)
    now = app.clock.now()
    app.dead_letters.close(letter_id, "discarded", at=now, by=by, why=reason)
    journal_action(app, letter.mail_id, now, "discarded", f"by {by}{_because(reason)}")


def _because(reason: str) -> str:
    return f": {reason}" if reason else ""


DONE: Final[Mapping[Verb, str]] = {"release": "released", "replay": "replayed", "discard": "discarded"}
"""What is done → the state afterwards."""


def with_letters_of(app: App, mail_id: str, verb: Verb, *, by: str, reason: str = "") -> int:
    """Replay or discard the open dead letters of a mail; how many.

    None has to be open any more when the latest is in that state already. Raises `NotAvailable`.
    """
    letters = sorted(app.dead_letters.find(LetterQuery(mail_id=mail_id)), key=lambda each: each.at)
    open_ones = [each for each in letters if each.state == "open"]
    if not open_ones and not (letters and letters[-1].state == DONE[verb]):
        raise NotAvailable("the mail has no open dead letter")
    for letter in open_ones:
        with_letter(app, letter, verb, by=by, reason=reason)
    return len(open_ones)


def with_letter(app: App, letter: DeadLetter, verb: Verb, *, by: str, reason: str = "") -> None:
    """Replay or discard a letter, unless that is done already. Raises `NotAvailable`."""
    if letter.state == DONE[verb]:
        return
    (replay if verb == "replay" else discard)(app, letter.id, by=by, reason=reason)


def _open_letter(app: App, letter_id: str) -> DeadLetter:
    letter = app.dead_letters.get(letter_id)
    if letter is None:
        raise NotAvailable(f"there is no dead letter {letter_id!r}")
    if letter.state != "open":
        raise NotAvailable(f"the dead letter {letter.id} is already {letter.state}")
    return letter


def journal_action(app: App, mail_id: str | None, at: datetime, decision: str, why: str) -> None:
    """Keep what an operator did to a mail in its journal; nothing for what is about no mail."""
    if not mail_id:
        return
    id_ = id_under(mail_id, OPERATOR, decision, at.isoformat())
    app.journal.add([JournalEntry(id_, mail_id, OPERATOR, at, decision, why)])
