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
from shared.addresses import domain_of, mailbox_key
from shared.contracts.change import Notification
from shared.store.outbox import Recipients

MAX_COMBINED: Final = 50
"""How many answers to parts of a mail are quoted in its one answer."""


@dataclass(frozen=True, slots=True)
class Words:
    """Subject and text of an answer."""

    subject: str
    text: str


def answer(facts: Facts, kind: str, words: Words, *, neutral: Words) -> tuple[Notification, ...]:
    """An answer to the sender; none to a robot. Strangers get `neutral`, which holds nothing that came from a mail.

    The mail that is answered is named in In-Reply-To alone, which programs read and people do not see.
    """
    address = facts.sender.address
    if not facts.answers or address is None or mailbox_key(address.address) is None:
        return ()
    said = words if is_known(facts) else neutral
    return (Notification((address.address,), said.subject, said.text, kind, facts.mail.message_id),)


def is_known(facts: Facts) -> bool:
    """Whether the sender is in the desk's own configuration, or one of its mail servers states who it is.

    A person who was created because of a mail does not count as known.
    """
    return facts.sender.configured or facts.is_authenticated


def combined(notifications: Sequence[Notification]) -> tuple[Notification, ...]:
    """One mail in place of several to the same sender: a mail causes one answer, whatever its parts name."""
    if len(notifications) < 2:
        return tuple(notifications)
    first, more = notifications[0], len(notifications) - MAX_COMBINED
    text = "\n".join(each.text for each in notifications[:MAX_COMBINED])
    kinds = {each.kind for each in notifications}
    return (
        replace(
            first,
            subject=f"{first.subject.rstrip('.')}, and {len(notifications) - 1} more",
            text=f"{text}\nAnd {more} more.\n" if more > 0 else text,
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
