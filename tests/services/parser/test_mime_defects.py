"""The words for defects: stable, explained, and each of them documented."""

from __future__ import annotations

import re
from pathlib import Path

from services.parser.defects import MEANINGS, Defects

ROOT = Path(__file__).resolve().parents[3]
_ADDED = re.compile(r"defects\.add\(([^\n]+)\)")
_WORD = re.compile(r'"([a-z0-9-]+)"')


def words_in_code() -> set[str]:
    sources = (path.read_text("utf-8") for path in sorted((ROOT / "services" / "parser").rglob("*.py")))
    return {word for source in sources for added in _ADDED.findall(source) for word in _WORD.findall(added)}


def test_every_word_in_the_code_has_a_meaning_and_every_meaning_is_used() -> None:
    assert words_in_code() == set(MEANINGS)


def test_every_word_is_documented_with_its_meaning() -> None:
    page = (ROOT / "docs" / "parsing.md").read_text("utf-8").partition("## Defects")[2]
    rows = dict(re.findall(r"^\| `([a-z0-9-]+)` \| (.+?) \|$", page, re.MULTILINE))
    assert rows == MEANINGS


def test_words_are_kebab_case_and_keep_their_order() -> None:
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", word) for word in MEANINGS)
    defects = Defects()
    for word in ("b", "a", "b"):
        defects.add(word)
    assert defects.words() == ("b", "a")
