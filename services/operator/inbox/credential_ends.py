"""When client certificates, and secrets and certificates of applications, end: a warning two weeks before, and after.

The end of a secret is what the configuration states (`client_secret_ends`): no server tells it. A certificate says
its end itself, where its file or variable can be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Final

from shared.config.model import Configuration, Inbox, MailServer
from shared.config.values import Secret
from shared.contracts.errors import Misconfigured
from shared.lazy_dataclass import dataclass

WARN_DAYS: Final = 14


@dataclass(frozen=True, slots=True)
class CredentialEnd:
    """The day after which a login fails. `owner`: the inbox or mail server; `what`: the secret or the certificate."""

    owner: str
    what: str
    day: date

    def warning(self, now: datetime) -> str | None:
        """What to tell an administrator; None while there is time."""
        days = (self.day - now.astimezone(UTC).date()).days
        if days < 0:
            return f"the {self.what} of {self.owner} ended on {self.day}: its logins are refused"
        return f"the {self.what} of {self.owner} ends on {self.day}: renew it" if days <= WARN_DAYS else None


def credential_end(end: Inbox | MailServer) -> CredentialEnd | None:
    """The first end of what an inbox or mail server logs in with; None when none is known."""
    return min(_ends_of(end), key=lambda each: each.day, default=None)


def _ends_of(end: Inbox | MailServer) -> Iterator[CredentialEnd]:
    if end.oauth is not None and end.oauth.client_secret_ends is not None:
        yield CredentialEnd(end.name, "client secret", date.fromisoformat(end.oauth.client_secret_ends))
    if end.oauth is not None and end.oauth.client_certificate is not None:
        yield from _end_of_certificate(end, end.oauth.client_certificate, None, "certificate of the application")
    if end.client_certificate is not None:
        secret = end.client_certificate_passphrase
        yield from _end_of_certificate(end, end.client_certificate, secret, "client certificate")


def _end_of_certificate(
    end: Inbox | MailServer, secret: Secret, passphrase: Secret | None, what: str
) -> Iterator[CredentialEnd]:
    from shared.mail_network import certificates

    with suppress(Misconfigured):  # another finding names what is missing
        found = certificates.read(secret.reveal(), "client_certificate", passphrase.reveal() if passphrase else None)
        yield CredentialEnd(end.name, what, found.ends_at.date())


def credential_ends(configuration: Configuration) -> Iterator[CredentialEnd]:
    """The known ends of all enabled inboxes and of all mail servers."""
    ends: tuple[Inbox | MailServer, ...] = (
        *(each for each in configuration.inboxes if each.enabled),
        *configuration.mail_servers,
    )
    yield from (found for each in ends for found in _ends_of(each))
