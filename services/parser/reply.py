"""Decides which part of a mail its sender wrote now, and who wrote a forwarded mail.

Takes the best plain text (quotations marked with `> ` where the HTML had them) and the HTML for hints.
Lines are walked once: what is quoted, and the line that announces it, is left out; from an unmarked quotation
on everything is left out; a forwarded mail stays. When nothing would remain, everything remains.
Apart from `mime`, because these are guesses about people and programs, and those are facts about bytes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from services.parser.bounces.addresses import ADDRESS
from services.parser.quotes import attribution, headerblock, markup, signature, words
from shared.contracts.mail import Address

if TYPE_CHECKING:
    from services.parser.tree import Part

MAX_CHARS: Final = 1_000_000
"""Quotations are looked for in this prefix; beyond it only lines that begin with `>` are left out."""
MAX_CANDIDATES: Final = 500
_DASHES: Final = "-_=*\u2010\u2013\u2014"
_ORIGINAL: Final = re.compile(
    rf"[\s*]{{0,6}}[{_DASHES}]{{1,40}}\s{{0,3}}(?:{words.ORIGINAL})\b.{{0,60}}$", re.IGNORECASE
)
_FORWARDED: Final = re.compile(
    rf"[\s*>]{{0,6}}(?:[{_DASHES}]{{2,40}}\s{{0,3}})?(?:{words.FORWARDED})\b.{{0,80}}?(?:[{_DASHES}]{{2,40}}|[:\uff1a])\s{{0,3}}$",
    re.IGNORECASE,
)
_MARKER_ENDS: Final = (*_DASHES, ":", "\uff1a")
_RULE: Final = re.compile(r"[\s*]{0,6}[-_=*─\u2014]{5,200}\s*$")
_FIRST: Final = frozenset("-_=*12\u2010\u2013\u2014")
_LAST: Final = frozenset("-*_>:\uff1a\u2010道写")
_MAILBOX: Final = re.compile(rf"(?P<addr>{ADDRESS})")


def new_text(text: str, html: str | None, *, is_reply: bool) -> str:
    """What the sender wrote now, without quotations, signature and legal notice of a reply.

    `is_reply` is the caller's knowledge from headers and subject; a forward is no reply. Without it only a
    quotation that is marked as such and ends the mail is left out, and signatures stay.
    """
    head, tail = text[:MAX_CHARS], text[MAX_CHARS:]
    lines = head.splitlines()
    cut = _scan(lines, is_reply=is_reply)
    if html and is_reply and not cut.found:
        cut = _scan_markup(lines, html) or cut
    kept = _kept(lines, cut, is_reply=is_reply)
    if tail and cut.end is None:
        kept += "\n" + "\n".join(line for line in tail.splitlines() if not line.startswith(">"))
    return kept.strip() or text.strip()


@dataclass(slots=True)
class _Cut:
    """What to leave out: single lines, and everything from `end` on."""

    lines: set[int] = field(default_factory=set)
    end: int | None = None
    found: bool = False


def _scan(lines: list[str], *, is_reply: bool) -> _Cut:
    cut = _Cut()
    candidates = 0
    number = 0
    while number < len(lines):
        line = lines[number].strip()
        if line and _may_announce(line):
            candidates += 1
            if candidates > MAX_CANDIDATES:
                break
            if (step := _announced(lines, number, cut, is_reply=is_reply)) is None:
                break
            number = step
        number += 1
    _quoted(lines, cut, is_reply=is_reply)
    return cut


def _may_announce(line: str) -> bool:
    """Cheap: does a line end or begin like something that comes before a quotation?"""
    first, last = line[0], line[-1]
    if first == ">":
        return False
    return last in _LAST or first in _FIRST or ":" in line[:32] or "\uff1a" in line[:16] or line.endswith("wrote")


def _may_be_marker(line: str) -> bool:
    """Cheap: markers are short and end in a dash or a colon."""
    return 4 < len(line) < 200 and line.rstrip()[-1:] in _MARKER_ENDS


def _announced(lines: list[str], number: int, cut: _Cut, *, is_reply: bool) -> int | None:
    """Note what line `number` announces; the line to go on from, or None to stop."""
    line = lines[number]
    if _may_be_marker(line) and _FORWARDED.match(line):
        return None
    if is_reply and (start := _splitter(lines, number)) is not None:
        return _stop(lines, start, cut)
    following = _next_text(lines, number)
    quoted = following is not None and lines[following].lstrip().startswith((">", "|"))
    start = attribution.start_of(lines, number, quote_follows=quoted)
    if start is None:
        return number
    start = _with_marker(lines, start)
    if quoted:
        cut.lines.update(range(start, number + 1))
        cut.found = True
        return number
    if not is_reply:
        return number
    if not _has_text(lines, start, cut):
        cut.lines.update(range(start, number + 1))
        return number
    return _stop(lines, start, cut)


def _with_marker(lines: list[str], start: int) -> int:
    """The line of an `Original Message` marker that stands directly above an attribution, else `start`."""
    above = start - 1
    return above if above >= 0 and _may_be_marker(lines[above]) and _ORIGINAL.match(lines[above]) else start


def _stop(lines: list[str], start: int, cut: _Cut) -> int | None:
    """Leave out everything from `start` on, if the sender wrote something above it."""
    if not _has_text(lines, start, cut):
        return start
    cut.end, cut.found = start, True
    return None


def _has_text(lines: list[str], end: int, cut: _Cut) -> bool:
    return any(lines[n].strip() and n not in cut.lines and not lines[n].lstrip().startswith(">") for n in range(end))


def _splitter(lines: list[str], number: int) -> int | None:
    """The line from which an unmarked quotation begins at `number`: a marker line or a header block."""
    line = lines[number]
    if _may_be_marker(line) and _ORIGINAL.match(line):
        return number
    if headerblock.at(lines, number) is None:
        return None
    above = number - 1
    while above >= 0 and not lines[above].strip():
        above -= 1
    return above if above >= 0 and _RULE.match(lines[above][:210]) else number


def _next_text(lines: list[str], number: int) -> int | None:
    """The next line with text, at most two blank lines away."""
    return next((n for n in range(number + 1, min(len(lines), number + 4)) if lines[n].strip()), None)


def _quoted(lines: list[str], cut: _Cut, *, is_reply: bool) -> None:
    """Note the lines that begin with a quote mark, and those that wrapping has torn out of them."""
    last = len(lines) if cut.end is None else cut.end
    marked = [n for n in range(last) if lines[n].lstrip()[:1] == ">"]
    if not marked:
        _quoted_by_bars(lines, cut, last)
        return
    if not is_reply and not (cut.found and _ends_in_quotation(lines, marked)):
        cut.lines.clear()
        return
    cut.found = True
    cut.lines.update(marked)
    for before in marked:
        torn = before + 1
        if (
            torn + 1 < last
            and torn not in cut.lines
            and torn + 1 in cut.lines
            and lines[torn].strip()
            and _is_torn(lines[before])
        ):
            cut.lines.add(torn)


def _quoted_by_bars(lines: list[str], cut: _Cut, last: int) -> None:
    """Bars quote only when an attribution stands above them; elsewhere they draw tables."""
    for number in sorted(cut.lines):
        below = number + 1
        while below < last and (not lines[below].strip() or lines[below].lstrip().startswith("|")):
            if lines[below].strip():
                cut.lines.add(below)
            below += 1


def _is_torn(line: str) -> bool:
    return len(line) > 64 and line.rstrip()[-1:] not in (".", "?", "!", ":", ">")


def _ends_in_quotation(lines: list[str], marked: list[int]) -> bool:
    return not any(line.strip() for line in lines[marked[-1] + 1 :])


def _kept(lines: list[str], cut: _Cut, *, is_reply: bool) -> str:
    """The lines that remain; each stretch of them may end in a signature of its own."""
    last = len(lines) if cut.end is None else cut.end
    if not is_reply:
        return "\n".join(lines[n] for n in range(last) if n not in cut.lines).strip("\n")
    parts: list[list[str]] = [[]]
    for number in range(last):
        if number not in cut.lines:
            parts[-1].append(lines[number])
        elif parts[-1]:
            parts.append([])
    kept = (signature.trimmed(part) for part in parts)
    return "\n\n".join("\n".join(part) for part in kept if part)


def _scan_markup(lines: list[str], html: str) -> _Cut | None:
    """A cut where the HTML marks a quotation whose first words the text has too."""
    needle = markup.quotation(html)
    if len(needle) < 8:
        return None
    squashed, starts = "", []
    for line in lines:
        starts.append(len(squashed))
        squashed += markup.squashed(line)
        if len(squashed) > 200_000:
            break
    at = squashed.find(needle)
    number = next((n for n in range(len(starts) - 1, -1, -1) if starts[n] <= at), None) if at > 0 else None
    return _Cut(end=number, found=True) if number else None


def forwarded_from(text: str, subject: str, *, root: Part | None = None) -> Address | None:
    """The sender of a forwarded mail: of an attached one when `root` has it, else of the one in the text."""
    by_subject = bool(words.FORWARD_SUBJECT.match(subject))
    if by_subject and root is not None and (attached := _attached_sender(root)):
        return attached
    lines = text[:100_000].splitlines()
    for number, line in enumerate(lines[:2000]):
        if _may_be_marker(line) and _FORWARDED.match(line):
            return _sender_below(lines, number + 1)
        if by_subject and headerblock.role_of(line) and (block := headerblock.at(lines, number)):
            return _mailbox(block.sender)
    return None


def _attached_sender(root: Part) -> Address | None:
    mail = next((p for p in root.children if p.content_type == "message/rfc822" and p.children), None)
    return _mailbox(str(mail.children[0].headers.get("from") or "")) if mail else None


def _sender_below(lines: list[str], start: int) -> Address | None:
    bare = [line.lstrip("> \t") for line in lines[start : start + 30]]
    for number, line in enumerate(bare[:12]):
        if headerblock.role_of(line) == "from":
            value = " ".join(part.strip() for part in bare[number : number + 2])
            return _mailbox(re.split("[:\uff1a]", value, maxsplit=1)[1])
    return None


def _mailbox(value: str) -> Address | None:
    """Name and address out of the ways in which programs show them."""
    match = _MAILBOX.search(value[:1000])
    if match is None:
        return None
    local, _, domain = match["addr"].removeprefix("mailto:").rpartition("@")
    name = re.sub(r"[\[<(]?(?:mailto:)?$", "", value[: match.start()].strip()).strip(" \"'*\t<[(")
    return Address(name=name, address=f"{local}@{_ascii(domain)}")


def _ascii(domain: str) -> str:
    lower = domain.lower()
    if lower.isascii():
        return lower
    try:
        return lower.encode("idna").decode("ascii")
    except UnicodeError:
        return lower
