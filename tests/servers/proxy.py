"""A TCP proxy that does to a connection what networks do: cut it, swallow it, split and slow its packets.

Load it in a conftest with `pytest_plugins = ["tests.servers.proxy"]`; the fixture `tcp_proxy` makes proxies
and closes them.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from tests.servers.presence import PATIENCE_SECONDS

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER with zero seconds: close sends RST


@dataclass
class _Pair:
    """The two sockets of one connection through the proxy."""

    client: socket.socket
    server: socket.socket

    def sockets(self) -> tuple[socket.socket, socket.socket]:
        return self.client, self.server


@dataclass
class Proxy:
    """Forwards to `target`; the switches may be turned at any time and hold for all connections."""

    target: tuple[str, int]
    swallow_up: bool = False
    """Bytes of the client vanish; the connection stays open."""
    swallow_down: bool = False
    """Bytes of the server vanish: requests are carried out, answers are lost."""
    refuse: bool = False
    """New connections are reset."""
    chunk: int = 65536
    delay: float = 0.0
    """Seconds of pause per chunk."""
    tls: ssl.SSLContext | None = None
    """Clients speak TLS with the proxy; the server is spoken to in clear text."""
    port: int = 0
    _pairs: list[_Pair] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, name="proxy", daemon=True)
        self._acceptor.start()

    def cut(self) -> int:
        """Reset every connection; how many there were."""
        with self._lock:
            pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for each in pair.sockets():
                _reset(each)
        return len(pairs)

    def swallow(self, *, on: bool = True) -> None:
        """A silent partition: nothing passes either way, without an error."""
        self.swallow_up = self.swallow_down = on

    def close(self) -> None:
        """End everything."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join(PATIENCE_SECONDS)
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.tls is None:
                self._connect(client)
            else:
                threading.Thread(target=self._encrypt, args=(client, self.tls), name="proxy-tls", daemon=True).start()

    def _encrypt(self, client: socket.socket, context: ssl.SSLContext) -> None:
        client.settimeout(5)
        try:
            encrypted = context.wrap_socket(client, server_side=True)
        except OSError:
            with contextlib.suppress(OSError):  # the client reads the alert before it sees a reset
                client.shutdown(socket.SHUT_WR)
                while client.recv(4096):
                    pass
            client.close()
            return
        encrypted.settimeout(None)
        self._connect(encrypted)

    def _connect(self, client: socket.socket) -> None:
        if self.refuse:
            _reset(client)
            return
        try:
            server = socket.create_connection(self.target, timeout=PATIENCE_SECONDS)
        except OSError:
            _reset(client)
            return
        server.settimeout(None)
        pair = _Pair(client, server)
        with self._lock:
            self._pairs.append(pair)
        if isinstance(client, ssl.SSLSocket):
            _pump_both(client, server)
            return
        for source, sink, swallowed in (
            (client, server, lambda: self.swallow_up),
            (server, client, lambda: self.swallow_down),
        ):
            threading.Thread(target=self._pump, args=(source, sink, swallowed), name="proxy-pump", daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, swallowed: Callable[[], bool]) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(self.chunk):
                if self.delay:
                    time.sleep(self.delay)
                if not swallowed():
                    sink.sendall(data)
        if swallowed():  # the other side is not told of the end either, until `cut`
            return
        for each in (source, sink):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)


def _pump_both(client: ssl.SSLSocket, server: socket.socket) -> None:
    """Both ways in one thread, because two may not use one TLS connection at the same time."""
    with contextlib.suppress(OSError):
        while True:
            ready = [client] if client.pending() else select.select([client, server], [], [])[0]
            for source, sink in ((client, server), (server, client)):
                if source in ready:
                    source.settimeout(0)
                    try:
                        data = source.recv(65536)
                    except ssl.SSLWantReadError:
                        continue
                    if not data:
                        raise ConnectionResetError
                    sink.settimeout(None)
                    sink.sendall(data)
    for each in (client, server):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


def _reset(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


@pytest.fixture
def tcp_proxy() -> Iterator[Callable[..., Proxy]]:
    """`tcp_proxy(host, port)` is a proxy to there; with `tls` clients speak TLS with it."""
    made: list[Proxy] = []

    def make(host: str, port: int, tls: ssl.SSLContext | None = None) -> Proxy:
        made.append(Proxy((host, port), tls=tls))
        return made[-1]

    yield make
    for each in made:
        each.close()
