"""Recognises a mail that has come before by another way: a second alias, a forwarding, a server that delivers twice.

Each server on the way adds to the header, so that the bytes are not the same. Message-ID alone decides nothing, since
anybody may choose one: all that the sender wrote has to be the same too.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from shared.contracts.events import MailParsed
from shared.lazy_pattern import lazy_compile
from shared.store.mails import Mails, StoredMail
from shared.text import from_iso


def earlier_copy(parsed: MailParsed, mails: Mails, source: Callable[[], bytes]) -> str | None:
    """The id of the mail that this one is a copy of; None when there is none.

    `source`: the bytes of this mail, which are read when another mail has its Message-ID and sender.
    A publisher who gives a key of its own says that mails are different.
    """
    envelope = parsed.envelope
    others = [each for each in mails.with_message_id_of(parsed.mail, envelope.mail_id) if each.inbox == envelope.inbox]
    own = mails.get(envelope.mail_id) if others else None
    if own is not None and (own.source_id is not None or _has_effect(own)):
        return None
    place = (from_iso(envelope.received_at), envelope.mail_id)
    ahead = (each for each in others if _has_effect(each) or (each.outcome is None and _place(each) < place))
    return next((each.id for each in ahead if _says_the_same(each, parsed, mails, source)), None)


def _has_effect(mail: StoredMail) -> bool:
    """Whether it has its outcome, and not one that changes nothing, so that a copy of it would be one too many."""
    return mail.outcome not in {None, "rejected", "dead"}


def _place(mail: StoredMail) -> tuple[datetime, str]:
    return mail.received_at, mail.id


def _says_the_same(other: StoredMail, parsed: MailParsed, mails: Mails, source: Callable[[], bytes]) -> bool:
    mail = parsed.mail
    if (other.date, other.subject) != (mail.date, mail.subject):
        return False
    return as_sent(mails.source(other)) == as_sent(source())


def as_sent(raw: bytes) -> tuple[list[bytes], bytes]:
    """The header fields of a mail without those of its way, and its body."""
    head, body = head_and_body(raw)
    return [each for each in _BETWEEN_FIELDS.split(head) if not _OF_THE_WAY.match(each)], body


def head_and_body(raw: bytes) -> tuple[bytes, bytes]:
    """The header and the body of a mail, in which servers may have changed the ends of lines."""
    head, _, body = raw.replace(b"\r\n", b"\n").partition(b"\n\n")
    return head, body.rstrip(b"\n")


_BETWEEN_FIELDS = lazy_compile(rb"\n(?![ \t])")
_OF_THE_WAY = lazy_compile(
    rb"(?i)(?:Received|X-Received|Received-SPF|Return-Path|Delivered-To|X-Delivered-To|X-Original-To|Envelope-To"
    rb"|X-Envelope-To|X-Forwarded-(?:To|For)|(?:ARC|X-Spam|X-MS-Exchange|X-Gm|X-Google)-[\w-]+)[ \t]*:"
)
"""Fields that servers add on the way (RFC 5321, section 4.4; RFC 8617; what is common)."""
