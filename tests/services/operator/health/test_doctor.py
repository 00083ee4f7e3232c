"""What the doctor finds, as plain data."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from services.operator.health.doctor import Finding, examine, findings, inbox_findings, is_healthy
from shared.app import Location
from shared.contracts.errors import Unavailable
from shared.mail_network.connection import Step
from shared.mail_network.connection_test import TestResult
from shared.store.inbox_states import AUTHENTICATION, OPERATOR, InboxState, Stop
from tests.builders import a_configuration, a_mail
from tests.desk import Desk

AT = datetime(2026, 11, 20, 12, tzinfo=UTC)
FAILED = TestResult(ok=False, step=Step.LOGIN, message="the login was refused", at=AT)
REFUSED_LOGIN = Stop(AUTHENTICATION, "three refused logins", AT)


def stopped(why: str) -> Finding:
    what = f"box has been stopped for 0 s: {why}"
    return Finding("inboxes", "problem", what, "postroom inbox start box", "inbox-stopped")


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        (InboxState("box"), []),
        (InboxState("box", polled_at=AT), [Finding("inboxes", "ok", "box was visited without errors")]),
        (
            InboxState("box", error="no route", polled_at=AT),
            [Finding("inboxes", "problem", "box is visited with errors: no route", name="inbox-failing")],
        ),
        (
            InboxState("box", stop=REFUSED_LOGIN, error="no route"),
            [stopped("three refused logins")],
        ),
        (
            InboxState("box", stop=replace(REFUSED_LOGIN, by=OPERATOR, reason="holidays")),
            [stopped("holidays")],
        ),
        (
            InboxState("box", test=FAILED),
            [Finding("inboxes", "problem", "box: the connection test failed: the login was refused")],
        ),
        (
            InboxState("box", test=FAILED, polled_at=AT + timedelta(minutes=1)),
            [Finding("inboxes", "ok", "box was visited without errors")],
        ),
    ],
    ids=["never-visited", "visited", "failing", "refused-logins", "stopped-by-a-person", "failed-test", "works-since"],
)
def test_an_inbox_has_its_most_serious_finding(state: InboxState, expected: list[Finding]) -> None:
    assert list(inbox_findings(state, AT)) == expected


def test_a_finding_shows_its_remedy_behind_what_was_found() -> None:
    assert Finding("outbox", "note", "2 unsent", "postroom outbox list").message == "2 unsent (postroom outbox list)"
    assert Finding("store", "ok", "it answers").message == "it answers"


def test_only_a_problem_is_unhealthy() -> None:
    assert is_healthy((Finding("store", "ok", ""), Finding("outbox", "note", "")))
    assert not is_healthy((Finding("store", "ok", ""), Finding("secrets", "problem", "")))


@pytest.mark.req("PR-14")
def test_a_new_desk_is_healthy_and_counts_its_mails(desk: Desk) -> None:
    desk.configure(a_configuration())
    desk.receive(a_mail())
    found = findings(desk.app)
    assert is_healthy(found)
    counts = "1 arrivals, 1 with an outcome, 0 duplicates, 0 unreadable, 0 in flight"
    assert Finding("conservation", "ok", f"every mail is accounted for: {counts}") in found


def test_a_check_whose_dependency_fails_is_a_problem_and_the_others_go_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def depths() -> None:
        raise Unavailable("the broker does not answer")

    monkeypatch.setattr(desk.app.broker, "depths", depths)
    found = findings(desk.app)
    assert Finding("broker", "problem", "the broker does not answer") in found
    assert Finding("conservation", "note", "not checked: the broker does not answer") in found
    assert [each.check for each in found if each.status == "problem"] == ["broker"]
    assert found[0].check == "store"
    assert found[-1].check == "conservation"


@pytest.mark.req("PR-14")
def test_a_broker_that_takes_no_messages_is_a_problem(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def ping() -> None:
        raise Unavailable("RabbitMQ at mq:5672 takes no messages now: connection blocked")

    monkeypatch.setattr(desk.app.broker, "ping", ping)
    what = "RabbitMQ at mq:5672 takes no messages now: connection blocked; 0 messages ready"
    assert Finding("broker", "problem", what, name="broker-blocked") in findings(desk.app)


def test_a_store_that_cannot_be_opened_is_the_only_finding(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("not a folder")
    (only,) = examine(Location(tmp_path / "data"))
    assert (only.check, only.status) == ("reachable", "problem")
