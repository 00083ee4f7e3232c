"""Mailboxes on a real Courier, which has no MOVE, keeps all folders below `INBOX.`, and stores mail as Maildir."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shared.config.model import Settings
from shared.embedded.documents import EmbeddedDocuments
from shared.mail_network.connection import Step
from tests.servers.courier import PASSWORD, Courier
from tests.services.fetcher.conftest import GOOD, Desk, an_inbox, poll

LOGINS = ("regular", "plain", "login", "auto")
WRONG = (
    "The request failed. The server refused the login. The credentials (user name or password) are invalid."
    " Verify the credentials."
)


@pytest.fixture(scope="module")
def running() -> Iterator[Courier]:
    with Courier() as server:
        yield server


@pytest.fixture
def courier(running: Courier, monkeypatch: pytest.MonkeyPatch) -> Courier:
    running.clear()
    monkeypatch.setenv("BOB_PASSWORD", PASSWORD)
    return running


def desk_on(courier: Courier, documents: EmbeddedDocuments, **keys: object) -> Desk:
    """A desk that reads bob's mailbox, but for what a test says."""
    return Desk(documents, an_inbox(courier.port, **keys))


@pytest.mark.req("IV-03", "IV-04", "VF-01")
@pytest.mark.parametrize("after", ["archive", "delete", "mark_read"])
def test_mail_is_taken_once_and_put_away(courier: Courier, documents: EmbeddedDocuments, after: str) -> None:
    courier.deliver(*GOOD)
    desk = desk_on(courier, documents, after=after)
    for taken in (len(GOOD), 0):
        polled = poll(desk)
        assert (polled.taken, polled.failures) == (taken, [])
    assert desk.raw == GOOD
    assert len(courier.mails()) == (len(GOOD) if after == "mark_read" else 0)
    assert courier.mails(unread=True) == []
    assert courier.mails(".Archive") == (GOOD if after == "archive" else [])


@pytest.mark.req("IV-03")
def test_mail_that_another_client_flagged_as_deleted_is_not_expunged(
    courier: Courier, documents: EmbeddedDocuments
) -> None:
    courier.deliver(*GOOD)
    with courier.client() as client:
        client.select("INBOX")
        client.store("2", "+FLAGS", r"(\Deleted)")
        assert poll(desk_on(courier, documents)).taken == len(GOOD) - 1
        client.noop()  # closing the folder would expunge it
        assert courier.mails() == [GOOD[1]]


@pytest.mark.req("IV-03", "IV-09")
@pytest.mark.parametrize(
    ("name", "on_disk"),
    [
        ("Done/Mail 2026 ü", ".Done.Mail 2026 ü"),
        ("INBOX.Old", ".Old"),
        ("Been & gone", ".Been & gone"),
        ("日本", ".日本"),
        ('"quoted"', '."quoted"'),
    ],
    ids=["below another", "as the server names it", "ampersand", "Japanese", "quotation marks"],
)
def test_an_archive_folder_may_have_an_odd_name(
    courier: Courier, documents: EmbeddedDocuments, name: str, on_disk: str
) -> None:
    for count in (1, 2):  # created, then found
        courier.deliver(GOOD[0])
        assert poll(desk_on(courier, documents, archive_folder=name)).failures == []
        assert len(courier.mails(on_disk)) == count
    assert courier.mails() == []


@pytest.mark.req("IV-01", "IV-03")
@pytest.mark.parametrize("name", ["INBOX.Team.Box ü", "inbox"])
def test_a_folder_other_than_the_inbox_is_read(courier: Courier, documents: EmbeddedDocuments, name: str) -> None:
    if name != "inbox":
        with courier.client() as client:
            client.create('"INBOX.Team.Box &APw-"')
    courier.deliver(*GOOD, folder="" if name == "inbox" else ".Team.Box ü")
    desk = desk_on(courier, documents, folder=name)
    assert poll(desk).failures == []
    assert desk.raw == GOOD


@pytest.mark.parametrize("auth", LOGINS)
def test_each_login_that_it_offers_works(courier: Courier, documents: EmbeddedDocuments, auth: str) -> None:
    desk = desk_on(courier, documents, auth=auth)
    desk.settings = Settings(allow_cleartext_auth=auth == "auto")
    assert desk.source.check(desk.inbox).message == (
        "The connection works. The archive folder 'Archive' does not exist yet and will be created."
    )


@pytest.mark.req("IV-08")
@pytest.mark.parametrize(
    ("keys", "step", "sentence"),
    [
        ({"folder": "Nothing"}, Step.INBOX, "Inbox folder not found! The name of the inbox folder is invalid."),
        ({"create_archive_folder": False}, Step.ARCHIVE, "Archive folder not found!"),
        ({"tls": "starttls"}, Step.TLS, "No secure connection could be made"),
    ],
    ids=["missing folder", "missing archive folder", "no TLS"],
)
def test_each_cause_has_its_sentence(
    courier: Courier, documents: EmbeddedDocuments, keys: dict[str, object], step: Step, sentence: str
) -> None:
    desk = desk_on(courier, documents, **keys)
    result = desk.source.check(desk.inbox)
    assert (result.step, sentence in result.message) == (step, True), result.message


@pytest.mark.req("IV-08")
def test_a_wrong_password_is_named(
    courier: Courier, documents: EmbeddedDocuments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOB_PASSWORD", "wrong")
    desk = desk_on(courier, documents)
    result = desk.source.check(desk.inbox)
    assert (result.step, result.message) == (Step.LOGIN, WRONG)
