"""The record writer: an event in, an outcome out; the same event again, the same outcome."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.record_writer.commit import MAX_RACES
from services.record_writer.stage import build
from shared.config.model import CommandPolicy, Connection, Export
from shared.contracts.errors import PostroomError, Unavailable
from shared.contracts.events import (
    Envelope,
    Event,
    ExportWanted,
    IncidentWanted,
    MailRejected,
    NotificationQueued,
    RecordChanged,
    Sender,
    SenderMatched,
)
from shared.contracts.mail import Address, ParsedMail
from shared.runtime.outcome import Emit, Fail, Outcome, Wait
from shared.store.arrivals import Arrival, MailHead
from shared.store.record import Record
from tests.builders import a_configuration, a_stored_mail, an_inbox
from tests.desk import Desk
from tests.plain import ANALYST, ANNA

PARTS: dict[str, Any] = {"processor": "change", "record_marker": "#", "field_separator": "$"}
INBOXES = (
    an_inbox(),
    an_inbox("strict", commands=CommandPolicy(log_new_on_invalid_number=False)),
    an_inbox("changes", **PARTS),
    an_inbox("exports", processor="xml_export", export=Export("files")),
)


@pytest.fixture
def writing(desk: Desk) -> Desk:
    desk.configure(a_configuration(*INBOXES, connections=(Connection("files", path="exported"),)))
    return desk


def handle(desk: Desk, mail_id: str = "m1", inbox: str = "support", *, sender: Sender = ANNA, **mail: Any) -> Outcome:
    """What the writer answers to this mail."""
    parsed = replace(ParsedMail("0" * 64, 400, subject="Printer", text="Fire\n", from_=sender.address), **mail)
    desk.app.mails.receive(a_stored_mail(mail_id, inbox=inbox, received_at=desk.clock.now()))
    envelope = Envelope(mail_id, inbox, "2026-11-20T12:00:00Z")
    return build(desk.app).handle(SenderMatched(envelope, parsed, sender))


def changed(desk: Desk, action: str, type_: str = "incident", mail_id: str = "m1", inbox: str = "support") -> Event:
    record = desk.record(type_)
    return RecordChanged(mail_id, inbox, action, type_, record["number"], record["_id"])


def test_a_new_mail_makes_a_record(writing: Desk) -> None:
    outcome = handle(writing)
    assert outcome == Emit((changed(writing, "created"),), "nothing in the mail names a record")


def test_an_update_is_announced_and_answered(writing: Desk) -> None:
    handle(writing)
    outcome = handle(writing, "m2", subject="Incident#1")
    (mail,) = writing.outbox()
    assert isinstance(outcome, Emit)
    assert outcome.events == (changed(writing, "updated", mail_id="m2"), NotificationQueued("m2", mail["_id"]))


@pytest.mark.req("PR-15")
@pytest.mark.parametrize(
    ("inbox", "subject"), [("support", "Printer"), ("strict", "Incident#9"), ("changes", "Printer")]
)
def test_a_mail_that_comes_again_has_the_very_same_events(writing: Desk, inbox: str, subject: str) -> None:
    first, second = (handle(writing, inbox=inbox, subject=subject) for _ in range(2))
    assert isinstance(first, Emit)
    assert second == Emit(first.events, "decided before")
    assert len(first.events) == 1


def test_a_rejection_names_the_strategy_and_the_reason(writing: Desk) -> None:
    why = "Incident 9 does not exist, and unknown numbers make no new record"
    expected = Emit((MailRejected("m1", "strict", "number", why),), f"number: {why}")
    assert handle(writing, inbox="strict", subject="Incident#9") == expected


def test_a_reply_to_a_mail_on_its_way_waits(writing: Desk) -> None:
    anna = Address("", "anna@customer.example")
    late = a_stored_mail("m0", message_key="m0@x", received_at=writing.clock.now(), from_=anna)
    writing.app.mails.receive(late)
    assert handle(writing, in_reply_to="<m0@x>") == Wait("the mail that it answers has no outcome yet")
    assert writing.mails()[-1].get("targets") is None


def on_intake(desk: Desk, id_: str, at: datetime, inbox: str = "support", key: str | None = None) -> None:
    head = MailHead("0" * 64, 400, message_key=key)
    desk.app.arrivals.handed_in([Arrival(id_, inbox, at, "handed-in", f"of-{id_}", head)])


@pytest.mark.req("PR-15", "VF-21")
@pytest.mark.parametrize(
    ("earlier", "inbox", "key", "waits"),
    [
        (timedelta(seconds=3), "support", "m0@x", True),
        (timedelta(0), "support", "m0@x", True),
        (-timedelta(seconds=3), "support", "m0@x", False),
        (timedelta(seconds=3), "changes", "m0@x", False),
        (timedelta(seconds=3), "support", "other@x", False),
    ],
    ids=["before it", "with it", "behind it", "in another inbox", "another mail"],
)
def test_a_reply_waits_for_the_mail_it_answers_to_be_read(
    writing: Desk, earlier: timedelta, inbox: str, key: str, waits: bool
) -> None:
    """Several parsers: the reply is read sooner than a large mail that was handed in before it."""
    at = writing.clock.now()
    on_intake(writing, "a0", at - earlier, inbox, key)
    on_intake(writing, "a1", at)
    writing.app.mails.receive(a_stored_mail("m1", arrival="a1", received_at=at))
    outcome = handle(writing, in_reply_to="<m0@x>")
    assert (outcome == Wait("the mail that it answers is not read yet")) == waits
    assert len(writing.records()) == (not waits)


def test_a_reply_waits_a_minute_at_most_for_a_mail_that_is_not_read(writing: Desk) -> None:
    at = writing.clock.now()
    on_intake(writing, "a0", at, key="m0@x")
    on_intake(writing, "a1", at)
    writing.app.mails.receive(a_stored_mail("m1", arrival="a1", received_at=at))
    writing.clock.advance(timedelta(minutes=1))
    assert isinstance(handle(writing, in_reply_to="<m0@x>"), Emit)


@pytest.mark.req("IV-40")
def test_an_export_is_handed_to_the_exporter(writing: Desk) -> None:
    outcome = handle(writing, inbox="exports")
    assert isinstance(outcome, Emit)
    (event,) = outcome.events
    assert isinstance(event, ExportWanted)
    assert (event.mail_id, event.connection) == ("m1", "files")
    assert b"<Subject>Printer</Subject>" in writing.store.get_blob(event.document)


@pytest.mark.req("IV-37")
def test_a_mail_of_which_nothing_can_be_written_fails(writing: Desk) -> None:
    expected = Fail("the field Priority takes a number, not 'x'", "m1")
    assert handle(writing, inbox="changes", text="Priority$x\n", sender=ANALYST) == expected
    assert writing.records() == []


@pytest.mark.req("IV-37")
def test_an_incident_on_error_is_made_once(writing: Desk) -> None:
    writing.app.mails.receive(a_stored_mail(outcome="dead"))
    wanted = IncidentWanted("m1", "support", "letter", "parser", "it broke")
    first, second = (build(writing.app).handle(wanted) for _ in range(2))
    assert first == second == Emit((changed(writing, "created"),), "incident on error INC1")


def test_a_mail_without_a_document_is_an_error(writing: Desk) -> None:
    event = SenderMatched(Envelope("m9", "support", ""), ParsedMail("0" * 64, 1), ANALYST)
    with pytest.raises(PostroomError, match="document is missing"):
        build(writing.app).handle(event)


# -- a record that moves while it is changed


def moving(desk: Desk, monkeypatch: pytest.MonkeyPatch, times: int, **change: Any) -> list[Record]:
    """Before each of this many commits, somebody else changes the record; the versions that were planned on."""
    records = desk.app.records
    commit, seen = records.commit, list[Record]()

    def late(record: Record, *rest: Any) -> bool:
        seen.append(record)
        if len(seen) <= times:
            desk.store.update("records", {"_id": record.id}, {"$inc": {"version": 1}, "$set": change})
        return commit(record, *rest)

    monkeypatch.setattr(records, "commit", late)
    return seen


def test_a_part_whose_record_moved_is_planned_again_on_what_it_has_become(
    writing: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle(writing)
    seen = moving(writing, monkeypatch, 1, status="Resolved")
    outcome = handle(writing, "m2", subject="Incident#1")
    assert isinstance(outcome, Emit)
    assert outcome.events[0] == changed(writing, "reopened", mail_id="m2")
    assert [record.version for record in seen] == [1, 2]


def test_the_end_of_the_mail_follows_from_what_the_record_has_become(
    writing: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle(writing)
    moving(writing, monkeypatch, 1, status="Closed")
    outcome = handle(writing, "m2", subject="Incident#1")
    assert isinstance(outcome, Emit)
    assert isinstance(outcome.events[-1], MailRejected)
    assert outcome.note.endswith("INC1 is closed and takes no updates")


def test_parts_behind_one_that_was_planned_again_are_planned_again_too(
    writing: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle(writing, inbox="changes", text="Summary$Old\n")
    seen = moving(writing, monkeypatch, 1, fields={"Category": "theirs"})
    handle(writing, "m2", "changes", text="ChangeNumber$1\nSummary$A\n#\nChangeNumber$1\nImpact$High\n")
    record = writing.record("change")
    assert [each.version for each in seen] == [1, 2, 3]
    assert record["fields"] == {"Category": "theirs", "Summary": "A", "Impact": "High"}


def test_parts_about_one_record_are_committed_without_being_planned_again(
    writing: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle(writing, inbox="changes", text="Summary$Old\n")
    seen = moving(writing, monkeypatch, 0)
    handle(writing, "m2", "changes", text="ChangeNumber$1\nSummary$A\n#\nChangeNumber$1\nImpact$High\n")
    assert [each.version for each in seen] == [1, 2]
    assert writing.record("change")["version"] == 3


def test_a_record_that_never_rests_is_unavailable(writing: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    handle(writing)
    seen = moving(writing, monkeypatch, MAX_RACES)
    with pytest.raises(Unavailable, match="changed by too many"):
        handle(writing, "m2", subject="Incident#1")
    assert len(seen) == MAX_RACES


def test_targets_that_another_worker_claimed_first_are_the_ones_written(
    writing: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle(writing)
    mails = writing.app.mails
    claim = mails.claim

    def late(mail_id: str, targets: Any) -> Any:
        claim(mail_id, [replace(each, kind="new", record_id=None) for each in targets])
        return claim(mail_id, targets)

    monkeypatch.setattr(mails, "claim", late)
    handle(writing, "m2", subject="Incident#1")
    assert [record["number"] for record in writing.records()] == ["INC1", "INC2"]


@pytest.mark.req("PR-15")
@pytest.mark.parametrize("subject", ["A new one", "Incident#1"])
def test_a_mail_that_was_rejected_meanwhile_makes_and_changes_nothing(
    writing: Desk, monkeypatch: pytest.MonkeyPatch, subject: str
) -> None:
    """By the filter, to which it came again under other rules."""
    handle(writing)
    mails = writing.app.mails
    claim = mails.claim

    def late(mail_id: str, targets: Any) -> Any:
        assert mails.reject_unclaimed(mail_id, "barred-sender", "barred")
        return claim(mail_id, targets)

    monkeypatch.setattr(mails, "claim", late)
    outcome = handle(writing, "m2", subject=subject)
    assert isinstance(outcome, Emit)
    assert outcome.note == "decided before"
    assert [record["version"] for record in writing.records()] == [1]
    assert mails.get("m2").outcome == "rejected"  # type: ignore[union-attr]


@pytest.mark.req("PR-15")
def test_a_mail_that_another_worker_finished_meanwhile_is_not_written_again(
    writing: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle(writing)
    records = writing.app.records
    get, others = records.get, list[Outcome]()

    def after_the_other(record_id: str) -> Record | None:
        monkeypatch.undo()
        others.append(handle(writing, "m2", subject="Incident#1"))
        return get(record_id)

    monkeypatch.setattr(records, "get", after_the_other)
    outcome = handle(writing, "m2", subject="Incident#1")
    assert isinstance(others[0], Emit)
    assert outcome == Emit(others[0].events, "decided before")
    assert (writing.record()["version"], writing.record()["pending"]) == (2, [])


@pytest.mark.req("PR-15", "IV-37")
def test_a_mail_whose_other_parts_another_worker_wrote_meanwhile_does_not_fail(
    writing: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the parts only the one that fails is left, and its incident is made."""
    text = "Summary$A\n#\nSummary$B\nPriority$x\n"
    mails = writing.app.mails
    claim, others = mails.claim, list[Outcome]()

    def after_the_other(mail_id: str, targets: Any) -> Any:
        monkeypatch.undo()
        others.append(handle(writing, inbox="changes", text=text, sender=ANALYST))
        return claim(mail_id, targets)

    monkeypatch.setattr(mails, "claim", after_the_other)
    outcome = handle(writing, inbox="changes", text=text, sender=ANALYST)
    assert isinstance(others[0], Emit)
    assert outcome == Emit(others[0].events, "decided before")
