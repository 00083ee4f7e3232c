"""The `dead_letters` collection: messages that a person has to look at, kept until that person decides."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, field
from datetime import datetime
from typing import Final, Literal

from shared.contracts.mapping import STORE, from_plain, named, to_plain
from shared.ids import derived_id
from shared.lazy_dataclass import dataclass
from shared.runtime.broker import INTAKE, Message
from shared.store.by_inbox import find_in_inboxes
from shared.store.documents import Document, Documents

LetterState = Literal["open", "replayed", "discarded"]
LETTERS: Final = "dead_letters"
NO_REASON: Final = "no reason was given"


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """The message that failed; `body` is the blob of its bytes, `headers` are pairs of name and value."""

    id: str
    type: str
    content_type: str
    correlation_id: str
    headers: tuple[tuple[str, str | int], ...]
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One message that failed.

    Life: `open` when the dead-letter stage has kept it; `asked` when an incident on error is wanted, named `incident`
    once it is made. A person closes it: `replayed` (its message is back in its queue; a new failure is a new letter)
    or `discarded`, with `moved_at`, `moved_by` and `why`. Nothing removes it.

    `stage` failed on it with `reason`; `queue` is where its message came from. `mail_id` and `inbox` are None for a
    message about no mail.
    """

    id: str = field(metadata=named("_id"))
    stage: str
    queue: str
    reason: str
    mail_id: str | None = None
    inbox: str | None = None
    incident: str | None = None
    at: datetime
    state: LetterState
    message: StoredMessage
    asked: bool = False
    moved_at: datetime | None = None
    moved_by: str | None = None
    why: str | None = None

    @property
    def awaits_incident(self) -> bool:
        """Whether an incident was asked for and is not made yet."""
        return self.asked and self.incident is None


_LATER: Final = ("asked", "moved_at", "moved_by", "why")
"""Keys that are not there until they say something."""
_encode, _decode = to_plain(DeadLetter, STORE), from_plain(DeadLetter, STORE)


@dataclass(frozen=True, slots=True)
class LetterQuery:
    """A filter of letters; None: any value."""

    state: LetterState | None = None
    stage: str | None = None
    mail_id: str | None = None
    queue: str | None = None


def _where(query: LetterQuery) -> Document:
    return {key: value for key, value in asdict(query).items() if value is not None}


OPEN: Final = LetterQuery(state="open")


class DeadLetters:
    """Keeps the original message whole, so that it can go back to the queue it came from."""

    def __init__(self, documents: Documents) -> None:
        self.documents = documents

    def keep(self, message: Message, *, mail_id: str | None, inbox: str | None, at: datetime) -> tuple[str, bool]:
        """Store a letter once; its id, and whether it is new. A mail that came to intake twice is one mail.

        What the message says counts for the id: publishers need not give a message id, nor a different one to each. Not
        for an event of a mail: its id is derived from its cause, and made again it may say what has changed meanwhile.
        """
        headers = message.headers
        queue, round_ = str(headers.get("queue", "")), str(headers.get("replays", 0))
        body = self.documents.put_blob(message.body)
        own = (message.id, message.type, message.content_type, message.correlation_id)
        is_derived = message.id and message.correlation_id and headers.get("cause")
        cause = (mail_id,) if mail_id and queue == INTAKE else (*own, str(headers["cause"]) if is_derived else body)
        letter = DeadLetter(
            id=derived_id("letter", *cause, queue, str(headers.get("attempt", 0)), round_),
            stage=str(headers.get("stage", "")),
            queue=queue,
            reason=str(headers.get("reason", NO_REASON)),
            mail_id=mail_id,
            inbox=inbox,
            at=at,
            state="open",
            message=StoredMessage(*own, tuple(headers.items()), body),
        )
        document = {key: value for key, value in _encode(letter).items() if value or key not in _LATER}
        return letter.id, self.documents.insert(LETTERS, document)

    def get(self, letter_id: str) -> DeadLetter | None:
        """One letter."""
        found = self.documents.get(LETTERS, letter_id)
        return _decode(found) if found else None

    def beginning_with(self, id_beginning: str) -> list[DeadLetter]:
        """At most two letters whose ids begin so: enough to see whether it is one."""
        return [_decode(each) for each in self.documents.find(LETTERS, {"_id": {"$prefix": id_beginning}}, limit=2)]

    def close(self, letter_id: str, state: LetterState, *, at: datetime, by: str, why: str | None = None) -> bool:
        """Close an open letter."""
        closed = {"state": state, "moved_at": at, "moved_by": by} | ({} if why is None else {"why": why})
        return self.documents.update(LETTERS, {"_id": letter_id, "state": "open"}, {"$set": closed})

    def ask(self, letter_id: str) -> None:
        """Note that an incident was asked for; until it is named, a message is on its way."""
        self.documents.update(LETTERS, {"_id": letter_id}, {"$set": {"asked": True}})

    def name_incident(self, letter_id: str, number: str) -> None:
        """Note the incident that was made because of the letter."""
        self.documents.update(LETTERS, {"_id": letter_id}, {"$set": {"incident": number}})

    def body(self, letter: DeadLetter) -> bytes:
        """The body of the message that failed."""
        return self.documents.get_blob(letter.message.body)

    def message(self, letter: DeadLetter) -> Message:
        """The original message, to be published to the queue it came from, with no attempt counted."""
        kept = letter.message
        headers = {name: value for name, value in kept.headers if name not in {"reason", "stage", "queue"}}
        headers |= {"attempt": 0, "replays": int(headers.get("replays", 0)) + 1}
        body = self.body(letter)
        return Message(kept.id, letter.queue, body, kept.type, kept.content_type, kept.correlation_id, headers)

    def recent(
        self, query: LetterQuery, limit: int, skip: int = 0, *, inboxes: Collection[str] | None = None
    ) -> Iterator[DeadLetter]:
        """Letters, newest first; `limit` 0 means all. `inboxes`: letters of these (None: of all, and of none)."""
        where, sort = _where(query), (("at", -1),)
        if inboxes is not None:
            found = find_in_inboxes(self.documents, LETTERS, where, inboxes, sort=sort, limit=limit, skip=skip)
            return map(_decode, found)
        return map(_decode, self.documents.find(LETTERS, where, sort=sort, limit=limit, skip=skip))

    def about(self, mail_ids: Iterable[str]) -> Iterator[DeadLetter]:
        """Letters about any of these mails, in no order."""
        return map(_decode, self.documents.find(LETTERS, {"mail_id": {"$in": list(mail_ids)}}))

    def find(self, query: LetterQuery) -> Iterator[DeadLetter]:
        """Letters in no order."""
        return map(_decode, self.documents.find(LETTERS, _where(query)))

    def count(self, query: LetterQuery) -> int:
        """The number of letters."""
        return self.documents.count(LETTERS, _where(query))
