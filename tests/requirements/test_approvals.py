"""Requirement VF-18: approvals below a record move it on, by the desk's rule, once, and ask whoever decides."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

import pytest

from services.notifier.stage import as_outgoing
from services.operator.health.conservation import check
from services.operator.service_desk import manual_edits, records
from services.operator.service_desk.manual_edits import NewRecord
from services.operator.trial.dry_run import dry_run
from services.record_writer import approval_flow, carry_out, commit
from services.record_writer.stage import Writer
from services.record_writer.stage import build as build_writer
from services.schedule.source import ScheduleSource
from shared.config.model import ApprovalRule, CommandPolicy
from shared.config.reading import load_bytes
from shared.contracts.errors import Unavailable
from shared.contracts.events import SenderMatched
from shared.runtime.outcome import Emit
from shared.store.documents import Document
from shared.store.firings import Firings
from tests.builders import a_configuration, a_mail, an_inbox
from tests.desk import Desk
from tests.requirements.test_commands import BOB, JANE, PAT, PEOPLE, TOM, command, create

APPROVERS: Final = {"bob": BOB, "jane": JANE, "tom": TOM}


def configure(desk: Desk, decide: str = "all_of", **keys: Any) -> None:
    """A desk where a change is approved by those below it."""
    rule = ApprovalRule("changes", "change", decide, "Approved", "Closed")  # type: ignore[arg-type]
    inbox = an_inbox(commands=CommandPolicy(**keys), reply_by_plus_address=True)
    desk.configure(a_configuration(inbox, *PEOPLE, approvals=(rule,)))


def ask(desk: Desk, *owners: str, type_: str = "approval") -> None:
    """A change, if there is none yet, with an approval for each of these."""
    if not desk.records("change"):
        create(desk, "change")
    above = desk.app.records.numbered("change", 1)
    found = desk.app.directory.current().type_named(type_)
    assert found is not None
    for owner in owners:
        manual_edits.create(desk.app, found, NewRecord(f"For {owner}", parent=above, values=(("Owner", owner),)))


def decide(desk: Desk, number: int, word: str = "approve", sender: str | None = None) -> Document:
    """The mail of the owner of this approval."""
    owner = next(each["owner"] for each in desk.records("approval") if each["serial"] == number)
    return command(desk, f"[{word.upper()}#{number}]", sender or APPROVERS[owner])


def above(desk: Desk) -> tuple[str, str | None]:
    """Status of the change, and the outcome that it has."""
    record = desk.record("change")
    return record["status"], record.get("approval")


@pytest.mark.req("VF-18", "TI-31")
@pytest.mark.parametrize(("word", "status"), [("approve", "Approved"), ("reject", "Closed")])
def test_pending_approvals_of_a_merged_record_decide_the_one_that_it_went_into(
    desk: Desk, word: str, status: str
) -> None:
    configure(desk)
    ask(desk, "bob", "tom")
    create(desk, "change")
    merged, into = desk.app.records.numbered("change", 1), desk.app.records.numbered("change", 2)
    approval = desk.app.directory.current().type_named("approval")
    assert merged is not None
    assert into is not None
    assert approval is not None
    decide(desk, 1)
    manual_edits.create(desk.app, approval, NewRecord("Own", parent=into, values=(("Owner", "jane"),)))
    manual_edits.merge(desk.app, merged.id, into.id)
    decide(desk, 3)
    assert [each["status"] for each in desk.records("change")] == ["Closed", "Logged"]
    assert decide(desk, 2, word)["outcome"] == "commanded"
    assert [each["status"] for each in desk.records("change")] == ["Closed", status]
    assert desk.document(merged).get("approval") is None
    notes = [each["text"] for each in desk.activities(desk.document(into)) if each["by"] == "Tom"]
    assert [text.partition(" has been ")[0] for text in notes] == ["Task APR2"]
    shown = [records.view(desk.app, desk.app.records.get(each.id) or each, 1).tasks for each in (merged, into)]
    assert [[each.number for each in tasks] for tasks in shown] == [["APR1"], ["APR2", "APR3"]]
    links = records.view(desk.app, records.record_called(desk.app, "APR2"), 1).links
    assert [(each.relationship, each.number) for each in links] == [("parent", "CHG2")]


EXPIRY: Final = b"""
people: [{id: bob, name: Bob, addresses: [bob@example.com]}]
approvals: [{name: changes, on: change, approved: Approved, rejected: Closed}]
slas: [{name: decide, on: approval, resolve: 3d}]
business_rules: [{name: expire, on: sla.breached, when: {"@Sla": decide}, set: {Status: Rejected}}]
"""


@pytest.mark.req("VF-18", "TI-33", "TI-35", "PR-15")
@pytest.mark.parametrize("fails", [False, True])
def test_a_rule_ends_an_approval_that_nobody_decides(desk: Desk, monkeypatch: pytest.MonkeyPatch, fails: bool) -> None:
    desk.configure(load_bytes(EXPIRY))
    ask(desk, "bob")
    if fails:
        kept, tries = Firings.keep, list[str]()

        def keep(firings: Firings, id_: str, *args: Any) -> None:
            tries.append(id_)
            if len(tries) == 1:
                raise Unavailable("the store is unavailable")
            kept(firings, id_, *args)

        monkeypatch.setattr(Firings, "keep", keep)
    desk.clock.advance(timedelta(days=3, minutes=1))
    for _ in range(2):
        ScheduleSource(desk.app).once()
        desk.work()
    assert above(desk) == ("Closed", "rejected")
    change = desk.record("change")
    texts = [each["text"] for each in desk.activities(change) if each["kind"] == "note"]
    assert (texts, change["pending"]) == (["The approvals below (APR1) have the outcome: rejected"], [])


@pytest.mark.req("VF-18")
@pytest.mark.parametrize("kind", ["approval", "task"])
def test_an_approval_that_an_operator_opens_is_decided_again(desk: Desk, kind: str) -> None:
    configure(desk)
    ask(desk, "bob", type_=kind)
    ask(desk, "jane")
    number = desk.records(kind)[0]["number"]
    command(desk, f"[REJECT#{number}]" if kind == "task" else f"[APPROVE#{number}]", BOB)
    before = above(desk)
    type_ = desk.app.directory.current().type_named(kind)
    assert type_ is not None
    manual_edits.change(desk.app, type_, desk.records(kind)[0]["_id"], [("Status", type_.statuses.open[0])])
    mail = command(desk, f"[APPROVE#{number}]", BOB)
    assert (mail["outcome"], desk.outbox()[-1]["subject"]) == (
        "commanded",
        f"Task {number} has been successfully approved",
    )
    assert above(desk) == before
    command(desk, f"[APPROVE#{desk.records('approval')[-1]['number']}]", JANE)
    assert above(desk) == (("Closed", "rejected") if kind == "task" else ("Approved", "approved"))


CASES: Final[dict[str, tuple[str, tuple[str, ...], tuple[str, str | None]]]] = {
    "all of two": ("all_of", ("approve", "approve"), ("Approved", "approved")),
    "one of all": ("all_of", ("approve", ""), ("Logged", None)),
    "all of two, one rejects": ("all_of", ("approve", "reject"), ("Closed", "rejected")),
    "all of two, the first rejects": ("all_of", ("reject", ""), ("Closed", "rejected")),
    "any of two": ("any_of", ("approve", ""), ("Approved", "approved")),
    "any of two, one rejects": ("any_of", ("reject", ""), ("Logged", None)),
    "any of two, the second approves": ("any_of", ("reject", "approve"), ("Approved", "approved")),
    "any of two, both reject": ("any_of", ("reject", "reject"), ("Closed", "rejected")),
    "in order": ("in_order", ("approve", "approve"), ("Approved", "approved")),
    "in order, the first alone": ("in_order", ("approve", ""), ("Logged", None)),
    "in order, the first rejects": ("in_order", ("reject", ""), ("Closed", "rejected")),
}


@pytest.mark.req("VF-18")
@pytest.mark.parametrize("name", CASES)
def test_the_record_above_moves_on_as_the_rule_says(desk: Desk, name: str) -> None:
    rule, words, expected = CASES[name]
    configure(desk, rule)
    ask(desk, "bob", "jane")
    for number, word in enumerate(words, start=1):
        if word:
            assert decide(desk, number, word)["outcome"] == "commanded"
    assert above(desk) == expected
    moves = [each["text"] for each in desk.activities(desk.record("change")) if each["kind"] == "status"]
    assert moves == ([f"Status: Logged → {expected[0]}"] if expected[1] else [])
    assert desk.record("change").get("pending", []) == []
    assert check(desk.app, patience=0).problems == ()


@pytest.mark.req("VF-18")
def test_without_a_rule_the_record_above_keeps_its_status(desk: Desk) -> None:
    configure(desk)
    desk.configure(a_configuration(*PEOPLE, approvals=()))
    ask(desk, "bob")
    decide(desk, 1)
    assert above(desk) == ("Logged", None)


@pytest.mark.req("VF-18")
def test_who_decides_later_than_the_outcome_changes_nothing_above(desk: Desk) -> None:
    configure(desk, "any_of")
    ask(desk, "bob", "jane")
    decide(desk, 1)
    before = len(desk.activities(desk.record("change")))
    assert decide(desk, 2, "reject")["outcome"] == "commanded"
    assert above(desk) == ("Approved", "approved")
    assert [each["kind"] for each in desk.activities(desk.record("change"))][before:] == ["note"]


@pytest.mark.req("VF-18")
def test_a_record_above_that_was_closed_meanwhile_stays_closed(desk: Desk) -> None:
    configure(desk)
    ask(desk, "bob")
    type_ = desk.app.directory.current().type_named("change")
    assert type_ is not None
    manual_edits.change(desk.app, type_, desk.record("change")["_id"], [("Status", "Closed")])
    decide(desk, 1)
    assert above(desk) == ("Closed", "approved")


@pytest.mark.req("VF-18")
def test_tasks_with_an_owner_are_approvals_and_closed_ones_are_done(desk: Desk) -> None:
    configure(desk)
    ask(desk, "bob", "pat", type_="task")
    type_ = desk.app.directory.current().type_named("task")
    assert type_ is not None
    manual_edits.change(desk.app, type_, desk.records("task")[1]["_id"], [("Status", "Closed")])
    command(desk, "[APPROVE#TSK1]", BOB)
    assert above(desk) == ("Approved", "approved")


@pytest.mark.req("VF-18")
def test_an_operators_verdict_counts_like_one_by_mail(desk: Desk) -> None:
    configure(desk)
    ask(desk, "bob", "jane")
    decide(desk, 1)
    type_ = desk.app.directory.current().type_named("approval")
    assert type_ is not None
    manual_edits.change(desk.app, type_, desk.records("approval")[1]["_id"], [("Status", "Approved")])
    assert above(desk) == ("Approved", "approved")
    assert desk.record("change").get("pending", []) == []


@pytest.mark.req("VF-18")
def test_each_approver_is_asked_once_with_both_commands(desk: Desk) -> None:
    configure(desk)
    ask(desk, "bob", "jane")
    first, second = desk.outbox()
    assert (first["to"], second["to"], first["kind"]) == (["bob@example.com"], ["jane@example.com"], "approval")
    assert first["subject"] == "[Approval - APR1] Please decide: For bob"
    assert "[APPROVE#APR1]" in first["text"]
    assert "It belongs to: CHG1: Printer" in first["text"]
    assert f"mailto:{first['reply_to']}?subject=%5BREJECT%23APR1%5D" in first["text"]
    outgoing = desk.app.outbox.get(first["_id"])
    assert outgoing is not None
    assert as_outgoing(outgoing).reply_to is not None


@pytest.mark.req("VF-18")
def test_the_link_of_the_request_proves_who_decides(desk: Desk) -> None:
    configure(desk, trust="authenticated")
    ask(desk, "bob")
    (request,) = desk.outbox()
    assert decide(desk, 1)["outcome"] == "rejected"
    assert command(desk, "[APPROVE#APR1]", JANE, to=request["reply_to"])["outcome"] == "rejected"
    assert command(desk, "[APPROVE#APR1]", BOB, to=request["reply_to"])["outcome"] == "commanded"
    assert command(desk, "[REJECT#APR1]", BOB, to=request["reply_to"])["outcome"] == "rejected"
    assert above(desk) == ("Approved", "approved")


@pytest.mark.req("VF-18")
def test_in_order_each_is_asked_when_the_turn_comes(desk: Desk) -> None:
    configure(desk, "in_order")
    ask(desk, "bob", "jane")
    assert [each["to"] for each in desk.outbox()] == [["bob@example.com"]]
    early = decide(desk, 2)
    assert (early["outcome"], desk.records("approval")[1]["status"]) == ("rejected", "Pending")
    assert "it is decided after APR1" in desk.outbox()[-1]["text"]
    decide(desk, 1)
    requests = [each["to"] for each in desk.outbox() if each["kind"] == "approval"]
    assert requests == [["bob@example.com"], ["jane@example.com"]]
    assert decide(desk, 2)["outcome"] == "commanded"


@pytest.mark.req("VF-18")
def test_a_new_owner_is_asked_and_a_task_of_work_asks_nobody(desk: Desk) -> None:
    configure(desk)
    ask(desk, "bob")
    type_, task = (desk.app.directory.current().type_named(name) for name in ("approval", "task"))
    assert type_ is not None
    assert task is not None
    manual_edits.change(desk.app, type_, desk.record("approval")["_id"], [("Owner", "jane")])
    create(desk, "incident")
    call = desk.app.records.numbered("incident", 1)
    manual_edits.create(desk.app, task, NewRecord("Look", parent=call, values=(("Owner", "pat"),)))
    assert [each["to"] for each in desk.outbox()] == [["bob@example.com"], ["jane@example.com"]]


@pytest.mark.req("VF-18", "PR-15")
@pytest.mark.parametrize("rule", ["all_of", "any_of"])
def test_two_verdicts_at_once_move_the_record_above_once(desk: Desk, rule: str) -> None:
    configure(desk, rule)
    ask(desk, "bob", "jane")
    desk.receive(*(a_mail(sender=APPROVERS[who], subject=f"[APPROVE#{n}]") for n, who in ((1, "bob"), (2, "jane"))))
    assert above(desk) == ("Approved", "approved")
    assert [each["kind"] for each in desk.activities(desk.record("change"))].count("status") == 1


class Killed(BaseException):
    """The end of a worker."""


@contextmanager
def killed_at(monkeypatch: pytest.MonkeyPatch, boundary: int) -> Iterator[list[int]]:
    """The writer ends when it passes this boundary; how many it has passed."""
    passed: list[int] = []

    def crash_point(_: str) -> None:
        passed.append(1)
        if len(passed) == boundary:
            raise Killed

    with monkeypatch.context() as patched:
        for module in (commit, carry_out, approval_flow):
            patched.setattr(module, "crash_point", crash_point)
        yield passed


@pytest.mark.req("VF-18", "PR-15")
@pytest.mark.parametrize("boundary", range(1, 11))
def test_a_verdict_whose_worker_is_killed_has_one_effect(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, boundary: int
) -> None:
    """Each write is durable by itself here, as on MongoDB: the writer's handler is called outside of a batch."""
    configure(desk, "in_order")
    ask(desk, "bob", "jane")
    decide(desk, 1)
    event = written_by_nobody(desk, monkeypatch, a_mail("Fine.\n", sender=JANE, subject="[APPROVE#2]"))
    writer = build_writer(desk.app)
    with killed_at(monkeypatch, boundary) as passed, pytest.raises(Killed):
        writer.handle(event)
    assert len(passed) == boundary
    first, second = writer.handle(event), writer.handle(event)
    assert isinstance(first, Emit)
    assert isinstance(second, Emit)
    assert first.events == second.events
    assert above(desk) == ("Approved", "approved")
    kinds = [each["kind"] for each in desk.activities(desk.record("change"))]
    assert kinds == ["created", "note", "note", "note", "status"]
    assert [each["pending"] for each in desk.records() if each.get("pending")] == []
    assert sorted(each["kind"] for each in desk.outbox()) == ["approval"] * 2 + ["command"] * 2


def written_by_nobody(desk: Desk, monkeypatch: pytest.MonkeyPatch, raw: bytes) -> SenderMatched:
    """What the record writer would read of this mail, which waits for it."""
    events: list[Any] = []

    def handle(_: Writer, event: Any) -> Emit:
        events.append(event)
        return Emit()

    with monkeypatch.context() as patched:
        patched.setattr(Writer, "handle", handle)
        desk.receive(raw)
    (event,) = events
    assert isinstance(event, SenderMatched)
    return event


@pytest.mark.req("VF-18")
def test_a_dry_run_shows_how_the_record_above_would_move(desk: Desk) -> None:
    configure(desk)
    ask(desk, "bob")
    shown = dry_run(desk.app, a_mail(sender=BOB, subject="[APPROVE#1]")).as_json()
    assert [(each["number"], each["set"].get("status")) for each in shown["changes"]] == [
        ("APR1", "Approved"),
        ("CHG1", "Approved"),
    ]
    assert above(desk) == ("Logged", None)


@pytest.mark.parametrize(
    ("stated", "complaint"),
    [
        ("{name: a, on: unicorn}", 'approvals[0].on: there is no record type "unicorn"'),
        ("{name: a, on: change, approved: Done}", "approvals[0].approved"),
        ("{name: a, on: change}, {name: b, on: change}", "approvals[1].on: change has the rule a already"),
    ],
)
def test_a_rule_that_does_not_fit_is_refused(stated: str, complaint: str) -> None:
    with pytest.raises(Exception, match=r"approvals") as refused:
        load_bytes(f"approvals: [{stated}]\n".encode())
    assert complaint in str(refused.value)


def test_nobody_but_the_approver_moves_the_record(desk: Desk) -> None:
    configure(desk)
    ask(desk, "bob")
    for sender in (JANE, TOM, PAT, "eve@evil.example"):
        assert decide(desk, 1, sender=sender)["outcome"] == "rejected"
    assert above(desk) == ("Logged", None)
