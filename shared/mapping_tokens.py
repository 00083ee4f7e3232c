"""Tokens of a field mapping, whatever the case: @From, @To[N], @CC[N], @FirstName, @LastName, @Subject, @Body (IV-32).

`@@` is an @, and an address (`ops@body.example`) is text. One grammar for filling templates and for checking them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from shared.lazy_pattern import lazy_compile

NAMES: Final = ("From", "To", "CC", "FirstName", "LastName", "Subject", "Body")
_TEXT: Final = r"@@ | (?<![\w.+-]) [\w.+-]+ @ [\w-]+ (?: \.[\w-]+ )+"
TOKEN: Final = lazy_compile(
    rf"""{_TEXT}
      | @(?P<list>To|CC) (?: \[ \s* (?P<index>-?\d{{0,9}}) \s* \] | (?!\w) )
      | @(?P<name>FirstName|LastName|From|Subject|Body) (?!\w)
    """,
    re.IGNORECASE | re.VERBOSE,
)
"""A token, or a text with an @ that is not a token: then `list` and `name` are empty."""
_LOOKS_LIKE_ONE: Final = lazy_compile(
    rf"{_TEXT} | (?P<before>\w?) @ (?P<word>[^\W\d_]\w*) (?P<index>\[[^\]]*\]?)?", re.VERBOSE
)
_INDEX: Final = lazy_compile(r"\[\s*-?\d{0,9}\s*\]")


def has_token(template: str) -> bool:
    """Whether a template has a token."""
    return any(found["list"] or found["name"] for found in TOKEN.finditer(template))


def constant_of(template: str) -> str:
    """The text of a template without tokens."""
    return template.replace("@@", "@")


def with_sample(template: str, sample: str) -> str:
    """The template with each token replaced by a sample value."""
    return TOKEN.sub(lambda found: sample if found["list"] or found["name"] else constant_of(found[0]), template)


def words(template: str) -> Iterator[tuple[str, bool, bool]]:
    """Each `@word`, whether it follows a letter or digit directly, and whether its index is not a number."""
    for found in _LOOKS_LIKE_ONE.finditer(template):
        if word := found["word"]:
            indexed = word.casefold() in {"to", "cc"} and found["index"] is not None
            yield word, bool(found["before"]), indexed and not _INDEX.fullmatch(found["index"])
