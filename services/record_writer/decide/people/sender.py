"""The customer or object of a new record, by the inbox's policy on senders (IV-20 to IV-24). Pure.

Reads the facts that the sender matcher found; returns the person or the object, planned together with the record when
it is not there yet. Its id is derived from what it is found by, so that two mails at once make one.
"""

from __future__ import annotations

from typing import Final

from services.record_writer.decide.facts import Facts
from services.record_writer.decide.lookups import Lookups
from services.record_writer.decide.model import SenderRefused
from services.record_writer.decide.recognition.target import SERVICE_REQUEST
from services.record_writer.decide.record import mapping, values
from shared.addresses import address_keys
from shared.config.model import Inbox, ObjectMatch, Settings, folded
from shared.contracts.change import Change, NewPerson
from shared.contracts.events import Sender
from shared.ids import derived_id
from shared.lazy_dataclass import dataclass
from shared.store.people import INTERNAL_SERVICES, person_id_for

STRANGER: Final = "no person has the sender's address, and this inbox takes mail of known people only"


@dataclass(frozen=True, slots=True)
class Customer:
    """The customer of the record; `new`: that person is created together with the record."""

    person: str | None = None
    new: NewPerson | None = None


@dataclass(frozen=True, slots=True)
class LinkedObject:
    """The record that method 2 links to, and its Change when it is created together with the new record."""

    relationship: str
    record_id: str
    new: Change | None = None


def sender_refusal(facts: Facts) -> str | None:
    """Why mail of this sender makes no record of any kind: "only when exists" of either method (IV-21, IV-23).

    A mail that an operator released is not refused (PR-01).
    """
    policy = facts.inbox.sender
    if facts.released or policy.policy != "existing_only":
        return None
    if policy.method == "object" and policy.object is not None:
        missing = f"there is no {policy.object.type} for this sender, and this inbox makes none"
        return None if facts.sender.object_id else missing
    return None if facts.sender.person_id else STRANGER


def refuse_strangers(facts: Facts) -> None:
    """Raise `SenderRefused` for a sender from whom the inbox accepts no new records."""
    if why := sender_refusal(facts):
        raise SenderRefused(why)


def customer_of(facts: Facts) -> Customer:
    """The customer of a new record of this mail. Raises `SenderRefused`."""
    refuse_strangers(facts)
    return customer_for(facts.sender, facts.inbox, facts.settings)


def customer_for(sender: Sender, inbox: Inbox, settings: Settings) -> Customer:
    """The person (IV-20 to IV-22). Method 2 creates none, but uses a known one.

    A person is created with the address under which all plus addresses find them.
    """
    policy, address = inbox.sender, sender.address
    if sender.person_id or policy.method == "object":
        return Customer(sender.person_id)
    key = plain_key(sender, settings)
    if policy.policy != "create" or address is None or "@" not in key:
        return Customer(INTERNAL_SERVICES, NewPerson(INTERNAL_SERVICES, "Internal Services", "", "employee", None))
    person_id = person_id_for(address.address, plus_addressing=settings.plus_addressing)
    login_id = key if policy.contact_type == "external_contact" else None
    name = address.name or address.address
    return Customer(person_id, NewPerson(person_id, name, key, policy.contact_type, login_id))


def customer_of_failed(sender: Sender, inbox: Inbox, settings: Settings) -> Customer:
    """The customer of an incident on error; nobody is created where the inbox takes mail of known people only."""
    known_only = inbox.sender.policy == "existing_only"
    return Customer(sender.person_id) if known_only else customer_for(sender, inbox, settings)


def plain_key(sender: Sender, settings: Settings) -> str:
    """The sender's address as it is compared, without its tag where those are ignored; "" when it matches nobody."""
    keys = address_keys(sender.address.address, plus_addressing=settings.plus_addressing) if sender.address else []
    return keys[-1] if keys else ""


def object_of(facts: Facts, lookups: Lookups) -> LinkedObject | None:
    """Method 2 (IV-23, IV-24, IV-41): the object found, or made; none for a released mail that has none (PR-01).

    Raises `SenderRefused`, `BadValue`.
    """
    match = facts.inbox.sender.object
    if facts.inbox.sender.method != "object" or match is None:
        return None
    if facts.sender.object_id:
        return LinkedObject(match.relationship, facts.sender.object_id)
    try:
        new = _plan_object(facts, lookups, match)
    except SenderRefused:
        if facts.released:
            return None
        raise
    return LinkedObject(match.relationship, new.record_id, new)


def _plan_object(facts: Facts, lookups: Lookups, match: ObjectMatch) -> Change:
    """The new object, with a field mapping of its own (IV-41) and the value that it is matched by."""
    name, value = match.matched_by(plain_key(facts.sender, facts.settings))
    type_ = facts.configuration.type_named(match.type)
    if type_ is None:
        raise SenderRefused(f"there is no record type {match.type!r}")
    if facts.inbox.sender.policy == "existing_only" or folded(type_.name) == SERVICE_REQUEST:
        raise SenderRefused(f"there is no {type_.label} for this sender, and mail makes none")
    if not value:
        raise SenderRefused(f"the mail has no sender address to find or make a {type_.label} by")
    filled = {field: mapping.fill(text, facts, facts.mail.text) for field, text in match.field_mapping.items()}
    own, fields = values.split(values.as_written(type_, {**filled, name: value}), lookups)
    base = {
        "subject": value,
        "description": "",
        "created_by": facts.created_by,
        "source": "Email",
        "inbox": facts.inbox.name,
        "origin": facts.envelope.mail_id,
    }
    record_id = derived_id("object", type_.name, name, value if match.match_value is None else value.casefold())
    return values.creation(type_, record_id, {**base, **own}, fields=values.pairs(fields))
