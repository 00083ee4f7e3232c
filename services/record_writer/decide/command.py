"""Commands in the subject: `[CLOSE#n]`, `[APPROVE#n]`, `[REJECT#n]`, `[My…]` (VF-17 to VF-19) and `[Create …]`,
`[Update …]`, `[Delete …]` (TI-32). Pure.

A mail with a command never makes a record or a person, whether the inbox takes the command or not. This version carries
out no command: the mail is rejected with the reason, and a sender who is recognised is answered. What only resembles a
command, because its number is malformed or its bracket is not closed, is one too: its sender expects that something is
done.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from services.record_writer.decide.answers import Words, answer, thread_subject
from services.record_writer.decide.facts import Facts
from services.record_writer.decide.hint import DASH, names_of_types, spelled
from services.record_writer.decide.lookups import Lookups
from services.record_writer.decide.model import Decision
from services.record_writer.decide.one_answer import with_answer
from services.record_writer.decide.outgoing import outgoing
from shared.config.keys import COMMANDS
from shared.text import shortened

NOT_DONE: Final = "Your command was not carried out"


@dataclass(frozen=True, slots=True)
class Command:
    """A command of a subject: its `kind`, one of `COMMANDS`, and its `text` as written."""

    kind: str
    text: str


def command_in(facts: Facts) -> Command | None:
    """The command of the subject: at its beginning, behind prefixes and tags, or anywhere when it is
    `[CLOSE#12]` and its like, without an error. A mail that an operator released has none (PR-01).
    """
    subject = facts.mail.subject
    if "[" not in subject or facts.released:
        return None
    leading, anywhere = _patterns(names_of_types(facts.configuration))
    found = leading.match(subject) or anywhere.search(subject)
    return _command(" ".join(found["command"].split())) if found else None


def _command(text: str) -> Command:
    """The command; `[MyCalls]` and its like ask for a summary."""
    kind = next((each for each in COMMANDS if text[1:].lstrip().casefold().startswith(each)), "summary")
    return Command(kind, shortened(text, 100))


def decide_command(facts: Facts, lookups: Lookups, command: Command) -> Decision:
    """Reject the mail and answer its sender, if that is a person whom the desk knows."""
    reason = f"{command.text} is a command, and {_refusal(facts, command)}"
    rejected = Decision("rejected", reason, "command", outgoing=outgoing(facts))
    if facts.sender.person_id is None:
        return rejected
    text = f"{command.text} was not carried out: this service desk does not take it by mail. No record was changed.\n"
    neutral = Words(NOT_DONE, f"{NOT_DONE}. No record was changed.\n")
    return with_answer(
        facts, lookups, rejected, answer(facts, "command", Words(thread_subject(facts), text), neutral=neutral)
    )


def _refusal(facts: Facts, command: Command) -> str:
    """Why the command is not carried out: the inbox does not take it, or this version cannot."""
    if command.kind not in facts.inbox.commands.enabled:
        return f"this inbox does not take it ({command.kind} is not in commands.enabled)"
    return "this version carries out no commands"


@lru_cache(maxsize=16)
def _patterns(names: tuple[str, ...]) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """The patterns of a command at the beginning, and anywhere; all parts are bounded, so they run in linear time."""
    number, to_end = r"[A-Z]{0,8}-?\d{1,15}", r"[^\]]{0,80}"
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
