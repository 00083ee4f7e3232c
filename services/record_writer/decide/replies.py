"""What is told of the parts of a mail: the reason of its outcome, and a notice of what could not be found. Pure.

Separate from the stage, because a dry run says the same without writing anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.record_writer.decide.facts import Facts
from services.record_writer.decide.sender import sender_refusal
from services.record_writer.decide.target import Target
from shared.contracts.service import Change, Notification
from shared.text import shortened

UNTOLD = ("incident", "problem")
"""Inboxes for these tell no sender that a record is missing: they make a new one (IV-36)."""
MAX_TOLD = 50
"""Parts that a reason or a notification tells of."""
MAX_REASON = 4000
"""Characters of a mail's reason."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A part that could not be written, and why."""

    part: int
    aim: Target
    why: str


class NoTarget(Exception):
    """The record that a part names does not exist (IV-36, IV-37)."""


def in_words(failures: Sequence[Failure]) -> str:
    """What went wrong with which part; a great many are not all told."""
    told = "; ".join(f"part {failure.part + 1}: {failure.why}" for failure in failures[:MAX_TOLD])
    return told if len(failures) <= MAX_TOLD else f"{told}; and {len(failures) - MAX_TOLD} more parts"


def reason_of(changes: Sequence[Change]) -> str:
    """The steps that led to what was done, each once."""
    return shortened("; ".join(dict.fromkeys(each for change in changes for each in change.why)), MAX_REASON)


def refusal_of(changes: Sequence[Change]) -> str:
    """Why nothing was changed: the last step of each, once."""
    return shortened("; ".join(dict.fromkeys(change.why[-1] for change in changes)), MAX_REASON)


def missing_record_notice(facts: Facts, targets: Sequence[Target]) -> tuple[Notification, ...]:
    """A mail to the sender that names what could not be found, if the inbox says so; never to a robot (IV-36)."""
    missing = list(dict.fromkeys(aim.missing for aim in targets if aim.missing))
    address, wanted = facts.sender.address, facts.inbox.email_when_no_target and facts.inbox.processor not in UNTOLD
    if not missing or not wanted or sender_refusal(facts) or not facts.may_answer or address is None:
        return ()
    text = "What your mail is about could not be found:\n\n" + "".join(f"- {each}\n" for each in missing[:MAX_TOLD])
    return (Notification((address.address,), missing[0], text, "no-target", facts.mail.message_id),)
