"""The secrets that a configuration refers to, and those of them that are missing on this machine.

Separate from loading, because it depends on the machine: environment variables belong to the machine that
runs a worker, files belong to the configuration (decision 0047).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from shared.config.model import Configuration, Inbox, MailServer
from shared.config.values import Secret
from shared.contracts.errors import Misconfigured
from shared.reply_tokens import key_fault

TOKEN_KEY = "settings.token_key"  # noqa: S105 - a path in the configuration
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
    for index, inbox in enumerate(config.inboxes):
        yield from _of_server(f"inboxes[{index}]", inbox, used=inbox.enabled)
    for index, server in enumerate(config.mail_servers):
        yield from _of_server(f"mail_servers[{index}]", server, used=not server.block)
    for index, connection in enumerate(config.connections):
        if connection.token:
            yield Reference(f"connections[{index}].token", connection.token, needed=True)


def _of_server(path: str, end: Inbox | MailServer, *, used: bool) -> Iterator[Reference]:
    by_line = end.protocol in {"imap", "pop3", "smtp"}
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
    """The secrets that are missing on this machine."""
    for each in references(config):
        try:
            value = each.secret.reveal(base, environ)
        except Misconfigured as error:
            yield Missing(each.path, str(error), each.needed)
        else:
            if each.path == TOKEN_KEY and (fault := key_fault(value)):
                yield Missing(each.path, fault, each.needed)
