"""Serves HTTP intake alone, in a process without console: `postroom worker http-intake`."""

from __future__ import annotations

import logging
import socket
import sys
import threading
from typing import TYPE_CHECKING, Final

from services.console.intake.receive import Intake
from services.console.web_server import WebServer, listening_socket, shown_address
from shared.contracts.errors import Misconfigured

if TYPE_CHECKING:
    from shared.app import App

log = logging.getLogger(__name__)

MAX_CONNECTIONS: Final = 1_000
KEEP_ALIVE_SECONDS: Final = 75
GRACE_SECONDS: Final = 20
BACKLOG: Final = 1_024
SWITCH_SECONDS: Final = 0.001
"""Python's default lets the thread that commits wait 5 ms for the event loop after each statement of SQLite."""


class HttpIntake:
    """A source of mail: a web server on one address (`host:port`), until it is stopped."""

    def __init__(self, app: App, address: str) -> None:
        self._app, self._socket = app, bound(address)

    @property
    def address(self) -> str:
        """Where it listens: port 0 was replaced by a free one."""
        return shown_address(*self._socket.getsockname()[:2])

    def run(self, stop: threading.Event) -> None:
        """Serve until `stop` is set; then answer the requests that are being read."""
        from starlette.applications import Starlette

        intake = Intake(self._app)
        sys.setswitchinterval(SWITCH_SECONDS)
        server = WebServer(
            Starlette(routes=intake.routes()),
            self._socket,
            "http",
            lifespan="off",
            limit_concurrency=MAX_CONNECTIONS,
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        log.info("http_intake_started", extra={"address": self.address})
        server.wait(stop)
        server.end()
        intake.stop()


def bound(address: str) -> socket.socket:
    """A listening socket. Raises `Misconfigured`."""
    host, colon, port = address.rpartition(":")
    if not (colon and port.isascii() and port.isdigit()):
        raise Misconfigured(f"{address!r} is not an address; write it as host:port, such as 127.0.0.1:8026")
    return listening_socket(host.strip("[]") or "127.0.0.1", int(port), BACKLOG)
