"""The tables of docs/commands.md say what happens, for every combination.

`python -m tests.test_docs_commands` writes them anew; it takes some minutes.
"""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from services.record_writer.decide.commands.commanded import PLANNERS, WITHOUT_RECORD
from shared.app import Location
from shared.config.keys import COMMANDS
from tests.command_table import TABLES, Combination, Result, Table, rendered, results
from tests.desk import Desk

PAGE: Final = Path(__file__).parents[1] / "docs" / "commands.md"
BEGINNING: Final = "## What each does\n"
INTRODUCTION: Final = """
A test runs each combination of sender, record and switches; those with the same result are one row here. The call
belongs to Jane and is owned by Tom, the approval is owned by Bob. `–`: there is no such record, or no answer. Switches
that are not named have their defaults; `any`: it makes no difference.

"""


@cache
def outcome(table: Table, switch: str) -> dict[Combination, Result]:
    """What a fresh desk does with every mail under these switches."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("PYTEST_DEBUG_TEMPROOT")) as folder:  # as other tests do
        desk = Desk(Location(Path(folder) / "data"))
        try:
            return dict(results(desk, table, switch))
        finally:
            desk.close()


def tables() -> str:
    """The end of the page."""
    found = [rendered(table, _all_of(table)) for table in TABLES]
    return BEGINNING + INTRODUCTION + "\n".join(found)


def _all_of(table: Table) -> dict[Combination, Result]:
    return {each: result for switch in table.switches for each, result in outcome(table, switch).items()}


@pytest.mark.req("VF-13", "VF-15", "VF-17", "VF-18", "VF-19", "TI-32")
@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.title)
def test_the_page_says_what_happens(table: Table) -> None:
    found = _all_of(table)
    assert list(found.keys()) == [(*each[:2], switch) for switch in table.switches for each in _pairs(table)]
    assert rendered(table, found) in PAGE.read_text("utf-8")


def _pairs(table: Table) -> list[tuple[str, str]]:
    return [(sender, state) for sender in table.senders for state in table.states]


def test_the_page_has_a_table_for_every_command() -> None:
    assert {*PLANNERS, *WITHOUT_RECORD} == set(COMMANDS)
    titles = " ".join(table.title.casefold() for table in TABLES)
    assert all(each in titles for each in (*PLANNERS, "create", "mycalls"))
    assert PAGE.read_text("utf-8").count("\n### ") == len(TABLES)


if __name__ == "__main__":
    text = PAGE.read_text("utf-8")
    PAGE.write_text(text[: text.index(BEGINNING)] + tables(), "utf-8")
