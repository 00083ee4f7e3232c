"""Which number does a mail name: `<type>#n` or `[type - n]` in the subject, `[type - n]` in the new text? Pure.

Separate from the strategies, because it knows how people write, and nothing of records: a number proves nothing. The
administrator's own patterns run under a time-out, so that no subject can make them run away.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import regex

from services.record_writer.decide.facts import Facts
from shared.contracts.desk import Configuration, RecordType, folded
from shared.rules import PATTERN_SECONDS

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Hint:
    """A number as the mail writes it, and the type it is said to be of."""

    type: RecordType
    text: str
    serial: int


def number_in(facts: Facts) -> Hint | None:
    """The first way of writing that finds a type and its number (TI-31, VF-22).

    In the subject the configured ones, `[type - n]` and `<type>#n`; then `[type - n]` in the new text.
    """
    return next((hint for hit in _hits(facts) if hit and (hint := _hint(hit, facts.configuration))), None)


def _hits(facts: Facts) -> Iterator[Mapping[str, Any] | None]:
    configuration, subject = facts.configuration, facts.mail.subject
    names = tuple(name for each in configuration.types for name in (each.name, each.label, *each.aliases))
    plain, keyword = _patterns(names, tuple(each.prefix for each in configuration.types))
    for pattern in configuration.settings.subject_patterns:
        yield _configured(pattern, subject)
    for built_in, text in ((keyword, subject), (plain, subject), (keyword, unquoted(facts.mail.new_text[:100_000]))):
        yield found.groupdict() if (found := built_in.search(text)) else None


def _configured(pattern: str, subject: str) -> Mapping[str, Any] | None:
    try:
        found = regex.search(pattern, subject, flags=regex.IGNORECASE, timeout=PATTERN_SECONDS)
    except TimeoutError:
        log.warning("subject_pattern_timed_out", extra={"pattern": pattern})
        return None
    return found.groupdict() if found else None


def unquoted(text: str) -> str:
    """Without lines that quote somebody, whatever kind of mail they stand in."""
    return "\n".join(line for line in text.split("\n") if not line.lstrip().startswith(">"))


def _hint(found: Mapping[str, Any], configuration: Configuration) -> Hint | None:
    type_ = configuration.type_named(found.get("type") or "incident")
    serial = serial_of(type_, found.get("number") or "") if type_ else None
    return Hint(type_, str(found["number"]), serial) if type_ and serial is not None else None


def serial_of(type_: RecordType, text: str) -> int | None:
    """The counter in a number as it is shown (CHG12) or bare (12); a prefix may hold digits of its own."""
    shown = text.strip()
    if shown.casefold().startswith(type_.prefix.casefold()) and shown[len(type_.prefix) :].strip():
        shown = shown[len(type_.prefix) :]
    found = re.fullmatch(r"\D*(\d{1,18})\D*", shown)
    return int(found[1]) if found else None


@lru_cache(maxsize=16)
def _patterns(names: tuple[str, ...], prefixes: tuple[str, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Patterns for the names of all types, the longest first; blanks, `_` and `-` in a name are alike.

    A name is looked for as it is written and as it is folded: a pattern does not know that ß and ss are alike.
    """
    alike = {re.sub(r"[\s_-]+", "_", name.strip()).lower() for name in names} | {folded(name) for name in names}
    spelled = sorted(filter(None, alike), key=len, reverse=True)
    either = "|".join(r"[\s_-]{1,3}".join(map(re.escape, name.split("_"))) for name in spelled)
    own = "|".join(map(re.escape, sorted(filter(None, prefixes), key=len, reverse=True)))
    number = rf"(?P<number>(?:{own or '(?!)'}|[A-Za-z]{{0,8}}-?)\d{{1,15}})"
    plain = re.compile(rf"(?<![\w#])(?P<type>{either})\s{{0,3}}#\s{{0,3}}{number}(?!\w)", re.IGNORECASE)
    keyword = re.compile(rf"\[\s{{0,3}}(?P<type>{either})\s{{0,3}}-\s{{0,3}}{number}\s{{0,3}}\]", re.IGNORECASE)
    return plain, keyword
