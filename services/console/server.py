"""Serves the console: alone, or in a thread beside the workers of `postroom up`."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import uvicorn

from services.console.application import build
from services.operator.access import offered_set_up
from shared.contracts.errors import Misconfigured

if TYPE_CHECKING:
    from services.console.options import Options
    from shared.app import App

log = logging.getLogger(__name__)
FAREWELL_SECONDS: Final = 5


def bound(options: Options) -> socket.socket:
    """A listening socket. Raises `Misconfigured` when the address is taken or is not this machine's."""
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((options.host, options.port))
        made.listen(128)
    except OSError as error:
        made.close()
        where = f"{options.host}:{options.port}"
        raise Misconfigured(f"the console cannot listen on {where}: {error.strerror}; choose another --port") from error
    return made


def address(listening: socket.socket) -> str:
    """Where browsers on this machine find it."""
    host, port = listening.getsockname()[:2]
    shown = "127.0.0.1" if host == "0.0.0.0" else f"[{host}]" if ":" in host else host  # noqa: S104 - all interfaces
    return f"http://{shown}:{port}/"


def first_address(app: App, listening: socket.socket) -> str:
    """The address to open: while there is no user, with the one-time token for the first one."""
    token = offered_set_up(app)
    return address(listening) + (f"set-up?token={token}" if token else "")


def serve(app: App, options: Options, listening: socket.socket, stop: threading.Event) -> None:
    """Serve until `stop` is set; then end open streams and return."""
    config = uvicorn.Config(
        build(app, options, stopping=stop),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=FAREWELL_SECONDS,
        http="h11",
        ws="none",
    )
    server = uvicorn.Server(config)
    server_thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, name="console", daemon=True)
    server_thread.start()
    while not stop.wait(0.5) and server_thread.is_alive():
        pass
    server.should_exit = True
    server_thread.join(FAREWELL_SECONDS + 3)


@contextmanager
def beside(app: App, options: Options, listening: socket.socket) -> Iterator[None]:
    """Serve while the block runs."""
    stop = threading.Event()
    thread = threading.Thread(target=serve, args=(app, options, listening, stop), name="console-stop")
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
