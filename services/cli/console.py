"""`postroom console`: the web face alone, beside workers that run elsewhere."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import click

from services.cli import logs
from services.cli.base import Command, Problem, opened
from services.cli.figures import METRICS_PORT, figures
from services.cli.up import stopping

if TYPE_CHECKING:
    from services.console.options import Options

EXTRA: Final = "the console needs further packages: pip install 'postroom[console]'"
LIBRARIES: Final = ("starlette", "uvicorn", "jinja2", "multipart", "argon2")


def is_installed() -> bool:
    """Whether the packages of the extra `console` are there; looks for them without importing them."""
    return all(importlib.util.find_spec(each) for each in LIBRARIES)


def chosen(host: str | None, port: int | None) -> Options:
    """The options of the environment, and those of the command line before them."""
    from services.console.options import Options

    found = Options.from_environment()
    return replace(found, host=host or found.host, port=found.port if port is None else port)


@click.command(cls=Command)
@click.option("--host", metavar="ADDRESS", help="Where to listen (POSTROOM_CONSOLE_HOST; 127.0.0.1).")
@click.option("--port", type=click.IntRange(0, 65535), help="Port (POSTROOM_CONSOLE_PORT; 8025).")
@METRICS_PORT
def console(host: str | None, port: int | None, metrics_port: int | None) -> None:
    """Serve the operator console until Ctrl-C."""
    if not is_installed():
        raise Problem(EXTRA)
    from services.console import server

    logs.start()
    options = chosen(host, port)
    with stopping() as stop, logs.ending("console"), opened() as app:
        listening = server.bound(options)
        click.echo(f"The console is at {server.first_address(app, listening)}", err=True)
        with figures(app, metrics_port, on_console=bool(options.metrics_token)) as observed:
            server.serve(app, options, listening, stop, observed.figures)
