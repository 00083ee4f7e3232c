"""`postroom worker STAGE`: one stage, in as many processes as asked for; add containers to scale further.

Several consumers are several processes, never threads. A poison message that kills its process would also interrupt
the deliveries of other threads, and the broker would count a failed delivery for each of their messages.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
from typing import Final

import click

from services.cli import logs
from services.cli.base import Command, Problem, location, opened
from services.cli.figures import METRICS_PORT, figures
from services.cli.up import stopping

log = logging.getLogger(__name__)

REST_SECONDS: Final = 1.0
"""Seconds before a process that ended is started again."""
FAREWELL_SECONDS: Final = 15.0
DEFAULT_ADDRESS: Final = "127.0.0.1:8026"
NO_CONSOLE: Final = "HTTP intake needs the extra of the console: pip install 'postroom[console]'"
HTTP_INTAKE: Final = "http-intake"
"""A source that listens for HTTP requests; several processes of it are several addresses."""


@click.command(cls=Command)
@click.argument("stage")
@click.option(
    "--concurrency", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes, one consumer each."
)
@click.option(
    "--listen", default=DEFAULT_ADDRESS, show_default=True, metavar="HOST:PORT", help="Address of http-intake."
)
@METRICS_PORT
def worker(stage: str, concurrency: int, listen: str, metrics_port: int | None) -> None:
    """Run one stage: parser, filter, sender-matcher, record-writer, exporter, notifier, dead-letter.

    Or one source: fetcher, schedule; or http-intake, which takes mail by HTTP.

    Broker and store are those of POSTROOM_BROKER_URL and POSTROOM_STORE_URL. Of several processes, each serves its
    metrics on a port of its own: the first on the given one, the next on those behind it.
    """
    from services.pipeline import STAGES
    from services.runner import SOURCES

    name = stage.replace("_", "-")
    if name not in SOURCES and name not in STAGES and name != HTTP_INTAKE:
        raise click.UsageError(f"there is no stage {stage!r}; known are {', '.join((*SOURCES, *STAGES, HTTP_INTAKE))}")
    if name != HTTP_INTAKE and listen != DEFAULT_ADDRESS:
        raise click.UsageError("--listen is for http-intake alone")
    logs.start()
    if name == HTTP_INTAKE:
        if concurrency > 1:
            raise click.UsageError("http-intake is one process; run several on addresses of their own")
        _serve_intake(listen, metrics_port)
        return
    with stopping() as stop:
        run(name, stop, metrics_port) if concurrency == 1 else supervise(name, concurrency, stop, metrics_port)


def run(name: str, stop: threading.Event, metrics_port: int | None = None) -> None:
    """One stage in this process."""
    from services.pipeline import STAGES
    from services.runner import SOURCES, worker_dependencies
    from shared.runtime.worker import Worker

    with logs.ending(name), opened() as app:
        app.directory.current()  # one that cannot be read ends the worker, not every mail
        with figures(app, metrics_port, reads_store=name == "schedule") as observed:
            if name in SOURCES:
                SOURCES[name](app, *observed.hooks).run(stop)
            else:
                Worker(STAGES[name](app), worker_dependencies(app, *observed.hooks)).run(stop)


def _serve_intake(listen: str, metrics_port: int | None) -> None:
    """HTTP intake in this process."""
    try:
        from services.console.intake.server import HttpIntake
    except ImportError as error:
        raise Problem(f"{error.name} is missing: {NO_CONSOLE}") from error
    with stopping() as stop, logs.ending(HTTP_INTAKE), opened() as app:
        app.directory.current()  # one that cannot be read ends the worker, not every request
        server = HttpIntake(app, listen)
        click.echo(f"http-intake listens on http://{server.address}/intake/INBOX", err=True)
        with figures(app, metrics_port):
            server.run(stop)


def supervise(name: str, count: int, stop: threading.Event, metrics_port: int | None = None) -> None:
    """Run `count` processes of a stage until `stop`; then let each finish the deliveries that it holds."""
    environment = {**os.environ, "POSTROOM_DATA": str(location().data)}
    environment.pop("POSTROOM_METRICS_PORT", None)
    command = [sys.executable, "-m", "services.cli.main", "worker", name]
    ports = [[] if metrics_port is None else [f"--metrics-port={metrics_port + place}"] for place in range(count)]
    processes = [subprocess.Popen([*command, *port], env=environment) for port in ports]
    while not stop.wait(REST_SECONDS):
        for place, process in enumerate(processes):
            if process.poll() is not None:
                log.warning("worker_ended", extra={"stage": name, "code": process.returncode})
                processes[place] = subprocess.Popen([*command, *ports[place]], env=environment)
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(FAREWELL_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
