"""The secrets that a configuration refers to, and those of them that are missing on this machine.

Separate from loading, because it depends on the machine: environment variables belong to the machine that
runs a worker, files belong to the configuration (decision 0047).
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from shared.config.model import Configuration, Inbox, MailServer
from shared.config.values import Secret
from shared.contracts.errors import Misconfigured
from shared.lazy_dataclass import dataclass
from shared.reply_tokens import key_fault

TOKEN_KEY = "settings.token_key"  # noqa: S105 - a path in the configuration
CLIENT_CERTIFICATE = "client_certificate"
_WITHOUT_PASSWORD = frozenset({"none", "gssapi", "xoauth2", "oauthbearer", "oauth"})


TOKEN_METHODS = frozenset({"xoauth2", "oauthbearer"})
"""Login methods that send an access token."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A secret, the key that refers to it, and whether something that is switched on needs it."""

    path: str
    secret: Secret
    needed: bool


@dataclass(frozen=True, slots=True)
class Missing:
    """A secret that is missing: its variable is not set, its file cannot be used, or its keys are too short."""

    path: str
    message: str
    needed: bool


def references(config: Configuration) -> Iterator[Reference]:
    """Every secret of a configuration."""
    if config.settings.token_key:
        yield Reference(TOKEN_KEY, config.settings.token_key, needed=True)
    for place, end, used in _ends(config):
        yield from _of_server(place, end, used=used)
    for index, connection in enumerate(config.connections):
        if connection.token:
            yield Reference(f"connections[{index}].token", connection.token, needed=True)


def _ends(config: Configuration) -> Iterator[tuple[str, Inbox | MailServer, bool]]:
    """Inboxes and mail servers: path, value, and whether it is switched on."""
    for index, inbox in enumerate(config.inboxes):
        yield f"inboxes[{index}]", inbox, inbox.enabled
    for index, server in enumerate(config.mail_servers):
        yield f"mail_servers[{index}]", server, not server.block


def _of_server(path: str, end: Inbox | MailServer, *, used: bool) -> Iterator[Reference]:
    by_line = end.protocol in {"imap", "pop3", "smtp"}
    for key in (CLIENT_CERTIFICATE, "client_certificate_passphrase"):
        if secret := getattr(end, key):
            yield Reference(f"{path}.{key}", secret, needed=used and not (by_line and end.tls == "none"))
    if end.password:
        by_password = end.auth not in _WITHOUT_PASSWORD and (by_line or (end.protocol == "ews" and end.oauth is None))
        yield Reference(f"{path}.password", end.password, needed=used and by_password)
    if end.oauth:
        by_oauth = end.protocol == "graph" or (end.protocol == "ews" and end.auth in {"oauth", "auto"})
        by_token = by_line and (end.auth in TOKEN_METHODS or (end.auth == "auto" and end.password is None))
        for key in ("client_secret", "client_certificate", "refresh_token"):
            if secret := getattr(end.oauth, key):
                yield Reference(f"{path}.oauth.{key}", secret, needed=used and (by_oauth or by_token))
    if end.google:
        by_token = by_line and end.oauth is None and (end.auth in TOKEN_METHODS or end.password is None)
        needed = used and (end.protocol == "gmail" or by_token)
        yield Reference(f"{path}.google.private_key", end.google.private_key, needed=needed)


def missing(
    config: Configuration, *, base: Path = Path(), environ: Mapping[str, str] = os.environ
) -> Iterator[Missing]:
    """The secrets and certificates that are missing on this machine, or that cannot be used."""
    for each in references(config):
        try:
            value = each.secret.reveal(base, environ)
        except Misconfigured as error:
            yield Missing(each.path, str(error), each.needed)
        else:
            if each.path == TOKEN_KEY and (fault := key_fault(value)):
                yield Missing(each.path, fault, each.needed)
    for place, end, used in _ends(config):
        yield from _unusable_files(place, end, base, environ, used=used)


def _unusable_files(
    place: str, end: Inbox | MailServer, base: Path, environ: Mapping[str, str], *, used: bool
) -> Iterator[Missing]:
    """A file of authorities that cannot be read, a client certificate whose key does not fit (TI-05)."""
    if end.ca_file is None and end.client_certificate is None:
        return
    from shared.mail_network import certificates

    if end.ca_file is not None:
        try:
            certificates.add_authorities(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), base / end.ca_file)
        except Misconfigured as error:
            yield Missing(f"{place}.ca_file", str(error), used)
    if end.client_certificate is not None:
        with suppress(Misconfigured):  # a missing one is named already
            pem = end.client_certificate.reveal(base, environ)
            secret = end.client_certificate_passphrase
            passphrase = secret.reveal(base, environ) if secret else None
            yield from _unusable_certificate(f"{place}.{CLIENT_CERTIFICATE}", pem, passphrase, used=used)


def _unusable_certificate(path: str, pem: str, passphrase: str | None, *, used: bool) -> Iterator[Missing]:
    """An ended one does not prevent a start: the others run on, and the doctor names it."""
    from shared.mail_network import certificates

    try:
        found = certificates.read(pem, CLIENT_CERTIFICATE, passphrase)
    except Misconfigured as error:
        yield Missing(path, str(error), used)
    else:
        if found.ends_at < datetime.now(UTC):
            yield Missing(path, found.ended(CLIENT_CERTIFICATE), needed=False)
