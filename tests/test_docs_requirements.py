"""Which tests prove which requirement: `docs/requirements.md` is made from the marks on the tests, and kept true.

`python -m tests.test_docs_requirements` writes the page anew.
"""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/requirements.md"
ROW = re.compile(r"(IV|TI|NE|VF|VS|PR)-\d\d")
HEAD = """# Requirements and the tests that prove them

Each row of the requirements has an id: IV and NE from Ivanti's documents, TI from Track-It!'s, VF and VS from vFire's,
PR from the pipeline's own shape. A test names the rows that it proves with `@pytest.mark.req`. This page is made from
those marks by `python -m tests.test_docs_requirements`; a test keeps it true.

"""


def marked() -> dict[str, list[str]]:
    """Row → the tests that name it."""
    found: dict[str, list[str]] = defaultdict(list)
    for file in sorted((ROOT / "tests").rglob("test_*.py")):
        for function, row in _marks(ast.parse(file.read_text("utf-8"))):
            found[row].append(f"{file.relative_to(ROOT / 'tests')}: {function.removeprefix('test_').replace('_', ' ')}")
    return found


def _marks(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef):
            continue
        for mark in node.decorator_list:
            if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.req":
                yield from ((node.name, str(ast.literal_eval(row))) for row in mark.args)


def page() -> str:
    """The page as it should be."""
    rows = marked()
    order = sorted(rows, key=lambda row: (("IV", "TI", "NE", "VF", "VS", "PR").index(row[:2]), row))
    return HEAD + "\n".join(f"## {row}\n\n" + "".join(f"- {test}\n" for test in rows[row]) for row in order)


def test_the_page_says_which_tests_prove_which_requirement() -> None:
    assert PAGE.read_text("utf-8") == page()


def test_every_mark_names_a_row() -> None:
    assert not [row for row in marked() if not ROW.fullmatch(row)]


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
