"""`postroom config`: check a file, apply it, write the stored configuration out, list its versions, go back to one."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from services.cli import base, output
from services.cli.base import PROBLEM, Command, Group, as_json, note, opened, page_options, who
from services.operator.inbox.inboxes import ConnectionCheck, check_connection
from services.operator.inbox.mail_servers import check_mail_server
from services.operator.permissions.writes import Write
from services.operator.settings import configuration
from services.operator.settings import configuration_versions as versions
from shared.config.problems import InvalidConfiguration, Problem
from shared.config.reading import STANDARD_INPUT, source_of
from shared.config.writing import to_plain, to_yaml

if TYPE_CHECKING:
    from shared.app import App
    from shared.config.model import Configuration
    from shared.mail_network.connection_test import TestResult
    from shared.store.configuration import Applied
    from shared.store.configuration_changes import ConfigurationChange

FILE = click.Path(exists=True, dir_okay=False, readable=True, allow_dash=True, path_type=Path)
NAMES_SHOWN = 20


@click.group(cls=Group)
def config() -> None:
    """Check, apply and export the configuration."""


@config.command(cls=Command)
@click.argument("file", type=FILE)
def check(file: Path) -> int:
    """Check a configuration file (- is standard input); every problem on one line. Exit code 1 when there is one.

    Notes do not count as problems: unsupported settings, settings without effect or with a risk, and secrets that are
    missing here, because they belong to the machine that runs the workers.
    """
    with output.watching("reading"):
        checked = configuration.check_file(file)
    _show_notes(checked.notes)
    if checked.problems:
        return _show_problems(checked.problems)
    if not as_json():
        click.echo(f"{source_of(file)}: no problems ({_counted(checked.counts)})")
    return 0


def _show_notes(notes: Iterable[Problem]) -> None:
    for each in notes:
        click.echo(f"note: {output.safe(each)}", err=True)


def _show_problems(problems: Iterable[Problem]) -> int:
    for each in problems:
        facts = {"source": each.source, "line": each.line or None, "path": each.path, "message": each.message}
        output.result(facts, str(each))
    return PROBLEM


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name}: {count}" for name, count in counts.items() if count) or "nothing stated"


@config.command(cls=Command)
@click.argument("file", type=FILE)
@click.option("--prune", is_flag=True, help="Delete what is missing in the file.")
@click.option("--yes", is_flag=True, help="With --prune: delete inboxes and mail servers without asking.")
@click.option("--reason", default="", metavar="TEXT", help="Reason, stored with the change.")
@click.option(
    "--test/--no-test",
    "tests",
    default=True,
    help="Test the connections of enabled inboxes and of mail servers afterwards.",
)
def apply(file: Path, *, prune: bool, yes: bool, reason: str, tests: bool) -> int:
    """Apply a configuration file (- is standard input) to the store: create and update what it states, leave the rest.

    Enabled inboxes and mail servers are connected to afterwards; a failure leaves the configuration saved and exits
    with 1.
    """
    try:
        with output.watching("reading"):
            found = configuration.read_file(file)
        _show_notes(found.notes)
        with opened() as app:
            if prune and not yes and sys.stdin.isatty():
                _confirm(app, found.stated)
            with output.watching("applying"):
                applied = configuration.apply_file(app, found, prune=prune, by=who(), reason=reason)
                if applied.changed:
                    note(app, Write.APPLIED_CONFIGURATION, f"{_as_typed(file)}: {applied.in_words}", reason)
            _report(applied)
            return _test(app, found.stated) if tests else 0
    except InvalidConfiguration as refused:
        return _show_problems(refused.problems)


def _as_typed(file: Path) -> str:
    """The path of the file, or "standard input"."""
    return source_of(file) if file == STANDARD_INPUT else str(file)


def _confirm(app: App, stated: Configuration) -> None:
    """Ask before an inbox or a mail server is deleted (IV-10, VS-13); without a terminal `--prune` is enough."""
    deletions = configuration.deletions_to_confirm(app, stated)
    if deletions and not click.confirm(f"Delete {output.safe(', '.join(deletions))}? No stored mail is lost", err=True):
        raise base.Problem("nothing was changed")


def _report(applied: Applied) -> None:
    done = {"created": applied.created, "updated": applied.updated, "deleted": applied.deleted}
    if as_json():
        output.emit({**done, "unchanged": applied.unchanged})
        return
    for word, names in done.items():
        for name in names[:NAMES_SHOWN]:
            click.echo(f"{word}  {output.safe(name)}")
        if len(names) > NAMES_SHOWN:
            click.echo(f"{word}  ... and {len(names) - NAMES_SHOWN} more")
    if applied.unchanged or not applied.changed:
        click.echo(f"unchanged  {len(applied.unchanged)}")


def _test(app: App, stated: Configuration) -> int:
    """Test inboxes and mail servers, each on one line; return the exit code."""
    inboxes, servers = configuration.inboxes_to_test(stated), configuration.servers_to_test(stated)
    passed = [_run_test("inbox", app, name, check_connection) for name in inboxes]
    passed += [_run_test("mail_server", app, name, check_mail_server) for name in servers]
    return 0 if all(passed) else PROBLEM


def _run_test(kind: str, app: App, name: str, check: Callable[[App, str], ConnectionCheck | TestResult]) -> bool:
    with output.watching(f"testing {output.safe(name)}"):
        found = check(app, name)
    facts = {kind: name, "test": "ok" if found.ok else "failed", "message": found.message}
    output.result(facts, f"test  {name}: {found.in_full}")
    return found.ok


@config.command(cls=Command)
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path), default="-")
def export(file: Path) -> None:
    """Write the stored configuration to FILE (- is standard output). Secrets stay references."""
    with opened(store_only=True) as app, output.watching("reading"):
        stored = configuration.stored_configuration(app)
        written = "" if as_json() or str(file) != "-" else to_yaml(stored)
    if as_json():
        output.emit(to_plain(stored))
    elif str(file) == "-":
        click.echo(written, nl=False)
    else:
        configuration.export_to(file, stored)
        click.echo(f"{output.safe(file)}: {_counted(configuration.section_counts(stored))}", err=True)


@config.command(cls=Command)
@click.argument("thing", required=False, metavar="[SECTION/NAME]")
@page_options
def history(thing: str | None, limit: int, skip: int) -> None:
    """List the changes of the configuration, the newest first: who, when, why, and what is different.

    With SECTION/NAME, such as inboxes/support, only the changes of that. Secrets are shown as references.
    """
    with opened(store_only=True) as app:
        changes = list(configuration.configuration_changes(app, limit, skip, thing=thing))
        zone = app.directory.current().settings.timezone
    for each in changes:
        if as_json():
            output.emit({key: value for key, value in asdict(each).items() if key != "id"})
        else:
            _show_change(each, zone, thing)
    if not changes and not as_json():
        click.echo("no changes")


def _show_change(change: ConfigurationChange, zone: str, thing: str | None) -> None:
    reason = f": {output.safe(change.reason)}" if change.reason else ""
    click.echo(f"{change.revision}  {output.local(change.at, zone)}  {output.safe(change.by)}{reason}")
    done = {"created": change.created, "updated": change.updated, "deleted": change.deleted}
    lines = [f"{word}  {name}" for word, names in done.items() for name in names if thing in {None, name}]
    lines += [
        f"{each.thing}  {each.key}: {each.before} → {each.after}" for each in change.keys if thing in {None, each.thing}
    ]
    for line in lines[:NAMES_SHOWN]:
        click.echo(f"    {output.safe(line)}")
    if len(lines) > NAMES_SHOWN:
        click.echo(f"    ... and {len(lines) - NAMES_SHOWN} more (--json has all)")


@config.command(cls=Command)
@click.argument("revision", type=click.IntRange(1))
def show(revision: int) -> None:
    """Print the configuration as it was in a version, by its number in `config history`. People are left out."""
    with opened(store_only=True) as app:
        if as_json():
            output.emit(to_plain(versions.version(app, revision)))
        else:
            click.echo(versions.version_text(app, revision), nl=False)


@config.command(cls=Command)
@click.argument("first", type=click.IntRange(1))
@click.argument("second", type=click.IntRange(1), required=False)
def diff(first: int, second: int | None) -> None:
    """Print what is different in version SECOND, or now, compared with version FIRST."""
    with opened(store_only=True) as app:
        lines = versions.differences_of(app, first, second)
    if as_json():
        output.emit({"first": first, "second": second, "difference": lines})
        return
    for line in lines or ["no difference"]:
        click.echo(output.safe(line))


@config.command(cls=Command)
@click.argument("revision", type=click.IntRange(1))
@click.option("--reason", required=True, metavar="TEXT", help="Reason, stored with the change.")
@click.option("--yes", is_flag=True, help="Without asking.")
def rollback(revision: int, *, reason: str, yes: bool) -> int:
    """Make the configuration what it was in a version. That is a new version; people stay as they are."""
    try:
        with opened() as app:
            seen = None
            if not yes and sys.stdin.isatty():
                seen = versions.newest(app)
                for line in versions.difference(
                    versions.current_text(app), versions.version_text(app, revision), ("now", f"version {revision}")
                ):
                    click.echo(output.safe(line), err=True)
                if not click.confirm("Make these changes?", err=True):
                    raise base.Problem("nothing was changed")
            applied = versions.roll_back(app, revision, seen=seen, by=who(), reason=reason)
            note(app, Write.ROLLED_BACK, f"to version {revision}: {applied.in_words}", reason)
            _report(applied)
    except InvalidConfiguration as refused:
        return _show_problems(refused.problems)
    return 0


@config.command(cls=Command)
def schema() -> None:
    """Print the JSON Schema of postroom.yaml, by which editors complete keys and mark errors."""
    from shared.config.json_schema import json_schema

    click.echo(json.dumps(json_schema(), indent=1))
