"""Automatic mail to the sender of a mail: what it may say, and whether it may go (PR-02). Pure.

Every kind of answer is made here. A From address is easily forged, so an answer may reach a person who wrote nothing.
An answer to a stranger therefore names the record and its status, and quotes no mail.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from services.record_writer.decide.facts import Facts
from services.record_writer.decide.lookups import Lookups
from services.record_writer.decide.model import Decision
from shared.addresses import domain_of, mailbox_key
from shared.config.model import RecordType
from shared.contracts.change import Notification
from shared.loops import without_prefixes
from shared.store.outbox import Recipients
from shared.store.people import StoredPerson
from shared.text import shortened

MAX_COMBINED: Final = 50
"""How many answers to parts of a mail are quoted in its one answer."""
MAX_SUBJECT: Final = 250
MAX_EXCERPT: Final = 500
"""Characters of a mail that its answer repeats."""
MAX_LINES: Final = 6
TO_CUSTOMER: Final = "customer"
"""The kind of a message that an analyst's mail causes."""


@dataclass(frozen=True, slots=True)
class Words:
    """Subject and text of an answer."""

    subject: str
    text: str


def answer(facts: Facts, kind: str, words: Words, *, neutral: Words) -> tuple[Notification, ...]:
    """An answer to the sender; none to a robot. Strangers get `neutral`, which holds nothing that came from a mail.

    For them the mail is named in In-Reply-To alone, which programs read and people do not see.
    """
    address = facts.sender.address
    if not facts.answers or address is None or mailbox_key(address.address) is None:
        return ()
    to, about = (address.address,), facts.mail.message_id
    if not is_known(facts):
        return (Notification(to, neutral.subject, neutral.text, kind, about),)
    name = facts.sender.name or address.name
    shown = "" if "@" in name else name
    return (Notification(to, words.subject, words.text, kind, about, shown, facts.mail.references),)


def message_to_customer(person: StoredPerson, words: Words, in_reply_to: str | None) -> Notification:
    """What an analyst wrote, for the customer of the record."""
    name = person.name if person.configured else ""
    return Notification(person.addresses[:1], words.subject, words.text, TO_CUSTOMER, in_reply_to, name)


def title(facts: Facts, type_: RecordType) -> str:
    """The customer's word for a type: its label, or for the built-in ones a call and a request (VF-20)."""
    word = {"Incident": "Call", "Service Request": "Request"}.get(type_.label, type_.label)
    word = word if facts.configuration.type_named(word) == type_ else type_.label
    return word[:1].upper() + word[1:]


def keyword(facts: Facts, type_: RecordType, number: str) -> str:
    """What names a record in the subject of an answer, for when it comes back without the thread's headers."""
    return f"[{title(facts, type_)} - {number}]"


def thread_subject(facts: Facts, label: str = "") -> str:
    """`Re:` and the subject of the mail, by which mail programs keep a thread, with a label before it.

    Programs leave brackets at the beginning out of the comparison (RFC 5256, section 2.1).
    """
    subject = without_prefixes(facts.mail.subject)
    named = "" if label.casefold() in subject.casefold() else label
    return " ".join(filter(None, ("Re:", named, shortened(subject, MAX_SUBJECT))))


def with_answer(facts: Facts, lookups: Lookups, ended: Decision, asked: Sequence[Notification]) -> Decision:
    """The decision with the one answer to the mail (PR-02), or with the limit that keeps it back as a reason."""
    messages = [each for each in asked if each.kind == TO_CUSTOMER]
    ended = replace(ended, notices=tuple(_within_limit(facts, lookups, messages)))
    answers = combined([each for each in asked if each.kind != TO_CUSTOMER])
    if not answers:
        return ended
    if reached := reached_limit(facts, lookups):
        return replace(ended, reason=f"{ended.reason}; not answered: {reached}")
    sending = replace(ended.outgoing, stranger_domain=stranger_domain(facts))
    quoted = tuple(replace(each, text=each.text + _excerpt(facts)) for each in answers)
    return replace(ended, notices=(*quoted, *ended.notices), outgoing=sending)


def _within_limit(facts: Facts, lookups: Lookups, messages: Sequence[Notification]) -> Iterator[Notification]:
    """One message to each customer, as long as the limit for a mailbox is not reached."""
    cap = facts.settings.automatic_mail_cap
    for each in {message.to: message for message in messages}.values():
        sent = lookups.sent_since("to_key", mailbox_key(each.to[0]) or "", facts.now - cap.per)
        if sent < cap.per_address or lookups.is_answered(facts.envelope.mail_id):
            yield each


def _excerpt(facts: Facts) -> str:
    """The beginning of the sender's text, for a sender who is known."""
    lines = shortened((facts.mail.new_text or facts.mail.text).strip(), MAX_EXCERPT).split("\n")[:MAX_LINES]
    if not is_known(facts) or not any(lines):
        return ""
    return "\nYou wrote:\n\n" + "".join(f"> {line}".rstrip() + "\n" for line in lines)


def is_known(facts: Facts) -> bool:
    """Whether the sender is in the desk's own configuration, or one of its mail servers states who it is.

    A person who was created because of a mail does not count as known.
    """
    return facts.sender.configured or facts.is_authenticated


def combined(notifications: Sequence[Notification]) -> tuple[Notification, ...]:
    """One mail in place of several to the same sender: a mail causes one answer, whatever its parts name."""
    if len(notifications) < 2:
        return tuple(notifications)
    first, more = notifications[0], len(notifications) - 1
    text = "\n".join(each.text for each in notifications[:MAX_COMBINED])
    kinds = {each.kind for each in notifications}
    return (
        replace(
            first,
            subject=first.subject
            if first.subject.startswith("Re: ")
            else f"{first.subject.rstrip('.')}, and {more} more",
            text=f"{text}\nAnd {len(notifications) - MAX_COMBINED} more.\n" if more >= MAX_COMBINED else text,
            kind=first.kind if len(kinds) == 1 else "several",
        ),
    )


def reached_limit(facts: Facts, lookups: Lookups) -> str | None:
    """The limit on automatic mail that keeps the answer back, if one does; none does when it is queued already."""
    since = facts.now - facts.settings.automatic_mail_cap.per
    for name, most, field, value in _limits(facts):
        if lookups.sent_since(field, value, since) >= most:
            answered = lookups.is_answered(facts.envelope.mail_id)
            return None if answered else f"the limit automatic_mail_cap.{name} ({most}) is reached"
    return None


def _limits(facts: Facts) -> Iterator[tuple[str, int, Recipients, str | bool]]:
    """Limits that hold for the sender: name, most, and the field of outgoing mail with the value that is counted."""
    cap, address = facts.settings.automatic_mail_cap, facts.sender.address
    yield "per_address", cap.per_address, "to_key", (mailbox_key(address.address) if address else None) or ""
    domain = stranger_domain(facts)
    if domain is not None:
        yield "per_domain", cap.per_domain, "stranger_domain", domain
        yield "all_strangers", cap.all_strangers, "to_stranger", True


def stranger_domain(facts: Facts) -> str | None:
    """The domain of an unknown sender, by which answers are counted; "" when the address has none.

    None when the sender is known.
    """
    if is_known(facts):
        return None
    return (domain_of(facts.sender.address.address) if facts.sender.address else None) or ""
