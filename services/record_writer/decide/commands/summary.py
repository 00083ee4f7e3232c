"""`[MyCalls]`, `[MyRequests]`, `[MyTasks]`, `[MyApprovals]`: what an analyst works on, has forwarded and was forwarded
(VF-19). Pure.

The summary goes to the stored address of the person, never to an address that the mail names. It changes no record, and
lists those that are not closed, the newest first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from services.record_writer.decide.answers.automatic_mail import TO_REQUESTER
from services.record_writer.decide.answers.wording import message
from services.record_writer.decide.commands.command import Command
from services.record_writer.decide.facts import Facts
from services.record_writer.decide.lookups import Lookups
from shared.contracts.change import Notification
from shared.store.people import StoredPerson
from shared.store.record import Record
from shared.store.records import Holding
from shared.text import shortened

MAX_LISTED: Final = 50
"""Records of one list."""
MAX_SUBJECT: Final = 80
"""Characters of a subject that a list shows."""
TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {"calls": "incident", "requests": "service_request", "tasks": "task", "approvals": "approval"}
)
"""What a command asks for → the type of record."""
LISTS: Final[tuple[tuple[str, Holding], ...]] = (
    ("You work on", "owner"),
    ("You have forwarded", "forwarded_by"),
    ("You have been forwarded", "forwarded_to"),
)
"""The lists of a summary, and how a person stands to their records."""


def asked_for(command: Command) -> str | None:
    """What the command asks for: calls, requests, tasks or approvals; None when more stands in its brackets."""
    found = re.fullmatch(r"\[\s*my\s*(calls|requests|tasks|approvals)\s*\]", command.text, re.IGNORECASE)
    return found[1].casefold() if found else None


def summary(facts: Facts, lookups: Lookups, person: StoredPerson, what: str) -> Notification:
    """The summary for this person."""
    type_ = facts.configuration.type_named(TYPES[what])
    assert type_ is not None  # a built-in type
    unfinished = (*type_.statuses.open, *type_.statuses.resolved)
    lists = [
        _listed(heading, lookups.held_by(person.id, holding, type_.name, unfinished, MAX_LISTED + 1))
        for heading, holding in LISTS
    ]
    values = {"what": what, "lists": "\n".join(lists).rstrip("\n")}
    return message(facts, person, TO_REQUESTER, "summary", values, in_reply_to=facts.mail.message_id)


def _listed(heading: str, records: Sequence[Record]) -> str:
    """One list, or a line that says that it is empty."""
    if not records:
        return f"{heading}: none\n"
    lines = [f"  {each.number}  {each.status}  {shortened(each.subject, MAX_SUBJECT)}\n" for each in records]
    more = f"  and more than these {MAX_LISTED}\n" if len(records) > MAX_LISTED else ""
    return f"{heading}:\n{''.join(lines[:MAX_LISTED])}{more}"
