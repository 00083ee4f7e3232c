"""`postroom up`: everything in one process, until it is stopped or, with `--once`, until the queues are empty."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

import click

from services.cli import logs, output
from services.cli.base import PROBLEM, Command, Problem, as_json, note, opened, who
from services.cli.figures import METRICS_PORT, figures
from services.operator.permissions.writes import Write
from shared.contracts.errors import Misconfigured, Unavailable

if TYPE_CHECKING:
    from services.cli.figures import Observed
    from services.operator.health.counts import RunReport
    from shared.app import App


@click.command(cls=Command)
@click.option(
    "--config",
    "file",
    type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path),
    help="Apply this configuration first.",
)
@click.option(
    "--processes",
    type=click.IntRange(1),
    metavar="N",
    help="Processes in all: while many mails wait, all but one read ahead. Default: one a processor, at most 4.",
)
@click.option("--console/--no-console", default=True, help="Serve the operator console, too, when it is installed.")
@click.option("--once", is_flag=True, help="Visit the inboxes that are due, process all queues, and exit.")
@METRICS_PORT
def up(file: Path | None, processes: int | None, metrics_port: int | None, *, console: bool, once: bool) -> int:
    """Run every worker in this process, on the embedded default unless the environment says otherwise.

    With --once, prints what this run did; exits with 1 when an inbox could not be read or outgoing mail waits.
    """
    logs.start("WARNING" if once else "INFO")
    with stopping() as stop, opened() as app:
        if file is not None:
            _apply(app, file)
        _require_secrets(app)
        if not once and not as_json():
            click.echo("Postroom is running; Ctrl-C stops it.", err=True)
        from services.parser.ahead import default_processes
        from services.runner import run_all

        processes = processes or default_processes()
        if not once:
            shown = bool(console and os.environ.get("POSTROOM_CONSOLE_METRICS_TOKEN"))
            with (
                logs.ending("all"),
                figures(app, metrics_port, reads_store=True, on_console=shown) as observed,
                _console(app, observed) if console else nullcontext(),
            ):
                run_all(app, stop, hooks=observed.hooks, processes=processes)
            return 0
        from services.operator.health.counts import SingleRun

        run = SingleRun(app)
        with output.watching("working", partial(_in_flight, app)):
            run_all(app, stop, once=True, processes=processes)
        return _show(run.report())


def _console(app: App, observed: Observed) -> AbstractContextManager[None]:
    """The console beside the workers; they run without it where it is not installed or cannot listen."""
    from services.cli.console import chosen, is_installed

    if not is_installed():
        return nullcontext()
    from services.console import server

    options = chosen(None, None)
    try:
        listening = server.bound(options)
    except Misconfigured as error:
        click.echo(f"note: {error}", err=True)
        return nullcontext()
    click.echo(f"The console is at {server.first_address(app, listening)}", err=True)
    return server.beside(app, options, listening, observed.figures)


def _apply(app: App, file: Path) -> None:
    from services.operator.settings.configuration import apply_file, read_file

    if apply_file(app, read_file(file), by=who(), reason=f"up --config {file}").changed:
        note(app, Write.APPLIED_CONFIGURATION, str(file))


def _require_secrets(app: App) -> None:
    from services.operator.settings.required_secrets import required_secrets

    secrets = required_secrets(app)
    for each in secrets.notes:
        click.echo(f"note: {each.path}: {each.message}", err=True)
    if secrets.problem:
        raise Problem(f"not started: {secrets.problem.path}: {secrets.problem.message}")


def _in_flight(app: App) -> str:
    try:
        return f"{app.broker.in_flight()} in flight"
    except Unavailable:
        return "the broker does not answer"


def _show(report: RunReport) -> int:
    """Print what the run did, what there is in all, and what could not be done; return the exit code."""
    for word, texts in (("problem", report.problems), ("note", report.notes)):
        for each in texts:
            click.echo(f"{word}: {output.safe(each)}", err=True)
    if as_json():
        output.emit(report.as_json())
    else:
        click.echo(f"this run: {_counted({**report.done, 'outgoing_waiting': report.waiting}) or 'nothing'}")
        click.echo(f"in all: {_counted(report.counts) or 'no mail'}")
    return PROBLEM if report.problems or report.waiting else 0


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items() if count)


@contextmanager
def stopping() -> Iterator[threading.Event]:
    """An event that SIGTERM, SIGINT and SIGHUP (the terminal is closed) set: work in progress is finished, then the
    process exits. `nohup` has SIGHUP ignored, which stays so.

    A signal handler interrupts the main thread, possibly inside `stop.wait()`, whose lock it must not take. So the
    handler only notifies a thread, which sets the event.
    """
    stop, words = threading.Event(), SimpleQueue[bool]()

    def listen() -> None:
        if words.get():
            stop.set()

    listener = threading.Thread(target=listen, name="signals", daemon=True)
    listener.start()
    numbers = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: words.put(True)) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        words.put(False)
        listener.join()
