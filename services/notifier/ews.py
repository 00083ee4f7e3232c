"""Sends by Exchange Web Services (NE-20): one request with the mail as it was composed. Exchange keeps a copy."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

from services.notifier.recipients import named_in_header
from services.notifier.smtp import Deferred, MailRefused, Sent, ServerAccess, Uncertain
from shared.config.model import MailServer
from shared.contracts.errors import Misconfigured
from shared.mail_network import connection_test
from shared.mail_network.connection import AuthenticationRefused
from shared.mail_network.connection_test import TestResult
from shared.mail_network.ews import EwsAccess, EwsClient, EwsDenied, ItemFailed, mailbox_of
from shared.mail_network.web import AnswerLost

_TEMPORARY: Final = frozenset({"ErrorQuotaExceeded", "ErrorSubmissionQuotaExceeded", "ErrorInsufficientResources"})


def send(
    server: MailServer, message: bytes, sender: str, recipients: Sequence[str], *, access: ServerAccess | None = None
) -> Sent:
    """Send `message` (RFC 5322 bytes) to `recipients`. Raises the errors of `smtp.send`."""
    client = _client(server, sender, access)
    whole = named_in_header(message, recipients)
    client.open()
    try:
        try:
            _submit(client, whole)
        except AuthenticationRefused:
            if not client.renew_token():
                raise
            _submit(client, whole)
    finally:
        client.close()
    return Sent(tuple(recipients))


def _submit(client: EwsClient, whole: bytes) -> None:
    with _delivery_errors(), client.errors():
        account = client.account
        client.lib.Message(account=account, folder=account.sent, mime_content=whole).send_and_save()


@contextmanager
def _delivery_errors() -> Iterator[None]:
    try:
        yield
    except AnswerLost as error:
        raise Uncertain(str(error)) from error
    except ItemFailed as error:
        raise (Deferred if error.name in _TEMPORARY else MailRefused)(str(error)) from error
    except EwsDenied as error:
        raise AuthenticationRefused(str(error)) from error  # affects this server only: the mail waits


def check(server: MailServer, *, access: ServerAccess | None = None) -> TestResult:
    """Test URL, name, TLS, login and the right to the mailbox. Sends nothing."""

    def checked() -> tuple[str, ...]:
        client = _client(server, server.from_address or "", access)
        client.open()
        try:
            client.folder("INBOX")
        except AuthenticationRefused:
            if not client.renew_token():
                raise
            client.folder("INBOX")
        finally:
            client.close()
        return () if server.ews_url else (f"EWS was discovered at {client.url}.",)

    return connection_test.tested(checked, lambda: datetime.now(UTC))


def _client(server: MailServer, sender: str, access: ServerAccess | None) -> EwsClient:
    mailbox = mailbox_of(server, sender or server.username or "")
    if access is None or access.credentials is None or not mailbox:
        raise Misconfigured(f"mail server {server.name}: ews needs username and password, or oauth, and from_address")
    return EwsClient(EwsAccess(server, mailbox, access.credentials, server.timeout.total_seconds(), fips=access.fips))
