"""docs/operations.md: the table of metrics is that of the declarations.

`python -m tests.test_docs_operations` writes it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

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


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
