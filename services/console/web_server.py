"""A web server in a thread of a process that does other things too: its socket, its start and its end."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING, Any

from shared.contracts.errors import Misconfigured

if TYPE_CHECKING:
    from starlette.types import ASGIApp


def listening_socket(host: str, port: int, backlog: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises `Misconfigured` when it cannot listen there."""
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
        made.listen(backlog)
    except (OSError, OverflowError) as error:
        made.close()
        reason = getattr(error, "strerror", None) or error
        raise Misconfigured(f"cannot listen on {shown_address(host, port)}: {reason}") from error
    made.setblocking(False)
    return made


def shown_address(host: str, port: int) -> str:
    """`host:port`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class WebServer:
    """An application on a socket, served in a thread. `options` are uvicorn's, besides those that both servers need."""

    def __init__(self, application: ASGIApp, listening: socket.socket, name: str, **options: Any) -> None:
        import uvicorn

        config = uvicorn.Config(
            application, log_config=None, access_log=False, server_header=False, proxy_headers=False, **options
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listening],), name=name, daemon=True)
        self._thread.start()

    def wait(self, stop: threading.Event) -> None:
        """Serve until `stop` is set, or the server has ended by itself."""
        while self._thread.is_alive() and not stop.wait(0.2):
            pass

    def end(self, seconds: float | None = None) -> None:
        """Answer what is being read, within `seconds` (None: without a limit)."""
        self._server.should_exit = True
        self._thread.join(seconds)
