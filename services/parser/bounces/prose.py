"""Reads recipients and diagnostics out of reports written for people.

Hundreds of programs word them differently, but nearly all put the recipient at the start of a line, after a
reply code or a label, in an SMTP dialogue or in a sentence about delivery. These patterns are tried from exact to
loose; the first that finds a recipient is used.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from functools import cached_property
from itertools import accumulate
from typing import Final

from services.parser.bounces import codes
from services.parser.bounces.addresses import ADDRESS, is_robot, tidy
from services.parser.phrases import FAILURE
from services.parser.tables import alternatives
from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile

MAX_CHARS: Final = 65_536
MAX_LINE: Final = 1_000
MAX_PARAGRAPH: Final = 40
MAX_MENTIONS: Final = 50
MAX_INTRODUCTION: Final = 80


@dataclass(frozen=True, slots=True)
class Found:
    """One recipient and the text that belongs to it."""

    address: str
    diagnostic: str


@dataclass(frozen=True, slots=True)
class _Shape:
    """How a line names a recipient: at its start or `anywhere`; `code_first`: the reply code precedes the address;
    `fails`: only in a line that says that a delivery failed.
    """

    pattern: re.Pattern[str]
    anywhere: bool = False
    code_first: bool = False
    fails: bool = False

    def match(self, line: str) -> re.Match[str] | None:
        if self.fails and not FAILURE.search(line.lower()):
            return None
        return self.pattern.search(line) if self.anywhere else self.pattern.match(line)


@dataclass(frozen=True, slots=True)
class _Hit:
    """A recipient named in line `number`; its diagnostic begins at column `end`."""

    number: int
    address: str
    end: int


_LABELS: Final = alternatives(r"""
    en  recipients? | address(?:es|\(es\))? | addressed to | user(?:id|name)? | mailbox | account
    en  delivered to | to | full | error-for
    de  empf\S{1,4}nger | adresse
    fr  destinataires?
    es  destinatari[oa]s? | direcci\S{1,2}n
    it  indirizzo | destinatario
    pt  destinatári[oa]s? | endereço
    nl  geadresseerden? | ontvanger
    sv  mottagare
    da  modtager | mottaker
    fi  vastaanottaja
    pl  adresat | odbiorca
    cs  příjemce
    hu  címzett
    ru  получатель | адрес | адресат
    uk  одержувач | отримувач
    tr  alıcı
    ja  宛先 | 受信者 | 送信先
    zh  收件人 | 收件者 | 收件人地址
    ko  받는 사람 | 수신자
""")
_WIDE_LABELS: Final = "宛先|受信者|送信先|收件人|收件者|받는 사람|수신자"
"""Those of East Asia, which may have one blank or a bracket behind them."""
_VERBS: Final = (
    r"deliver\w*|undeliver\w*|send|sent|to|user|recipient|address|mailbox|account|zustell\w*|entreg\w*|remis\w*"
)
_TYPED: Final = rf"(?:smtp:|smtp <|rfc822;\s?|mailto:)?(?P<addr>{ADDRESS})"
_ON: Final = "am|le|el|il|em|op|den|d\\.|dne|w dniu|в|на|la"
"""How Exchange begins, in other languages than English, the time that it writes behind a recipient."""
_SAYS: Final = "was|has|is|cannot|could|does|no|user|mailbox|unknown|reason|error|failed"


def _shape(pattern: str, *, anywhere: bool = False, code_first: bool = False, fails: bool = False) -> _Shape:
    return _Shape(lazy_compile(pattern, re.IGNORECASE), anywhere, code_first, fails)


_SHAPES: Final = (
    # a list manager refuses a stranger, and names the list
    _shape(rf".{{0,80}}\bmember (?:of|on) .{{0,40}}?<?(?P<addr>{ADDRESS})"),
    # <bob@example.com>: the reason
    _shape(
        rf"[\s*+>\-#.|\"'\[(]{{0,40}}<?{_TYPED}>?[\"')\]]?"
        rf"(?=\s*$|\s*[:;,(\[{{<]|\s*\.\.\.|\s+[-\u2013]|\s+on\s|\s+(?:{_ON})\s\d|\s+(?:{_SAYS})\b)"
    ),
    # 550 5.1.1 <bob@example.com>... the reason
    _shape(
        rf"[\s<>*\-]{{0,20}}[45]\d\d[ -](?:#?[45]\.\d{{1,3}}\.\d{{1,3}}\)? )?"
        rf"[\w .:,;'\"]{{0,60}}?<?(?P<addr>{ADDRESS})>?",
        code_first=True,
    ),
    # Failed recipient: bob@example.com, the mark being wide or a column in East Asia
    _shape(
        rf"[\s*+>\-#.|]{{0,40}}(?:[\w'()/-]{{1,24}} ){{0,6}}?(?:{_LABELS})(?: ?\([^)\n]{{0,30}}\))?"
        rf"(?:[ \t]*+[:=>\uff1a]+|[ \t]{{2}})[ \t]*+[<\"'\[(]{{0,3}}{_TYPED}"
    ),
    # 收件人 bob@example.com, and 收件人邮件地址（bob@example.com）不存在
    _shape(rf"[\s*+>\-#.|]{{0,40}}(?:{_WIDE_LABELS})(?:邮件地址|郵件地址|地址)?[ (\uff08]{{1,3}}<?{_TYPED}"),
    # >>> RCPT TO:<bob@example.com>
    _shape(rf"(?:.{{0,60}}\b)?RCPT TO:\s*<?(?P<addr>{ADDRESS})"),
    # your message to bob@example.com could not be delivered
    _shape(rf"\b(?:{_VERBS})\b[^@\n]{{0,60}}?[\s<(\"'\[:](?P<addr>{ADDRESS})", anywhere=True),
    # bob:0:<bob@example.com> : mx.example.com : 550 the reason
    _shape(rf"(?<!FROM:)<(?P<addr>{ADDRESS})>[^\n]{{0,200}}?[\s:][45]\d\d[\s-]", anywhere=True),
    # Ihre Nachricht wurde nicht an bob@example.com zugestellt
    _shape(rf"(?:^|[\s<(\"'\[:])(?P<addr>{ADDRESS})", anywhere=True, fails=True),
)
_ANY: Final = _shape(rf"(?:^|[\s<(\"'\[:])(?P<addr>{ADDRESS})", anywhere=True)
_REPLY: Final = lazy_compile(r"^\W{0,8}[45]\d\d[ -]\S|[\s(#][45]\.\d{1,3}\.\d{1,3}\b", re.MULTILINE)
"""The reply code of a server at the start of a line, or a status code (RFC 3463) anywhere."""
_AUTHOR_ABOVE: Final = lazy_compile(r"\b(?:by|from|von|par|de|da|van|av|od|от)\s{0,3}:?\s{0,9}$", re.IGNORECASE)
_NEXT: Final = lazy_compile(rf"[>\"')\]\s]{{0,6}}[,;]\s{{0,3}}(?:and )?[<\"'(]{{0,3}}(?P<addr>{ADDRESS})")
_NOT_A_RECIPIENT: Final = lazy_compile(
    r"\W{0,20}(?:from|sender|reply-to|mail from|return-path|errors-to|message-id|contact|received|subject|"
    r"x-[\w-]{1,30}|in-reply-to|references|date|cc|reporting-mta|<<< 2\d\d|mailto|https?)\b.{0,3}[:=<]",
    re.IGNORECASE,
)


def read(text: str, *, ignore: frozenset[str] = frozenset()) -> tuple[Found, ...]:
    """Recipients in a report's own text; `ignore` are lower-case addresses of the report's sender and receiver."""
    lines = _lines(text)
    for shape in _SHAPES:
        if hits := list(_hits(lines, shape, ignore)):
            return tuple(_with_diagnostics(lines, hits))
    return ()


def in_any_language(text: str, *, ignore: frozenset[str] = frozenset()) -> tuple[Found, ...]:
    """The addresses in a text of unknown words that has the reply of a mail server; else nothing."""
    if not _REPLY.search(text, 0, MAX_CHARS):
        return ()
    lines = _lines(text)
    hits = list(_hits(lines, _ANY, ignore))
    return tuple(_with_diagnostics(lines, hits)) if hits else ()


class Mentions:
    """Finds the lines of a report that name an address. The text is split into lines once for all addresses."""

    def __init__(self, text: str) -> None:
        self._text = text

    def of(self, address: str, most: int) -> str:
        """The lines that name `address`, each with the two lines after it, at most `most` characters."""
        needle, text, starts = address.lower(), self._lowered, self._starts
        found: list[str] = []
        at, left = text.find(needle), most
        while at >= 0 and left > 0 and len(found) < MAX_MENTIONS:
            number = bisect_right(starts, at) - 1
            found.append("\n".join(self._lines[number : number + 3])[:left])
            left -= len(found[-1]) + 1
            at = text.find(needle, starts[number + 1]) if number + 1 < len(starts) else -1
        return "\n".join(found)

    @cached_property
    def _lines(self) -> list[str]:
        return _lines(self._text)

    @cached_property
    def _lowered(self) -> str:
        return "\n".join(line.lower() for line in self._lines)

    @cached_property
    def _starts(self) -> list[int]:
        """Offsets in `_lowered` at which lines begin."""
        return list(accumulate((len(line.lower()) + 1 for line in self._lines), initial=0))[:-1]


def _lines(text: str) -> list[str]:
    return [line[:MAX_LINE] for line in text[:MAX_CHARS].splitlines()]


def _hits(lines: list[str], shape: _Shape, ignore: frozenset[str]) -> Iterator[_Hit]:
    for number, line in enumerate(lines):
        if "@" not in line or _NOT_A_RECIPIENT.match(line) or not (match := shape.match(line)):
            continue
        for named in _series(line, match):
            address = tidy(named["addr"])
            if address.lower() not in ignore and not is_robot(address) and not _is_author(lines, number):
                yield _Hit(number, address, _diagnostic_at(line, named, shape))


def _is_author(lines: list[str], number: int) -> bool:
    """Whether the text above ends in `a message sent by`."""
    above = next((line for line in reversed(lines[max(0, number - 3) : number]) if line.strip()), "")
    return len(above) < MAX_INTRODUCTION and bool(_AUTHOR_ABOVE.search(above))


def _series(line: str, first: re.Match[str]) -> Iterator[re.Match[str]]:
    """An address and those that follow it in the same line with nothing but commas between."""
    following: re.Match[str] | None = first
    while following:
        yield following
        following = _NEXT.match(line, following.end())


def _diagnostic_at(line: str, match: re.Match[str], shape: _Shape) -> int:
    """Column where the diagnostic begins: after the address, or before it when the only reply code is there."""
    if shape.code_first and codes.read(line[match.end() :]).smtp is None:
        return 0
    return match.end()


def _with_diagnostics(lines: list[str], hits: list[_Hit]) -> Iterator[Found]:
    """Each address once, with the text after each of its occurrences."""
    names = {hit.address.lower(): hit.address for hit in reversed(hits)}
    words: dict[str, list[str]] = {hit.address.lower(): [] for hit in hits}
    stops = [hit.number for hit in hits[1:]] + [len(lines)]
    for hit, stop in zip(hits, stops, strict=True):
        paragraph = _paragraph(lines[hit.number + 1 : stop])
        words[hit.address.lower()] += [*_remote_reply(lines, hit.number), lines[hit.number][hit.end :], *paragraph]
    for key, said in words.items():
        yield Found(names[key], "\n".join(said).strip(" \n\t:;.>"))


def _remote_reply(lines: list[str], number: int) -> list[str]:
    """The reply above sendmail's own `554 <bob@example.com>... Remote protocol error`."""
    if "Remote protocol error" not in lines[number]:
        return []
    return [line[4:] for line in lines[max(0, number - 1) : number] if line.startswith("<<< ")]


def _paragraph(lines: list[str]) -> Iterator[str]:
    """Lines up to a blank one that no indented line follows; the first may be blank."""
    for number, line in enumerate(lines[:MAX_PARAGRAPH]):
        if line.strip():
            yield line
        elif number and not _is_indented(lines[number + 1 : number + 2]):
            return


def _is_indented(lines: list[str]) -> bool:
    return any(line[:1] in (" ", "\t") and line.strip() for line in lines)
