"""Hooks are called by the fetcher as by a stage: mails taken, durable, put away; what comes again and what stays."""

from __future__ import annotations

import logging

import pytest

from services.fetcher import mailbox
from services.fetcher.source import FetcherSource
from shared.config.model import AuthFailureTicket, Inbox, Settings
from shared.contracts.errors import Unavailable
from shared.embedded.documents import EmbeddedDocuments
from shared.runtime.hooks import Committed, Failed, Paused, Resumed, Retried, Settled, Taken
from tests.servers.dovecot import Dovecot
from tests.services.fetcher.conftest import Desk, a_mail, an_inbox


@pytest.fixture
def desk(dovecot: Dovecot, documents: EmbeddedDocuments) -> Desk:
    return Desk(documents, an_inbox(dovecot.port))


def test_mails_are_taken_then_durable_then_put_away(desk: Desk, dovecot: Dovecot) -> None:
    dovecot.deliver("bob", a_mail(1), a_mail(2))
    desk.source.poll(desk.inbox)
    heard = desk.listener.heard
    assert [type(each) for each in heard] == [Taken, Taken, Committed, Settled, Settled]
    assert {(each.part, each.source) for each in heard} == {("fetcher", "support")}
    assert desk.listener.of(Committed)[0].count == 2
    assert [each.id for each in desk.listener.of(Settled)] == [each.source for each in desk.arrivals]


def test_a_mail_that_is_too_large_has_failed(desk: Desk, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailbox, "MAX_DOWNLOAD_BYTES", 1000)
    desk.settings = Settings(max_mail_size=1000)
    dovecot.deliver("bob", a_mail(1) + b"x" * 2000)
    desk.source.poll(desk.inbox)
    (failed,) = desk.listener.of(Failed)
    assert (failed.part, failed.source) == ("fetcher", "support")
    assert "at most 1000 are downloaded" in failed.reason


def test_a_visit_that_our_own_broker_prevented_comes_again_uncounted(desk: Desk, dovecot: Dovecot) -> None:
    dovecot.deliver("bob", a_mail(1))
    desk.trouble = [Unavailable("no broker")]
    desk.source.poll(desk.inbox)
    assert desk.listener.of(Retried) == [
        Retried("fetcher", "support", "", "", "no broker", 5.0, counted=False, kind="own")
    ]
    assert not desk.listener.of(Committed)


def test_an_inbox_that_refuses_logins_comes_again_counted_until_it_is_stopped(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOB_PASSWORD", "wrong")
    desk.settings = Settings(auth_failure_ticket=AuthFailureTicket(enabled=True))
    for _ in range(3):
        desk.source.poll(desk.inbox)
    assert [each.counted for each in desk.listener.of(Retried)] == [True, True, True]
    assert [(each.source, each.id) for each in desk.listener.of(Failed)] == [("support", "")]


def test_a_fetcher_whose_store_is_unavailable_pauses_once_and_resumes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[list[Inbox] | Exception] = [Unavailable("no store"), Unavailable("no store"), [], []]

    def due(_: FetcherSource) -> list[Inbox]:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(FetcherSource, "due", due)
    while answers:
        desk.source._due_or_none()
    assert [type(each) for each in desk.listener.heard] == [Paused, Resumed]


@pytest.mark.req("TI-06")
@pytest.mark.parametrize(("whole_desk", "inbox", "logged"), [(True, True, 1), (True, False, 0), (False, True, 0)])
def test_a_taken_mail_is_logged_as_desk_and_inbox_say(
    desk: Desk, dovecot: Dovecot, caplog: pytest.LogCaptureFixture, whole_desk: bool, inbox: bool, logged: int
) -> None:
    caplog.set_level(logging.INFO)
    desk.settings = Settings(log_events=whole_desk)
    desk.inbox = an_inbox(dovecot.port, log_events=inbox)
    dovecot.deliver("bob", a_mail(1))
    desk.source.poll(desk.inbox)
    assert [each.msg for each in caplog.records].count("mail_taken") == logged
