"""Serves the console: alone, or in a thread beside the workers of `postroom up`."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from services.console import oidc
from services.console.application import build
from services.console.web_server import WebServer, listening_socket, shown_address
from services.operator.permissions.access import offered_set_up
from shared.contracts.errors import Misconfigured

if TYPE_CHECKING:
    from services.console.options import Options
    from services.figures.server import FiguresOfProcess
    from shared.app import App

log = logging.getLogger(__name__)
FAREWELL_SECONDS: Final = 5
BACKLOG: Final = 128


def bound(options: Options) -> socket.socket:
    """A listening socket. Raises `Misconfigured` when it cannot listen there, or an extra is missing."""
    if options.oidc:
        oidc.require()
    try:
        return listening_socket(options.host, options.port, BACKLOG)
    except Misconfigured as error:
        remedy = "set POSTROOM_CONSOLE_HOST or POSTROOM_CONSOLE_PORT; `postroom console` has --host and --port"
        raise Misconfigured(f"the console {error}; {remedy}") from error


def address(listening: socket.socket) -> str:
    """Where browsers on this machine find it."""
    host, port = listening.getsockname()[:2]
    host = "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104 - all interfaces
    return f"http://{shown_address(host, port)}/"


def first_address(app: App, listening: socket.socket) -> str:
    """The address to open: while there is no user, with the one-time token for the first one."""
    token = offered_set_up(app)
    return address(listening) + (f"set-up?token={token}" if token else "")


def serve(
    app: App,
    options: Options,
    listening: socket.socket,
    stop: threading.Event,
    figures: FiguresOfProcess | None = None,
) -> None:
    """Serve until `stop` is set; then end open streams and return."""
    application = build(app, options, stopping=stop, figures=figures)
    server = WebServer(
        application, listening, "console", timeout_graceful_shutdown=FAREWELL_SECONDS, http="h11", ws="none"
    )
    server.wait(stop)
    server.end(FAREWELL_SECONDS + 3)


@contextmanager
def beside(
    app: App, options: Options, listening: socket.socket, figures: FiguresOfProcess | None = None
) -> Iterator[None]:
    """Serve while the block runs."""
    stop = threading.Event()
    thread = threading.Thread(target=serve, args=(app, options, listening, stop, figures), name="console-stop")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
