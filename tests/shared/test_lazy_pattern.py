"""Patterns that are compiled at their first use."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from shared.lazy_pattern import lazy_compile

ROOT = Path(__file__).resolve().parents[2]


def modules() -> list[str]:
    """All modules with such patterns."""
    files = [path for room in ("services", "shared") for path in sorted((ROOT / room).rglob("*.py"))]
    used = [path for path in files if "lazy_compile(" in path.read_text() and path.name != "lazy_pattern.py"]
    return [".".join(path.relative_to(ROOT).with_suffix("").parts) for path in used]


@pytest.mark.parametrize("name", modules())
def test_every_pattern_of_a_module_is_valid(name: str) -> None:
    found = [each for each in vars(importlib.import_module(name)).values() if type(each).__name__ == "_LazyPattern"]
    assert [each.pattern for each in found] == [each._source for each in found]


def test_it_behaves_like_the_compiled_pattern() -> None:
    lazy, compiled = lazy_compile("(?P<word>b+)", re.IGNORECASE), re.compile("(?P<word>b+)", re.IGNORECASE)
    assert [lazy.sub("x", "aBBa"), lazy.groupindex, lazy.flags] == ["axa", compiled.groupindex, compiled.flags]
    assert [each["word"] for each in lazy.finditer("aBba")] == ["Bb"]
    assert lazy_compile(rb"\d").findall(b"a1b2") == [b"1", b"2"]


def test_nothing_is_compiled_before_the_first_use() -> None:
    invalid = lazy_compile("(")
    with pytest.raises(re.error):
        invalid.search("a")
