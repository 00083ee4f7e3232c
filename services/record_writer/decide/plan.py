"""One mail, one decision: what each part is about, what changes, the answer, how the mail ends. Pure.

The stage commits a Decision, `postroom try` prints one; the order of the steps is defined here only. A new kind of
decision is a module beside this one and a line in `PLANNERS`, or in `WHOLE_MAILS` when it has no parts.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from services.record_writer.decide import old_mail
from services.record_writer.decide.answers.one_answer import with_answer
from services.record_writer.decide.answers.outgoing import outgoing
from services.record_writer.decide.answers.replies import in_words, missing_record_notice, reason_of, refusal_of
from services.record_writer.decide.automation.consequences import settled_by_mail
from services.record_writer.decide.commands.command import Command, commands_in
from services.record_writer.decide.commands.commanded import decide_command, is_about_command, plan_command
from services.record_writer.decide.commands.edit import plan_created
from services.record_writer.decide.content.body import Block, whole
from services.record_writer.decide.content.parts import blocks_of, targets_of, type_for
from services.record_writer.decide.error import plan_incident_for_parts
from services.record_writer.decide.export import decide_export
from services.record_writer.decide.facts import Facts
from services.record_writer.decide.lookups import Lookups
from services.record_writer.decide.model import Decision, Ending, MissingRecord, Part, SenderRefused
from services.record_writer.decide.people.sender import refuse_strangers, sender_refusal
from services.record_writer.decide.probe import decide_probe
from services.record_writer.decide.record import create
from services.record_writer.decide.record.update import plan_update
from services.record_writer.decide.undelivered import decide_report, plan_note, reported, undelivered
from shared.config.model import INCIDENT, XML_EXPORT
from shared.contracts.change import Change, Target, TargetKind
from shared.store.outbox import OutboxMail
from shared.store.record import Record, pending_change, with_change
from shared.typed import BadValue

INVITATION: Final = "a meeting request or an answer to one, and no answer about a record: no request"


def decide(facts: Facts, lookups: Lookups) -> Decision:
    """Decide one mail. Raises `PostroomError` when a record, or its type, does not exist any more."""
    if probe := lookups.probe(facts.mail, facts.inbox.name):
        return decide_probe(facts, lookups.canary(facts.inbox.name), probe)
    if not facts.history and (returned := reported(facts, lookups)):
        return _report(facts, lookups, returned)
    if decide_whole := WHOLE_MAILS.get(facts.inbox.processor):
        return Decision("rejected", INVITATION, "kind") if _is_unwanted_invitation(facts) else decide_whole(facts)
    if facts.history:
        return _old(facts, lookups)
    if facts.forwarder is None and (commands := commands_in(facts)):
        return _command(facts, lookups, commands)
    try:
        blocks = blocks_of(facts)
    except BadValue as error:
        refused = sender_refusal(facts)
        return Decision("rejected", refused, "sender") if refused else Decision("failed", str(error), "body")
    targets = facts.targets_claimed or _joining(facts, tuple(targets_of(facts, blocks, lookups)))
    if waits := next((each for each in targets if each.kind == "wait"), None):
        return Decision("wait", waits.why, waits.step)
    if all(each.kind == "reject" for each in targets):
        return Decision("rejected", targets[0].why, targets[0].step, targets)
    return conclude(facts, lookups, _plan_parts(facts, lookups, targets, blocks))


def _command(facts: Facts, lookups: Lookups, commands: tuple[Command, ...]) -> Decision:
    """Decide a mail with a command; its record is fixed once."""
    target = next(iter(facts.targets_claimed), None) or decide_command(facts, lookups, commands)
    if isinstance(target, Decision):
        return target
    return conclude(facts, lookups, _plan_parts(facts, lookups, (target,), [whole(facts.mail.text)]))


def _report(facts: Facts, lookups: Lookups, mail: OutboxMail) -> Decision:
    """Decide a report about a mail of the desk; its record is fixed once."""
    target = next(iter(facts.targets_claimed), None) or decide_report(facts, lookups, mail)
    if isinstance(target, Decision):
        return target
    ended = conclude(facts, lookups, _plan_parts(facts, lookups, (target,), [whole(facts.mail.text)]))
    return replace(ended, undelivered=undelivered(facts, mail))


def _old(facts: Facts, lookups: Lookups) -> Decision:
    """Decide an old mail: a note on the record of its thread, or a record. Numbers and commands in it say nothing."""
    target = next(iter(facts.targets_claimed), None) or old_mail.target(facts, lookups)
    if target.kind == "wait":
        return Decision("wait", target.why, target.step)
    if target.kind == "reject":
        return Decision("rejected", target.why, target.step, (target,))
    return conclude(facts, lookups, _plan_parts(facts, lookups, (target,), [whole(facts.mail.text)]))


def _is_unwanted_invitation(facts: Facts) -> bool:
    """Whether the mail is an invitation, or an answer to one, of which this inbox makes no record (TI-12)."""
    return facts.mail.kind == "calendar" and not (facts.inbox.take_invitations or facts.released)


def _joining(facts: Facts, targets: tuple[Target, ...]) -> tuple[Target, ...]:
    """The targets; those of an invitation only as far as it belongs to records that exist."""
    if not _is_unwanted_invitation(facts):
        return targets
    kept = frozenset({"update", "wait"})
    other = Target("covered" if any(each.kind in kept for each in targets) else "reject", "kind", INVITATION)
    return tuple(each if each.kind in kept else other for each in targets)


def _plan_parts(facts: Facts, lookups: Lookups, targets: Sequence[Target], blocks: Sequence[Block]) -> Sequence[Part]:
    """Each part, planned on its record as the parts before leave it."""
    parts: list[Part] = []
    latest: dict[str, Part] = {}
    created: set[str] = set()
    for number, (target, block) in enumerate(zip(targets, blocks, strict=False)):
        before = latest.get(target.record_id or "")
        record = _left_by(before, facts.at) if before else None
        part = plan_part(facts, lookups, Part(number, target, block, record))
        if part.change:
            change = _creating_once(part.change, created)
            part = part if part.committed else replace(part, change=change)
        if target.record_id:
            latest[target.record_id] = part
        parts.append(part)
    return parts


def _creating_once(change: Change, created: set[str]) -> Change:
    """A person or an object that several changes of a mail need is created with the first of them."""
    person = None if change.person and change.person.id in created else change.person
    objects = tuple(each for each in change.objects if each.record_id not in created)
    created |= {each.record_id for each in objects} | ({person.id} if person else set())
    return replace(change, person=person, objects=objects)


def _left_by(part: Part, at: datetime) -> Record | None:
    """The record as the commit of this part leaves it; a committed change is in the record as it was read."""
    record, change = part.record, part.change
    if record is None or change is None or part.committed:
        return record
    return with_change(record, change, at)


def plan_part(facts: Facts, lookups: Lookups, part: Part) -> Part:
    """Plan one part, on `part.record` or, without one, on its record as it is stored.

    A change that was committed for this part earlier is kept, and not planned again (PR-15).
    """
    record = part.record or _record_of(facts, lookups, part)
    part, facts = Part(part.number, part.target, part.block, record), facts.about(part.target.record_id)
    if record and (stored := pending_change(record, facts.envelope.mail_id, str(part.number))):
        return replace(part, change=stored, committed=True)
    if record and part.target.kind in MAKING:
        return replace(part, committed=True)
    try:
        if facts.history:  # no rule and no service level looks at old mail
            return replace(part, change=OLD_MAIL_PLANNERS[part.target.kind](facts, lookups, part))
        change = PLANNERS[part.target.kind](facts, lookups, part)
        return replace(part, change=change and settled_by_mail(change, record, facts, lookups))
    except SenderRefused as refused:
        return replace(part, refusal=str(refused))
    except (BadValue, MissingRecord) as error:
        return replace(part, failure=str(error))


def _record_of(facts: Facts, lookups: Lookups, part: Part) -> Record | None:
    """The record that the part is about: the one it names, or the one it made at an earlier look."""
    if part.target.kind in MAKING:
        return lookups.record(create.record_id(facts, part.number)) if facts.targets_claimed else None
    return lookups.record(part.target.record_id) if part.target.record_id else None


def conclude(facts: Facts, lookups: Lookups, parts: Sequence[Part]) -> Decision:
    """Decide the outcome of a mail from the results of its parts; failed parts make one incident together (IV-33)."""
    targets = tuple(part.target for part in parts)
    ended = Decision("decided before", targets=targets, parts=tuple(parts), outgoing=outgoing(facts))
    changes, failed = ended.changes, ended.failed
    if failed and not changes and not any(part.failure for part in failed):
        return replace(ended, ending="rejected", reason=failed[0].refusal or "", step="sender")
    asked = [notice for change in changes for notice in change.notifications]
    if failed and not changes:
        ended = _failed(facts, ended)
    elif changes:
        ended = _changed(facts, lookups, ended, in_words(failed) if failed else "")
    return with_answer(facts, lookups, ended, [*asked, *missing_record_notice(facts, targets)])


def _failed(facts: Facts, ended: Decision) -> Decision:
    """Fail the mail, because nothing could be written. The dead letter makes the incident, unless incidents failed."""
    failed = ended.failed
    is_incident = (part.target.kind == "new" and type_for(facts, part.target).name == INCIDENT for part in failed)
    reason = in_words(failed) if len(failed) > 1 else failed[0].failure or failed[0].refusal or ""
    return replace(ended, ending="failed", reason=reason, may_make_incident=not (facts.history or any(is_incident)))


def _changed(facts: Facts, lookups: Lookups, ended: Decision, failure: str) -> Decision:
    """The outcome when something is written: `recorded`, or `rejected` when no record changes."""
    changes, incident = ended.changes, None
    if failure and facts.inbox.create_incident_on_error and not facts.history:
        created = {change.person.id for change in changes if change.person}
        planned = settled_by_mail(plan_incident_for_parts(facts, failure), None, facts, lookups)
        incident = _creating_once(planned, created)
        changes = [*changes, incident]
    elif failure:
        changes = [*changes[:-1], replace(changes[-1], why=(*changes[-1].why, failure))]
    if all(change.action == "none" for change in changes):
        step = "deleted" if any(part.record and part.record.deleted for part in ended.parts) else "closed"
        step = "command" if any(map(is_about_command, ended.targets)) else step
        return replace(ended, ending="rejected", reason=refusal_of(changes), step=step)
    ending: Ending = "commanded" if any(each.kind in COMMANDED for each in ended.targets) else "recorded"
    return replace(ended, ending=ending, reason=reason_of(changes), incident=incident)


def _refuse(_: Facts, __: Lookups, part: Part) -> None:
    """The sender may not touch the record. Raises `SenderRefused`."""
    raise SenderRefused(part.target.why)


def _name_missing(facts: Facts, _: Lookups, part: Part) -> None:
    """The part names a record that is not there. Raises `MissingRecord`, or `SenderRefused` for a stranger."""
    refuse_strangers(facts)
    raise MissingRecord(part.target.why)


PLANNERS: Final[Mapping[TargetKind, Callable[[Facts, Lookups, Part], Change | None]]] = MappingProxyType(
    {
        "new": create.plan_creation,
        "update": plan_update,
        "command": plan_command,
        "create": plan_created,
        "reject": _refuse,
        "none": _name_missing,
        "covered": lambda *_: None,
        "undelivered": plan_note,
    }
)
"""Kind of target → the function that plans its Change."""
OLD_MAIL_PLANNERS: Final = MappingProxyType({**PLANNERS, "new": old_mail.plan_record, "update": old_mail.plan_note})
"""The same for an old mail that was imported."""
MAKING: Final = frozenset({"new", "create"})
COMMANDED: Final = frozenset({"command", "create"})
"""Kinds of targets: those whose record does not exist yet, and those of commands that are carried out."""
WHOLE_MAILS: Final[Mapping[str, Callable[[Facts], Decision]]] = MappingProxyType({XML_EXPORT: decide_export})
"""The inbox's processor → the function that decides a mail as a whole."""
