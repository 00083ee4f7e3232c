"""Automatic mail to the sender of a mail: what it may say (PR-02). Pure.

Every kind of answer is made here; `one_answer` decides which one is sent. A From address is easily forged, so an answer
may reach a person who wrote nothing. An answer to a stranger therefore names the record and its status, and quotes no
mail.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from services.record_writer.decide.facts import Facts
from services.record_writer.decide.people.robots import is_robot
from shared.addresses import mailbox_key
from shared.config.model import RecordType
from shared.contracts.change import Notification
from shared.mail_text import values
from shared.mail_text.no_commands import without_commands
from shared.mail_text.render import Rendered
from shared.store.people import StoredPerson
from shared.subject_prefixes import without_prefixes
from shared.text import shortened

MAX_SUBJECT: Final = 250
TO_CUSTOMER: Final = "customer"
"""The kind of a message that an analyst's mail causes."""
TO_REQUESTER: Final = "summary"
"""The kind of a message to the stored address of who asked for it."""
CREATED: Final = "created"
"""The kind of an acknowledgement."""
CLOSED: Final = "closed"
"""The kind of a notice about a closed or deleted record (VF-13)."""
COMMAND: Final = "command"
"""The step of a decision, and the kind of a target, that a command leads to."""
TO_HANDLER: Final = "handler"
"""The kind of a message to the analyst who has the record."""


Words = Rendered
"""Subject, text and HTML of an answer: `wording` makes them from templates."""


def answer(facts: Facts, kind: str, words: Words, *, neutral: Words) -> tuple[Notification, ...]:
    """An answer to the sender; none to a robot. Strangers get `neutral`, which holds nothing that came from a mail.

    For them the mail is named in In-Reply-To alone, which programs read and people do not see.
    """
    address = facts.sender.address
    if address is None or not may_answer(facts):
        return ()
    to, about = (address.address,), facts.mail.message_id
    if not is_known(facts):
        return (notification(to, kind, neutral, about),)
    name = facts.sender.name or address.name
    shown = "" if "@" in name else name
    return (replace(notification(to, kind, words, about, shown), references=facts.mail.references),)


def may_answer(facts: Facts) -> bool:
    """Whether the sender may be answered: a person wrote the mail, from an address that has a domain and is read."""
    address = facts.sender.address.address if facts.sender.address else ""
    return facts.answers and "@" in address and mailbox_key(address) is not None and not is_robot(address)


def message_to(person: StoredPerson, kind: str, words: Words, in_reply_to: str | None = None) -> Notification:
    """A message to another person than the sender, at the stored address."""
    name = person.name if person.configured else ""
    return notification(person.addresses[:1], kind, words, in_reply_to, name)


def notification(
    to: tuple[str, ...], kind: str, words: Words, in_reply_to: str | None = None, to_name: str = ""
) -> Notification:
    """A mail with these words."""
    mail = Notification(to, words.subject, words.text, kind, in_reply_to, to_name)
    return replace(mail, html=words.html, template=words.template) if words.template else mail


def title(facts: Facts, type_: RecordType) -> str:
    """The customer's word for a type."""
    return values.title(facts.configuration, type_)


def keyword(facts: Facts, type_: RecordType, number: str) -> str:
    """What names a record in the subject of an answer."""
    return values.keyword(facts.configuration, type_, number)


def thread_subject(facts: Facts, label: str = "") -> str:
    """`Re:` and the subject of the mail, by which mail programs keep a thread, with a label before it.

    Programs leave brackets at the beginning out of the comparison (RFC 5256, section 2.1).
    """
    return subject_of_answer(facts.mail.subject, label)


def subject_of_answer(subject: str, label: str = "") -> str:
    """The subject of an answer to a mail with this one, without commands."""
    subject = without_commands(without_prefixes(subject))
    named = "" if label.casefold() in subject.casefold() else label
    return " ".join(filter(None, ("Re:", named, shortened(subject, MAX_SUBJECT))))


def is_known(facts: Facts) -> bool:
    """Whether the sender is in the desk's own configuration, or one of its mail servers states who it is.

    A person who was created because of a mail does not count as known.
    """
    return facts.sender.configured or facts.is_authenticated
