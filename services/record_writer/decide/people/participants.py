"""Who takes part in a record because a mail was sent to them too, where the inbox wants that (VF-21). Pure.

The people in To and Cc of the customer's mail, and of an analyst's, not the desk's own addresses, nor lists or
robots. A mail about a record that exists adds people only when its sender proves to know the conversation: it answers a
mail of the thread, or a trusted server states who wrote it. A number in a subject proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from services.record_writer.decide.facts import Facts
from services.record_writer.decide.people.robots import is_robot
from shared.addresses import address_keys
from shared.store.record import Record

MAX_PARTICIPANTS: Final = 50
"""People in copy who take part in one record, the first ones."""
MAX_READ: Final = 500
"""Addresses of a mail that are looked at."""
KNOWS_THREAD: Final = frozenset({"references", "token"})
"""The steps that lead to a record by something that only who takes part in its conversation has."""


def named_in(facts: Facts) -> tuple[str, ...]:
    """The keys of the addresses of people in To and Cc, without the sender's own."""
    if not facts.inbox.copy_takes_part:
        return ()
    return tuple(_people(facts, ()))


def _people(facts: Facts, known: Iterable[str]) -> Iterator[str]:
    """The people who are not `known`, each once, whatever tag the address has."""
    mail, plus = facts.mail, facts.settings.plus_addressing
    skipped = {*facts.configuration.own_addresses, *mail.lists}
    for address in (*_writers(facts), *known):
        skipped.update(address_keys(address, plus_addressing=plus))
    for each in (*mail.to, *mail.cc)[:MAX_READ]:
        keys = address_keys(each.address, plus_addressing=plus)
        if keys and "@" in keys[0] and skipped.isdisjoint(keys) and not is_robot(keys[0]):
            skipped.update(keys)
            yield keys[0]


def _writers(facts: Facts) -> Iterator[str]:
    """The addresses of who wrote the mail, and of who forwarded or passed it on."""
    shown = (facts.sender.address, facts.mail.rewritten_from, facts.forwarder and facts.forwarder.address)
    return (each.address for each in shown if each)


def joining(facts: Facts, record: Record, step: str) -> dict[str, Any]:
    """The properties that change when people in copy join a record; `step` is how the mail led to it."""
    if not facts.inbox.copy_takes_part or not _may_add(facts, record, step):
        return {}
    added = list(_people(facts, record.participants))[: max(0, MAX_PARTICIPANTS - len(record.participants))]
    if not added:
        return {}
    return {
        "participants": [*record.participants, *added],
        "copied": [*record.copied, *(key for key in added if key not in record.copied)],
    }


def _may_add(facts: Facts, record: Record, step: str) -> bool:
    """Whether the sender adds people: the customer or an analyst, who knows the conversation or is authenticated.

    A customer whom a list or a form names adds nobody; an analyst who forwards a mail vouches for it.
    """
    if facts.forwarder is not None:
        return True
    is_customer = facts.sender.person_id is not None and facts.sender.person_id == record.customer
    if not (is_customer or facts.is_analyst) or facts.mail.rewritten_from is not None:
        return False
    return step in KNOWS_THREAD or facts.is_authenticated
