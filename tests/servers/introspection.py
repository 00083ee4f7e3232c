"""A server that tells a mail server whether an OAuth token is valid (RFC 7662): one token is, and it is bob's."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self
from urllib.parse import parse_qs, urlsplit

from tests.servers.presence import free_port

TOKEN = "good-token"


class Introspection:
    """Started and ended as a `with` block. `valid` is the token that counts."""

    def __init__(self) -> None:
        self.port, self.valid = free_port(), TOKEN

    def __enter__(self) -> Self:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked = parse_qs(urlsplit(self.path).query).get("token", [""])[0]
                is_valid = asked == endpoint.valid
                body = json.dumps({"active": is_valid, "username": "bob"}).encode()
                self.send_response(200 if is_valid else 401)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
