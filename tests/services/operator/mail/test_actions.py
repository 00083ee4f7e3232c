"""What an operator does with dead letters, where it is not obvious."""

from __future__ import annotations

import pytest

from services.operator.errors import NotAvailable
from services.operator.health.conservation import check
from services.operator.mail import actions
from services.record_writer.stage import Writer
from shared.contracts.errors import PostroomError
from shared.contracts.events import IncidentWanted
from shared.runtime.broker import Message
from shared.runtime.outcome import Outcome
from tests.builders import a_mail
from tests.desk import Desk


def _broken(_: Writer, wanted: IncidentWanted) -> Outcome:
    raise PostroomError(f"no incident for {wanted.mail_id}")


@pytest.mark.req("PR-12", "IV-37")
def test_a_replay_of_the_wish_for_an_incident_leaves_the_mail_dead(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(Writer, "write_incident_on_error", _broken)
        desk.receive(a_mail(), inbox="nobody")
    (wish,) = [each for each in desk.dead_letters() if each["message"]["type"] == IncidentWanted.__name__]
    actions.replay(desk.app, wish["_id"])
    desk.work()
    (mail,) = desk.mails()
    assert mail["outcome"] == "dead"
    assert [each["number"] for each in mail["records"]] == [desk.record()["number"]]
    assert check(desk.app, patience=0).problems == ()


def test_a_letter_that_names_no_queue_is_not_replayed_and_says_what_to_do(desk: Desk) -> None:
    message = Message("m", "dead-letter", b"Subject: x", headers={"reason": "?", "queue": "", "stage": ""})
    letter, _ = desk.app.dead_letters.keep(message, mail_id=None, inbox=None, at=desk.clock.now())
    with pytest.raises(
        NotAvailable, match=f"not known from which queue it came; `postroom dead-letters source {letter}`"
    ):
        actions.replay(desk.app, letter)
    assert [each["_id"] for each in desk.dead_letters()] == [letter]


@pytest.mark.req("PR-12")
def test_a_mail_is_not_replayed_when_its_latest_letter_was_discarded(desk: Desk) -> None:
    """It was replayed before, and failed again."""
    desk.receive(a_mail(), inbox="nobody")
    mail = desk.app.mails.get(desk.mails()[0]["_id"])
    assert mail
    assert actions.replay_mail(desk.app, mail) == 1
    assert actions.with_letters_of(desk.app, mail.id, "replay", by="ann") == 0  # done already
    desk.work()
    assert actions.with_letters_of(desk.app, mail.id, "discard", by="ann") == 1
    with pytest.raises(NotAvailable, match="no open dead letter"):
        actions.replay_mail(desk.app, mail)
