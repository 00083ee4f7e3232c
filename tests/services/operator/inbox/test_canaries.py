"""Canaries in words: what the doctor, the screen of inboxes and the figures say of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

import pytest

from services.figures.gauges import samples
from services.operator.errors import NotAvailable
from services.operator.health.doctor import Finding, findings
from services.operator.inbox.canaries import canary_views
from services.operator.inbox.inbox_rows import inbox_rows
from services.operator.inbox.inboxes import stop_inbox
from services.operator.mail.actions import release
from services.operator.mail.mails import view_mail
from services.operator.settings.allowed_senders import why_not
from services.schedule.canaries import CanaryRun
from shared.config.model import Canary, Inbox, MailServer, Rule
from shared.store.canaries import PROBE, CameBack
from shared.store.mails import MailQuery
from tests.builders import a_configuration, a_mail, an_inbox
from tests.desk import Desk
from tests.services.schedule.test_canaries import hand_in_a_probe

pytestmark = pytest.mark.req("PR-14")

EVERY: Final = timedelta(minutes=10)
WATCHED: Final = an_inbox(canary=Canary(EVERY))
SERVER: Final = MailServer("main", host="localhost", port=9, tls="none", auth="none")


def configure(desk: Desk, *inboxes: Inbox, **keys: Any) -> None:
    keys.setdefault("mail_servers", (SERVER,))
    desk.configure(a_configuration(*(inboxes or (WATCHED,)), **keys))


def found(desk: Desk) -> list[Finding]:
    return [each for each in findings(desk.app) if each.check == "canaries"]


def figures(desk: Desk) -> dict[str, float]:
    """The figures of the only canary."""
    return {figure.short: value for figure, _, value in samples(desk.app) if figure.short.startswith("canary")}


def queue(desk: Desk) -> str:
    """Queue what is due; the id of the latest probe."""
    CanaryRun(desk.app).work(desk.clock.now(), lambda: True)
    return desk.outbox()[-1]["_id"]


def end(desk: Desk, state: str, reason: str = "") -> None:
    desk.store.update("outbox", {}, {"$set": {"state": state, "reason": reason, "claimed_at": desk.clock.now()}})


def come_back(desk: Desk) -> None:
    state = desk.app.canaries.get("support")
    assert state
    assert state.queued_at
    desk.app.canaries.came_back(CameBack("support", state.probe, state.queued_at, "m1", desk.clock.now()))


def test_without_a_canary_nothing_is_said(desk: Desk) -> None:
    configure(desk, an_inbox(), an_inbox("off", canary=Canary(EVERY), enabled=False))
    assert (found(desk), figures(desk), canary_views(desk.app)) == ([], {}, ())
    assert inbox_rows(desk.app)[0].canary is None


def test_a_probe_that_came_back_is_said_with_its_time(desk: Desk) -> None:
    configure(desk)
    queue(desk)
    desk.clock.advance(timedelta(seconds=12))
    come_back(desk)
    at = desk.clock.at
    desk.clock.advance(timedelta(minutes=3))
    (finding,) = found(desk)
    assert finding == Finding("canaries", "ok", "the canary of support: a probe came back 3 min ago, after 12 s")
    assert figures(desk)["canary_interval_seconds"] == 600
    assert abs(figures(desk)["canary_last_success_timestamp_seconds"] - at.timestamp()) < 1
    (row,) = inbox_rows(desk.app)
    assert row.canary
    assert row.canary.sentence(desk.clock.now()) == "a probe came back 3 min ago, after 12 s"


def test_a_new_canary_without_a_success_is_not_yet_a_problem(desk: Desk) -> None:
    configure(desk)
    assert found(desk)[0].status == "ok"
    assert "no schedule runs" in found(desk)[0].what
    queue(desk)
    assert found(desk)[0].status == "ok"
    assert "canary_last_success_timestamp_seconds" not in figures(desk)


@pytest.mark.parametrize(
    ("state", "reason", "words"),
    [
        ("waiting", "connection refused", "the latest one waits for the mail server main: connection refused"),
        ("held", "by anna", "the latest one is held by an operator: by anna"),
        ("failed", "550 <x@y.example> unknown", "the latest one was not sent (failed): 550 <(address)> unknown"),
        ("sent", "", "the latest one was sent 31 min ago and is not back"),
    ],
)
def test_a_canary_that_is_overdue_says_where_its_probe_is(desk: Desk, state: str, reason: str, words: str) -> None:
    configure(desk)
    queue(desk)
    end(desk, state, reason)
    desk.clock.advance(timedelta(minutes=29))
    assert found(desk)[0].status == "ok"
    desk.clock.advance(timedelta(minutes=2))
    (finding,) = found(desk)
    assert (finding.status, finding.name) == ("problem", "canary-lost")
    assert finding.what == f"the canary of support: no probe has come back yet; {words}"
    assert figures(desk)["canary_last_success_timestamp_seconds"] == 0


def test_a_canary_that_can_send_nothing_is_a_problem_at_once(desk: Desk) -> None:
    configure(desk, mail_servers=())
    (finding,) = found(desk)
    assert (finding.status, finding.name) == ("problem", "canary-lost")
    assert finding.what.endswith("none is sent: no mail server is configured")


def test_a_canary_of_a_stopped_inbox_says_so_and_is_a_problem_when_it_is_overdue(desk: Desk) -> None:
    configure(desk)
    queue(desk)
    come_back(desk)
    stop_inbox(desk.app, "support", "the mailbox moves")
    (finding,) = found(desk)
    assert finding.status == "ok"
    assert finding.what.endswith("none is sent: the inbox is stopped: the mailbox moves")
    desk.clock.advance(timedelta(minutes=31))
    assert found(desk)[0].status == "problem"


def test_a_probe_is_neither_released_nor_its_sender_allowed(desk: Desk) -> None:
    configure(desk)
    hand_in_a_probe(desk)
    desk.work()
    (mail,) = desk.app.mails.recent(MailQuery(), 0)
    assert mail.is_probe
    with pytest.raises(NotAvailable, match="a probe of a canary"):
        release(desk.app, mail.id)
    assert why_not(mail) == "the mail is a probe of a canary: this desk sent it"
    assert view_mail(desk.app, mail).next_step is None
    assert (desk.app.mails.get(mail.id), desk.records()) == (mail, [])


def test_a_mail_that_a_configured_rule_named_canary_rejected_is_released(desk: Desk) -> None:
    configure(desk, rules=(Rule(PROBE, {"subject": "lottery"}, reason="spam is not read"),))
    desk.receive(a_mail(subject="lottery"))
    desk.work()
    (mail,) = desk.app.mails.recent(MailQuery(), 0)
    assert (mail.outcome, mail.rule, mail.is_probe) == ("rejected", PROBE, False)
    release(desk.app, mail.id)
    desk.work()
    assert [each.outcome for each in desk.app.mails.recent(MailQuery(), 0)] == ["recorded"]
