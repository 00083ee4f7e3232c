"""A server whose answers come later: as over a network, or as of a store that waits for its journal and for replicas.

A relay on this machine forwards at once what a client sends, and after a time what the server answers. Answers keep
their order, and none waits for another: distance is slow, not the server.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from functools import partial
from urllib.parse import urlsplit

BYTES = 64 << 10
Started = Future[tuple[int, Callable[[], object]]]
"""The port of a relay, and what ends it."""


@contextmanager
def delayed(url: str, seconds: float) -> Iterator[str]:
    """The URL of a relay to the server at `url`, gone afterwards; without a delay that of the server itself."""
    if not seconds:
        yield url
        return
    parts, started = urlsplit(url), Started()
    relay = _relay(str(parts.hostname), parts.port or 27017, seconds, started)
    thread = threading.Thread(target=asyncio.run, args=(relay,))
    thread.start()
    port, end = started.result()
    login, at, _ = parts.netloc.rpartition("@")
    try:
        yield parts._replace(netloc=f"{login}{at}127.0.0.1:{port}").geturl()
    finally:
        end()
        thread.join()


async def _relay(host: str, port: int, seconds: float, started: Started) -> None:
    async def serve(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection(host, port)
        await asyncio.gather(_forward(client, to_server, 0.0), _forward(server, to_client, seconds))

    ended = asyncio.Event()
    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    end = partial(asyncio.get_running_loop().call_soon_threadsafe, ended.set)
    async with listening:
        started.set_result((listening.sockets[0].getsockname()[1], end))
        await ended.wait()


async def _forward(come: asyncio.StreamReader, go: asyncio.StreamWriter, seconds: float) -> None:
    """Write what comes `seconds` later, and then close."""
    later = partial(asyncio.get_running_loop().call_later, seconds)
    with suppress(ConnectionError):
        while data := await come.read(BYTES):
            later(go.write, data)
    later(go.close)
