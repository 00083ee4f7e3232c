"""The option `--metrics-port` of long-running commands, and what it serves; nothing is imported without it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click

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


@contextmanager
def figures(app: App, port: int | None, *, reads_store: bool = False) -> Iterator[Sequence[Hook]]:
    """The hooks that count what this process does, while the block runs; none without a port.

    Raises `Misconfigured` when the extra is missing, or the port is taken.
    """
    if port is None:
        yield ()
        return
    from services.figures.server import DEFAULT_HOST, served

    host = os.environ.get("POSTROOM_METRICS_HOST") or DEFAULT_HOST
    with served(app, host, port, reads_store=reads_store) as made:
        yield made.hooks
