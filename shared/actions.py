"""What an operator does with one mail or letter: release, replay, discard.

The command line and the console call these; each is safe to repeat after a crash, because what is published
carries the id it had before. Every action leaves a line in the mail's journal.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from shared.errors import PostroomError
from shared.ids import derived_id
from shared.runtime.broker import INTAKE, REFERENCE, Message
from shared.store.documents import Document, Documents

if TYPE_CHECKING:
    from shared.app import App

OPERATOR: Final = "operator"
"""The stage under which an action stands in the journal."""


class NotPossible(PostroomError):
    """The action does not fit the state in which the thing is; the message says which."""


def release(app: App, mail_id: str, *, by: str = OPERATOR) -> None:
    """Let a rejected mail through: it goes back to intake and the filter is not asked again (PR-01).

    Raises `LookupError` when there is no such mail, `NotPossible` when it was not rejected.
    """
    mail = _existing(app.mails.get(mail_id), "mail", mail_id)
    if mail["outcome"] != "rejected" and not (mail["outcome"] is None and mail.get("released")):
        raise NotPossible(f"the mail is {mail['outcome'] or 'in flight'}; only a rejected mail can be released")
    now = app.clock.now()
    app.documents.update(
        "mails",
        {"_id": mail_id, "outcome": "rejected"},
        {
            "$set": {"outcome": None, "reason": None, "released": True, "released_at": now, "released_by": by},
            "$unset": {"targets": 1, "emitted": 1, "rule": 1},
        },
    )
    app.broker.publish([_again(mail)])
    _note(app.documents, mail_id, now, "released", f"by {by}; it was rejected: {mail['reason'] or ''}")


def _existing(found: Document | None, thing: str, id_: str) -> Document:
    if found is None:
        raise LookupError(f"there is no {thing} {id_!r}")
    return found


def _again(mail: Document) -> Message:
    """The mail's intake message under the id that it arrived with, so that it is not counted as another arrival."""
    from shared.contracts import codec

    headers: dict[str, str | int] = {"inbox": mail["inbox"]}
    if mail.get("source_id") is not None:
        headers["source-id"] = mail["source_id"]
    return Message(mail.get("arrival") or mail["_id"], INTAKE, codec.dumps({"blob": mail["raw"]}), content_type=REFERENCE, headers=headers)


def replay(app: App, letter_id: str, *, by: str = OPERATOR) -> str:
    """Send a dead letter's message back to the queue that it came from, with no attempt counted; the queue.

    What was committed is not repeated. Raises `LookupError` or `NotPossible`.
    """
    letter = _open_letter(app, letter_id)
    now = app.clock.now()
    if letter["mail_id"]:
        app.mails.reopen(letter["mail_id"], was="dead")
    app.broker.publish([app.dead_letters.message(letter)])
    app.dead_letters.move(letter_id, "replayed", moved_at=now, moved_by=by)
    _note(app.documents, letter["mail_id"], now, "replayed", f"by {by}; back to {letter['queue']}")
    return str(letter["queue"])


def discard(app: App, letter_id: str, *, by: str = OPERATOR, reason: str = "") -> None:
    """Close a dead letter without another try; the letter, the mail and the incident stay. Raises as `replay`."""
    letter = _open_letter(app, letter_id)
    now = app.clock.now()
    app.dead_letters.move(letter_id, "discarded", moved_at=now, moved_by=by, why=reason)
    _note(app.documents, letter["mail_id"], now, "discarded", f"by {by}" + (f": {reason}" if reason else ""))


def _open_letter(app: App, letter_id: str) -> Document:
    letter = _existing(app.dead_letters.get(letter_id), "dead letter", letter_id)
    if letter["state"] != "open":
        raise NotPossible(f"the dead letter is {letter['state']} already")
    return letter


def _note(documents: Documents, mail_id: str | None, at: datetime, decision: str, why: str) -> None:
    if not mail_id:
        return
    entry: Mapping[str, Any] = {
        "_id": derived_id("journal", mail_id, OPERATOR, decision, at.isoformat()),
        "mail_id": mail_id,
        "stage": OPERATOR,
        "at": at,
        "decision": decision,
        "why": why,
        "attempt": 0,
    }
    documents.insert("journal", dict(entry))
