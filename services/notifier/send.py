"""Sends one composed mail through a mail server, following the server's settings.

Decides who receives it (NE-21: `block` sends nothing, `override_recipient` replaces all recipients) and repeats a
mail once, under the same Message-ID, if its delivery status is unknown. Separate from `smtp`, which knows one protocol.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from importlib import import_module
from types import MappingProxyType

from services.notifier import compose
from services.notifier.compose import Outgoing
from services.notifier.smtp import Sent, ServerAccess, Uncertain
from shared.config.model import MailServer, Settings
from shared.contracts.errors import Misconfigured, PostroomError
from shared.contracts.mail import Address
from shared.lazy_dataclass import dataclass
from shared.mail_network.connection_test import TestResult
from shared.mail_network.sasl import Credentials
from shared.mail_network.tokens import TokenSource


class Blocked(Misconfigured):
    """The server is set to receive only: this mail stays in the outbox as `blocked`, permanently."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """How one protocol sends and is tested."""

    send: Callable[..., Sent]
    check: Callable[..., TestResult]


PROTOCOLS: Mapping[str, str] = MappingProxyType(
    {
        "smtp": "services.notifier.smtp",
        "graph": "services.notifier.graph",
        "ews": "services.notifier.ews",
        "gmail": "services.notifier.gmail",
    }
)
"""Protocol → module with `send` and `check`, loaded at first use: nobody imports the libraries of another protocol."""


def addressed(outgoing: Outgoing, server: MailServer) -> Outgoing:
    """The mail as it will be addressed: with an override, only to that address, without CC and BCC (NE-21).

    The outbox keeps the mail it was given, so the originals stay visible there.
    """
    if not server.override_recipient:
        return outgoing
    return replace(outgoing, to=(Address("", server.override_recipient),), cc=(), bcc=())


TokensOf = Callable[[MailServer], TokenSource | None]
"""The source of OAuth tokens of a mail server, None without an application."""


def _no_tokens(_server: MailServer) -> None:
    return None


def _access(server: MailServer, settings: Settings, tokens: TokensOf) -> ServerAccess:
    """What a login needs: the credentials, None without a user name, and what the settings allow."""
    credentials = None
    if server.username or server.protocol != "smtp":
        password = server.password.reveal() if server.password else None
        credentials = Credentials(server.username or server.from_address or "", password, tokens(server))
    return ServerAccess(credentials, allow_cleartext_auth=settings.allow_cleartext_auth, fips=settings.fips)


def deliver(outgoing: Outgoing, server: MailServer, settings: Settings, *, tokens: TokensOf = _no_tokens) -> Sent:
    """Send a mail now. Raises `Blocked`, and what `smtp.send` and `compose.build` raise.

    If the server's answer is lost, the mail is sent again at once; if it is lost again, `Uncertain` is raised.
    """
    if server.block:
        raise Blocked(f"mail server {server.name} is blocked: it receives only")
    protocol, who, mail = _protocol(server), _access(server, settings, tokens), addressed(outgoing, server)
    message = compose.build(mail, server)
    sender = compose.address(compose.sender_of(mail, server).address)
    recipients = recipients_of(mail)
    try:
        return protocol.send(server, message, sender, recipients, access=who)
    except Uncertain as lost:
        try:
            return protocol.send(server, message, sender, recipients, access=who)
        except PostroomError as error:  # nothing was sent now; the first try may have arrived
            raise Uncertain(f"{lost}; then {error}") from error


def recipients_of(mail: Outgoing) -> list[str]:
    """The recipients of the mail who have not got it, each once."""
    everybody = list(dict.fromkeys(compose.address(each.address) for each in (*mail.to, *mail.cc, *mail.bcc)))
    return [each for each in everybody if each in mail.left] or everybody


def check(server: MailServer, settings: Settings, *, tokens: TokensOf = _no_tokens) -> TestResult:
    """Test the connection of a mail server."""
    return _protocol(server).check(server, access=_access(server, settings, tokens))


def _protocol(server: MailServer) -> Protocol:
    found = PROTOCOLS.get(server.protocol)
    if found is None:
        raise Misconfigured(f"protocol {server.protocol} cannot send in this version; use {', '.join(PROTOCOLS)}")
    module = import_module(found)
    return Protocol(module.send, module.check)
