"""`[MyCalls]` and its like: what an analyst works on, has forwarded and was forwarded, at the stored address."""

from __future__ import annotations

import pytest

from services.operator.service_desk import manual_edits
from services.operator.trial.dry_run import dry_run
from shared.config.model import AutomaticMailCap, CommandPolicy, Settings
from tests.builders import a_configuration, a_mail, an_inbox
from tests.desk import Desk
from tests.requirements.test_commands import (
    EVE,
    FORGED,
    JANE,
    OURS,
    PEOPLE,
    SPOOFS,
    TOM,
    command,
    configure,
    create,
    raw,
    with_a_store_that_fails_once,
)

INBOXES = (an_inbox(), an_inbox("changes", processor="problem", field_separator=":"))


@pytest.fixture
def busy(desk: Desk) -> Desk:
    """A desk on which Tom works on two calls, has a resolved and a closed one, and other records."""
    desk.configure(a_configuration(*INBOXES, *PEOPLE))
    for status in ("Active", "Waiting", "Resolved", "Closed"):
        create(desk, Owner="tom", Status=status)
    create(desk, Owner="kim")
    for type_ in ("service_request", "task", "approval"):
        create(desk, type_, Owner="tom")
    return desk


def edit(desk: Desk, number: int, **values: str) -> None:
    """An operator's change of a call."""
    type_ = desk.app.directory.current().type_named("incident")
    record = desk.app.records.numbered("incident", number)
    assert type_ is not None
    assert record is not None
    manual_edits.change(desk.app, type_, record.id, list(values.items()))


@pytest.mark.req("VF-19")
@pytest.mark.parametrize(
    ("subject", "title", "numbers"),
    [
        ("[MyCalls]", "Your calls", ["INC3", "INC2", "INC1"]),
        ("Re: [my requests]", "Your requests", ["SR1"]),
        ("[MYTASKS]", "Your tasks", ["TSK1"]),
        ("AW: [MyApprovals] please", "Your approvals", ["APR1"]),
    ],
)
def test_an_analyst_gets_what_is_not_closed(busy: Desk, subject: str, title: str, numbers: list[str]) -> None:
    before = [record["version"] for record in busy.records()]
    mail = command(busy, subject, TOM)
    (message,) = busy.outbox()
    lines = message["text"].split("\n")
    assert (mail["outcome"], mail["records"], message["subject"]) == ("commanded", [], title)
    assert lines[0] == "You work on:"
    assert [line.split()[0] for line in lines if line.startswith("  ")] == numbers
    assert lines[-4:] == ["You have forwarded: none", "", "You have been forwarded: none", ""]
    assert [record["version"] for record in busy.records()] == before


@pytest.mark.req("VF-19")
def test_it_lists_what_was_forwarded_to_and_by_the_analyst(busy: Desk) -> None:
    edit(busy, 5, Owner="tom")
    edit(busy, 1, Owner="kim")
    command(busy, "[MyCalls]", TOM)
    command(busy, "[MyCalls]", "kim@example.com")
    toms, kims = (message["text"] for message in busy.outbox())
    assert "You have been forwarded:\n  INC5  Logged  Printer\n" in toms
    assert "INC1" not in toms
    assert "You work on:\n  INC1  Active  Printer\n" in kims
    assert "You have been forwarded:\n  INC1  Active  Printer\n" in kims


@pytest.mark.req("VF-19", "VF-14")
def test_who_changes_the_owner_by_mail_has_forwarded(desk: Desk) -> None:
    inbox = an_inbox(processor="approval", field_separator=":")
    desk.configure(a_configuration(inbox, *PEOPLE))
    create(desk, "approval", Owner="tom")
    desk.receive(a_mail("ApprovalNumber: 1\nOwner: kim\n", sender=TOM, subject="please take it"))
    assert desk.record("approval")["owner"] == "kim"
    for sender in (TOM, "kim@example.com"):
        command(desk, "[MyApprovals]", sender)
    toms, kims = (message["text"] for message in desk.outbox() if message["kind"] == "summary")
    assert "You have forwarded:\n  APR1  Pending  Printer\n" in toms
    assert "You have been forwarded:\n  APR1  Pending  Printer\n" in kims


@pytest.mark.req("VF-19")
def test_a_summary_goes_to_the_stored_address_alone(busy: Desk) -> None:
    headers = {"Reply_To": "eve@evil.example", "Cc": "eve@evil.example", "Sender": "eve@evil.example"}
    command(busy, "[MyCalls]", "Tom <tom+x@example.com>", **headers)
    (message,) = busy.outbox()
    assert (message["to"], message["kind"], message.get("cc") or []) == ([TOM], "summary", [])


@pytest.mark.req("VF-19")
@pytest.mark.parametrize(("sender", "answered"), [(JANE, True), (EVE, False)], ids=["a user", "a stranger"])
def test_nobody_but_analysts_gets_one(busy: Desk, sender: str, answered: bool) -> None:
    mail = command(busy, "[MyCalls]", sender)
    assert (mail["outcome"], mail["rule"]) == ("rejected", "command")
    assert [message["kind"] for message in busy.outbox()] == (["command"] if answered else [])
    assert all("INC" not in message["text"] for message in busy.outbox())
    assert not answered or mail["reason"].endswith("only analysts get a summary")


@pytest.mark.req("VF-19")
@pytest.mark.parametrize("subject", ["[MyCalls of Kim]", "[MyCalls"])
def test_a_summary_of_others_is_refused_with_the_form(busy: Desk, subject: str) -> None:
    mail = command(busy, subject, TOM)
    assert (mail["outcome"], mail["rule"]) == ("rejected", "command")
    assert "it has to stand alone in its brackets, as [MyCalls]" in busy.outbox()[0]["text"]


@pytest.mark.req("VF-19")
@pytest.mark.parametrize("name", SPOOFS)
def test_a_spoofed_request_sends_no_summary_elsewhere(busy: Desk, name: str) -> None:
    """A From that is an analyst's own address is believed here, and the summary goes to that analyst."""
    busy.receive(SPOOFS[name].replace(b"[CLOSE#1]", b"[MyCalls]"))
    analysts = {"tom@example.com", "pat@example.com", "kim@example.com"}
    assert {to for each in busy.outbox() if "INC" in each["text"] for to in each["to"]} <= analysts


@pytest.mark.req("VF-19")
@pytest.mark.parametrize("name", FORGED)
def test_a_forged_proof_gets_no_summary(busy: Desk, name: str) -> None:
    configure(busy, settings=Settings(trusted_authserv_ids=(OURS,)), trust="authenticated")
    busy.receive(FORGED[name].encode() + raw(TOM, subject="[MyCalls]"))
    assert [each for each in busy.outbox() if each["kind"] == "summary"] == []


@pytest.mark.req("VF-19", "PR-15")
def test_a_summary_is_sent_once_however_often_the_mail_comes(busy: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = with_a_store_that_fails_once(monkeypatch)
    given = a_mail(sender=TOM, subject="[MyCalls]")
    busy.receive(given)
    busy.receive(given)
    assert (len(tries) > 1, len(busy.outbox())) == (True, 1)


@pytest.mark.req("VF-19", "PR-02")
def test_summaries_stay_within_the_limits(busy: Desk) -> None:
    settings = Settings(automatic_mail_cap=AutomaticMailCap(per_address=2))
    busy.configure(a_configuration(an_inbox(), *PEOPLE, settings=settings))
    outcomes = [command(busy, "[MyCalls]", TOM)["outcome"] for _ in range(3)]
    assert (outcomes, len(busy.outbox())) == (["commanded", "commanded", "rejected"], 2)


@pytest.mark.req("VF-19")
def test_a_long_list_is_cut(desk: Desk) -> None:
    configure(desk)
    for _ in range(52):
        create(desk, Owner="tom")
    command(desk, "[MyCalls]", TOM)
    text = desk.outbox()[0]["text"]
    assert (text.count("  INC"), "and more than these 50" in text) == (50, True)


@pytest.mark.req("VF-19")
def test_a_summary_can_be_off_and_a_dry_run_shows_it(busy: Desk) -> None:
    shown = dry_run(busy.app, a_mail(sender=TOM, subject="[MyCalls]")).as_json()
    assert (shown["outcome"], [each["kind"] for each in shown["notifications"]]) == ("commanded", ["summary"])
    assert busy.outbox() == []
    busy.configure(a_configuration(an_inbox(commands=CommandPolicy(enabled=("close",))), *PEOPLE))
    assert command(busy, "[MyCalls]", TOM)["outcome"] == "rejected"
