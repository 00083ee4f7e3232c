"""The `records` collection and what hangs on it: activities, links, counters.

The conditional write of a record is the commit point of a decision (decision 0003): it stores the
Change under the mail id in `pending`, from where a redelivery carries it out. The entry leaves when the
outcome is stored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from shared.contracts.change import Activity, Change
from shared.contracts.mail import Attachment
from shared.contracts.mapping import STORE, from_plain, to_plain
from shared.ids import derived_id
from shared.store.documents import Document, Documents, Sort

KEY_LENGTH = 128
"""Longer field values are text, not keys."""
_to_document = to_plain(Change, STORE)
_to_change = from_plain(Change, STORE)
_attachments = to_plain(tuple[Attachment, ...], STORE)


class Records:
    """Reads and writes records; every write is safe to repeat."""

    def __init__(self, documents: Documents) -> None:
        self.documents = documents

    def next_serial(self, type_: str) -> int:
        """The next number of a type: gaps are allowed, repeats are not."""
        counter = self.documents.upsert("counters", type_, {"$inc": {"last": 1}})
        return int(counter["last"])

    def peek_serial(self, type_: str) -> int:
        """The number that the next record of a type would get now."""
        counter = self.documents.get("counters", type_)
        return int(counter["last"]) + 1 if counter else 1

    def get(self, record_id: str) -> Document | None:
        """One record by its id."""
        return self.documents.get("records", record_id)

    def numbered(self, type_: str, serial: int) -> Document | None:
        """One record by type and number."""
        where = {"type": type_, "serial": serial}
        found = next(self.documents.find("records", where, limit=1), None)
        return None if found is None or found.get("deleted") else found

    def with_field(self, type_: str, key: str) -> Document | None:
        """The oldest record of a type with a field of this value (see `search_key`)."""
        found = self.documents.find("records", {"keys": f"{type_}:{key}"}, sort=(("serial", 1),), limit=10)
        return next((record for record in found if not record.get("deleted")), None)

    def create_once(self, document: Document, change: Change, mail_id: str) -> bool:
        """Insert a record with the Change that made it; False when it is there already."""
        keys = search_keys(document["type"], document.get("fields", {}))
        made = {**document, "keys": keys, "version": 1, "pending": [_pending(change, mail_id)]}
        return self.documents.insert("records", made)

    def commit(self, record: Document, changes: Mapping[str, Any], change: Change, mail_id: str) -> bool:
        """Write a Change onto the version that it was planned on; False when the record has moved."""
        where = {"_id": record["_id"], "version": record["version"]}
        push = {"pending": _pending(change, mail_id)}
        return self.documents.update("records", where, {"$set": dict(changes), "$inc": {"version": 1}, "$push": push})

    def forget(self, record_id: str, mail_id: str) -> None:
        """The outcome is stored: the mail's entries leave."""
        self.documents.update("records", {"_id": record_id}, {"$pull": {"pending": {"mail_id": mail_id}}})

    def add_activity(
        self, record_id: str, cause: str, index: int, activity: Activity, at: datetime, mail_id: str | None
    ) -> None:
        """Add an activity once; its id is derived from its cause and its place among the activities of that cause."""
        self.documents.insert(
            "activities",
            {
                "_id": derived_id("activity", record_id, cause, str(index)),
                "record_id": record_id,
                "at": at,
                "place": index,
                "by": activity.by,
                "kind": activity.kind,
                "text": activity.text,
                "mail_id": mail_id,
                "attachments": _attachments(activity.attachments),
                "security_profile": activity.security_profile,
            },
        )

    def activities(self, record_id: str, limit: int) -> list[Document]:
        """The newest activities, oldest of them first."""
        sort: Sort = (("at", -1), ("place", -1))
        return list(self.documents.find("activities", {"record_id": record_id}, sort=sort, limit=limit))[::-1]

    def link(self, from_id: str, to_id: str, relationship: str, at: datetime) -> None:
        """Link two records once; found from both ends."""
        id_ = derived_id("link", from_id, to_id, relationship)
        link = {"_id": id_, "from_id": from_id, "to_id": to_id, "relationship": relationship, "at": at}
        self.documents.insert("links", link)

    def links(self, record_id: str, limit: int = 200) -> list[Document]:
        """Links of a record in both directions."""
        out = self.documents.find("links", {"from_id": record_id}, limit=limit)
        back = self.documents.find("links", {"to_id": record_id}, limit=limit)
        return [*out, *back]

    def list(self, where: Mapping[str, Any], limit: int, skip: int = 0) -> Iterator[Document]:
        """Records, newest first, the deleted ones left out."""
        sort: Sort = (("created_at", -1), ("serial", -1))
        return self.documents.find("records", {**where, "deleted": None}, sort=sort, limit=limit, skip=skip)


def pending_change(record: Document, mail_id: str, part: str) -> Change | None:
    """The Change that was decided for this part of a mail on this record and is not yet carried out wholly."""
    for entry in record.get("pending", ()):
        if entry["mail_id"] == mail_id and entry["change"]["part"] == part:
            return _to_change(entry["change"])
    return None


def search_key(field: str, value: str) -> str:
    """A field with its value, in the form in which records are found by it: whatever the case."""
    return f"{field}={value}".casefold()


def search_keys(type_: str, fields: Mapping[str, Any]) -> list[str]:
    """What a record is found by: its short field values."""
    short = {name: str(value) for name, value in fields.items() if value not in (None, "")}
    return [f"{type_}:{search_key(name, value)}" for name, value in short.items() if len(value) <= KEY_LENGTH]


def _pending(change: Change, mail_id: str) -> Document:
    return {"mail_id": mail_id, "change": _to_document(change)}


def labels(records: Sequence[Document]) -> list[dict[str, str]]:
    """Records as other documents point to them."""
    return [{"id": record["_id"], "type": record["type"], "number": record["number"]} for record in records]
