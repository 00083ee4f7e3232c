"""What becomes of a mail with a command. Pure.

Such a mail makes no record and no person, with one exception: a command to close a call that does not exist makes a new
call, where the inbox wants that (VF-15). A command acts on the strength of its sender, so it is refused when the sender
is not proven as the inbox wants it, is one of several authors, or is only named by a list or a form. Whoever is known
gets an answer, with a subject that holds no command, so that an answer to it is none.

A kind of command is a module that plans the change, and a line in `PLANNERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from types import MappingProxyType
from typing import Final

from services.record_writer.decide.answers import title
from services.record_writer.decide.approve import APPROVED, REJECTED, is_approval, plan_verdict
from services.record_writer.decide.close import plan_close
from services.record_writer.decide.command import Command, commands_in
from services.record_writer.decide.command_answers import NOT_DONE, command_answer
from services.record_writer.decide.facts import Facts
from services.record_writer.decide.lookups import Lookups
from services.record_writer.decide.model import Decision, Part, SenderRefused
from services.record_writer.decide.one_answer import with_answer
from services.record_writer.decide.outgoing import outgoing
from services.record_writer.decide.summary import asked_for, summary
from services.record_writer.decide.target import why_not_allowed
from shared.config.keys import CARRIED_OUT
from shared.config.model import APPROVAL, RecordType
from shared.contracts.change import Change, Target
from shared.store.record import Record

STEP: Final = "command"
INCIDENT: Final = "incident"
SUMMARY: Final = "summary"
COMMANDS_PER_HOUR: Final = 100
"""Records that mails of one person may touch in an hour before the person's commands are refused."""


def decide_command(facts: Facts, lookups: Lookups, commands: tuple[Command, ...]) -> Decision | Target:
    """The record that the command is about, or a new one, as a target; a Decision when there is none."""
    command = commands[0]
    if why := _refusal(facts, commands):
        return _rejected(facts, lookups, command, why)
    named = _numbers(facts, command)
    record = _named(lookups, command, named)
    facts = facts.about(record.id if record else None)
    if why := _distrust(facts):
        return _rejected(facts, lookups, command, why)
    if facts.sender.person_id is None and not (command.kind == "close" and facts.inbox.commands.close_anonymously):
        return _unidentified(facts, lookups, command)
    if _is_too_many(facts, lookups):
        return _rejected(facts, lookups, command, f"the sender has had {COMMANDS_PER_HOUR} mails within an hour")
    if command.kind == SUMMARY:
        return _summary(facts, lookups, command)
    if record is None:
        return _no_record(facts, lookups, command, named)
    return Target("command", STEP, f"{command.text} is a command about {record.number}", record.id)


def _refusal(facts: Facts, commands: tuple[Command, ...]) -> str | None:
    """Why no sender's command of this kind is carried out."""
    kind = commands[0].kind
    if len(commands) > 1:
        return f"the mail has another one, {commands[1].text}; one mail takes one command"
    if not facts.commands:
        return "automatic mail gives none"
    if kind not in facts.inbox.commands.enabled:
        return f"this inbox does not take it ({kind} is not in commands.enabled)"
    return None if kind in CARRIED_OUT else "this version does not carry it out"


def _distrust(facts: Facts) -> str | None:
    """Why a command from this address is not believed."""
    if not facts.is_proven:
        return why_not_allowed(facts)
    if facts.mail.rewritten_from is not None:
        return "a list or a form names its sender"
    return "it has several authors" if "several-authors" in facts.mail.defects else None


def _unidentified(facts: Facts, lookups: Lookups, command: Command) -> Decision:
    """A stranger who decides an approval is answered (VF-18), with nothing of it; other strangers are not."""
    rejected = _rejected(facts, lookups, command, "no person has the sender's address")
    if command.kind not in {"approve", "reject"}:
        return rejected
    text = f"{NOT_DONE}: the sender has not been identified.\n"
    return with_answer(facts, lookups, rejected, command_answer(facts, NOT_DONE, text))


def _is_too_many(facts: Facts, lookups: Lookups) -> bool:
    """Whether mails of the sender have touched too many records lately; one that was begun on is finished."""
    person_id = facts.sender.person_id
    since = facts.now - timedelta(hours=1)
    return person_id is not None and lookups.touched_since(person_id, since) >= COMMANDS_PER_HOUR


def _summary(facts: Facts, lookups: Lookups, command: Command) -> Decision:
    """Send an analyst a summary; the mail's own outcome is all that is stored."""
    person = lookups.person(facts.sender.person_id or "") if facts.is_analyst else None
    if person is None or not person.addresses:
        return _rejected(facts, lookups, command, "only analysts get a summary")
    if (what := asked_for(command)) is None:
        return _rejected(facts, lookups, command, "it has to stand alone in its brackets, as [MyCalls]")
    reason = f"{command.text} is a command: a summary of {what} for {person.id}"
    sent = with_answer(
        facts,
        lookups,
        Decision("commanded", reason, STEP, outgoing=outgoing(facts)),
        [summary(facts, lookups, person, what)],
    )
    return sent if sent.notices else replace(sent, ending="rejected", reason=f"{reason}; too many automatic mails")


def _numbers(facts: Facts, command: Command) -> list[tuple[RecordType, int]]:
    """The types that a command of this kind is about, each with the number of the command as one of this type."""
    types = (facts.configuration.type_named(name) for name in TYPES.get(command.kind, ()))
    return [(type_, serial) for type_ in types if type_ and (serial := command.serial(type_)) is not None]


def _named(lookups: Lookups, command: Command, named: Sequence[tuple[RecordType, int]]) -> Record | None:
    """The record that the command names."""
    records = (lookups.numbered(type_.name, serial) for type_, serial in named)
    return next((each for each in records if each and (command.kind == "close" or is_approval(each))), None)


def _no_record(
    facts: Facts, lookups: Lookups, command: Command, named: Sequence[tuple[RecordType, int]]
) -> Decision | Target:
    """The decision about a command that names no record, or one that does not exist."""
    type_ = facts.configuration.type_named(TYPES[command.kind][0])
    assert type_ is not None  # a built-in type
    if named:
        return _unknown_number(facts, command, f"there is no {title(facts, type_)} {named[0][1]}")
    form = f"[{command.kind.upper()}#12]"
    return _rejected(facts, lookups, command, f"it names no {title(facts, type_)}; write it as {form}")


def _unknown_number(facts: Facts, command: Command, why: str) -> Decision | Target:
    """A new call of a sender who is known; where it is a call's and the inbox wants none, no notice either (VF-15)."""
    wanted = command.kind != "close" or facts.inbox.commands.log_new_on_invalid_number
    if facts.sender.person_id is None or not wanted:
        return Decision("rejected", _reason(command, why), STEP)
    new_type = None if facts.inbox.processor == INCIDENT else INCIDENT
    return Target("new", STEP, f"{why}: a new record", type=new_type)


def _reason(command: Command, why: str) -> str:
    return f"{command.text} is a command, and {why}"


def _rejected(facts: Facts, lookups: Lookups, command: Command, why: str) -> Decision:
    """Reject the mail, and answer its sender if that is a person whom the desk knows."""
    rejected = Decision("rejected", _reason(command, why), STEP, outgoing=outgoing(facts))
    if facts.sender.person_id is None:
        return rejected
    text = f"{command.text} was not carried out: {why}. No record was changed.\n"
    neutral = f"{NOT_DONE}. No record was changed.\n"
    return with_answer(facts, lookups, rejected, command_answer(facts, NOT_DONE, text, neutral=neutral))


def plan_command(facts: Facts, lookups: Lookups, part: Part) -> Change:
    """The Change that the command of this mail makes to its record. Raises `SenderRefused` when it is none any more."""
    command = next(iter(commands_in(facts)), None)
    if command is None or command.kind not in PLANNERS:
        raise SenderRefused("the mail has no command any more: the configuration has changed")
    return PLANNERS[command.kind](facts, lookups, part)


def is_about_command(target: Target) -> bool:
    """Whether a command led to this target."""
    return target.step == STEP


PLANNERS: Final[Mapping[str, Callable[[Facts, Lookups, Part], Change]]] = MappingProxyType(
    {
        "close": plan_close,
        "approve": partial(plan_verdict, APPROVED),
        "reject": partial(plan_verdict, REJECTED),
    }
)
"""Kind of command → the function that plans its Change."""
TYPES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {"close": (INCIDENT,), "approve": (APPROVAL, "task"), "reject": (APPROVAL, "task")}
)
"""Kind of command → the types of records that it is about; the first that has the number counts."""
