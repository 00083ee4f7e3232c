"""What every command does, for each kind of sender, state of the record, and switch: run by a desk, and grouped.

A table of `docs/commands.md` is made from the same combinations that the tests run through the whole pipeline.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Final

from services.operator.service_desk import manual_edits
from services.operator.service_desk.manual_edits import NewRecord
from services.record_writer.decide.answers import exchange
from shared.config.keys import COMMANDS
from shared.config.model import AutomaticMailCap, CommandPolicy, Settings
from tests.builders import a_configuration, a_mail, an_inbox
from tests.desk import Desk
from tests.requirements.test_commands import BOB, EVE, JANE, KIM, OURS, PASS, PAT, PEOPLE, TOM

Combination = tuple[str, str, str]
"""Sender, state of the record, switches."""
Result = tuple[str, str, str]
"""Outcome of the mail, what the record is then, and how the answer begins."""
NO_LIMIT: Final = AutomaticMailCap(100_000, 100_000, 100_000)
UNCHANGED: Final = "unchanged"
OPEN, RESOLVED, CLOSED, DELETED, NONE = "open", "resolved", "closed", "deleted", "–"
STATUSES: Final = {OPEN: "Active", RESOLVED: "Resolved", CLOSED: "Closed", DELETED: "Active"}
CALLERS: Final = {
    "Jane, the customer": JANE,
    "Bob, another user": BOB,
    "Tom, analyst, the owner": TOM,
    "Pat, another analyst": PAT,
    "Kim, analyst with `take_over`": KIM,
    "a stranger": EVE,
}
APPROVERS: Final = {
    "Bob, who owns it": BOB,
    "Jane, another user": JANE,
    "Pat, an analyst": PAT,
    "Kim, analyst with `take_over`": KIM,
    "a stranger": EVE,
}
UNPROVEN, PROVEN = "`trust: authenticated`, no proof", "`trust: authenticated`, a proof"
SAFE: Final[dict[str, dict[str, Any]]] = {
    "": {},
    UNPROVEN: {"trust": "authenticated"},
    PROVEN: {"trust": "authenticated"},
}
UPDATING: Final[dict[str, dict[str, Any]]] = {
    "`update_closed`": {"update_closed": True},
    "`reopen_closed`": {"reopen_closed": True},
    "`update_by: recognised`": {"update_by": "recognised"},
    "`update_anonymously`": {"update_anonymously": True},
    "`unrecognised: ignore`": {"unrecognised": "ignore"},
    "`reply_on_update` off": {"reply_on_update": False},
}


def without(kind: str) -> dict[str, dict[str, Any]]:
    """The switch that takes this command away."""
    return {f"`enabled` without {kind}": {"enabled": tuple(each for each in COMMANDS if each != kind)}}


@dataclass(frozen=True, eq=False)
class Table:
    """One table: the command with `{n}` for the number, who sends it, about what, with which switches."""

    title: str
    subject: str
    type_: str
    senders: Mapping[str, str] = field(default_factory=lambda: CALLERS)
    states: Mapping[str, str | None] = field(default_factory=lambda: {**STATUSES, NONE: None})
    switches: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    text: str = ""
    owner: str = "tom"

    @property
    def combinations(self) -> list[Combination]:
        """Every combination, in the order of the table."""
        return list(product(self.senders, self.states, self.switches))


DECIDED: Final = {"pending": "Pending", "decided": "Approved", DELETED: "Pending", NONE: None}
NUMBERED: Final = {
    **SAFE,
    "`close_anonymously`": {"close_anonymously": True},
    "`log_new_on_invalid_number` off": {"log_new_on_invalid_number": False},
}
TABLES: Final = (
    Table("`[CLOSE#n]`", "[CLOSE#{n}]", "incident", switches={**NUMBERED, **without("close")}),
    *(
        Table(f"`[{word.upper()}#n]`", f"[{word.upper()}#{{n}}]", "approval", APPROVERS, DECIDED,
              {**SAFE, "`log_new_on_invalid_number` off": {"log_new_on_invalid_number": False}, **without(word)},
              owner="bob")
        for word in ("approve", "reject")
    ),
    Table("`[MyCalls]`", "[MyCalls]", "incident", states={OPEN: "Active"}, switches={**SAFE, **without("summary")}),
    *(
        Table(f"`[Create {type_}]`", f"[Create {type_}]", "incident", states={NONE: None},
              switches={**SAFE, **without("create")}, text="Category: Fire\nName: Ann\nEmail: ann{n}@example.com\n")
        for type_ in ("Ticket", "Announcement", "Requestor", "Request")
    ),
    Table("`[Update Ticket - n]` with a field, `Category: Fire`", "[Update Ticket - {n}]", "incident",
          switches={**SAFE, **UPDATING, **without("update")}, text="Category: Fire\n"),
    Table("`[Update Ticket - n]` with a note", "[Update Ticket - {n}]", "incident",
          switches={**SAFE, **UPDATING, **without("update")}, text="It burns.\n"),
    Table("`[Delete Ticket - n]`", "[Delete Ticket - {n}]", "incident", switches={**SAFE, **without("delete")}),
    Table("`[Call - n]`, an update by number", "[Call - {n}]", "incident", switches={**NUMBERED, **UPDATING},
          text="It burns.\n"),
)  # fmt: skip


def results(desk: Desk, table: Table, switch: str) -> Iterator[tuple[Combination, Result]]:
    """What a desk with these switches does with each sender's mail about a record of each state."""
    inbox = an_inbox(commands=CommandPolicy(**table.switches[switch]))
    settings = Settings(trusted_authserv_ids=(OURS,), automatic_mail_cap=NO_LIMIT)
    desk.configure(a_configuration(inbox, *PEOPLE, settings=settings))
    pairs = list(product(table.senders, table.states))
    for state in (state for _, state in pairs):
        _make(desk, table, state)
    for each in desk.outbox():
        desk.store.delete("outbox", {"_id": each["_id"]})
    proof = {"Authentication_Results": PASS} if switch == PROVEN else {}
    found = dict[tuple[str, str], Result]()
    for state in table.states:
        at_once = {number: sender for number, (sender, of) in enumerate(pairs, start=1) if of == state}
        desk.clock.advance(exchange.PERIOD)  # each mail is the first of its conversation in the hour
        mails = desk.receive(*(_mail(table, number, sender, proof) for number, sender in at_once.items()))
        answers = {each["mail_id"]: each["text"].split("\n", 1)[0] for each in reversed(desk.outbox())}
        for (number, sender), mail in zip(at_once.items(), mails, strict=True):
            answer = re.sub(r"([A-Z]{3}|#|Call )\d+|(- )\d+", r"\1\2n", answers.get(mail["_id"], NONE))
            found[sender, state] = (mail["outcome"], _then(desk, table, number, mail["_id"]), answer)
    for sender, state in pairs:
        yield (sender, state, switch), found[sender, state]


def _mail(table: Table, number: int, sender: str, proof: Mapping[str, str]) -> bytes:
    subject, text = table.subject.format(n=number), table.text.format(n=number)
    address = table.senders[sender].replace("eve@", f"eve{number}@")  # every stranger is a new one
    return a_mail(text, sender=address, subject=subject, **proof)


def _make(desk: Desk, table: Table, state: str) -> None:
    """The record of a combination; one that does not exist leaves its number unused."""
    type_ = desk.app.directory.current().type_named(table.type_)
    assert type_ is not None
    values = (("Owner", table.owner), ("Status", table.states[state] or type_.statuses.open[0]))
    made = manual_edits.create(desk.app, type_, NewRecord("Printer", customer="jane", values=values))
    if state == DELETED:
        manual_edits.set_deleted(desk.app, made.id, deleted=True)
    if state == NONE:
        desk.store.delete("records", {"_id": made.id})


def _then(desk: Desk, table: Table, number: int, mail_id: str) -> str:
    """What became of the record: its status, a new one, or that it was deleted."""
    made = [each for each in desk.records() if each["origin"] == mail_id]
    if made:
        return f"new {made[0]['type'].replace('_', ' ')}"
    record = desk.app.records.numbered(table.type_, number, deleted=True)
    kinds = [each["kind"] for each in desk.activities(desk.document(record))] if record else []
    if record is None or (kinds[-1] in {"created", "deleted"} and "email" not in kinds):
        return UNCHANGED
    return "deleted" if record.deleted else f"{record.status}, with the mail"


def grouped(table: Table, found: Mapping[Combination, Result]) -> list[tuple[str, str, str, *Result]]:
    """The rows of the table: combinations with one result together, as senders × states × switches.

    For each sender the switches with which a state leads to a result; then states, and then senders, that are alike.
    """
    rows = dict[tuple[tuple[str, ...], tuple[str, ...], Result], list[str]]()
    for sender in table.senders:
        leading = dict[Result, dict[str, list[str]]]()
        for state, switch in product(table.states, table.switches):
            leading.setdefault(found[sender, state, switch], {}).setdefault(state, []).append(switch)
        for result, by_state in leading.items():
            alike = dict[tuple[str, ...], list[str]]()
            for state, switches in by_state.items():
                alike.setdefault(tuple(switches), []).append(state)
            for switches, states in alike.items():
                rows.setdefault((tuple(states), switches, result), []).append(sender)
    return [
        (_listed(senders, table.senders), _listed(states, table.states), _listed(switches, table.switches), *result)
        for (states, switches, result), senders in rows.items()
    ]


def _listed(some: Sequence[str], every: Mapping[str, Any]) -> str:
    """These, or that it makes no difference, or all but one."""
    rest = [each for each in every if each not in some]
    if not rest:
        return "any" if len(every) > 1 else next(iter(every))
    if len(rest) < len(some) and len(every) > 3:
        return f"any but {'; '.join(each or 'the defaults' for each in rest)}"
    return "; ".join(each or "the defaults" for each in some)


def rendered(table: Table, found: Mapping[Combination, Result]) -> str:
    """The table as Markdown."""
    head = ("sender", "the record is", "switches", "outcome", "it is then", "the answer begins")
    rows = [head, tuple("---" for _ in head), *grouped(table, found)]
    body = "\n".join(f"| {' | '.join(row)} |" for row in rows)
    return f"### {table.title}\n\n{body}\n"
