"""Whose mailbox an inbox reads, or a mail server sends from (TI-02, NE-01)."""

from __future__ import annotations

from shared.config.model import Inbox, MailServer


def account_of(end: Inbox | MailServer, address: str) -> str:
    """With an application at Microsoft `user_id`, with a service account `user`, else the login, else `address`."""
    named: str | None = None
    if end.protocol in ("graph", "ews") and end.oauth:
        named = end.oauth.user_id
    if end.protocol == "gmail" and end.google:
        named = end.google.user
    return named or end.username or address
