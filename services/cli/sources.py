"""Raw mails from what a person names on the command line: a file, a folder, an mbox, or standard input.

A folder is read with everything below it, in order of names; hidden files are left out, and beside `*.eml` or
`*.mbox` files everything else is. Only `*.mbox` files are split into mails: in any other file a first line `From `
belongs to that one mail. Files are read one at a time, and nothing larger than `LARGEST` is read at all.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import click

from services.cli import output
from shared.lazy_pattern import lazy_compile

LARGEST: Final = 256 * 1024 * 1024
"""Bytes of one mail; the parser's own bound is lower."""
MAIL_ENDINGS: Final = (".eml", ".mbox")
"""A folder that has such files holds mails in these alone; in any other folder every file is a mail (Maildir)."""
STANDARD_INPUT: Final = "-"
_TIME: Final = lazy_compile(rb"\d\d:\d\d")
_HEADER: Final = lazy_compile(rb"[!-9;-~]+[ \t]*:")
_ESCAPED: Final = lazy_compile(rb">+From ")


@dataclass(frozen=True, slots=True)
class Source:
    """One mail and where it was found: a path, `path#3` for the third mail of an mbox, or `-`.

    `error` says why there are no bytes.
    """

    path: str
    raw: bytes = b""
    error: str | None = None


def mails(named: str) -> Iterator[Source]:
    """The mails that an argument of the command line names. A path that does not exist is a usage error."""
    if named == STANDARD_INPUT:
        yield _whole(STANDARD_INPUT, sys.stdin.buffer)
        return
    path = Path(named)
    if not path.exists():
        raise click.UsageError(f"there is no file or folder {named!r}")
    for file in files(path):
        yield from _of_file(file)


def some_mails(named: str) -> Iterator[Source]:
    """The same as `mails`; prints a message when there are none."""
    number = 0
    for number, each in enumerate(mails(named), 1):  # noqa: B007 - counts
        yield each
    if not number:
        click.echo(f"no mail is in {output.safe(named)}", err=True)


def files(path: Path) -> Iterator[Path]:
    """The files of a path (the file itself, or those in the folder), in order of names."""
    if not path.is_dir():
        yield path
        return
    for folder, below, names in os.walk(path):
        below[:] = sorted(name for name in below if not name.startswith("."))
        shown = [name for name in sorted(names) if not name.startswith(".")]
        named_mails = [name for name in shown if name.lower().endswith(MAIL_ENDINGS)]
        yield from (Path(folder, name) for name in named_mails or shown)


def count(named: str) -> int | None:
    """How many files there are to read, for a progress bar; None when that is not known."""
    path = Path(named)
    return sum(1 for _ in files(path)) if named != STANDARD_INPUT and path.is_dir() else None


def _of_file(path: Path) -> Iterator[Source]:
    try:
        with path.open("rb") as file:
            if path.suffix.lower() == ".mbox":
                yield from split(str(path), file)
            else:
                yield _whole(str(path), file)
    except OSError as error:
        yield Source(str(path), error=f"cannot be read: {error.strerror or error}")


def _whole(path: str, file: BinaryIO) -> Source:
    raw = file.read(LARGEST + 1)
    return Source(path, raw) if len(raw) <= LARGEST else _too_large(path)


def _too_large(path: str) -> Source:
    return Source(path, error=f"mail-size: larger than {LARGEST >> 20} MB")


def split(path: str, file: BinaryIO) -> Iterator[Source]:
    """The mails of an mbox (RFC 4155): one after each separator line, `>From ` undone."""
    mail: _Growing | None = None
    number, blank = 0, True
    held: bytes | None = None
    for line in _lines(file):
        if held is not None:
            if mail is None or _TIME.search(held) or _HEADER.match(line):
                if mail is not None:
                    yield mail.done(path, number)
                mail, number = _Growing(), number + 1
            else:
                mail.add(held)
            held = None
        if blank and line.startswith(b"From "):
            held = line
        else:
            mail = mail or _Growing()
            mail.add(line)
        blank = not line.strip(b"\r\n")
    if held is not None and mail is not None and not _TIME.search(held):
        mail.add(held)
    if mail is not None and not mail.is_blank:
        yield mail.done(path, number or 1)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines, those without an end in pieces of bounded size."""
    while line := file.readline(1 << 20):
        yield line


class _Growing:
    """A mail of an mbox whose end has not been seen."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.size = 0

    @property
    def is_blank(self) -> bool:
        """Whether nothing but line breaks was seen."""
        return not any(line.strip(b"\r\n") for line in self.lines)

    def add(self, line: bytes) -> None:
        """One more line; beyond the bound they are only counted."""
        self.size += len(line)
        if self.size <= LARGEST:
            self.lines.append(line[1:] if _ESCAPED.match(line) else line)

    def done(self, path: str, number: int) -> Source:
        """The mail, without the blank line that belongs to the next separator."""
        where = f"{path}#{number}"
        if self.size > LARGEST:
            return _too_large(where)
        if len(self.lines) > 1 and self.lines[-1] in {b"\n", b"\r\n"}:
            self.lines.pop()
        return Source(where, b"".join(self.lines))
