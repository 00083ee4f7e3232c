"""An IMAP connection that is protected from its server: limited in time and bytes, TLS as configured, logged in.

`imapclient` implements the protocol; this module gives it a socket with one deadline for a whole operation,
refuses a literal whose announced size exceeds the limit before reading it, and translates errors to ours. It
replaces only what `imaplib` names as overridable (open, read, readline, send, shutdown, starttls). `imap_answers` reads
the answers to SEARCH and FETCH.
"""

from __future__ import annotations

import imaplib
import re
import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from imapclient import IMAPClient
from imapclient.exceptions import LoginError, ProtocolError

from services.fetcher import imap_answers
from services.fetcher.imap_answers import BrokenConnection, UnreadableAnswer, Value
from shared.contracts.errors import Misconfigured
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
from shared.mail_network.lines import Bounds, ConnectionEnded, EndlessAnswer, LineSocket, ServerAddress
from shared.mail_network.logins import Offer, Policy
from shared.mail_network.sasl import Credentials, Exchange, Login, Mechanism

MAX_LINE_BYTES = 16 << 20
"""A line may be long: the answer to UID SEARCH names every mail of the folder."""
SLACK_BYTES = MAX_LINE_BYTES + (4 << 20)
"""Bytes that one operation may read in addition to one mail."""
MAX_LINES = 50_000
"""Most lines in the answer to one command."""
END_OF_IDLE_SECONDS = 30.0
"""Wait for the answer to DONE."""
MAX_WORDS = 300
"""Characters of a server's own words in a message."""
_AS_BYTES = lazy_compile(r"^b(['\"])(.*)\1$", re.DOTALL)
"""How imapclient quotes a server's answer."""
_TRANSIENT = lazy_compile(r"\[(UNAVAILABLE|INUSE|LIMIT|SERVERBUG|CONTACTADMIN|THROTTLED)\b", re.IGNORECASE)
_PRIVACY = lazy_compile(r"\[PRIVACYREQUIRED\b", re.IGNORECASE)
_CONTROL = lazy_compile(r"[\x00-\x1f\x7f]")
UNREADABLE = (imaplib.IMAP4.error, ValueError, TypeError, LookupError, AttributeError, RecursionError, AssertionError)
"""What `imapclient` raises on an answer that it cannot read, and when the server says NO or BAD."""


class LiteralTooLarge(imaplib.IMAP4.abort):
    """The server announces more bytes than a mail may have. The connection cannot be used any more."""


class _BoundedConnection(imaplib.IMAP4):
    """imaplib on a bounded socket."""

    debug = 0

    def __init__(self, address: ServerAddress, deadline: Deadline, literal_bound: int) -> None:
        self._address, self._deadline, self._literal_bound = address, deadline, literal_bound
        self._in_answer, self._depth = False, 0  # after a literal, and how many parentheses are open there
        super().__init__(address.host, address.port)

    def open(self, host: str = "", port: int = 143, timeout: float | None = None) -> None:
        del timeout
        self.host, self.port = host, port
        bounds = Bounds(MAX_LINE_BYTES, MAX_LINES, self._literal_bound + SLACK_BYTES)
        self._line_socket = LineSocket(self._address, self._deadline, bounds)

    @property
    def tls(self) -> ssl.SSLSocket | None:
        return self._line_socket.tls

    def starttls(self, ssl_context: ssl.SSLContext | None = None) -> Any:
        typ, data = self._simple_command("STARTTLS")
        if typ != "OK":
            raise self.error(f"STARTTLS refused: {data!r}")
        del ssl_context
        self._line_socket.start_tls()
        self._tls_established = True
        self._get_capabilities()
        return typ, data

    def read(self, size: int) -> bytes:
        if size > self._literal_bound:
            raise LiteralTooLarge(f"the server announces {size} bytes; {self._literal_bound} are allowed")
        with self._aborts():
            data = self._line_socket.read(size)
        self._in_answer = True
        return data

    def readline(self) -> bytes:
        """One line in the form that imaplib reads, without blank lines that belong to no answer."""
        line = self._bounded_line()
        while not line.strip() and not (self._in_answer and self._depth <= 0):
            line = self._bounded_line()
        line = line.rstrip(b" \t\r\n")
        if self._in_answer:
            line = imap_answers.with_plain_literal(line)
        else:
            self._depth = 0
            line = imap_answers.repaired(line, self.tagged_commands)
        self._in_answer = False
        if line.endswith(b"}"):  # a literal follows, and then more of this answer
            self._depth += imap_answers.open_parentheses(line)
        return line + b"\r\n"

    def _bounded_line(self) -> bytes:
        with self._aborts():
            return self._line_socket.readline()

    @contextmanager
    def _aborts(self) -> Iterator[None]:
        """Errors of the connection in imaplib's own kind."""
        try:
            yield
        except ConnectionEnded as error:
            raise BrokenConnection(str(error)) from error
        except EndlessAnswer as error:
            raise self.abort(str(error)) from error

    def send(self, data: Any) -> None:
        self._line_socket.send(data)

    def shutdown(self) -> None:
        self._line_socket.close()

    def reset_limits(self) -> None:
        """Reset the byte count for a new operation."""
        self._line_socket.reset_limits()


class BoundedClient(IMAPClient):  # type: ignore[misc]  # imapclient has no stubs for its class
    """imapclient on a bounded connection."""

    def __init__(self, address: ServerAddress, deadline: Deadline, literal_bound: int) -> None:
        self._address, self._deadline, self._literal_bound = address, deadline, literal_bound
        super().__init__(address.host, address.port, ssl=address.tls == "implicit")
        self._imap.debug = 0  # its log would show what is sent, the LOGIN command included

    def _create_IMAP4(self) -> _BoundedConnection:  # noqa: N802  # the hook's name in imapclient
        return _BoundedConnection(self._address, self._deadline, self._literal_bound)

    def _set_read_timeout(self) -> None:
        """Do nothing: the connection has its own deadline."""

    @property
    def logged_in(self) -> bool:
        """Whether the server took the connection as authenticated (PREAUTH, or after a login)."""
        return self._imap.state in ("AUTH", "SELECTED")

    @property
    def tls(self) -> ssl.SSLSocket | None:
        """The connection, when it is encrypted."""
        found: ssl.SSLSocket | None = self._imap.tls
        return found

    def open_folder(self, name: str) -> int | None:
        """Select a folder; return its UIDVALIDITY, None when the server names none."""
        self._command_and_check("select", self._normalise_folder(name), False)  # imaplib's signature
        return imap_answers.number(self._latest("UIDVALIDITY"))

    def await_news(self, seconds: float) -> bool:
        """IDLE (RFC 2177) until a mail arrives, at most `seconds`; whether one did."""
        imap = self._imap
        held = imap_answers.number(self._latest("EXISTS")) or 0
        imap.untagged_responses.clear()
        tag = imap._command("IDLE")  # noqa: SLF001  # imaplib has no IDLE before Python 3.14
        while imap._get_response():  # noqa: SLF001
            if imap.tagged_commands.get(tag):
                raise Unreachable("the server refuses IDLE")
        self.set_deadline(seconds)
        news = False
        while not news:
            try:
                imap._get_response()  # noqa: SLF001
            except TimeoutError:
                break
            held, news = self._counted(held)
        self.set_deadline(END_OF_IDLE_SECONDS)
        imap.send(b"DONE\r\n")
        imap._command_complete("IDLE", tag)  # noqa: SLF001
        held, more = self._counted(held)
        imap.untagged_responses["EXISTS"] = [b"%d" % held]
        return news or more

    def _counted(self, held: int) -> tuple[int, bool]:
        """The number of mails after what the server has said, and whether some arrived. Forgets what it said."""
        self._imap._check_bye()  # noqa: SLF001
        said = self._imap.untagged_responses
        held -= len(said.pop("EXPUNGE", []))
        counts = [count for each in said.pop("EXISTS", []) if (count := imap_answers.number(each)) is not None]
        said.clear()
        return (counts[-1], counts[-1] > held) if counts else (held, False)

    def uids(self, *, unread: bool) -> list[int]:
        """UIDs of mails that are not flagged as deleted, in order.

        A server that answers SEARCH not at all, or unreadably, is asked for the flags of all mails instead.
        """
        try:
            found = self._search(["UNSEEN", "UNDELETED"] if unread else ["UNDELETED"])
        except UnreadableAnswer:
            found = None
        return sorted(set(self._uids_by_flags(unread=unread) if found is None else found))

    def _search(self, criteria: Sequence[str]) -> list[int] | None:
        self._imap.untagged_responses.pop("ESEARCH", None)
        typ, lines = self._imap.uid("SEARCH", *criteria)
        self._checkok("search", typ, lines)
        answered = [] if lines == [None] else lines
        return imap_answers.found_uids(answered, self._imap.untagged_responses.pop("ESEARCH", []))

    def _uids_by_flags(self, *, unread: bool) -> list[int]:
        exists = imap_answers.number(self._latest("EXISTS"))
        if exists == 0:
            return []
        listed = self.fetch_items("1:*", "FLAGS")
        if not listed and "EXPUNGE" not in self._imap.untagged_responses:
            raise UnreadableAnswer(f"the server says that the folder holds {exists or 'some'} mails, and lists none")
        skipped = {r"\deleted", r"\seen"} if unread else {r"\deleted"}
        flags = {uid: {str(flag).lower() for flag in items.get(b"FLAGS", ())} for uid, items in listed.items()}
        return [uid for uid in flags if not flags[uid] & skipped]

    def fetch_items(self, uids: Sequence[int] | str, items: str) -> dict[int, dict[bytes, Value]]:
        """The items of mails by UID; names in capitals. Mails that the server leaves out are left out."""
        if not uids:
            return {}
        self._imap.untagged_responses.pop("FETCH", None)
        wanted = uids if isinstance(uids, str) else ",".join(map(str, uids))
        typ, parts = self._imap.uid("FETCH", wanted, f"(UID {items})")
        self._checkok("fetch", typ, parts)
        return imap_answers.fetched(parts, () if isinstance(uids, str) else uids)

    def _latest(self, name: str) -> bytes | None:
        found = self._imap.untagged_responses.get(name)
        return found[-1] if found else None

    def set_deadline(self, seconds: float) -> None:
        """Start an operation with a deadline in `seconds` and a new allowance of bytes."""
        self._deadline.restart(seconds)
        self._imap.reset_limits()

    def hang_up(self) -> None:
        """Close the connection without LOGOUT."""
        self._imap.shutdown()


def words_of(error: BaseException) -> str:
    """What to say about an error: the server's own words for NO, BAD and BYE, nothing of an unreadable answer."""
    if not isinstance(error, imaplib.IMAP4.error) or isinstance(error, ProtocolError):
        return "an answer is not valid IMAP"
    words = _CONTROL.sub(" ", _AS_BYTES.sub(r"\2", str(error))).rstrip(" .")
    return words if len(words) <= MAX_WORDS else words[:MAX_WORDS] + "…"


@contextmanager
def translated_errors(address: ServerAddress) -> Iterator[None]:
    """Translate connection errors to `Unavailable`; NO, BAD and unreadable answers are raised unchanged."""
    with connecting(address.host, address.port):
        try:
            yield
        except imaplib.IMAP4.readonly:
            raise
        except imaplib.IMAP4.abort as error:
            raise Unreachable(f"{address.where}: {words_of(error)}") from error


def connect(address: ServerAddress, literal_bound: int, deadline: Deadline) -> BoundedClient:
    """Open a connection with TLS as configured, without login. Never falls back to clear text (TI-05).

    `deadline` bounds this operation, and later ones as it is set again (`set_deadline`).
    """
    with translated_errors(address):
        try:
            client = BoundedClient(address, deadline, literal_bound)
        except (imaplib.IMAP4.abort, OSError):  # a certificate error is a ValueError as well
            raise
        except UNREADABLE as error:
            raise Unreachable(f"{address.where} does not speak IMAP: {words_of(error)}") from error
        if address.tls == "starttls":
            _upgrade(client, address)
        return client


def _upgrade(client: BoundedClient, address: ServerAddress) -> None:
    try:
        client.starttls(address.context)
    except (imaplib.IMAP4.error, OSError) as error:
        client.hang_up()
        if isinstance(error, imaplib.IMAP4.abort | OSError):
            raise
        raise TlsFailed(f"{address.where} does not upgrade to TLS: {words_of(error)}") from error


class _ImapWire:
    """Logins over a connection (RFC 3501, 6.2)."""

    protocol = "imap"

    def __init__(self, client: BoundedClient, password: str | None) -> None:
        self._client, self._password = client, password

    def offer(self) -> Offer:
        """What CAPABILITY names."""
        named = {name.decode("ascii", "replace").upper() for name in self._client.capabilities()}
        methods = {name.removeprefix("AUTH=") for name in named if name.startswith("AUTH=")}
        closed = "LOGINDISABLED" in named
        return Offer(methods, () if closed else ("regular",), closed=closed)

    def authenticate(self, row: Mechanism, exchange: Exchange) -> None:
        """Run AUTHENTICATE."""
        with _login_errors(self._password):
            self._client.sasl_login(row.name, exchange.answer)

    def command(self, row: Mechanism, who: Credentials) -> None:
        """Run LOGIN: a quoted string of ASCII; a line break in it would be a command."""
        del row
        if who.password is None:
            raise Misconfigured("no password is configured for this login")
        if not (who.username + who.password).isascii() or _CONTROL.search(who.username + who.password):
            raise Misconfigured("the LOGIN command carries printable ASCII only; use auth plain")
        with _login_errors(who.password):
            self._client.login(who.username, who.password)


def log_in(client: BoundedClient, address: ServerAddress, auth: str, who: Credentials, policy: Policy) -> None:
    """Authenticate as configured; skipped if the server already treats the connection as authenticated."""
    if client.logged_in:
        return
    if auth == "none":
        raise Misconfigured("the server requires a login; auth none is not enough")
    with translated_errors(address):
        login = Login(who, "imap", address.host, address.port, client.tls)
        logins.log_in(_ImapWire(client, who.password), auth, login, policy)


@contextmanager
def _login_errors(password: str | None) -> Iterator[None]:
    """Distinguish refused credentials from a server failure (RFC 5530). imapclient raises LoginError for both."""
    try:
        yield
    except LoginError as error:
        cause = error.__context__
        if isinstance(cause, imaplib.IMAP4.abort):
            raise cause from error
        raise _login_error(words_of(error).replace(password or "\n", "***")) from error


def _login_error(said: str) -> Exception:
    if _TRANSIENT.search(said) or " command error: BAD" in said:
        return Unreachable(f"the server cannot process logins now: {said}")
    if _PRIVACY.search(said):
        return CleartextRefused(said)
    return AuthenticationRefused(said)
