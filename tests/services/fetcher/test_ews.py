"""Mailboxes of Exchange by EWS, against a stub that answers in the documented shapes (no real one can be had)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.fetcher.ews import EwsMailbox
from shared.config.model import Inbox, OAuth
from shared.config.values import Secret
from shared.embedded.documents import EmbeddedDocuments
from shared.mail_network import ews_discovery
from shared.mail_network.connection import Step
from tests.servers.exchange import PASSWORD, SUPPORT, ExchangeStub
from tests.servers.tls import Certificate
from tests.services.fetcher.conftest import a_mail
from tests.services.fetcher.fetching import Fetching

MAILS = [a_mail(1), a_mail(2), a_mail(3)]


@pytest.fixture
def exchange(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> Iterator[ExchangeStub]:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.certificate))
    monkeypatch.setenv("EWS_PASSWORD", PASSWORD)
    with ExchangeStub(certificate) as running:
        yield running


def an_inbox(stub: ExchangeStub, **options: Any) -> Inbox:
    """The inbox of `SUPPORT` with a password."""
    stated = {"name": "support", "address": SUPPORT, "protocol": "ews", "auth": "basic", "ews_url": stub.ews_url}
    return Inbox(**(stated | {"username": SUPPORT, "password": Secret("${EWS_PASSWORD}")} | options))


@pytest.fixture
def fetching(exchange: ExchangeStub, tmp_path: Path) -> Iterator[Fetching]:
    documents = EmbeddedDocuments(tmp_path / "data")
    yield Fetching(exchange, documents, an_inbox(exchange), EwsMailbox)
    documents.close()


@pytest.mark.req("IV-02", "IV-03", "IV-04", "TI-01")
def test_mail_is_taken_oldest_first_and_moved_to_an_archive_folder_that_is_made(fetching: Fetching) -> None:
    fetching.stub.deliver(*MAILS)
    polled = fetching.poll()
    assert (polled.taken, polled.archived, polled.failures) == (3, 3, [])
    assert fetching.raw == MAILS
    assert sorted(fetching.stub.support.in_folder("Archive")) == MAILS
    assert fetching.stub.support.in_folder("Inbox") == []
    assert fetching.poll().taken == 0


def test_a_folder_of_many_pages_is_read_to_its_end(fetching: Fetching) -> None:
    mails = [a_mail(number) for number in range(230)]
    fetching.stub.deliver(*mails)
    assert [fetching.poll().taken for _ in range(4)] == [100, 100, 30, 0]
    assert fetching.raw == mails


@pytest.mark.req("IV-03")
def test_a_folder_is_named_by_its_path(fetching: Fetching) -> None:
    fetching.inbox = replace(fetching.inbox, archive_folder="INBOX/Done/2026 & more")
    fetching.stub.deliver(*MAILS)
    fetching.poll()
    assert sorted(fetching.stub.support.in_folder("2026 & more")) == MAILS
    fetching.inbox = replace(fetching.inbox, folder="Inbox/Done/2026 & more", archive_folder="Archive")
    assert fetching.poll().taken == 3


@pytest.mark.req("TI-08")
def test_mail_is_deleted_when_the_inbox_says_so(fetching: Fetching) -> None:
    fetching.inbox = replace(fetching.inbox, after="delete")
    fetching.stub.deliver(*MAILS)
    assert fetching.poll().archived == 3
    assert sorted(fetching.stub.support.in_folder("Deleted")) == MAILS


@pytest.mark.req("TI-08")
def test_mail_is_marked_as_read_and_never_taken_twice(fetching: Fetching) -> None:
    fetching.inbox = an_inbox(fetching.stub, after="mark_read")
    fetching.stub.deliver(a_mail(0), read=True)
    fetching.stub.deliver(*MAILS)
    assert (fetching.poll().taken, fetching.poll().taken) == (3, 0)
    assert fetching.raw == MAILS
    assert all(each.read for each in fetching.stub.support.items.values())


def test_one_bad_mail_delays_no_other(fetching: Fetching) -> None:
    ids = fetching.stub.deliver(*MAILS)
    fetching.stub.refuse("GetItem", "ErrorMimeContentConversionFailed", item=ids[0], times=9)
    fetching.stub.refuse("MoveItem", "ErrorMoveCopyFailed", item=ids[1], times=2)
    polled = fetching.poll()
    assert (polled.taken, fetching.raw) == (2, MAILS[1:])
    assert any("ErrorMimeContentConversionFailed" in each for each in polled.failures)
    assert any("ErrorMoveCopyFailed" in each for each in polled.failures)
    assert fetching.stub.support.in_folder("Archive") == [MAILS[2]]
    fetching.poll()
    assert sorted(fetching.stub.support.in_folder("Archive")) == MAILS[1:]


def test_a_mail_that_is_gone_is_skipped_and_one_that_is_too_large_is_put_away(fetching: Fetching) -> None:
    fetching.max_download = 1000
    large = a_mail(7) + b"x" * 3000
    ids = fetching.stub.deliver(MAILS[0], large, MAILS[2])
    fetching.stub.refuse("GetItem", "ErrorItemNotFound", item=ids[0])
    polled = fetching.poll()
    assert (polled.taken, polled.skipped, fetching.raw) == (1, 2, [MAILS[2]])
    assert large in fetching.stub.support.in_folder("Archive")


def test_a_busy_server_ends_the_visit_and_counts_as_no_refused_login(fetching: Fetching) -> None:
    fetching.stub.deliver(*MAILS)
    fetching.stub.fail("POST /EWS", 503, headers={"Retry-After": "12"})
    assert "is busy and asks to wait 12 seconds" in fetching.poll().failures[0]
    assert fetching.seconds_until_next == 12
    fetching.stub.refuse("FindItem", "ErrorServerBusy")
    assert "is busy" in fetching.poll().failures[0]
    assert fetching.source.states.get("support").auth_failures == 0
    assert fetching.poll().taken == 3


@pytest.mark.req("TI-01", "TI-02")
def test_an_application_logs_in_with_a_token_and_renews_one_that_is_refused(fetching: Fetching) -> None:
    oauth = OAuth("app-1", Secret("${EWS_PASSWORD}"), "tenant")
    fetching.inbox = an_inbox(fetching.stub, auth="oauth", oauth=oauth, password=None)
    fetching.stub.deliver(*MAILS)
    assert fetching.poll().taken == 3
    fetching.stub.valid.clear()
    fetching.stub.deliver(a_mail(4))
    assert (fetching.poll().taken, len(fetching.tokens.given)) == (1, 2)
    assert b"ExchangeImpersonation" in fetching.stub.requests("EWS")[0].body


@pytest.mark.req("TI-01")
@pytest.mark.parametrize("auth", ["ntlm", "auto"])
def test_ntlm_logs_in_and_refuses_a_wrong_password(
    auth: str, fetching: Fetching, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = tmp_path / "users"
    users.write_text(f":{SUPPORT}:{PASSWORD}\n")
    monkeypatch.setenv("NTLM_USER_FILE", str(users))
    fetching.stub.offered = "NTLM"
    fetching.inbox = an_inbox(fetching.stub, auth=auth)
    fetching.stub.deliver(*MAILS)
    assert fetching.poll().taken == 3
    monkeypatch.setenv("EWS_PASSWORD", "wrong")
    fetching.poll()
    assert fetching.source.states.get("support").auth_failures == 1


def test_auto_takes_the_method_that_the_server_offers(fetching: Fetching) -> None:
    fetching.inbox = an_inbox(fetching.stub, auth="auto")
    fetching.stub.deliver(*MAILS)
    assert fetching.poll().taken == 3
    fetching.stub.offered = "Digest"
    assert "the server offers no method that can be used here; it offers digest" in fetching.poll().failures[0]


# the connection test


@pytest.mark.req("IV-08")
def test_a_good_connection_says_that_the_archive_folder_will_be_made_and_makes_none(fetching: Fetching) -> None:
    result = fetching.check()
    assert result.ok, result.message
    assert "The archive folder 'Archive' does not exist yet and will be created." in result.message
    assert set(fetching.stub.operations) <= {"GetFolder", "FindFolder"}


@pytest.mark.req("IV-08")
@pytest.mark.parametrize(
    ("options", "step", "sentence"),
    [
        ({"folder": "Typo"}, Step.INBOX, "Inbox folder not found!"),
        ({"archive_folder": "Typo", "create_archive_folder": False}, Step.ARCHIVE, "Archive folder not found!"),
        ({"password": Secret("${WRONG_PASSWORD}")}, Step.LOGIN, "The server refused the login."),
        ({"ews_url": "http://localhost/EWS/Exchange.asmx"}, Step.TLS, "Use HTTPS instead of HTTP."),
        ({"ews_url": "https://typo.invalid/EWS/Exchange.asmx"}, Step.NAME, "could not be resolved: 'typo.invalid'"),
        ({"ews_url": "https://localhost:1/EWS/Exchange.asmx"}, Step.CONNECT, "The server could not be reached"),
        ({"ews_url": "https://bad_host_!/EWS/Exchange.asmx"}, Step.URL, "The host name could not be parsed."),
    ],
    ids=["inbox folder", "archive folder", "login", "http", "name", "connect", "url"],
)
def test_each_cause_has_its_sentence(
    options: dict[str, Any], step: Step, sentence: str, fetching: Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WRONG_PASSWORD", "wrong")
    fetching.inbox = replace(fetching.inbox, **options)
    result = fetching.check()
    assert (result.step, sentence in result.message) == (step, True), result.message


@pytest.mark.req("IV-08")
@pytest.mark.parametrize("code", ["ErrorAccessDenied", "ErrorNonExistentMailbox", "ErrorImpersonateUserDenied"])
def test_a_mailbox_that_may_not_be_used(code: str, fetching: Fetching) -> None:
    fetching.stub.refuse("GetFolder", code, times=9)
    result = fetching.check()
    assert (result.step, "access permission issue" in result.message) == (Step.INBOX, True), result.message


@pytest.mark.req("IV-08")
def test_a_certificate_that_nobody_signed_is_refused(fetching: Fetching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    assert fetching.check().step == Step.TLS
    fetching.inbox = replace(fetching.inbox, verify_certificate=False)
    assert fetching.check().ok


@pytest.mark.req("TI-04")
@pytest.mark.parametrize("auth", ["basic", "oauth"])
def test_the_address_of_ews_is_discovered(auth: str, fetching: Fetching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        ews_discovery,
        "ADDRESSES",
        ("https://localhost:1/autodiscover/autodiscover.xml", fetching.stub.url + "/autodiscover/autodiscover.xml"),
    )
    oauth = OAuth("app-1", Secret("${EWS_PASSWORD}"), "tenant") if auth == "oauth" else None
    fetching.inbox = an_inbox(fetching.stub, auth=auth, oauth=oauth, ews_url=None)
    fetching.stub.deliver(*MAILS)
    result = fetching.check()
    assert f"EWS was discovered at {fetching.stub.ews_url}." in result.message
    assert fetching.poll().taken == 3


@pytest.mark.req("TI-04")
def test_a_failed_discovery_says_so_and_names_the_remedy(fetching: Fetching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ews_discovery, "ADDRESSES", (fetching.stub.url + "/autodiscover/autodiscover.xml",))
    fetching.stub.discovered = None
    fetching.inbox = an_inbox(fetching.stub, ews_url=None)
    result = fetching.check()
    assert not result.ok
    assert f"Exchange could not be discovered for {SUPPORT}" in result.detail
    assert "write ews_url: https://server/EWS/Exchange.asmx" in result.detail


@pytest.mark.req("VS-02")
def test_peek_shows_the_oldest_mails_and_changes_nothing(fetching: Fetching) -> None:
    fetching.stub.deliver(*MAILS)
    shown = fetching.source.peek(fetching.inbox, 2)
    assert [(each.raw, each.size) for each in shown] == [(each, len(each)) for each in MAILS[:2]]
    assert set(fetching.stub.operations) == {"GetFolder", "FindItem", "GetItem"}


def test_the_library_logs_no_mail(fetching: Fetching, caplog: pytest.LogCaptureFixture) -> None:
    fetching.stub.deliver(a_mail(1))
    fetching.stub.fail("POST /EWS", 500, b"not xml", times=2)
    fetching.poll()
    assert not [each for each in caplog.records if each.name.startswith("exchangelib")]
