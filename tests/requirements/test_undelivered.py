"""Reports that our own mail was not delivered: the recipient is marked, the handler told, and nothing else happens."""

from __future__ import annotations

from email.message import EmailMessage
from typing import Any, Final

import pytest
from click.testing import CliRunner

from services.cli.main import cli
from services.operator.mail.outbox import outgoing_as_json
from services.operator.trial.dry_run import dry_run
from shared.config.model import BusinessRule, CommandPolicy, MailTemplate, Notify
from shared.store.documents import Document
from tests.builders import a_configuration, a_mail, a_person, an_analyst, an_inbox
from tests.desk import Desk

JANE: Final = "Jane Doe <jane@example.com>"
SAID: Final = "smtp; 550 5.1.1 <jane@example.com>: no such user"


def a_desk(desk: Desk, **keys: Any) -> Document:
    """A desk that acknowledged a record of Jane's; the acknowledgement."""
    commands = CommandPolicy(reply_on_create=True, notify_handler_on_update=True)
    inbox = keys.pop("inbox", an_inbox(commands=commands, task_for_every_email=True))
    desk.configure(a_configuration(inbox, a_person("jane"), an_analyst("tom"), **keys))
    desk.receive(a_mail(sender=JANE, subject="Fire"))
    desk.store.update("records", {"number": "INC1"}, {"$set": {"owner": "tom", "updated_by_mail": False}})
    return desk.outbox()[0]


def a_report(
    sent: Document,
    *,
    action: str = "failed",
    status: str = "5.1.1",
    recipient: str = "jane@example.com",
    returned: str = "headers",
    **headers: str,
) -> bytes:
    """A delivery status notification (RFC 3464) about a mail of the outbox."""
    report = EmailMessage()
    report["From"] = "MAILER-DAEMON@mx.example (Mail Delivery System)"
    report["To"] = "support@example.com"
    report["Subject"] = "Undelivered Mail Returned to Sender"
    report["Return-Path"] = "<>"
    report["Auto-Submitted"] = "auto-replied"
    report["Message-ID"] = headers.pop("Message_ID", "<dsn1@mx.example>")
    for name, value in headers.items():
        report[name.replace("_", "-")] = value
    head = f"From: support@example.com\r\nTo: {recipient}\r\nSubject: Re: Fire\r\nMessage-ID: {sent['message_id']}\r\n"
    head += "X-Postroom-Loop: support\r\n"
    fields = (
        f"Final-Recipient: rfc822; {recipient}\r\nAction: {action}\r\nStatus: {status}\r\nDiagnostic-Code: {SAID}\r\n"
    )
    parts = {
        "plain": "This is the mail system. Your message could not be delivered.\r\n",
        "delivery-status": f"Reporting-MTA: dns; mx.example\r\n\r\n{fields}",
        "headers": head if returned != "nothing" else "",
    }
    kinds = {"plain": "text/plain", "delivery-status": "message/delivery-status", "headers": "text/rfc822-headers"}
    if returned == "message":
        kinds["headers"], parts["headers"] = "message/rfc822", f"{head}\r\nCall INC1 has been created.\r\n"
    top = b"".join(f"{name}: {value}\r\n".encode() for name, value in report.items())
    top += b'MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
    body = "".join(f"--b\r\nContent-Type: {kinds[name]}\r\n\r\n{text}\r\n" for name, text in parts.items() if text)
    return top + body.encode() + b"--b--\r\n"


@pytest.mark.req("VF-02", "PR-02")
@pytest.mark.parametrize(
    ("returned", "headers"),
    [("headers", {}), ("message", {}), ("nothing", {"In_Reply_To": True}), ("nothing", {"References": True})],
)
def test_a_report_marks_the_recipient_and_notes_it_on_the_record(
    desk: Desk, returned: str, headers: dict[str, Any]
) -> None:
    sent = a_desk(desk)
    raw = a_report(sent, returned=returned, **dict.fromkeys(headers, sent["message_id"]))
    shown = dry_run(desk.app, raw).as_json()
    (mail,) = desk.receive(raw)
    assert (mail["outcome"], [each["number"] for each in mail["records"]]) == ("recorded", ["INC1"])
    assert (shown["outcome"], shown["reason"]) == ("recorded", mail["reason"])
    record = desk.record("incident")
    note = desk.activities(record)[-1]
    assert (note["kind"], note["by"], record["updated_by_mail"]) == ("undelivered", "email listener", True)
    assert "- jane@example.com: 550 5.1.1 <jane@example.com>: no such user\n" in note["text"]
    (marked,) = desk.outbox()
    assert [each["address"] for each in marked["undelivered"]] == ["jane@example.com"]
    assert marked["reason"].startswith("not delivered to jane@example.com: 550 5.1.1")
    assert len(desk.records()) == 2  # the call and the task for its first mail
    assert [each["_id"] for each in desk.people() if not each.get("configured")] == []


def test_what_was_not_delivered_is_shown(desk: Desk) -> None:
    sent = a_desk(desk)
    desk.receive(a_report(sent))
    mail = desk.app.outbox.get(sent["_id"])
    assert mail is not None
    assert outgoing_as_json(mail)["undelivered"][0]["address"] == "jane@example.com"
    folder = str(desk.app.location.data)
    shown = CliRunner().invoke(cli, ["--data", folder, "outbox", "show", sent["_id"]])
    assert "not delivered" in shown.output
    assert "no such user" in shown.output


@pytest.mark.req("PR-02")
def test_the_same_report_twice_counts_once_and_floods_nothing(desk: Desk) -> None:
    sent = a_desk(desk)
    raw = a_report(sent)
    desk.receive(raw, raw)
    mails = desk.receive(*(a_report(sent, Message_ID=f"<dsn{n}@mx.example>") for n in range(2, 6)))
    assert [mail["outcome"] for mail in mails] == ["rejected"] * 4
    assert all("known already" in mail["reason"] for mail in mails)
    notes = [each for each in desk.activities(desk.record("incident")) if each["kind"] == "undelivered"]
    assert (len(notes), len(desk.outbox()[0]["undelivered"])) == (1, 1)


@pytest.mark.req("PR-02", "TI-33")
def test_no_rule_acts_on_a_report(desk: Desk) -> None:
    rule = BusinessRule("news", ("incident.updated", "mail.received"), notify=Notify(("jane@example.com",), "news"))
    template = MailTemplate("news", "News", "of {number}")
    a_desk(desk, business_rules=(rule,), mail_templates=(template,))
    sent = desk.outbox()
    assert sorted(each["kind"] for each in sent) == ["created", "rule"]
    for each in sent:
        desk.receive(a_report(each, Message_ID=f"<{each['kind']}@mx.example>"))
    assert len(desk.outbox()) == 2
    assert [bool(each.get("undelivered")) for each in desk.outbox()] == [True, True]


@pytest.mark.req("VF-02")
@pytest.mark.parametrize(
    "change",
    [{"message_id": "<another@example.com>"}, {"action": "delayed", "status": "4.4.1"}],
    ids=["of another's mail", "of a delay"],
)
def test_other_reports_are_rejected_as_before(desk: Desk, change: dict[str, str]) -> None:
    sent = a_desk(desk)
    about = {**sent, **{name: change[name] for name in change if name == "message_id"}}
    (mail,) = desk.receive(a_report(about, **{name: change[name] for name in change if name != "message_id"}))
    assert (mail["outcome"], mail["rule"]) == ("rejected", "bounce")
    assert "undelivered" not in desk.outbox()[0]


def test_a_report_about_a_mail_without_a_record_marks_it(desk: Desk) -> None:
    desk.configure(a_configuration(an_inbox(), an_analyst("tom")))
    desk.receive(a_mail(sender="tom@example.com", subject="[MyCalls]"))
    (sent,) = desk.outbox()
    (mail,) = desk.receive(a_report(sent, recipient="tom@example.com"))
    assert (mail["outcome"], mail["rule"]) == ("rejected", "undelivered")
    assert [each["address"] for each in desk.outbox()[0]["undelivered"]] == ["tom@example.com"]
    assert desk.records() == []


def test_a_redirected_recipient_is_marked_under_the_address_that_we_wrote_to(desk: Desk) -> None:
    sent = a_desk(desk)
    desk.receive(a_report(sent, recipient="jane.doe@new.example"))
    assert [each["address"] for each in desk.outbox()[0]["undelivered"]] == ["jane@example.com"]


def test_a_report_reaches_the_record_whatever_the_inbox_takes(desk: Desk) -> None:
    sent = a_desk(desk)
    inbox = an_inbox(accept_only="technicians", ignore_cc=True)
    desk.configure(a_configuration(inbox, a_person("jane"), an_analyst("tom")))
    (mail,) = desk.receive(a_report(sent))
    assert mail["outcome"] == "recorded"
