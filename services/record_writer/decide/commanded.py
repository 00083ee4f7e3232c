"""What becomes of a mail with a command. Pure.

Such a mail makes no record and no person, with one exception: a command to close a call that does not exist makes a new
call, where the inbox wants that (VF-15). A command acts on the strength of its sender, so it is refused when the sender
is not proven as the inbox wants it, is one of several authors, or is only named by a list or a form. Whoever is known
gets an answer, with a subject that holds no command, so that an answer to it is none.

A kind of command is a module that plans the change, and a line in `PLANNERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from services.record_writer.decide.answers import title
from services.record_writer.decide.close import plan_close
from services.record_writer.decide.command import Command, commands_in
from services.record_writer.decide.command_answers import NOT_DONE, command_answer
from services.record_writer.decide.facts import Facts
from services.record_writer.decide.lookups import Lookups
from services.record_writer.decide.model import Decision, Part, SenderRefused
from services.record_writer.decide.one_answer import with_answer
from services.record_writer.decide.outgoing import outgoing
from services.record_writer.decide.target import why_not_allowed
from shared.contracts.change import Change, Target

STEP: Final = "command"
INCIDENT: Final = "incident"


def decide_command(facts: Facts, lookups: Lookups, commands: tuple[Command, ...]) -> Decision | Target:
    """The record that the command is about, or a new one, as a target; a Decision when there is none."""
    command = commands[0]
    if why := _refusal(facts, commands):
        return _rejected(facts, lookups, command, why)
    if why := _distrust(facts):
        return _rejected(facts, lookups, command, why)
    if facts.sender.person_id is None and not (command.kind == "close" and facts.inbox.commands.close_anonymously):
        return _rejected(facts, lookups, command, "no person has the sender's address")
    return _target(facts, lookups, command)


def _refusal(facts: Facts, commands: tuple[Command, ...]) -> str | None:
    """Why no sender's command of this kind is carried out."""
    kind = commands[0].kind
    if len(commands) > 1:
        return f"the mail has another one, {commands[1].text}; one mail takes one command"
    if not facts.commands:
        return "automatic mail gives none"
    if kind not in facts.inbox.commands.enabled:
        return f"this inbox does not take it ({kind} is not in commands.enabled)"
    return None if kind in PLANNERS else "this version does not carry it out"


def _distrust(facts: Facts) -> str | None:
    """Why a command from this address is not believed."""
    if not facts.is_proven:
        return why_not_allowed(facts)
    if facts.mail.rewritten_from is not None:
        return "a list or a form names its sender"
    return "it has several authors" if "several-authors" in facts.mail.defects else None


def _target(facts: Facts, lookups: Lookups, command: Command) -> Decision | Target:
    type_ = facts.configuration.type_named(TYPES[command.kind])
    assert type_ is not None  # a built-in type
    serial = command.serial(type_)
    if serial is None:
        form = f"[{command.kind.upper()}#12]"
        return _rejected(facts, lookups, command, f"it names no {title(facts, type_)}; write it as {form}")
    record = lookups.numbered(type_.name, serial)
    if record is None:
        return _unknown_number(facts, command, f"there is no {title(facts, type_)} {serial}")
    return Target("command", STEP, f"{command.text} is a command about {record.number}", record.id)


def _unknown_number(facts: Facts, command: Command, why: str) -> Decision | Target:
    """A new call, where the inbox wants it, of a sender who is known; else nothing, and no notice (VF-15)."""
    if facts.sender.person_id is None or not facts.inbox.commands.log_new_on_invalid_number:
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


PLANNERS: Final[Mapping[str, Callable[[Facts, Lookups, Part], Change]]] = MappingProxyType({"close": plan_close})
"""Kind of command → the function that plans its Change."""
TYPES: Final[Mapping[str, str]] = MappingProxyType({"close": INCIDENT})
"""Kind of command → the type of record that it is about."""
