"""`postroom demo`: a desk, a dozen sample mails, and a tour of what became of them, within seconds.

Runs on the embedded default in a folder of its own (`./postroom-demo`), whatever the environment says. So it
never touches the user's desk. It keeps the folder, so that the commands which the tour names at its end can be tried.
"""

from __future__ import annotations

import os
import shlex
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from services.cli import logs, output
from services.cli.base import DATA, Command, Problem, as_json, opened
from services.operator.mail.mails import journal_of, mail_as_json
from services.operator.view import values_of

if TYPE_CHECKING:
    from shared.app import App
    from shared.store.mails import StoredMail

DEMO_DATA: Final = Path("postroom-demo")
SAMPLES: Final = Path(__file__).with_name("samples")
INBOXES: Final = {"10-problem-with-fields.eml": "problems", "11-problem-with-a-wrong-value.eml": "problems"}
"""Samples that come in by another inbox than support."""
REPLIED: Final = "01-printer-english.eml"
REJECTED: Final = "13-stranger-with-a-number.eml"
BROKEN: Final = "11-problem-with-a-wrong-value.eml"
HINTS: Final = (
    ("mails list", "every mail and its outcome"),
    ("mails show {rejected:.12}", "where is that mail? what every stage decided"),
    ("mails source {replied:.12}", "the exact bytes that came in"),
    ("mails release {rejected:.12}", "let a rejected mail through, then: up --once"),
    ("records list", "what the desk has to do"),
    ("dead-letters list", "what failed; replay and discard are there too"),
    ("doctor", "is every mail accounted for?"),
)
"""Command to try → its meaning."""


@click.command(cls=Command)
@click.option(
    "--scenario", type=click.Choice(["samples", "conversation"]), default="samples", show_default=True,
    help="Sample mails of every kind, or one conversation from the question to the summary.",
)  # fmt: skip
@click.option("--serve", is_flag=True, help="Then show the desk in the console, until Ctrl-C.")
@click.option("--port", type=click.IntRange(0, 65535), help="Port of the console (POSTROOM_CONSOLE_PORT; 8025).")
def demo(scenario: str, port: int | None, *, serve: bool) -> None:
    """Set up a desk, hand in sample mails, and show what became of them.

    With --serve the workers go on, and the console's address is shown.
    """
    from services.cli import demo_conversation
    from shared.app import Location

    if serve:
        _require_console(scenario)
    logs.start("ERROR")
    folder, time = _folder(), demo_conversation.clock() if scenario == "conversation" else None
    existed = folder.is_dir() and any(folder.iterdir())
    with opened(Location(folder), time) as app:
        _mark_as_demo(app, existed=existed)
        if time is not None:
            demo_conversation.show(app, time, SAMPLES)
            return
        mails = _processed_samples(app)
        if as_json():
            for name, mail in mails.items():
                output.emit({"sample": name, **mail_as_json(mail)})
        else:
            _tour(app, mails)
        if serve:
            _serve(app, port)


def _require_console(scenario: str) -> None:
    from services.cli.console import EXTRA, is_installed

    if scenario != "samples":
        raise click.UsageError("--serve shows the samples; the conversation has a clock of its own")
    if not is_installed():
        raise Problem(EXTRA)


def _serve(app: App, port: int | None) -> None:
    """Run the workers, and the console beside them, until Ctrl-C."""
    from services.cli.console import chosen
    from services.cli.up import stopping
    from services.console import server
    from services.runner import run_all

    options = chosen(None, port)
    listening = server.bound(options)
    with stopping() as stop:
        click.echo(f"\nThe console is at {server.first_address(app, listening)}; Ctrl-C stops it.", err=True)
        with server.beside(app, options, listening):
            run_all(app, stop, sources=False)


def _folder() -> Path:
    """The folder of `--data`, else the demo's own; POSTROOM_DATA names the user's desk and is ignored."""
    given: Path | None = click.get_current_context().find_root().meta.get(DATA)
    return given or DEMO_DATA


def _mark_as_demo(app: App, *, existed: bool) -> None:
    """Raise an error when the folder existed and is not the demo's own: nothing of another desk is changed."""
    from shared.store.schema import is_demo, mark_as_demo

    if existed and not is_demo(app.documents):
        raise Problem(f"{app.location.data} holds another desk; name another folder with --data")
    mark_as_demo(app.documents, app.clock.now())


def _processed_samples(app: App) -> dict[str, StoredMail]:
    """Configure the desk, hand the samples in, and run every stage; return the mails by name of sample."""
    from services.runner import run_all
    from shared.config.reading import load
    from shared.intake import RawMail
    from shared.store.configuration import apply

    apply(app.documents, load(SAMPLES / "desk.yaml"), clock=app.clock, reason="demo")
    app.directory.renew()
    paths = sorted(SAMPLES.glob("*.eml"))
    ids = app.intake.hand_over([RawMail(each.read_bytes(), INBOXES.get(each.name, "support")) for each in paths])
    run_all(app, threading.Event(), once=True, sources=False)
    return {path.name: mail for path, id_ in zip(paths, ids, strict=True) if (mail := app.mails.get(id_))}


def _tour(app: App, mails: dict[str, StoredMail]) -> None:
    _step(1, f"The demo has its own desk in {app.location.data}, with two inboxes, three people and one rule.")
    _step(2, f"{len(mails)} sample mails were handed to intake, and every stage has processed them. The outcomes:")
    output.table(("", "subject", "outcome", "record", "why"), (_row(*each) for each in mails.items()))
    _step(3, "The first mail made an incident, and the reply to it was added. The record:")
    _record(app, mails[REPLIED])
    _step(4, "A stranger named that incident's number. The mail was rejected; its journal says why:")
    _journal(app, mails[REJECTED])
    _step(5, "One mail could not become a record. It is kept with the error, and an incident reports it to the desk:")
    _letter(app, mails[BROKEN])
    _step(6, "Try these commands:")
    where, ids = shlex.quote(str(_folder())), {"replied": mails[REPLIED].id, "rejected": mails[REJECTED].id}
    output.facts((f"  {_program()} {command.format(**ids)} --data {where}", meaning) for command, meaning in HINTS)


def _step(number: int, text: str) -> None:
    click.echo(f"\n{number}. {text}\n")


def _row(name: str, mail: StoredMail) -> tuple[object, ...]:
    numbers = " ".join(record.number for record in mail.records)
    return name[:2], mail.subject, mail.outcome, numbers, mail.reason if mail.outcome in {"rejected", "dead"} else ""


def _record(app: App, mail: StoredMail) -> None:
    from services.cli.records import print_record

    record = app.records.get(mail.records[0].id) if mail.records else None
    if record is not None:
        print_record(app, record)


def _journal(app: App, mail: StoredMail) -> None:
    output.facts((("mail", mail.id), ("subject", mail.subject), ("outcome", mail.outcome)))
    steps = ((each.stage, each.decision, each.why) for each in journal_of(app, mail.id))
    output.table(("stage", "decision", "why"), steps)


def _letter(app: App, mail: StoredMail) -> None:
    from shared.store.dead_letters import LetterQuery

    for letter in app.dead_letters.recent(LetterQuery(mail_id=mail.id), 1):
        values = values_of(letter, ("stage", "reason", "incident"))
        output.facts((("dead letter", letter.id), *values.items(), ("subject", mail.subject)))


def _program() -> str:
    """The beginning of a command that does not use the servers of the environment."""
    servers = [name for name in ("POSTROOM_BROKER_URL", "POSTROOM_STORE_URL") if os.environ.get(name)]
    without = ["env", *(f"-u {name}" for name in servers)] if servers else []
    return " ".join([*without, os.environ.get("POSTROOM_COMMAND", "postroom")])
