"""When the secrets and certificates of OAuth applications end, and whom to warn: two weeks before, and afterwards.

The end of a secret is what the configuration states (`client_secret_ends`): no server tells it. A certificate says
its end itself, where its file or variable can be read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from shared.config.model import Configuration, Inbox, MailServer
from shared.contracts.errors import Misconfigured

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
    """The end of what an inbox or mail server logs in with; None when it is not known."""
    if end.oauth is None:
        return None
    if end.oauth.client_secret_ends is not None:
        return CredentialEnd(end.name, "client secret", date.fromisoformat(end.oauth.client_secret_ends))
    if end.oauth.client_certificate is not None:
        from shared.mail_network import certificates

        with suppress(Misconfigured):  # another finding names what is missing
            found = certificates.read(end.oauth.client_certificate.reveal(), "oauth.client_certificate")
            return CredentialEnd(end.name, "client certificate", found.ends_at.date())
    return None


def credential_ends(configuration: Configuration) -> Iterator[CredentialEnd]:
    """The known ends of all enabled inboxes and of all mail servers."""
    ends: tuple[Inbox | MailServer, ...] = (
        *(each for each in configuration.inboxes if each.enabled),
        *configuration.mail_servers,
    )
    yield from (found for each in ends if (found := credential_end(each)))
