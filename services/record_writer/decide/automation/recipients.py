"""Whom a business rule writes to: roles, teams, people and addresses, each mailbox once. Pure (TI-33)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Final

from services.record_writer.decide.answers.automatic_mail import is_known
from services.record_writer.decide.facts import Facts
from services.record_writer.decide.lookups import Lookups
from shared.addresses import address_key, domain_of, mailbox_key
from shared.config.model import TEAM_PREFIX, Configuration
from shared.contracts.change import NewPerson
from shared.lazy_dataclass import dataclass
from shared.store.people import GroupKind, StoredPerson
from shared.store.record import Record

MAX_RECIPIENTS: Final = 100
"""People that one rule writes to because of one event."""
ANALYST: Final = "analyst"


@dataclass(frozen=True, slots=True)
class RuleRecipient:
    """One mailbox. `is_trusted`: known to the desk, so that it may read what mails say; `is_desk`: an analyst's.

    `is_author`: it is the mailbox that the mail came from which caused the event.
    """

    address: str
    name: str = ""
    person: StoredPerson | None = None
    is_trusted: bool = True
    is_author: bool = False

    @property
    def is_desk(self) -> bool:
        """Whether it belongs to somebody who works at the desk."""
        return self.person is not None and self.person.configured and ANALYST in self.person.roles

    @property
    def stranger_domain(self) -> str | None:
        """The domain by which mail to strangers is counted; None for somebody whom the desk knows."""
        return None if self.is_trusted else domain_of(self.address) or ""


@dataclass(frozen=True, slots=True)
class Situation:
    """The record after the change, the person who is created with it, and the mail that caused it, if one did."""

    record: Record
    created: NewPerson | None
    facts: Facts | None
    configuration: Configuration
    lookups: Lookups


def recipients_of(to: tuple[str, ...], situation: Situation) -> Iterator[RuleRecipient]:
    """The mailboxes that the words of `notify.to` mean; none of this desk's own."""
    seen = set(situation.configuration.own_addresses)
    count = 0
    for word in to:
        for each in _meant(word, situation):
            key = mailbox_key(each.address)
            if key is None or {key, address_key(each.address)} & seen or count == MAX_RECIPIENTS:
                continue
            seen.add(key)
            count += 1
            yield each


def _meant(word: str, situation: Situation) -> Iterator[RuleRecipient]:
    if find := ROLES.get(word.casefold()):
        yield from find(situation)
    elif word.startswith(TEAM_PREFIX):
        yield from _group(situation, "teams", word.removeprefix(TEAM_PREFIX).strip())
    elif "@" in word:
        yield RuleRecipient(word, "", situation.lookups.person(word), is_author=_is_author(word, situation))
    else:
        yield from _person(situation, word)


def _sender(situation: Situation) -> Iterator[RuleRecipient]:
    """The sender of the mail that caused the event; without one the customer."""
    facts = situation.facts
    if facts is None or facts.sender.address is None:
        yield from _customer(situation)
        return
    address, name = facts.sender.address.address, facts.sender.name or facts.sender.address.name
    person = situation.lookups.person(facts.sender.person_id) if facts.sender.person_id else None
    trusted = is_known(facts)
    yield RuleRecipient(
        address, name if trusted and "@" not in name else "", person, is_trusted=trusted, is_author=True
    )


def _customer(situation: Situation) -> Iterator[RuleRecipient]:
    """The record's customer, who may be created together with it."""
    created, customer = situation.created, situation.record.customer
    if created and created.id == customer and created.address:
        yield _stranger(created.address, situation)
    elif customer:
        yield from _person(situation, customer)


def _stranger(address: str, situation: Situation) -> RuleRecipient:
    """Somebody whom a mail made known: trusted when this mail is proven to be theirs."""
    is_author = _is_author(address, situation)
    trusted = is_author and situation.facts is not None and is_known(situation.facts)
    return RuleRecipient(address, is_trusted=trusted, is_author=is_author)


def _person(situation: Situation, named: str) -> Iterator[RuleRecipient]:
    person = situation.lookups.person(named)
    if person and person.addresses and person.active:
        address, is_author = person.addresses[0], _is_author(person.addresses[0], situation)
        if person.configured:
            yield RuleRecipient(address, person.name, person, is_author=is_author)
        else:
            yield _stranger(address, situation)


def _handler(named: Callable[[Record], str | None]) -> Callable[[Situation], Iterator[RuleRecipient]]:
    """A person who works on the record, unless the event is that person's own mail."""

    def find(situation: Situation) -> Iterator[RuleRecipient]:
        if (person_id := named(situation.record)) and not _writes(person_id, situation):
            yield from _person(situation, person_id)

    return find


def _group(situation: Situation, kind: GroupKind, name: str) -> Iterator[RuleRecipient]:
    """The people of a team or with a role, without the one whose mail the event is."""
    for person in situation.lookups.group(kind, name, MAX_RECIPIENTS):
        if person.addresses and not _writes(person.id, situation):
            yield RuleRecipient(person.addresses[0], person.name, person)


def _team(situation: Situation) -> Iterator[RuleRecipient]:
    if situation.record.owner_team:
        yield from _group(situation, "teams", situation.record.owner_team)


def _writes(person_id: str, situation: Situation) -> bool:
    return situation.facts is not None and situation.facts.sender.person_id == person_id


def _is_author(address: str, situation: Situation) -> bool:
    sender = situation.facts.sender.address if situation.facts else None
    return sender is not None and mailbox_key(sender.address) == mailbox_key(address)


ROLES: Final[Mapping[str, Callable[[Situation], Iterator[RuleRecipient]]]] = MappingProxyType(
    {
        "@sender": _sender,
        "@customer": _customer,
        "@owner": _handler(lambda record: record.owner),
        "@logginganalyst": _handler(lambda record: record.logging_analyst),
        "@ownerteam": _team,
        "@analysts": lambda situation: _group(situation, "roles", ANALYST),
    }
)
"""Role, in lower case → the people who have it; `shared.config.rule_checks.RECIPIENTS` has their spelling."""
