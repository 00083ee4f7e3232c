"""Output of commands: JSON lines for machines, tables and facts for people, with everything unsafe escaped.

What comes from mails is shown with control characters and direction marks escaped: a subject must not move
the cursor, nor make one name look like another. rich is imported only when a terminal is there to show progress.
"""

from __future__ import annotations

import json
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, TypeVar
from unicodedata import combining, east_asian_width

import click

from services.cli.base import as_json
from services.operator.times import zone
from shared import visible
from shared.lazy_pattern import lazy_compile
from shared.text import iso

T = TypeVar("T")
safe = visible.safe
GAP: Final = "  "
TEXTS: Final = frozenset({"reason", "why"})
"""Headings of a last column whose text is never cut: it is wrapped, or stands below its row on a narrow terminal."""
MIN_TEXT: Final = 30
"""Columns on the screen below which such a text stands below its row."""
TIMES: Final = frozenset({"received", "at", "created", "polled", "tested"})
"""Headings of columns with times, which are shown without year and seconds when a terminal is too narrow."""
SHRINKING: Final[Mapping[str, int]] = {
    **dict.fromkeys(("subject", "from", "to", "addresses", "address", "name"), 10),
    **dict.fromkeys(("inbox", "type", "processor", "kind", "step", "team", "owner", "records", "tested"), 6),
}
"""Columns that are shortened when a terminal is too narrow, and their minimum width."""
_TIME: Final = lazy_compile(r"\b\d{4}-(\d\d-\d\d \d\d:\d\d):\d\d\b")
PROGRESS_DELAY_SECONDS: Final = 2.0
"""Seconds that anything may take without a progress bar."""
PROGRESS_LINE_SECONDS = 60.0
"""Seconds between two lines of progress where there is no terminal."""
_SURROGATES: Final = lazy_compile("[\ud800-\udfff]")


def quoted(text: str) -> str:
    """Mark each line of a mail's text, so that it cannot be mistaken for output of the command."""
    return "\n".join(f"| {line}".rstrip() for line in safe(text.rstrip(), breaks=True).split("\n"))


def emit(thing: object, *, err: bool = False) -> None:
    """Print one JSON object on one line, in UTF-8; invisible characters are written as JSON escapes."""
    line = json.dumps(thing, ensure_ascii=False, default=_plain)
    if not line.isascii() or "\x7f" in line:
        line = visible.UNSAFE.sub(lambda found: _escaped_in_json(found[0]), _SURROGATES.sub("\ufffd", line))
    click.echo(line, err=err)


def result(facts: Mapping[str, object], text: str) -> None:
    """Print the result of a command: its facts as one JSON object for machines, the text in one line for people."""
    if as_json():
        emit(facts)
    else:
        click.echo(safe(text))


def _escaped_in_json(character: str) -> str:
    return json.dumps(character)[1:-1] if character > "\x7f" else f"\\u{ord(character):04x}"


def _plain(value: object) -> Any:
    if isinstance(value, datetime):
        return iso(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    return str(value)


def local(at: datetime | None, timezone: str) -> str:
    """A time for people, in the desk's time zone."""
    return at.astimezone(zone(timezone)).strftime("%Y-%m-%d %H:%M:%S") if at else ""


def is_terminal() -> bool:
    """Whether a person looks at standard output."""
    return sys.stdout.isatty()


def exact_bytes(raw: bytes) -> None:
    """Write bytes to standard output as they are; a terminal gets them as text, with controls escaped."""
    if is_terminal():
        text = raw.decode("utf-8", "backslashreplace").replace("\r\n", "\n")
        click.echo(safe(text, breaks=True), nl=not text.endswith("\n"))
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(raw)


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str = "nothing") -> None:
    """Print rows in columns: fitted to the width of a terminal, in full length anywhere else."""
    cells = [[safe("" if cell is None else cell) for cell in row] for row in rows]
    if not cells:
        click.echo(empty)
    elif is_terminal():
        _fitted_table(headings, cells, shutil.get_terminal_size().columns)
    else:
        _plain_table([list(headings), *cells])


def _plain_table(rows: Sequence[Sequence[str]]) -> None:
    widths = [max(_width(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        filled = (cell + " " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True))
        click.echo(GAP.join(filled).rstrip())


def _width(text: str) -> int:
    """Columns that a text takes: East Asian wide characters take two, combining ones none (UAX 11)."""
    if text.isascii():
        return len(text)
    return sum(0 if combining(each) else 2 if east_asian_width(each) in "WF" else 1 for each in text)


def _fitted_table(headings: Sequence[str], rows: Sequence[Sequence[str]], available: int) -> None:
    """Print a table as wide as the terminal; a plain one when it is too narrow for all columns."""
    if _total([list(headings), *rows]) <= available:
        _plain_table([list(headings), *rows])
        return
    times = {place for place, heading in enumerate(headings) if heading in TIMES}
    rows = [[_TIME.sub(r"\1", cell) if place in times else cell for place, cell in enumerate(row)] for row in rows]
    count = len(headings) - (headings[-1] in TEXTS)
    inner = [row[:count] for row in rows]
    beside = fitted(headings[:count], inner, available - MIN_TEXT - len(GAP)) if count < len(headings) else None
    widths = beside or fitted(headings[:count], inner, available)
    if widths is None:
        _plain_table([list(headings), *rows])
        return
    text_at = sum(widths) + len(GAP) * count if beside else 4
    click.echo(_line(headings[: None if beside else count], widths))
    for row in rows:
        text = _wrapped(row[-1], available - text_at) if count < len(headings) else []
        first = text.pop(0) if beside and text else ""
        click.echo(_line([*row[:count], first], widths))
        for line in text:
            click.echo(" " * text_at + line)


def _total(rows: Sequence[Sequence[str]]) -> int:
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    shown = [_cut(cell, width) for cell, width in zip(cells, widths, strict=False)]
    filled = [cell + " " * (width - _width(cell)) for cell, width in zip(shown, widths, strict=True)]
    return GAP.join([*filled, *cells[len(widths) :]]).rstrip()


def _cut(text: str, width: int) -> str:
    """The text, shortened with an ellipsis when it takes more columns than `width`."""
    if _width(text) <= width:
        return text
    while _width(text) > width - 1:
        text = text[:-1]
    return f"{text}…"


def _wrapped(text: str, width: int) -> list[str]:
    """Lines of at most `width` columns, broken at blanks, and in a word that is longer."""
    lines: list[str] = []
    line = ""
    for word in text.split():
        if line and _width(f"{line} {word}") > width:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
        while _width(line) > width:
            head = next(line[:end] for end in range(len(line), 0, -1) if _width(line[:end]) <= width or end == 1)
            lines.append(head)
            line = line[len(head) :]
    return [*lines, line] if line else lines


def fitted(headings: Sequence[str], rows: Sequence[Sequence[str]], available: int) -> list[int] | None:
    """Column widths that fit, the widest columns shortened first; None when the minimum widths do not fit."""
    widths = [max(map(_width, column)) for column in zip(headings, *rows, strict=True)]
    spare = [max(0, width - SHRINKING.get(heading, width)) for heading, width in zip(headings, widths, strict=True)]
    for _ in range(sum(widths) + len(GAP) * (len(widths) - 1) - available):
        roomiest = max(range(len(spare)), key=spare.__getitem__)
        if not spare[roomiest]:
            return None
        spare[roomiest] -= 1
        widths[roomiest] -= 1
    return widths


def facts(pairs: Iterable[tuple[str, object]]) -> None:
    """Print one fact per line; unknown ones are left out."""
    known = [(name, safe(value)) for name, value in pairs if value not in (None, "", [], ())]
    width = max((len(name) for name, _ in known), default=0)
    for name, value in known:
        click.echo(f"{name.ljust(width)}  {value}")


def heading(text: str) -> None:
    """A line above a group of lines."""
    click.echo(f"\n{safe(text)}")


def progress(
    things: Iterable[T], label: str, total: int | None = None, amount: Callable[[T], int] = lambda _: 1
) -> Iterator[T]:
    """Yield the things; a terminal shows a progress bar after more than two seconds, a log a line each minute.

    `amount` says how many of the `total` one thing stands for.
    """
    if not sys.stderr.isatty():
        yield from _with_lines(things, label, total, amount)
        return
    started, bar, done = time.monotonic(), None, 0
    try:
        for thing in things:
            if bar is None and time.monotonic() - started > PROGRESS_DELAY_SECONDS:
                bar = _bar(label, total, done)
            yield thing
            done += amount(thing)
            if bar is not None:
                bar.update(bar.task_ids[0], completed=done)
    finally:
        if bar is not None:
            bar.stop()


def _with_lines(things: Iterable[T], label: str, total: int | None, amount: Callable[[T], int]) -> Iterator[T]:
    said, done = time.monotonic(), 0
    for thing in things:
        yield thing
        done += amount(thing)
        if not as_json() and time.monotonic() - said >= PROGRESS_LINE_SECONDS:
            said = time.monotonic()
            click.echo(f"{label}: {done}" + (f" of {total}" if total else ""), err=True)


@contextmanager
def watching(label: str, seen: Callable[[], str] | None = None) -> Iterator[None]:
    """Show the progress of the work in this block on a terminal, once it has taken two seconds.

    `seen` returns the text of the line; without it the line shows the elapsed seconds.
    """
    if not sys.stderr.isatty():
        yield
        return
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(label, seen or _seconds(), over), daemon=True, name="progress")
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _seconds() -> Callable[[], str]:
    started = time.monotonic()
    return lambda: f"{time.monotonic() - started:.0f} s"


def _watch(label: str, seen: Callable[[], str], over: threading.Event) -> None:
    if over.wait(PROGRESS_DELAY_SECONDS):
        return
    from rich.console import Console

    with Console(stderr=True, markup=False).status(label) as status:
        while not over.wait(0.5):
            status.update(f"{label}: {seen()}")


def _bar(label: str, total: int | None, done: int) -> Any:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    bar.add_task(label, total=total, completed=done)
    bar.start()
    return bar
