"""The key by which similar mails of a loop are recognised: the parser stores it, the filter counts it (PR-02)."""

from __future__ import annotations

from functools import lru_cache

from shared.addresses import mailbox_key
from shared.contracts.mail import ParsedMail
from shared.ids import derived_id
from shared.subject_prefixes import without_prefixes


def loop_key(mail: ParsedMail) -> str:
    """Sender and subject, the latter without reply prefixes: what two robots in a loop keep sending."""
    return _loop_key(mail.from_.address if mail.from_ else "", mail.subject)


@lru_cache(maxsize=256)
def _loop_key(address: str, subject: str) -> str:
    """The parser asks, and a moment later the filter."""
    return derived_id("loop", mailbox_key(address) or address, without_prefixes(subject).casefold())
