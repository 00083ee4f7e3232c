"""SMTP: hands one mail to one server and reports the exact result.

The result decides what the outbox does: `Sent` (for whom, and who was refused), `MailRefused` (5xx: never again
as it is), `Deferred` (4xx: later), `Unavailable` (nothing was sent), `Uncertain` (the server took the mail and the
connection was lost before its answer: send once more under the same Message-ID). Standard `smtplib` on a socket with a
deadline; the authentication exchange is ours, because smtplib's carries ASCII only.
"""

from __future__ import annotations

import io
import re
import smtplib
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime

from shared.config.model import MailServer
from shared.contracts.errors import Misconfigured, PostroomError, Unavailable
from shared.lazy_dataclass import dataclass
from shared.mail_network import connection_test, logins
from shared.mail_network.connection import (
    CONNECT_SECONDS,
    AuthenticationRefused,
    CleartextRefused,
    Deadline,
    DeadlineReader,
    TlsFailed,
    Unreachable,
    await_greeting,
    begin_tls,
    client_certificate_fault,
    connecting,
    host_name,
    names_client_certificate,
)
from shared.mail_network.connection_test import TestResult
from shared.mail_network.logins import Offer, Policy, ServerReply
from shared.mail_network.sasl import Credentials, Exchange, Login, Mechanism
from shared.mail_network.tls import tls_options

MIN_BYTES_PER_SECOND = 50_000
"""Bytes a second: an upload that is slower has failed."""
FINAL_ANSWER_TIMEOUTS = 4
"""Times the server's time-out: the wait for the final answer, because giving up there may send twice (RFC 5321,
4.5.3.2.6)."""
MAX_COMMAND_BYTES = 512
"""Longest command line (RFC 5321, 4.5.3.1.4)."""
_MAX_REPLY_LINES = 200


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply of the server (RFC 5321, 4.2)."""

    code: int
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.text}"


class MailRefused(PostroomError):
    """The server will not take this mail, now or later (5xx)."""


class Deferred(PostroomError):
    """The server does not take this mail at the moment (4xx): a failure of this mail only, to be retried later."""


class Uncertain(Unavailable):
    """The whole mail was sent and no answer came: it may have been delivered, or not."""


@dataclass(frozen=True, slots=True)
class Sent:
    """The server has taken responsibility for these recipients, and refused those, each with its reply."""

    accepted: tuple[str, ...]
    refused: tuple[tuple[str, Reply], ...] = ()


@dataclass(frozen=True, slots=True)
class ServerAccess:
    """The credentials (None: no login), and what the settings allow."""

    credentials: Credentials | None = None
    allow_cleartext_auth: bool = False
    fips: bool = False


class _Connection(smtplib.SMTP):
    """smtplib with a deadline for each exchange."""

    def __init__(self, server: MailServer) -> None:
        self._mail_server, self._seconds = server, server.timeout.total_seconds()
        self._deadline = Deadline(self._seconds)
        super().__init__(local_hostname=_own_name(), timeout=self._seconds)
        self._host = host_name(server.host)

    def open(self) -> None:
        """Connect, greet, upgrade to TLS as configured."""
        code, text = self.connect(self._host, self._mail_server.port)
        if code != 220:  # RFC 5321, 4.3.1
            raise Unreachable(f"the server greets with {code} {_said(text)}")
        self.ehlo_or_helo_if_needed()
        if self._mail_server.tls == "starttls":
            self._upgrade()

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        sock = super()._get_socket(host, port, min(timeout, CONNECT_SECONDS))  # type: ignore[misc]
        if self._mail_server.tls == "implicit":
            return begin_tls(sock, self._context(), (host, port), self._seconds)
        await_greeting(sock, (host, port), self._seconds)
        sock.settimeout(self._seconds)
        return sock  # type: ignore[no-any-return]

    def _context(self) -> ssl.SSLContext:
        return tls_options(self._mail_server).context()

    def _upgrade(self) -> None:
        """Start TLS; fails without STARTTLS, since an attacker may have removed the offer (RFC 3207, 6)."""
        if not self.has_extn("starttls"):
            raise TlsFailed("the server does not offer STARTTLS")
        code, text = self.starttls(context=self._context())
        if code != 220:
            raise TlsFailed(f"STARTTLS refused: {code} {_said(text)}")
        self.ehlo_or_helo_if_needed()

    def getreply(self) -> tuple[int, bytes]:
        """The same as in smtplib, read within the deadline."""
        if self.file is None and self.sock is not None:
            self.file = _BoundedLines(DeadlineReader(self.sock, self._deadline))
        try:
            code, text = super().getreply()
        except smtplib.SMTPServerDisconnected as error:
            if fault := client_certificate_fault(error.__context__):
                raise TlsFailed(f"{self._host}:{self._mail_server.port} {fault}") from error
            raise
        if code == 421 and names_client_certificate(_said(text)):  # as Postfix says after STARTTLS
            raise TlsFailed(f"the server takes no mail without a client certificate that it knows: {_said(text)}")
        return code, text

    def putcmd(self, cmd: str, args: str = "") -> None:
        """Each command begins a new exchange."""
        self.set_deadline(self._seconds)
        super().putcmd(cmd, args)

    def set_deadline(self, seconds: float) -> None:
        """Start an exchange with a deadline in `seconds`."""
        self._deadline.restart(seconds)
        if isinstance(self.file, _BoundedLines):
            self.file.lines = 0
        if self.sock is not None:
            self.sock.settimeout(seconds)


def _own_name() -> str:
    """Return the name for EHLO, without a DNS look-up, which may be slow (RFC 5321, 4.1.3 allows a literal)."""
    name = socket.gethostname()
    return name if "." in name and name.isascii() else "[127.0.0.1]"


class _BoundedLines(io.BufferedReader):
    """Reads the lines of one reply, up to a limit."""

    lines = 0

    def readline(self, size: int | None = -1, /) -> bytes:
        """One line."""
        self.lines += 1
        if self.lines > _MAX_REPLY_LINES:
            raise smtplib.SMTPServerDisconnected("the server sends an endless answer")
        return super().readline(size)


def send(
    server: MailServer, message: bytes, sender: str, recipients: Sequence[str], *, access: ServerAccess | None = None
) -> Sent:
    """Send `message` (RFC 5322 bytes) from `sender` ("" for the null path) to `recipients`, in one transaction.

    Raises `MailRefused`, `Deferred`, `Uncertain`, `Unavailable`, `AuthenticationRefused` or `Misconfigured`.
    """
    with _session(server, access or ServerAccess()) as connection:
        _begin(connection, message, sender, recipients)
        refused = tuple((each, reply) for each in recipients if (reply := _recipient(connection, each)))
        accepted = tuple(each for each in recipients if each not in dict(refused))
        if not accepted:
            raise _all_refused(refused)
        _data(connection, server, message)
        return Sent(accepted, refused)


def check(server: MailServer, *, access: ServerAccess | None = None) -> TestResult:
    """Test the connection: host, name, TLS, login. Sends nothing."""

    def checked() -> tuple[str, ...]:
        with _session(server, access or ServerAccess()):
            return ()

    return connection_test.tested(checked, lambda: datetime.now(UTC))


@contextmanager
def _session(server: MailServer, access: ServerAccess) -> Iterator[_Connection]:
    connection = _Connection(server)
    try:
        with _translated_errors(connection, server):
            connection.open()
            _log_in(connection, server, access)
            yield connection
            with suppress(smtplib.SMTPException, OSError):
                connection.set_deadline(5)
                connection.quit()
    finally:
        connection.close()


@contextmanager
def _translated_errors(connection: _Connection, server: MailServer) -> Iterator[None]:
    """Translate the errors of smtplib to ours."""
    where = f"{connection._host}:{server.port}"  # noqa: SLF001
    with connecting(connection._host, server.port):  # noqa: SLF001
        try:
            yield
        except smtplib.SMTPServerDisconnected as error:
            raise Unreachable(f"{where}: {error}") from error
        except smtplib.SMTPResponseException as error:  # greeting or EHLO refused: not caused by a mail
            raise Unreachable(f"{where}: {error.smtp_code} {_said(error.smtp_error)}") from error
        except smtplib.SMTPException as error:
            raise Unreachable(f"{where}: {error}") from error
        except UnicodeError as error:
            raise Unreachable(f"{where}: an answer that is not valid text") from error


def _said(text: bytes | str) -> str:
    return text.decode("utf-8", "replace") if isinstance(text, bytes) else text


def _reply_error(reply: Reply) -> PostroomError:
    """Return the error for a reply. 421 closes the channel: the server is unavailable, unrelated to the mail."""
    if reply.code == 421:  # RFC 5321, 3.8
        return Unreachable(str(reply))
    if 500 <= reply.code < 600:
        return MailRefused(str(reply))
    if 400 <= reply.code < 500:
        return Deferred(str(reply))
    return Unreachable(f"an unexpected answer: {reply}")


# the transaction


def _begin(connection: _Connection, message: bytes, sender: str, recipients: Sequence[str]) -> None:
    options = []
    if connection.has_extn("size"):
        options.append(f"SIZE={len(message)}")
    if not all(each.isascii() for each in (sender, *recipients)):
        if not connection.has_extn("smtputf8"):
            raise MailRefused("553 5.6.7 the server does not take addresses with non-ASCII local parts (SMTPUTF8)")
        options += ["SMTPUTF8", "BODY=8BITMIME"]
        connection.command_encoding = "utf-8"
    reply = _reply(connection.mail(_argument(sender), options))
    if reply.code == 530:  # RFC 4954, 6
        raise AuthenticationRefused(f"the server requires a login: {reply}")
    if reply.code != 250:
        raise _reply_error(reply)


def _reply(answer: tuple[int, bytes]) -> Reply:
    return Reply(answer[0], _said(answer[1]))


def _argument(value: str) -> str:
    """Return an address for a command; a line break in it would start another command."""
    if re.search(r"[\x00-\x1f\x7f<>]", value):
        raise MailRefused(f"553 5.1.3 {value!r} is not an address")
    return value


def _recipient(connection: _Connection, recipient: str) -> Reply | None:
    """The refusal, or None. Raises when the server closes the channel, which is not a refusal."""
    reply = _reply(connection.rcpt(_argument(recipient)))
    if reply.code in (250, 251):
        return None
    if reply.code == 421:
        raise Unreachable(str(reply))
    return reply


def _all_refused(refused: Sequence[tuple[str, Reply]]) -> PostroomError:
    """Return the error when all were refused: temporary if one refusal is, because it may be accepted later."""
    temporary = next((reply for _, reply in refused if 400 <= reply.code < 500), None)
    return _reply_error(temporary or refused[0][1] if refused else Reply(554, "5.1.0 no recipients"))


def _data(connection: _Connection, server: MailServer, message: bytes) -> None:
    """Send the content. A failure before the final dot is safe; after it, without an answer, the status is unknown."""
    connection.putcmd("data")
    go = _reply(connection.getreply())
    if go.code != 354:
        raise _reply_error(go)
    connection.set_deadline(
        FINAL_ANSWER_TIMEOUTS * server.timeout.total_seconds() + len(message) / MIN_BYTES_PER_SECOND
    )
    assert connection.sock is not None  # it has answered just now
    try:
        connection.sock.sendall(_stuffed(message))
    except ConnectionError as error:  # the server may have said why, and closed without reading on
        with suppress(smtplib.SMTPServerDisconnected, OSError):
            reply = _reply(connection.getreply())
            if reply.code // 100 in (4, 5):
                raise _reply_error(reply) from error
        raise
    try:
        reply = _reply(connection.getreply())
    except (smtplib.SMTPServerDisconnected, OSError) as error:
        raise Uncertain(f"the connection was lost before the answer: {error}") from error
    if reply.code // 100 in (4, 5):
        raise _reply_error(reply)
    if reply.code // 100 != 2:
        raise Uncertain(f"an unreadable answer: {reply}")


def _stuffed(message: bytes) -> bytes:
    """CRLF line ends, a dot before each leading dot, and the final dot (RFC 5321, 4.5.2)."""
    lines = re.sub(rb"\r\n|\r|\n", b"\r\n", message)
    return re.sub(rb"(?m)^\.", b"..", lines.removesuffix(b"\r\n") + b"\r\n") + b".\r\n"


# the login


class _SmtpWire:
    """Logins over a connection (RFC 4954)."""

    protocol = "smtp"

    def __init__(self, connection: _Connection, *, encrypted: bool) -> None:
        self._connection, self._encrypted = connection, encrypted

    def offer(self) -> Offer:
        """The methods that EHLO named; none without TLS usually means that they are offered with TLS."""
        offered = frozenset(self._connection.esmtp_features.get("auth", "").upper().split())
        return Offer(offered, closed=not offered and not self._encrypted)

    def authenticate(self, row: Mechanism, exchange: Exchange) -> None:
        """Run AUTH."""
        logins.converse(row, exchange, self._said, MAX_COMMAND_BYTES)

    def command(self, row: Mechanism, who: Credentials) -> None:
        """SMTP has no other command to log in."""
        del who
        raise Misconfigured(f"auth {row.key} does not exist for smtp; use auto")

    def _said(self, line: str) -> ServerReply:
        code, text = self._connection.docmd(line)
        if code == 334:
            return ServerReply(challenge=text)
        return ServerReply() if code == 235 else ServerReply(refusal=_login_error(_reply((code, text))))


def _log_in(connection: _Connection, server: MailServer, access: ServerAccess) -> None:
    who = access.credentials
    if server.auth == "none" or (server.auth == "auto" and who is None):
        return
    if who is None:
        raise Misconfigured(f"mail server {server.name}: auth {server.auth} needs a username")
    encrypted = server.tls != "none"
    policy = Policy(encrypted=encrypted, allow_cleartext=access.allow_cleartext_auth, fips=access.fips)
    tls = connection.sock if isinstance(connection.sock, ssl.SSLSocket) else None
    login = Login(who, "smtp", host_name(server.host), server.port, tls)
    logins.log_in(_SmtpWire(connection, encrypted=encrypted), server.auth, login, policy)


def _login_error(reply: Reply) -> PostroomError:
    """Return the error for a reply: 535 bad credentials, 538 encryption required, 4xx server failure (RFC 4954, 6)."""
    if reply.code == 538:
        return CleartextRefused(str(reply))
    if 500 <= reply.code < 600:
        return AuthenticationRefused(str(reply))
    return Unreachable(str(reply))
