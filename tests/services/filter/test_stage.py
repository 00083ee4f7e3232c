"""The filter: an event in, an outcome out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.filter.stage import build
from shared.config.model import Rule
from shared.contracts.errors import PostroomError
from shared.contracts.events import Envelope, MailAccepted, MailParsed, MailRejected
from shared.contracts.mail import Address, ParsedMail
from shared.runtime.outcome import Emit, emit
from tests.builders import a_configuration, a_stored_mail
from tests.desk import Desk

ENVELOPE = Envelope("m1", "support", "2026-11-20T12:00:00Z")
MAIL = ParsedMail("0" * 64, 400, "<m1@x.example>", subject="Printer", from_=Address("Anna", "anna@customer.example"))
ROBOT = replace(MAIL, automatic=True, automatic_header="List-Id")
SPAM = Rule("spam", {"subject": "lottery"}, reason="spam is not read")


def rejected(rule: str, reason: str) -> Emit:
    return emit(MailRejected("m1", "support", rule, reason), note=reason)


@pytest.fixture
def filtering(desk: Desk) -> Desk:
    desk.configure(a_configuration(rules=(SPAM,)))
    return desk


@pytest.mark.parametrize(
    ("mail", "expected"),
    [
        (MAIL, emit(MailAccepted(ENVELOPE, MAIL))),
        (ROBOT, emit(MailAccepted(ENVELOPE, ROBOT, answers=False, commands=False))),
        (replace(MAIL, size=0), rejected("empty", "the mail is empty")),
        (replace(MAIL, subject="You won the Lottery"), rejected("spam", "spam is not read")),
    ],
    ids=["a person", "a robot", "our own rule", "the administrator's rule"],
)
def test_a_mail_is_accepted_or_rejected_by_the_first_rule(filtering: Desk, mail: ParsedMail, expected: Emit) -> None:
    assert build(filtering.app).handle(MailParsed(ENVELOPE, mail)) == expected


@pytest.mark.req("PR-01")
def test_a_mail_that_was_released_is_accepted_whatever_a_rule_says(filtering: Desk) -> None:
    filtering.app.mails.receive(a_stored_mail(released=True))
    mail = replace(MAIL, subject="lottery")
    assert build(filtering.app).handle(MailParsed(ENVELOPE, mail)) == emit(MailAccepted(ENVELOPE, mail))


def test_an_inbox_that_is_gone_is_an_error_with_its_name(filtering: Desk) -> None:
    with pytest.raises(PostroomError, match="'nowhere' is gone"):
        build(filtering.app).handle(MailParsed(replace(ENVELOPE, inbox="nowhere"), MAIL))
