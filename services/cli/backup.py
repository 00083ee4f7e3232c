"""`postroom backup` and `postroom restore`: the data folder of the embedded default in one checked file."""

from __future__ import annotations

from pathlib import Path

import click

from services.cli import output
from services.cli.base import Command, location
from shared.embedded.backup import Rows
from shared.embedded.backup import backup as copy_to
from shared.embedded.backup import restore as copy_from

SHOWN = {"c_mails": "mails", "c_records": "records", "c_people": "people", "c_outbox": "outgoing", "queue": "messages"}
"""Table → its name in the summary."""
FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(cls=Command)
@click.argument("file", type=FILE)
def backup(file: Path) -> None:
    """Copy store and queues into one new file, while Postroom runs; the copy is checked.

    For RabbitMQ and MongoDB use their own tools: docs/operations.md, "Files and backup".
    """
    _show("backed up", file, copy_to(_data(), file))


@click.command(cls=Command)
@click.argument("file", type=FILE)
@click.option("--replace", is_flag=True, help="Replace the contents of the data folder.")
def restore(file: Path, *, replace: bool) -> None:
    """Put a backup into the data folder (--data), which must be empty. Stop Postroom before."""
    if not file.is_file():
        raise click.UsageError(f"there is no file {file}")
    _show("restored", file, copy_from(file, _data(), replace=replace))


def _data() -> Path:
    where = location()
    if where.broker_url or where.store_url:
        raise click.UsageError(
            "this is for the embedded default; POSTROOM_BROKER_URL or POSTROOM_STORE_URL is set: "
            'docs/operations.md, "Files and backup", has the commands for RabbitMQ and MongoDB'
        )
    return where.data


def _show(done: str, file: Path, rows: Rows) -> None:
    counts = {name: rows.get(table, 0) for table, name in SHOWN.items()}
    summary = ", ".join(f"{name} {count}" for name, count in counts.items())
    output.result({"file": str(file), **counts}, f"{done} {file}: {summary}")
