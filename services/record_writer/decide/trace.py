"""The steps of a decision, in the order in which it is committed. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from services.record_writer.decide.answers.replies import in_words
from services.record_writer.decide.automation.business_rules import RULE
from services.record_writer.decide.model import Decision, Part
from shared.contracts.change import Change, NewPerson, Notification, ServiceLevel
from shared.lazy_dataclass import dataclass
from shared.store.outbox import SendingSide
from shared.text import shortened

MAX_WHY: Final = 500
"""Characters of one step's explanation."""


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One step of a decision: which stage takes it, its name, what was decided, and why."""

    stage: str
    step: str
    decision: str
    why: str


ExpectedStateOf = Callable[[Notification, SendingSide], tuple[str, str]]
"""A mail that is queued, and its sending side → the state that it would have, and why."""


def as_queued(_: Notification, sending: SendingSide) -> tuple[str, str]:
    """The state in which a mail is queued."""
    return sending.state, ""


def trace(decision: Decision, expected_state: ExpectedStateOf = as_queued) -> Iterator[TraceStep]:
    """The steps of the decision; numbers are shown as far as they were given (see `numbers.numbered`)."""
    if decision.export:
        yield TraceStep("record-writer", "export", "ExportWanted", f"{len(decision.export.document)} bytes of XML")
    elif not decision.parts:
        yield TraceStep("record-writer", decision.step, decision.ending, decision.reason)
    for part in decision.parts:
        yield from _part(part, decision.outgoing, expected_state)
    yield from _notices(decision.outgoing, decision.notices, expected_state)
    if decision.incident:
        yield TraceStep("record-writer", "incident-on-error", "new", in_words(decision.failed))
        yield from rules(decision.incident, decision.outgoing, expected_state)


def _part(part: Part, sending: SendingSide, expected_state: ExpectedStateOf) -> Iterator[TraceStep]:
    yield TraceStep("record-writer", part.target.step, part.target.kind, part.target.why)
    if part.refusal:
        yield TraceStep("record-writer", "sender", "refused", part.refusal)
    if part.failure:
        yield TraceStep("record-writer", "part", "failed", part.failure)
    if part.change:
        yield from _change(part.change, sending, expected_state)


def _change(change: Change, sending: SendingSide, expected_state: ExpectedStateOf) -> Iterator[TraceStep]:
    """A step for each record that is created or changed, in the order of the writes, and for what rules do."""
    if new := change.person:
        yield TraceStep("record-writer", "person", "create", f"{_name(new)} is created, as {new.kind}")
    if change.becomes_user:
        why = f"{change.becomes_user} is only an analyst, and logs a record"
        yield TraceStep("record-writer", "person", "becomes user", why)
    for each in change.objects:
        why = "it does not exist yet, and the inbox makes it"
        yield TraceStep("record-writer", "object", f"create {each.number}", why)
    values = ", ".join(f"{each.name} {each.value!r}" for each in (*change.set, *change.fields) if each.value)
    done = change.action if change.action == "none" else f"{change.action} {change.number}"
    yield TraceStep("record-writer", "record", done, shortened(values or "; ".join(change.why), MAX_WHY))
    for each in change.subordinates:
        yield TraceStep("record-writer", "task", f"create {each.number}", "the inbox wants a task for every email")
    yield from rules(change, sending, expected_state)


def rules(change: Change, sending: SendingSide, expected_state: ExpectedStateOf = as_queued) -> Iterator[TraceStep]:
    """A step for each rule that acts, and for each mail that rules send."""
    for record in (change, *change.subordinates):
        fired = [each.text for each in record.activities if each.kind == RULE]
        yield from (TraceStep("record-writer", "business-rule", f"for {record.number}", text) for text in fired)
        yield from _notices(sending, record.messages, expected_state)
        if record.service and record.service.sla:
            yield TraceStep("record-writer", "service-level", record.service.sla, _targets(record.service))


def _targets(level: ServiceLevel) -> str:
    return "; ".join(
        f"{each.kind} by {each.due_at:%Y-%m-%d %H:%M} UTC" if each.due_at else f"{each.kind}: {each.state}"
        for each in level.targets
    )


def _name(person: NewPerson) -> str:
    return f"{person.name} <{person.address}>" if person.address else person.name


def _notices(
    sending: SendingSide, notices: Sequence[Notification], expected_state: ExpectedStateOf
) -> Iterator[TraceStep]:
    for notice in notices:
        state, why = expected_state(notice, sending)
        about = f"{notice.subject} (to {', '.join(notice.to)})"
        yield TraceStep("notifier", notice.kind, state, f"{about}: {why}" if why else about)
