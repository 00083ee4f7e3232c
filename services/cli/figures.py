"""What observes long-running commands: `--metrics-port`, and traces; nothing is imported unless it is asked for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

from shared.contracts.errors import Misconfigured
from shared.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from services.figures.server import FiguresOfProcess
    from shared.app import App
    from shared.runtime.hooks import Hook

METRICS_PORT: Final = click.option(
    "--metrics-port",
    type=click.IntRange(0, 65535),
    envvar="POSTROOM_METRICS_PORT",
    show_envvar=True,
    metavar="N",
    help="Serve /metrics, /livez and /readyz on this port of POSTROOM_METRICS_HOST.",
)


ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""One of these standard variables turns traces on."""
NO_TRACES: Final = "traces need an extra that is not installed: pip install 'postroom[otel]'"


@dataclass(frozen=True, slots=True)
class Observed:
    """What observes this process: `hooks` that are called, and its `figures`; None: nothing is counted."""

    hooks: Sequence[Hook]
    figures: FiguresOfProcess | None


@contextmanager
def figures(app: App, port: int | None, *, reads_store: bool = False, on_console: bool = False) -> Iterator[Observed]:
    """Count what this process does, and trace it, while the block runs; nothing unless asked for.

    `on_console`: the console shows the figures, whether they have a port or not. Raises `Misconfigured` when an extra
    is missing, or the port is taken.
    """
    with _counted(app, port, reads_store=reads_store, on_console=on_console) as counted, _traces(app) as tracing:
        yield Observed((*(counted.hooks if counted else ()), *tracing), counted)


@contextmanager
def _counted(app: App, port: int | None, *, reads_store: bool, on_console: bool) -> Iterator[FiguresOfProcess | None]:
    if port is None and not on_console:
        yield None
        return
    from services.figures.server import DEFAULT_HOST, collected, served

    host = os.environ.get("POSTROOM_METRICS_HOST") or DEFAULT_HOST
    made = collected(app, reads_store=reads_store) if port is None else served(app, host, port, reads_store=reads_store)
    with made as found:
        yield found


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
