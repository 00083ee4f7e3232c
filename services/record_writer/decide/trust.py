"""Is the sender who the address says? Read from what the desk's own mail server has found out (RFC 8601).

Only a header whose authserv-id is configured as ours is believed, and only the topmost of those: what stands below
may have come with the mail. DMARC passes for the address's domain, or DKIM for that domain or one above it. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from shared.contracts.mail import ParsedMail

_PAIR: Final = re.compile(r"\b(dmarc|dkim|header\.(?:from|d|i))\s{0,3}=\s{0,3}\"?([^\s;\"()]{1,255})", re.IGNORECASE)
_COMMENT: Final = re.compile(r"\([^()]{0,500}\)")


def is_authenticated(mail: ParsedMail, trusted: Iterable[str]) -> bool:
    """Whether a trusted server states that the domain of the From address is genuine, and there is one such address."""
    sender = mail.from_
    ours = {name.lower() for name in trusted}
    if sender is None or not ours or "several-authors" in mail.defects:
        return False
    said = next((value for value in mail.routing.authentication_results if _authserv_id(value) in ours), None)
    domain = sender.address.rpartition("@")[2].lower()
    return said is not None and any(_passes(result, domain) for result in _COMMENT.sub(" ", said).split(";")[1:])


def _authserv_id(value: str) -> str:
    words = _COMMENT.sub(" ", value).split(";", 1)[0].split()
    return words[0].lower() if words else ""


def _passes(result: str, domain: str) -> bool:
    """One method's result, with the domain that it is about."""
    found: dict[str, str] = {name.lower(): value.lower() for name, value in _PAIR.findall(result)}
    if found.get("dmarc") == "pass":
        return found.get("header.from", "").rpartition("@")[2] == domain
    if found.get("dkim") != "pass":
        return False
    signed = (found.get("header.d") or found.get("header.i", "")).rpartition("@")[2]
    return bool(signed) and (domain == signed or (domain.endswith(f".{signed}") and "." in signed))
