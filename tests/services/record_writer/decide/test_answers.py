"""The limits on automatic mail: what they ask, and when they hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final, cast

import pytest

from services.record_writer.decide.answers.one_answer import combined, kept_back
from services.record_writer.decide.facts import Facts, facts_of
from services.record_writer.decide.lookups import Lookups
from services.record_writer.decide.model import Decision
from shared.contracts.change import Notification
from shared.contracts.events import SenderMatched
from shared.store.outbox import Outbox
from tests.builders import a_configuration, a_mail, a_stored_mail, an_inbox
from tests.desk import NOW, Desk
from tests.shared.contracts.samples import SAMPLES

ENDED: Final = Decision("recorded")


class Counted:
    """Lookups that know how much was sent, and whether the mail was answered."""

    def __init__(self, sent: int, *, answered: bool = False) -> None:
        self.sent, self.answered = sent, answered
        self.asked: list[str] = []

    def sent_since(self, field: str, value: str | bool, since: datetime) -> int:
        """The same for every group."""
        self.asked.append(field)
        return self.sent

    def is_answered(self, mail_id: str) -> bool:
        """As given."""
        return self.answered


def facts(*, known: bool) -> Facts:
    matched = cast("SenderMatched", SAMPLES["SenderMatched"])
    matched = replace(matched, sender=replace(matched.sender, configured=known), answers=True)
    return facts_of(matched, a_stored_mail(), an_inbox(), a_configuration(), NOW)


@pytest.mark.parametrize(
    ("known", "asked"), [(True, ["to_key"]), (False, ["to_key", "stranger_domain", "to_stranger"])]
)
def test_wide_limits_are_asked_about_strangers_alone(known: bool, asked: list[str]) -> None:
    lookups = Counted(9)
    assert kept_back(facts(known=known), cast("Lookups", lookups), ENDED) is None
    assert lookups.asked == asked


def test_an_answer_that_is_queued_already_is_kept_back_by_no_limit() -> None:
    """A mail that is handled again emits the event of the answer that it queued before, or that would never leave."""
    assert kept_back(facts(known=True), cast("Lookups", Counted(10, answered=True)), ENDED) is None
    assert "per_address (10)" in (kept_back(facts(known=True), cast("Lookups", Counted(10)), ENDED) or "")


def test_a_great_many_answers_are_one_of_bounded_length() -> None:
    (one,) = combined([Notification(("a@b.example",), f"Call {n}", f"Call {n}.\n", "updated") for n in range(200)])
    assert one.subject == "Call 0, and 199 more"
    assert one.text.count("\n") == 101
    assert one.text.endswith("And 150 more.\n")


@pytest.mark.req("PR-02")
@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("Re: [Call - 1] Printer", "Re: [Call - 1] Printer"),
        ("RE: Printer", "RE: Printer"),
        ("AW: Drucker", "AW: Drucker"),
        ("Re[2]:Printer", "Re[2]:Printer"),
        ("Re Printer.", "Re Printer, and 1 more"),
        ("Reset: done", "Reset: done, and 1 more"),
    ],
)
def test_the_one_answer_keeps_a_subject_that_continues_a_thread(subject: str, expected: str) -> None:
    (one,) = combined([Notification(("a@b.example",), each, "x\n", "updated") for each in (subject, "Call 2")])
    assert one.subject == expected


def test_a_mail_that_is_not_answered_counts_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(Outbox, "sent_since", lambda *args: asked.append(args) or 0)
    monkeypatch.setattr(Outbox, "is_answered", lambda *args: asked.append(args) or False)
    desk.receive(a_mail(), a_mail(subject="Another"))
    assert asked == []
