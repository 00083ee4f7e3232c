"""The `outbox` collection: mail that shall leave, and whether it did.

States: `waiting` (a server is configured, the notifier will send), `unsent` (none is; an operator has to send it),
`sending` (claimed before it is sent), `sent`, `failed`, `blocked`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from shared.addresses import mailbox_key
from shared.contracts.change import Notification
from shared.ids import derived_id
from shared.store.documents import Document, Documents
from shared.store.mails import message_key


class Outbox:
    """Queues outgoing mail once and tracks its state."""

    def __init__(self, documents: Documents) -> None:
        self.documents = documents

    def add_once(self, cause: str, index: int, notification: Notification, facts: Document) -> str:
        """Queue a notification; its id, derived from its cause. `facts`: at, state, record_id, server, ..."""
        id_ = derived_id("outbox", cause, str(index))
        message_id = f"<{id_}@{facts['domain']}>"
        self.documents.insert(
            "outbox",
            {
                "_id": id_,
                "to": list(notification.to),
                "to_key": mailbox_key(notification.to[0]) if notification.to else None,
                "subject": notification.subject,
                "text": notification.text,
                "kind": notification.kind,
                "in_reply_to": notification.in_reply_to,
                "message_id": message_id,
                "message_key": message_key(message_id),
                **facts,
            },
        )
        return id_

    def get(self, outbox_id: str) -> Document | None:
        """One outgoing mail."""
        return self.documents.get("outbox", outbox_id)

    def move(self, outbox_id: str, states: tuple[str, ...], to: str, **facts: Any) -> bool:
        """Change the state, if it is one of `states` still."""
        where = {"_id": outbox_id, "state": {"$in": list(states)}}
        return self.documents.update("outbox", where, {"$set": {"state": to, **facts}})

    def with_message_ids(self, message_ids: list[str]) -> list[Document]:
        """Outgoing mails with one of these Message-IDs."""
        keys = [key for message_id in message_ids if (key := message_key(message_id))]
        return list(self.documents.find("outbox", {"message_key": {"$in": keys}}, limit=200)) if keys else []

    def sent_since(self, field: str, value: str | bool, since: datetime) -> int:
        """How many mails with this value were written since then, counted in an index.

        `field`: `to_key` (a mailbox), `stranger_domain` or `to_stranger`.
        """
        return self.documents.count("outbox", {field: value, "at": {"$gte": since}})

    def is_answered(self, mail_id: str) -> bool:
        """Whether a mail was written because of this one."""
        return self.documents.count("outbox", {"mail_id": mail_id}) > 0

    def recent(self, where: Mapping[str, Any], limit: int, skip: int = 0) -> Iterator[Document]:
        """Outgoing mails, newest first."""
        return self.documents.find("outbox", where, sort=(("at", -1),), limit=limit, skip=skip)
