"""docs/operations.md: the table of metrics is that of the declarations.

`python -m tests.test_docs_operations` writes it.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Final

import click

from services.cli.main import cli
from services.figures.declarations import FIGURES

PAGE: Final = Path(__file__).parents[1] / "docs" / "operations.md"
BEGIN, END = "<!-- metrics: generated -->\n", "<!-- end -->\n"


def table() -> str:
    """The table of metrics."""
    rows = [
        f"| `{each.name}` | {each.kind} | {', '.join(each.labels) or '–'} | {each.help} |"
        f"{' yes' if each.from_store else ''} |"
        for each in FIGURES
    ]
    return "\n".join(["| metric | kind | labels | meaning | store |", "|---|---|---|---|---|", *rows, ""])


def written(page: str) -> str:
    """The page with the table as it has to be."""
    return re.sub(f"{BEGIN}.*{END}", lambda _: f"{BEGIN}{table()}{END}", page, flags=re.DOTALL)


def test_the_table_of_metrics_is_that_of_the_declarations() -> None:
    page = PAGE.read_text("utf-8")
    assert BEGIN in page
    assert written(page) == page, "write it with: python -m tests.test_docs_operations"


def usage_error(words: str) -> str | None:
    """Why the program does not understand a command line; None when it does. Nothing is run."""
    command: click.Command = cli
    rest, name = shlex.split(words), "postroom"
    try:
        while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
            name, found, rest = command.resolve_command(click.Context(command), rest)
            command = found or command
        command.make_context(name or "", rest)
    except click.UsageError as error:
        return None if "does not exist" in error.format_message() else error.format_message()
    return None


def test_each_command_that_helps_against_an_alert_is_complete() -> None:
    """Who is woken by an alert copies it; elsewhere the pages name commands without what they act on."""
    alerts = PAGE.read_text().partition("\n## Alerts\n")[2].partition("\n## ")[0]
    commands = re.findall(r"`postroom ([^`…]+)`", alerts)
    assert len(commands) > 10
    assert {each: why for each in commands if (why := usage_error(each))} == {}


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
