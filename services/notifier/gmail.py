"""Sends by the Gmail API with a service account (NE-20): one request with the mail as it was composed.

Gmail takes the recipients from the header, removes Bcc, and keeps a copy among the sent mails.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from services.notifier.recipients import named_in_header
from services.notifier.smtp import MailRefused, Sent, ServerAccess
from services.notifier.web import uncertain_without_answer
from shared.config.model import MailServer
from shared.contracts.errors import Misconfigured
from shared.mail_network import connection_test
from shared.mail_network.account import account_of
from shared.mail_network.connection import AuthenticationRefused
from shared.mail_network.connection_test import TestResult
from shared.mail_network.gmail import GmailClient
from shared.mail_network.tls import tls_options
from shared.mail_network.web import AccessDenied, Content, RequestRefused

MAX_BYTES: Final = 36_700_160
"""Bytes of a mail that Gmail takes in one upload."""


def send(
    server: MailServer, message: bytes, sender: str, recipients: Sequence[str], *, access: ServerAccess | None = None
) -> Sent:
    """Send `message` (RFC 5322 bytes) to `recipients`. Raises the errors of `smtp.send`.

    Gmail takes the whole mail or refuses it; a recipient that does not exist comes back as a bounce.
    """
    whole = named_in_header(message, recipients)
    if len(whole) > MAX_BYTES:
        raise MailRefused(f"552 5.3.4 the mail has {len(whole)} bytes, and Gmail takes {MAX_BYTES}")
    client = _client(server, sender, access)
    path = f"/upload{client.path}/messages/send?uploadType=media"
    try:
        with uncertain_without_answer():
            client.send("POST", path, content=Content(whole, "message/rfc822"))
    except AccessDenied as error:
        raise AuthenticationRefused(str(error)) from error  # affects this server only: the mail waits
    except RequestRefused as error:
        raise MailRefused(str(error)) from error
    finally:
        client.web.close()
    return Sent(tuple(recipients))


def check(server: MailServer, *, access: ServerAccess | None = None) -> TestResult:
    """Test name, TLS, login, and the right to the mailbox. Sends nothing."""

    def checked() -> tuple[str, ...]:
        client = _client(server, server.from_address or "", access)
        try:
            client.get("/profile")
        finally:
            client.web.close()
        return ()

    return connection_test.tested(checked, lambda: datetime.now(UTC))


def _client(server: MailServer, sender: str, access: ServerAccess | None) -> GmailClient:
    user = account_of(server, sender)
    if not user:
        raise Misconfigured(f"mail server {server.name}: gmail needs google.user, username or from_address")
    tokens = access.credentials.tokens if access and access.credentials else None
    seconds = server.timeout.total_seconds()
    return GmailClient(server.google, user, tokens, tls=tls_options(server), seconds=seconds)
