"""Commands by mail: who may give them, what they do, what the sender is answered, and what gives none."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from services.operator.health.conservation import check
from services.operator.service_desk import manual_edits
from services.operator.service_desk.manual_edits import NewRecord
from services.operator.trial.dry_run import dry_run
from services.record_writer.decide.commands import commanded
from shared.app import Location
from shared.config.model import CommandPolicy, RecordType, Settings
from shared.contracts.errors import Unavailable
from shared.store.documents import Document
from shared.store.mails import Mails
from shared.store.records import Records
from tests.builders import a_configuration, a_mail, a_person, an_analyst, an_inbox
from tests.desk import Desk
from tests.servers.documents import Place
from tests.system.test_scaled import store_of

JANE, BOB = "Jane Doe <jane@example.com>", "Bob Roe <bob@example.com>"
TOM, PAT, KIM = "tom@example.com", "pat@example.com", "kim@example.com"
EVE = "Eve <eve@evil.example>"
OURS: Final = "mx.example.com"
PASS: Final = f"{OURS}; dmarc=pass header.from=example.com"
PEOPLE: Final = (
    a_person("jane"),
    a_person("bob", name="Bob Roe"),
    an_analyst("tom", name="Tom"),
    an_analyst("pat", name="Pat"),
    an_analyst("kim", name="Kim", permissions=("take_over",)),
)
CLOSED: Final = "Call INC1 has been closed"
REFUSED: Final = "Call INC1 has not been closed"


def with_a_store_that_fails_once(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The store is unavailable when the first outcome is written; the mails of all tries."""
    finish, tries = Mails.finish, list[str]()

    def failing_once(self: Mails, mail_id: str, *args: Any, **keys: Any) -> bool:
        tries.append(mail_id)
        if len(tries) == 1:
            raise Unavailable("the store is unavailable")
        return finish(self, mail_id, *args, **keys)

    monkeypatch.setattr(Mails, "finish", failing_once)
    return tries


def configure(desk: Desk, *, settings: Settings | None = None, **commands: Any) -> None:
    """One inbox with these switches, and the people of this page."""
    inbox = an_inbox(commands=CommandPolicy(**commands))
    desk.configure(a_configuration(inbox, *PEOPLE, **({"settings": settings} if settings else {})))


def create(desk: Desk, type_: str = "incident", customer: str | None = "jane", **values: str) -> None:
    """A record that an operator makes."""
    found = desk.app.directory.current().type_named(type_)
    assert found is not None
    manual_edits.create(desk.app, found, NewRecord("Printer", customer=customer, values=tuple(values.items())))


@pytest.fixture
def calls(desk: Desk) -> Desk:
    """A desk with the call INC1 of Jane's, which Tom owns."""
    configure(desk)
    create(desk, Owner="tom", Status="Active")
    return desk


def command(desk: Desk, subject: str = "[CLOSE#1]", sender: str = JANE, text: str = "", **keys: str) -> Document:
    """The outcome of a mail with a command."""
    (mail,) = desk.receive(a_mail(text, sender=sender, subject=subject, **keys))
    return mail


@pytest.mark.req("VF-17", "PR-15")
@pytest.mark.parametrize(
    ("sender", "closes"),
    [(JANE, True), (BOB, False), (TOM, True), (PAT, False), (KIM, True)],
    ids=["own call", "call of another", "owner", "analyst without take-over", "analyst with take-over"],
)
def test_a_call_is_closed_by_its_customer_its_owner_or_with_take_over(calls: Desk, sender: str, closes: bool) -> None:
    mail = command(calls, sender=sender, text="It works again.\n")
    (answer,) = calls.outbox()
    record = calls.record()
    assert (record["status"], mail["outcome"]) == (("Closed", "commanded") if closes else ("Active", "rejected"))
    assert answer["subject"] == (CLOSED if closes else REFUSED)
    assert answer["text"].split("\n", 1)[0] == f"{CLOSED}." if closes else f"{REFUSED}. Reason: Insufficient Permission"
    assert (answer["to"], answer["kind"]) == ([sender.rpartition("<")[2].rstrip(">")], "command")
    kinds = [each["kind"] for each in calls.activities(record)]
    assert kinds == (["created", "email", "status"] if closes else ["created"])
    assert [each["number"] for each in mail["records"]] == (["INC1"] if closes else [])


@pytest.mark.req("VF-17", "VF-22")
@pytest.mark.parametrize(
    "subject",
    [
        "[CLOSE#1]",
        "[close#INC1]",
        "Re: AW: [Close #inc1] thanks",
        "[EXTERNAL] Fwd: [ CLOSE # 1 ]",
        "Printer [CLOSE#1]",
        "[CLOSE#1] [close#1]",
    ],
)
def test_a_command_is_recognised_in_these_forms(calls: Desk, subject: str) -> None:
    assert command(calls, subject)["outcome"] == "commanded"
    assert calls.record()["status"] == "Closed"


@pytest.mark.req("VF-17")
@pytest.mark.parametrize("subject", ["[CLOSE#]", "[CLOSE#-1]", "[CLOSE#1", "[Close 1]", "[CLOSE#CHG1]", "[CLOSE#one]"])
def test_a_malformed_command_is_answered_with_its_form(calls: Desk, subject: str) -> None:
    mail = command(calls, subject)
    (answer,) = calls.outbox()
    assert (calls.record()["status"], mail["outcome"], mail["rule"]) == ("Active", "rejected", "command")
    assert "it names no Call; write it as [CLOSE#12]" in answer["text"]


@pytest.mark.req("VF-17", "PR-02")
def test_each_closing_is_confirmed_whatever_was_written_before(calls: Desk) -> None:
    text = {"text": "Thanks.\n", "In_Reply_To": "<none@example.com>"}
    for subject in ("[Call - 1] a printer", "[Call - 1] a scanner", "Re: [CLOSE#1]"):
        command(calls, subject, **text)
    assert [each["kind"] for each in calls.outbox()] == ["updated", "updated", "command"]


@pytest.mark.req("VF-13", "VF-17")
def test_a_closed_call_stays_and_the_sender_is_notified(calls: Desk) -> None:
    command(calls)
    mail = command(calls, "[CLOSE#1] again")
    assert (mail["outcome"], mail["rule"]) == ("rejected", "command")
    assert calls.outbox()[-1]["text"].startswith("Call No INC1 is already closed and has not been updated.")
    assert len(calls.activities(calls.record())) == 3


@pytest.mark.req("VF-17", "VF-11")
def test_a_call_that_its_customer_closes_is_flagged_for_its_handler(calls: Desk) -> None:
    command(calls, text="thanks\n")
    record = calls.record()
    assert record["updated_by_mail"]
    assert [each["text"] for each in calls.activities(record)][1:] == ["thanks\n", "Status: Active → Closed"]


@pytest.mark.req("VF-17")
@pytest.mark.parametrize(("anonymously", "status"), [(True, "Closed"), (False, "Active")])
def test_a_stranger_closes_a_call_where_the_inbox_lets_anybody(calls: Desk, anonymously: bool, status: str) -> None:
    configure(calls, close_anonymously=anonymously)
    people = len(calls.people())
    mail = command(calls, sender=EVE)
    assert (calls.record()["status"], len(calls.people())) == (status, people)
    assert mail["outcome"] == ("commanded" if anonymously else "rejected")
    assert [answer["text"] for answer in calls.outbox()] == ([f"{CLOSED}.\n"] if anonymously else [])


@pytest.mark.req("VF-15", "VF-16")
@pytest.mark.parametrize(
    ("sender", "new", "records"),
    [(JANE, True, 2), (JANE, False, 1), (EVE, True, 1), (EVE, False, 1)],
    ids=["known", "known, off", "stranger", "stranger, off"],
)
def test_an_unknown_number_makes_a_new_call_of_who_is_known(calls: Desk, sender: str, new: bool, records: int) -> None:
    configure(calls, log_new_on_invalid_number=new)
    mail = command(calls, "[CLOSE#99]", sender, "Please close.\n")
    assert (len(calls.records()), calls.outbox()) == (records, [])
    assert mail["outcome"] == ("recorded" if records == 2 else "rejected")
    if records == 2:
        assert calls.records()[1]["description"] == "Please close.\n"


@pytest.mark.req("VF-22")
def test_a_command_alone_on_the_first_line_of_the_new_text_counts(calls: Desk) -> None:
    mail = command(calls, "Re: the printer", text="\n[CLOSE#1]\n\nIt works.\n\nOn Friday Tom wrote:\n> Does it?\n")
    assert (mail["outcome"], calls.record()["status"]) == ("commanded", "Closed")


@pytest.mark.req("VF-22")
def test_a_line_in_which_nothing_is_seen_is_not_the_first_line(calls: Desk) -> None:
    mail = command(calls, "Re: the printer", text="\u200c\xa0\u200c\n\ufeff[CLOSE#1]\u200b\n\nIt works.\n")
    assert (mail["outcome"], calls.record()["status"]) == ("commanded", "Closed")


HIDDEN: Final = '<p>Hello</p><div style="display:none">[CLOSE#1]</div>'
NO_COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "inside the text": ("Printer", "Please send [CLOSE#1] when it works.\n"),
    "behind a word of the first line": ("Printer", "[CLOSE#1] please\n"),
    "on the second line": ("Printer", "Hello,\n[CLOSE#1]\n"),
    "in a quoted line": ("Re: Printer", "> [CLOSE#1]\n\nWhat is that?\n"),
    "in what the desk wrote": ("Re: Printer", "Thanks!\n\nOn Friday Tom wrote:\n> [CLOSE#1]\n"),
    "only quoted": ("Re: Printer", "On Friday Tom wrote:\n> [CLOSE#1]\n"),
    "below a signature": ("Printer", "Hello\n\n-- \n[CLOSE#1]\n"),
    "without brackets": ("CLOSE#1", "\n"),
    "in round brackets": ("(CLOSE#1)", "\n"),
    "of full width": ("\uff3bCLOSE#1\uff3d", "\n"),
    "with a letter between": ("[CLO\u200bSE#1]", "\n"),
    "in an attached mail": ("Fwd: Printer", "see below\n"),
    "as a question": ("What does [MyCalls] do?", "\n"),
}


@pytest.mark.req("VF-17", "VF-22")
@pytest.mark.parametrize("name", NO_COMMANDS)
def test_this_is_not_a_command(calls: Desk, name: str) -> None:
    subject, text = NO_COMMANDS[name]
    attached = (("mail.eml", "application/octet-stream", a_mail(subject="[CLOSE#1]")),)
    command(calls, subject, text=text, **({"files": attached} if "attached" in name else {}))  # type: ignore[arg-type]
    assert calls.records()[0]["status"] != "Closed"


@pytest.mark.req("VF-17")
@pytest.mark.parametrize("html", [HIDDEN, "<p hidden>[CLOSE#1]</p><p>Hello</p>", "<!-- [CLOSE#1] --><p>Hello</p>"])
def test_hidden_html_gives_no_command(calls: Desk, html: str) -> None:
    raw = f"From: {JANE}\nTo: support@example.com\nSubject: Printer\nContent-Type: text/html\n\n{html}\n".encode()
    calls.receive(raw)
    assert calls.records()[0]["status"] == "Active"


@pytest.mark.req("VF-22")
@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("[CLOSE#1] [CLOSE#2]", ""),
        ("[CLOSE#1] [MyCalls]", ""),
        ("[MyCalls] see [CLOSE#1]", ""),
        ("[CLOSE#1] [APPROVE#1]", ""),
        ("[CLOSE#1]", "[CLOSE#2]\n"),
    ],
)
def test_two_commands_in_one_mail_are_refused(calls: Desk, subject: str, text: str) -> None:
    mail = command(calls, subject, text=text)
    (answer,) = calls.outbox()
    assert (mail["outcome"], calls.record()["status"]) == ("rejected", "Active")
    assert "one mail takes one command" in answer["text"]
    assert "[" not in answer["subject"]


@pytest.mark.req("PR-02", "VF-17")
@pytest.mark.parametrize(
    "headers",
    [{"Auto_Submitted": "auto-generated"}, {"Precedence": "bulk"}, {"List_Id": "<l.example.com>"}],
    ids=["generated", "bulk", "list"],
)
def test_automatic_mail_gives_no_command(calls: Desk, headers: dict[str, str]) -> None:
    mail = command(calls, **headers)
    assert (mail["outcome"], calls.record()["status"], calls.outbox()) == ("rejected", "Active", [])
    assert mail["reason"] == "[CLOSE#1] is a command, and automatic mail gives none"


@pytest.mark.req("VF-17")
def test_a_command_that_is_off_is_refused_with_its_reason(calls: Desk) -> None:
    configure(calls, enabled=("approve",))
    mail = command(calls)
    assert (mail["outcome"], calls.record()["status"]) == ("rejected", "Active")
    assert mail["reason"].endswith("this inbox does not take it (close is not in commands.enabled)")
    assert "was not carried out" in calls.outbox()[0]["text"]


@pytest.mark.req("VF-17")
@pytest.mark.parametrize(("results", "status"), [(PASS, "Closed"), ("", "Active"), (f"evil.example; {PASS}", "Active")])
def test_an_inbox_may_want_a_proof_of_the_sender(calls: Desk, results: str, status: str) -> None:
    configure(calls, settings=Settings(trusted_authserv_ids=(OURS,)), trust="authenticated")
    command(calls, **({"Authentication_Results": results} if results else {}))
    assert calls.record()["status"] == status


def raw(sender: str = EVE, *, headers: str = "", subject: str = "[CLOSE#1]", text: str = "close it") -> bytes:
    start = headers if "From:" in headers else f"From: {sender}\n{headers}"
    return f"{start}To: support@example.com\nSubject: {subject}\nMessage-ID: <a@b.example>\n\n{text}\n".encode()


AUTH = "Authentication-Results: "
SPOOFS: Final[dict[str, bytes]] = {
    "a stranger": raw(),
    "the owner's name": raw("Tom <eve@evil.example>"),
    "the owner's id as a name": raw("tom <eve@evil.example>"),
    "the owner's address as a name": raw(f'"{TOM}" <eve@evil.example>'),
    "the owner's address in brackets as a name": raw(f'"<{TOM}>" <eve@evil.example>'),
    "the customer's name and address": raw('"Jane Doe <jane@example.com>" <eve@evil.example>'),
    "the owner in a comment": raw(f"eve@evil.example ({TOM})"),
    "a folded owner": raw(headers=f"From: eve@evil.example\n\t({TOM})\n"),
    "an encoded owner": raw("=?utf-8?q?tom=40example=2Ecom?= <eve@evil.example>"),
    "a domain that looks alike": raw("tom@examp1e.com"),
    "Cyrillic letters": raw("tom@\u0435xample.com"),
    "a domain below": raw("tom@example.com.evil.example"),
    "a domain that contains ours": raw("tom@myexample.com"),
    "a trailing domain": raw("tom@evil-example.com"),
    "a percent route": raw("tom%example.com@evil.example"),
    "a bang path": raw("example.com!tom@evil.example"),
    "a source route": raw("<@example.com:tom@evil.example>"),
    "a quoted local part": raw('"tom@example.com"@evil.example'),
    "a local part alone": raw("tom"),
    "plus-address tricks": raw("eve+tom@evil.example"),
    "two Froms, the owner's below": raw(headers=f"From: eve@evil.example\nFrom: {TOM}\n"),
    "two Froms, the owner's above": raw(headers=f"From: {TOM}\nFrom: eve@evil.example\n"),
    "two authors": raw(f"{TOM}, eve@evil.example"),
    "two authors, the owner last": raw(f"eve@evil.example, {TOM}"),
    "a group": raw(f"desk: {TOM}, eve@evil.example;"),
    "an empty group": raw("tom@example.com:;"),
    "Sender": raw(headers=f"Sender: {TOM}\n"),
    "Reply-To": raw(headers=f"Reply-To: {TOM}\n"),
    "Return-Path": raw(headers=f"Return-Path: <{TOM}>\n"),
    "X-Original-From of a list": raw("support@example.com", headers=f"X-Original-From: {TOM}\n"),
    "Resent-From": raw(headers=f"Resent-From: {TOM}\n"),
    "X-Sender": raw(headers=f"X-Sender: {TOM}\nX-Envelope-From: {TOM}\n"),
    "a header block in the text": raw(subject="x", text=f"From: {TOM}\nSubject: [CLOSE#1]\n\nclose"),
    "a header that is folded into From": raw(f"eve@evil.example\r\n X: {TOM}"),
    "NUL in the address": raw("eve@evil.example\x00tom@example.com"),
    "a user who was copied": raw(BOB, headers="Cc: bob@example.com\n"),
    "a user on the record's thread": raw(BOB, headers="References: <first@x.example>\n"),
    "an analyst without take-over": raw(PAT),
    "another command of an analyst without take-over": raw(PAT, subject="Re: [CLOSE#INC1] [Update Ticket - 1]"),
    "an inbox as the sender": raw("support@example.com"),
}
"""Mails of others to an inbox that believes addresses. None comes from an address that may close the call."""
FORGED: Final[dict[str, str]] = {
    "nothing": "",
    "another server": f"{AUTH}mx.evil.example; dmarc=pass header.from=example.com\n",
    "a server whose name begins like ours": f"{AUTH}{OURS}.evil.example; dmarc=pass header.from=example.com\n",
    "our name in a comment": f"{AUTH}mx.evil.example ({OURS}); dmarc=pass header.from=example.com\n",
    "another domain": f"{AUTH}{OURS}; dmarc=pass header.from=evil.example\n",
    "a failure": f"{AUTH}{OURS}; dmarc=fail header.from=example.com\n",
    "a pass below a failure": f"{AUTH}{OURS}; dmarc=fail header.from=example.com\n{AUTH}{PASS}\n",
    "SPF alone": f"{AUTH}{OURS}; spf=pass smtp.mailfrom=example.com\n",
    "a signature of another domain": f"{AUTH}{OURS}; dkim=pass header.d=evil.example\n",
    "a signature of the top-level domain": f"{AUTH}{OURS}; dkim=pass header.d=com\n",
    "a pass in a reason": f'{AUTH}{OURS}; dmarc=fail reason="dmarc=pass" header.from=example.com\n',
    "ARC alone": f"{AUTH}{OURS}; arc=pass header.from=example.com\n",
}


@pytest.mark.req("VF-17")
@pytest.mark.parametrize("name", SPOOFS)
def test_a_spoofed_command_closes_nothing(calls: Desk, name: str) -> None:
    calls.receive(SPOOFS[name])
    assert calls.records()[0]["status"] == "Active"
    assert all("evil" not in to or answer["kind"] != "command" for answer in calls.outbox() for to in answer["to"])


@pytest.mark.req("VF-17")
@pytest.mark.parametrize("name", FORGED)
def test_a_forged_proof_closes_nothing(calls: Desk, name: str) -> None:
    configure(calls, settings=Settings(trusted_authserv_ids=(OURS,)), trust="authenticated")
    (mail,) = calls.receive(FORGED[name].encode() + raw(TOM))
    assert (calls.record()["status"], mail["rule"]) == ("Active", "command")
    assert "no trusted server states that the sender is genuine" in mail["reason"]


@pytest.mark.req("VF-17")
def test_an_answer_to_our_answer_gives_no_command(calls: Desk) -> None:
    """No subject of ours holds a command, so that mail programs that answer by themselves cannot repeat it."""
    command(calls, sender=PAT)
    (answer,) = calls.outbox()
    (mail,) = calls.receive(a_mail("Why?\n", sender=PAT, subject=f"Re: {answer['subject']}"))
    assert (mail["outcome"], [each["number"] for each in mail["records"]]) == ("recorded", ["INC1"])


@pytest.mark.req("PR-15", "VF-17")
def test_a_command_that_is_delivered_again_has_one_effect(calls: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = with_a_store_that_fails_once(monkeypatch)
    given = a_mail("done\n", sender=JANE, subject="[CLOSE#1]")
    (mail,) = calls.receive(given)
    calls.receive(given)
    assert len(tries) == 2
    assert (mail["outcome"], calls.record()["status"], calls.record()["pending"]) == ("commanded", "Closed", [])
    assert ([each["kind"] for each in calls.activities(calls.record())], len(calls.outbox())) == (
        ["created", "email", "status"],
        1,
    )


@pytest.mark.req("PR-15", "VF-17")
def test_a_permission_that_ends_meanwhile_is_asked_again(calls: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    commit, raced = Records.commit, list[Callable[[], object]]()
    raced.append(lambda: manual_edits.change(calls.app, type_, calls.record()["_id"], [("Owner", "pat")]))
    type_ = calls.app.directory.current().type_named("incident")
    assert type_ is not None

    def racing(self: Records, *args: Any) -> bool:
        if raced:
            raced.pop()()
        return commit(self, *args)

    monkeypatch.setattr(Records, "commit", racing)
    mail = command(calls, sender=TOM)
    assert (mail["outcome"], calls.record()["status"], calls.record()["owner"]) == ("rejected", "Active", "pat")
    assert [answer["subject"] for answer in calls.outbox()] == [REFUSED]


@pytest.mark.req("VF-17")
@pytest.mark.parametrize(("sender", "outcome"), [(JANE, "commanded"), (BOB, "rejected")])
def test_a_dry_run_shows_what_a_command_would_do(calls: Desk, sender: str, outcome: str) -> None:
    shown = dry_run(calls.app, a_mail(sender=sender, subject="[CLOSE#1]")).as_json()
    assert (shown["outcome"], calls.record()["status"]) == (outcome, "Active")
    assert [each["action"] for each in shown["changes"]] == (["update"] if outcome == "commanded" else [])
    assert ("record-writer", "command", "command") in [
        (each["stage"], each["step"], each["decision"]) for each in shown["trace"]
    ]
    assert [each["kind"] for each in shown["notifications"]] == ["command"]


@pytest.fixture
def approvals(desk: Desk) -> Desk:
    """A desk with the change CHG1 and its approval APR1, which Bob decides, and a task that Pat does."""
    configure(desk)
    create(desk, "change")
    above = desk.app.records.numbered("change", 1)
    for type_, owner in (("approval", "bob"), ("task", "pat")):
        found = desk.app.directory.current().type_named(type_)
        assert found is not None
        manual_edits.create(desk.app, found, NewRecord("New laptop", parent=above, values=(("Owner", owner),)))
    forget_requests(desk)
    return desk


def forget_requests(desk: Desk) -> None:
    """Remove the mails that have asked for decisions, so that answers alone are left."""
    for request in desk.outbox():
        desk.store.delete("outbox", {"_id": request["_id"]})


@pytest.mark.req("VF-18", "PR-15")
@pytest.mark.parametrize(("word", "status"), [("approve", "Approved"), ("reject", "Rejected")])
def test_an_approval_is_decided_by_its_approver(approvals: Desk, word: str, status: str) -> None:
    attached = (("offer.pdf", "application/pdf", b"%PDF-1.4"),)
    given = a_mail("Fine.\n", sender=BOB, subject=f"Re: [{word.upper()}#1]", files=attached)
    (mail,) = approvals.receive(given, given)
    record, above = approvals.record("approval"), approvals.record("change")
    (answer,) = approvals.outbox()
    past = status.casefold()
    assert (mail["outcome"], record["status"]) == ("commanded", status)
    assert answer["subject"] == f"Task APR1 has been successfully {past}"
    assert answer["text"].startswith(f"Task APR1 has been successfully {past}.\n")
    created, email, move, note = approvals.activities(record)
    assert [each["filename"] for each in email["attachments"]] == ["offer.pdf"]
    assert (move["text"], note["text"]) == (f"Status: Pending → {status}", f"Task APR1 has been {past}")
    assert [each["text"] for each in approvals.activities(above)][1:] == [f"Task APR1 has been {past}"]
    assert above["updated_by_mail"]
    assert created["kind"] == "created"


@pytest.mark.req("VF-18")
@pytest.mark.parametrize("sender", [JANE, TOM, KIM], ids=["a user", "an analyst", "an analyst with take-over"])
def test_nobody_else_decides_an_approval(approvals: Desk, sender: str) -> None:
    mail = command(approvals, "[APPROVE#APR1]", sender)
    (answer,) = approvals.outbox()
    assert (mail["outcome"], approvals.record("approval")["status"]) == ("rejected", "Pending")
    assert answer["text"].startswith("Task APR1 has not been approved. Reason: Insufficient Permission\n")
    assert len(approvals.activities(approvals.record("change"))) == 1


@pytest.mark.req("VF-18")
def test_a_stranger_decides_nothing_and_gets_the_reason(approvals: Desk) -> None:
    for number in ("1", "99"):
        command(approvals, f"[APPROVE#{number}]", EVE)
    texts = {answer["text"] for answer in approvals.outbox()}
    assert texts == {"Your command was not carried out: the sender has not been identified.\n"}
    assert (approvals.record("approval")["status"], len(approvals.records("incident"))) == ("Pending", 0)


@pytest.mark.req("VF-18")
def test_a_decided_approval_stays_as_it_is(approvals: Desk) -> None:
    command(approvals, "[APPROVE#1]", BOB)
    mail = command(approvals, "[REJECT#1]", BOB)
    assert (mail["outcome"], approvals.record("approval")["status"]) == ("rejected", "Approved")
    assert approvals.outbox()[-1]["text"].startswith("Task APR1 has been decided already and stays as it is: Approved.")
    assert len(approvals.activities(approvals.record("change"))) == 2


@pytest.mark.req("VF-18")
def test_a_task_below_a_record_is_decided_like_an_approval(approvals: Desk) -> None:
    mail = command(approvals, "[REJECT#TSK1]", PAT)
    record = approvals.record("task")
    assert (mail["outcome"], record["status"]) == ("commanded", "Closed")
    assert approvals.activities(record)[-1]["text"] == "Task TSK1 has been rejected"
    assert approvals.outbox()[0]["subject"] == "Task TSK1 has been successfully rejected"


@pytest.mark.req("VF-15", "VF-18")
def test_an_unknown_approval_number_is_a_new_call(approvals: Desk) -> None:
    configure(approvals, log_new_on_invalid_number=False)
    mail = command(approvals, "[APPROVE#99]", BOB)
    assert (mail["outcome"], "there is no Approval 99" in mail["reason"]) == ("recorded", True)
    assert approvals.record("incident")["subject"] == "[APPROVE#99]"
    assert "there is no Task 99" in command(approvals, "[APPROVE#TSK99]", BOB)["reason"]


@pytest.mark.req("VF-18", "PR-15")
def test_a_verdict_that_is_delivered_again_has_one_effect(approvals: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    tries = with_a_store_that_fails_once(monkeypatch)
    command(approvals, "[APPROVE#1]", BOB)
    assert len(tries) > 1
    assert len(approvals.activities(approvals.record("change"))) == 2
    assert (approvals.record("approval")["pending"], len(approvals.outbox())) == ([], 1)


@pytest.mark.req("VF-18")
@pytest.mark.parametrize("name", SPOOFS)
def test_a_spoofed_verdict_decides_nothing(approvals: Desk, name: str) -> None:
    """The same attempts, in the name of who decides."""
    found = approvals.record("approval")
    manual_edits.change(approvals.app, _type(approvals), found["_id"], [("Owner", "tom")])
    forget_requests(approvals)
    approvals.receive(SPOOFS[name].replace(b"CLOSE#", b"APPROVE#"))
    assert approvals.record("approval")["status"] == "Pending"


def _type(desk: Desk) -> Any:
    return desk.app.directory.current().type_named("approval")


@pytest.mark.req("PR-02", "VF-17")
def test_a_flood_of_commands_is_stopped(calls: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commanded, "COMMANDS_PER_HOUR", 3)
    for number in range(2, 7):
        create(calls, Status="Active")
        command(calls, f"[CLOSE#{number}]")
    assert [record["status"] for record in calls.records()] == ["Active", *["Closed"] * 3, *["Active"] * 2]
    assert sum("within an hour" in mail["reason"] for mail in calls.mails()) == 2
    calls.clock.advance(timedelta(hours=2))
    command(calls)
    assert calls.records()[0]["status"] == "Closed"


@pytest.mark.req("VF-17", "VF-18", "VF-19", "PR-15")
def test_commands_that_come_together_do_the_same_on_every_store(place: Place, tmp_path: Path) -> None:
    """Two of them about one call: the second one finds it closed, or its permission still there; nothing is doubled."""
    desk = Desk(Location(tmp_path / "data", store_url=store_of(place).get("POSTROOM_STORE_URL")))
    try:
        configure(desk)
        create(desk, Owner="tom", Status="Active")
        create(desk, "approval", Owner="bob")
        given = (("[CLOSE#1]", JANE), ("[CLOSE#1]", TOM), ("[APPROVE#1]", BOB), ("[REJECT#1]", BOB), ("[MyCalls]", TOM))
        mails = desk.receive(*(a_mail("", sender=sender, subject=subject) for subject, sender in given))
        outcomes = sorted(mail["outcome"] for mail in mails)
        assert outcomes == ["commanded", "commanded", "commanded", "rejected", "rejected"]
        assert desk.record("incident")["status"] == "Closed"
        assert desk.record("approval")["status"] in {"Approved", "Rejected"}
        assert len(desk.activities(desk.record("incident"))) == 3
        assert [record["pending"] for record in desk.records()] == [[], []]
        assert sorted(message["kind"] for message in desk.outbox()) == ["command"] * 4 + ["summary"]
        assert check(desk.app, patience=0).problems == ()
    finally:
        desk.close()


@pytest.mark.req("VF-17", "TI-32", "VF-22")
@pytest.mark.parametrize("prefix", ["STÖR-", "IM2-", "CASE_"])
def test_a_number_is_taken_as_it_is_shown_whatever_the_prefix_of_its_type(desk: Desk, prefix: str) -> None:
    call = RecordType("incident", "Störung", "IncidentNumber", prefix, {"Category": "text"}, aliases=("call",))
    desk.configure(a_configuration(an_inbox(), *PEOPLE, record_types=(call,)))
    create(desk, Owner="tom")
    number = desk.record()["number"]
    assert command(desk, f"[Update Störung - {number}]", TOM, "Category: Net\n")["outcome"] == "commanded"
    assert command(desk, f"It works [close#{number}]", JANE)["outcome"] == "commanded"
    record = desk.record()
    assert (record["fields"]["Category"], record["status"]) == ("Net", "Closed")
