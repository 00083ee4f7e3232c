"""`/metrics`, `/livez` and `/readyz` of a process, on a port of their own.

They show counts and names of the configuration to whoever reaches the port, so it is 127.0.0.1 unless the environment
says otherwise, and nothing else is served.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, ClassVar, Final

from services.figures.health import Pulse, unready
from shared.contracts.errors import Misconfigured
from shared.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

    from shared.app import App
    from shared.runtime.hooks import Hook

DEFAULT_HOST: Final = "127.0.0.1"
TEXT: Final = "text/plain; charset=utf-8"
FIGURES_TEXT: Final = "text/plain; version=0.0.4; charset=utf-8"
REQUEST_SECONDS: Final = 10.0
MAX_REQUESTS: Final = 16
"""Requests at once; more are closed without an answer."""
NOT_INSTALLED: Final = "metrics need an extra that is not installed: pip install 'postroom[metrics]'"


class FiguresOfProcess:
    """The figures and the health of one process. `hooks` feed them.

    `reads_store`: also the gauges of store and broker, which one process of a desk reads.
    """

    def __init__(self, app: App, *, reads_store: bool) -> None:
        try:
            from prometheus_client import (
                CollectorRegistry,
                PlatformCollector,
                ProcessCollector,
                disable_created_metrics,
            )
        except ImportError as error:
            raise Misconfigured(NOT_INSTALLED) from error
        from services.figures.counting import Counting

        disable_created_metrics()  # type: ignore[no-untyped-call]  # else a second series, `…_created`, beside each counter
        self.app, self.pulse, self.address = app, Pulse(), ""
        self.registry: CollectorRegistry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.hooks: Sequence[Hook] = (Counting(app, self.registry), self.pulse)
        self.gauges = None
        if reads_store:
            from services.figures.gauges import StoreGauges

            self.gauges = StoreGauges(app, self.registry)

    def metrics_response(self) -> bytes:
        """All figures in the text format of Prometheus."""
        from prometheus_client import generate_latest

        return generate_latest(self.registry)

    def answer(self, path: str) -> Answer:
        """The answer to a GET."""
        match path.partition("?")[0]:
            case "/metrics":
                return Answer(200, self.metrics_response(), FIGURES_TEXT)
            case "/livez":
                return _health(self.pulse.problem())
            case "/readyz":
                return _health(unready(self.app))
        return Answer(404, b"not found\n")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a GET is answered with."""

    status: int
    body: bytes
    content_type: str = TEXT


def _health(problem: str | None) -> Answer:
    return Answer(503 if problem else 200, f"{problem or 'ok'}\n".encode("utf-8", "replace"))


@contextmanager
def collected(app: App, *, reads_store: bool) -> Iterator[FiguresOfProcess]:
    """Count what this process does while the block runs. Raises `Misconfigured` without the extra."""
    figures, stop = FiguresOfProcess(app, reads_store=reads_store), threading.Event()
    reader = figures.gauges and threading.Thread(target=figures.gauges.run, args=(stop,), name="gauges", daemon=True)
    if reader:
        reader.start()
    try:
        yield figures
    finally:
        stop.set()
        if reader:
            reader.join()


@contextmanager
def served(app: App, host: str, port: int, *, reads_store: bool) -> Iterator[FiguresOfProcess]:
    """Serve the figures of this process while the block runs; port 0 is a free one. Raises `Misconfigured`."""
    with collected(app, reads_store=reads_store) as figures:
        handler = type("_Handler", (_Handler,), {"figures": figures})
        try:
            server = _Server((host, port), handler)
        except (OSError, OverflowError) as error:
            raise Misconfigured(f"metrics cannot be served on {host}:{port}: {error}") from error
        figures.address = f"{host}:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.2,), name="metrics", daemon=True)
        thread.start()
        try:
            yield figures
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


class _Server(ThreadingHTTPServer):
    """Answers a bounded number of requests at once."""

    daemon_threads = True

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self._free = threading.BoundedSemaphore(MAX_REQUESTS)
        super().__init__(address, handler)

    def process_request(self, request: object, client_address: object) -> None:
        """Answer in a thread, or close when too many are being answered."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)  # type: ignore[arg-type]
            return
        super().process_request(request, client_address)  # type: ignore[arg-type]

    def process_request_thread(self, request: object, client_address: object) -> None:
        """Answer one request; then another one may begin."""
        try:
            super().process_request_thread(request, client_address)  # type: ignore[arg-type]
        finally:
            self._free.release()


class _Handler(BaseHTTPRequestHandler):
    figures: ClassVar[FiguresOfProcess]
    timeout = REQUEST_SECONDS
    server_version = "postroom"
    sys_version = ""

    def do_GET(self) -> None:
        """Send the answer to the path."""
        answer = self.figures.answer(self.path)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_: object) -> None:
        """Requests of probes and scrapes are not logged."""
