"""The text that an activity shows of a mail that updates a record: of a reply only what is new. Pure.

A reply to a mail of the desk or of the thread is truncated, if the desk is configured so (VF-12). What looks like a
quotation, but is announced by nothing, is left out as well when it repeats text that the record has or that the desk
sent; else the sender wrote it, and it is shown (PR-19).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from services.record_writer.decide.facts import Facts
from services.record_writer.decide.lookups import Lookups
from services.record_writer.decide.model import Part
from services.record_writer.decide.recognition.thread import references_of
from shared.contracts.mail import Passage

REPLIES: Final = frozenset({"references", "token", "conversation"})
"""Strategies by which a reply finds its record."""
MAX_ACTIVITIES: Final = 50
"""Activities of the record, the newest, whose text is known."""
MAX_KNOWN: Final = 300_000
"""Characters of earlier text that are searched."""
MAX_LINES: Final = 300
"""Lines of a mail that are searched for in earlier text; the others count as new."""
MIN_LINE: Final = 12
"""Characters from which on a line is not repeated by chance."""


def shown_text(facts: Facts, lookups: Lookups, part: Part) -> str:
    """The text of the mail, or of this part of it, that the record's activity shows."""
    is_reply, whole = part.target.step in REPLIES, part.block.raw
    if not (is_reply and facts.settings.truncate_replies and whole == facts.mail.text):
        return whole
    found = _new_passages(facts.mail.passages, _known(facts, lookups, part)) if facts.mail.passages else ()
    return "\n\n".join(found) or facts.mail.new_text or whole


def text_to_send(facts: Facts, lookups: Lookups, part: Part) -> str:
    """The new text of a reply alone, for others than the desk; "" when it cannot be distinguished from a quotation."""
    mail, known = facts.mail, _known(facts, lookups, part)
    text = "\n\n".join(_new_passages(mail.passages, known)) if mail.passages else mail.new_text
    is_whole = text.strip() == mail.text.strip()
    return "" if is_whole and _is_mostly_old(text, known) else text.strip()


def _is_mostly_old(text: str, known: str) -> bool:
    """Whether half of the lines or more are marked as quoted, or known to be older."""
    lines = [line for line in text.split("\n")[:MAX_LINES] if line.strip()]
    unquoted = [line for line in lines if not line.lstrip().startswith(">")]
    new = [line for line in unquoted if len(_squashed(line)) < MIN_LINE or _squashed(line) not in known]
    return len(lines) > len(new) and len(new) * 2 <= len(lines)


def _known(facts: Facts, lookups: Lookups, part: Part) -> str:
    """What the record says, and what the desk sent in the thread, without blanks and quote marks."""
    activities = lookups.activities(part.record.id, MAX_ACTIVITIES) if part.record else ()
    said = [part.record.description or "" if part.record else "", *(each.text for each in reversed(activities))]
    sent = (each.text for each in lookups.sent(references_of(facts)))
    return _squashed("\n".join((*sent, *said))[:MAX_KNOWN])


def _squashed(text: str) -> str:
    return "".join(text.replace(">", " ").split()).casefold()


def _new_passages(passages: tuple[Passage, ...], known: str) -> list[str]:
    """The passages without the lines that are known. An announcement goes with the first line that it announces."""
    budget, shown = MAX_LINES, []
    for passage in passages:
        text = passage.text
        if passage.kind != "new":
            lines = text.strip("\n").split("\n")
            new = [*_new_lines(lines[:budget], known), *lines[budget:]]
            budget -= min(budget, len(lines))
            text = "\n".join([passage.head, *new] if passage.head and new[:1] == lines[:1] else new)
        shown.append(text.strip("\n"))
    return [text for text in shown if text.strip("> \n")]


def _new_lines(lines: list[str], known: str) -> Iterator[str]:
    """The lines that are not known. A short or blank line is known when the line above is."""
    above = _squashed("".join(lines)) in known
    for line in lines:
        squashed = _squashed(line)
        above = squashed in known and (above or len(squashed) >= MIN_LINE)
        if not above:
            yield line
