"""Mailboxes of Google Workspace by the Gmail API, against a stub that answers in the documented shapes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.fetcher.gmail import GmailMailbox
from shared.config.model import Google, Inbox
from shared.config.values import Secret
from shared.embedded.documents import EmbeddedDocuments
from shared.mail_network.connection import Step
from tests.servers.google import OTHER, PAGE, SUPPORT, GoogleStub, error
from tests.servers.tls import Certificate
from tests.services.fetcher.conftest import a_mail
from tests.services.fetcher.fetching import Fetching

MAILS = [a_mail(1), a_mail(2), a_mail(3)]


@pytest.fixture
def gmail(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> Iterator[GoogleStub]:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.certificate))
    with GoogleStub(certificate) as running:
        yield running


def an_inbox(stub: GoogleStub, **options: Any) -> Inbox:
    """The inbox of `SUPPORT`."""
    google = Google("robot@project.iam.example", Secret("${GOOGLE_KEY}"), SUPPORT, endpoint=stub.url)
    return Inbox(**({"name": "support", "address": SUPPORT, "protocol": "gmail", "google": google} | options))


@pytest.fixture
def fetching(gmail: GoogleStub, tmp_path: Path) -> Iterator[Fetching]:
    documents = EmbeddedDocuments(tmp_path / "data")
    yield Fetching(gmail, documents, an_inbox(gmail), GmailMailbox)
    documents.close()


@pytest.mark.req("NE-01", "IV-04")
def test_mail_is_taken_oldest_first_and_gets_the_label_of_the_archive_instead_of_the_inbox(fetching: Fetching) -> None:
    fetching.stub.deliver(*MAILS)
    polled = fetching.poll()
    assert (polled.taken, polled.archived, polled.failures) == (3, 3, [])
    assert fetching.raw == MAILS
    assert fetching.stub.support.labelled("Archive") == MAILS
    assert fetching.stub.support.labelled("INBOX") == []
    assert fetching.stub.support.labelled("UNREAD") == MAILS
    assert fetching.poll().taken == 0


def test_a_label_of_many_pages_is_read_from_its_oldest_mail(fetching: Fetching) -> None:
    mails = [a_mail(number) for number in range(PAGE * 2 + 3)]
    fetching.stub.deliver(*mails)
    assert fetching.poll().taken == len(mails)
    assert fetching.raw == mails


@pytest.mark.req("TI-08")
def test_mail_goes_to_the_trash_when_the_inbox_says_so(fetching: Fetching) -> None:
    fetching.inbox = replace(fetching.inbox, after="delete")
    fetching.stub.deliver(*MAILS)
    assert fetching.poll().archived == 3
    assert fetching.stub.support.labelled("TRASH") == MAILS


@pytest.mark.req("TI-08")
def test_mail_is_marked_as_read_and_never_taken_twice(fetching: Fetching) -> None:
    fetching.inbox = an_inbox(fetching.stub, after="mark_read")
    fetching.stub.deliver(a_mail(0), read=True)
    ids = fetching.stub.deliver(*MAILS)
    assert (fetching.poll().taken, fetching.poll().taken) == (3, 0)
    assert fetching.stub.support.labelled("UNREAD") == []
    fetching.stub.support.mails[ids[0]].labels.add("UNREAD")
    assert (fetching.poll().taken, fetching.raw) == (0, MAILS)


@pytest.mark.req("IV-03")
def test_another_label_is_read_and_a_missing_archive_is_named(fetching: Fetching) -> None:
    fetching.stub.support.labels["Team/Büro"] = "Label_77"
    fetching.inbox = replace(fetching.inbox, folder="team/büro", create_archive_folder=False)
    fetching.stub.deliver(a_mail(9))
    fetching.stub.deliver(*MAILS, label="Team/Büro")
    polled = fetching.poll()
    assert (polled.taken, polled.archived, fetching.raw) == (3, 0, MAILS)
    assert "there is no label Archive" in polled.failures[0]


def test_one_bad_mail_delays_no_other(fetching: Fetching) -> None:
    ids = fetching.stub.deliver(*MAILS)
    fetching.stub.fail(f"GET .*{ids[0]}", 500, error(500, "backendError").body, times=9)
    fetching.stub.fail(f"GET .*{ids[1]}", 404, error(404, "notFound").body)
    polled = fetching.poll()
    assert (polled.taken, polled.skipped, fetching.raw) == (1, 1, [MAILS[2]])
    assert "backendError" not in polled.failures[0] or "status 500" in polled.failures[0]


def test_a_mail_that_is_too_large_is_put_away(fetching: Fetching) -> None:
    fetching.max_download = 1000
    large = a_mail(7) + b"x" * 3000
    fetching.stub.deliver(MAILS[0], large)
    assert (fetching.poll().taken, fetching.raw) == (1, [MAILS[0]])
    assert large in fetching.stub.support.labelled("Archive")


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (403, "rateLimitExceeded"),
        (403, "userRateLimitExceeded"),
        (403, "dailyLimitExceeded"),
        (429, "rateLimitExceeded"),
    ],
)
def test_a_limit_ends_the_visit_and_counts_as_no_refused_login(status: int, reason: str, fetching: Fetching) -> None:
    fetching.stub.deliver(*MAILS)
    fetching.stub.fail("GET .*/messages/", status, error(status, reason).body)
    assert "limits requests" in fetching.poll().failures[0]
    assert fetching.source.states.get("support").auth_failures == 0
    assert fetching.poll().taken == 3


def test_an_expired_token_is_renewed(fetching: Fetching) -> None:
    fetching.poll()
    fetching.stub.valid.clear()
    fetching.stub.deliver(*MAILS)
    assert (fetching.poll().taken, len(fetching.tokens.given)) == (3, 2)


@pytest.mark.req("IV-08", "NE-01")
def test_a_good_connection_says_that_the_label_will_be_made_and_makes_none(fetching: Fetching) -> None:
    result = fetching.check()
    assert result.ok
    assert "The archive folder 'Archive' does not exist yet and will be created." in result.message
    assert {each.method for each in fetching.stub.seen} == {"GET"}


@pytest.mark.req("IV-08")
@pytest.mark.parametrize(
    ("options", "fault", "step", "sentence"),
    [
        ({"folder": "Typo"}, None, Step.INBOX, "there is no label Typo"),
        ({"archive_folder": "Typo", "create_archive_folder": False}, None, Step.ARCHIVE, "Archive folder not found!"),
        ({}, (401, "authError"), Step.LOGIN, "The server refused the login."),
        ({}, (403, "forbidden"), Step.INBOX, "domain-wide delegation"),
        ({}, (403, "insufficientPermissions"), Step.INBOX, "gmail.modify"),
        ({}, (403, "accessNotConfigured"), Step.INBOX, "switch on the Gmail API"),
        ({}, (403, "domainPolicy"), Step.INBOX, "switched off access"),
        ({}, (400, "failedPrecondition"), Step.INBOX, "has no Gmail mailbox"),
        ({}, (429, "rateLimitExceeded"), Step.CONNECT, "The server limits requests"),
        ({}, (500, "backendError"), Step.CONNECT, "The server could not be reached"),
    ],
    ids=lambda value: value[1] if isinstance(value, tuple) else "",
)
def test_each_cause_has_its_sentence(
    options: dict[str, Any], fault: tuple[int, str] | None, step: Step, sentence: str, fetching: Fetching
) -> None:
    fetching.inbox = replace(fetching.inbox, **options)
    if fault:
        fetching.stub.fail("GET", fault[0], error(*fault).body, times=9)
    result = fetching.check()
    assert (result.step, sentence in result.message) == (step, True), result.message


def test_a_mailbox_for_which_the_account_may_not_act(fetching: Fetching) -> None:
    assert fetching.inbox.google
    fetching.inbox = replace(fetching.inbox, google=replace(fetching.inbox.google, user=OTHER))
    assert "Delegation denied for board@example.com" in fetching.check().message


@pytest.mark.req("VS-02")
def test_peek_shows_the_oldest_mails_and_changes_nothing(fetching: Fetching) -> None:
    fetching.stub.deliver(*MAILS)
    shown = fetching.source.peek(fetching.inbox, 2)
    assert [(each.raw, each.size) for each in shown] == [(each, len(each)) for each in MAILS[:2]]
    assert {each.method for each in fetching.stub.seen} == {"GET"}
