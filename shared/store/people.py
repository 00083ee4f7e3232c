"""The `people` collection, who writes to the desk and who works at it, and `history`, the mails of each."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import field, replace
from datetime import datetime
from typing import Final, Literal

from shared.addresses import address_key, address_keys
from shared.contracts.change import PERSON_EMAIL, PERSON_LOGIN, PERSON_NAME, Change, NewPerson
from shared.contracts.mail import Address, ParsedMail
from shared.contracts.mapping import STORE, from_plain, named, to_plain
from shared.ids import derived_id
from shared.lazy_dataclass import dataclass
from shared.store.by_inbox import find_in_inboxes
from shared.store.documents import Documents
from shared.store.record import Record

PEOPLE: Final = "people"
HISTORY: Final = "history"
GroupKind = Literal["teams", "roles"]
"""The members of a person's document by which groups are found."""
CONFIGURED: Final = "configured"
"""Marks people who came from a configuration, not from mail: only they are exported and pruned."""
INACTIVE: Final = "Inactive"
"""The status of a record whose person has left."""
MAX_OF_ONE_ADDRESS: Final = 20
"""People with one address who are looked at."""
INTERNAL_SERVICES: Final = "internal-services"
"""The person that records of unknown senders belong to (IV-22)."""


@dataclass(frozen=True, slots=True)
class StoredPerson:
    """A person who writes to the desk or works at it.

    Made by a configuration (`configured`: kept as it states, deleted when a pruning apply leaves the person out) or
    together with a record, by a mail of an unknown sender. `addresses` are in the form in which they are compared.
    """

    id: str = field(metadata=named("_id"))
    name: str = ""
    addresses: tuple[str, ...] = ()
    kind: str | None = None
    roles: tuple[str, ...] = ()
    permissions: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    format: str | None = None
    language: str | None = None
    login_id: str | None = None
    active: bool = True
    configured: bool = False
    created_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A mail of a person, and what it did to a record (IV-25): written once, never changed.

    `inbox` is that of the mail; None where an earlier version wrote the entry.
    """

    id: str = field(metadata=named("_id"))
    person_id: str
    mail_id: str
    record_id: str
    type: str
    number: str
    event: str
    at: datetime
    inbox: str | None = None


_person = from_plain(StoredPerson, STORE)
_entry = from_plain(HistoryEntry, STORE)
_entry_to_document = to_plain(HistoryEntry, STORE)


def with_domain(address: Address | None, default_domain: str | None) -> Address | None:
    """`jsmith` becomes `jsmith@default.domain` when the inbox has a default domain (IV-06)."""
    return address and Address(address.name, with_default(address.address, default_domain))


def with_domains(mail: ParsedMail, default_domain: str | None) -> ParsedMail:
    """The mail with the default domain in To, CC and Reply-To (IV-06). From stays as written: proofs are about that."""
    if not default_domain:
        return mail
    to, cc, reply_to = (
        tuple(Address(each.name, with_default(each.address, default_domain)) for each in addresses)
        for addresses in (mail.to, mail.cc, mail.reply_to)
    )
    return replace(mail, to=to, cc=cc, reply_to=reply_to)


def with_default(address: str, default_domain: str | None) -> str:
    """An address, with the default domain when it has none."""
    return f"{address}@{default_domain}" if default_domain and address and "@" not in address else address


def person_id_for(address: str, *, plus_addressing: str) -> str:
    """The id of the person created for an unknown address: the same for two mails at once.

    Raises `IndexError` for an address that matches no person.
    """
    return f"person-{derived_id('person', address_keys(address, plus_addressing=plus_addressing)[-1])[:16]}"


class People:
    """Looks people up; creates them once."""

    def __init__(self, documents: Documents) -> None:
        self.documents = documents

    def with_address(self, address: str, *, plus_addressing: str = "ignore") -> StoredPerson | None:
        """The person with this address, an exact match before a plus form; of several the oldest (VS-03).

        Those of the configuration come before those whom mail made: the administrator knows who has the address by now.
        """
        for key in address_keys(address, plus_addressing=plus_addressing):
            oldest_first = (("created_at", 1), ("_id", 1))
            found = self.documents.find(PEOPLE, {"addresses": key}, sort=oldest_first, limit=MAX_OF_ONE_ADDRESS)
            people = [_person(each) for each in found]
            if people:
                return next((each for each in people if each.configured), people[0])
        return None

    def get(self, person_id: str) -> StoredPerson | None:
        """One person."""
        found = self.documents.get(PEOPLE, person_id)
        return _person(found) if found else None

    def named(self, text: str, *, plus_addressing: str = "ignore") -> StoredPerson | None:
        """The person with this id, else with this address."""
        if found := self.get(text):
            return found
        return self.with_address(text, plus_addressing=plus_addressing) if "@" in text else None

    def create_once(self, person: NewPerson, at: datetime) -> None:
        """Create the person unless there, with the address in the form that is compared."""
        key = address_key(person.address)
        created = {
            "_id": person.id,
            "name": person.name,
            "addresses": [key] if key else [],
            "kind": person.kind,
            "roles": list(person.roles),
            "permissions": [],
            "login_id": person.login_id,
            "active": True,
            "created_at": at,
        }
        self.documents.insert_many(PEOPLE, [created])

    def follow(self, record: Record) -> None:
        """Give the person whom a record stands for its name, first address, login and activity (TI-32).

        Safe to repeat, in any order: the record as it is stored by now counts. A configured person is left alone.
        """
        person = self.get(record.person) if record.person else None
        if person is None or person.configured:
            return
        said = {name: str(record.fields.get(name) or "") for name in (PERSON_NAME, PERSON_EMAIL, PERSON_LOGIN)}
        key = address_key(said[PERSON_EMAIL])
        changed = {
            "name": said[PERSON_NAME] or person.name,
            "addresses": [key, *person.addresses[1:]] if key else list(person.addresses),
            "login_id": said[PERSON_LOGIN] or person.login_id,
            "active": not record.deleted and record.status != INACTIVE,
        }
        self.documents.update(PEOPLE, {"_id": person.id}, {"$set": changed})

    def make_user(self, person_id: str) -> None:
        """Add the role of a user to a person with other roles (VS-05)."""
        self.documents.update(PEOPLE, {"_id": person_id}, {"$addToSet": {"roles": "user"}})

    def list(
        self, limit: int, skip: int = 0, *, kind: str | None = None, role: str | None = None
    ) -> Iterator[StoredPerson]:
        """People of a kind (None: of all) with a role (None: with any), in order of their id."""
        asked = {"kind": kind, "roles": role}
        where = {name: value for name, value in asked.items() if value is not None}
        return map(_person, self.documents.find(PEOPLE, where, sort=(("_id", 1),), limit=limit, skip=skip))

    def in_group(self, field: GroupKind, name: str, limit: int) -> Sequence[StoredPerson]:
        """Active people of the configuration who are in a team, or have a role, in order of their id."""
        found = self.documents.find(PEOPLE, {field: name}, sort=(("_id", 1),), limit=limit)
        return [person for person in map(_person, found) if person.configured and person.active]

    def add_history(self, change: Change, mail_id: str, at: datetime, inbox: str | None = None) -> None:
        """Note a mail once, with what it did to a record, in the history of the record's customer (IV-25)."""
        person_id = change.customer or ""
        id_ = derived_id("history", person_id, mail_id, change.record_id)
        done = change.record_id, change.type, change.number, change.event
        entry = HistoryEntry(id_, person_id, mail_id, *done, at, inbox)
        self.documents.insert_many(HISTORY, [_entry_to_document(entry)])

    def touched_since(self, person_id: str, since: datetime) -> int:
        """How many entries the history of a person has since then, counted in an index."""
        return self.documents.count(HISTORY, {"person_id": person_id, "at": {"$gte": since}})

    def history(self, person_id: str, limit: int, *, inboxes: Collection[str] | None = None) -> Iterator[HistoryEntry]:
        """The person's mails, newest first (IV-25). `inboxes`: those of these that say their inbox (None: of all)."""
        where, sort = {"person_id": person_id}, (("at", -1),)
        if inboxes is not None:
            return map(_entry, find_in_inboxes(self.documents, HISTORY, where, inboxes, sort=sort, limit=limit))
        return map(_entry, self.documents.find(HISTORY, where, sort=sort, limit=limit))

    def history_without_inbox(self, person_id: str, limit: int) -> Iterator[HistoryEntry]:
        """The person's mails whose entries an earlier version wrote, newest first."""
        where = {"person_id": person_id, "inbox": None}
        return map(_entry, self.documents.find(HISTORY, where, sort=(("at", -1),), limit=limit))
