"""Login methods of IMAP, POP3 and SMTP as one table, most secure first, and the exchange that each runs (RFC 4422).

A SASL method is a function from a `Login` to an `Exchange`, which answers the challenges of a server. Which row is used
is decided in `logins`; how challenges and answers travel, each protocol knows itself. Libraries of optional extras are
imported when a method is used.
"""

from __future__ import annotations

import hmac
import re
import secrets
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import field
from typing import Any, Final

from shared.contracts.errors import Misconfigured
from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile
from shared.mail_network.connection import AuthenticationRefused, Unreachable
from shared.mail_network.extras import is_installed, required
from shared.mail_network.tokens import TokenSource


@dataclass(frozen=True, slots=True)
class Credentials:
    """Who logs in, and what with. `tokens` None: no OAuth application is configured."""

    username: str
    password: str | None = field(default=None, repr=False)
    tokens: TokenSource | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Login:
    """What an exchange needs: who logs in, and to which service of which host.

    `service`: the name that Kerberos knows it by (imap, pop, smtp). `tls`: the connection, when it is encrypted.
    """

    who: Credentials
    service: str
    host: str
    port: int = 0
    tls: ssl.SSLSocket | None = field(default=None, repr=False)

    @property
    def password(self) -> str:
        """The password; `Misconfigured` without one."""
        if self.who.password is None:
            raise Misconfigured("no password is configured for this login")
        return self.who.password

    def token(self) -> str:
        """An access token."""
        if self.who.tokens is None:
            raise Misconfigured("no OAuth application is configured; auth xoauth2 needs one (oauth or google)")
        return self.who.tokens.token()


@dataclass(slots=True)
class Exchange:
    """One run of a method. `answer`: answers one challenge; the first is empty where the client begins.

    `proven`: whether the server has proven that it knows the password, where the method has such a proof.
    """

    answer: Callable[[bytes], bytes]
    proven: Callable[[], bool] = lambda: True

    def finish(self) -> None:
        """Called when the server has accepted. Raises `Unreachable` when it owes a proof."""
        if not self.proven():
            raise Unreachable("the server accepts the login without proof that it knows the password")


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One row. `key` is the configured name, `name` the one on the wire.

    - `start` None: a command of the protocol instead of SASL (`LOGIN`, `USER`, `APOP`);
    - `cleartext`: the password itself travels; `token`: an access token does;
    - `md5`: it rests on MD5 or MD4; `extra`: the extra with its library, `module` that library;
    - `automatic`: `auto` may choose it.
    """

    key: str
    name: str
    start: Callable[[Login], Exchange] | None = None
    client_first: bool = True
    cleartext: bool = False
    token: bool = False
    ticket: bool = False
    md5: bool = False
    extra: str = ""
    module: str = ""
    automatic: bool = True
    protocols: frozenset[str] = frozenset({"imap", "pop3", "smtp"})

    @property
    def installed(self) -> bool:
        """Whether the library that it needs is there."""
        return not self.module or is_installed(self.module)


# methods that send a password


def _plain(login: Login) -> Exchange:
    """RFC 4616."""
    message = b"\0".join((b"", login.who.username.encode(), login.password.encode()))
    return Exchange(_in_turn(message))


def _login(login: Login) -> Exchange:
    """AUTH LOGIN (draft-murchison-sasl-login): user name, then password, whatever the prompts say."""
    return Exchange(_in_turn(login.who.username.encode(), login.password.encode()))


def _in_turn(*messages: bytes) -> Callable[[bytes], bytes]:
    answers = iter(messages)
    return lambda _challenge: next(answers, b"")


# methods that prove that the client knows a password


def _cram_md5(login: Login) -> Exchange:
    """RFC 2195."""
    user, password = login.who.username.encode(), login.password.encode()
    return Exchange(lambda challenge: user + b" " + hmac.new(password, challenge, "md5").hexdigest().encode())


_DIRECTIVE: Final = lazy_compile(rb'\s*,*\s*([a-z-]+)=(?:"((?:[^"\\]|\\.)*)"|([^",\s]+))\s*(?:,|$)', re.IGNORECASE)


def _digest_md5(login: Login) -> Exchange:
    """RFC 2831. The server proves that it knows the password by `rspauth`."""
    expected: list[bytes] = []

    def answer(challenge: bytes) -> bytes:
        stated = _directives(challenge)
        if expected and b"rspauth" in stated:
            if not hmac.compare_digest(stated[b"rspauth"][0], expected.pop()):
                raise Unreachable("the server does not prove that it knows the password")
            return b""
        answered, proof = _digest_answer(stated, login)
        expected[:] = [proof]
        return answered

    return Exchange(answer, lambda: not expected)


def _directives(challenge: bytes) -> dict[bytes, list[bytes]]:
    found: dict[bytes, list[bytes]] = {}
    place = 0
    while place < len(challenge):
        match = _DIRECTIVE.match(challenge, place)
        if match is None:
            raise Unreachable("the server's challenge is not valid DIGEST-MD5")
        value = match[3] if match[2] is None else re.sub(rb"\\(.)", rb"\1", match[2])
        found.setdefault(match[1].lower(), []).append(value)
        place = match.end()
    return found


def _digest_answer(stated: dict[bytes, list[bytes]], login: Login) -> tuple[bytes, bytes]:
    """The answer to the challenge, and the proof that the server has to give (RFC 2831, 2.1.2.1)."""
    from hashlib import md5

    if b"nonce" not in stated or b"auth" not in b",".join(stated.get(b"qop", [b"auth"])).replace(b" ", b"").split(b","):
        raise Unreachable("the server's challenge is not valid DIGEST-MD5")
    nonce, cnonce, realm = stated[b"nonce"][0], secrets.token_hex(16).encode(), _realm(stated, login.who.username)
    uri = f"{login.service}/{login.host}".encode()
    utf8 = b"charset" in stated
    name, password = (_narrowed(each, utf8=utf8) for each in (login.who.username, login.password))

    def digest(data: bytes) -> bytes:
        return md5(data, usedforsecurity=False).digest()

    a1 = digest(b":".join((name, realm, password))) + b":" + nonce + b":" + cnonce

    def proof(method: bytes) -> bytes:
        parts = (digest(a1).hex().encode(), nonce, b"00000001", cnonce, b"auth", digest(method + uri).hex().encode())
        return digest(b":".join(parts)).hex().encode()

    quoted = {b"username": login.who.username.encode() if utf8 else name, b"realm": realm, b"nonce": nonce}
    quoted |= {b"cnonce": cnonce, b"digest-uri": uri}
    parts = [key + b'="' + re.sub(rb'(["\\])', rb"\\\1", value) + b'"' for key, value in quoted.items()]
    parts += [b"nc=00000001", b"qop=auth", b"response=" + proof(b"AUTHENTICATE:")]
    return b",".join([*parts, *([b"charset=utf-8"] if utf8 else [])]), proof(b":")


def _realm(stated: dict[bytes, list[bytes]], username: str) -> bytes:
    """The realm: of several that of the user's domain, else the first."""
    offered, domain = stated.get(b"realm", [b""]), username.rpartition("@")[2].encode()
    return domain if domain in offered else offered[0]


def _narrowed(text: str, *, utf8: bool) -> bytes:
    """The bytes that are hashed: ISO 8859-1 where that is possible."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        if not utf8:
            raise Misconfigured("the server's DIGEST-MD5 carries ISO 8859-1 only; use another method") from None
        return text.encode()


BINDING: Final = "tls-server-end-point"


def _scram(name: str) -> Callable[[Login], Exchange]:
    """RFC 5802 and 7677, by scramp. The server's last message proves that it knows the password."""

    def start(login: Login) -> Exchange:
        scramp, is_proven = required("scramp", "logins"), [False]
        if name.endswith("-PLUS") and login.tls is None:
            raise Misconfigured(f"{name} is bound to TLS, and this connection has none")
        binding = (BINDING, login.tls) if name.endswith("-PLUS") else None
        with _readable(scramp.ScramException, "SCRAM"):
            client = scramp.ScramClient([name], login.who.username, login.password, channel_binding=binding)

        def first(_challenge: bytes) -> bytes:
            return str(client.get_client_first()).encode()

        def final(challenge: bytes) -> bytes:
            client.set_server_first(challenge.decode())
            return str(client.get_client_final()).encode()

        def proof(challenge: bytes) -> bytes:
            client.set_server_final(challenge.decode())
            is_proven[0] = True
            return b""

        steps = iter((first, final, proof))

        def answer(challenge: bytes) -> bytes:
            with _readable(scramp.ScramException, "SCRAM"):
                return next(steps, lambda _: b"")(challenge)

        return Exchange(answer, lambda: is_proven[0])

    return start


@contextmanager
def _readable(kind: type[Exception], what: str) -> Iterator[None]:
    """What a library raises on a challenge that it cannot use."""
    try:
        yield
    except (kind, ValueError) as error:
        raise Unreachable(f"the server's challenge is not valid {what}: {error}") from error


def _ntlm(login: Login) -> Exchange:
    """Microsoft's NTLM, version 2, by pyspnego; a domain may stand before the user name, with a backslash between."""
    spnego, errors = required("spnego", "logins"), required("spnego.exceptions", "logins")
    options = spnego.NegotiateOptions.use_ntlm
    client = spnego.client(
        login.who.username, login.password, login.host, login.service, protocol="ntlm", options=options
    )

    def answer(challenge: bytes) -> bytes:
        with _readable(errors.SpnegoError, "NTLM"):
            return bytes(client.step(challenge or None) or b"")

    return Exchange(answer)


# methods of tickets and tokens


def _gssapi(login: Login) -> Exchange:
    """Kerberos (RFC 4752), by gssapi, without a security layer: TLS does that.

    The ticket is got with the password if one is configured, else that of the process is used: a keytab named by
    KRB5_CLIENT_KTNAME, or a cache.
    """
    gssapi, errors = required("gssapi", "kerberos"), required("gssapi.exceptions", "kerberos")
    user = login.who.username

    with _tickets(errors.GSSError):
        context = _kerberos(gssapi, login)

    def answer(challenge: bytes) -> bytes:
        with _tickets(errors.GSSError):
            if not context.complete:
                return bytes(context.step(challenge or None) or b"")
            if not challenge:
                return b""
            layers = context.unwrap(challenge).message
            if len(layers) < 4 or not layers[0] & 1:
                raise Misconfigured("the server wants a security layer of Kerberos; use TLS and another method")
            return bytes(context.wrap(b"\1\0\0\0" + user.encode(), encrypt=False).message)

    return Exchange(answer, lambda: bool(context.complete))


def _kerberos(gssapi: Any, login: Login) -> Any:
    service = gssapi.Name(f"{login.service}@{login.host}", gssapi.NameType.hostbased_service)
    held = None
    if login.who.password is not None:
        name = gssapi.Name(login.who.username, gssapi.NameType.user)
        got = gssapi.raw.acquire_cred_with_password(name, login.password.encode(), usage="initiate")
        held = gssapi.Credentials(got.creds)
    mechanism = gssapi.MechType.kerberos
    flags = gssapi.RequirementFlag.mutual_authentication | gssapi.RequirementFlag.integrity
    return gssapi.SecurityContext(name=service, creds=held, mech=mechanism, flags=flags, usage="initiate")


@contextmanager
def _tickets(kind: type[Exception]) -> Iterator[None]:
    """A refused password is a refused login, and no answer of the KDC an outage; Kerberos says it in words."""
    try:
        yield
    except kind as error:
        said = " ".join(str(error).split())
        if "Preauthentication failed" in said or "password" in said.casefold():
            raise AuthenticationRefused(f"Kerberos refuses the password: {said}") from error
        if "contact any KDC" in said or "Cannot find KDC" in said:
            raise Unreachable(f"no Kerberos server answers: {said}") from error
        raise Misconfigured(f"there is no Kerberos ticket for this login: {said}") from error


def _xoauth2(login: Login) -> Exchange:
    """Google's and Microsoft's XOAUTH2; an error arrives as a challenge and wants an empty answer."""
    return Exchange(_in_turn(f"user={login.who.username}\1auth=Bearer {login.token()}\1\1".encode()))


def _oauthbearer(login: Login) -> Exchange:
    """RFC 7628; an error arrives as a challenge and wants an answer of one byte."""
    user = login.who.username.replace("=", "=3D").replace(",", "=2C")
    host = f"host={login.host}\1port={login.port}"
    message = f"n,a={user},\1{host}\1auth=Bearer {login.token()}\1\1".encode()
    answers = iter((message,))
    return Exchange(lambda _challenge: next(answers, b"\1"))


MAILBOXES: Final = frozenset({"imap", "pop3"})
TABLE: Final = (
    Mechanism("gssapi", "GSSAPI", _gssapi, ticket=True, extra="kerberos", module="gssapi"),
    Mechanism("oauthbearer", "OAUTHBEARER", _oauthbearer, token=True),
    Mechanism("xoauth2", "XOAUTH2", _xoauth2, token=True),
    Mechanism(
        "scram-sha-256-plus",
        "SCRAM-SHA-256-PLUS",
        _scram("SCRAM-SHA-256-PLUS"),
        extra="logins",
        module="scramp",
        automatic=False,  # servers offer it for kinds of binding that we do not have too
    ),
    Mechanism("scram-sha-256", "SCRAM-SHA-256", _scram("SCRAM-SHA-256"), extra="logins", module="scramp"),
    Mechanism("scram-sha-1", "SCRAM-SHA-1", _scram("SCRAM-SHA-1"), extra="logins", module="scramp"),
    Mechanism("digest-md5", "DIGEST-MD5", _digest_md5, client_first=False, md5=True),
    Mechanism("cram-md5", "CRAM-MD5", _cram_md5, client_first=False, md5=True),
    Mechanism("apop", "APOP", md5=True, protocols=frozenset({"pop3"})),
    Mechanism("ntlm", "NTLM", _ntlm, md5=True, extra="logins", module="spnego"),
    Mechanism("plain", "PLAIN", _plain, cleartext=True),
    Mechanism("login", "LOGIN", _login, client_first=False, cleartext=True),
    Mechanism("regular", "regular", cleartext=True, protocols=MAILBOXES),
)
"""Most secure first: the order of `auto`. A further method is one more function and its row here."""
ALIASES: Final = {"msn": "ntlm"}
METHODS: Final = (*(row.key for row in TABLE), *ALIASES)
