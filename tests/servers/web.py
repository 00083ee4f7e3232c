"""A web server over TLS that a test can tell to fail, the base of the stubs of Microsoft and Google."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

from tests.servers.presence import PATIENCE_SECONDS
from tests.servers.tls import Certificate


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came in. `path` is decoded by nobody; `query` has the first value of each parameter.

    `peer` names the connection.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes
    peer: object = None

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    def form(self) -> dict[str, str]:
        """The body as a form."""
        return {name: values[0] for name, values in parse_qs(self.body.decode()).items()}


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer. `drop`: none, the connection is closed; `cut`: closed after this many bytes of the body."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False
    cut: int | None = None

    def content(self) -> tuple[str, bytes]:
        """Type and bytes."""
        if isinstance(self.body, bytes):
            return "text/plain", self.body
        return "application/json", b"" if self.body is None else json.dumps(self.body).encode()


@dataclass(slots=True)
class Fault:
    """What a request that matches gets instead of, or after, the honest answer; `times` counts down."""

    pattern: str
    reply: Reply
    times: int = 1
    after: bool = False


class WebStub:
    """Serves `answer` over TLS on a private port. `seen` has every request, `valid` the access tokens that it takes."""

    def __init__(self, certificate: Certificate) -> None:
        self.faults: list[Fault] = []
        self.seen: list[Request] = []
        self.valid: set[str] = set()
        self.at_once = self.most_at_once = 0
        self.gate: Callable[[Request], None] = lambda _request: None
        self.lock = threading.RLock()
        self._server = _Server(("127.0.0.1", 0), _handler_of(self))
        context = certificate.server_context()
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.port: int = self._server.server_address[1]
        self.url = f"https://localhost:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(PATIENCE_SECONDS)

    def answer(self, request: Request) -> Reply:
        """The honest answer."""
        raise NotImplementedError

    def fail(self, pattern: str, status: int = 500, body: Any = None, **options: Any) -> None:
        """Let requests fail whose `METHOD path` matches. Headers are given as `headers`."""
        reply = Reply(
            status, body, **{name: options.pop(name) for name in ("headers", "drop", "cut") if name in options}
        )
        self.faults.append(Fault(pattern, reply, **options))

    def requests(self, pattern: str) -> list[Request]:
        """The requests seen whose `METHOD path` matches."""
        return [each for each in self.seen if re.search(pattern, f"{each.method} {each.path}")]

    def _reply(self, request: Request) -> Reply:
        with self.lock:
            self.seen.append(request)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            self.gate(request)
            with self.lock:
                fault = self._fault(request)
                if fault and not fault.after:
                    return fault.reply
                honest = self.answer(request)
                return fault.reply if fault else honest
        finally:
            with self.lock:
                self.at_once -= 1

    def _fault(self, request: Request) -> Fault | None:
        found = next(
            (each for each in self.faults if re.search(each.pattern, f"{request.method} {request.path}")), None
        )
        if found is not None:
            found.times -= 1
            if found.times <= 0:
                self.faults.remove(found)
        return found


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Say nothing: clients that distrust the certificate hang up."""


def _handler_of(stub: WebStub) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def _handle(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(length)
            reply = stub._reply(Request(self.command, parts.path, query, headers, body, self.client_address))
            with suppress(OSError):
                self._write(reply)

        def _write(self, reply: Reply) -> None:
            if reply.drop:
                self.close_connection = True
                return
            kind, body = reply.content()
            self.send_response(reply.status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body if reply.cut is None else body[: reply.cut])
            self.wfile.flush()
            self.close_connection = self.close_connection or reply.cut is not None

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    for method in ("GET", "POST", "PATCH", "DELETE", "PUT"):
        setattr(Handler, f"do_{method}", Handler._handle)
    return Handler


class StubTokens:
    """Access tokens that the stub takes, without its token endpoint. `error` is raised instead of giving one."""

    def __init__(self, stub: WebStub) -> None:
        self._stub = stub
        self.given: list[str] = []
        self.error: Exception | None = None

    def token(self) -> str:
        """The newest token."""
        if self.error is not None:
            raise self.error
        if not self.given:
            self.rejected()
        return self.given[-1]

    def rejected(self) -> None:
        """Make another one."""
        self.given.append(f"given-{len(self.given)}")
        self._stub.valid.add(self.given[-1])
