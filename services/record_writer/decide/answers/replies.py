"""Texts of a decision for people: the reason for the outcome, and the notice of a missing record. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from services.record_writer.decide.answers.wording import reply
from services.record_writer.decide.facts import Facts
from services.record_writer.decide.model import Part
from services.record_writer.decide.people.sender import sender_refusal
from shared.contracts.change import Change, Notification, Target
from shared.text import shortened

SILENT_TYPES = ("incident", "problem")
"""Inboxes for these types send no notice of a missing record: they make a new one (IV-36)."""
MAX_LISTED = 50
"""Parts that a reason or a notice lists."""
MAX_REASON = 4000
"""Characters of a mail's reason."""


def in_words(failed: Sequence[Part]) -> str:
    """One text for the parts that failed, each with its reason; at most `MAX_LISTED` are listed."""
    listed = "; ".join(f"part {part.number + 1}: {part.failure or part.refusal}" for part in failed[:MAX_LISTED])
    return listed if len(failed) <= MAX_LISTED else f"{listed}; and {len(failed) - MAX_LISTED} more parts"


def reason_of(changes: Sequence[Change]) -> str:
    """The steps that led to what was done, each once."""
    return shortened("; ".join(dict.fromkeys(each for change in changes for each in change.why)), MAX_REASON)


def refusal_of(changes: Sequence[Change]) -> str:
    """Why nothing was changed: the last step of each, once."""
    return shortened("; ".join(dict.fromkeys(change.why[-1] for change in changes)), MAX_REASON)


def missing_record_notice(facts: Facts, targets: Sequence[Target]) -> tuple[Notification, ...]:
    """A mail to the sender that names what could not be found, if the inbox says so; never to a robot (IV-36)."""
    missing = list(dict.fromkeys(target.missing for target in targets if target.missing))
    enabled = facts.inbox.email_when_no_target and facts.inbox.processor not in SILENT_TYPES
    if not missing or not enabled or sender_refusal(facts):
        return ()
    listed = [f"{each[:1].upper()}{each[1:]}" for each in missing[:MAX_LISTED]]
    values = {"missing": "\n".join(f"- {each}" for each in listed)}
    return reply(facts, "not-found", values, kind="no-target")
