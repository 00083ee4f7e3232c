"""Which person, or which object, stands behind an address: facts, no policy.

Method 1 finds a person by address (oldest first, VS-03). Method 2 finds a record of the configured type, either
by a field that holds the address or by a fixed value of a field (IV-24).
"""

from __future__ import annotations

from shared.addresses import address_key
from shared.config.model import Inbox, Settings
from shared.contracts.events import Sender
from shared.contracts.mail import Address
from shared.store.people import People
from shared.store.record import Record, search_key
from shared.store.records import Records


def match_person(address: Address | None, settings: Settings, people: People) -> Sender:
    """The person with this address, or nobody. A display name matches nothing."""
    if address is None or not address.address:
        return Sender(address)
    found = people.with_address(address.address, plus_addressing=settings.plus_addressing)
    if found is None:
        return Sender(address, name=address.name)
    return Sender(address, found.id, found.name, found.kind, found.roles, configured=found.configured)


def match_object(sender: Sender, inbox: Inbox, records: Records) -> tuple[str | None, str | None]:
    """Type and id of the record that method 2 links to; the id None when there is none."""
    wanted = inbox.sender.object
    if inbox.sender.method != "object" or wanted is None:
        return None, None
    name, value = wanted.matched_by(sender.address.address if sender.address else "")
    if wanted.match_value is None:
        value = address_key(value) or ""
    found = records.with_field(wanted.type, search_key(name, value)) if value else None
    if found is None or (wanted.match_value is None and not _holds(found, name, value)):
        return wanted.type, None
    return wanted.type, found.id


def _holds(record: Record, field: str, key: str) -> bool:
    """Whether the field is this address: the search folds every letter, and would make a `k` of the Kelvin sign."""
    return address_key(str(record.fields.get(field, ""))) == key
