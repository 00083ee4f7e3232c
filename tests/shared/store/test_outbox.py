"""The outbox counts what was written to somebody."""

from __future__ import annotations

from datetime import timedelta

from shared.contracts.service import Notification
from tests.desk import Desk


def test_a_mails_own_notices_do_not_use_up_what_it_may_cause(desk: Desk) -> None:
    """Else a mail that is handled again at the cap would leave the notice that it queued before without a message."""
    now = desk.clock.now()
    facts = {"at": now, "state": "waiting", "domain": "example.com"}
    for mail_id in ("first", "second"):
        notice = Notification(("Anna@Customer.example",), "Call updated", "text", "updated")
        desk.app.outbox.add_once(mail_id, 0, notice, {**facts, "mail_id": mail_id})

    def counted(but: str) -> int:
        return desk.app.outbox.sent_since("anna@customer.example", now - timedelta(hours=1), 10, but=but)

    assert [counted("second"), counted("third")] == [1, 2]
