"""The numbers of the records that a decision makes, in the order in which a commit gives them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from services.record_writer.decide.model import Decision
from shared.config.model import Configuration
from shared.contracts.change import Change, Notification
from shared.contracts.errors import PostroomError

Serials = Callable[[str], int]
"""The next number of a record type."""


def numbered(change: Change, configuration: Configuration, serials: Serials) -> Change:
    """The change with a number for each record that it makes: objects, then its own, then those below it.

    A plan has no numbers: they are taken when it is committed, because a number cannot be given back (gaps are allowed,
    repeats are not).
    """
    objects = tuple(numbered(each, configuration, serials) for each in change.objects)
    serial, number = change.serial, change.number
    if change.action == "create":
        type_ = configuration.type_named(change.type)
        if type_ is None:
            raise PostroomError(f"there is no record type {change.type!r}")
        serial = serials(type_.name)
        number = f"{type_.prefix}{serial}"
    subordinates = tuple(numbered(each, configuration, serials) for each in change.subordinates)
    given = replace(change, serial=serial, number=number, objects=objects, subordinates=subordinates)
    return replace(given, messages=with_numbers(change.messages, [given])) if change.messages else given


def number_of(record_id: str) -> str:
    """Stands in a text for the number of a record that has none yet; `with_numbers` fills it in."""
    return f"{{number of {record_id}}}"


def with_numbers(notices: Sequence[Notification], changes: Sequence[Change]) -> tuple[Notification, ...]:
    """Mails with the numbers of these changes in place of `number_of`."""
    filled = tuple(notices)
    for change in changes:
        name, number = number_of(change.record_id), change.number
        filled = tuple(_with_number(each, name, number) for each in filled)
    return filled


def _with_number(mail: Notification, name: str, number: str) -> Notification:
    subject, text = mail.subject.replace(name, number), mail.text.replace(name, number)
    return replace(mail, subject=subject, text=text, html=mail.html and mail.html.replace(name, number))


def numbered_decision(decision: Decision, configuration: Configuration, serials: Serials) -> Decision:
    """The decision with all its numbers, in the order in which a commit gives them."""

    def given(change: Change | None) -> Change | None:
        return numbered(change, configuration, serials) if change else None

    parts = tuple(part if part.committed else replace(part, change=given(part.change)) for part in decision.parts)
    notices = with_numbers(decision.notices, [part.change for part in parts if part.change])
    return replace(decision, parts=parts, incident=given(decision.incident), notices=notices)
