"""Bad inputs, rows 36 to 38 and 59 to 79: threads, addresses and commands that are not what they seem.

Rows 59, 60, 62, 63 and 65 are in `test_bad_inputs`, 76 and 77 in `test_reply_tokens`.
"""

from __future__ import annotations

from typing import Any

import pytest

from services.record_writer.decide.commands import commanded
from shared.config.model import CommandPolicy, Settings
from tests.builders import a_configuration, a_mail, an_inbox
from tests.desk import Desk
from tests.requirements.test_approvals import BOB, ask
from tests.requirements.test_commands import (
    EVE,
    FORGED,
    HIDDEN,
    JANE,
    OURS,
    PEOPLE,
    TOM,
    calls,
    command,
    configure,
    create,
    raw,
)

__all__ = ["calls"]


def test_row_36_of_very_many_references_the_last_ones_count(calls: Desk) -> None:
    (mail,) = calls.receive(a_mail("help\n", sender=JANE, Message_ID="<first@x.example>"))
    many = " ".join(f"<{n}@x.example>" for n in range(10_000))
    (reply,) = calls.receive(a_mail("more\n", sender=JANE, References=f"{many} <first@x.example>"))
    assert "references-capped" in " ".join(reply["defects"]) or reply["records"] == mail["records"]
    assert (reply["outcome"], [each["number"] for each in reply["records"]]) == ("recorded", ["INC2"])


def test_row_37_of_references_to_two_records_the_nearest_counts(calls: Desk) -> None:
    for n in (1, 2):
        calls.receive(a_mail(f"help {n}\n", sender=JANE, Message_ID=f"<m{n}@x.example>"))
    (reply,) = calls.receive(a_mail("more\n", sender=JANE, subject="Re: x", References="<m1@x.example> <m2@x.example>"))
    assert [each["number"] for each in reply["records"]] == ["INC3"]


@pytest.mark.parametrize(("unrecognised", "outcome"), [("new_record", "recorded"), ("ignore", "rejected")])
def test_row_38_a_forged_number_gives_no_access(calls: Desk, unrecognised: str, outcome: str) -> None:
    configure(calls, unrecognised=unrecognised)
    (mail,) = calls.receive(a_mail("let me in\n", sender=EVE, subject="Re: [Call - INC1] Printer"))
    assert (mail["outcome"], len(calls.activities(calls.records()[0]))) == (outcome, 1)
    assert [each["number"] for each in mail["records"]] == (["INC2"] if outcome == "recorded" else [])


def test_row_61_an_international_domain_is_one_person_however_it_is_written(desk: Desk) -> None:
    desk.receive(a_mail("a\n", sender="jan@xn--bcher-kva.example"))
    desk.receive("From: jan@b\u00fccher.example\nTo: support@example.com\nSubject: b\n\nb\n".encode())
    first, second = desk.records()
    assert first["customer"] == second["customer"]


@pytest.mark.parametrize(
    "sender",
    [
        pytest.param("=?utf-8?q?jane?=@example.com", id="row-64-encoded-local-part"),
        pytest.param('"jane doe"@example.com', id="row-66-quoted-local-part"),
        pytest.param(f"{'j' * 330}@example.com", id="row-66-over-320-characters"),
    ],
)
def test_an_odd_address_makes_a_record_of_nobody_who_is_known(calls: Desk, sender: str) -> None:
    (mail,) = calls.receive(raw(sender, subject="help"))
    assert mail["outcome"] == "recorded"
    assert calls.records()[1]["customer"] not in {"jane", "tom"}


def test_row_67_from_counts_and_sender_does_not(calls: Desk) -> None:
    calls.receive(raw(EVE, headers="Sender: tom@example.com\n"))
    (mail,) = calls.receive(raw(JANE, headers=f"Sender: {EVE}\n", subject="help"))
    assert (calls.records()[0]["status"], calls.records()[-1]["customer"]) == ("Active", "jane")
    assert mail["outcome"] == "recorded"


def test_row_68_a_mail_from_our_own_address_is_a_loop(calls: Desk) -> None:
    (mail,) = calls.receive(raw("support@example.com"))
    assert (mail["outcome"], calls.records()[0]["status"], calls.outbox()) == ("rejected", "Active", [])


@pytest.mark.parametrize(
    ("sender", "path"), [("MAILER-DAEMON@mx.example", "x@mx.example"), (JANE, "")], ids=["mailer-daemon", "null path"]
)
def test_row_69_a_mail_system_is_never_answered(calls: Desk, sender: str, path: str) -> None:
    configure(calls, reply_on_create=True)
    calls.receive(
        raw(sender, headers=f"Return-Path: <{path}>\n"), raw(sender, headers=f"Return-Path: <{path}>\n", subject="x")
    )
    assert (calls.outbox(), calls.records()[0]["status"]) == ([], "Active")


def test_row_70_a_spoofed_close_does_nothing_and_the_mail_is_kept(calls: Desk) -> None:
    given = raw('"Jane Doe <jane@example.com>" <eve@evil.example>')
    (mail,) = calls.receive(given)
    assert (calls.record()["status"], mail["outcome"], calls.store.get_blob(mail["raw"])) == (
        "Active",
        "rejected",
        given,
    )


def test_row_71_a_summary_goes_to_the_stored_address_alone(calls: Desk) -> None:
    command(calls, "[MyCalls]", TOM, Reply_To=EVE)
    assert [each["to"] for each in calls.outbox()] == [["tom@example.com"]]


def test_row_72_a_command_in_quoted_text_is_none(calls: Desk) -> None:
    mail = command(calls, "Re: Printer", text="Thanks!\n\nOn Friday Tom wrote:\n> [CLOSE#1]\n")
    assert (mail["outcome"], calls.records()[0]["status"]) == ("recorded", "Active")


@pytest.mark.parametrize(
    "subject",
    [
        "[CLOSE#1] [APPROVE#1]",
        "[CLOSE#1] [CLOSE#2]",
        "[Delete Ticket - 1] [Update Ticket - 1]",
        "[Create Ticket] [Create Announcement]",
        "[MyCalls] [Delete Ticket - 1]",
    ],
)
def test_row_73_two_different_commands_are_refused(calls: Desk, subject: str) -> None:
    mail = command(calls, subject, TOM)
    assert (mail["outcome"], mail["rule"], len(calls.records())) == ("rejected", "command", 1)
    assert (calls.record()["status"], calls.record().get("deleted")) == ("Active", None)


def test_row_74_500_commands_in_a_minute_are_limited(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is lowered with the number of mails, in proportion."""
    monkeypatch.setattr(commanded, "COMMANDS_PER_HOUR", 10)
    configure(desk)
    for _ in range(50):
        create(desk, Owner="tom", Status="Active")
    for number in range(1, 51):
        desk.receive(a_mail(sender=TOM, subject=f"[Update Ticket - {number}]"))
    touched = [each for each in desk.records() if len(desk.activities(each)) > 1]
    assert len(touched) <= 10
    assert sum("within an hour" in (mail["reason"] or "") for mail in desk.mails()) >= 40


@pytest.mark.parametrize("name", FORGED)
@pytest.mark.parametrize(
    "subject", ["[CLOSE#1]", "[Delete Ticket - 1]", "[Update Ticket - 1]", "[Create Announcement]"]
)
def test_row_75_a_forged_proof_is_none(calls: Desk, name: str, subject: str) -> None:
    configure(calls, settings=Settings(trusted_authserv_ids=(OURS,)), trust="authenticated")
    (mail,) = calls.receive(FORGED[name].encode() + raw(TOM, subject=subject, text="Category: Fire"))
    assert (mail["outcome"], mail["rule"], len(calls.records())) == ("rejected", "command", 1)
    assert (calls.record()["status"], calls.record().get("deleted")) == ("Active", None)


def test_row_77_an_approval_is_decided_once(desk: Desk) -> None:
    inbox = an_inbox(commands=CommandPolicy(trust="authenticated"), reply_by_plus_address=True)
    desk.configure(a_configuration(inbox, *PEOPLE))
    ask(desk, "bob")
    (request,) = desk.outbox()
    outcomes = [
        command(desk, f"[{word}#1]", BOB, In_Reply_To=request["message_id"])["outcome"]
        for word in ("APPROVE", "REJECT")
    ]
    assert (outcomes, desk.record("approval")["status"]) == (["commanded", "rejected"], "Approved")


@pytest.mark.parametrize("subject", ["[CLOSE#1]", "[Delete Ticket - 1]", "[Create Ticket]", "[MyCalls]"])
def test_row_78_automatic_mail_gives_no_command(calls: Desk, subject: str) -> None:
    mail = command(calls, subject, TOM, Auto_Submitted="auto-generated")
    assert (mail["outcome"], calls.outbox(), len(calls.records())) == ("rejected", [], 1)
    assert (calls.record()["status"], calls.record().get("deleted")) == ("Active", None)


@pytest.mark.parametrize("words", ["[CLOSE#1]", "[Delete Ticket - 1]", "[Create Announcement]"])
def test_row_79_hidden_html_gives_no_command(calls: Desk, words: str) -> None:
    html = HIDDEN.replace("[CLOSE#1]", words)
    calls.receive(f"From: {TOM}\nTo: support@example.com\nSubject: x\nContent-Type: text/html\n\n{html}\n".encode())
    assert (calls.records()[0]["status"], calls.records()[0].get("deleted")) == ("Active", None)
    assert calls.records("announcement") == []


@pytest.mark.parametrize(
    "style",
    [
        "visibility:hidden",
        "opacity: 0",
        "max-height:0;overflow:hidden",
        "mso-hide:all",
        "position:absolute;left:-9999px",
        "text-indent:-9999px",
        "font-size:1px",
    ],
)
def test_row_79_html_is_hidden_in_several_ways(calls: Desk, style: str) -> None:
    html = f'<div style="{style}">[CLOSE#1]</div><p>Hello</p>'
    calls.receive(f"From: {TOM}\nTo: support@example.com\nSubject: x\nContent-Type: text/html\n\n{html}\n".encode())
    assert [each["status"] for each in calls.records()] == ["Active", "Logged"]


SPOOFED_EDITS: dict[str, dict[str, Any]] = {
    "a field in a quotation": {"text": "Hello\n\nOn Friday Jane wrote:\n> Owner: bob\n"},
    "a field below a signature": {"text": "Hello\n\n-- \nOwner: bob\n"},
    "a field behind white space": {"text": "Owner : bob\n"},
    "a number with a sign": {"subject": "[Update Ticket - -1]", "text": "Owner: bob\n"},
    "a number of another type": {"subject": "[Update Announcement - 1]", "text": "Owner: bob\n"},
    "no closing bracket and words": {"subject": "[Update Ticket - 1 please", "text": "Owner: bob\n"},
    "a type with a letter more": {"subject": "[Update Tickets - 1]", "text": "Owner: bob\n"},
    "an owner who does not exist": {"text": "Owner: eve@evil.example\n"},
    "the number of the record": {"text": "IncidentNumber: 7\n"},
    "a status that does not exist": {"text": "Status: Gone\n"},
}
"""Mails of an analyst that seem to set a field of the call."""


@pytest.mark.req("TI-32")
@pytest.mark.parametrize("name", SPOOFED_EDITS)
def test_what_only_looks_like_a_field_sets_nothing(calls: Desk, name: str) -> None:
    keys = SPOOFED_EDITS[name]
    command(calls, keys.get("subject", "[Update Ticket - 1]"), TOM, keys["text"])
    record = calls.records()[0]
    assert (record["owner"], record["number"], record["status"]) == ("tom", "INC1", "Active")


@pytest.mark.req("TI-32", "VF-18")
def test_no_mail_decides_or_deletes_an_approval_by_an_edit(desk: Desk) -> None:
    configure(desk)
    ask(desk, "bob")
    command(desk, "[Update Approval - 1]", TOM, "Status: Approved\n")
    deleted = command(desk, "[Delete Approval - 1]", TOM)
    record = desk.record("approval")
    assert (record["status"], record.get("deleted"), deleted["outcome"]) == ("Pending", None, "rejected")


@pytest.mark.req("IV-42", "VF-18")
def test_no_mail_makes_its_sender_the_approver(desk: Desk) -> None:
    configure(desk)
    ask(desk, "bob")
    command(desk, "[Update Approval - 1]", TOM, "Owner: tom\n")
    refused = command(desk, "[APPROVE#1]", TOM)
    record = desk.record("approval")
    assert (record["owner"], record["status"], refused["outcome"]) == ("bob", "Pending", "rejected")
