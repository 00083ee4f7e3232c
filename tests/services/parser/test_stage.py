"""The parser's two steps: what is parsed at all, and what is stored of it."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from services.parser import stage as parser_stage
from services.parser.guarded import Overdue
from services.parser.process import ParserProcess
from shared.contracts.events import MailReceived
from shared.intake import INLINE
from shared.runtime.broker import INTAKE
from shared.runtime.outcome import Emit, Fail, Retry, Wait
from shared.runtime.stage import Stage
from tests.builders import a_mail
from tests.desk import Desk
from tests.harness.faulty import a_faulty_mail

MAIL = a_mail("It burns.\n", files=(("a.bin", "application/octet-stream", b"\0" * 1000),))


@pytest.fixture
def stage(desk: Desk) -> Stage:
    return parser_stage.build(desk.app)


@pytest.fixture
def unparsed(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: Any, **__: Any) -> None:
        raise AssertionError("this mail is parsed for nothing")

    monkeypatch.setattr(parser_stage.guarded, "read", read)


def prepared(stage: Stage, received: MailReceived, *, again: bool = False) -> Any:
    assert stage.prepare is not None
    return stage.prepare(received, again)


def test_preparing_writes_nothing_and_handling_stores_all(desk: Desk, stage: Stage) -> None:
    one = prepared(stage, MailReceived(MAIL, ""))
    assert desk.mails() == []
    assert stage.weight(one) == len(MAIL) + 1000
    assert isinstance(stage.handle(one), Emit)
    assert [mail["subject"] for mail in desk.mails()] == ["Printer"]


def test_a_mail_whose_hash_the_store_knows_is_not_hashed_again(
    desk: Desk, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    large = MAIL + b"x" * (INLINE + 1)
    desk.hand_in(large)
    (delivery,) = desk.app.broker.consumer(INTAKE, 1).take(0)
    received = stage.decode(delivery.message)
    assert received.sha256 == hashlib.sha256(large).hexdigest()
    monkeypatch.setattr(parser_stage, "hashlib", None)
    assert prepared(stage, received).sha256 == received.sha256


def test_an_address_of_an_inbox_is_not_a_failed_recipient(stage: Stage) -> None:
    fields = "".join(
        f"Final-Recipient: rfc822; {each}\nAction: failed\nStatus: 5.1.1\n\n"
        for each in ("support+bounces@example.com", "bob@example.net", "SUPPORT@example.com")
    )
    report = (
        "From: MAILER-DAEMON@example.net\nTo: <ann@example.net>\nSubject: failure notice\n"
        f'Content-Type: multipart/report; boundary="b"\n\n--b\nContent-Type: message/delivery-status\n\n{fields}--b--\n'
    )
    reading = prepared(stage, MailReceived(report.encode(), "")).reading
    assert [each.address for each in reading.mail.bounce.recipients] == ["bob@example.net"]


def test_a_duplicate_is_not_parsed(desk: Desk, stage: Stage, request: pytest.FixtureRequest) -> None:
    desk.receive(MAIL)
    request.getfixturevalue("unparsed")
    answer = stage.handle(prepared(stage, MailReceived(MAIL, "")))
    assert isinstance(answer, Emit)
    assert answer.note == "a duplicate: this mail has its outcome"


def test_a_mail_that_another_worker_was_quicker_with_is_a_duplicate(desk: Desk, stage: Stage) -> None:
    one = prepared(stage, MailReceived(MAIL, ""))
    desk.receive(MAIL)
    answer = stage.handle(one)
    assert isinstance(answer, Emit)
    assert answer.note == "a duplicate: this mail has its outcome"
    assert [mail["subject"] for mail in desk.mails()] == ["Printer"]


def test_a_new_mail_is_looked_for_once(desk: Desk, stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    one = prepared(stage, MailReceived(MAIL, ""))
    monkeypatch.setattr(type(desk.app.mails), "get", None)
    assert isinstance(stage.handle(one), Emit)


@pytest.mark.usefixtures("unparsed")
def test_a_mail_for_no_inbox_is_not_parsed(stage: Stage) -> None:
    answer = stage.handle(prepared(stage, MailReceived(MAIL, "nowhere")))
    assert isinstance(answer, Fail)
    assert answer.reason == "there is no inbox 'nowhere'"


def test_a_mail_that_is_reopened_between_the_two_steps_comes_back_to_be_parsed(desk: Desk, stage: Stage) -> None:
    (mail,) = desk.receive(MAIL)
    one = prepared(stage, MailReceived(MAIL, ""))
    desk.app.mails.reopen(mail["_id"], was=mail["outcome"])
    assert isinstance(stage.handle(one), Wait)


@pytest.mark.usefixtures("desk")
def test_a_mail_that_is_not_read_in_time_is_tried_again_and_nothing_is_stored(
    desk: Desk, stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: Any, **__: Any) -> None:
        raise Overdue("the machine is busy")

    monkeypatch.setattr(parser_stage.guarded, "read", read)
    assert stage.handle(prepared(stage, MailReceived(MAIL, ""))) == Retry("the machine is busy")
    assert desk.mails() == []


def test_a_mail_that_may_have_killed_a_worker_is_parsed_in_the_parser_process(
    stage: Stage, faulty: ParserProcess
) -> None:
    harmful = a_faulty_mail("exit", odd=False)
    assert isinstance(stage.handle(prepared(stage, MailReceived(harmful, ""))), Emit)
    answer = stage.handle(prepared(stage, MailReceived(harmful, ""), again=True))
    assert isinstance(answer, Fail)
    assert answer.reason.startswith("the mail exceeds a bound: parse-crash")


def test_what_kills_its_reader_is_one_dead_letter_with_the_mail_and_an_incident(
    desk: Desk, faulty: ParserProcess
) -> None:
    bad, good = desk.receive(a_faulty_mail("abort"), MAIL)
    assert (bad["outcome"], bad["subject"], good["outcome"]) == ("dead", "(unreadable: parse-crash)", "recorded")
    assert b"X-Fault: abort" in desk.store.get_blob(bad["raw"])
    (letter,) = desk.store.find("dead_letters", {})
    assert letter["reason"].startswith("the mail exceeds a bound: parse-crash: reading it ended the parser process")
    assert len(desk.records()) == 2
