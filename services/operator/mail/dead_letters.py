"""Dead letters as people see them: find one, and the message that failed."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from services.operator.finding import find_one
from services.operator.view import values_of
from shared.contracts.errors import Undecodable
from shared.lazy_dataclass import dataclass
from shared.runtime.broker import REFERENCE
from shared.runtime.envelope import reference
from shared.store.dead_letters import LetterQuery

if TYPE_CHECKING:
    from shared.app import App
    from shared.store.dead_letters import DeadLetter

MAX_BODY_BYTES: Final = 20_000
"""Bytes of a message's body that are shown."""
_LISTED: Final = ("id", "stage", "reason", "mail_id", "incident", "queue", "inbox", "at", "state")


@dataclass(frozen=True, slots=True)
class LetterView:
    """One letter with the message that failed: the beginning of its body as text, and how many bytes it has."""

    letter: DeadLetter
    text: str
    size: int

    def as_json(self) -> dict[str, Any]:
        """The keys that scripts rely on."""
        message = self.letter.message
        named = values_of(message, ("id", "type", "content_type", "correlation_id"))
        body = {"headers": dict(message.headers), "size": self.size, "body": self.text}
        return {**letter_as_json(self.letter), "message": {**named, **body}}


def find_letter(app: App, named: str) -> DeadLetter:
    """The letter with this id or this beginning of one. Raises `NotAvailable`."""
    return find_one(app.dead_letters, "dead letter", named)


def view_letter(app: App, letter: DeadLetter) -> LetterView:
    """Everything that is shown of one letter."""
    body = app.dead_letters.body(letter)
    return LetterView(letter, body[:MAX_BODY_BYTES].decode("utf-8", "replace"), len(body))


def body_of(app: App, letter: DeadLetter) -> bytes:
    """The exact body of the message; the mail itself, where an intake message names a stored one."""
    body = app.dead_letters.body(letter)
    if letter.message.content_type == REFERENCE:
        with suppress(Undecodable, LookupError):
            return app.documents.get_blob(reference(body))
    return body


def open_letters(app: App, stage: str | None) -> list[DeadLetter]:
    """Open letters, or those of one stage, the oldest first."""
    return list(app.dead_letters.recent(LetterQuery("open", stage), 0))[::-1]


def letter_as_json(letter: DeadLetter) -> dict[str, Any]:
    """A letter as `dead-letters list --json` prints it."""
    return {**values_of(letter, _LISTED), "letter_id": letter.id}
