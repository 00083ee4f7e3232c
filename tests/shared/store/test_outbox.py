"""The outbox counts what was written to somebody."""

from __future__ import annotations

from datetime import timedelta

from shared.contracts.change import Notification
from shared.store.outbox import QueuedFor, SendingSide
from tests.desk import Desk


def test_mailboxes_are_counted_whatever_the_spelling(desk: Desk) -> None:
    now = desk.clock.now()
    sending = SendingSide("default", domain="example.com")
    for mail_id, address in (("first", "Anna@Customer.example"), ("second", '"anna+x"@customer.example')):
        notice = Notification((address,), "Call updated", "text", "updated")
        desk.app.outbox.add_once(mail_id, 0, notice, sending, QueuedFor(now, mail_id))
    ago = [timedelta(hours=1), timedelta(hours=-1)]
    assert [desk.app.outbox.sent_since("to_key", "anna@customer.example", now - each) for each in ago] == [2, 0]
    assert [desk.app.outbox.is_answered(each) for each in ("first", "third")] == [True, False]
