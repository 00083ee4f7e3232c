"""Mailboxes of Microsoft 365 by Graph, against a stub that answers in the documented shapes (no other can be had)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from services.fetcher.graph import GraphMailbox
from services.fetcher.mailbox import InboxAccess
from shared.config.model import Inbox, OAuth
from shared.config.values import Secret
from shared.contracts.errors import PostroomError
from shared.embedded.documents import EmbeddedDocuments
from shared.mail_network.connection import AuthenticationRefused, Step
from shared.mail_network.sasl import Credentials
from tests.servers.microsoft import CLIENT, OTHER, PAGE, SUPPORT, TENANT, MicrosoftStub, error, throttled
from tests.servers.presence import PATIENCE_SECONDS
from tests.servers.tls import Certificate
from tests.services.fetcher.conftest import a_mail
from tests.services.fetcher.fetching import Fetching


@pytest.fixture
def graph(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> Iterator[MicrosoftStub]:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.certificate))
    with MicrosoftStub(certificate) as running:
        yield running


def an_inbox(stub: MicrosoftStub, **options: Any) -> Inbox:
    """The inbox of `SUPPORT`."""
    oauth = OAuth(CLIENT, Secret("${GRAPH_SECRET}"), TENANT, authority=stub.url, endpoint=stub.url)
    return Inbox(**({"name": "support", "address": SUPPORT, "protocol": "graph", "oauth": oauth} | options))


@pytest.fixture
def fetching(graph: MicrosoftStub, tmp_path: Path) -> Iterator[Fetching]:
    documents = EmbeddedDocuments(tmp_path / "data")
    yield Fetching(graph, documents, an_inbox(graph), GraphMailbox)
    documents.close()


MAILS = [a_mail(1), a_mail(2), a_mail(3)]


# taking and putting away


@pytest.mark.req("TI-01", "IV-04")
def test_mail_is_taken_oldest_first_and_moved_to_an_archive_folder_that_is_made(fetching: Fetching) -> None:
    fetching.stub.deliver(*MAILS)
    polled = fetching.poll()
    assert (polled.taken, polled.archived, polled.failures) == (3, 3, [])
    assert fetching.raw == MAILS
    assert fetching.stub.support.in_folder("Archive") == MAILS
    assert fetching.stub.support.in_folder("Inbox") == []


def test_the_next_visit_finds_nothing(fetching: Fetching) -> None:
    fetching.stub.deliver(*MAILS)
    fetching.poll()
    assert (fetching.poll().taken, len(fetching.raw)) == (0, 3)


def test_every_request_asks_for_immutable_ids(fetching: Fetching) -> None:
    fetching.stub.deliver(*MAILS)
    fetching.poll()
    asked = fetching.stub.requests("/v1.0/")
    assert {each.headers.get("prefer") for each in asked} == {'IdType="ImmutableId"'}


def test_a_mail_that_was_taken_but_not_moved_is_only_moved_later(fetching: Fetching) -> None:
    fetching.stub.deliver(*MAILS)
    fetching.stub.fail("POST .*/move", body=error(500, "ErrorInternalServerError").body)
    first = fetching.poll()
    assert first.taken == 3
    assert "cannot archive" in first.failures[0]
    assert len(fetching.stub.support.in_folder("Archive")) == 2  # it holds up no other
    assert fetching.poll().taken == 0
    assert sorted(fetching.stub.support.in_folder("Archive")) == MAILS
    assert len(fetching.raw) == 3


def test_mails_whose_ids_differ_by_case_only_are_different_mails(fetching: Fetching) -> None:
    ids = fetching.stub.deliver(*MAILS)
    assert len({each.lower() for each in ids}) == 1
    assert fetching.poll().taken == 3


def test_a_folder_of_many_pages_is_read_to_its_end(fetching: Fetching) -> None:
    mails = [a_mail(number) for number in range(PAGE * 3 + 4)]
    fetching.stub.deliver(*mails)
    assert fetching.poll().taken == len(mails)
    assert fetching.raw == mails


@pytest.mark.req("TI-08")
def test_mail_is_deleted_when_the_inbox_says_so(fetching: Fetching) -> None:
    fetching.inbox = replace(fetching.inbox, after="delete")
    fetching.stub.deliver(*MAILS)
    assert fetching.poll().archived == 3
    assert fetching.stub.support.in_folder("Deleted Items") == MAILS
    assert not fetching.stub.requests("POST .*/mailFolders")


@pytest.mark.req("TI-08")
def test_mail_is_marked_as_read_and_never_taken_twice(fetching: Fetching) -> None:
    fetching.inbox = an_inbox(fetching.stub, after="mark_read")
    fetching.stub.deliver(a_mail(0), read=True)
    fetching.stub.deliver(*MAILS)
    assert (fetching.poll().taken, fetching.poll().taken) == (3, 0)
    assert fetching.raw == MAILS
    assert all(each.read for each in fetching.stub.support.messages.values())
    assert len(fetching.stub.support.in_folder("Inbox")) == 4


def test_mail_left_in_place_is_not_taken_again_when_a_person_marks_it_as_unread(fetching: Fetching) -> None:
    fetching.inbox = an_inbox(fetching.stub, after="mark_read")
    ids = fetching.stub.deliver(*MAILS)
    fetching.poll()
    fetching.stub.support.messages[ids[0]].read = False
    assert (fetching.poll().taken, len(fetching.raw)) == (0, 3)


# folders


@pytest.mark.req("IV-03")
@pytest.mark.parametrize("named", ["Inbox/Team/2026", "INBOX/team/2026", "id"])
def test_a_folder_is_named_by_its_path_or_its_id(named: str, fetching: Fetching) -> None:
    account = fetching.stub.support
    _add_folders(account, "Inbox", "Team", "2026")
    folder = next(each.id for each in account.folders.values() if each.name == "2026")
    fetching.inbox = replace(fetching.inbox, folder=folder if named == "id" else named)
    fetching.stub.deliver(*MAILS, folder="2026")
    fetching.stub.deliver(a_mail(9))
    assert fetching.poll().taken == 3
    assert fetching.raw == MAILS


@pytest.mark.req("IV-03")
def test_a_well_known_folder_is_found_whatever_its_name_in_the_mailbox(fetching: Fetching) -> None:
    account = fetching.stub.support
    _add_folders(account, "Archiv")
    next(each for each in account.folders.values() if each.name == "Archiv").well_known = "archive"
    fetching.stub.deliver(*MAILS)
    fetching.poll()
    assert account.in_folder("Archiv") == MAILS
    assert "Archive" not in {each.name for each in account.folders.values()}


@pytest.mark.req("IV-03")
def test_an_archive_below_other_folders_is_made_with_them(fetching: Fetching) -> None:
    fetching.inbox = replace(fetching.inbox, archive_folder="Inbox/Done/Süd's Ablage")
    fetching.stub.deliver(*MAILS)
    assert fetching.poll().archived == 3
    assert fetching.stub.support.in_folder("Süd's Ablage") == MAILS


def test_two_fetchers_that_make_the_archive_folder_at_once_use_the_same(fetching: Fetching) -> None:
    fetching.stub.deliver(*MAILS)
    made: list[object] = []

    def meanwhile(request: Any) -> None:
        if request.method == "POST" and request.path.endswith("/mailFolders") and not made:
            made.append(request)
            _add_folders(fetching.stub.support, "Archive")

    fetching.stub.gate = meanwhile
    assert fetching.poll().archived == 3
    assert fetching.stub.support.in_folder("Archive") == MAILS


@pytest.mark.req("IV-03")
def test_without_leave_to_make_it_a_missing_archive_folder_is_named_and_mail_is_still_taken(fetching: Fetching) -> None:
    fetching.inbox = replace(fetching.inbox, create_archive_folder=False)
    fetching.stub.deliver(*MAILS)
    polled = fetching.poll()
    assert (polled.taken, polled.archived) == (3, 0)
    assert "there is no folder Archive" in polled.failures[0]
    assert "Deleted Items" in polled.failures[0]
    assert (fetching.poll().taken, len(fetching.raw)) == (0, 3)


def _add_folders(account: Any, *path: str) -> None:
    from tests.servers.microsoft import Folder

    parent = None
    for name in path:
        found = next((each for each in account.folders.values() if (each.name, each.parent) == (name, parent)), None)
        if found is None:
            found = Folder(f"made-{name}-{'m' * 60}", name, parent)
            account.folders[found.id] = found
        parent = found.id


# one bad mail


def test_a_mail_that_cannot_be_converted_delays_no_other(fetching: Fetching) -> None:
    ids = fetching.stub.deliver(*MAILS)
    broken = error(500, "ErrorMimeContentConversionFailed", "The MIME content conversion failed.")
    fetching.stub.fail(f"GET .*{ids[1][-13:-1]}.*value", 500, broken.body, times=9)
    polled = fetching.poll()
    assert polled.taken == 2
    assert fetching.raw == [MAILS[0], MAILS[2]]
    assert "ErrorMimeContentConversionFailed" in polled.failures[0]


def test_a_mail_that_may_not_be_read_delays_no_other(fetching: Fetching) -> None:
    ids = fetching.stub.deliver(*MAILS)
    fetching.stub.fail(f"GET .*{ids[0][-13:-1]}.*value", 403, error(403, "ErrorAccessDenied").body, times=9)
    assert fetching.poll().taken == 2


def test_a_mail_that_somebody_deletes_meanwhile_is_skipped(fetching: Fetching) -> None:
    ids = fetching.stub.deliver(*MAILS)

    def meanwhile(request: Any) -> None:
        if request.path.endswith("$value"):
            fetching.stub.support.messages.pop(ids[2], None)

    fetching.stub.gate = meanwhile
    polled = fetching.poll()
    assert (polled.taken, polled.skipped, polled.failures) == (2, 1, [])


def test_a_download_that_breaks_is_tried_again_at_the_next_visit(fetching: Fetching) -> None:
    ids = fetching.stub.deliver(*MAILS)
    fetching.stub.fail(f"GET .*{ids[0][-13:-1]}.*value", 200, MAILS[0], cut=10)
    assert fetching.poll().taken == 2
    assert fetching.poll().taken == 1
    assert sorted(fetching.raw) == MAILS


def test_a_mail_that_is_too_large_is_put_away_without_being_downloaded_whole(fetching: Fetching) -> None:
    fetching.max_download = 1000
    large = a_mail(7) + b"x" * 300_000
    fetching.stub.deliver(MAILS[0], large, MAILS[2])
    polled = fetching.poll()
    assert (polled.taken, polled.skipped) == (2, 1)
    assert large in fetching.stub.support.in_folder("Archive")


# limits and failures of the server


@pytest.mark.parametrize("status", [429, 503])
def test_a_limit_ends_the_visit_and_the_next_one_waits_as_long_as_the_server_asks(
    status: int, fetching: Fetching
) -> None:
    fetching.stub.deliver(*MAILS)
    limit = throttled("17", status)
    fetching.stub.fail("GET .*value", status, limit.body, headers=limit.headers)
    polled = fetching.poll()
    assert "asks to wait 17 seconds" in polled.failures[0]
    assert fetching.seconds_until_next == 17
    assert fetching.source.states.get("support").auth_failures == 0
    assert fetching.poll().taken == 3


def test_a_limit_without_a_wait_makes_the_waits_longer_up_to_a_quarter_of_an_hour(fetching: Fetching) -> None:
    limit = throttled()
    fetching.stub.fail("GET .*messages", 429, limit.body, times=9)
    waits = []
    for _ in range(6):
        fetching.poll()
        waits.append(fetching.seconds_until_next)
    assert waits == [60, 120, 240, 480, 900, 900]


def test_a_limit_in_the_middle_keeps_what_was_taken(fetching: Fetching) -> None:
    ids = fetching.stub.deliver(*MAILS)
    limit = throttled("5")
    fetching.stub.fail(f"GET .*{ids[2][-13:-1]}.*value", 429, limit.body, headers=limit.headers)
    fetching.poll()
    assert fetching.raw == MAILS[:2]
    assert fetching.poll().taken == 1
    assert fetching.raw == MAILS
    assert fetching.stub.support.in_folder("Archive") == MAILS


def test_one_mailbox_gets_four_requests_at_once_at_most(fetching: Fetching) -> None:
    fetching.stub.deliver(*MAILS)
    many = threading.Barrier(4)

    def hold(request: Any) -> None:
        if request.path.endswith("/messages"):
            many.wait(PATIENCE_SECONDS)  # four are let in together, and the fifth only after one of them

    fetching.stub.gate = hold
    threads = [threading.Thread(target=fetching.check) for _ in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join(PATIENCE_SECONDS)
    assert fetching.stub.most_at_once == 4


def test_a_page_that_expired_begins_the_list_anew(fetching: Fetching) -> None:
    mails = [a_mail(number) for number in range(PAGE * 2)]
    fetching.stub.deliver(*mails)
    lists = []

    def expire_second_page(request: Any) -> None:
        if request.path.endswith("/messages"):
            lists.append(request.query.get("$skip"))
            if len(lists) == 2:
                fetching.stub.fail("GET .*messages$", 410, error(410, "SyncStateNotFound").body)

    fetching.stub.gate = expire_second_page
    assert fetching.poll().taken == len(mails)
    assert lists == [None, str(PAGE), None, str(PAGE)]


def test_an_expired_token_is_renewed_once_and_nothing_fails(fetching: Fetching) -> None:
    fetching.stub.deliver(*MAILS)
    fetching.poll()
    fetching.stub.revoke_tokens()
    fetching.stub.deliver(a_mail(4))
    assert (fetching.poll().taken, len(fetching.tokens.given)) == (1, 2)


def test_a_token_that_is_refused_twice_counts_as_a_refused_login(fetching: Fetching) -> None:
    body = error(401, "InvalidAuthenticationToken", "Access token validation failure.").body
    fetching.stub.fail("GET", 401, body, times=6)
    for _ in range(3):
        fetching.poll()
    assert len(fetching.stub.requests("GET")) == 6
    stop = fetching.source.states.get("support").stop
    assert stop is not None
    assert "InvalidAuthenticationToken" in stop.reason


def test_a_server_that_sends_a_byte_now_and_then_fails_in_time(fetching: Fetching) -> None:
    fetching.patience = timedelta(milliseconds=300)
    fetching.stub.deliver(*MAILS)
    stop = threading.Event()
    fetching.stub.gate = lambda request: (
        stop.wait(PATIENCE_SECONDS) and None if request.path.endswith("/messages") else None
    )
    polled = fetching.poll()
    stop.set()
    assert "no answer in time" in polled.failures[0]


def test_the_proxy_page_of_another_server_is_no_answer(fetching: Fetching) -> None:
    fetching.stub.fail("GET", 502, b"<html>Bad gateway</html>", times=3)
    assert "status 502" in fetching.poll().failures[0]


# the connection test


@pytest.mark.req("IV-08", "TI-02")
def test_a_good_connection_says_that_the_archive_folder_will_be_made_and_makes_none(fetching: Fetching) -> None:
    result = fetching.check()
    assert (result.ok, result.step) == (True, Step.DONE)
    assert "The archive folder 'Archive' does not exist yet and will be created." in result.message
    assert {each.method for each in fetching.stub.requests("/v1.0/")} == {"GET"}


@pytest.mark.req("IV-08")
@pytest.mark.parametrize(
    ("options", "faults", "step", "sentence"),
    [
        ({"folder": "Typo"}, (), Step.INBOX, "Inbox folder not found!"),
        (
            {"archive_folder": "Typo", "create_archive_folder": False},
            (),
            Step.ARCHIVE,
            "Archive folder not found! The name of the archive folder is invalid.",
        ),
        ({"username": OTHER}, (), Step.INBOX, "there may be an access permission issue"),
        ({"username": "nobody@example.com"}, (), Step.INBOX, "there is no mailbox nobody@example.com"),
        ({}, [("GET", 401, "InvalidAuthenticationToken")], Step.LOGIN, "The server refused the login."),
        ({}, [("GET", 429, "ApplicationThrottled")], Step.CONNECT, "The server limits requests"),
        ({}, [("GET", 500, "ErrorInternalServerError")], Step.CONNECT, "The server could not be reached"),
        ({}, [("GET .*messages", 403, "ErrorAccessDenied")], Step.INBOX, "there may be an access permission issue"),
        ({}, [("GET", 404, "MailboxNotEnabledForRESTAPI")], Step.INBOX, "there is no mailbox"),
    ],
    ids=[
        "inbox folder",
        "archive folder",
        "no right",
        "no mailbox",
        "login",
        "limit",
        "server",
        "right to the folder only",
        "mailbox on premises",
    ],
)
def test_each_cause_has_its_sentence(
    options: dict[str, Any], faults: list[tuple[str, int, str]], step: Step, sentence: str, fetching: Fetching
) -> None:
    fetching.inbox = replace(fetching.inbox, **options)
    for pattern, status, code in faults:
        fetching.stub.fail(pattern, status, error(status, code).body, times=9)
    result = fetching.check()
    assert (result.ok, result.step) == (False, step)
    assert sentence in result.message


@pytest.mark.req("IV-08")
@pytest.mark.parametrize(
    ("endpoint", "step", "sentence"),
    [
        ("http://localhost:1", Step.TLS, "Use HTTPS instead of HTTP."),
        ("https://typo.invalid", Step.NAME, "The remote name could not be resolved: 'typo.invalid'."),
        ("https://bad host", Step.URL, "The host name could not be parsed."),
        ("https://localhost:1", Step.CONNECT, "The server could not be reached"),
    ],
)
def test_a_wrong_endpoint_has_its_sentence(endpoint: str, step: Step, sentence: str, fetching: Fetching) -> None:
    assert fetching.inbox.oauth
    fetching.inbox = replace(fetching.inbox, oauth=replace(fetching.inbox.oauth, endpoint=endpoint))
    result = fetching.check()
    assert (result.step, sentence in result.message) == (step, True), result.message


@pytest.mark.req("IV-08")
def test_a_certificate_that_nobody_signed_is_refused(fetching: Fetching, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    result = fetching.check()
    assert (result.step, "No secure connection could be made" in result.message) == (Step.TLS, True)
    fetching.inbox = replace(fetching.inbox, verify_certificate=False)
    assert fetching.check().ok


@pytest.mark.req("IV-08")
def test_the_right_to_see_mails_is_not_that_to_read_them(fetching: Fetching) -> None:
    fetching.stub.deliver(*MAILS)
    fetching.stub.fail("GET .*value", 403, error(403, "ErrorAccessDenied").body)
    result = fetching.check()
    assert (result.step, "access permission issue" in result.message) == (Step.INBOX, True)
    assert fetching.check().ok


def test_a_login_that_fails_is_reported_in_its_own_words(fetching: Fetching) -> None:
    fetching.tokens.error = AuthenticationRefused("AADSTS7000215: Invalid client secret provided.")
    result = fetching.check()
    assert (result.step, result.detail) == (Step.LOGIN, "AADSTS7000215: Invalid client secret provided.")


# looking


@pytest.mark.req("VS-02")
def test_peek_shows_the_oldest_mails_and_changes_nothing(fetching: Fetching) -> None:
    large = a_mail(8) + b"x" * 200_000
    fetching.stub.deliver(MAILS[0], large, MAILS[2])
    shown = fetching.source.peek(fetching.inbox, 2)
    assert [each.size for each in shown] == [len(MAILS[0]), None]
    assert shown[0].raw == MAILS[0]
    assert len(shown[1].raw) == 64 << 10
    assert {each.method for each in fetching.stub.requests("/v1.0/")} == {"GET"}
    assert fetching.poll().taken == 3


@pytest.mark.req("TI-02")
def test_a_shared_mailbox_is_named_by_the_user_id(fetching: Fetching) -> None:
    assert fetching.inbox.oauth
    fetching.inbox = replace(
        fetching.inbox, address="helpdesk@example.com", oauth=replace(fetching.inbox.oauth, user_id=SUPPORT)
    )
    fetching.stub.deliver(*MAILS)
    assert fetching.poll().taken == 3


def test_a_mailbox_closes_what_is_open_when_the_fetcher_stops(fetching: Fetching) -> None:
    box = GraphMailbox(InboxAccess(fetching.inbox, Credentials(SUPPORT, None, fetching.tokens)))
    reached, stop = threading.Event(), threading.Event()

    def hold(request: Any) -> None:
        if request.path.endswith("/messages"):
            reached.set()
            stop.wait(PATIENCE_SECONDS)

    fetching.stub.gate = hold
    failed: list[PostroomError] = []

    def look() -> None:
        try:
            with box:
                box.waiting(lambda _: {}, 10)
        except PostroomError as error:
            failed.append(error)

    thread = threading.Thread(target=look)
    thread.start()
    assert reached.wait(PATIENCE_SECONDS)
    box.hang_up()
    thread.join(PATIENCE_SECONDS)
    stop.set()
    assert failed
