"""Whether this installation can read an inbox at all (NE-02): its protocol, its login method, the libraries of both.

An inbox that cannot be read is never visited; its state names the reason, and the other inboxes run on. Separate from
the protocols, because it is asked at every round and must load none of them.
"""

from __future__ import annotations

from functools import lru_cache
from types import MappingProxyType
from typing import Final

from services.fetcher import mailbox
from shared.config.model import Inbox
from shared.mail_network import sasl
from shared.mail_network.extras import is_installed

_LIBRARIES: Final = MappingProxyType({"ews": ("exchangelib", "ews"), "gmail": ("google.auth", "google")})
"""Protocol → module that it needs, and the extra that installs it."""
_LINES: Final = frozenset({"imap", "pop3"})


def unsupported_reason(inbox: Inbox) -> str | None:
    """Why this installation cannot read the inbox, with the remedy; None: it can, or there is nothing to read."""
    return None if inbox.protocol == "none" else _reason(inbox.protocol, inbox.auth)


@lru_cache(maxsize=256)
def _reason(protocol: str, auth: str) -> str | None:
    if protocol not in mailbox.PROTOCOLS:
        return f"protocol {protocol} is not available in this version; use {', '.join(mailbox.PROTOCOLS)}"
    module, extra = _LIBRARIES.get(protocol, ("", ""))
    if module and not is_installed(module):
        return f"protocol {protocol} needs a library; install it: pip install 'postroom[{extra}]'"
    if protocol not in _LINES:
        return None
    key = sasl.ALIASES.get(auth, auth)
    row = next((each for each in sasl.TABLE if each.key == key), None)
    if row is not None and not row.installed:
        return f"auth {auth} needs a library; install it: pip install 'postroom[{row.extra}]', or write auth: auto"
    return None
