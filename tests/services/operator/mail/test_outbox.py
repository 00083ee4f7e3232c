"""Outgoing mail that an operator holds or cancels."""

from __future__ import annotations

import pytest

from services.operator.errors import NotAvailable
from services.operator.mail.outbox import cancel, find_outgoing, hold, send_now
from shared.config.model import CommandPolicy
from shared.store.outbox import OutboxState
from tests.builders import a_configuration, a_mail, an_inbox
from tests.desk import Desk


@pytest.fixture
def answered(desk: Desk) -> Desk:
    """A desk whose answer to a mail was not sent, because there is no mail server."""
    desk.configure(a_configuration(an_inbox(commands=CommandPolicy(reply_on_create=True))))
    desk.receive(a_mail())
    return desk


def state(desk: Desk) -> OutboxState:
    """The state of the only outgoing mail."""
    (mail,) = desk.app.outbox.recent(None, 0)
    return mail.state


def test_a_held_mail_waits_and_keeps_who_and_why(answered: Desk) -> None:
    (mail,) = answered.app.outbox.recent(None, 0)
    hold(answered.app, mail, by="anna", reason="wrong words")
    held = find_outgoing(answered.app, mail.id)
    assert (held.state, held.reason) == ("held", "held by anna: wrong words")
    answered.work()
    assert state(answered) == "held"
    entries = answered.app.journal.of_mail(mail.mail_id or "")
    assert ("answer held", "held by anna: wrong words") in [(each.decision, each.why) for each in entries]


def test_a_waiting_mail_that_is_held_is_not_sent_by_the_notifier(answered: Desk) -> None:
    (mail,) = answered.app.outbox.recent(None, 0)
    answered.app.outbox.queue_again(mail.id, ("unsent",), server="out", from_="support@example.com")
    hold(answered.app, find_outgoing(answered.app, mail.id), by="anna")
    from services.notifier.stage import build
    from shared.contracts.events import NotificationQueued

    build(answered.app).handle(NotificationQueued(mail.mail_id or "", mail.id))
    assert state(answered) == "held"


def test_a_cancelled_mail_never_leaves(answered: Desk) -> None:
    (mail,) = answered.app.outbox.recent(None, 0)
    hold(answered.app, mail, by="anna")
    cancel(answered.app, find_outgoing(answered.app, mail.id), by="anna", reason="sent by phone")
    cancelled = find_outgoing(answered.app, mail.id)
    assert (cancelled.state, cancelled.reason) == ("cancelled", "cancelled by anna: sent by phone")
    with pytest.raises(NotAvailable, match="is cancelled; only unsent, waiting, failed, held mail can be sent"):
        send_now(answered.app, cancelled, by="anna")
    with pytest.raises(NotAvailable, match="is cancelled; only"):
        hold(answered.app, mail, by="anna")
