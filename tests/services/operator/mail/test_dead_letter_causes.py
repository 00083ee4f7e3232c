"""Dead letters by cause: what differs from mail to mail makes no other cause."""

from __future__ import annotations

import pytest

from services.operator.errors import NotAvailable
from services.operator.mail.dead_letter_causes import cause_of, causes, letters_of_cause
from shared.runtime.broker import Message
from tests.desk import Desk


@pytest.mark.parametrize(
    ("reason", "other"),
    [
        ("the inbox 'nobody' is gone", "the inbox 'sales' is gone"),
        ("no incident for 3f2a9c01be44d7e5", "no incident for 00112233445566aa"),
        ("anna@example.com was refused", "ben@example.org was refused"),
        ("given up after 4 attempts: INC12 is locked", "given up after 4 attempts: INC999 is locked"),
        ('template "a b" is gone', 'template "c" is gone'),
    ],
)
def test_variable_parts_make_no_other_cause(reason: str, other: str) -> None:
    assert cause_of(reason) == cause_of(other)


def test_other_words_are_another_cause() -> None:
    assert cause_of("the inbox 'a' is gone") != cause_of("the template 'a' is gone")
    assert len(cause_of("x " * 1000)) == 200


def keep(desk: Desk, reason: str, inbox: str = "support", stage: str = "filter") -> None:
    """A dead letter."""
    headers = {"reason": reason, "stage": stage, "queue": "filter"}
    message = Message(f"{reason} {inbox} {stage}", "filter", b"{}", headers=headers)
    desk.app.dead_letters.keep(message, mail_id=None, inbox=inbox, at=desk.clock.now())


def test_causes_have_their_number_times_and_an_example(desk: Desk) -> None:
    for number in range(3):
        keep(desk, f"the mail {number} is too large")
    keep(desk, "the mail 9 is too large", stage="parser")
    keep(desk, "no person", inbox="sales")
    found = causes(desk.app)
    assert found.is_complete
    assert [(each.stage, each.reason, each.count) for each in found.causes] == [
        ("filter", "the mail … is too large", 3),
        ("filter", "no person", 1),
        ("parser", "the mail … is too large", 1),
    ]
    first = found.causes[0]
    assert first.first < first.last == first.example.at
    assert first.example.reason == "the mail 2 is too large"
    assert [each.reason[9] for each in letters_of_cause(desk.app, first.id)] == ["0", "1", "2"]


def test_a_person_who_is_limited_to_inboxes_sees_their_letters_alone(desk: Desk) -> None:
    keep(desk, "a mistake")
    keep(desk, "a mistake", inbox="sales", stage="parser")
    assert [each.stage for each in causes(desk.app, {"sales"}).causes] == ["parser"]
    (all_of_support,) = causes(desk.app, {"support"}).causes
    with pytest.raises(NotAvailable, match="no open dead letter has the cause"):
        letters_of_cause(desk.app, all_of_support.id, {"sales"})
