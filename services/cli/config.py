"""`postroom config`: check a file, apply it to the store, write the stored configuration out."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from services.cli import base, output
from services.cli.base import PROBLEM, Command, Group, as_json, opened

if TYPE_CHECKING:
    from shared.app import App
    from shared.config.checks import Complaint
    from shared.config.model import Configuration
    from shared.config.problems import Problem
    from shared.config.secrets import Missing
    from shared.config.store import Applied
    from shared.config.tree import Item
    from shared.mail_network.connection_test import TestResult

FILE = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)


@click.group(cls=Group)
def config() -> None:
    """Check, apply and export the configuration."""


@config.command(cls=Command)
@click.argument("file", type=FILE)
def check(file: Path) -> int:
    """Check a configuration file; every problem on one line. Exit code 1 when there is one.

    Notes are no problems: what this version cannot do yet, and environment variables with a secret that are missing
    here, because they belong to the machine that runs the worker. A secret file that is needed has to be there.
    """
    from shared.config.problems import Refused
    from shared.config.reading import load_placed
    from shared.config.secrets import missing

    try:
        with output.watching("reading"):
            root, stated = load_placed(file)
    except Refused as refused:
        return _tell(refused.problems)
    lacking = list(missing(stated))
    problems = [each for each in lacking if each.needed and each.kept]
    _note(file, root, [*(each for each in lacking if each not in problems), *in_vain(stated)])
    if problems:
        return _tell(_placed(file, root, problems))
    if not as_json():
        click.echo(f"{file.name}: no problems ({_counted(stated)})")
    return 0


def in_vain(stated: Configuration) -> Iterator[Complaint]:
    """What a configuration asks for and this version does not do."""
    from services.fetcher import mailbox
    from services.notifier import send
    from shared.config.unheeded import Spoken, unheeded
    from shared.mail_network import sasl

    logins = (row.key for row in sasl.TABLE if row.start and not row.token)  # nobody fetches tokens yet
    yield from unheeded(stated, Spoken(mailbox.PROTOCOLS, send.PROTOCOLS, ("auto", *logins, "regular", "none")))


def _placed(file: Path, root: Item, found: Iterable[Complaint | Missing]) -> list[Problem]:
    """With the lines of the file, in their order."""
    from shared.config.problems import Problem
    from shared.config.reading import placed

    lines = [placed(Problem(each.path, each.message), root, file.name) for each in found]
    return sorted(lines, key=lambda each: each.line)


def _note(file: Path, root: Item, found: Iterable[Complaint | Missing]) -> None:
    for each in _placed(file, root, found):
        click.echo(f"note: {output.safe(each)}", err=True)


def _tell(problems: Sequence[Problem]) -> int:
    for each in problems:
        if as_json():
            output.emit({"source": each.source, "line": each.line or None, "path": each.path, "message": each.message})
        else:
            click.echo(output.safe(each))
    return PROBLEM


def _counted(stated: Configuration) -> str:
    from shared.config.model import SECTIONS

    things = {name: len(getattr(stated, name)) for name in SECTIONS if name != "settings"}
    return ", ".join(f"{name}: {count}" for name, count in things.items() if count) or "nothing stated"


@config.command(cls=Command)
@click.argument("file", type=FILE)
@click.option("--prune", is_flag=True, help="Delete what the file does not have.")
@click.option("--yes", is_flag=True, help="With --prune: delete inboxes and mail servers without asking.")
@click.option("--reason", default="", metavar="TEXT", help="Kept with the change.")
@click.option("--test/--no-test", "tests", default=True, help="Test the connection of every enabled inbox afterwards.")
def apply(file: Path, *, prune: bool, yes: bool, reason: str, tests: bool) -> int:
    """Put a configuration file into the store: create and update what it states, leave the rest.

    Enabled inboxes are connected to afterwards; a failure leaves the configuration saved and exits with 1.
    """
    from shared.config.problems import Notes, Refused
    from shared.config.reading import placed, read_bytes, read_content
    from shared.config.store import apply as apply_to_store

    try:
        with output.watching("reading"):
            root, stated = read_bytes(read_content(file), source=file.name, base=file.absolute().parent)
    except Refused as refused:
        return _tell(refused.problems)
    _note(file, root, in_vain(stated))
    with opened() as app:
        if prune and not yes and sys.stdin.isatty():
            _confirm(app, stated)
        try:
            with output.watching("applying"):
                applied = apply_to_store(app.documents, stated, prune, clock=app.clock, by=_who(), reason=reason)
        except Refused as refused:
            return _tell([placed(each, root, Notes(file.name).source) for each in refused.problems])
        _report(applied)
        app.directory.renew()
        return _test(app, stated) if tests else 0


def _who() -> str:
    return os.environ.get("USER") or os.environ.get("LOGNAME") or "operator"


def _confirm(app: App, stated: Configuration) -> None:
    """Deleting an inbox or a mail server asks first (IV-10, VS-13). A script has nobody to ask: it said `--prune`."""
    from shared.config.merge import names, pruned_sections
    from shared.config.store import read

    stored, gone = read(app.documents), []
    for section in {"inboxes", "mail_servers"} & set(pruned_sections(stated)):
        kept = names(section, getattr(stated, section))
        gone += [f"{section}/{name}" for name in names(section, getattr(stored, section)) if name not in kept]
    named = output.safe(", ".join(sorted(gone)))
    if gone and not click.confirm(f"Delete {named}? No stored mail is lost", err=True):
        raise base.Problem("nothing was changed")


def _report(applied: Applied) -> None:
    done = {"created": applied.created, "updated": applied.updated, "deleted": applied.deleted}
    if as_json():
        output.emit({**done, "unchanged": applied.unchanged})
        return
    for word, names in done.items():
        for name in names[:20]:
            click.echo(f"{word}  {output.safe(name)}")
        if len(names) > 20:
            click.echo(f"{word}  ... and {len(names) - 20} more")
    if applied.unchanged or not applied.changed:
        click.echo(f"unchanged  {len(applied.unchanged)}")


def _test(app: App, stated: Configuration) -> int:
    """Saving an enabled inbox tests its connection and keeps the result (TI-07)."""
    inboxes = [each for each in stated.inboxes if each.enabled and each.protocol != "none"]
    if not inboxes:
        return 0
    from services.runner import build_fetcher

    source = build_fetcher(app)
    passed = True
    for each in inboxes:
        with output.watching(f"testing {each.name}"):
            result = source.check(each)
        _tell_test(each.name, result)
        passed = passed and result.ok
    return 0 if passed else PROBLEM


def _tell_test(name: str, result: TestResult) -> None:
    if as_json():
        output.emit({"inbox": name, "test": "ok" if result.ok else "failed", "message": result.message})
    else:
        click.echo(f"test  {output.safe(name)}: {output.safe(result.message)}")


@config.command(cls=Command)
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path), default="-")
def export(file: Path) -> None:
    """Write the stored configuration to FILE (- is standard output). Secrets stay references."""
    from shared.config.store import read
    from shared.config.writing import to_plain, to_yaml

    with opened() as app, output.watching("reading"):
        stored = read(app.documents, people=True)
        written = "" if as_json() else to_yaml(stored)
    if as_json():
        output.emit(to_plain(stored))
    elif str(file) == "-":
        click.echo(written, nl=False)
    else:
        _write(file, written)
        click.echo(f"{output.safe(file)}: {_counted(stored)}", err=True)


def _write(file: Path, text: str) -> None:
    """Whole or not at all: an export never leaves half a file where a whole one was."""
    half = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as opened_file:
            opened_file.write(text.encode())
        half.replace(file)
    except OSError as error:
        raise base.Problem(f"{output.safe(file)} cannot be written: {error.strerror or error}") from None
    finally:
        with suppress(OSError):
            half.unlink(missing_ok=True)
