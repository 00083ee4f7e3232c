"""`try`: what it says would happen is what the pipeline then does, and nothing is written by saying it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from services.operator.trial import dry_run as operator_dry_run
from services.operator.trial.dry_run import dry_run
from services.record_writer import commit
from services.record_writer.decide import facts
from services.record_writer.decide.content.restricted import Reduced
from services.record_writer.decide.model import Decision
from services.record_writer.decide.plan import decide
from shared.config.model import (
    CommandPolicy,
    Configuration,
    Connection,
    Export,
    Inbox,
    MatchValue,
    ObjectMatch,
    Partition,
    QuickAction,
    RecordType,
    Rule,
    SenderPolicy,
    Settings,
    StatusMapping,
    Template,
)
from shared.contracts.mail import Attachment
from tests.builders import TOO_MUCH, a_configuration, a_mail, a_person, a_stored_mail, an_analyst, an_inbox
from tests.desk import Desk, a_copy
from tests.harness.dry_runs import compared, compared_with_what_is_written, everything

TEXT = Attachment("a.txt", "text/plain", 6, sha256(b"hello\n").hexdigest())
LOCATION = RecordType("location", prefix="LOC", fields={"Email": "text", "Floor": "number"})
BY_FIELD = SenderPolicy(
    "object", object=ObjectMatch("location", "reported_from", "Email", field_mapping={"Floor": "3"})
)
BY_VALUE = SenderPolicy(
    "object", "existing_only", object=ObjectMatch("location", "reported_from", None, MatchValue("Floor", 9))
)
PEOPLE = (
    a_person("anna", addresses=("anna@customer.example",), roles=("user", "analyst")),
    a_person("bob"),
    an_analyst(),
)
CLOSED_TO = CommandPolicy(update_anonymously=True, use_linked_analyst=True)
MAPPED = {"Category": "@FirstName", "Summary": "@Subject"}


def configuration(folder: Path) -> Configuration:
    language: dict[str, Any] = {"record_marker": "#", "field_separator": "$"}
    inboxes: tuple[Inbox, ...] = (
        an_inbox(template="t", partition="it", task_for_every_email=True, commands=CLOSED_TO,
                 status_mapping=(StatusMapping("Resolved", "Park"),)),
        an_inbox("changes", processor="change", field_mapping=MAPPED, email_when_no_target=True, **language),
        an_inbox("quiet", processor="change", create_incident_on_error=False, **language),
        an_inbox("requests", processor="service_request", update_only=True, email_when_no_target=True, **language),
        an_inbox("sites", sender=BY_FIELD),
        an_inbox("halls", processor="change", sender=BY_FIELD, **language),
        an_inbox("fixed", sender=BY_VALUE),
        an_inbox("known", sender=SenderPolicy(policy="existing_only")),
        an_inbox("nobody", sender=SenderPolicy(policy="without_creating")),
        an_inbox("exports", processor="xml_export", export=Export("files")),
        an_inbox("bad", template="bad"),
        an_inbox("bad-sites", template="bad", sender=BY_FIELD),
        an_inbox("bad-known", template="bad", sender=SenderPolicy(policy="existing_only")),
    )  # fmt: skip
    templates = (Template("t", "incident", {"Impact": "High", "Urgency": "High", "Owner": "ann"}),
                 Template("bad", "incident", TOO_MUCH))  # fmt: skip
    return a_configuration(
        *inboxes,
        *PEOPLE,
        record_types=(LOCATION,),
        templates=templates,
        partitions=(Partition("it", {"High/High": 1}),),
        quick_actions=(QuickAction("Park", "incident", {"Status": "Waiting"}),),
        connections=(Connection("files", path=str(folder)),),
        rules=(Rule("spam", {"header": {"X-Spam": "yes"}}, reason="spam"),),
        settings=Settings(restricted_attachments=("*.exe",)),
    )


@pytest.fixture(scope="module")
def busy_data(tmp_path_factory: pytest.TempPathFactory, first_data: Path) -> tuple[Path, datetime]:
    """The data folder of a desk on which something has happened, and the time on it."""
    folder = tmp_path_factory.mktemp("busy")
    desk = a_copy(first_data, folder / "data")
    desk.configure(configuration(folder / "out"))
    desk.receive(a_mail("first\n", Message_ID="<first@customer.example>"))
    desk.receive(a_mail("Summary$Old\n", Message_ID="<old@customer.example>"), inbox="changes")
    desk.receive(a_mail("second\n", subject="Second"), a_mail("third\n", subject="Third"))
    for serial, status in ((2, "Resolved"), (3, "Closed")):
        record = desk.app.records.numbered("incident", serial)
        assert record is not None
        desk.store.update("records", {"_id": record.id}, {"$set": {"status": status}, "$inc": {"version": 1}})
    desk.close()
    return folder / "data", desk.clock.at


@pytest.fixture
def busy(busy_data: tuple[Path, datetime], tmp_path: Path) -> Iterator[Desk]:
    """A copy of it, with exports in a folder of its own."""
    prepared, at = busy_data
    desk = a_copy(prepared, tmp_path / "data")
    desk.clock.at = at
    desk.configure(configuration(tmp_path / "out"))
    yield desk
    desk.close()


STRANGER = "Eve <eve@elsewhere.example>"
EXE = (("run.exe", "application/octet-stream", b"MZ"), ("a.txt", "text/plain", b"hello\n"))
CASES: dict[str, tuple[str | None, bytes]] = {
    "new": (None, a_mail("Fire\n", sender=STRANGER, Cc="cc@c.example", files=EXE)),
    "reply": (
        None,
        a_mail("More.\n\nOn Monday Bob wrote:\n> x\n", subject="Re: x", In_Reply_To="<first@customer.example>"),
    ),
    "strangers-reply": (None, a_mail("me\n", sender=STRANGER, In_Reply_To="<nobody@x.example>", subject="Re: y")),
    "number": (None, a_mail("note\n", subject="Incident#1")),
    "number-resolved": (None, a_mail("note\n", subject="Incident#2")),
    "number-closed": (None, a_mail("note\n", subject="Incident#3")),
    "number-unknown": (None, a_mail("note\n", subject="Incident#99")),
    "number-of-another": (None, a_mail("note\n", subject="Incident#1", sender="bob@example.com")),
    "number-anonymous": (None, a_mail("note\n", subject="Incident#1", sender=STRANGER)),
    "analyst": (None, a_mail("mine\n", sender="ann@example.com")),
    "robot": (None, a_mail("note\n", subject="Incident#1", List_Id="<l.example>")),
    "bounce": (None, a_mail(subject="Undeliverable: x", sender="postmaster@x.example")),
    "header-rule": (None, a_mail(X_Spam="yes")),
    "unreadable": (None, b"From: a@b.example\r\n" + b"X-H: v\r\n" * 120_000 + b"\r\nbody"),
    "bad-template": ("bad", a_mail()),
    "bad-template-of-a-stranger": ("bad", a_mail(sender=STRANGER)),
    "bad-template-with-an-object": ("bad-sites", a_mail()),
    "bad-template-for-known-people": ("bad-known", a_mail(sender=STRANGER)),
    "parts": ("changes", a_mail("Summary$A\n#\nChangeNumber$1\nCategory$x\n#\nPriority$9\n")),
    "parts-failing": ("changes", a_mail("Summary$A\n#\nPriority$x\n#\nChangeNumber$77\n")),
    "parts-refused": ("changes", a_mail("Summary$A\n#\nChangeNumber$1\n", sender=STRANGER)),
    "all-refused": ("changes", a_mail("ChangeNumber$1\n#\nChangeNumber$CHG1\n", sender=STRANGER)),
    "all-failing": ("changes", a_mail("Priority$x\n#\nChangeNumber$77\n")),
    "too-many-parts": ("changes", a_mail("x\n#\n" * 1100)),
    "quiet-parts": ("quiet", a_mail("Summary$A\n#\nPriority$x\n")),
    "quiet-failing": ("quiet", a_mail("Priority$x\n")),
    "command": ("changes", a_mail("x\n", subject="[CLOSE#1]")),
    "subject-unknown": ("changes", a_mail("Summary$A\n", subject="[Change - 99]")),
    "requests": ("requests", a_mail("ServiceRequestNumber$5\n#\nSummary$x\n")),
    "object-made": ("sites", a_mail()),
    "object-made-once": ("halls", a_mail("Summary$A\n#\nSummary$B\n#\nSummary$C\n", sender=STRANGER)),
    "person-made-once": ("changes", a_mail("Summary$A\n#\nSummary$B\n", sender=STRANGER)),
    "parts-in-order": (
        "changes",
        a_mail("ChangeNumber$1\nStatus$Closed\n#\nChangeNumber$1\nSummary$Late\n#\nSummary$New\n"),
    ),
    "object-missing": ("fixed", a_mail()),
    "existing-only": ("known", a_mail(sender=STRANGER)),
    "without-creating": ("nobody", a_mail(sender=STRANGER)),
    "export": ("exports", a_mail()),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_said_is_what_happens_and_saying_it_writes_nothing(busy: Desk, case: str) -> None:
    inbox, raw = CASES[case]
    before = everything(busy)
    said = dry_run(busy.app, raw, inbox).as_json()
    assert everything(busy) == before
    assert compared(said) == compared_with_what_is_written(busy, raw, inbox)
    assert said["trace"]


@pytest.mark.parametrize("case", CASES)
def test_the_decision_that_is_printed_is_the_one_that_is_committed(
    busy: Desk, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """Both call one function; what it returns differs only in what is known later: the time."""
    inbox, raw = CASES[case]
    said, done = [_heard(monkeypatch, module) for module in (operator_dry_run, commit)]
    dry_run(busy.app, raw, inbox)
    busy.receive(raw, inbox=inbox)
    assert [_timeless(each) for each in said] == [_timeless(each) for each in done]


def _heard(monkeypatch: pytest.MonkeyPatch, module: Any) -> list[Decision]:
    """Every decision that a module asks for from now on."""
    assert module.decide is decide
    heard: list[Decision] = []

    def asked(*asked_about: Any) -> Decision:
        heard.append(decide(*asked_about))
        return heard[-1]

    monkeypatch.setattr(module, "decide", asked)
    return heard


def _timeless(decision: Decision) -> Decision:
    """Without the texts that name a moment."""
    incident = decision.incident and replace(decision.incident, set=(), activities=(), subordinates=())
    parts = tuple(
        replace(part, record=part.record and replace(part.record, updated_at=None)) for part in decision.parts
    )
    return replace(
        decision, parts=parts, export=decision.export and replace(decision.export, document=b""), incident=incident
    )


def test_a_reply_to_a_mail_on_its_way_is_shown_as_it_ends_without_it(busy: Desk) -> None:
    busy.hand_in(a_mail(Message_ID="<coming@customer.example>"))
    busy.app.mails.receive(a_stored_mail("x", message_key="late@b.example", received_at=busy.clock.now()))
    said = dry_run(busy.app, a_mail("hello\n", In_Reply_To="<late@b.example>")).as_json()
    assert ("references", "wait") in [(step["step"], step["decision"]) for step in said["trace"]]
    assert said["changes"][0]["action"] == "create"


def test_each_decision_is_listed_with_its_stage_and_its_reason(busy: Desk) -> None:
    said = dry_run(busy.app, CASES["parts-failing"][1], "changes").as_json()
    told = [(step["stage"], step["step"], step["decision"]) for step in said["trace"]]
    assert told == [
        ("parser", "read", "message"),
        ("filter", "rules", "accepted"),
        ("sender-matcher", "person", "anna"),
        ("record-writer", "none", "new"),
        ("record-writer", "record", "create CHG2"),
        ("record-writer", "none", "new"),
        ("record-writer", "part", "failed"),
        ("record-writer", "unique-key", "none"),
        ("record-writer", "part", "failed"),
        ("notifier", "no-target", "unsent"),
        ("record-writer", "incident-on-error", "new"),
    ]
    assert all(step["why"] for step in said["trace"])


@pytest.mark.req("IV-24", "PR-17")
@pytest.mark.parametrize("sender", ["hall@example.com", "HALL+x@example.com"])
def test_the_object_that_is_shown_is_the_one_that_is_linked(busy: Desk, sender: str) -> None:
    busy.receive(a_mail(sender="hall@example.com"), inbox="sites")
    (number,) = [record["number"] for record in busy.records("location")]
    said = dry_run(busy.app, a_mail(sender=sender), "sites").as_json()
    told = [(step["decision"], step["why"]) for step in said["trace"] if step["step"] == "object"]
    assert told == [(number, "location by Email = 'hall@example.com'")]
    (change,) = said["changes"]
    assert change["links"] == [{"relationship": "reported_from", "type": "location", "number": number}]


@pytest.mark.req("TI-27")
def test_the_files_that_are_shown_are_those_that_are_attached(busy: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ask one function what is attached in place of a file that holds a restricted one."""
    monkeypatch.setattr(facts, "reduced_files", lambda *_: {TEXT.sha256: Reduced(b"less", ("a.exe",))})
    raw = a_mail("Summary$A\n", files=(("a.txt", "text/plain", b"hello\n"),))
    (change,) = dry_run(busy.app, raw, "changes").as_json()["changes"]
    files = [each for activity in change["activities"] for each in activity["attachments"]]
    busy.receive(raw, inbox="changes")
    record = busy.records("change")[-1]
    (written,) = [each for activity in busy.activities(record) for each in activity["attachments"]]
    assert files == [{key: written[key] for key in files[0]}]
    assert busy.store.get_blob(written["sha256"]) == b"less"


def test_a_copy_that_would_come_by_another_way_is_said_to_be_one(busy: Desk) -> None:
    raw = a_mail(Message_ID="<copied@customer.example>")
    (mail,) = busy.receive(raw)
    steps = dry_run(busy.app, b"Received: from a.example by b.example\n" + raw).as_json()["trace"]
    (why,) = [step["why"] for step in steps if (step["stage"], step["step"]) == ("filter", "copy")]
    assert mail["_id"][:12] in why


def test_a_known_mail_is_said_to_be_one(busy: Desk) -> None:
    raw = a_mail("first again\n")
    busy.receive(raw)
    steps = dry_run(busy.app, raw).as_json()["trace"]
    assert ("duplicate", "known") in [(step["step"], step["decision"]) for step in steps]
