"""A POP3 connection (RFC 1939, 2449, 2595, 5034), limited in time and bytes, TLS as configured, logged in.

Our own client on `LineSocket`: `poplib` refuses lines of more than 2 KB, which mails have, and bounds neither the
number of lines nor the time.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Final

from shared.contracts.errors import Misconfigured, PostroomError
from shared.lazy_pattern import lazy_compile
from shared.mail_network import logins
from shared.mail_network.connection import (
    AuthenticationRefused,
    CleartextRefused,
    Deadline,
    TlsFailed,
    Unreachable,
    connecting,
)
from shared.mail_network.lines import Bounds, LineSocket, ServerAddress
from shared.mail_network.logins import Offer, Policy, ServerReply
from shared.mail_network.sasl import Credentials, Exchange, Login, Mechanism

MAX_LINE_BYTES: Final = 64 << 10
"""Longest line of an answer that is not a mail. RFC 1939 allows 512 bytes."""
MAX_LINES: Final = 4_000_000
MAX_LIST_BYTES: Final = 64 << 20
"""Bytes that an operation may read in addition to one mail: the list of a mailbox of 500,000 mails fits."""
MAX_COMMAND_BYTES: Final = 255
"""Longest command (RFC 2449, 4): a longer first message of a login waits until the server asks for it."""
MAX_WORDS: Final = 300
_PIECE_BYTES: Final = 64 << 10
_TIMESTAMP: Final = lazy_compile(rb"<[!-;=?-~]+@[!-;=?-~]*>")
_CONTROL: Final = lazy_compile(r"[\x00-\x1f\x7f]+")
_TEMPORARY: Final = lazy_compile(r"\[(IN-USE|LOGIN-DELAY|SYS/)", re.IGNORECASE)


class Pop3Refused(PostroomError):
    """The server says -ERR; the message has its words."""


class Pop3Client:
    """One connection. Every method may raise `OSError`; `translated_errors` makes `Unavailable` of it."""

    def __init__(self, address: ServerAddress, deadline: Deadline, max_mail: int) -> None:
        self._address, self._deadline = address, deadline
        self._lines = LineSocket(address, deadline, Bounds(MAX_LINE_BYTES, MAX_LINES, MAX_LIST_BYTES + max_mail))
        self.bare_line_feeds, self.timestamp = False, b""
        self._capabilities: Mapping[str, tuple[str, ...]] | None = None
        try:
            self._greeted(self._lines.readline())
        except BaseException:
            self._lines.close()
            raise

    def _greeted(self, greeting: bytes) -> None:
        try:
            self._checked(greeting)
        except Pop3Refused as error:
            raise Unreachable(f"{self._address.where} refuses connections: {error}") from error
        found = _TIMESTAMP.search(greeting)
        self.bare_line_feeds, self.timestamp = not greeting.endswith(b"\r\n"), found[0] if found else b""

    @property
    def lines(self) -> LineSocket:
        """The connection."""
        return self._lines

    def set_deadline(self, seconds: float) -> None:
        """Start an operation with a deadline in `seconds` and a new allowance of bytes."""
        self._deadline.restart(seconds)
        self._lines.reset_limits()

    def command(self, line: str) -> str:
        """Send a command, return the words behind +OK. Raises `Pop3Refused`."""
        self._send(line)
        return self._checked(self._lines.readline())

    def _send(self, line: str) -> None:
        if "\r" in line or "\n" in line or "\0" in line:
            raise Misconfigured("a line break in a user name or password would be another command")
        self._lines.send(line.encode() + b"\r\n")

    def _checked(self, line: bytes) -> str:
        status, _, words = line.rstrip(b"\r\n").partition(b" ")
        said = _CONTROL.sub(" ", words.decode("utf-8", "replace")).strip()[:MAX_WORDS]
        if status.upper() == b"-ERR":
            raise Pop3Refused(said or "no reason given")
        if status.upper() != b"+OK":
            raise Unreachable(f"{self._address.where} does not speak POP3")
        return said

    def capabilities(self) -> Mapping[str, tuple[str, ...]]:
        """What CAPA lists, in upper case; empty for a server without it."""
        if self._capabilities is None:
            try:
                words = [line.decode("ascii", "replace").upper().split() for line in self.listing("CAPA")]
            except Pop3Refused:
                words = []
            self._capabilities = {each[0]: tuple(each[1:]) for each in words if each}
        return self._capabilities

    def start_tls(self) -> None:
        """Switch to TLS (RFC 2595); the capabilities are asked for again."""
        try:
            self.command("STLS")
        except Pop3Refused as error:
            raise TlsFailed(f"{self._address.where} does not upgrade to TLS: {error}") from error
        self._lines.start_tls()
        self._capabilities = None

    def listing(self, command: str) -> Iterator[bytes]:
        """The lines of an answer that ends with a dot, without their ends."""
        self.command(command)
        return self._listed()

    def _listed(self) -> Iterator[bytes]:
        while not self._is_end(line := self._lines.readline()):
            yield line.rstrip(b"\r\n").removeprefix(b".")

    def _is_end(self, line: bytes) -> bool:
        return line == b".\r\n" or (self.bare_line_feeds and line == b".\n")

    def mail(self, command: str, take: Callable[[bytes], object]) -> None:
        """Read a mail in pieces: lines of any length, without the dots that were added (RFC 1939, 3)."""
        self.command(command)
        begins = True
        while True:
            piece = self._lines.piece(_PIECE_BYTES)
            if not piece:
                raise ConnectionResetError("the server closed the connection in the middle of a mail")
            if begins and self._is_end(piece):
                return
            take(piece.removeprefix(b".") if begins else piece)
            begins = piece.endswith(b"\n")

    def quit(self) -> None:
        """End the session: only now the server removes what was deleted."""
        self.command("QUIT")
        self._lines.close()

    def hang_up(self) -> None:
        """Close the connection without QUIT: nothing is deleted."""
        self._lines.close()


def connect(address: ServerAddress, max_mail: int, seconds: float) -> Pop3Client:
    """Open a connection with TLS as configured, without login. Never falls back to clear text (TI-05)."""
    with translated_errors(address):
        client = Pop3Client(address, Deadline(seconds), max_mail)
        if address.tls == "starttls":
            try:
                client.start_tls()
            except BaseException:
                client.hang_up()
                raise
        return client


@contextmanager
def translated_errors(address: ServerAddress) -> Iterator[None]:
    """Translate connection errors to `Unavailable`; what the server refuses is raised unchanged."""
    with connecting(address.host, address.port):
        yield


class _Pop3Wire:
    """Logins over a connection."""

    protocol = "pop3"

    def __init__(self, client: Pop3Client, *, encrypted: bool) -> None:
        self._client, self._encrypted = client, encrypted

    def offer(self) -> Offer:
        """What CAPA and the greeting name; a server without CAPA has USER at least (RFC 2449)."""
        found = self._client.capabilities()
        methods = frozenset(found.get("SASL", ()))
        has_user = "USER" in found or not found
        commands = [*(("regular",) if has_user else ()), *(("apop",) if self._client.timestamp else ())]
        return Offer(methods, commands, closed=not (methods or has_user or self._client.timestamp))

    def authenticate(self, row: Mechanism, exchange: Exchange) -> None:
        """Run AUTH (RFC 5034)."""
        logins.converse(row, exchange, self._said, MAX_COMMAND_BYTES)

    def _said(self, line: str) -> ServerReply:
        lines = self._client.lines
        lines.send(line.encode("ascii") + b"\r\n")
        answer = lines.readline()
        if answer.startswith(b"+ ") or answer.rstrip(b"\r\n") == b"+":
            return ServerReply(challenge=answer[1:].strip())
        try:
            self._client._checked(answer)  # noqa: SLF001
        except Pop3Refused as error:
            return ServerReply(refusal=login_error(str(error)))
        return ServerReply()

    def command(self, row: Mechanism, who: Credentials) -> None:
        """APOP (RFC 1939, 7), or USER and PASS."""
        if who.password is None:
            raise Misconfigured("no password is configured for this login")
        try:
            if row.key == "apop":
                proof = hashlib.md5(self._client.timestamp + who.password.encode(), usedforsecurity=False)
                self._client.command(f"APOP {who.username} {proof.hexdigest()}")
                return
            self._client.command(f"USER {who.username}")
            self._client.command(f"PASS {who.password}")
        except Pop3Refused as error:
            raise login_error(str(error).replace(who.password, "***")) from error


def login_error(said: str) -> PostroomError:
    """The error for a refused login: credentials, or a server that cannot now (RFC 2449, 8; RFC 3206)."""
    if _TEMPORARY.search(said):
        return Unreachable(f"the server cannot process logins now: {said}")
    if "plaintext" in said.casefold() and "disallowed" in said.casefold():
        return CleartextRefused(said)
    return AuthenticationRefused(said)


def log_in(client: Pop3Client, address: ServerAddress, auth: str, who: Credentials, policy: Policy) -> None:
    """Authenticate as configured."""
    with translated_errors(address):
        login = Login(who, "pop", address.host, address.port, client.lines.tls)
        logins.log_in(_Pop3Wire(client, encrypted=policy.encrypted), auth, login, policy)


def quit_or_hang_up(client: Pop3Client) -> bool:
    """Whether QUIT was answered. Never raises."""
    with suppress(OSError, PostroomError):
        client.quit()
        return True
    client.hang_up()
    return False
