"""Commands: `[CLOSE#n]`, `[APPROVE#n]`, `[REJECT#n]`, `[My…]` (VF-17 to VF-19) and `[Create …]`, `[Update …]`,
`[Delete …]` (TI-32), as a mail writes them. Pure.

A command stands in the subject, or alone on the first line of the new text. Quotations and hidden HTML do not count.
What only resembles a command, because its number is malformed or its bracket is not closed, is one too: its sender
expects that something is done. `decide.commands.commanded` decides what becomes of a mail that has one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from services.record_writer.decide.facts import Facts
from services.record_writer.decide.recognition.hint import (
    DASH,
    names_of_types,
    number_of,
    prefixes_of_types,
    serial_of,
    spelled,
)
from shared.config.keys import COMMANDS
from shared.config.model import Configuration, RecordType
from shared.lazy_dataclass import dataclass
from shared.text import UNSEEN, shortened

CREATE: Final = "create"
MAX_COMMANDS: Final = 5
"""Commands of a mail that are read; two are one too many already."""
_NUMBER: Final = re.compile(r"\[\s*[a-z]+\s*#(?P<number>[^\]]*)\]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its `kind`, one of `COMMANDS`, and its `text` as written."""

    kind: str
    text: str

    @property
    def meaning(self) -> str:
        """The text in the form in which two commands are compared."""
        return "".join(self.text.split()).casefold()

    def serial(self, type_: RecordType) -> int | None:
        """The number of a record of this type, as it is shown (INC12) or bare (12); None when it names none."""
        found = _NUMBER.fullmatch(self.text)
        written = rf"(?:{re.escape(type_.prefix)}-?)?(\d{{1,15}})"
        number = re.fullmatch(written, found["number"].strip(), re.IGNORECASE) if found else None
        return int(number[1]) if number else None

    def edited(self, configuration: Configuration) -> tuple[RecordType, int | None] | None:
        """The type, and the number if it has one, that a command to create, update or delete names; None for none."""
        found = _edit(names_of_types(configuration), prefixes_of_types(configuration)).fullmatch(self.text)
        type_ = configuration.type_named(re.sub(DASH, "-", found["type"])) if found else None
        if found is None or type_ is None or (found["number"] is None) != (self.kind == CREATE):
            return None
        return type_, serial_of(type_, found["number"], configuration) if found["number"] else None


def commands_in(facts: Facts) -> tuple[Command, ...]:
    """The different commands of a mail. A mail that an operator released has none (PR-01)."""
    first_line, _ = _divided(facts.mail.new_text)
    if facts.released or not ("[" in facts.mail.subject or first_line[:1] == "["):
        return ()
    leading, anywhere = _forms(facts.configuration)
    found = [*_in_subject(facts.mail.subject, leading, anywhere), *_alone(first_line, leading)]
    return tuple({each.meaning: each for each in map(_command, found[:MAX_COMMANDS])}.values())


def without_command(facts: Facts) -> tuple[str, str]:
    """The subject and the new text of a mail without its commands."""
    leading, _ = _forms(facts.configuration)
    subject, at, text = facts.mail.subject, 0, facts.mail.new_text
    while found := leading.match(subject, at):
        at = found.end()
    first_line, rest = _divided(text)
    return subject[at:].strip(), rest if next(_alone(first_line, leading), None) else text


def _divided(text: str) -> tuple[str, str]:
    """The first line of a text in which anything is seen, and the rest."""
    line, _, rest = text.lstrip(UNSEEN).partition("\n")
    return line.strip(UNSEEN), rest


def _in_subject(subject: str, leading: re.Pattern[str], anywhere: re.Pattern[str]) -> Iterator[str]:
    """Those at the beginning, behind prefixes and tags; then `[CLOSE#12]` and its like, without an error, anywhere."""
    at = 0
    while found := leading.match(subject, at):
        yield found["command"]
        at = found.end()
    yield from (each["command"] for each in anywhere.finditer(subject, at))


def _alone(line: str, leading: re.Pattern[str]) -> Iterator[str]:
    found = leading.fullmatch(line)
    if found and found.start("command") == 0:
        yield found["command"]


def _command(text: str) -> Command:
    """The command; `[MyCalls]` and its like ask for a summary."""
    text = " ".join(text.split())
    kind = next((each for each in COMMANDS if text[1:].lstrip().casefold().startswith(each)), "summary")
    return Command(kind, shortened(text, 100))


@lru_cache(maxsize=16)
def _edit(names: tuple[str, ...], prefixes: tuple[str, ...]) -> re.Pattern[str]:
    number = rf"(?:\s?{DASH}{{1,3}}\s?(?P<number>{number_of(prefixes)}))?"
    return re.compile(rf"\[\s?(?:create|update|delete)\s{spelled(names)}{number}\s?\]", re.IGNORECASE)


def _forms(configuration: Configuration) -> tuple[re.Pattern[str], re.Pattern[str]]:
    return _patterns(names_of_types(configuration), prefixes_of_types(configuration))


@lru_cache(maxsize=16)
def _patterns(names: tuple[str, ...], prefixes: tuple[str, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """The patterns of a command at the beginning, and anywhere; all parts are bounded, so they run in linear time."""
    number, to_end = number_of(prefixes), r"[^\]]{0,80}"
    decide = rf"(?:close|approve|reject)\s{{0,3}}(?:\#{to_end}|(?:{DASH}|\s)\s{{0,3}}{number}\s{{0,3}})"
    mine = rf"my\s{{0,3}}(?:calls|requests|tasks|approvals)(?!\w){to_end}"
    numbered = rf"\w[^\]]{{0,60}}?{DASH}\s{{0,3}}{number}\s{{0,3}}"
    edit = rf"(?:create|update|delete)\s{{1,3}}(?:{spelled(names)}(?!\w){to_end}|{numbered})"
    lead = r"(?:\s{0,3}(?:[^\W\d]{1,5}(?:\[\d{1,3}\])?\s?[:\uff1a]|\[[^\[\]]{0,40}\])){0,10}?\s{0,3}"
    return (
        re.compile(rf"{lead}(?P<command>\[\s{{0,3}}(?:{decide}|{mine}|{edit})(?:\]|$))", re.IGNORECASE),
        re.compile(
            rf"(?P<command>\[\s{{0,3}}(?:close|approve|reject)\s{{0,3}}\#\s{{0,3}}{number}\s{{0,3}}\])", re.IGNORECASE
        ),
    )
