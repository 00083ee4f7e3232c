"""Requirements PR-01 and PR-12: what an operator does with a rejected mail and with a dead letter."""

from __future__ import annotations

import pytest

from services.operator.errors import NotAvailable
from services.operator.mail import actions
from shared.config.model import SenderPolicy
from shared.runtime.broker import INTAKE, Message
from tests.builders import a_configuration, a_mail, an_inbox
from tests.desk import Desk


@pytest.mark.req("PR-12")
def test_a_replayed_letter_is_processed_when_its_cause_is_fixed(desk: Desk) -> None:
    (mail,) = desk.receive(a_mail(subject="Lost", Message_ID="<lost@customer.example>"), inbox="sales")
    assert mail["outcome"] == "dead"
    desk.configure(a_configuration(an_inbox("sales", create_incident_on_error=False)))
    (letter,) = desk.dead_letters()
    actions.replay(desk.app, letter["_id"])
    desk.work()
    (mail,) = desk.mails()
    assert (mail["outcome"], mail["subject"], mail["from"]["address"]) == ("recorded", "Lost", "anna@customer.example")
    desk.receive(a_mail("More\n", subject="Re: Lost", In_Reply_To="<lost@customer.example>"), inbox="sales")
    assert [len(desk.activities(record)) for record in desk.records() if record["source"] == "Email"] == [2]


@pytest.mark.req("PR-12", "PR-15")
def test_a_letter_is_replayed_once(desk: Desk) -> None:
    desk.receive(a_mail(), inbox="sales")
    (letter,) = desk.dead_letters()
    actions.discard(desk.app, letter["_id"], reason="spam")
    with pytest.raises(NotAvailable, match="discarded"):
        actions.replay(desk.app, letter["_id"])


@pytest.mark.req("PR-01")
def test_a_released_mail_becomes_a_record_though_the_filter_rejected_it(desk: Desk) -> None:
    (mail,) = desk.receive(a_mail(subject="Out of Office key card"))
    actions.release(desk.app, mail["_id"])
    desk.work()
    assert desk.record()["subject"] == "Out of Office key card"
    assert [mail["outcome"] for mail in desk.mails()] == ["recorded"]


@pytest.mark.req("PR-01", "VF-16", "IV-21")
def test_what_the_writer_rejected_becomes_a_record_when_it_is_released(desk: Desk) -> None:
    desk.configure(a_configuration(an_inbox(sender=SenderPolicy(policy="existing_only"))))
    (stranger,) = desk.receive(a_mail(subject="Hello"))
    (numbered,) = desk.receive(a_mail("close it\n", subject="Incident#1"))
    assert [stranger["outcome"], numbered["outcome"]] == ["rejected", "rejected"]
    actions.release(desk.app, stranger["_id"])
    actions.release(desk.app, numbered["_id"])
    desk.work()
    assert [mail["outcome"] for mail in desk.mails()] == ["recorded", "recorded"]
    assert [record["subject"] for record in desk.records()] == ["Hello", "Incident#1"]
    assert {record["customer"] for record in desk.records()} == {"internal-services"}


@pytest.mark.req("PR-01", "VF-13")
def test_a_released_mail_about_a_closed_record_is_added_to_it(desk: Desk) -> None:
    desk.receive(a_mail())
    desk.store.update("records", {"_id": desk.record()["_id"]}, {"$set": {"status": "Closed"}, "$inc": {"version": 1}})
    (mail,) = desk.receive(a_mail("again\n", subject="Incident#1"))
    actions.release(desk.app, mail["_id"])
    desk.work()
    assert (desk.record()["status"], len(desk.activities(desk.record()))) == ("Closed", 2)


@pytest.mark.req("PR-12")
def test_a_replayed_mail_keeps_the_link_to_its_incident_on_error(desk: Desk) -> None:
    desk.receive(a_mail(subject="Lost"), inbox="sales")
    desk.configure(a_configuration(an_inbox("sales")))
    (letter,) = desk.dead_letters()
    actions.replay(desk.app, letter["_id"])
    desk.work()
    (mail,) = desk.mails()
    assert [record["number"] for record in mail["records"]] == ["INC2", letter["incident"]]


@pytest.mark.req("PR-11", "PR-12")
def test_a_publishers_correlation_id_blames_no_mail_of_ours(desk: Desk) -> None:
    (innocent,) = desk.receive(a_mail())
    stray = Message("x", INTAKE, b"garbage", content_type="application/x-pickle", correlation_id=innocent["_id"])
    desk.app.broker.publish([stray])
    desk.work()
    (letter,) = desk.dead_letters()
    assert letter["mail_id"] is None
    assert [mail["outcome"] for mail in desk.mails()] == ["recorded"]
    assert "parser" not in [entry.why for entry in desk.app.journal.of_mail(innocent["_id"])]
