"""`postroom demo`: a desk, a dozen sample mails, and a tour of what became of them, within seconds.

Runs on the embedded default in a folder of its own (`./postroom-demo`), whatever the environment says, so that it
never meets the user's desk. It keeps the folder, so that the commands which the tour names at its end can be tried.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from services.cli import logs, output
from services.cli.base import DATA, Command, Problem, as_json
from services.operator.mails import SHORT_ID, journal_of, mail_as_json

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


@click.command(cls=Command)
def demo() -> None:
    """Set up a desk, hand in sample mails, and show what became of them."""
    from services.queues import QUEUES
    from shared.app import App, Location

    logs.start("ERROR")
    folder = _folder()
    existed = folder.is_dir() and any(folder.iterdir())
    app = App.open(Location(folder), QUEUES)
    try:
        _mark_as_demo(app, existed=existed)
        _apply_configuration(app)
        samples = _samples()
        _hand_in(app, samples)
        _work(app)
        _tour(app, samples)
    finally:
        app.close()


def _folder() -> Path:
    """The folder of `--data`, else the demo's own; POSTROOM_DATA names the user's desk and is ignored."""
    given: Path | None = click.get_current_context().find_root().meta.get(DATA)
    return given or DEMO_DATA


def _samples() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(SAMPLES.glob("*.eml"))}


def _mark_as_demo(app: App, *, existed: bool) -> None:
    """Raise an error when the folder existed and is not the demo's own: nothing of another desk is changed."""
    from shared.store.schema import is_demo, mark_as_demo

    if existed and not is_demo(app.documents):
        raise Problem(f"{app.location.data} holds another desk; name another folder with --data")
    mark_as_demo(app.documents, app.clock.now())


def _apply_configuration(app: App) -> None:
    from shared.config.reading import load
    from shared.store.configuration import apply

    apply(app.documents, load(SAMPLES / "desk.yaml"), clock=app.clock, reason="demo")
    app.directory.renew()


def _hand_in(app: App, samples: dict[str, bytes]) -> None:
    from shared.intake import RawMail

    app.door.hand_over([RawMail(raw, INBOXES.get(name, "support")) for name, raw in samples.items()])


def _work(app: App) -> None:
    from services.runner import run_all

    run_all(app, threading.Event(), once=True, fetch=False)


def _mail_of(app: App, samples: dict[str, bytes], name: str) -> StoredMail:
    from shared.ids import mail_id

    id_ = mail_id(INBOXES.get(name, "support"), None, hashlib.sha256(samples[name]).hexdigest())
    found = app.mails.get(id_)
    assert found is not None  # every arrival has its document once the queues are empty
    return found


def _tour(app: App, samples: dict[str, bytes]) -> None:
    mails = {name: _mail_of(app, samples, name) for name in samples}
    if as_json():
        for name, mail in mails.items():
            output.emit({"sample": name, **mail_as_json(mail)})
        return
    _step(1, f"The demo has its own desk in {app.location.data}, with two inboxes, three people and one rule.")
    _step(2, f"{len(samples)} sample mails were handed to intake, and every stage has processed them. The outcomes:")
    _outcomes(mails)
    _step(3, "The first mail made an incident, and the reply to it was added. The record:")
    _record(app, mails[REPLIED])
    _step(4, "A stranger named that incident's number. The mail was rejected; its journal says why:")
    _journal(app, mails[REJECTED])
    _step(5, "One mail could not become a record. It is kept with the error, and an incident reports it to the desk:")
    _letter(app, mails[BROKEN])
    _step(6, "Try these commands:")
    _hints(mails)


def _step(number: int, text: str) -> None:
    click.echo(f"\n{number}. {text}\n")


def _outcomes(mails: dict[str, StoredMail]) -> None:
    output.table(
        ("", "subject", "outcome", "record", "why"),
        (
            (
                name[:2],
                mail.subject,
                mail.outcome,
                " ".join(record.number for record in mail.records),
                mail.reason if mail.outcome in {"rejected", "dead"} else "",
            )
            for name, mail in mails.items()
        ),
    )


def _record(app: App, mail: StoredMail) -> None:
    from services.cli.records import print_record

    record = app.records.get(mail.records[0].id) if mail.records else None
    if record is not None:
        print_record(app, record)


def _journal(app: App, mail: StoredMail) -> None:
    output.facts((("mail", mail.id), ("subject", mail.subject), ("outcome", mail.outcome)))
    output.table(
        ("stage", "decision", "why"), ((each.stage, each.decision, each.why) for each in journal_of(app, mail.id))
    )


def _letter(app: App, mail: StoredMail) -> None:
    from shared.store.dead_letters import LetterQuery

    letter = next(app.dead_letters.recent(LetterQuery(mail_id=mail.id), 1), None)
    if letter is None:
        return
    output.facts(
        (
            ("dead letter", letter.id),
            ("stage", letter.stage),
            ("reason", letter.reason),
            ("incident", letter.incident),
            ("subject", mail.subject),
        )
    )


def _hints(mails: dict[str, StoredMail]) -> None:
    where = f" --data {shlex.quote(str(_folder()))}"
    called = " ".join([*_without_servers(), os.environ.get("POSTROOM_COMMAND", "postroom")])
    first, rejected = mails[REPLIED].id[:SHORT_ID], mails[REJECTED].id[:SHORT_ID]
    for command, meaning in (
        (f"mails list{where}", "every mail and its outcome"),
        (f"mails show {rejected}{where}", "where is that mail? what every stage decided"),
        (f"mails source {first}{where}", "the exact bytes that came in"),
        (f"mails release {rejected}{where}", "let a rejected mail through, then: up --once"),
        (f"records list{where}", "what the desk has to do"),
        (f"dead-letters list{where}", "what failed; replay and discard are there too"),
        (f"doctor{where}", "is every mail accounted for?"),
    ):
        click.echo(f"  {called} {command.ljust(46)}  {meaning}")


def _without_servers() -> list[str]:
    """The beginning of a command that must not use the servers of the environment."""
    names = [name for name in ("POSTROOM_BROKER_URL", "POSTROOM_STORE_URL") if os.environ.get(name)]
    return ["env", *(f"-u {name}" for name in names)] if names else []
