"""Inboxes as an operator sees them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.fetcher.mailbox import Key, Peek, folder_of
from services.operator.errors import NotAvailable
from services.operator.inbox.inbox_rows import inbox_rows
from services.operator.inbox.inboxes import (
    ask_for_visit,
    check_connection,
    inbox_named,
    inbox_views,
    running_state,
    server_for_test_mail,
    start_inbox,
    stop_inbox,
    switch_processing,
    unread_inboxes,
    waiting_mails,
)
from shared.clock import FixedClock
from shared.config.model import Inbox, MailServer
from shared.config.values import Secret
from shared.runtime.lease import Leases
from shared.store.inbox_states import OPERATOR, InboxState, InboxStates, Stop
from tests.builders import a_configuration, an_inbox
from tests.desk import NOW, Desk
from tests.services.parser.mails import nested

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
STOP = Stop(OPERATOR, "holidays", AT)
MAILBOX: dict[str, Any] = {"protocol": "imap", "host": "mail.example", "username": "u", "password": Secret("${P}")}
BOX = an_inbox("box", **MAILBOX)


@pytest.mark.parametrize(
    ("inbox", "state", "processing", "expected"),
    [
        (BOX, InboxState("box"), True, ("running", None)),
        (BOX, InboxState("box", error="no route"), True, ("failing", "no route")),
        (BOX, InboxState("box", stop=STOP, error="no route"), True, ("stopped", "holidays")),
        (BOX, InboxState("box"), False, ("stopped", "processing is off")),
        (an_inbox(), InboxState("support"), False, ("running", None)),
        (an_inbox("box", enabled=False), InboxState("box", stop=STOP), True, ("disabled", None)),
    ],
    ids=["running", "failing", "stopped", "processing-off", "intake-goes-on", "disabled"],
)
def test_the_state_of_an_inbox_says_why_it_does_not_run(
    inbox: Inbox, state: InboxState, processing: bool, expected: tuple[str, str | None]
) -> None:
    assert running_state(inbox, state, processing=processing) == expected


@pytest.mark.req("TI-11")
def test_a_stopped_inbox_starts_again_also_when_it_was_disabled(desk: Desk) -> None:
    desk.configure(a_configuration(an_inbox("box", enabled=False)))
    stop_inbox(desk.app, "box", "holidays")
    start_inbox(desk.app, "box")
    desk.app.directory.renew()
    (box,) = [each for each in inbox_views(desk.app) if each.inbox.name == "box"]
    assert (box.inbox.enabled, box.running, box.reason) == (True, "running", None)


def test_without_processing_no_mailbox_is_visited(desk: Desk) -> None:
    desk.configure(a_configuration(BOX))
    switch_processing(desk.app, on=False)
    desk.app.directory.renew()
    (box,) = [each for each in inbox_views(desk.app) if each.inbox.name == "box"]
    assert (box.running, box.reason) == ("stopped", "processing is off")


def test_inboxes_that_could_not_be_read_are_listed_with_the_reason(desk: Desk) -> None:
    desk.configure(a_configuration(BOX, an_inbox("other", **MAILBOX)))
    InboxStates(desk.app.documents, desk.clock).failed("box", "no route")
    InboxStates(desk.app.documents, desk.clock).succeeded("other")
    assert [(each.inbox.name, each.running, each.reason) for each in unread_inboxes(desk.app)] == [
        ("box", "failing", "no route")
    ]


def test_an_inbox_without_a_mailbox_has_nothing_to_connect_to_and_nothing_to_show(desk: Desk) -> None:
    desk.configure(a_configuration(an_inbox()))
    check = check_connection(desk.app, "support")
    assert (check.ok, check.result) == (True, None)
    with pytest.raises(NotAvailable, match="takes mail from intake only"):
        waiting_mails(desk.app, "support", 1)


@pytest.mark.req("VS-02")
def test_a_waiting_mail_that_cannot_be_read_is_shown_as_it_will_be_stored(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Waiting:
        def peek(self, *_: object) -> list[Peek]:
            return [Peek(Key("imap:mail.example:u:INBOX:1", "7"), 20_000, nested(1_000))]

    desk.configure(a_configuration(BOX))
    monkeypatch.setattr("services.runner.build_fetcher", lambda _: Waiting())
    (shown,) = waiting_mails(desk.app, "box", 1)
    assert (shown.readable, shown.subject) == (False, "(unreadable: nesting)")
    assert shown.text.startswith("the mail exceeds a bound: nesting")


def test_an_unknown_inbox_is_named(desk: Desk) -> None:
    with pytest.raises(NotAvailable, match="there is no inbox 'nobody'"):
        inbox_named(desk.app, "nobody")


@pytest.mark.req("IV-08")
def test_a_test_mail_needs_a_server_with_a_user(desk: Desk) -> None:
    plain, user = (
        MailServer("plain", host="mail.example"),
        MailServer("user", host="mail.example", username="u@mail.example", password=Secret("${P}")),
    )
    desk.configure(a_configuration(an_inbox(), an_inbox("other", mail_server="user"), mail_servers=(plain, user)))
    assert server_for_test_mail(desk.app, "support") is None
    found = server_for_test_mail(desk.app, "other")
    assert found is not None
    assert found.name == "user"


@pytest.mark.parametrize("ahead", [timedelta(hours=1), timedelta(hours=-1)], ids=["ahead", "behind"])
def test_a_visit_is_asked_for_on_a_machine_whose_clock_is_another(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, ahead: timedelta
) -> None:
    """Each request is answered once, also after a restart of the fetcher, whose clock differs by an hour."""
    from services.runner import build_fetcher

    desk.configure(a_configuration(an_inbox(protocol="imap", host="localhost", port=9, password=Secret("${X}"))))
    asking = InboxStates(desk.store, FixedClock(NOW + ahead))
    for _ in range(2):
        fetcher = build_fetcher(desk.app)
        monkeypatch.setattr(fetcher, "_is_due", lambda _: False)
        assert fetcher.due() == []
        asking.ask_for_visit("support")
        asking.ask_for_visit("support")
        assert [each.name for each in fetcher.due()] == ["support"]
        assert fetcher.poll(fetcher.due()[0]).failures
        assert fetcher.due() == []


def test_a_visit_that_is_asked_for_while_another_one_runs_begins_after_it(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    from services.runner import build_fetcher

    inbox = an_inbox(protocol="imap", host="localhost", port=9, password=Secret("${X}"))
    desk.configure(a_configuration(inbox))
    fetcher = build_fetcher(desk.app)
    monkeypatch.setattr(fetcher, "_is_due", lambda _: False)
    ask_for_visit(desk.app, "support")
    other = Leases(desk.store).acquire(folder_of(inbox))
    assert other is not None
    with other:
        assert fetcher.poll(fetcher.due()[0]).busy
        assert [each.name for each in fetcher.due()] == ["support"]
    assert fetcher.poll(fetcher.due()[0]).failures
    assert fetcher.due() == []


def test_an_inbox_that_is_asked_for_is_visited_at_once(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from services.runner import build_fetcher

    desk.configure(a_configuration(an_inbox(protocol="imap", host="localhost", port=9, password=Secret("${X}"))))
    fetcher = build_fetcher(desk.app)
    monkeypatch.setattr(fetcher, "_is_due", lambda _: False)
    assert fetcher.due() == []
    ask_for_visit(desk.app, "support")
    assert [each.name for each in fetcher.due()] == ["support"]
    assert fetcher.poll(fetcher.due()[0]).failures
    assert fetcher.due() == []
    row = inbox_rows(desk.app)[0]
    assert (row.state, row.last_success_at) == ("is visited with errors", None)
    assert row.next_visit_at is not None
    assert row.last_visit_at is not None
    stop_inbox(desk.app, "support", "for a while")
    with pytest.raises(NotAvailable, match="support is stopped; start it first"):
        ask_for_visit(desk.app, "support")
