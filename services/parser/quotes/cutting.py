"""Finds the old lines of a text in one pass: quoted lines, the line that announces them, an old mail below.

Three things can happen at an announcement. Marked lines follow: those are old, and the sender's text continues below.
Unmarked lines follow: everything from there on is old. A forwarded mail follows: the sender wants to
show it, so everything from there on is kept.

People also quote by themselves: they begin lines with `>`, and paste logs that begin like a mail. What nothing
announces, or what cannot be the answered mail, is noted as doubtful, for those who know the earlier mails.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from services.parser.quotes import attribution, headerblock, markers, markup, words

MAX_CANDIDATES: Final = 3_000
MAX_SQUASHED: Final = 200_000
MIN_NEEDLE: Final = 8
LONG_LINE: Final = 64
MAX_ANNOUNCEMENT: Final = 6
"""Lines."""
MAX_ANNOUNCEMENT_CHARS: Final = 2_000
_FIRST: Final = frozenset("-_=*#12\u2010\u2013\u2014")
_LAST: Final = frozenset("-*_>:\uff1a\u2010道写")


@dataclass(frozen=True, slots=True)
class Answered:
    """The answered mail, as far as the reply's headers tell: its subject, and who may have written it.

    `writers`: names and addresses of those to whom the reply goes, in lower case.
    """

    subject: str = ""
    writers: tuple[str, ...] = ()

    def is_by(self, text: str) -> bool:
        """Whether a text names one of those who may have written the mail."""
        lower = text[:MAX_ANNOUNCEMENT_CHARS].lower()
        return any(writer in lower for writer in self.writers)

    def is_headed(self, block: headerblock.Block) -> bool:
        """Whether a header block can be that of the mail: by its sender, or by its subject."""
        subject = words.bare_subject(self.subject)
        return self.is_by(block.sender) or (bool(subject) and words.bare_subject(block.subject).startswith(subject))


@dataclass(slots=True)
class Cut:
    """What is old: the lines numbered in `old`, and all from `end` on; from `forward` on a forwarded mail stays.

    `announced` is the first line that announces old text. `unannounced` are lines of `old` that nothing announces.
    `doubtful` is the line below the announcement at `end`, when that may not announce the answered mail.
    """

    old: set[int] = field(default_factory=set)
    end: int | None = None
    forward: int | None = None
    announced: int | None = None
    unannounced: set[int] = field(default_factory=set)
    doubtful: int | None = None
    pasted: int = 0
    """The line below a header block that the sender pasted."""
    looked_at: int = 0
    """Lines from the top without text of the sender's own; `old` only grows, so the number stays valid."""


def scan(lines: list[str], html: str | None, answered: Answered, *, is_reply: bool) -> Cut:
    """What is old in a text; without `is_reply` only a marked quotation that is announced and ends the text."""
    cut = Cut()
    candidates = (n for n, line in enumerate(lines) if line and _may_announce(line.strip()))
    for number, _ in zip(candidates, range(MAX_CANDIDATES), strict=False):
        if number >= cut.pasted and _notes_end(lines, number, cut, answered, is_reply=is_reply):
            break
    _note_marked(lines, cut, is_reply=is_reply)
    if is_reply:
        runs = _runs(lines, cut)
        if html and (cut.announced is None or cut.doubtful or (runs and runs[0][0] < cut.announced)):
            _note_markup(lines, html, cut)
        _note_unannounced(lines, cut, runs)
    return cut


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
        if is_above or (not is_first and _is_introduced(lines, run[0], cut)):
            cut.unannounced.update(run)
        else:
            is_first = False


def _is_introduced(lines: list[str], number: int, cut: Cut) -> bool:
    """Whether the line above, at most two blank lines away, is the sender's own and says that something follows."""
    above = next((n for n in range(number - 1, max(-1, number - 4), -1) if lines[n].strip()), None)
    return above is not None and _is_own(lines, above, cut) and lines[above].rstrip().endswith((":", "\uff1a"))


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


def _may_announce(line: str) -> bool:
    """Whether a line begins or ends as lines before a quotation do. Cheap."""
    if not line:
        return False
    if line[0] == ">":
        return markers.is_groupwise(line) or attribution.closes_bracket(line)
    return line[-1] in _LAST or line[0] in _FIRST or ":" in line[:32] or "\uff1a" in line[:16] or line.endswith("wrote")


def _notes_end(lines: list[str], number: int, cut: Cut, answered: Answered, *, is_reply: bool) -> bool:
    """Note what line `number` announces; True when no later line can change the cut."""
    if markers.is_forward(lines[number]):
        cut.forward = number
        return True
    if is_reply and (start := markers.old_mail_at(lines, number)) is not None:
        return _notes_old_mail(lines, start, number, cut, answered)
    quoted = _is_quoted_below(lines, number)
    if markers.is_groupwise(lines[number]):
        return is_reply and not quoted and _ends(lines, number, cut)
    start = attribution.start_of(lines, number, quote_follows=quoted)
    if start is None or not (quoted or is_reply):
        return False
    start -= start > 0 and markers.is_original(lines[start - 1])
    if not quoted and _ends(lines, start, cut):
        if not (answered.is_by(" ".join(lines[start : number + 1])) or markers.is_original(lines[start])):
            cut.doubtful = number + 1
        return True
    cut.old.update(range(start, number + 1))
    if quoted and cut.announced is None:
        cut.announced = start
    return False


def _notes_old_mail(lines: list[str], start: int, number: int, cut: Cut, answered: Answered) -> bool:
    """Note an old mail from line `start`; not one that the sender introduces and that is not the answered one."""
    block = headerblock.at(lines, number)
    ruled = start < number and not markers.is_plain_rule(lines[start])
    if block is None or ruled or answered.is_headed(block):
        return _ends(lines, start, cut)
    if _is_introduced(lines, start, cut):
        cut.pasted = block.end
        return False
    cut.doubtful = block.end if (ends := _ends(lines, start, cut)) else None
    return ends


def _is_quoted_below(lines: list[str], number: int) -> bool:
    """Whether the next line with text, at most two blank lines away, is marked as quoted."""
    below = next((line for line in lines[number + 1 : number + 4] if line.strip()), "")
    return below.lstrip().startswith((">", "|"))


def _ends(lines: list[str], start: int, cut: Cut) -> bool:
    """Mark everything from `start` on as old, if the sender wrote text above it."""
    while cut.looked_at < start and not _is_own(lines, cut.looked_at, cut):
        cut.looked_at += 1
    if cut.looked_at >= start:
        return False
    cut.end = start
    cut.announced = start if cut.announced is None else cut.announced
    return True


def _is_own(lines: list[str], number: int, cut: Cut) -> bool:
    line = lines[number].lstrip()
    return bool(line) and line[0] != ">" and number not in cut.old


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
