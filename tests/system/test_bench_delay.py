"""The relay that makes a server's answers come later."""

from __future__ import annotations

import socket
import time

from bench.delay import delayed
from tests.servers.presence import PATIENCE_SECONDS

SECONDS = 0.2


def test_answers_come_later_and_in_their_order() -> None:
    listening = socket.create_server(("127.0.0.1", 0))
    of_the_server = f"mongodb://user:secret@127.0.0.1:{listening.getsockname()[1]}/bench?w=1"
    with listening, delayed(of_the_server, SECONDS) as url:
        place, _, rest = url.removeprefix("mongodb://user:secret@127.0.0.1:").partition("/")
        assert rest == "bench?w=1"
        with socket.create_connection(("127.0.0.1", int(place)), PATIENCE_SECONDS) as client:
            server, _ = listening.accept()
            server.settimeout(PATIENCE_SECONDS)
            client.sendall(b"question")
            assert server.recv(100) == b"question"
            began = time.monotonic()
            for number in range(20):
                server.sendall(b"%02d" % number)
                time.sleep(0.01)
            answered = b""
            while len(answered) < 40:
                answered += client.recv(100)
            assert time.monotonic() - began >= SECONDS
            assert answered == b"".join(b"%02d" % number for number in range(20))
            server.close()
            assert client.recv(1) == b""


def test_without_a_delay_the_server_itself_is_named() -> None:
    with delayed("mongodb://127.0.0.1:1/", 0.0) as url:
        assert url == "mongodb://127.0.0.1:1/"
