"""Access tokens of a Google service account that acts for a user of its domain, by `google-auth` (an extra).

The private key is that of the account: the key file that Google gives (JSON), or the PEM in it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from shared.config.model import Google, Inbox, MailServer
from shared.config.values import Secret
from shared.contracts.errors import Misconfigured
from shared.mail_network.connection import AuthenticationRefused, Unreachable
from shared.mail_network.extras import required
from shared.mail_network.tls import SYSTEM, TlsOptions
from shared.mail_network.tokens import AccessToken

TOKEN_URI: Final = "https://oauth2.googleapis.com/token"  # noqa: S105  # an address
MAIL_SCOPE: Final = "https://mail.google.com/"
GMAIL_SCOPE: Final = "https://www.googleapis.com/auth/gmail.modify"
_DEFAULT_SECONDS: Final = 3600.0


def scope_of(protocol: str) -> str:
    """The scope: reading, changing and sending by the Gmail API, or everything by IMAP, POP3 and SMTP."""
    return GMAIL_SCOPE if protocol == "gmail" else MAIL_SCOPE


def user_of(end: Inbox | MailServer) -> str:
    """Whose mailbox it is: the user of the service account's settings, else the user name, else the address."""
    address = end.address if isinstance(end, Inbox) else end.from_address
    return (end.google and end.google.user) or end.username or address or ""


def fetch(
    account: Google, user: str, scope: str, reveal: Callable[[Secret], str], tls: TlsOptions = SYSTEM
) -> AccessToken:
    """Ask for a new access token. Raises `Unavailable`, `AuthenticationRefused` or `Misconfigured`."""
    from shared.mail_network import http

    service_account = required("google.oauth2.service_account", "google")
    transport = required("google.auth.transport.requests", "google")
    errors = required("google.auth.exceptions", "google")
    key = _key(account, reveal)
    try:
        credentials = service_account.Credentials.from_service_account_info(key, scopes=[scope], subject=user or None)
    except (ValueError, errors.GoogleAuthError) as error:
        raise Misconfigured("google.private_key is not a private key of a service account") from error
    with http.session(tls) as session, http.translated_errors(key["token_uri"]):
        try:
            credentials.refresh(transport.Request(session))
        except errors.RefreshError as error:
            raise _refused(error, user) from error
        except errors.TransportError as error:
            if error.__cause__ is not None:
                raise error.__cause__ from error  # what requests raised
            raise Unreachable("the token endpoint cannot answer now") from error
    return AccessToken(credentials.token, _seconds(credentials.expiry))


def _key(account: Google, reveal: Callable[[Secret], str]) -> dict[str, str]:
    """The parts of the key that are needed; the PEM in a variable may have line ends written as backslash and n."""
    text = reveal(account.private_key)
    stated: dict[str, Any] = {}
    if text.lstrip().startswith("{"):
        try:
            stated = json.loads(text)
        except ValueError as error:
            raise Misconfigured("google.private_key is neither PEM nor the key file of a service account") from error
        text = str(stated.get("private_key", ""))
    return {
        "client_email": account.service_account,
        "private_key": text.replace("\\n", "\n"),
        "token_uri": str(stated.get("token_uri") or TOKEN_URI),
    }


def _refused(error: Any, user: str) -> Exception:
    if getattr(error, "retryable", False):
        return Unreachable(f"the token endpoint cannot answer now: {error.args[0]}")
    said = str(error.args[0]) if error.args else "no reason given"
    remedy = ""
    if "unauthorized_client" in said:
        remedy = "allow the service account's client id and this scope in the domain-wide delegation of Workspace; "
    elif "invalid_grant" in said:
        remedy = f"verify that {user or 'the user'} exists, that the key was not deleted, and this machine's clock; "
    return AuthenticationRefused(f"{remedy}the token endpoint refuses: {said}")


def _seconds(expiry: datetime | None) -> float:
    if expiry is None:
        return _DEFAULT_SECONDS
    ends = expiry if expiry.tzinfo else expiry.replace(tzinfo=UTC)
    return max((ends - datetime.now(UTC)).total_seconds(), 0.0)
