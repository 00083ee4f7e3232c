"""Reads reply codes out of a diagnostic: SMTP code (RFC 5321), enhanced status (RFC 3463), a reason in one word.

Separate because fields and prose use the same codes.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Final

from services.parser.tables import alternatives
from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile


@dataclass(frozen=True, slots=True)
class Codes:
    """The codes in one diagnostic; None for a code that it does not contain."""

    smtp: int | None = None
    status: str | None = None


MAX_PAIRS: Final = 20
_KNOWN: Final = frozenset(
    {421, 422, 431, 432, 441, 442, *range(446, 460), 471, 472, *range(500, 506), *range(510, 518), 521, 523, 525, 530,
     531, 533, 534, 535, 538, *range(540, 558), 571}
)  # fmt: skip
"""Reply codes that mail servers use; three digits elsewhere are ports, amounts and the like."""
_BOTH: Final = lazy_compile(r"(?<![\d.])([45]\d\d)[ \-:#(\[]{1,3}['\"]?([45]\.\d{1,3}\.\d{1,3})(?![.\d]*\d)")
_QUOTES: Final = lazy_compile(
    r"(?:\b(?:said|says|returned|replie[sd]|reply|respon\w{1,6}|answer\w{0,3}|antwort\w{0,4})\b[\w ]{0,12}|[-=]>|LED=)"
    r"[\s:=<(\[]{0,6}['\"]?$",
    re.IGNORECASE,
)
"""What introduces the reply of another server, which knows better than the one that passes it on."""
_STATUS: Final = lazy_compile(r"(?<![\w.\-/])([45]\.\d{1,3}\.\d{1,3})(?![.\d]*\d)")
_SMTP: Final = lazy_compile(r"(?:^|(?<=[\s:;(<>#\"'\[=,]))([45]\d\d)(?=[\s\-:,.;)\]\"'>_]|$)", re.MULTILINE)
_VERSION: Final = lazy_compile(r"(?:version|release|\bv|build)\W{0,2}$", re.IGNORECASE)


def read(text: str) -> Codes:
    """The first SMTP reply in `text` and the enhanced status that belongs to it."""
    pairs = list(islice(_BOTH.finditer(text), MAX_PAIRS))
    if not pairs:
        return Codes(_smtp(text), _status(text))
    both = next((each for each in pairs if not is_vague(each[2]) and _is_quoted(text, each)), pairs[0])
    if is_vague(both[2]) and (sooner := _smtp(text[: both.start()])):
        return Codes(sooner, _status(text[: both.start()]))
    return Codes(int(both[1]), both[2])


def _is_quoted(text: str, reply: re.Match[str]) -> bool:
    return bool(_QUOTES.search(text[max(0, reply.start() - 40) : reply.start()]))


def _smtp(text: str) -> int | None:
    return next((code for match in _SMTP.finditer(text) if (code := int(match[1])) in _KNOWN), None)


def _status(text: str) -> str | None:
    for match in _STATUS.finditer(text):
        if not _VERSION.search(text[max(0, match.start() - 12) : match.start()]):
            return match[1]
    return None


def status_field(value: str) -> str | None:
    """The status of a `Status:` field, comments ignored: `5.1.1 (bad mailbox)` gives `5.1.1`."""
    match = re.search(r"(?<![\d.])([245])\s?\.\s?(\d{1,3})\s?\.\s?(\d{1,3})(?![\d])", value)
    return f"{match[1]}.{match[2]}.{match[3]}" if match else None


def is_vague(status: str | None) -> bool:
    """Whether a status is missing or names only its class (`5.0.0`)."""
    return status is None or status.endswith(".0.0")


# Basic reply codes that the IANA registry of enhanced status codes associates with a status.
_SMTP_OF: Final = {
    "5.1.0": 550, "5.1.1": 550, "5.1.2": 550, "5.1.3": 501, "5.1.6": 550, "5.1.7": 501, "5.1.8": 501, "5.1.10": 550,
    "5.2.0": 550, "5.2.1": 550, "5.2.2": 552, "5.2.3": 552, "5.3.2": 554, "5.3.4": 552, "5.4.4": 550, "5.4.6": 554,
    "5.5.0": 503, "5.5.1": 503, "5.5.2": 501, "5.5.3": 452, "5.5.4": 501, "5.6.0": 554, "5.7.0": 550, "5.7.1": 550,
    "4.2.1": 450, "4.2.2": 452, "4.3.0": 451, "4.3.1": 452, "4.3.2": 421, "4.4.2": 421, "4.4.5": 451, "4.7.0": 450,
    "4.7.1": 450,
}  # fmt: skip
_STATUS_OF: Final = {
    "unknown-user": "1.1", "unknown-host": "1.2", "moved": "1.6", "mailbox-disabled": "2.1", "mailbox-full": "2.2",
    "too-large": "3.4", "expired": "4.7", "network": "4.0", "relay-denied": "7.1", "policy": "7.1", "spam": "7.1",
}  # fmt: skip


def completed(codes: Codes, reason: str | None) -> Codes:
    """`codes` with the missing one of the two filled from the other, where the RFCs define a single match."""
    if codes.smtp and codes.status is None:
        detail = _STATUS_OF.get(reason or "", "0.0")
        return Codes(codes.smtp, f"{codes.smtp // 100}.{detail}")
    if codes.status and codes.smtp is None:
        return Codes(_SMTP_OF.get(codes.status), codes.status)
    return codes


_BY_STATUS: Final = {
    "1.1": "unknown-user", "1.10": "unknown-user", "1.0": "unknown-user", "1.3": "unknown-user", "1.2": "unknown-host",
    "4.4": "unknown-host", "4.310": "unknown-host", "1.6": "moved", "1.7": "bad-sender", "1.8": "bad-sender",
    "2.1": "mailbox-disabled", "2.2": "mailbox-full", "2.3": "too-large", "3.4": "too-large", "3.1": "system",
    "3.2": "system", "4.1": "network", "4.2": "network", "4.6": "loop", "4.7": "expired", "7.8": "authentication",
    "7.26": "authentication", "7.20": "authentication", "7.23": "authentication", "7.25": "authentication",
    "7.13": "mailbox-disabled", "6.0": "content",
}  # fmt: skip

_WORDS: Final = r"""
    mailbox-full      (?:over|exceed\w*).{0,20}quota | quota.{0,20}exceeded | mailbox.{0,12}\bfull\b
    mailbox-full      out of storage | mailbox.{0,24}exceeded | exceed\w*.{0,24}(?:mailbox|storage)
    mailbox-full      insufficient (?:disk|storage|system storage) | user is over quota | disk full
    too-large         (?:message|size).{0,20}(?:too (?:big|large)|exceeds?) | exceeds? .{0,20}size
    virus             \bvirus\b | malware | infected
    spam              \bspam\b | unsolicited | bulk mail | junk
    relay-denied      relay(?:ing)?.{0,20}(?:denied|not (?:allowed|permitted)) | unable to relay | not .{0,12}relay
    authentication    \b(?:dmarc|spf|dkim)\b | reverse dns | \bptr\b
    blocked           block(?:ed|list) | blacklist | \brbl\b | spamhaus | reputation | dnsbl
    rate-limited      too many (?:connections|messages|recipients) | rate.?limit | throttl | try again later
    unknown-host      (?:host|domain|name server).{0,16}(?:unknown|not found|does ?n.t exist) | unknown host | nxdomain
    unknown-host      no such (?:host|domain) | host or domain name not found | no mx
    unknown-user      (?:user|recipient|mailbox|address|account|alias).{0,24}(?:unknown|not found|does ?n.t exist)
    unknown-user      (?:user|recipient|mailbox|address|account|alias).{0,24}(?:not exist|invalid|not listed)
    unknown-user      (?:user|recipient|mailbox|address|account|alias).{0,24}unavailable
    unknown-user      (?:user|recipient|mailbox|address|account|alias).{0,24}(?:not recognized|rejected)
    unknown-user      no such (?:user|recipient|mailbox|person|address) | doesn't have an? \S+ account
    unknown-user      unknown (?:user|recipient|local|address|account) | invalid (?:recipient|user|mailbox)
    mailbox-disabled  (?:account|mailbox|user).{0,24}(?:disabled|suspended|inactive|deactivated|locked|expired)
    loop              too many hops | \bloops?\b | hop count
    expired           (?:delivery|message|retry|queue).{0,24}(?:expired|timed? ?out|too long) | giving up
    expired           undelivered.{0,10}days
    network           connection (?:refused|timed out|reset|dropped|lost) | timed? ?out | no route | unreachable
    policy            polic(?:y|ies) | prohibited | not allowed | denied | rejected | refused | forbidden | restricted
"""
_BY_WORDS: Final = tuple(
    (row.split(None, 1)[0], lazy_compile(alternatives(row))) for row in _WORDS.strip().splitlines()
)


def reason(codes: Codes, diagnostic: str) -> str | None:
    """Return the reason as one stable word; the diagnostic's text is more exact than a vague status."""
    by_status = _BY_STATUS.get(codes.status[2:]) if codes.status else None
    if by_status and not is_vague(codes.status):
        return by_status
    lower = diagnostic.lower()
    return next((word for word, pattern in _BY_WORDS if pattern.search(lower)), by_status)
