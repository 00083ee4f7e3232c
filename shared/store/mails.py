"""The `mails` collection: one document for each mail, from the first moment to its one outcome."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, Literal

from shared.store.documents import Document, Documents

OutcomeName = Literal["recorded", "commanded", "exported", "rejected", "duplicate", "dead"]
OUTCOMES: Final = ("recorded", "commanded", "exported", "rejected", "duplicate", "dead")
MANY_CLAIMS: Final = 200
FIRST_CLAIMS: Final = 20


def message_key(message_id: str | None) -> str | None:
    """The form in which message ids are compared: without brackets and blanks, in lower case."""
    return (message_id or "").strip().strip("<>").strip().lower() or None


class Mails:
    """Reads and writes mails; every write is safe to repeat."""

    def __init__(self, documents: Documents) -> None:
        self.documents = documents

    def receive(self, document: Document) -> bool:
        """Keep a mail at its first sight; False when it is known."""
        return self.documents.insert("mails", {"outcome": None, "reason": None, "records": [], **document})

    def describe(self, mail_id: str, document: Document) -> None:
        """Add what was read of a mail that is known and has no outcome: it could not be read when it first came."""
        kept = {"_id", "arrival", "received_at"}
        facts = {name: value for name, value in document.items() if name not in kept}
        self.documents.update("mails", {"_id": mail_id, "outcome": None}, {"$set": facts})

    def get(self, mail_id: str) -> Document | None:
        """The mail's document."""
        return self.documents.get("mails", mail_id)

    def finish(self, mail_id: str, outcome: OutcomeName, **facts: Any) -> bool:
        """Store the one outcome; False when there is one already."""
        undecided = {"_id": mail_id, "outcome": None}
        return self.documents.update("mails", undecided, {"$set": {"outcome": outcome, **facts}})

    def reject_unclaimed(self, mail_id: str, rule: str, reason: str) -> bool:
        """Reject a mail that the writer has not begun on; under changed rules a redelivery may come too late."""
        where = {"_id": mail_id, "outcome": None, "targets": None}
        return self.documents.update("mails", where, {"$set": {"outcome": "rejected", "reason": reason, "rule": rule}})

    def reopen(self, mail_id: str, *, was: OutcomeName) -> bool:
        """Take an outcome back, for a replay or a release; what was committed is not repeated by it."""
        return self.documents.update(
            "mails", {"_id": mail_id, "outcome": was}, {"$set": {"outcome": None, "reason": None}}
        )

    def claim(self, mail_id: str, targets: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """Fix, once, which records this mail goes to; what was fixed first stands (PR-15)."""
        fixed = {"$set": {"targets": [dict(target) for target in targets]}}
        self.documents.update("mails", {"_id": mail_id, "targets": None}, fixed)
        found = self.get(mail_id) or {}
        return list(found.get("targets") or [])

    def link(self, mail_id: str, records: Sequence[Mapping[str, str]]) -> None:
        """Point to records that were made because of the mail, besides those its outcome names."""
        for record in records:
            self.documents.update("mails", {"_id": mail_id}, {"$addToSet": {"records": dict(record)}})

    def with_message_ids(self, message_ids: Sequence[str], sender: str = "") -> list[Document]:
        """Mails with one of these Message-IDs (at most 100 ids), in no order.

        Where more than `MANY_CLAIMS` mails have them: of each id the earliest `FIRST_CLAIMS`, and as many of a sender,
        who is given as the key of an address.
        """
        keys = [key for message_id in message_ids if (key := message_key(message_id))]
        found = list(self.documents.find("mails", {"message_key": {"$in": keys}}, limit=MANY_CLAIMS)) if keys else []
        if len(found) < MANY_CLAIMS:
            return found
        return list({mail["_id"]: mail for key in keys for mail in self._first_claims(key, sender)}.values())

    def _first_claims(self, key: str, sender: str) -> Iterator[Document]:
        """The earliest mails with one message key, and the earliest of them that one sender wrote."""
        for where in ({"message_key": key}, {"message_key": key, "sender_key": sender}):
            yield from self.documents.find("mails", where, sort=(("received_at", 1),), limit=FIRST_CLAIMS)

    def similar_between(self, loop_key: str, since: datetime, before: datetime, most: int) -> int:
        """How many mails (at most `most`) of the same sender and subject came in that time."""
        where = {"loop_key": loop_key, "received_at": {"$gte": since, "$lt": before}}
        return sum(1 for _ in self.documents.find("mails", where, limit=most))

    def recent(self, where: Mapping[str, Any], limit: int, skip: int = 0) -> Iterator[Document]:
        """Mails, newest first."""
        return self.documents.find("mails", where, sort=(("received_at", -1),), limit=limit, skip=skip)
