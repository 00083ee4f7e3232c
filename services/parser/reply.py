"""Decides which part of a mail its sender wrote now.

Takes the best plain text (quotations marked with `> ` where the HTML had them) and the HTML for hints. What is
quoted, and the line that announces it, is left out; a forwarded mail stays; when nothing would remain, everything
remains. Quoted lines that nothing announces are left out as well, and are listed beside the new text as passages.
Separate from `mime` because these results are guesses about people and programs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING, Final

from services.parser.charset import with_lf
from services.parser.quotes import attribution, cutting, headerblock, markers, signature, words
from services.parser.quotes.announcements import Answered
from shared.contracts.mail import Passage
from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile
from shared.subject_prefixes import is_answer, is_forward

if TYPE_CHECKING:
    from services.parser.quotes.announcements import Cut
    from shared.contracts.mail import Address

_INITIALS: Final = lazy_compile(r"\s{0,4}([^\W\d_]{1,4})>(?= |$)")
MAX_CHARS: Final = 1_000_000
"""Quotations are searched for in this prefix; after it only lines that begin with `>` are left out."""
MAX_SAID: Final = 2_000
"""Characters above a quotation that are searched for words about answers inside it."""
UNKNOWN: Final = Answered()
MAX_PASSAGES: Final = 500
"""Of a reply with more, what nothing announces is left out."""
MIN_NAME: Final = 3
MAX_WRITERS: Final = 50
MAX_OUTLOOK: Final = 100_000


@dataclass(frozen=True, slots=True)
class Reply:
    """What the sender wrote now, and its passages when some of them may be older (see `ParsedMail`)."""

    new_text: str
    passages: tuple[Passage, ...] = ()


def read(text: str, html: str | None, answered: Answered = UNKNOWN, *, is_reply: bool) -> Reply:
    """What the sender wrote now, without the quotations, signature and legal notice of a reply.

    `is_reply`: the result of `answers`. If False, only a quotation that is announced, marked and ends the mail is
    left out, and signatures stay. `html` may be raw (best: its classes are hints), sanitised or None.
    """
    lines = _lines(text[:MAX_CHARS])
    seen = _undirected(lines, text)
    cut = cutting.scan(_with_plain_marks(seen) if is_reply else seen, html, answered, is_reply=is_reply)
    passages = list(_passages(lines, cut)) if is_reply else [Passage("new", "\n".join(_kept(lines, cut)))]
    if cut.end is None and len(text) > MAX_CHARS:
        passages.append(Passage("new", "\n".join(line for line in _lines(text[MAX_CHARS:]) if line[:1] != ">")))
    new = "\n\n".join(passage.text for passage in passages if passage.kind == "new").strip()
    is_doubtful = len(passages) <= MAX_PASSAGES and any(passage.kind != "new" for passage in passages)
    return Reply(new or text.strip(), tuple(passages) if is_doubtful else ())


def answered_by(subject: str, recipients: Iterable[Address]) -> Answered:
    """The mail that a reply with this subject and these recipients can answer."""
    known = (each for address in recipients for each in (address.address.lower(), address.name.lower().strip()))
    return Answered(subject, tuple(dict.fromkeys(each for each in known if len(each) >= MIN_NAME))[:MAX_WRITERS])


def answers(subject: str, text: str, *, threaded: bool) -> bool:
    """Whether a mail is a reply: by its subject, else by its threading headers or a mail that Outlook quotes.

    Mail programs thread forwards too, so a subject that says forwarded weighs more than the headers.
    """
    if is_answer(subject):
        return True
    return not is_forward(subject) and (threaded or _is_quoted_by_outlook(text))


def _is_quoted_by_outlook(text: str) -> bool:
    """Whether a header block has `Name [mailto:address]` for its sender, as Outlook alone writes it."""
    if "[mailto:" not in text[:MAX_OUTLOOK]:
        return False
    lines = _lines(text[:MAX_OUTLOOK])
    senders = (n for n, line in enumerate(lines) if "[mailto:" in line and headerblock.role_of(line) == "from")
    return any(headerblock.at(lines, number) for number in senders)


def _lines(text: str) -> list[str]:
    return with_lf(text).split("\n")


def _undirected(lines: list[str], text: str) -> list[str]:
    """The lines without the marks of writing direction that programs put around names and addresses."""
    if text.isascii() or not markers.DIRECTION.search(text):
        return lines
    return [markers.DIRECTION.sub("", line) for line in lines]


def _with_plain_marks(lines: list[str]) -> list[str]:
    """The lines with `>` for `AL> `, the initials that The Bat! writes before quoted lines.

    Only below a line that announces a quotation: the prompt of a program looks like initials.
    """
    initials = next(
        (found[1] for n in range(1, len(lines)) if (found := _INITIALS.match(lines[n])) and _is_announced(lines, n)),
        None,
    )
    if initials is None:
        return lines
    marked = ((line, _INITIALS.match(line)) for line in lines)
    return [f">{line[found.end() :]}" if found and found[1] == initials else line for line, found in marked]


def _is_announced(lines: list[str], number: int) -> bool:
    """Whether the line above, at most two blank lines away, is an attribution."""
    above = next((n for n in range(number - 1, max(-1, number - 4), -1) if lines[n].strip()), None)
    return above is not None and attribution.start_of(lines, above, quote_follows=True) is not None


def _kept(lines: list[str], cut: Cut) -> list[str]:
    return [line for number, line in enumerate(lines[: cut.end]) if number not in cut.old]


def _passages(lines: list[str], cut: Cut) -> Iterator[Passage]:
    """The passages that remain. Each of own text may end in a signature; a forwarded mail is kept whole, and so is
    an answered mail with the answers in it.
    """
    stop = cut.end if cut.forward is None else cut.forward
    own = list(_above(lines, cut, len(lines) if stop is None else stop))
    yield from own
    if cut.forward is not None:
        yield Passage("new", "\n".join(lines[cut.forward :]))
    elif (start := _start_of_answers(lines, cut)) is not None:
        yield Passage("new", "\n".join(line if line[:1] == ">" else f"> {line}".rstrip() for line in lines[start:]))
    elif cut.doubtful is not None:
        yield Passage("unannounced", "\n".join(lines[cut.doubtful :]), "\n".join(lines[cut.end : cut.doubtful]))


def _above(lines: list[str], cut: Cut, stop: int) -> Iterator[Passage]:
    """The passages above the end: of own text, and of quoted lines that nothing announces."""

    def kind(number: int) -> str:
        if number in cut.unannounced:
            return "unannounced"
        return "old" if number in cut.old or number in cut.signed else "new"

    for name, numbers in groupby(range(stop), kind):
        text = [lines[number] for number in numbers]
        if name == "unannounced":
            yield Passage("unannounced", "\n".join(text))
        elif name == "new" and (trimmed := signature.trimmed(text)):
            yield Passage("new", "\n".join(trimmed))


def _start_of_answers(lines: list[str], cut: Cut) -> int | None:
    """The first line of an answered mail that has the answers in it, as the sender says above it; else None.

    Answers that stand between quoted lines, without a mark, are text of their own.
    """
    starts = [*(cut.old - cut.unannounced), *(() if cut.end is None else (cut.end,))]
    if not starts or not words.announces_answers(" ".join(lines[: min(starts)])[-MAX_SAID:]):
        return None
    start = min(starts)
    below = (lines[n] for n in range(start, len(lines) if cut.end is None else cut.end) if n not in cut.old)
    return None if signature.trimmed(list(below)) else start
