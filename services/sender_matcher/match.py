"""Finds the person or the object that has an address; the record writer decides what follows.

Method 1 finds a person by address (those of the configuration first, then the oldest, VS-03). Method 2 finds a record
of the configured type, either by a field that holds the address or by a fixed value of a field (IV-24).
"""

from __future__ import annotations

from shared.addresses import address_key, address_keys
from shared.config.model import Inbox, ObjectMatch, Settings
from shared.contracts.events import Sender
from shared.contracts.mail import Address
from shared.lazy_dataclass import dataclass
from shared.store.people import People
from shared.store.record import Record, search_key
from shared.store.records import Records


def match_person(address: Address | None, settings: Settings, people: People) -> Sender:
    """Return the sender with the person who has this address, if any. Display names are not compared.

    A person who is not active has no roles: the mail is theirs, and the desk is not.
    """
    if address is None or not address.address:
        return Sender(address)
    found = people.with_address(address.address, plus_addressing=settings.plus_addressing)
    if found is None:
        return Sender(address, name=address.name)
    roles = found.roles if found.active else ()
    return Sender(
        address, found.id, found.name, found.kind, roles, configured=found.configured, language=found.language
    )


def match_object(sender: Sender, inbox: Inbox, settings: Settings, records: Records) -> tuple[str | None, str | None]:
    """Return type and id of the record that method 2 links to; the id is None when no record matches."""
    wanted = inbox.sender.object
    if inbox.sender.method != "object" or wanted is None:
        return None, None
    found = find_object(sender, wanted, settings, records).record
    return wanted.type, found.id if found else None


@dataclass(frozen=True, slots=True)
class ObjectSearch:
    """The field and the value that a record was looked for by, and the record; None when no record has it."""

    field: str
    value: str
    record: Record | None


def find_object(sender: Sender, wanted: ObjectMatch, settings: Settings, records: Records) -> ObjectSearch:
    """Find the object of a sender.

    An address matches exactly, or else without its tag (`plus_addressing`), as it does for people.
    """
    address = sender.address.address if sender.address else ""
    by_address = wanted.match_value is None
    keys = address_keys(address, plus_addressing=settings.plus_addressing) if by_address else []
    name, value = wanted.matched_by("")
    for key in keys or [""]:
        name, value = wanted.matched_by(key)
        found = records.with_field(wanted.type, search_key(name, value)) if value else None
        if found and (not by_address or _holds(found, name, value)):
            return ObjectSearch(name, value, found)
    return ObjectSearch(name, value, None)


def _holds(record: Record, field: str, key: str) -> bool:
    """Whether the field equals this address. The store's search folds case too widely (Kelvin sign to `k`)."""
    return address_key(str(record.fields.get(field, ""))) == key
