"""The one answer that a mail causes, and whether it may go: the limits on automatic mail (PR-02). Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final

from services.record_writer.decide.answers.automatic_mail import (
    COMMAND,
    CREATED,
    TO_CUSTOMER,
    TO_HANDLER,
    TO_REQUESTER,
    is_known,
)
from services.record_writer.decide.answers.exchange import endless_exchange, repeated_request
from services.record_writer.decide.facts import Facts
from services.record_writer.decide.lookups import Lookups
from services.record_writer.decide.model import Decision
from shared.addresses import domain_of, mailbox_key
from shared.contracts.change import Change, Notification
from shared.mail_text.html_text import html_of
from shared.mail_text.render import spoken
from shared.store.outbox import ANSWER, Recipients
from shared.subject_prefixes import is_prefixed
from shared.text import shortened

MAX_COMBINED: Final = 50
"""How many answers to parts of a mail are quoted in its one answer."""
MAX_EXCERPT: Final = 500
"""Characters of a mail that its answer repeats."""
MAX_LINES: Final = 6
ANSWERED_FREELY: Final = 2
"""Answers to a mailbox before the text of its mails is compared."""
MAX_EARLIER: Final = 20
"""Activities of a record, the newest, that are compared."""
YOU_WROTE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "en": "You wrote:",
        "de": "Sie schrieben:",
        "fr": "Vous avez écrit :",
        "es": "Usted escribió:",
        "it": "Ha scritto:",
        "nl": "U schreef:",
        "pt": "Você escreveu:",
        "pl": "Napisano:",
        "sv": "Du skrev:",
        "da": "Du skrev:",
        "nb": "Du skrev:",
        "fi": "Kirjoitit:",
        "cs": "Napsali jste:",
    }
)
"""What announces the beginning of the sender's text, by language."""
MESSAGES: Final = frozenset({TO_CUSTOMER, TO_HANDLER, TO_REQUESTER})
"""Kinds that go to the stored address of a person, and quote no mail."""


def with_answer(facts: Facts, lookups: Lookups, ended: Decision, asked: Sequence[Notification]) -> Decision:
    """The decision with the one answer to the mail (PR-02), or with the limit that forbids it as a reason."""
    messages = [each for each in asked if each.kind in MESSAGES]
    written = tuple(each for each in asked if each.kind == ANSWER)
    ended = replace(ended, notices=(*written, *_within_limit(facts, lookups, messages)))
    answers = combined([each for each in asked if each.kind not in {*MESSAGES, ANSWER}])
    if not answers:
        return ended
    if why := kept_back(facts, lookups, ended) or _loop(facts, lookups, ended, answers):
        return replace(ended, reason=f"{ended.reason}; not answered: {why}")
    domain = stranger_domain(facts)
    quoted = (replace(_with_excerpt(facts, each), stranger_domain=domain) for each in answers)
    return replace(ended, notices=(*quoted, *ended.notices))


def _is_repeated(change: Change, facts: Facts, lookups: Lookups) -> bool:
    """Whether the record has the same text by the same author from an earlier mail."""
    new = next((each for each in change.activities if each.kind == "email"), None)
    known = lookups.activities(change.record_id, MAX_EARLIER) if new and new.text.strip() else ()
    earlier = [each for each in known if each.kind == "email" and each.mail_id != facts.envelope.mail_id]
    return new is not None and any((each.text, each.by) == (new.text, new.by) for each in earlier)


def _loop(facts: Facts, lookups: Lookups, ended: Decision, answers: Sequence[Notification]) -> str | None:
    """Why these answers could be part of an endless exchange; who gives a command always gets an answer."""
    if _is_command(ended) or lookups.is_answered(facts.envelope.mail_id):
        return None
    repeated = repeated_request(facts, lookups) if any(each.kind == CREATED for each in answers) else None
    return repeated or endless_exchange(facts, lookups, [each.kind for each in answers])


def _is_command(ended: Decision) -> bool:
    return not {COMMAND, "create"}.isdisjoint((ended.step, *(each.kind for each in ended.targets)))


def _within_limit(facts: Facts, lookups: Lookups, messages: Sequence[Notification]) -> Iterator[Notification]:
    """One message to each person, as long as the limit for a mailbox is not reached."""
    cap = facts.settings.automatic_mail_cap
    for each in {message.to: message for message in messages}.values():
        sent = lookups.sent_since("to_key", mailbox_key(each.to[0]) or "", facts.now - cap.per)
        if sent < cap.per_address or lookups.is_answered(facts.envelope.mail_id):
            yield each


def _with_excerpt(facts: Facts, mail: Notification) -> Notification:
    """The answer with the beginning of the sender's text, for a sender who is known."""
    lines = shortened((facts.mail.new_text or facts.mail.text).strip(), MAX_EXCERPT).split("\n")[:MAX_LINES]
    if facts.forwarder or not is_known(facts) or not any(lines):
        return mail
    written = YOU_WROTE.get(_language(facts, mail), YOU_WROTE["en"])
    excerpt = f"\n{written}\n\n" + "".join(f"> {line}".rstrip() + "\n" for line in lines)
    html = mail.html and f"{mail.html}\n{html_of(excerpt)}"
    return replace(mail, text=mail.text + excerpt, html=html)


def _language(facts: Facts, mail: Notification) -> str:
    """The language that an answer is written in, as far as that is known: built-in words are English."""
    template, of_inbox = facts.configuration.mail_template(mail.template or ""), facts.inbox.language
    if template is None:
        return "en"
    if found := spoken(template, facts.sender.language or of_inbox):
        return found.partition("-")[0]
    return "en" if of_inbox is None or spoken(template, of_inbox) else of_inbox.partition("-")[0]


def combined(notifications: Sequence[Notification]) -> tuple[Notification, ...]:
    """One mail in place of several to the same sender: a mail causes one answer, whatever its parts name.

    A subject that continues a thread stays as it is.
    """
    if len(notifications) < 2:
        return tuple(notifications)
    first, more = notifications[0], len(notifications) - 1
    subject = first.subject if is_prefixed(first.subject) else f"{first.subject.rstrip('.')}, and {more} more"
    text = "\n".join(each.text for each in notifications[:MAX_COMBINED])
    text += f"\nAnd {len(notifications) - MAX_COMBINED} more.\n" if more >= MAX_COMBINED else ""
    listed = notifications[:MAX_COMBINED]
    html = "\n".join(each.html or html_of(each.text) for each in listed) if any(each.html for each in listed) else None
    kinds = {each.kind for each in notifications}
    kind, template = (
        first.kind if len(kinds) == 1 else "several",
        next(filter(None, (each.template for each in listed)), None),
    )
    return (replace(first, subject=subject, text=text, kind=kind, html=html, template=template),)


def kept_back(facts: Facts, lookups: Lookups, ended: Decision) -> str | None:
    """Why the answer is kept back: a limit on automatic mail, or a sender who is a program (PR-02).

    Nothing keeps back an answer that is queued already.
    """
    since = facts.now - facts.settings.automatic_mail_cap.per
    why, to_mailbox = None, None
    for name, most, field, value in _limits(facts):
        sent = lookups.sent_since(field, value, since)
        to_mailbox = sent if to_mailbox is None else to_mailbox
        if sent >= most:
            why = f"the limit automatic_mail_cap.{name} ({most}) is reached"
            break
    if why is None and (to_mailbox or 0) >= ANSWERED_FREELY and _repeats_itself(facts, lookups, ended):
        why = "the sender writes the same as before, as a program does that answers every mail"
    return None if why is None or lookups.is_answered(facts.envelope.mail_id) else why


def _repeats_itself(facts: Facts, lookups: Lookups, ended: Decision) -> bool:
    """Whether the mail is a reply, and the records that it updates have its text already, by the same author.

    The answer to a command holds no command, so that no program goes on with it.
    """
    if _is_command(ended) or not (facts.mail.in_reply_to or facts.mail.references or is_prefixed(facts.mail.subject)):
        return False
    updates = [each for each in ended.changes if each.action == "update"]
    return bool(updates) and all(_is_repeated(each, facts, lookups) for each in updates)


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
