"""The `records` collection with activities, links and counters.

The conditional write of a record is the commit point of a decision (decision 0003): it stores the
Change under the mail id in `pending`, from where a redelivery carries it out. The entry leaves when the
outcome is stored. `shared.store.record` has the rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Final, Literal

from shared.contracts.change import Activity, Change
from shared.contracts.mapping import STORE, from_plain, to_plain
from shared.ids import derived_id
from shared.store.by_inbox import find_in_inboxes
from shared.store.documents import Document, Documents, Sort
from shared.store.record import Record, StoredActivity, StoredLink, changed_properties, holding_key, new_document

RECORDS: Final = "records"
ACTIVITIES: Final = "activities"
LINKS: Final = "links"
COUNTERS: Final = "counters"
Holding = Literal["owner", "forwarded_by", "forwarded_to"]
"""How a person stands to a record: owns it, changed its owner or team, was made its owner."""
MAX_LINKS: Final = 200
"""Links of a record that are read in each direction."""
_change_to_document = to_plain(Change, STORE)
_record = from_plain(Record, STORE)
_activity = from_plain(StoredActivity, STORE)
_activity_to_document = to_plain(StoredActivity, STORE)
_link = from_plain(StoredLink, STORE)
_link_to_document = to_plain(StoredLink, STORE)


class Records:
    """Reads and writes records; every write is safe to repeat."""

    def __init__(self, documents: Documents) -> None:
        self.documents = documents

    def next_serial(self, type_: str) -> int:
        """The next number of a type: gaps are allowed, repeats are not."""
        return self.documents.next_number(COUNTERS, type_)

    def peek_serial(self, type_: str) -> int:
        """The number that the next record of a type would get now."""
        counter = self.documents.get(COUNTERS, type_)
        return int(counter["last"]) + 1 if counter else 1

    def get(self, record_id: str) -> Record | None:
        """One record by its id."""
        found = self.documents.get(RECORDS, record_id)
        return _record(found) if found else None

    def beginning_with(self, id_beginning: str) -> list[Record]:
        """At most two records whose ids begin so: enough to see whether it is one."""
        return list(self._there(self.documents.find(RECORDS, {"_id": {"$prefix": id_beginning}}, limit=2)))

    def numbered(self, type_: str, serial: int, *, deleted: bool = False) -> Record | None:
        """One record by type and number; a deleted one only when that is asked for."""
        where = {"type": type_, "serial": serial}
        found = self.documents.find(RECORDS, where, limit=1)
        return next(map(_record, found) if deleted else self._there(found), None)

    def with_field(self, type_: str, key: str) -> Record | None:
        """The oldest record of a type with a field of this value (see `search_key`)."""
        where = {"keys": f"{type_}:{key}"}
        return next(self._there(self.documents.find(RECORDS, where, sort=(("serial", 1),), limit=10)), None)

    def held_by(
        self, person_id: str, holding: Holding, type_: str, statuses: Sequence[str], limit: int
    ) -> Sequence[Record]:
        """The newest records of a type in these statuses that a person owns, has forwarded or was forwarded."""
        by: Document = {"owner": person_id} if holding == "owner" else {"keys": holding_key(holding, person_id)}
        where = {**by, "type": type_, "status": {"$in": [*statuses]}, "deleted": None}
        return [_record(each) for each in self.documents.find(RECORDS, where, sort=(("serial", -1),), limit=limit)]

    def with_target_until(self, until: datetime, limit: int, skip: int = 0) -> Sequence[Record]:
        """Records with an event of a target that is due by then, the earliest first."""
        sort: Sort = (("service_due_at", 1), ("_id", 1))
        where = {"service_due_at": {"$lt": until}}
        return [_record(each) for each in self.documents.find(RECORDS, where, sort=sort, limit=limit, skip=skip)]

    def _there(self, found: Iterator[Document]) -> Iterator[Record]:
        """Those that are not deleted."""
        return (record for record in map(_record, found) if not record.deleted)

    def create_once(self, change: Change, mail_id: str, at: datetime, *, parent: str | None = None) -> bool:
        """Insert the record that a Change makes, with the Change; False when it is there already.

        `parent`: the record that it lies below.
        """
        made = {**new_document(change, at, parent), "pending": [_pending(change, mail_id)]}
        return self.documents.insert(RECORDS, made)

    def commit(self, record: Record, change: Change, mail_id: str, at: datetime) -> bool:
        """Write a Change onto the version that it was planned on; False when the record has a newer version."""
        where = {"_id": record.id, "version": record.version}
        written = {"$set": changed_properties(change, record, at), "$inc": {"version": 1}}
        return self.documents.update(RECORDS, where, {**written, "$push": {"pending": _pending(change, mail_id)}})

    def see(self, record: Record) -> Record:
        """Clear `updated_by_mail`, unless the record has changed since it was read; return the record as stored."""
        where = {"_id": record.id, "version": record.version}
        self.documents.update(RECORDS, where, {"$set": {"updated_by_mail": False}})
        return self.get(record.id) or record

    def flag(self, record_id: str) -> None:
        """Flag a record for its handler, because one below it was changed by mail."""
        self.documents.update(RECORDS, {"_id": record_id}, {"$set": {"updated_by_mail": True}})

    def forget(self, record_id: str, mail_id: str) -> None:
        """Remove the mail's pending entries, because its outcome is stored."""
        self.documents.update(RECORDS, {"_id": record_id}, {"$pull": {"pending": {"mail_id": mail_id}}})

    def add_activity(
        self, record_id: str, cause: str, index: int, activity: Activity, at: datetime, mail_id: str | None
    ) -> None:
        """Add an activity once; its id is derived from its cause and its place among the activities of that cause."""
        added = StoredActivity(
            derived_id("activity", record_id, cause, str(index)),
            record_id,
            at,
            index,
            activity.by,
            activity.kind,
            activity.text,
            mail_id,
            activity.attachments,
            activity.security_profile,
            activity.subject,
            activity.shortened,
        )
        written = _activity_to_document(added)
        if not added.shortened:
            del written["shortened"]
        self.documents.insert_many(ACTIVITIES, [written])

    def activities(self, record_id: str, limit: int) -> list[StoredActivity]:
        """The newest activities, oldest of them first."""
        sort: Sort = (("at", -1), ("place", -1))
        found = list(self.documents.find(ACTIVITIES, {"record_id": record_id}, sort=sort, limit=limit))
        return [_activity(each) for each in reversed(found)]

    def count_activities(self, record_id: str) -> int:
        """How many activities a record has."""
        return self.documents.count(ACTIVITIES, {"record_id": record_id})

    def link(self, from_id: str, to_id: str, relationship: str, at: datetime) -> None:
        """Link two records once; found from both ends."""
        id_ = derived_id("link", from_id, to_id, relationship)
        self.documents.insert_many(LINKS, [_link_to_document(StoredLink(id_, from_id, to_id, relationship, at))])

    def links(self, record_id: str) -> list[StoredLink]:
        """Links of a record in both directions."""
        out = self.documents.find(LINKS, {"from_id": record_id}, limit=MAX_LINKS)
        back = self.documents.find(LINKS, {"to_id": record_id}, limit=MAX_LINKS)
        return [_link(each) for found in (out, back) for each in found]

    def list(
        self,
        limit: int,
        skip: int = 0,
        *,
        type_: str | None = None,
        statuses: Sequence[str] | None = None,
        deleted: bool = False,
        inboxes: Collection[str] | None = None,
    ) -> Iterator[Record]:
        """Records of a type (None: of all) in one of these statuses (None: in any), newest first: those that are not
        deleted, or the deleted ones alone; of these inboxes (None: of all, and of none).
        """
        of_type = {"type": type_} if type_ is not None else {}
        in_status = {"status": {"$in": [*statuses]}} if statuses is not None else {}
        where, sort = {**of_type, **in_status, "deleted": deleted or None}, (("created_at", -1), ("serial", -1))
        if inboxes is not None:
            found = find_in_inboxes(self.documents, RECORDS, where, inboxes, sort=sort, limit=limit, skip=skip)
            return map(_record, found)
        return map(_record, self.documents.find(RECORDS, where, sort=sort, limit=limit, skip=skip))


def _pending(change: Change, mail_id: str) -> Document:
    return {"mail_id": mail_id, "change": _change_to_document(change)}
