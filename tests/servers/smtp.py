"""An SMTP server that can be told to misbehave, and one that does nothing but talk from a script."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self, cast

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from tests.servers.presence import PATIENCE_SECONDS, free_port
from tests.servers.tls import Certificate

USER, PASSWORD = "desk@example.com", "pässword"


@dataclass(slots=True)
class Received:
    """One mail as the server got it."""

    sender: str
    recipients: list[str]
    content: bytes
    user: str | None = None


@dataclass(slots=True)
class Faults:
    """What goes wrong. `drop` and `answers` count down: so many mails are dropped before their 250."""

    drop: int = 0
    data_answer: str = "250 2.0.0 queued"
    recipient_answers: dict[str, str] = field(default_factory=dict)
    mail_answer: str = ""


class SmtpServer:
    """aiosmtpd on a private port. `tls`: none, starttls or implicit; `auth`: whether a login is wanted."""

    def __init__(
        self, *, tls: str = "none", certificate: Certificate | None = None, auth: bool = False, utf8: bool = True
    ) -> None:
        self.faults = Faults()
        self.received: list[Received] = []
        self.port = free_port()
        context = _context(certificate) if certificate else None
        options: dict[str, Any] = {"enable_SMTPUTF8": utf8, "server_hostname": "test.example"}
        if auth:
            options |= {"authenticator": _authenticate, "auth_required": True, "auth_require_tls": tls == "starttls"}
        if tls == "starttls":
            options |= {"tls_context": context, "require_starttls": True}
        if tls == "implicit":
            options["ssl_context"] = context
        self._controller = Controller(
            self, hostname="127.0.0.1", port=self.port, ready_timeout=PATIENCE_SECONDS, **options
        )

    def __enter__(self) -> Self:
        self._controller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._controller.stop(no_assert=True)

    # aiosmtpd's hooks

    async def handle_MAIL(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """Take the sender, or not."""
        if self.faults.mail_answer:
            return self.faults.mail_answer
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take a recipient, or not."""
        answer = self.faults.recipient_answers.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Keep the mail; then answer, or drop the line."""
        user = session.auth_data.login.decode() if isinstance(session.auth_data, LoginPassword) else None
        content = envelope.original_content or b""
        self.received.append(Received(envelope.mail_from or "", list(envelope.rcpt_tos), content, user))
        if self.faults.drop:
            self.faults.drop -= 1
            cast("asyncio.Transport", server.transport).abort()
        return self.faults.data_answer


def _context(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.certificate, certificate.key)
    return context


def _authenticate(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
    if not isinstance(data, LoginPassword):
        return AuthResult(success=False, handled=False)
    good = (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=good, handled=False, auth_data=data)


class ScriptedServer:
    """Accepts connections on a private port and lets a function talk on each; for servers that lie."""

    def __init__(self, talk: Callable[[socket.socket], None]) -> None:
        self._talk, self._open = talk, True
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._connections: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        self._spawn(self._accept)
        return self

    def _accept(self) -> None:
        while self._open:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections.append(connection)
            self._spawn(self._serve, connection)

    def _spawn(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError, ValueError), connection:
            self._talk(connection)

    @property
    def connections(self) -> int:
        """How many clients came."""
        return len(self._connections)

    def __exit__(self, *_: object) -> None:
        self._open = False
        for each in (self._listener, *self._connections):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()
        for thread in self._threads:
            thread.join(PATIENCE_SECONDS)


def drip(text: bytes, every: float, stop: threading.Event) -> Callable[[socket.socket], None]:
    """Talk one byte at a time, without end."""

    def talk(connection: socket.socket) -> None:
        while not stop.is_set():
            for byte in text:
                connection.sendall(bytes([byte]))
                if stop.wait(every):
                    return

    return talk


__all__: Sequence[str] = ("PASSWORD", "USER", "Faults", "Received", "ScriptedServer", "SmtpServer", "drip")
