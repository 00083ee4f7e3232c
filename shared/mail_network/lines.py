"""A connection of a protocol of lines (IMAP, POP3), bounded in time, in bytes and in lines.

One deadline holds for a whole operation, whatever the server sends and however slowly. TLS begins as configured, never
falls back to clear text, and what was read ahead in clear text is discarded when it begins (CVE-2011-0411).
"""

from __future__ import annotations

import io
import socket
import ssl
from contextlib import suppress

from shared.config.model import Inbox
from shared.lazy_dataclass import dataclass
from shared.mail_network.connection import (
    CONNECT_SECONDS,
    Deadline,
    DeadlineReader,
    TlsFailed,
    await_greeting,
    begin_tls,
    host_name,
)
from shared.mail_network.tls import tls_options


class EndlessAnswer(ConnectionError):
    """The server sends more than an answer may have. The connection cannot be used any more."""


class ConnectionEnded(ConnectionError):
    """The server closed the connection."""


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where to connect and how. `context` None: without TLS."""

    host: str
    port: int
    tls: str
    context: ssl.SSLContext | None

    @property
    def where(self) -> str:
        """Host and port, for messages."""
        return f"{self.host}:{self.port}"


def address_of(inbox: Inbox) -> ServerAddress:
    """Return the server address of an inbox; raises `InvalidHost`."""
    context = None if inbox.tls == "none" else tls_options(inbox).context()
    return ServerAddress(host_name(inbox.host), inbox.port, inbox.tls, context)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one operation may read."""

    line_bytes: int
    lines: int
    bytes: int


class LineSocket:
    """One connection. It opens when it is made; TLS is implicit or begins with `start_tls`."""

    def __init__(self, address: ServerAddress, deadline: Deadline, bounds: Bounds) -> None:
        self._address, self._deadline, self._bounds = address, deadline, bounds
        self.reset_limits()
        seconds = min(CONNECT_SECONDS, deadline.remaining())
        where = (address.host, address.port)
        sock = socket.create_connection(where, seconds)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # imaplib sends a literal in small pieces
        if address.tls == "implicit" and address.context:
            sock = begin_tls(sock, address.context, where, deadline.remaining())
        else:
            await_greeting(sock, where, deadline.remaining())
        self._use(sock)

    def _use(self, sock: socket.socket) -> None:
        self.sock = sock
        self._reader = io.BufferedReader(DeadlineReader(sock, self._deadline), 1 << 16)

    @property
    def tls(self) -> ssl.SSLSocket | None:
        """The socket, when it is encrypted."""
        return self.sock if isinstance(self.sock, ssl.SSLSocket) else None

    def start_tls(self) -> None:
        """Switch to TLS; the old reader goes with what it has read ahead."""
        if self._address.context is None:
            raise TlsFailed("no TLS context")
        try:
            self.sock.settimeout(self._deadline.remaining())
            self._use(self._address.context.wrap_socket(self.sock, server_hostname=self._address.host))
        except OSError:
            self.sock.close()
            raise

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes."""
        data = self._count(self._reader.read(size))
        if len(data) < size:
            raise ConnectionEnded("the server closed the connection in the middle of an answer")
        return data

    def readline(self) -> bytes:
        """One line with its end."""
        line = self.piece(self._bounds.line_bytes + 1)
        if len(line) > self._bounds.line_bytes:
            raise EndlessAnswer(f"the server sends a line of more than {self._bounds.line_bytes} bytes")
        if not line.endswith(b"\n"):
            raise ConnectionEnded("the server closed the connection")
        return line

    def piece(self, size: int) -> bytes:
        """A line with its end, or the first `size` bytes of a longer one; fewer when the connection ended."""
        self._lines -= 1
        return self._count(self._reader.readline(size))

    def _count(self, data: bytes) -> bytes:
        self._allowance -= len(data)
        if self._allowance < 0 or self._lines < 0:
            raise EndlessAnswer("the server sends an endless answer")
        return data

    def send(self, data: bytes) -> None:
        """Send all of it, within the deadline."""
        self.sock.settimeout(self._deadline.remaining())
        self.sock.sendall(data)

    def reset_limits(self) -> None:
        """Count anew, for a new operation."""
        self._allowance, self._lines = self._bounds.bytes, self._bounds.lines

    def close(self) -> None:
        """Close the connection, from any thread. Never raises."""
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        with suppress(OSError):
            self.sock.close()
