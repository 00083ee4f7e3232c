"""Raw mails from what a person names on the command line: a file, a folder, an mbox, or standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from services.cli import output
from shared.mail_files import Source, files, mails_of, whole

STANDARD_INPUT: Final = "-"


def mails(named: str) -> Iterator[Source]:
    """The mails that an argument of the command line names. A path that does not exist is a usage error."""
    if named == STANDARD_INPUT:
        yield whole(STANDARD_INPUT, sys.stdin.buffer)
        return
    yield from mails_of(existing(named))


def existing(named: str) -> Path:
    """The path that an argument names. One that does not exist is a usage error."""
    path = Path(named)
    if not path.exists():
        raise click.UsageError(f"there is no file or folder {named!r}")
    return path


def some_mails(named: str) -> Iterator[Source]:
    """The same as `mails`; prints a message when there are none."""
    number = 0
    for number, each in enumerate(mails(named), 1):  # noqa: B007 - counts
        yield each
    if not number:
        click.echo(f"no mail is in {output.safe(named)}", err=True)


def count(named: str) -> int | None:
    """How many files there are to read, for a progress bar; None when that is not known."""
    path = Path(named)
    return sum(1 for _ in files(path)) if named != STANDARD_INPUT and path.is_dir() else None
