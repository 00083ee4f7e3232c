"""The signed reply token that a mail answers with, and the record that it is about. Pure.

It counts in the tag of the inbox's address, and in the Message-ID that the mail answers directly. It counts for the
person alone to whom our mail went, so that a mail that was passed on, or an archive of a list, gives no rights to
others; and for a year. One that is forged, cut, expired or somebody else's is ignored.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Final

from services.record_writer.decide.facts import Facts
from services.record_writer.decide.lookups import Lookups
from services.record_writer.decide.recognition.thread import address_of
from shared.addresses import address_key, address_keys
from shared.reply_tokens import ReplyTokens, Signed, outbox_id_in, tokens_in
from shared.store.outbox import OutboxMail

LIFETIME: Final = timedelta(days=365)
MAX_TOKENS: Final = 5
"""Tokens of a mail that are looked up."""


def with_token(facts: Facts, lookups: Lookups, tokens: ReplyTokens) -> Facts:
    """The facts with the record of the mail's reply token, if it has a good one. Raises `Misconfigured`."""
    mail = facts.mail
    answered = (mail.in_reply_to,) if mail.in_reply_to else mail.references[-1:]
    found = tokens_in(answered, _addresses_with_tag(facts))[:MAX_TOKENS] if _is_of_one_sender(facts) else []
    for token in found:
        sent = lookups.outgoing(outbox_id_in(token))
        if sent and _is_good(sent, facts, lookups) and tokens.is_valid(token, Signed(sent.id, sent.record_id, sent.to)):
            return replace(facts, token_record=sent.record_id)
    return facts


def _addresses_with_tag(facts: Facts) -> Iterator[str]:
    """The recipients that are addresses of our inboxes with a tag."""
    if not facts.inbox.reply_by_plus_address or facts.settings.plus_addressing == "keep":
        return
    own = facts.configuration.own_addresses
    for each in (*facts.mail.to, *facts.mail.cc):
        if "+" in each.address and not own.isdisjoint(address_keys(each.address)[1:]):
            yield each.address


def _is_of_one_sender(facts: Facts) -> bool:
    """Whether the From address, as it is written, is the sender's."""
    mail = facts.mail
    return mail.from_ == facts.sender.address and mail.rewritten_from is None and "several-authors" not in mail.defects


def _is_good(sent: OutboxMail, facts: Facts, lookups: Lookups) -> bool:
    """Whether that mail is about a record, not too old, and went to the sender: by address, or as the same person."""
    if sent.record_id is None or facts.now - sent.at > LIFETIME:
        return False
    if address_of(facts) in {address_key(each) for each in sent.to} - {None}:
        return True
    people = (lookups.person(each) for each in sent.to if facts.sender.person_id)
    return any(person is not None and person.id == facts.sender.person_id for person in people)
