"""The forms of mail services: how each proves that it sent a request, and where the raw mail is in it. Pure.

- Mailgun (a route that forwards to a URL ending in `mime`): `signature` is HMAC-SHA256 of `timestamp` and `token`,
  with the key of the account; the mail is in `body-mime`. The signature does not cover it: a token counts for one
  mail alone.
- SendGrid (Inbound Parse with a security policy, raw mail switched on): ECDSA over the timestamp of the header and the
  whole body; the mail is in `email`.
- Postmark (inbound webhook with the raw mail included): HTTP Basic authentication in the address of the webhook; the
  mail is in `RawEmail` of the JSON.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from typing import Final

from services.operator.permissions.intake_keys import elliptic_key
from shared.lazy_dataclass import dataclass

OLDEST_SECONDS: Final = 12 * 60 * 60
"""A signature that is older does not count. Mailgun tries for eight hours to deliver a mail."""
AHEAD_SECONDS: Final = 5 * 60
"""How far ahead the clock of a service may be."""
MAILGUN_FIELDS: Final = frozenset(("timestamp", "token", "signature", "body-mime", "sender", "recipient"))
SENDGRID_FIELDS: Final = frozenset(("email", "envelope"))
SIGNATURE_HEADER: Final = "x-twilio-email-event-webhook-signature"
TIMESTAMP_HEADER: Final = "x-twilio-email-event-webhook-timestamp"
MAX_SIGNATURE_CHARACTERS, MAX_TIMESTAMP_DIGITS = 500, 12


class Unverified(Exception):
    """The request is not proved to come from the service."""


class Incomplete(ValueError):
    """The request is proved, but the raw mail is not in it; the message says what to switch on."""


@dataclass(frozen=True, slots=True)
class Posted:
    """A mail as a service posted it, with its envelope where stated. `once`: a signature that counts for it alone."""

    raw: bytes
    sender: str | None = None
    recipients: tuple[str, ...] = ()
    once: str | None = None


def from_mailgun(fields: Mapping[str, bytes], key: str, now: float) -> Posted:
    """The mail in a form of Mailgun. Raises `Unverified`, `Incomplete`."""
    timestamp, token = fields.get("timestamp", b""), fields.get("token", b"")
    made = hmac.new(key.encode(), timestamp + token, hashlib.sha256).hexdigest().encode()
    if not token or not hmac.compare_digest(made, fields.get("signature", b"")):
        raise Unverified
    _require_recent(timestamp, now)
    if "body-mime" not in fields:
        raise Incomplete("body-mime is missing; the address of the route has to end in /mime")
    sender, recipient = fields.get("sender"), _text(fields.get("recipient"))
    return Posted(fields["body-mime"], None if sender is None else _text(sender), _several(recipient), _text(token))


def verify_sendgrid(headers: Mapping[str, str], body: bytes, public_key: str, now: float) -> None:
    """Check the signature of SendGrid. Raises `Unverified`."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
    from cryptography.hazmat.primitives.hashes import SHA256

    timestamp, signature = headers.get(TIMESTAMP_HEADER, ""), headers.get(SIGNATURE_HEADER, "")
    if len(signature) > MAX_SIGNATURE_CHARACTERS:
        raise Unverified
    try:
        signed = base64.b64decode(signature, validate=True)
        elliptic_key(public_key).verify(signed, timestamp.encode() + body, ECDSA(SHA256()))
    except (InvalidSignature, binascii.Error, ValueError):
        raise Unverified from None
    _require_recent(timestamp.encode(), now)


def from_sendgrid(fields: Mapping[str, bytes]) -> Posted:
    """The mail in a form of SendGrid whose signature was checked. Raises `Incomplete`."""
    if "email" not in fields:
        raise Incomplete('email is missing; switch on "POST the raw, full MIME message"')
    try:
        envelope = json.loads(fields.get("envelope", b"{}"))
    except (ValueError, RecursionError):
        envelope = {}
    sender, to = (envelope.get("from"), envelope.get("to")) if isinstance(envelope, dict) else (None, None)
    recipients = tuple(each for each in to if isinstance(each, str)) if isinstance(to, list) else ()
    return Posted(fields["email"], sender if isinstance(sender, str) else None, recipients)


def from_postmark(body: bytes) -> Posted:
    """The mail in the JSON of Postmark. Raises `Incomplete`."""
    try:
        given = json.loads(body)
    except (ValueError, RecursionError):
        raise Incomplete("the body is not JSON") from None
    raw = given.get("RawEmail") if isinstance(given, dict) else None
    if not isinstance(raw, str):
        raise Incomplete('RawEmail is missing; switch on "Include raw email content in JSON payload"')
    recipient = given.get("OriginalRecipient")
    recipients = _several(recipient) if isinstance(recipient, str) else ()
    return Posted(raw.encode("utf-8", "replace"), None, recipients)


def _require_recent(timestamp: bytes, now: float) -> None:
    if not timestamp.isdigit() or len(timestamp) > MAX_TIMESTAMP_DIGITS:
        raise Unverified
    if not now - OLDEST_SECONDS <= int(timestamp) <= now + AHEAD_SECONDS:
        raise Unverified


def _text(value: bytes | None) -> str:
    return (value or b"").decode("utf-8", "replace")[:4_000]


def _several(text: str) -> tuple[str, ...]:
    return tuple(each.strip() for each in text.split(",") if each.strip())
