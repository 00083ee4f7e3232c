"""Reads tables of phrases: one row a language, its code first, then the phrases with ` | ` between them.

Further rows with the same code continue a row. Separate because the word lists of mail systems and of mail
programs have the same form.
"""

from __future__ import annotations

import re


def phrases(table: str) -> tuple[str, ...]:
    """All phrases of a table, in order, each once."""
    rows = (row.split(None, 1)[1] for row in table.strip().splitlines() if row.strip())
    return tuple(dict.fromkeys(phrase.strip() for row in rows for phrase in row.split(" | ")))


def literal(table: str) -> str:
    """A regular expression that matches any phrase of a table literally, the longest first."""
    return "|".join(map(re.escape, sorted(phrases(table), key=len, reverse=True)))


def any_of(table: str) -> re.Pattern[str]:
    """A pattern that matches where any of the table's regular expressions does, ignoring case."""
    return re.compile("|".join(phrases(table)), re.IGNORECASE)


def any_in_lower(table: str) -> re.Pattern[str]:
    """The same for text in lower case, about eight times faster: phrases of one first letter are tried together."""
    groups: dict[str, list[str]] = {}
    for phrase in phrases(table):
        first = phrase[0] if phrase[0].isalnum() and phrase[1:2] not in ("?", "*", "+", "{") else ""
        groups.setdefault(first, []).append(phrase[len(first) :])
    return re.compile("|".join(f"{first}(?:{'|'.join(rest)})" for first, rest in groups.items()))
