"""Raw mails from files: one mail, an mbox, or a folder of them (Maildir too).

A folder is read with everything below it, in order of names; hidden files are left out, of a Maildir everything but its
mails, and beside `*.eml` or `*.mbox` files everything else. Only `*.mbox` files are split into mails: in any other file
a first line `From ` belongs to that one mail. Files are read one mail at a time, and nothing larger than `LARGEST` is
read at all.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile

LARGEST: Final = 256 * 1024 * 1024
"""Bytes of one mail; the parser's own bound is lower."""
MAIL_ENDINGS: Final = (".eml", ".mbox")
"""A folder that has such files holds mails in these alone; in any other folder every file is a mail (Maildir)."""
MBOX_ENDING: Final = ".mbox"
_MAILDIR: Final = frozenset({"cur", "new"})
_TIME: Final = lazy_compile(rb"\d\d:\d\d")
_HEADER: Final = lazy_compile(rb"[!-9;-~]+[ \t]*:")
_ESCAPED: Final = lazy_compile(rb">+From ")


@dataclass(frozen=True, slots=True)
class Source:
    """One mail and where it was found: a path, `path#3` for the third mail of an mbox, or `-`.

    `error` says why there are no bytes. A mail of the mbox `file` stands from byte `start` to byte `end` of it, and
    `separator` is the line before it, which has the time of delivery; `file` is empty for a file that is one mail.
    """

    path: str
    raw: bytes = b""
    error: str | None = None
    file: str = ""
    start: int = 0
    end: int = 0
    separator: bytes = b""


def mails_of(path: Path, *, is_mbox: bool | None = None) -> Iterator[Source]:
    """The mails of a file or folder. `is_mbox` None: a file is an mbox when its name ends with `.mbox`."""
    for file in files(path):
        if file != path and _has_no_end(file):
            yield Source(str(file), error="cannot be read: it is not a file")
            continue
        yield from _of_file(file, is_mbox=file.suffix.lower() == MBOX_ENDING if is_mbox is None else is_mbox)


def files(path: Path) -> Iterator[Path]:
    """The files of a path (the file itself, or those in the folder), in order of names.

    Of a Maildir only its mails: those in `cur` and `new`, of its own and of the folders in it.
    """
    if not path.is_dir():
        yield path
        return
    for folder, below, names in os.walk(path):
        if set(below) >= _MAILDIR:
            yield from _maildir(Path(folder))
            below.clear()
            continue
        below[:] = sorted(name for name in below if not name.startswith("."))
        shown = [name for name in sorted(names) if not name.startswith(".")]
        named_mails = [name for name in shown if name.lower().endswith(MAIL_ENDINGS)]
        yield from (Path(folder, name) for name in named_mails or shown)


def _maildir(folder: Path) -> Iterator[Path]:
    inside = sorted(each for each in folder.iterdir() if each.is_dir())
    for part in (each for each in inside if each.name in _MAILDIR):
        yield from sorted(each for each in part.iterdir() if each.is_file() and not each.name.startswith("."))
    for each in inside:
        if each.name not in _MAILDIR and all((each / part).is_dir() for part in _MAILDIR):
            yield from _maildir(each)


def _has_no_end(path: Path) -> bool:
    """Whether a path in a folder is a named pipe, a socket or a device: whoever reads it may wait for ever."""
    return not path.is_file() and path.exists()


def _of_file(path: Path, *, is_mbox: bool) -> Iterator[Source]:
    try:
        with path.open("rb") as file:
            if is_mbox:
                yield from split(str(path), file)
            else:
                yield whole(str(path), file)
    except OSError as error:
        yield Source(str(path), error=f"cannot be read: {error.strerror or error}")


def whole(path: str, file: BinaryIO) -> Source:
    """One file as one mail."""
    raw = file.read(LARGEST + 1)
    return Source(path, raw, end=len(raw)) if len(raw) <= LARGEST else Source(path, error=_too_large())


def _too_large() -> str:
    return f"mail-size: larger than {LARGEST >> 20} MB"


def split(path: str, file: BinaryIO) -> Iterator[Source]:
    """The mails of an mbox (RFC 4155): one after each separator line, `>From ` undone."""
    mail: _Growing | None = None
    number, blank, place = 0, True, 0
    held: bytes | None = None
    for line in _lines(file):
        if held is not None:
            if mail is None or _TIME.search(held) or _HEADER.match(line):
                if mail is not None:
                    yield mail.done(path, number, place - len(held))
                mail, number = _Growing(place, held), number + 1
            else:
                mail.add(held)
            held = None
        if blank and line.startswith(b"From ") and not line[5:].lstrip(b" \t").startswith(b":"):
            held = line
        else:
            mail = mail or _Growing(place)
            mail.add(line)
        blank = not line.strip(b"\r\n")
        place += len(line)
    if held is not None and mail is not None and not _TIME.search(held):
        mail.add(held)
    elif held is not None:
        place -= len(held)
    if mail is not None and not mail.is_blank:
        yield mail.done(path, number or 1, place)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """Lines, those without an end in pieces of bounded size."""
    while line := file.readline(1 << 20):
        yield line


class _Growing:
    """A mail of an mbox whose end has not been seen."""

    def __init__(self, start: int, separator: bytes = b"") -> None:
        self.lines: list[bytes] = []
        self.size = 0
        self._start, self._separator = start, separator

    @property
    def is_blank(self) -> bool:
        """Whether nothing but line breaks was seen."""
        return self.size <= LARGEST and not any(line.strip(b"\r\n") for line in self.lines)

    def add(self, line: bytes) -> None:
        """One more line; beyond the bound they are only counted."""
        self.size += len(line)
        if self.size <= LARGEST:
            self.lines.append(line[1:] if line[:1] == b">" and _ESCAPED.match(line) else line)
        else:
            self.lines.clear()

    def done(self, path: str, number: int, end: int) -> Source:
        """The mail, without the blank line that belongs to the next separator; it ends before the byte `end`."""
        where = f"{path}#{number}"
        place = (path, self._start, end, self._separator)
        if self.size > LARGEST:
            return Source(where, b"", _too_large(), *place)
        if len(self.lines) > 1 and self.lines[-1] in {b"\n", b"\r\n"}:
            self.lines.pop()
        return Source(where, b"".join(self.lines), None, *place)


def stored_at(file: BinaryIO, start: int, end: int) -> bytes:
    """The mail of an mbox between two places that `split` named, the same bytes as it gave."""
    file.seek(start)
    mail = _Growing(start)
    left = end - start
    while left > 0 and (line := file.readline(min(left, 1 << 20))):
        mail.add(line)
        left -= len(line)
    return mail.done("", 0, end).raw
