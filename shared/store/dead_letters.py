"""The `dead_letters` collection: messages that a person has to look at, kept until that person decides.

States: `open`, `replayed`, `discarded`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from shared.ids import derived_id
from shared.runtime.broker import INTAKE, Message
from shared.store.documents import Document, Documents


class DeadLetters:
    """Keeps the original message whole, so that it can go back to the queue it came from."""

    def __init__(self, documents: Documents) -> None:
        self.documents = documents

    def keep(self, message: Message, *, mail_id: str | None, inbox: str | None, at: datetime) -> tuple[str, bool]:
        """Store a letter once; its id, and whether it is new. A mail that came to intake twice is one mail.

        What the message says counts for the id: publishers need not give a message id, nor a different one to each.
        """
        headers = message.headers
        queue, round_ = str(headers.get("queue", "")), str(headers.get("replays", 0))
        body = self.documents.put_blob(message.body)
        own = (message.id, message.type, message.content_type, message.correlation_id, body)
        cause = (mail_id,) if mail_id and queue == INTAKE else own
        id_ = derived_id("letter", *cause, queue, str(headers.get("attempt", 0)), round_)
        new = self.documents.insert(
            "dead_letters",
            {
                "_id": id_,
                "stage": str(headers.get("stage", "")),
                "queue": queue,
                "reason": str(headers.get("reason", "no reason was given")),
                "mail_id": mail_id,
                "inbox": inbox,
                "incident": None,
                "at": at,
                "state": "open",
                "message": {
                    "id": message.id,
                    "type": message.type,
                    "content_type": message.content_type,
                    "correlation_id": message.correlation_id,
                    "headers": [[name, value] for name, value in headers.items()],
                    "body": body,
                },
            },
        )
        return id_, new

    def get(self, letter_id: str) -> Document | None:
        """One letter."""
        return self.documents.get("dead_letters", letter_id)

    def move(self, letter_id: str, to: str, **facts: Any) -> bool:
        """Close an open letter."""
        return self.documents.update(
            "dead_letters", {"_id": letter_id, "state": "open"}, {"$set": {"state": to, **facts}}
        )

    def ask(self, letter_id: str) -> None:
        """Note that an incident was asked for; until it is named, a message is on its way."""
        self.documents.update("dead_letters", {"_id": letter_id}, {"$set": {"asked": True}})

    def name_incident(self, letter_id: str, number: str) -> None:
        """Note the incident that was made because of the letter."""
        self.documents.update("dead_letters", {"_id": letter_id}, {"$set": {"incident": number}})

    def message(self, letter: Document) -> Message:
        """The original message, to be published to the queue it came from, with no attempt counted."""
        kept = letter["message"]
        headers = {name: value for name, value in kept["headers"] if name not in {"reason", "stage", "queue"}}
        headers |= {"attempt": 0, "replays": int(headers.get("replays", 0)) + 1}
        body = self.documents.get_blob(kept["body"])
        return Message(
            kept["id"], letter["queue"], body, kept["type"], kept["content_type"], kept["correlation_id"], headers
        )

    def recent(self, where: Mapping[str, Any], limit: int, skip: int = 0) -> Iterator[Document]:
        """Letters, newest first."""
        return self.documents.find("dead_letters", where, sort=(("at", -1),), limit=limit, skip=skip)
