"""What becomes of a mail with a command. Pure.

Such a mail makes no record and no person, with two exceptions: `[Create …]`, and a command to close a call that does
not exist, which makes a new call where the inbox wants that (VF-15). A command acts on the strength of its sender, so
it is refused when the sender is not proven as the inbox wants it, is one of several authors, or is only named by a list
or a form. Whoever is known gets an answer, with a subject that holds no command, so that an answer to it is not a
command.

A kind of command is a module that plans the change, and a line in `PLANNERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from types import MappingProxyType
from typing import Final

from services.record_writer.decide.answers.automatic_mail import COMMAND, title
from services.record_writer.decide.answers.one_answer import with_answer
from services.record_writer.decide.answers.outgoing import outgoing
from services.record_writer.decide.answers.wording import command_answer
from services.record_writer.decide.commands.approve import APPROVED, REJECTED, plan_verdict
from services.record_writer.decide.commands.close import plan_close
from services.record_writer.decide.commands.command import CREATE, Command, commands_in
from services.record_writer.decide.commands.edit import objection_to_creation, plan_deletion, plan_edit
from services.record_writer.decide.commands.named import form_of, numbers_of, record_named
from services.record_writer.decide.commands.summary import asked_for, summary
from services.record_writer.decide.facts import Facts
from services.record_writer.decide.lookups import Lookups
from services.record_writer.decide.model import Decision, Part, SenderRefused
from services.record_writer.decide.recognition.target import why_not_allowed
from services.record_writer.decide.record.update import record_of, refused_as_deleted
from shared.config.model import INCIDENT
from shared.contracts.change import Change, Target
from shared.store.record import Record

SUMMARY: Final = "summary"
COMMANDS_PER_HOUR: Final = 100
"""Records that mails of one person may touch in an hour before the person's commands are refused."""


def decide_command(facts: Facts, lookups: Lookups, commands: tuple[Command, ...]) -> Decision | Target:
    """The record that the command is about, or a new one, as a target; a Decision when there is none."""
    command = commands[0]
    record = record_named(facts, lookups, command)
    facts = facts.about(record.id if record else None)
    if why := _refusal(facts, commands) or _distrust(facts):
        return _rejected(facts, lookups, command, why)
    if facts.sender.person_id is None and not (command.kind == "close" and facts.inbox.commands.close_anonymously):
        return _unidentified(facts, lookups, command)
    if _is_too_many(facts, lookups):
        return _rejected(facts, lookups, command, f"the sender has had {COMMANDS_PER_HOUR} mails within an hour")
    return WITHOUT_RECORD.get(command.kind, partial(_about, record))(facts, lookups, command)


def _refusal(facts: Facts, commands: tuple[Command, ...]) -> str | None:
    """Why no sender's command of this kind is carried out."""
    kind = commands[0].kind
    if len(commands) > 1:
        return f"the mail has another one, {commands[1].text}; one mail takes one command"
    if not facts.commands:
        return "automatic mail gives none"
    if kind not in facts.inbox.commands.enabled:
        return f"this inbox does not take it ({kind} is not in commands.enabled)"
    return None


def _distrust(facts: Facts) -> str | None:
    """Why a command from this address is not believed."""
    if not facts.is_proven:
        return why_not_allowed(facts)
    if facts.mail.rewritten_from is not None:
        return "a list or a form names its sender"
    if facts.sender.person_id and not facts.sender.roles:
        return "the person who has the sender's address is not active"
    return "it has several authors" if "several-authors" in facts.mail.defects else None


def _unidentified(facts: Facts, lookups: Lookups, command: Command) -> Decision:
    """A stranger who decides an approval is answered (VF-18), with nothing of it; other strangers are not."""
    rejected = _rejected(facts, lookups, command, "no person has the sender's address")
    if command.kind not in {"approve", "reject"}:
        return rejected
    return with_answer(facts, lookups, rejected, command_answer(facts, "not-identified", {}))


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
        Decision("commanded", reason, COMMAND, outgoing=outgoing(facts)),
        [summary(facts, lookups, person, what)],
    )
    return sent if sent.notices else replace(sent, ending="rejected", reason=f"{reason}; too many automatic mails")


def _new(facts: Facts, lookups: Lookups, command: Command) -> Decision | Target:
    """A new record of the type that the command names."""
    edited = command.edited(facts.configuration)
    if edited is None:
        return _rejected(facts, lookups, command, "it names no type of record; write it as [Create Announcement]")
    type_, _ = edited
    if why := objection_to_creation(facts, lookups, type_):
        return _rejected(facts, lookups, command, why)
    return Target("create", COMMAND, f"{command.text} is a command", type=type_.name)


def _about(record: Record | None, facts: Facts, lookups: Lookups, command: Command) -> Decision | Target:
    """The record that the command is about, or the decision about one that names none, or one that does not exist."""
    if record is not None:
        return Target("command", COMMAND, f"{command.text} is a command about {record.number}", record.id)
    what, form = form_of(facts, command)
    named = numbers_of(facts, command)
    if not named:
        return _rejected(facts, lookups, command, f"it names no {what}; write it as {form}")
    type_, serial = named[0]
    why = f"there is no {title(facts, type_)} {serial}"
    if command.kind in TO_NEW_CALLS:
        return _unknown_number(facts, command, why)
    return _rejected(facts, lookups, command, why)


def _unknown_number(facts: Facts, command: Command, why: str) -> Decision | Target:
    """A new call of a sender who is known; where it is a call's and the inbox wants none, no notice either (VF-15)."""
    wanted = command.kind != "close" or facts.inbox.commands.log_new_on_invalid_number
    if facts.sender.person_id is None or not wanted:
        return Decision("rejected", _reason(command, why), COMMAND)
    new_type = None if facts.inbox.processor == INCIDENT else INCIDENT
    return Target("new", COMMAND, f"{why}: a new record", type=new_type)


def _reason(command: Command, why: str) -> str:
    return f"{command.text} is a command, and {why}"


def _rejected(facts: Facts, lookups: Lookups, command: Command, why: str) -> Decision:
    """Reject the mail, and answer its sender if that is a person whom the desk knows."""
    rejected = Decision("rejected", _reason(command, why), COMMAND, outgoing=outgoing(facts))
    if facts.sender.person_id is None:
        return rejected
    values = {"command": command.text, "reason": why}
    return with_answer(facts, lookups, rejected, command_answer(facts, "command-refused", values))


def plan_command(facts: Facts, lookups: Lookups, part: Part) -> Change:
    """The Change that the command of this mail makes to its record. Raises `SenderRefused` without a command."""
    command = next(iter(commands_in(facts)), None)
    if command is None or command.kind not in PLANNERS:
        raise SenderRefused("the mail has no command any more: the configuration has changed")
    if record_of(part).deleted:
        return refused_as_deleted(facts, lookups, part)
    return PLANNERS[command.kind](facts, lookups, part)


def is_about_command(target: Target) -> bool:
    """Whether a command led to this target."""
    return target.step == COMMAND


PLANNERS: Final[Mapping[str, Callable[[Facts, Lookups, Part], Change]]] = MappingProxyType(
    {
        "close": plan_close,
        "approve": partial(plan_verdict, APPROVED),
        "reject": partial(plan_verdict, REJECTED),
        "update": plan_edit,
        "delete": plan_deletion,
    }
)
"""Kind of command about a record → the function that plans its Change."""
WITHOUT_RECORD: Final[Mapping[str, Callable[[Facts, Lookups, Command], Decision | Target]]] = MappingProxyType(
    {SUMMARY: _summary, CREATE: _new}
)
"""Kind of command about no record that exists → the function that decides it."""
TO_NEW_CALLS: Final = frozenset({"close", "approve", "reject"})
"""Kinds of commands that make a new call when their number does not exist (VF-15)."""
