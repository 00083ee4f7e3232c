"""A token endpoint over TLS that answers as Microsoft's and Google's do, and fails as a test wants."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs

from tests.servers.presence import PATIENCE_SECONDS, free_port
from tests.servers.tls import Certificate

TENANT = "11111111-2222-3333-4444-555555555555"


@dataclass(slots=True)
class TokenEndpoint:
    """Gives the tokens `token1`, `token2`, … `answers` are given first, each a status and a body."""

    certificate: Certificate
    seconds: int = 3600
    answers: list[tuple[int, Any]] = field(default_factory=list)
    requests: list[Mapping[str, str]] = field(default_factory=list)
    rotate: bool = False
    port: int = field(default_factory=free_port)
    hold: threading.Event | None = None
    _server: ThreadingHTTPServer | None = None
    _given: int = 0

    @property
    def authority(self) -> str:
        """The base address; tenants are below it."""
        return f"https://localhost:{self.port}"

    @property
    def token_uri(self) -> str:
        """Where Google's tokens are asked for."""
        return f"{self.authority}/token"

    def __enter__(self) -> Self:
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                tenant = self.path.split("/")[1]
                if tenant != TENANT:
                    self._send(400, {"error": "invalid_tenant", "error_description": "AADSTS90002: Tenant not found"})
                    return
                base = f"{endpoint.authority}/{tenant}"
                self._send(
                    200,
                    {
                        "issuer": f"{base}/v2.0",
                        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                        "token_endpoint": f"{base}/oauth2/v2.0/token",
                    },
                )

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                endpoint.requests.append({name: values[0] for name, values in parse_qs(body).items()})
                if endpoint.hold is not None:
                    endpoint.hold.wait(PATIENCE_SECONDS)
                self._send(*endpoint.answer())

            def _send(self, status: int, body: Any) -> None:
                text = body if isinstance(body, str) else json.dumps(body)
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: object) -> None:
                pass

        context = self.certificate.server_context()
        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def answer(self) -> tuple[int, Any]:
        """What the next request gets."""
        if self.answers:
            return self.answers.pop(0)
        self._given += 1
        given = {"token_type": "Bearer", "expires_in": self.seconds, "access_token": f"token{self._given}"}
        return 200, given | ({"refresh_token": f"refresh{self._given}"} if self.rotate else {})

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.shutdown()
        self._server.server_close()
