"""Decides which part of a mail its sender wrote now, and who wrote a forwarded mail.

Takes the best plain text (quotations marked with `> ` where the HTML had them) and the HTML for hints. What is
quoted, and the line that announces it, is left out; a forwarded mail stays; when nothing would remain, everything
remains. Separate from `mime` because these results are guesses about people and programs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from services.parser.quotes import cutting, forwarded, signature, words

if TYPE_CHECKING:
    from services.parser.quotes.cutting import Cut
    from services.parser.tree import Part
    from shared.contracts.mail import Address

_DIRECTION: Final = re.compile("[\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
MAX_CHARS: Final = 1_000_000
"""Quotations are searched for in this prefix; after it only lines that begin with `>` are left out."""


def new_text(text: str, html: str | None, *, is_reply: bool) -> str:
    """What the sender wrote now, without the quotations, signature and legal notice of a reply.

    `is_reply`: the result of `answers`. If False, only a quotation that is announced, marked and ends the mail is
    left out, and signatures stay. `html` may be raw (best: its classes are hints), sanitised or None.
    """
    lines = _lines(text[:MAX_CHARS])
    cut = cutting.scan(_undirected(lines, text), is_reply=is_reply)
    if html and is_reply and not cut.announced:
        cut = cutting.with_markup(cut, lines, html)
    kept = _trimmed(lines, cut) if is_reply else "\n".join(_kept(lines, cut))
    if cut.end is None and len(text) > MAX_CHARS:
        kept += "\n" + "\n".join(line for line in _lines(text[MAX_CHARS:]) if not line.startswith(">"))
    return kept.strip() or text.strip()


def answers(subject: str, *, threaded: bool) -> bool:
    """Whether a mail is a reply: by its subject, else by its threading headers.

    Mail programs thread forwards too, so a subject that says forwarded weighs more than the headers.
    """
    if words.ANSWER_SUBJECT.match(subject):
        return True
    return threaded and not words.FORWARD_SUBJECT.match(subject)


def forwarded_from(text: str, subject: str, *, root: Part | None = None) -> Address | None:
    """The sender of a forwarded mail: of an attached one when `root` has it, else of the one in the text."""
    attached = forwarded.sender_attached(root, subject) if root is not None else None
    return attached or forwarded.sender_shown(text, subject)


def _lines(text: str) -> list[str]:
    return (text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text).split("\n")


def _undirected(lines: list[str], text: str) -> list[str]:
    """The lines without the marks of writing direction that programs put around names and addresses."""
    if text.isascii() or not _DIRECTION.search(text):
        return lines
    return [_DIRECTION.sub("", line) for line in lines]


def _kept(lines: list[str], cut: Cut) -> list[str]:
    return [line for number, line in enumerate(lines[: cut.end]) if number not in cut.old]


def _trimmed(lines: list[str], cut: Cut) -> str:
    """The lines that remain; each stretch of own text may end in a signature; a forwarded mail is kept whole."""
    own = lines[: cut.end if cut.forward is None else cut.forward]
    stretches: list[list[str]] = [[]]
    for number, line in enumerate(own):
        if number not in cut.old:
            stretches[-1].append(line)
        elif stretches[-1]:
            stretches.append([])
    parts = [part for part in map(signature.trimmed, stretches) if part]
    if cut.forward is not None:
        parts.append(lines[cut.forward :])
    return "\n\n".join("\n".join(part) for part in parts)
