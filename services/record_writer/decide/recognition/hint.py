"""The record numbers that a mail names: in the subject `<type>#n`, `[type - n]` or words of our own; in the text
`[type - n]`. Pure.

Separate from the strategies, because it reads only text, and no records: a number alone proves nothing. The
administrator's own patterns run under a time-out, whatever the subject is.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import regex

from services.record_writer.decide.facts import Facts
from shared.config.model import Configuration, RecordType, folded
from shared.lazy_dataclass import dataclass
from shared.patterns import PatternTime, PatternTimeSpent
from shared.text import typed

MAX_NUMBERS: Final = 10
"""Numbers of one form that are looked up; a mail may list thousands."""
MAX_SEARCHED: Final = 100_000
"""Characters of new text in which keywords are looked for."""
DASH: Final = "[-\u00ad\u058a\u05be\u1806\u2010-\u2015\u2043\u207b\u2212\u2e3a\u2e3b\u301c\u3030\ufe58\ufe63\uff0d]"
"""The hyphen, and every dash that a mail program makes of it."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Hint:
    """A number as the mail writes it, and the type it is said to be of."""

    type: RecordType
    text: str
    serial: int


def in_subject(facts: Facts) -> Iterator[Hint]:
    """Every `[type - n]` of the subject, and the number in words of ours: these win over the thread (TI-31)."""
    configuration, subject = facts.configuration, typed(facts.mail.subject)
    yield from _with_keyword(subject, configuration)
    yield from _hints(_forms(configuration).ours.finditer(subject), configuration)


def in_body_or_loose(facts: Facts) -> Iterator[Hint]:
    """Less certain numbers (TI-31, VF-22): the configured patterns and `<type>#n` in the subject, then
    `[type - n]` in the new text.
    """
    configuration, subject, text = facts.configuration, facts.mail.subject, facts.mail.new_text[:MAX_SEARCHED]
    yield from _hints(_configured(configuration.settings.subject_patterns, subject), configuration)
    if "#" in (plain := typed(subject)):
        yield from _hints(_forms(configuration).plain.finditer(plain), configuration)
    if "[" in (text := typed(text)):
        yield from _with_keyword(unquoted(text), configuration)


def _with_keyword(text: str, configuration: Configuration) -> Iterator[Hint]:
    """Every `[type - n]`; a text without brackets, as most are, is not searched."""
    if "[" in text:
        yield from _hints(_forms(configuration).keyword.finditer(text), configuration)


def names_of_types(configuration: Configuration) -> tuple[str, ...]:
    """Every name, label and alias of a type."""
    return tuple(name for each in configuration.types for name in (each.name, each.label, *each.aliases))


def prefixes_of_types(configuration: Configuration) -> tuple[str, ...]:
    """What stands before the numbers of each type."""
    return tuple(each.prefix for each in configuration.types)


def _forms(configuration: Configuration) -> _Forms:
    return _patterns(names_of_types(configuration), prefixes_of_types(configuration))


def _hints(found: Iterable[re.Match[str] | regex.Match[str]], configuration: Configuration) -> Iterator[Hint]:
    """The different numbers among these, at most `MAX_NUMBERS`."""
    hints = (hint for match in found if (hint := _hint(match.groupdict(), configuration)))
    seen = dict[tuple[str, int], Hint]()
    for hint in hints:
        if len(seen) == MAX_NUMBERS:
            return
        if seen.setdefault((hint.type.name, hint.serial), hint) is hint:
            yield hint


@lru_cache(maxsize=16)
def _configured(patterns: tuple[str, ...], subject: str) -> Sequence[regex.Match[str]]:
    """Numbers found by the configured patterns, once for all parts of a mail; patterns without time left find none."""
    time, found = PatternTime(), list[regex.Match[str]]()
    try:
        for pattern in patterns:
            if match := time.search(pattern, subject):
                found.append(match)
    except PatternTimeSpent as spent:
        log.warning("subject_patterns_out_of_time", extra={"reason": str(spent)})
    return tuple(found)


def unquoted(text: str) -> str:
    """The text without quoted lines."""
    return "\n".join(line for line in text.split("\n") if not line.lstrip().startswith(">"))


def _hint(found: Mapping[str, Any], configuration: Configuration) -> Hint | None:
    type_ = _type_called(re.sub(DASH, "-", found.get("type") or "incident"), configuration)
    serial = serial_of(type_, found.get("number") or "", configuration) if type_ else None
    return Hint(type_, str(found["number"]), serial) if type_ and serial is not None else None


def _type_called(name: str, configuration: Configuration) -> RecordType | None:
    """The type with this name, label or alias, else with this prefix: a pattern may find the type `INC` in `INC12`."""
    shown = name.casefold()
    with_prefix = (each for each in configuration.types if each.prefix and each.prefix.casefold() == shown)
    return configuration.type_named(name) or next(with_prefix, None)


def serial_of(type_: RecordType, text: str, configuration: Configuration) -> int | None:
    """The counter in a number as it is shown (CHG12) or bare (12); a prefix may hold digits of its own.

    None for the number of another type: `[Change - INC1]` names two records, and so none.
    """
    shown = text.strip()
    others = (each for each in configuration.types if each.prefix)
    if not _is_number_of(type_, shown) and any(_is_number_of(each, shown) for each in others):
        return None
    if shown.casefold().startswith(type_.prefix.casefold()) and shown[len(type_.prefix) :].strip():
        shown = shown[len(type_.prefix) :]
    found = re.fullmatch(r"\D*(\d{1,18})\D*", shown)
    return int(found[1]) if found else None


def _is_number_of(type_: RecordType, shown: str) -> bool:
    number = shown[len(type_.prefix) :].removeprefix("-")
    return number.isdigit() and shown.casefold().startswith(type_.prefix.casefold())


@dataclass(frozen=True, slots=True)
class _Forms:
    """How a number is written: `<type>#n`, `[type - n]`, and as in the subjects of answers."""

    plain: re.Pattern[str]
    keyword: re.Pattern[str]
    ours: re.Pattern[str]


@lru_cache(maxsize=16)
def _patterns(names: tuple[str, ...], prefixes: tuple[str, ...]) -> _Forms:
    """Patterns for the names and the prefixes of all types."""
    named, number = spelled(names), rf"(?P<number>{number_of(prefixes)})"
    forms = (
        rf"(?<![\w#]){named}\s{{0,3}}#\s{{0,3}}{number}(?!\w)",
        rf"\[\s{{0,3}}{named}\s{{0,3}}{DASH}{{1,3}}\s{{0,3}}{number}\s{{0,3}}\]",
        rf"(?<!\w){named}\s{{1,3}}(?:No\s{{1,3}})?{number}\s{{1,3}}(?:has\s{{1,3}}(?:not\s{{1,3}})?been|is\s{{1,3}}already)\s",
    )
    return _Forms(*(re.compile(form, re.IGNORECASE) for form in forms))


def number_of(prefixes: Iterable[str]) -> str:
    """A pattern of a number: bare, behind one of these prefixes, or behind any short word."""
    own = "|".join(map(re.escape, sorted(filter(None, prefixes), key=len, reverse=True)))
    return rf"(?:{own or '(?!)'}|[A-Za-z]{{1,8}}-?)?\d{{1,15}}"


def spelled(names: Iterable[str]) -> str:
    """A pattern of these names, the longest first, as the group `type`; blanks, `_` and dashes in a name are alike.

    A name is looked for as it is written and as it is folded: a pattern does not know that ß and ss are alike.
    """
    alike = {re.sub(r"[\s_-]+", "_", name.strip()).lower() for name in names} | {folded(name) for name in names}
    ordered, blank = sorted(filter(None, alike), key=len, reverse=True), rf"(?:[\s_]|{DASH}){{1,3}}"
    return f"(?P<type>{'|'.join(blank.join(map(re.escape, name.split('_'))) for name in ordered)})"
