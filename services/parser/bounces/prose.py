"""Reads recipients and diagnostics out of reports written for people.

Hundreds of programs word them differently, but nearly all set the recipient at the start of a line, behind a
label, in an SMTP dialogue or in a sentence about delivery. Those shapes are tried from exact to loose; the
first that finds somebody decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from services.parser.bounces import codes
from services.parser.bounces.addresses import ADDRESS, is_robot, tidy

MAX_CHARS: Final = 65_536
MAX_LINE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Found:
    """One recipient and the words that stand with it."""

    address: str
    diagnostic: str


_STARTS: Final = re.compile(
    rf"[\s*+>\-\#.|\"'\[(]{{0,40}}<?(?:smtp:|rfc822;\s?|mailto:)?(?P<addr>{ADDRESS})>?[\"')\]]?"
    r"(?=\s*$|\s*[:;,(\[{<]|\s*\.\.\.|\s+[-\u2013]|\s+on\s|\s+(?:was|has|is|cannot|could|does|no|user|mailbox|unknown|reason|error|failed)\b)",
    re.IGNORECASE,
)
_LABEL: Final = re.compile(
    rf"""[\s*+>\-\#.|]{{0,40}}
    (?:[\w'()/-]{{1,24}}[ ]){{0,6}}?
    (?:recipients?|address(?:es|\(es\))?|addressed[ ]to|user(?:id|name)?|mailbox|account|destinat[a-z]+|
       delivered[ ]to|error-for|to|full|empf\S{{1,4}}nger|adress[ae]|destinatari[oa]s?|destinataires?|indirizzo)
    (?:[ ]?\([^)\n]{{0,30}}\))?[ \t]*[:=>]+[ \t]*
    [<"'\[(]{{0,3}}(?:smtp:|rfc822;\s?|mailto:)?(?P<addr>{ADDRESS})""",
    re.IGNORECASE | re.VERBOSE,
)
_REPLY: Final = re.compile(
    rf"[\s<>*\-]{{0,20}}[45]\d\d[ -](?:\#?[45]\.\d{{1,3}}\.\d{{1,3}}\)?[ ])?[\w .:,;'\"]{{0,60}}?<?(?P<addr>{ADDRESS})>?",
    re.IGNORECASE,
)
_RCPT: Final = re.compile(rf"(?:.{{0,60}}\b)?RCPT TO:\s*<?(?P<addr>{ADDRESS})", re.IGNORECASE)
_SENTENCE: Final = re.compile(
    r"\b(?:deliver\w*|undeliver\w*|send|sent|to|user|recipient|address|mailbox|account|zustell\w*|entreg\w*|remis\w*)\b"
    rf"[^@\n]{{0,60}}?[\s<(\"'\[:](?P<addr>{ADDRESS})",
    re.IGNORECASE,
)
_LIST: Final = re.compile(rf".{{0,80}}\bmember (?:of|on) .{{0,40}}?<?(?P<addr>{ADDRESS})", re.IGNORECASE)
_NOT_A_RECIPIENT: Final = re.compile(
    r"\W{0,20}(?:from|sender|reply-to|mail from|return-path|errors-to|message-id|contact|received|subject|"
    r"x-[\w-]{1,30}|in-reply-to|references|date|cc|reporting-mta|<<< 2\d\d|mailto|https?)\b.{0,3}[:=<]",
    re.IGNORECASE,
)


def read(text: str, *, ignore: frozenset[str] = frozenset()) -> tuple[Found, ...]:
    """Recipients in a report's own text; `ignore` are lower-case addresses of the report's sender and receiver."""
    lines = [line[:MAX_LINE] for line in text[:MAX_CHARS].splitlines()]
    for shape in _SHAPES:
        hits = list(_hits(lines, shape, ignore))
        if hits:
            return tuple(_with_diagnostics(lines, hits))
    return ()


_Hit = tuple[int, str, int]


def _hits(lines: list[str], shape: Callable[[str], re.Match[str] | None], ignore: frozenset[str]) -> Iterator[_Hit]:
    for number, line in enumerate(lines):
        if "@" not in line or _NOT_A_RECIPIENT.match(line):
            continue
        if match := shape(line):
            address = tidy(match["addr"])
            if address.lower() not in ignore and not is_robot(address):
                yield number, address, _words_from(line, match, shape)


def _words_from(line: str, match: re.Match[str], shape: Callable[[str], re.Match[str] | None]) -> int:
    """Where the diagnostic begins: behind the address, unless the reply code stands before it and no other after it."""
    if shape == _REPLY.match and codes.read(line[match.end() :]).smtp is None:
        return 0
    return match.end()


_SHAPES: Final = (_LIST.match, _STARTS.match, _REPLY.match, _LABEL.match, _RCPT.match, _SENTENCE.search)


def _with_diagnostics(lines: list[str], hits: list[_Hit]) -> Iterator[Found]:
    """Each address once, with the words after it up to the next one, and the other lines that name it."""
    merged: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for index, (number, address, end) in enumerate(hits):
        stop = hits[index + 1][0] if index + 1 < len(hits) else len(lines)
        key = address.lower()
        names.setdefault(key, address)
        merged.setdefault(key, []).extend([lines[number][end:], *_paragraph(lines[number + 1 : stop])])
    for key, words in merged.items():
        own = "\n".join(words).strip(" \n\t:;.>")
        yield Found(names[key], own)


def _paragraph(lines: list[str]) -> Iterator[str]:
    """Lines up to the first blank one that is not followed by an indented line."""
    for number, line in enumerate(lines[:40]):
        if line.strip():
            yield line
        elif number and not any(after[:1] in (" ", "\t") and after.strip() for after in lines[number + 1 : number + 2]):
            return


def mentions(text: str, address: str) -> str:
    """The lines of a report that name `address`, each with the two lines after it."""
    lines = [line[:MAX_LINE] for line in text[:MAX_CHARS].splitlines()]
    needle = address.lower()
    taken = [number for number, line in enumerate(lines) if needle in line.lower()]
    return "\n".join("\n".join(lines[number : number + 3]) for number in taken[:50])
