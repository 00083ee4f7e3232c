"""Answers to commands. Pure."""

from __future__ import annotations

from typing import Final

from services.record_writer.decide.answers import Words, answer
from services.record_writer.decide.facts import Facts
from shared.contracts.change import Notification

NOT_DONE: Final = "Your command was not carried out"
INSUFFICIENT: Final = "Reason: Insufficient Permission"


def command_answer(facts: Facts, subject: str, text: str, *, neutral: str | None = None) -> tuple[Notification, ...]:
    """An answer to the sender of a command; `neutral`: the text for strangers, when it is another one.

    The subject is not that of the mail, because an answer to it would be the command once more.
    """
    return answer(facts, "command", Words(subject, text), neutral=Words(subject, neutral or text))
