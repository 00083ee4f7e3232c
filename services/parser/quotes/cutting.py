"""Finds the old lines of a text: quoted lines, the line that announces them, an old mail below.

People also quote by themselves: they begin lines with `>`, and paste logs that begin like a mail. What nothing
announces, or what cannot be the answered mail, is noted as doubtful, for those who know the earlier mails.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import accumulate
from typing import Final

from services.parser.quotes import markup
from services.parser.quotes.announcements import Answered, Cut, cut_at, is_introduced
from shared.lazy_pattern import lazy_compile

MAX_SQUASHED: Final = 200_000
MIN_NEEDLE: Final = 8
LONG_LINE: Final = 64
MAX_SIGNED: Final = 500
"""The last lines of the sender's own text, in which a signature is looked for."""
_LINK: Final = lazy_compile(r"[<\[(]?(?:mailto:|https?://)[^\s<>\[\]()]{1,2000}[>\])]?")
MAX_ANNOUNCEMENT: Final = 6
"""Lines."""


def scan(lines: list[str], html: str | None, answered: Answered, *, is_reply: bool) -> Cut:
    """What is old in a text; without `is_reply` only a marked quotation that is announced and ends the text."""
    cut = cut_at(lines, answered, is_reply=is_reply)
    _note_marked(lines, cut, is_reply=is_reply)
    if is_reply:
        runs = _runs(lines, cut)
        if html and (cut.announced is None or cut.doubtful or (runs and runs[0][0] < cut.announced)):
            _note_markup(lines, html, cut)
        _note_unannounced(lines, cut, runs)
        _note_signature(lines[: cut.end], html or "", cut)
    return cut


def _note_signature(lines: list[str], html: str, cut: Cut) -> None:
    """Note the signature that the HTML marks; one that is all that the sender wrote is the text."""
    signature = _bare(markup.signature(html))
    if not signature:
        return
    signed = _lines_of(signature, lines)
    if any(line.strip() for n, line in enumerate(lines) if n not in signed and n not in cut.old):
        cut.signed = signed


def _note_markup(lines: list[str], html: str, cut: Cut) -> None:
    """Note the quotation that the HTML marks, if its first words are in the text.

    If no line is marked in the text, everything from there on is old. If marked lines follow closely, the lines
    between are the announcement, in a wording that no table has.
    """
    start = _line_of(markup.quotation(html), lines)
    if start is None:
        return
    if cut.doubtful and cut.end is not None and start <= cut.end + MAX_ANNOUNCEMENT:
        cut.doubtful = None
    if cut.announced is None and start and not cut.old:
        cut.end = start
    elif cut.announced is None and cut.old and start < (first := min(cut.old)) <= start + MAX_ANNOUNCEMENT:
        cut.old.update(range(start, first))
    cut.announced = start if cut.announced is None else min(start, cut.announced)


def _runs(lines: list[str], cut: Cut) -> list[list[int]]:
    """The marked lines, in runs without other text between them."""
    runs: list[list[int]] = []
    for number in sorted(number for number in cut.old if lines[number].lstrip()[:1] == ">"):
        if runs and _is_blank(lines[runs[-1][-1] + 1 : number]):
            runs[-1].append(number)
        else:
            runs.append([number])
    return runs


def _note_unannounced(lines: list[str], cut: Cut, runs: list[list[int]]) -> None:
    """Note the runs above any announcement, and those after the first one that the sender introduces."""
    is_first = True
    for run in runs:
        is_above = cut.announced is None or run[-1] < cut.announced
        if is_above or (not is_first and is_introduced(lines, run[0], cut.old)):
            cut.unannounced.update(run)
        else:
            is_first = False


def _line_of(needle: str, lines: list[str]) -> int | None:
    """The line in which words without white space begin, None when not found."""
    if len(needle) < MIN_NEEDLE:
        return None
    pieces, starts, length = [], [], 0
    for line in lines:
        starts.append(length)
        if line:
            pieces.append(markup.squashed(line))
            length += len(pieces[-1])
        if length > MAX_SQUASHED:
            break
    at = "".join(pieces).find(needle)
    return next((n for n in range(len(starts) - 1, -1, -1) if starts[n] <= at), None)


def _lines_of(signature: str, lines: list[str]) -> range:
    """The last lines that hold a signature and nothing else; an empty range when there are none."""
    texts = [_bare(line) for line in lines[-MAX_SIGNED:]]
    starts = list(accumulate(map(len, texts), initial=0))
    at = "".join(texts).rfind(signature)
    if at < 0 or at not in starts or at + len(signature) not in starts:
        return range(0)
    first = len(lines) - len(texts)
    return range(first + bisect_right(starts, at) - 1, first + bisect_left(starts, at + len(signature)))


def _bare(text: str) -> str:
    """The letters and digits of a text, without links, which programs show in their own ways."""
    return "".join(filter(str.isalnum, _LINK.sub("", text)))


def _note_marked(lines: list[str], cut: Cut, *, is_reply: bool) -> None:
    """Note the lines that begin with a quote mark, and their wrapped continuations."""
    last = next((n for n in (cut.end, cut.forward) if n is not None), len(lines))
    marked = [n for n in range(last) if lines[n].lstrip()[:1] == ">"]
    if not is_reply and not (marked and cut.announced is not None and _is_blank(lines[marked[-1] + 1 :])):
        cut.old.clear()
    elif marked:
        cut.old.update(marked)
        cut.old.update(n + 1 for n in marked if _is_torn(lines, n, cut.old))
    else:
        _note_bars(lines, cut, last)


def _is_blank(lines: list[str]) -> bool:
    return not any(line.strip() for line in lines)


def _is_torn(lines: list[str], number: int, old: set[int]) -> bool:
    """Whether the line below a long quoted one continues it: it has no mark, but quoted lines on both sides."""
    line = lines[number].rstrip()
    below = number + 1
    if len(line) <= LONG_LINE or line[-1] in ".?!:>" or below in old or below + 1 not in old:
        return False
    return bool(lines[below].strip())


def _note_bars(lines: list[str], cut: Cut, last: int) -> None:
    """Note lines that begin with a bar, only below an announcement: elsewhere bars belong to tables."""
    for number in sorted(cut.old):
        below = number + 1
        while below < last and (not lines[below].strip() or lines[below].lstrip().startswith("|")):
            if lines[below].strip():
                cut.old.add(below)
            below += 1
