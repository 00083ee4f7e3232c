"""The dead-letter stage beside other workers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from services.dead_letter.stage import build
from services.operator.mail import actions
from shared.runtime.broker import DEAD_LETTER, Message
from shared.runtime.outcome import Emit
from shared.store.mails import OutcomeName
from tests.builders import a_mail
from tests.desk import Desk


@pytest.mark.req("PR-12", "PR-15")
def test_a_mail_that_is_recorded_while_its_letter_is_kept_makes_no_incident(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    (mail,) = desk.receive(a_mail())
    mails = desk.app.mails
    finish = mails.finish
    desk.store.update("mails", {"_id": mail["_id"]}, {"$set": {"outcome": None}})

    def late(mail_id: str, outcome: OutcomeName, **facts: Any) -> bool:
        finish(mail_id, "recorded")  # another worker is faster
        return finish(mail_id, outcome, **facts)

    monkeypatch.setattr(mails, "finish", late)
    headers = {"queue": "record-writer", "stage": "record-writer", "reason": "handed out too often"}
    answer = build(desk.app).handle(Message("m1", DEAD_LETTER, b"{}", correlation_id=mail["_id"], headers=headers))
    assert isinstance(answer, Emit)
    assert (answer.events, answer.note) == ((), "the mail already has the outcome recorded: handed out too often")


@pytest.mark.parametrize("decision", [actions.replay, actions.discard])
def test_a_letter_that_comes_again_undoes_no_decision_about_it(desk: Desk, decision: Callable[..., object]) -> None:
    stage = build(desk.app)
    desk.hand_in(a_mail())
    consumer = desk.app.broker.consumer("intake", 1)
    (held,) = consumer.take(1)
    headers = {"queue": "intake", "stage": "parser", "reason": "handed out too often"}
    message = replace(held.message, to=DEAD_LETTER, headers={**held.message.headers, **headers})
    consumer.settle(held)
    consumer.close()
    stage.handle(message)
    (letter,) = desk.dead_letters()
    decision(desk.app, letter["_id"])
    before = desk.mails()
    answer = stage.handle(message)
    assert isinstance(answer, Emit)
    assert (answer.events, answer.note) == ((), "the letter was closed already")
    assert desk.mails() == before
