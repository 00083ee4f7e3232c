"""Reads tables of phrases: one row a language, its code first, then the phrases with ` | ` between them.

Further rows with the same code continue a row. Long tables are in text files beside the modules that use them, each
below its name in brackets.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from shared.lazy_pattern import lazy_compile


def read(module: str) -> dict[str, str]:
    """The tables by name in the text file beside a module, whose `__file__` is given."""
    sections = Path(module).with_suffix(".txt").read_text("utf-8").split("\n[")[1:]
    return dict(section.split("]\n", 1) for section in sections)


def phrases(table: str) -> tuple[str, ...]:
    """All phrases of a table, in order, each once."""
    rows = (row.split(None, 1)[1] for row in table.strip().splitlines() if row.strip())
    return tuple(dict.fromkeys(phrase.strip() for row in rows for phrase in row.split(" | ")))


def literal(table: str) -> str:
    """A regular expression that matches any phrase of a table literally, the longest first."""
    return "|".join(map(re.escape, sorted(phrases(table), key=len, reverse=True)))


def alternatives(table: str) -> str:
    """A regular expression that matches where any of the table's regular expressions does."""
    return "|".join(phrases(table))


def any_of(table: str) -> re.Pattern[str]:
    """The same, compiled to ignore case."""
    return lazy_compile(alternatives(table), re.IGNORECASE)


def any_in_lower(table: str) -> re.Pattern[str]:
    """The same for text in lower case, about eight times faster: phrases of one first letter are tried together."""
    groups: dict[str, list[str]] = {}
    for phrase in phrases(table):
        first = phrase[0] if phrase[0].isalnum() and phrase[1:2] not in ("?", "*", "+", "{") else ""
        groups.setdefault(first, []).append(phrase[len(first) :])
    return lazy_compile("|".join(f"{first}(?:{'|'.join(rest)})" for first, rest in groups.items()))


def by_alias(table: Mapping[str, str]) -> dict[str, str]:
    """Maps each word of a table's values to its key."""
    return {alias: name for name, aliases in table.items() for alias in aliases.split()}
