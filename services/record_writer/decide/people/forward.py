"""A forward by an analyst counts for the sender of the forwarded mail, where the inbox wants that. Pure.

The customer is who wrote first: the forwarding analyst is proven as the inbox wants it and vouches for the mail, whose
sender is only stated in it. So nothing that acts on the strength of its sender happens for that sender: the forward
gives no command and sets no field that analysts alone set. It reaches every record that the analyst reaches.
"""

from __future__ import annotations

from dataclasses import replace

from services.record_writer.decide.facts import Facts
from services.record_writer.decide.people.robots import is_robot
from services.record_writer.decide.people.sender import sender_refusal
from shared.addresses import address_keys
from shared.contracts.mail import Address, Forwarded


def for_original_sender(facts: Facts) -> Facts:
    """The facts of an analyst's forward, with the forwarded mail and its sender; other mails as they are.

    A forward that does not count for the original sender stays the analyst's own mail; a remark says why.
    """
    forwarded = facts.mail.forwarded
    if forwarded is None or not (facts.inbox.forwarded_for_original_sender and facts.is_analyst):
        return facts
    analyst = facts.sender.name or facts.sender.person_id
    seen = _as_forwarded(facts, forwarded)
    if why := _objection(facts, forwarded) or sender_refusal(seen):
        return replace(facts, remarks=(f"a forward, kept as a mail of {analyst}: {why}",))
    return replace(seen, remarks=(f"forwarded by {analyst} for its original sender {_shown(seen.sender.address)}",))


def _objection(facts: Facts, forwarded: Forwarded) -> str | None:
    """Why the forward stays the analyst's own mail."""
    original, address = facts.original, facts.original.address if facts.original else None
    plus = facts.settings.plus_addressing
    if not facts.answers:
        return "it was sent automatically"
    if "several-authors" in facts.mail.defects:
        return "it has several authors"
    if original is None or address is None or not (keys := address_keys(address.address, plus_addressing=plus)):
        return "the address of the forwarded mail's sender cannot be read"
    if not facts.configuration.own_addresses.isdisjoint(keys):
        return f"the forwarded mail is one of this desk's, from {address.address}"
    if forwarded.automatic or is_robot(address.address):
        return f"the forwarded mail, from {address.address}, was sent automatically"
    if original.person_id is not None and original.person_id == facts.sender.person_id:
        return "the forwarded mail is by the same analyst"
    return None


def _as_forwarded(facts: Facts, forwarded: Forwarded) -> Facts:
    """The forwarded mail in place of the forward. From is marked as one that another mail states."""
    original = facts.original or facts.sender
    text = forwarded.text or facts.mail.text
    mail = replace(
        facts.mail,
        message_id=forwarded.message_id,
        from_=original.address,
        rewritten_from=facts.mail.from_,
        reply_to=(),
        subject=forwarded.subject or facts.mail.subject,
        text=text,
        new_text=text,
        passages=(),
    )
    return replace(facts, mail=mail, sender=original, forwarder=facts.sender, comment=forwarded.comment, commands=False)


def _shown(address: Address | None) -> str:
    return address.address if address else ""
