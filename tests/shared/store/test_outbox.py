"""The outbox counts what was written to somebody."""

from __future__ import annotations

from datetime import timedelta

from shared.contracts.change import Notification
from tests.desk import Desk


def test_mailboxes_are_counted_whatever_the_spelling(desk: Desk) -> None:
    now = desk.clock.now()
    facts = {"at": now, "state": "waiting", "domain": "example.com"}
    for mail_id, address in (("first", "Anna@Customer.example"), ("second", '"anna+x"@customer.example')):
        notice = Notification((address,), "Call updated", "text", "updated")
        desk.app.outbox.add_once(mail_id, 0, notice, {**facts, "mail_id": mail_id})
    ago = [timedelta(hours=1), timedelta(hours=-1)]
    assert [desk.app.outbox.sent_since("to_key", "anna@customer.example", now - each) for each in ago] == [2, 0]
    assert [desk.app.outbox.is_answered(each) for each in ("first", "third")] == [True, False]
