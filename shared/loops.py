"""The key by which similar mails of a loop are recognised: the parser stores it, the filter counts it (PR-02)."""

from __future__ import annotations

import re

from shared.addresses import mailbox_key
from shared.contracts.mail import ParsedMail
from shared.ids import derived_id

_REPLY_PREFIXES = re.compile(r"(?:(?:re|aw|fw|fwd|wg|sv|tr|rv)\s{0,3}:\s*+)*+", re.IGNORECASE)


def loop_key(mail: ParsedMail) -> str:
    """Sender and subject, the latter without reply prefixes: what two robots in a loop keep sending."""
    address = mail.from_.address if mail.from_ else ""
    sender = mailbox_key(address) or address
    subject = _REPLY_PREFIXES.sub("", mail.subject.strip(), count=1)
    return derived_id("loop", sender, subject.casefold())
