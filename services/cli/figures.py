"""What observes long-running commands: `--metrics-port`, and traces; nothing is imported unless it is asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from shared.contracts.errors import Misconfigured

if TYPE_CHECKING:
    from shared.app import App
    from shared.runtime.hooks import Hook

METRICS_PORT: Final = click.option(
    "--metrics-port",
    type=click.IntRange(0, 65535),
    envvar="POSTROOM_METRICS_PORT",
    metavar="N",
    help="Serve /metrics, /livez and /readyz on this port of POSTROOM_METRICS_HOST.",
)


ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""One of these standard variables turns traces on."""
NO_TRACES: Final = "traces need an extra that is not installed: pip install 'postroom[otel]'"


@contextmanager
def figures(app: App, port: int | None, *, reads_store: bool = False) -> Iterator[Sequence[Hook]]:
    """The hooks that count what this process does, and trace it, while the block runs; none unless asked for.

    Raises `Misconfigured` when an extra is missing, or the port is taken.
    """
    with _metrics(app, port, reads_store=reads_store) as counting, _traces(app) as tracing:
        yield (*counting, *tracing)


@contextmanager
def _metrics(app: App, port: int | None, *, reads_store: bool) -> Iterator[Sequence[Hook]]:
    if port is None:
        yield ()
        return
    from services.figures.server import DEFAULT_HOST, served

    host = os.environ.get("POSTROOM_METRICS_HOST") or DEFAULT_HOST
    with served(app, host, port, reads_store=reads_store) as made:
        yield made.hooks


@contextmanager
def _traces(app: App) -> Iterator[Sequence[Hook]]:
    if not any(os.environ.get(name) for name in ENDPOINTS):
        yield ()
        return
    try:
        from services.figures.traces import otlp_traces
    except ImportError as error:
        raise Misconfigured(NO_TRACES) from error
    made = otlp_traces(app)
    try:
        yield (made,)
    finally:
        made.close()
