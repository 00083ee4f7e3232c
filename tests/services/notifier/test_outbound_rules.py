"""Outgoing mail passes rules, too: of the administrator and those that come with Postroom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from services.notifier import stage
from shared.config.model import PRECONFIGURED_RULES, MailServer, Rule
from shared.contracts.events import NotificationQueued
from tests.builders import a_configuration, a_mail, a_person
from tests.desk import Desk
from tests.servers.smtp import SmtpServer

ANNA = "anna@customer.example"


@pytest.fixture
def sink() -> Iterator[SmtpServer]:
    with SmtpServer() as running:
        yield running


def configure(desk: Desk, sink: SmtpServer, *parts: Any, **keys: Any) -> None:
    sender = {"tls": "none", "auth": "none", "from_address": "support@example.com"}
    server = MailServer("default", host="localhost", port=sink.port, **sender)
    desk.configure(a_configuration(*parts, mail_servers=(server,), **keys))


def answer_once(desk: Desk) -> dict[str, Any]:
    """A record, and an update of it that is answered: the mail in the outbox."""
    desk.receive(a_mail())
    desk.receive(a_mail("more\n", subject="Incident#1"))
    (answer,) = desk.outbox()
    return answer


def send_like(desk: Desk, sent: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """What becomes of a mail like one that was sent, but for these changes."""
    desk.store.insert("outbox", {**sent, "_id": "another", "state": "waiting", "tries": 0, **changes})
    stage.build(desk.app).handle(NotificationQueued(sent["mail_id"], "another"))
    return desk.store.get("outbox", "another") or {}


@pytest.mark.req("TI-23")
@pytest.mark.parametrize("roles", [("analyst",), ("user",), None], ids=["an analyst", "a requestor", "a stranger"])
@pytest.mark.parametrize("applies_to", ["analysts", "requestors", "both"])
def test_an_outbound_rule_considers_who_the_recipient_is(
    desk: Desk, sink: SmtpServer, applies_to: str, roles: tuple[str, ...] | None
) -> None:
    people = [a_person("anna", addresses=(ANNA,), roles=roles)] if roles else []
    configure(
        desk, sink, *people, rules=(Rule("quiet", {"sender": ANNA}, direction="outbound", applies_to=applies_to),)
    )
    kept_back = applies_to == "both" or (applies_to == "analysts") == (roles == ("analyst",))
    assert answer_once(desk)["state"] == ("blocked" if kept_back else "sent")
    assert len(sink.received) == (0 if kept_back else 1)


@pytest.mark.req("TI-20")
@pytest.mark.parametrize(("name", "state"), [("Shop ROBOT One", "blocked"), ("Anna Becker", "sent")])
def test_an_outbound_rule_reads_the_name_of_the_recipient_too(
    desk: Desk, sink: SmtpServer, name: str, state: str
) -> None:
    robots = Rule("robots", {"sender": "robot"}, direction="outbound")
    configure(desk, sink, a_person("anna", name=name, addresses=(ANNA,)), rules=(robots,))
    assert answer_once(desk)["state"] == state


@pytest.mark.req("TI-22")
@pytest.mark.parametrize("barred", PRECONFIGURED_RULES[1].match["subject_begins"])
def test_a_subject_that_is_barred_does_not_leave(desk: Desk, sink: SmtpServer, barred: str) -> None:
    configure(desk, sink)
    sent = answer_once(desk)
    assert len(sink.received) == 1
    held = send_like(desk, sent, subject=f"Re: {barred.upper()}!")
    assert (held["state"], held["reason"]) == ("blocked", "the rule barred-subject blocks it")
    assert len(sink.received) == 1


@pytest.mark.req("TI-23")
@pytest.mark.parametrize("place", [0, 1, 2])
def test_one_recipient_who_may_not_get_it_keeps_a_mail_back(desk: Desk, sink: SmtpServer, place: int) -> None:
    rule = Rule("quiet", {"recipient": "quiet@"}, direction="outbound")
    configure(desk, sink, rules=(rule,))
    to = ["a@customer.example", "b@customer.example"]
    to.insert(place, "quiet@customer.example")
    held = send_like(desk, answer_once(desk), to=to)
    assert (held["state"], held["reason"]) == ("blocked", "the rule quiet blocks it")
    assert len(sink.received) == 1


@pytest.mark.req("TI-21", "PR-02")
@pytest.mark.parametrize("address", ["MAILER-DAEMON@mx.example", "postmaster@customer.example"])
def test_a_mail_system_gets_no_mail(desk: Desk, sink: SmtpServer, address: str) -> None:
    configure(desk, sink)
    held = send_like(desk, answer_once(desk), to=[address])
    assert (held["state"], held["reason"]) == ("blocked", "the rule barred-sender blocks it")
    assert len(sink.received) == 1
