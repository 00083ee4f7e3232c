"""Tables of phrases as patterns."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from services.parser.tables import any_in_lower, any_of, literal, phrases, read

TABLE = r"""
    en  undeliver(?:ed|able) | u?nknown | not (?:be )?delivered | \bfull\b | user unknown
    de  unzustellbar | zustell(?:ung|fehler)
    ru  не доставлен
"""
TEXTS = ("undelivered mail", "nknown", "it was not delivered", "mailbox full.", "unzustellbar", "не доставлен", "hello")


@pytest.mark.parametrize("text", TEXTS)
def test_phrases_grouped_by_first_letter_match_as_one_by_one(text: str) -> None:
    expected = any(re.search(phrase, text) for phrase in phrases(TABLE))
    assert bool(any_in_lower(TABLE).search(text)) is bool(any_of(TABLE).search(text)) is expected is (text != "hello")


def test_tables_are_read_by_name_from_the_file_beside_a_module(tmp_path: Path) -> None:
    tmp_path.joinpath("words.txt").write_text("# A remark.\n\n[first]\nen  a | b\n\n[the second]\nde  [c]\n", "utf-8")
    tables = read(str(tmp_path / "words.py"))
    assert {name: phrases(table) for name, table in tables.items()} == {"first": ("a", "b"), "the second": ("[c]",)}
    assert literal(tables["the second"]) == r"\[c\]"


def test_the_files_of_tables_are_packaged() -> None:
    root = Path(__file__).parents[3]
    patterns = tomllib.loads((root / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["*"]
    files = list((root / "services").rglob("*.txt"))
    assert files
    for file in files:
        assert any(file.match(pattern) for pattern in patterns), file
