"""Answers in words of the desk: its own mail template of that name, else the built-in ones. Pure.

    reply(facts, "updated", values_of(facts, lookups, type_, record), label=keyword(facts, type_, record.number))

A template's subject names the record, so that it is recognised when it comes back. In answers to strangers the
variables that come from a mail, or say more than number and status, are empty (PR-02).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from services.record_writer.decide.answers.automatic_mail import (
    Words,
    answer,
    is_known,
    keyword,
    may_answer,
    message_to,
    thread_subject,
)
from services.record_writer.decide.facts import Facts
from services.record_writer.decide.lookups import Lookups, person_name
from shared.config.model import RecordType
from shared.contracts.change import Notification
from shared.mail_text.built_in import BUILT_IN
from shared.mail_text.render import Value, Values, filled, render
from shared.mail_text.values import desk_values, facts_of_record, record_values
from shared.mail_text.variables import for_strangers
from shared.store.people import StoredPerson
from shared.store.record import Record

COMMAND: Final = "command"
"""The kind of an answer to a command."""


def reply(
    facts: Facts,
    name: str,
    values: Values,
    *,
    kind: str = "",
    label: str = "",
    is_named: bool = False,
    template: str | None = None,
) -> tuple[Notification, ...]:
    """The answer to the sender, if there may be one. `kind` "": the name.

    `name` is that of built-in words; `template` names a template that replaces them (None: the one of that name).
    `label` names the record in the subject; `is_named`: the subject of the mail names it already, in other words.
    """
    if not may_answer(facts):
        return ()
    thread = thread_subject(facts, "" if is_named else label)
    words = _worded(facts, name, {**values, "reply_subject": thread}, label, template or name)
    return answer(facts, kind or name, words, neutral=words)


def command_answer(facts: Facts, name: str, values: Values, *, label: str = "") -> tuple[Notification, ...]:
    """The answer to the sender of a command, if there may be one.

    Its subject is a sentence of ours and not that of the mail, because an answer to it would be the command once more.
    """
    if not may_answer(facts):
        return ()
    words = _worded(facts, name, values, label, name)
    return answer(facts, COMMAND, words, neutral=words)


def command_answer_about(
    facts: Facts, lookups: Lookups, name: str, type_: RecordType, record: Record, **more: str
) -> tuple[Notification, ...]:
    """The answer to a command about this record; `more` are values of other variables."""
    values = {**values_of(facts, lookups, type_, record), **more}
    return command_answer(facts, name, values, label=keyword(facts, type_, record.number))


def _worded(facts: Facts, name: str, values: Values, label: str, template: str) -> Words:
    """The words for this sender, known or a stranger; a stranger reads no subject of a mail."""
    built_in, known = BUILT_IN[name], is_known(facts)
    given = {**desk_values(facts.configuration, facts.inbox), **mail_values(facts), **values}
    given = given if known else for_strangers(given)
    found = facts.configuration.mail_template(template)
    if found is None and not known:
        return filled(built_in.neutral_words, given)
    if not (known and "reply_subject" in given):
        given["reply_subject"] = filled(built_in.neutral_words, given).subject
    if found is None:
        return filled(built_in.words, given)
    return _labelled(render(found, given, facts.sender.language or facts.inbox.language), label)


def message(
    facts: Facts,
    person: StoredPerson,
    kind: str,
    name: str,
    values: Values,
    *,
    label: str = "",
    in_reply_to: str | None = None,
) -> Notification:
    """A message to another person than the sender, at the stored address, in that person's language."""
    of_mail = {**mail_values(facts), "reply_subject": lambda: thread_subject(facts, label)}
    own = {**desk_values(facts.configuration, facts.inbox), **of_mail, **values}
    found = facts.configuration.mail_template(name)
    if found is None:
        return message_to(person, kind, filled(BUILT_IN[name].words, own), in_reply_to)
    words = _labelled(render(found, own, person.language or facts.inbox.language), label)
    return message_to(person, kind, words, in_reply_to)


def _labelled(words: Words, label: str) -> Words:
    named = label.casefold() in words.subject.casefold()
    return words if named else replace(words, subject=f"{label} {words.subject}")


def mail_values(facts: Facts) -> Mapping[str, Value]:
    """The values about the mail that is answered."""
    address = facts.sender.address
    name = facts.sender.name or (address.name if address else "")
    return {"sender": name, "text": facts.mail.new_text.strip}


def values_of(facts: Facts, lookups: Lookups, type_: RecordType, record: Record) -> dict[str, Value]:
    """The values about a stored record."""
    return record_values(facts.configuration, facts_of_record(record, type_, name_of(lookups)))


def name_of(lookups: Lookups) -> Callable[[str], str]:
    """The function from the id of a person to the person's name."""
    return lambda person: person_name(lookups, person)
