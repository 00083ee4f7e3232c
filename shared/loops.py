"""The key by which similar mails of a loop are recognised: the parser stores it, the filter counts it (PR-02)."""

from __future__ import annotations

import re
from functools import lru_cache

from shared.addresses import mailbox_key
from shared.contracts.mail import ParsedMail
from shared.ids import derived_id
from shared.lazy_pattern import lazy_compile

_PREFIXES = lazy_compile(
    r"(?:(?:re|aw|antw|fw|fwd|wg|sv|vs|vb|tr|rv|res|enc|odp|pd|ref|rif|i|r)(?:\[\d{1,3}\])?\s{0,3}[:\uff1a]\s*+)*+",
    re.IGNORECASE,
)


def without_prefixes(subject: str) -> str:
    """A subject without `Re:`, `Fwd:`, `AW:` and the like before it."""
    return _PREFIXES.sub("", subject.strip(), count=1)


def is_prefixed(subject: str) -> bool:
    """Whether a subject begins with one of these prefixes, so that its mail answers or forwards another."""
    return without_prefixes(subject) != subject.strip()


def loop_key(mail: ParsedMail) -> str:
    """Sender and subject, the latter without reply prefixes: what two robots in a loop keep sending."""
    return _loop_key(mail.from_.address if mail.from_ else "", mail.subject)


@lru_cache(maxsize=256)
def _loop_key(address: str, subject: str) -> str:
    """The parser asks, and a moment later the filter."""
    return derived_id("loop", mailbox_key(address) or address, without_prefixes(subject).casefold())
