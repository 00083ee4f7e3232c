"""Mail servers that are broken in six ways, each on a port of its own, and inboxes that read them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from shared.config.model import Inbox
from tests.servers.fake_imap import FakeImap
from tests.servers.presence import closed_port
from tests.servers.smtp import ScriptedServer
from tests.services.fetcher.conftest import a_mail, an_inbox

WAYS = ("refused login", "black hole", "no TLS", "endless data", "a byte a second", "nobody listens")


def _swallow(connection: socket.socket) -> None:
    """Take everything and say nothing."""
    while connection.recv(1 << 16):
        pass


def _endless(connection: socket.socket) -> None:
    """A line without an end."""
    while True:
        connection.sendall(b"x" * (1 << 20))


class _Slow:
    """One byte of the greeting a second."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def __call__(self, connection: socket.socket) -> None:
        for byte in b"* OK " + b"x" * 10_000:
            connection.sendall(bytes([byte]))
            if self.over.wait(1.0):
                return


@contextmanager
def broken_inboxes() -> Iterator[list[Inbox]]:
    """An inbox for each of `WAYS`."""
    with ExitStack() as stack:
        refusing = stack.enter_context(FakeImap(a_mail(1)))
        refusing.tagged["LOGIN"] = b"NO [AUTHENTICATIONFAILED] wrong password"
        black_hole = stack.enter_context(ScriptedServer(_swallow))
        plain = stack.enter_context(FakeImap(a_mail(1)))
        endless = stack.enter_context(FakeImap(a_mail(1)))
        endless.answers["UID SEARCH"] = _endless
        slow = _Slow()
        trickling = stack.enter_context(ScriptedServer(slow))
        stack.callback(slow.over.set)
        closed = stack.enter_context(closed_port())
        ports = [*(server.port for server in (refusing, black_hole, plain, endless, trickling)), closed]
        yield [
            an_inbox(port, name=way, username=way, tls="implicit" if way == "no TLS" else "none")
            for way, port in zip(WAYS, ports, strict=True)
        ]


@contextmanager
def good_inboxes(count: int) -> Iterator[list[Inbox]]:
    """Inboxes on servers that work."""
    with ExitStack() as stack:
        servers = [stack.enter_context(FakeImap(a_mail(number))) for number in range(count)]
        yield [
            an_inbox(server.port, name=f"good {number}", username=f"good{number}")
            for number, server in enumerate(servers)
        ]
