"""Mailboxes on a real Cyrus: fetched, archived, deleted, marked, and each documented sentence of a connection test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.embedded.documents import EmbeddedDocuments
from shared.mail_network.connection import Step
from tests.servers.cyrus import PASSWORD, Cyrus
from tests.services.fetcher.conftest import GOOD, Desk, an_inbox, poll

LOGINS = ("regular", "plain", "login", "cram-md5", "auto")


@pytest.fixture(scope="module")
def running() -> Iterator[Cyrus]:
    with Cyrus() as server:
        yield server


@pytest.fixture
def cyrus(running: Cyrus, monkeypatch: pytest.MonkeyPatch) -> Cyrus:
    running.revive()
    running.clear("bob")
    monkeypatch.setenv("SSL_CERT_FILE", str(running.certificate.certificate))
    monkeypatch.setenv("BOB_PASSWORD", PASSWORD)
    return running


def desk_on(cyrus: Cyrus, documents: EmbeddedDocuments, **keys: object) -> Desk:
    """A desk that reads bob's mailbox over TLS, but for what a test says."""
    given: dict[str, object] = {"tls": "implicit", "port": cyrus.tls_port, "auth": "auto", **keys}
    port = given.pop("port")
    assert isinstance(port, int)
    return Desk(documents, an_inbox(port, **given))


@pytest.mark.req("IV-03", "IV-04", "VF-01")
@pytest.mark.parametrize("after", ["archive", "delete", "mark_read"])
@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_mail_is_taken_once_and_put_away(cyrus: Cyrus, documents: EmbeddedDocuments, after: str, tls: str) -> None:
    cyrus.deliver("bob", *GOOD)
    port = cyrus.tls_port if tls == "implicit" else cyrus.port
    desk = desk_on(cyrus, documents, after=after, archive_folder="Done/Mail 2026 ü", tls=tls, port=port)
    for taken in (len(GOOD), 0):
        polled = poll(desk)
        assert (polled.taken, polled.failures) == (taken, [])
    assert desk.raw == GOOD
    assert len(cyrus.mails("bob")) == (len(GOOD) if after == "mark_read" else 0)
    assert cyrus.mails("bob", criteria="UNSEEN") == []
    assert cyrus.mails("bob", "Done/Mail 2026 &APw-") == (GOOD if after == "archive" else [])


@pytest.mark.parametrize("auth", LOGINS)
def test_each_login_that_it_offers_works(cyrus: Cyrus, documents: EmbeddedDocuments, auth: str) -> None:
    desk = desk_on(cyrus, documents, auth=auth)
    assert desk.source.check(desk.inbox).ok


@pytest.mark.req("IV-08")
@pytest.mark.parametrize(
    ("keys", "step", "sentence"),
    [
        ({}, Step.DONE, "The connection works. The archive folder 'Archive' does not exist yet and will be created."),
        ({"username": "nobody"}, Step.LOGIN, "The credentials (user name or password) are invalid."),
        ({"host": "mail.invalid"}, Step.NAME, "The remote name could not be resolved: 'mail.invalid'."),
        ({"host": "127.0.0.2"}, Step.CONNECT, "The server could not be reached"),
        ({"folder": "Nothing"}, Step.INBOX, "Inbox folder not found! The name of the inbox folder is invalid."),
        ({"create_archive_folder": False}, Step.ARCHIVE, "Archive folder not found!"),
    ],
    ids=["all is well", "wrong user", "wrong name", "wrong host", "missing folder", "missing archive folder"],
)
def test_each_cause_has_its_sentence(
    cyrus: Cyrus, documents: EmbeddedDocuments, keys: dict[str, object], step: Step, sentence: str
) -> None:
    desk = desk_on(cyrus, documents, **keys)
    result = desk.source.check(desk.inbox)
    assert (result.step, sentence in result.message) == (step, True), result.message
    kept = desk.source.states.get("support").test
    assert kept is not None
    assert (kept.step, kept.message) == (step, result.message)


@pytest.mark.req("IV-08")
def test_a_wrong_password_and_an_untrusted_certificate_have_theirs(
    cyrus: Cyrus, documents: EmbeddedDocuments, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = desk_on(cyrus, documents)
    monkeypatch.setenv("BOB_PASSWORD", "wrong")
    assert desk.source.check(desk.inbox).step is Step.LOGIN
    monkeypatch.delenv("SSL_CERT_FILE")
    untrusted = desk.source.check(desk.inbox)
    assert untrusted.step is Step.TLS
    assert "No secure connection could be made: the certificate of localhost" in untrusted.message
