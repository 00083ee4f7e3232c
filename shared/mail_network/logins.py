"""Chooses a login method and runs it; IMAP, POP3 and SMTP do it alike (IV-09, IV-11, VS-09).

A protocol is a `Wire`: it says what the server offers, runs an exchange on its connection, and knows its own commands.
The configured method is used or refused with a reason; `auto` takes the best that the server offers, that the
credentials fit, and that the settings allow: never a password in clear text without TLS unless told so.
"""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Collection, Iterator
from typing import Final, Protocol

from shared.contracts.errors import Misconfigured, PostroomError
from shared.lazy_dataclass import dataclass
from shared.mail_network import sasl
from shared.mail_network.connection import (
    AuthenticationRefused,
    CleartextRefused,
    TlsFailed,
    Unreachable,
    names_client_certificate,
)
from shared.mail_network.sasl import Credentials, Exchange, Login, Mechanism

MAX_CHALLENGES: Final = 10


@dataclass(frozen=True, slots=True)
class Policy:
    """What the settings allow: MD5 not in FIPS mode, clear text without TLS only when said so (for `auto`)."""

    encrypted: bool
    allow_cleartext: bool = False
    fips: bool = False


@dataclass(frozen=True, slots=True)
class Offer:
    """What a server offers: methods in upper case, and the protocol's own commands by the key of their row.

    `closed`: the server says that it takes no password on this connection (LOGINDISABLED, or no login before TLS).
    """

    methods: Collection[str]
    commands: Collection[str] = ()
    closed: bool = False

    def has(self, row: Mechanism) -> bool:
        """Whether the server offers this row."""
        return row.key in self.commands if row.start is None else row.name in self.methods

    def __str__(self) -> str:
        return ", ".join(sorted(self.methods) + sorted(self.commands)) or "no method"


class Wire(Protocol):
    """A connection that is not logged in."""

    protocol: str

    def offer(self) -> Offer:
        """What the server offers now."""

    def authenticate(self, row: Mechanism, exchange: Exchange) -> None:
        """Run an exchange. Raises `AuthenticationRefused`, `CleartextRefused` or `Unavailable`."""

    def command(self, row: Mechanism, who: Credentials) -> None:
        """Log in by a command of the protocol. Raises the same."""


def log_in(wire: Wire, auth: str, login: Login, policy: Policy) -> None:
    """Log in as configured. Raises `AuthenticationRefused`, `CleartextRefused`, `Misconfigured` or `Unavailable`."""
    try:
        _log_in(wire, auth, login, policy)
    except AuthenticationRefused as error:
        if names_client_certificate(str(error)):  # no fault of user name or password
            raise TlsFailed(f"the server takes no login without a client certificate that it knows: {error}") from error
        raise


def _log_in(wire: Wire, auth: str, login: Login, policy: Policy) -> None:
    row, offer = named(auth, wire.protocol, policy) if auth != "auto" else None, wire.offer()
    row = _offered(row, offer) if row else _best(offer, login.who, policy, wire.protocol)
    if row.start is None:
        wire.command(row, login.who)
        return
    try:
        _run(wire, row, row.start(login))
    except AuthenticationRefused:
        if not row.token or login.who.tokens is None:
            raise
        login.who.tokens.rejected()
        _run(wire, row, row.start(login))


def _run(wire: Wire, row: Mechanism, exchange: Exchange) -> None:
    wire.authenticate(row, exchange)
    exchange.finish()


def named(auth: str, protocol: str, policy: Policy) -> Mechanism:
    """The row that a configuration asks for by name; `Misconfigured` when it cannot be used."""
    key = sasl.ALIASES.get(auth, auth)
    row = next((each for each in sasl.TABLE if each.key == key and protocol in each.protocols), None)
    if row is None:
        raise Misconfigured(f"auth {auth} does not exist for {protocol}; use auto")
    if row.md5 and policy.fips:
        raise Misconfigured(f"auth {auth} rests on MD5, which FIPS mode refuses")
    return row


def _offered(row: Mechanism, offer: Offer) -> Mechanism:
    if offer.closed and (row.cleartext or not offer.methods):
        raise CleartextRefused("the server accepts no clear-text login on this connection")
    if not offer.has(row):
        raise Misconfigured(f"the server does not offer {row.name}; it offers {offer}")
    return row


def usable(offer: Offer, who: Credentials, policy: Policy, protocol: str) -> Iterator[Mechanism]:
    """The rows that `auto` may use, best first."""
    for row in sasl.TABLE:
        is_possible = row.automatic and protocol in row.protocols and offer.has(row) and _suits(row, who)
        if is_possible and row.installed and _allowed(row, policy):
            yield row


def _suits(row: Mechanism, who: Credentials) -> bool:
    if row.token:
        return who.tokens is not None
    return (who.password is None and who.tokens is None) if row.ticket else who.password is not None


def _allowed(row: Mechanism, policy: Policy) -> bool:
    if row.md5 and policy.fips:
        return False
    return policy.encrypted or policy.allow_cleartext or not (row.cleartext or row.token)


def _best(offer: Offer, who: Credentials, policy: Policy, protocol: str) -> Mechanism:
    best = next(usable(offer, who, policy, protocol), None)
    if best is not None:
        return best
    if offer.closed:
        raise CleartextRefused("the server accepts no clear-text login on this connection")
    offered = [row for row in sasl.TABLE if protocol in row.protocols and offer.has(row) and _suits(row, who)]
    if lacking := next((row for row in offered if not row.installed), None):
        raise Misconfigured(f"the server offers {offer}; for {lacking.name} install postroom[{lacking.extra}]")
    if any((row.cleartext or row.token) and not policy.encrypted for row in offered):
        raise Misconfigured("without TLS only clear-text methods are left; use TLS or set allow_cleartext_auth")
    raise Misconfigured(f"the server offers no method that can be used here; it offers {offer}")


# exchanges over lines of base64: POP3 (RFC 5034) and SMTP (RFC 4954)


@dataclass(frozen=True, slots=True)
class ServerReply:
    """A server's answer within an exchange: a challenge in base64, or the end."""

    challenge: bytes | None = None
    refusal: PostroomError | None = None


def converse(row: Mechanism, exchange: Exchange, send: Callable[[str], ServerReply], longest: int) -> None:
    """Run an exchange line by line: `send` sends one line and reads the answer.

    The first message travels with the command where the client begins, if the line has at most `longest` bytes then.
    """
    command, first = f"AUTH {row.name}", b""
    if row.client_first:
        first = exchange.answer(b"")
        if len(with_first := f"{command} {_base64(first)}") + 2 <= longest:
            command, first = with_first, b""
    said = send(command)
    for _ in range(MAX_CHALLENGES):
        if said.refusal is not None:
            raise said.refusal
        if said.challenge is None:
            return
        answer, first = first or exchange.answer(_decoded(said.challenge)), b""
        said = send(_base64(answer) if answer else "")
    raise Unreachable("the server's challenges do not end")


def _base64(answer: bytes) -> str:
    return b64encode(answer).decode("ascii") or "="


def _decoded(challenge: bytes) -> bytes:
    try:
        return b64decode(challenge, validate=True)
    except Base64Error as error:
        raise Unreachable("the server's challenge is not valid base64") from error
