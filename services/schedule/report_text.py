"""A report in three forms: text with aligned columns, an HTML table, a CSV file (RFC 4180). Pure."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from services.schedule.report_table import Group, Table

MAX_WIDTH: Final = 60
"""Columns of characters of one cell in text; the other forms have the whole."""
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
"""What spreadsheets take for the beginning of a formula; mail of strangers is in the cells."""


def as_text(table: Table) -> str:
    """The report as text."""
    return "\n".join([*_head(table), "", *_lines(table), *_tail(table)]) + "\n"


def counted(table: Table) -> str:
    """How many records it has, in words."""
    count = table.count + table.left_out
    return "1 record" if count == 1 else f"{count} records"


def _head(table: Table) -> Iterator[str]:
    yield f"{table.title}, {table.at}"
    yield counted(table)


def _tail(table: Table) -> Iterator[str]:
    if table.left_out:
        yield f"\n{table.left_out} more records are left out."


def _lines(table: Table) -> Iterator[str]:
    rows = [[_cut(each) for each in row] for group in table.groups for row in group.rows]
    widths = [max(map(width, column)) for column in zip(table.columns, *rows, strict=True)]
    for group in table.groups:
        if table.group_by:
            yield f"{table.group_by}: {group.name} ({len(group.rows)})"
        yield _line(table.columns, widths)
        yield _line(["-" * each for each in widths], widths)
        yield from (_line([_cut(each) for each in row], widths) for row in group.rows)
        yield ""


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell + " " * (most - width(cell)) for cell, most in zip(cells, widths, strict=True)).rstrip()


def _cut(text: str) -> str:
    return text if width(text) <= MAX_WIDTH else f"{text[: MAX_WIDTH - 1]}…"


def width(text: str) -> int:
    """The columns that a text takes: characters of East Asian scripts take two, combining ones none."""
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1 for each in text
    )


def as_html(table: Table) -> str:
    """The report as HTML, one table for each group."""
    parts = [f"<h2>{escape(table.title)}</h2>", f"<p>{escape(table.at)}: {escape(counted(table))}</p>"]
    parts += [_html_group(table, group) for group in table.groups]
    parts += [f"<p>{escape(each.strip())}</p>" for each in _tail(table)]
    return "\n".join(parts)


def _html_group(table: Table, group: Group) -> str:
    title = f"<h3>{escape(f'{table.group_by}: {group.name} ({len(group.rows)})')}</h3>\n" if table.group_by else ""
    head = "".join(f'<th align="left">{escape(each)}</th>' for each in table.columns)
    rows = "\n".join(f"<tr>{''.join(f'<td>{escape(each)}</td>' for each in row)}</tr>" for row in group.rows)
    return f'{title}<table border="1" cellpadding="4" cellspacing="0">\n<tr>{head}</tr>\n{rows}\n</table>'


def as_csv(table: Table) -> bytes:
    """The report as CSV in UTF-8, with a byte order mark, by which spreadsheets know the encoding."""
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator="\r\n")
    named = [table.group_by] if table.group_by and table.group_by not in table.columns else []
    writer.writerow([*named, *table.columns])
    for group in table.groups:
        for row in group.rows:
            writer.writerow([_harmless(each) for each in ([group.name] if named else []) + [*row]])
    return written.getvalue().encode("utf-8-sig")


def _harmless(cell: str) -> str:
    """A cell that no spreadsheet runs as a formula; numbers stay numbers."""
    if not cell.startswith(FORMULA):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell
