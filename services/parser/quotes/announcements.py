"""Finds the lines of a text that announce old text: attributions, markers, header blocks of answered mails.

Three things can happen at an announcement. Marked lines follow: those are old, and the sender's text continues below.
Unmarked lines follow: everything from there on is old. A forwarded mail follows: the sender wants to
show it, so everything from there on is kept. Separate from `cutting`, which reads the marks themselves.
"""

from __future__ import annotations

from dataclasses import field
from itertools import islice
from typing import Final

from services.parser.quotes import attribution, headerblock, markers, words
from shared.lazy_dataclass import dataclass

MAX_CANDIDATES: Final = 3_000
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
        return self.is_by(block.sender) or self._is_about(block)

    def is_surely_headed(self, block: headerblock.Block) -> bool:
        """Whether a header block is that of the mail: by its sender, and by its subject."""
        return self.is_by(block.sender) and self._is_about(block)

    def _is_about(self, block: headerblock.Block) -> bool:
        subject = words.bare_subject(self.subject)
        return bool(subject) and words.bare_subject(block.subject).startswith(subject)


@dataclass(slots=True)
class Cut:
    """What is old: the lines numbered in `old`, and all from `end` on; from `forward` on a forwarded mail stays.

    `announced` is the first line that announces old text. `unannounced` are lines of `old` that nothing announces.
    `doubtful` is the line below the announcement at `end`, when that may not announce the answered mail. `signed` are
    the lines of a signature that the HTML marks.
    """

    old: set[int] = field(default_factory=set)
    end: int | None = None
    forward: int | None = None
    announced: int | None = None
    unannounced: set[int] = field(default_factory=set)
    doubtful: int | None = None
    signed: range = range(0)


def cut_at(lines: list[str], answered: Answered, *, is_reply: bool) -> Cut:
    """What the announcements in a text make old; without `is_reply` only those above marked lines count."""
    return _Walk(lines, answered, is_reply).run()


def is_introduced(lines: list[str], number: int, old: set[int]) -> bool:
    """Whether the line above, at most two blank lines away, is the sender's own and says that something follows."""
    above = next((n for n in range(number - 1, max(-1, number - 4), -1) if lines[n].strip()), None)
    return above is not None and _is_own(lines, above, old) and lines[above].rstrip().endswith((":", "\uff1a"))


@dataclass(slots=True)
class _Walk:
    """A walk from the top of a text through the lines that may announce something."""

    lines: list[str]
    answered: Answered
    is_reply: bool
    cut: Cut = field(default_factory=Cut)
    pasted: int = 0
    """The line below a header block that the sender pasted."""
    not_own: int = 0
    """Lines from the top without text of the sender's own; `cut.old` only grows, so the number stays valid."""

    def run(self) -> Cut:
        candidates = (n for n, line in enumerate(self.lines) if line and _may_announce(line.strip()))
        for number in islice(candidates, MAX_CANDIDATES):
            if number >= self.pasted and self._is_last(number):
                break
        return self.cut

    def _is_last(self, number: int) -> bool:
        """Note what line `number` announces; True when no later line can change the cut."""
        lines, cut = self.lines, self.cut
        if markers.is_forward(lines[number]):
            cut.forward = number
            return True
        if self.is_reply and (start := markers.old_mail_at(lines, number)) is not None:
            return self._is_end_at_old_mail(start, number)
        if self.is_reply and self._is_answered_mail(number):
            return self._is_end(markers.with_rule_above(lines, number))
        quoted = _is_quoted_below(lines, number)
        if markers.is_groupwise(lines[number]):
            return self.is_reply and not quoted and self._is_end(number)
        start = attribution.start_of(lines, number, quote_follows=quoted)
        if start is None or not (quoted or self.is_reply):
            return False
        start -= start > 0 and markers.is_original(lines[start - 1])
        start = _with_fields_above(lines, start)
        if not quoted and self._is_end(start):
            if not (self.answered.is_by(" ".join(lines[start : number + 1])) or markers.is_original(lines[start])):
                cut.doubtful = number + 1
            return True
        if quoted or attribution.is_certain(lines, start, number):
            cut.old.update(range(start, number + 1))
        if quoted and cut.announced is None:
            cut.announced = start
        return False

    def _is_answered_mail(self, number: int) -> bool:
        """Whether the answered mail begins in this line with header fields in a language that no table has."""
        block = headerblock.with_unknown_names(self.lines, number)
        if block is None and self.answered.is_by(self.lines[number]):
            block = headerblock.without_names(self.lines, number, words.bare_subject(self.answered.subject))
        return block is not None and self.answered.is_surely_headed(block)

    def _is_end_at_old_mail(self, start: int, number: int) -> bool:
        """Note an old mail from line `start`, unless the sender introduces it and it is not the answered one."""
        block = headerblock.at(self.lines, number)
        ruled = start < number and not markers.is_plain_rule(self.lines[start])
        if block is None or ruled or self.answered.is_headed(block):
            return self._is_end(start)
        if is_introduced(self.lines, start, self.cut.old):
            self.pasted = block.end
            return False
        ends = self._is_end(start)
        self.cut.doubtful = block.end if ends else None
        return ends

    def _is_end(self, start: int) -> bool:
        """Mark everything from `start` on as old, if the sender wrote text above it."""
        while self.not_own < start and not _is_own(self.lines, self.not_own, self.cut.old):
            self.not_own += 1
        if self.not_own >= start:
            return False
        self.cut.end = start
        if self.cut.announced is None:
            self.cut.announced = start
        return True


def _may_announce(line: str) -> bool:
    """Whether a line begins or ends as lines before a quotation do. Cheap."""
    if not line:
        return False
    if line[0] == ">":
        return markers.is_groupwise(line) or attribution.closes_bracket(line)
    return line[-1] in _LAST or line[0] in _FIRST or ":" in line[:32] or "\uff1a" in line[:16] or line.endswith("wrote")


def _is_quoted_below(lines: list[str], number: int) -> bool:
    """Whether the next line with text, at most two blank lines away, is marked as quoted."""
    below = next((line for line in lines[number + 1 : number + 4] if line.strip()), "")
    return below.lstrip().startswith((">", "|"))


def _with_fields_above(lines: list[str], start: int) -> int:
    """The rule above the fields To, Cc and Subject that stand above an attribution, as Yandex writes; else `start`."""
    first = start
    while first and headerblock.role_of(lines[first - 1]) in ("to", "cc", "subject"):
        first -= 1
    rule = markers.with_rule_above(lines, first)
    return rule if rule < first < start else start


def _is_own(lines: list[str], number: int, old: set[int]) -> bool:
    line = lines[number].lstrip()
    return bool(line) and line[0] != ">" and number not in old
