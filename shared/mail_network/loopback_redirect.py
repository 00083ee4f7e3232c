"""Receives the redirect of a sign-in in a browser on this machine (RFC 8252, section 7.3): loopback only, one answer.

The browser sends the answer as a form (OAuth 2.0 Form Post Response Mode; RFC 9700, section 4.3.1). It counts only
with the `state` of this sign-in. Everything else, such as the icon that browsers ask for or a
page that guesses the port, gets 404 and changes nothing.
"""

from __future__ import annotations

import hmac
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final, Self
from urllib.parse import parse_qs

MAX_BYTES: Final = 16 << 10
"""Longest form that is read; a code of Microsoft's has some 2 KB."""
READ_SECONDS: Final = 10.0
_PAGE: Final = (
    b"<!doctype html><html lang=en><meta charset=utf-8><title>Postroom</title>"
    b"<h1>Postroom has the answer</h1><p>Close this window and go back to the terminal.</p></html>"
)
_HEADERS: Final = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Connection": "close",
}


class LoopbackRedirect:
    """Listens on 127.0.0.1 as a `with` block. `url` is the redirect address; `localhost` with any port is allowed."""

    def __init__(self) -> None:
        self._state = ""
        self._answer: dict[str, str] = {}
        self._arrived = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://localhost:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def expect(self, state: str) -> None:
        """Take the answer with this `state`, from now on."""
        self._state = state

    def wait(self, seconds: float) -> dict[str, str]:
        """The parameters of the answer. Raises `TimeoutError` after `seconds`."""
        if not self._arrived.wait(seconds):
            raise TimeoutError("nobody signed in in time")
        return self._answer

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        redirect = self

        class Handler(BaseHTTPRequestHandler):
            timeout = READ_SECONDS
            server_version, sys_version = "Postroom", ""

            def do_GET(self) -> None:
                """Nothing here is read by GET: a code in an address would stay in the history of the browser."""
                self._answer(known=False)

            def do_POST(self) -> None:
                stated = self.headers.get("Content-Length", "")
                size = int(stated) if stated.isdigit() else MAX_BYTES + 1
                self._answer(known=size <= MAX_BYTES and redirect._accept(self.path, self.rfile.read(size)))

            def _answer(self, *, known: bool) -> None:
                self.send_response(200 if known else 404)
                for name, value in _HEADERS.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(_PAGE) if known else 0))
                self.end_headers()
                if known:
                    self.wfile.write(_PAGE)

            def log_message(self, *_: object) -> None:
                """Write nothing: the path has the code."""

        return Handler

    def _accept(self, path: str, body: bytes) -> bool:
        """Take the first answer to this sign-in; whether it was one."""
        stated = {name: values[0] for name, values in parse_qs(body.decode("ascii", "replace")).items()}
        state = stated.get("state", "").encode()
        is_answer = path == "/" and ("code" in stated or "error" in stated)
        if not is_answer or not self._state or not hmac.compare_digest(state, self._state.encode()):
            return False
        if not self._arrived.is_set():
            self._answer = stated
            self._arrived.set()
        return True
