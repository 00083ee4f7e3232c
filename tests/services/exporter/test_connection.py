"""What a connection promises when a server answers oddly."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from services.exporter import connection
from shared.config.model import Connection
from shared.contracts.errors import Misconfigured, PostroomError, Unavailable


class Elsewhere(HTTPServer):
    """A server that sends every POST to another of its pages, or answers garbage; `asked` are the pages read."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Redirecting)
        self.asked: list[str] = []


class _Redirecting(BaseHTTPRequestHandler):
    server: Elsewhere

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/garbage":
            self.wfile.write(b"\x15\x03\x01 no HTTP\r\n")
            return
        self.send_response(int(self.path.strip("/")))
        self.send_header("Location", "/login")
        self.end_headers()

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    with Elsewhere() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.mark.req("IV-40")
@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
def test_a_redirect_is_a_refusal_and_is_not_followed(elsewhere: Elsewhere, code: int) -> None:
    url = f"http://127.0.0.1:{elsewhere.server_port}/{code}"
    with pytest.raises(PostroomError, match=str(code)):
        connection.write(Connection("stock", kind="http", url=url), "0" * 32, b"<Mail/>")
    assert elsewhere.asked == []


@pytest.mark.req("IV-40")
def test_an_answer_that_is_not_http_counts_as_an_outage_of_the_connection(elsewhere: Elsewhere) -> None:
    url = f"http://127.0.0.1:{elsewhere.server_port}/garbage"
    with pytest.raises(Unavailable, match="connection stock"):
        connection.write(Connection("stock", kind="http", url=url), "0" * 32, b"<Mail/>")


@pytest.mark.parametrize("url", ["http://127.0.0.1:port/", "http://127.0.0.1/a page"])
def test_an_invalid_url_is_a_wrong_setting_of_the_connection(url: str) -> None:
    with pytest.raises(Misconfigured, match="connection stock"):
        connection.write(Connection("stock", kind="http", url=url), "0" * 32, b"<Mail/>")
