"""Authentication mechanisms as a table, most secure first; IMAP and SMTP (later POP3) read the same rows.

A mechanism is a function from credentials to a responder, and a responder is a function from a challenge to an
answer (RFC 4422). Which row is used is decided here: the configured one, or for `auto` the best that the server
offers and that the settings allow (IV-09, IV-11). Rows without `start` are known by name, but not
implemented: configuring one is an error.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

from shared.contracts.errors import Misconfigured
from shared.mail_network.connection import AuthenticationRefused

Responder = Callable[[bytes], bytes]
"""Answers one challenge; the first one of a mechanism in which the client begins is empty."""


def no_token(*, refresh: bool) -> str:
    """The token source of a login without tokens."""
    del refresh
    raise Misconfigured("no OAuth application is configured; auth xoauth2 needs one (oauth or google)")


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who logs in. `token(refresh=...)` gives an OAuth access token; `refresh` asks for a new one."""

    username: str
    password: str | None = None
    token: Callable[..., str] = no_token

    @property
    def has_token(self) -> bool:
        """Whether there is a source of tokens."""
        return self.token is not no_token


Start = Callable[[Credentials], Responder]


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One row. `key` is the configured name, `name` the one on the wire; `cleartext`: the password itself travels."""

    key: str
    name: str
    start: Start | None = None
    client_first: bool = False
    cleartext: bool = False
    md5: bool = False
    token: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """What the settings allow: MD5 not in FIPS mode, clear text without TLS only when said so (for `auto`)."""

    encrypted: bool
    allow_cleartext: bool = False
    fips: bool = False


def _password(who: Credentials) -> bytes:
    if who.password is None:
        raise Misconfigured("no password is configured for this login")
    return who.password.encode()


def _plain(who: Credentials) -> Responder:
    """RFC 4616."""
    message = b"\0" + who.username.encode() + b"\0" + _password(who)
    return lambda _challenge: message


def _login(who: Credentials) -> Responder:
    """AUTH LOGIN (draft-murchison-sasl-login): user name, then password, whatever the prompts say."""
    answers = iter((who.username.encode(), _password(who)))
    return lambda _challenge: next(answers, b"")


def _cram_md5(who: Credentials) -> Responder:
    """RFC 2195."""
    password = _password(who)

    def answer(challenge: bytes) -> bytes:
        return who.username.encode() + b" " + hmac.new(password, challenge, "md5").hexdigest().encode()

    return answer


def _xoauth2(who: Credentials) -> Responder:
    """Google's and Microsoft's XOAUTH2; an error arrives as a challenge and wants an empty answer."""
    first = f"user={who.username}\1auth=Bearer {who.token(refresh=False)}\1\1".encode()
    answers = iter((first,))
    return lambda _challenge: next(answers, b"")


TABLE = (
    Mechanism("gssapi", "GSSAPI"),
    Mechanism("xoauth2", "XOAUTH2", _xoauth2, client_first=True, token=True),
    Mechanism("scram-sha-256", "SCRAM-SHA-256"),
    Mechanism("digest-md5", "DIGEST-MD5", md5=True),
    Mechanism("cram-md5", "CRAM-MD5", _cram_md5, md5=True),
    Mechanism("ntlm", "NTLM", md5=True),
    Mechanism("plain", "PLAIN", _plain, client_first=True, cleartext=True),
    Mechanism("login", "LOGIN", _login, cleartext=True),
)
"""Most secure first: the order of `auto`. A further mechanism is one more function and its name here."""
ALIASES = {"msn": "ntlm"}


def named(key: str, policy: Policy) -> Mechanism:
    """The row that a configuration asks for by name; `Misconfigured` when it cannot be used."""
    configured = ALIASES.get(key, key)
    found = next((row for row in TABLE if row.key == configured), None)
    if found is None:
        raise Misconfigured(f"auth {key} does not exist for this protocol; use auto")
    if found.start is None:
        raise Misconfigured(f"auth {key} is not available in this version; use auto")
    if found.md5 and policy.fips:
        raise Misconfigured(f"auth {key} rests on MD5, which FIPS mode refuses")
    return found


def usable(offered: Collection[str], who: Credentials, policy: Policy) -> Iterator[Mechanism]:
    """The rows that `auto` may use, best first; `offered` in upper case, as the server names them."""
    for row in TABLE:
        carried = row.start is not None and row.name in offered
        if carried and _suits(row, who) and _allowed(row, policy):
            yield row


def _suits(row: Mechanism, who: Credentials) -> bool:
    return who.has_token if row.token else who.password is not None


def _allowed(row: Mechanism, policy: Policy) -> bool:
    if row.md5 and policy.fips:
        return False
    return policy.encrypted or policy.allow_cleartext or not (row.cleartext or row.token)


def log_in(row: Mechanism, who: Credentials, exchange: Callable[[Responder], None]) -> None:
    """Run an exchange; if it refuses an OAuth token, renew the token and try once more."""
    try:
        exchange(responder(row, who))
    except AuthenticationRefused:
        if not row.token:
            raise
        who.token(refresh=True)
        exchange(responder(row, who))


def responder(row: Mechanism, who: Credentials) -> Responder:
    """Begin an exchange."""
    if row.start is None:
        raise Misconfigured(f"auth {row.key} is not available in this version; use auto")
    return row.start(who)
