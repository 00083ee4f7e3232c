"""The fetcher on a real IMAP server: what is taken, what is left, what is put where."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from services.fetcher import mailbox, visit
from services.fetcher.visit import FetchedMail, Polled
from shared.config.model import AuthFailureTicket, Settings
from shared.config.values import Secret
from shared.contracts.errors import Unavailable
from shared.embedded.documents import EmbeddedDocuments
from shared.mail_network import connection
from shared.mail_network.connection import Step
from shared.store.ledger import LedgerEntries, LedgerEntry
from tests.servers.dovecot import Dovecot
from tests.servers.fake_imap import FakeImap
from tests.servers.presence import PATIENCE_SECONDS, closed_port
from tests.services.fetcher.conftest import GOOD, Desk, a_mail, an_inbox, poll


@pytest.fixture
def desk(dovecot: Dovecot, documents: EmbeddedDocuments) -> Desk:
    return Desk(documents, an_inbox(dovecot.port))


@pytest.mark.req("IV-04", "VF-01")
def test_taken_mail_moves_to_the_archive_and_is_never_taken_again(desk: Desk, dovecot: Dovecot) -> None:
    mails = [a_mail(1), a_mail(2)]
    dovecot.deliver("bob", *mails)
    assert poll(desk) == Polled("support", taken=2, archived=2)
    assert poll(desk) == Polled("support")
    assert (desk.raw, dovecot.mails("bob"), dovecot.mails("bob", "Archive")) == (mails, [], mails)


@pytest.mark.parametrize(("seconds", "moves"), [(1000.0, 1), (0.0, 3)], ids=["quick server", "slow server"])
def test_taken_mails_leave_the_folder_together_or_when_they_have_waited(
    documents: EmbeddedDocuments, monkeypatch: pytest.MonkeyPatch, seconds: float, moves: int
) -> None:
    """A server may need seconds for a MOVE from a folder of thousands, of however few mails."""
    monkeypatch.setenv("BOB_PASSWORD", "secret")
    monkeypatch.setattr(visit, "PUT_AWAY_SECONDS", seconds)
    with FakeImap(*map(a_mail, range(50))) as server:
        desk = Desk(documents, an_inbox(server.port))
        assert poll(desk) == Polled("support", taken=50, archived=50)
        made = [command for command in server.commands if command.startswith(b"UID MOVE")]
    assert (len(made), len(server.archived)) == (moves, 50)
    assert made[0].split()[2] == (b"1:50" if moves == 1 else b"1:20")


def test_what_was_taken_is_archived_though_the_hand_over_of_later_mails_fails(
    documents: EmbeddedDocuments, server: FakeImap, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(visit, "BATCH_MAILS", 2)
    desk = Desk(documents, an_inbox(server.port))
    hand_over = desk._hand_over
    calls = count(1)

    def once(arrivals: Sequence[FetchedMail]) -> None:
        if next(calls) > 1:
            raise Unavailable("the broker does not answer")
        hand_over(arrivals)

    monkeypatch.setattr(desk, "_hand_over", once)
    desk.source = desk.another()
    assert poll(desk).failures == ["the broker does not answer"]
    assert (desk.raw, server.archived, list(server.mails)) == (GOOD[:2], GOOD[:2], [3])


@pytest.mark.req("TI-08")
@pytest.mark.parametrize(("after", "left_unread", "left"), [("archive", 0, 0), ("delete", 0, 0), ("mark_read", 0, 2)])
def test_what_happens_to_taken_mail(desk: Desk, dovecot: Dovecot, after: str, left_unread: int, left: int) -> None:
    desk.inbox = an_inbox(dovecot.port, after=after)
    dovecot.deliver("bob", a_mail(1), a_mail(2))
    assert [poll(desk).taken, poll(desk).taken] == [2, 0]
    assert len(dovecot.mails("bob", criteria="UNSEEN")) == left_unread
    assert len(dovecot.mails("bob")) == left


@pytest.mark.req("TI-08")
def test_mail_that_somebody_has_read_is_taken_too(desk: Desk, dovecot: Dovecot) -> None:
    dovecot.deliver("bob", a_mail(1), flags=r"(\Seen)")
    assert poll(desk).taken == 1


@pytest.mark.parametrize("options", [{"after": "mark_read"}, {"take": "unseen"}])
def test_only_unread_mail_is_taken_when_the_inbox_says_so(
    desk: Desk, dovecot: Dovecot, options: dict[str, str]
) -> None:
    desk.inbox = an_inbox(dovecot.port, **options)
    dovecot.deliver("bob", a_mail(1), flags=r"(\Seen)")
    dovecot.deliver("bob", a_mail(2))
    poll(desk)
    assert desk.raw == [a_mail(2)]


def test_mail_left_in_place_stays_when_the_inbox_deletes_later(desk: Desk, dovecot: Dovecot) -> None:
    desk.inbox = an_inbox(dovecot.port, after="mark_read")
    dovecot.deliver("bob", a_mail(1))
    poll(desk)
    desk.inbox = an_inbox(dovecot.port, after="delete")
    poll(desk)
    assert (dovecot.mails("bob"), len(desk.raw)) == ([a_mail(1)], 1)


def test_fetching_leaves_mail_unread_until_it_is_stored(desk: Desk, dovecot: Dovecot) -> None:
    dovecot.deliver("bob", a_mail(1))
    desk.trouble = [Unavailable("the broker does not answer")]
    assert poll(desk).failures == ["the broker does not answer"]
    assert dovecot.mails("bob", criteria="UNSEEN") == [a_mail(1)]
    assert poll(desk).taken == 1


def test_trouble_of_our_own_is_not_held_against_the_inbox(desk: Desk, dovecot: Dovecot) -> None:
    dovecot.deliver("bob", a_mail(1))
    desk.trouble = [Unavailable("the broker does not answer")]
    poll(desk)
    assert desk.source.states.get("support").error is None
    desk.now += 6
    assert [inbox.name for inbox in desk.source.due()] == ["support"]


@pytest.mark.req("TI-09")
def test_poll_takes_as_many_as_it_may_and_the_rest_next_time(desk: Desk, dovecot: Dovecot) -> None:
    desk.inbox = an_inbox(dovecot.port, max_per_poll=3)
    dovecot.deliver("bob", *map(a_mail, range(5)))
    assert [poll(desk).taken, poll(desk).taken, poll(desk).taken] == [3, 2, 0]
    assert desk.raw == [*map(a_mail, range(5))]


@pytest.mark.req("TI-12")
def test_automatic_mail_does_not_count_towards_the_number_per_poll(desk: Desk, dovecot: Dovecot) -> None:
    desk.inbox = an_inbox(dovecot.port, max_per_poll=2)
    robots = [a_mail(n, "Auto-Submitted: auto-replied\r\n") for n in range(10, 15)]
    dovecot.deliver("bob", *robots, a_mail(1), a_mail(2), a_mail(3))
    poll(desk)
    assert desk.raw == [*robots, a_mail(1), a_mail(2)]


@pytest.mark.req("TI-12")
def test_a_flood_of_automatic_mail_is_fetched_in_bounded_portions(desk: Desk, dovecot: Dovecot) -> None:
    desk.inbox = an_inbox(dovecot.port, max_per_poll=1)
    dovecot.deliver("bob", *(a_mail(n, "Auto-Submitted: auto-replied\r\n") for n in range(12)), a_mail(99))
    assert [poll(desk).taken, poll(desk).taken] == [10, 3]


def test_mail_is_handed_over_byte_for_byte(desk: Desk, dovecot: Dovecot) -> None:
    odd = b'Subject: \xff\xfe\r\nX: "quoted" {3}\r\n\r\nNo line end, \x00\x80 and (brackets)'
    dovecot.deliver("bob", odd.replace(b"\x00", b"\x01"))
    poll(desk)
    assert desk.raw == [odd.replace(b"\x00", b"\x01")]


# UIDs and their generations


def test_new_uidvalidity_skips_nothing_and_doubles_nothing(desk: Desk, dovecot: Dovecot) -> None:
    desk.inbox = an_inbox(dovecot.port, after="mark_read", take="all")
    dovecot.deliver("bob", a_mail(1))
    poll(desk)
    dovecot.change_validity("bob", 4_000_000_000)
    desk.inbox = an_inbox(dovecot.port, after="archive")
    dovecot.deliver("bob", a_mail(2))
    poll(desk)
    assert len(desk.distinct) == 2  # the parser tells that the first came twice, by its content
    assert sorted(dovecot.mails("bob", "Archive")) == [a_mail(1), a_mail(2)]


def test_where_a_mail_was_seen_names_folder_validity_and_uid(desk: Desk, dovecot: Dovecot) -> None:
    dovecot.deliver("bob", a_mail(1))
    dovecot.change_validity("bob", 4_000_000_001)
    poll(desk)
    assert desk.arrivals[0].source == "imap:localhost:bob:INBOX:4000000001:1"


def test_mail_that_is_in_the_ledger_is_only_put_away(desk: Desk, dovecot: Dovecot) -> None:
    dovecot.deliver("bob", a_mail(1))
    with dovecot.client("bob") as client:
        _, said = client.status("INBOX", "(UIDVALIDITY)")
    validity = said[0].rpartition(b" ")[2].rstrip(b")").decode()
    place, at = f"imap:localhost:bob:INBOX:{validity}", datetime(2026, 1, 1, tzinfo=UTC)
    LedgerEntries(desk.documents).put(LedgerEntry(f"{place}:1", place, "support", "taken", at, after="archive"))
    assert poll(desk) == Polled("support", archived=1)
    assert (desk.raw, dovecot.mails("bob", "Archive")) == ([], [a_mail(1)])


# folders


@pytest.mark.req("IV-03")
def test_folder_and_archive_may_have_any_name(desk: Desk, dovecot: Dovecot) -> None:
    with dovecot.client("bob") as client:
        client.create('"Anfragen &APw-ber 100%"')
    dovecot.deliver("bob", a_mail(1), folder='"Anfragen &APw-ber 100%"')
    desk.inbox = an_inbox(dovecot.port, folder="Anfragen über 100%", archive_folder="Erledigt/日本")
    assert poll(desk) == Polled("support", taken=1, archived=1)
    assert dovecot.mails("bob", "Erledigt/&ZeVnLA-") == [a_mail(1)]


@pytest.mark.req("IV-03")
def test_archive_folder_is_not_made_when_that_is_forbidden(desk: Desk, dovecot: Dovecot) -> None:
    desk.inbox = an_inbox(dovecot.port, create_archive_folder=False)
    dovecot.deliver("bob", a_mail(1))
    polled = poll(desk)
    assert (polled.taken, polled.archived) == (1, 0)
    assert "no folder Archive" in polled.failures[0]
    assert poll(desk).taken == 0
    assert "no folder Archive" in str(desk.source.states.get("support").error)
    desk.inbox = an_inbox(dovecot.port)
    assert poll(desk) == Polled("support", archived=1)


def test_archive_that_is_the_folder_itself_is_refused(desk: Desk, dovecot: Dovecot) -> None:
    desk.inbox = an_inbox(dovecot.port, archive_folder="inbox")
    dovecot.deliver("bob", a_mail(1))
    assert "must differ" in poll(desk).failures[0]
    assert desk.raw == []


@pytest.fixture
def courier(monkeypatch: pytest.MonkeyPatch) -> Iterator[Dovecot]:
    """A server that keeps folders below INBOX, with dots, and has neither MOVE nor UIDPLUS."""
    with Dovecot(
        prefix="INBOX.", separator=".", extra="protocol imap {\n  imap_capability = IMAP4rev1 NAMESPACE AUTH=PLAIN\n}"
    ) as running:
        monkeypatch.setenv("BOB_PASSWORD", "secret")
        yield running


def test_poor_server_with_prefixed_folders(courier: Dovecot, documents: EmbeddedDocuments) -> None:
    desk = Desk(documents, an_inbox(courier.port, archive_folder="Archive/2026"))
    courier.deliver("bob", a_mail(1), a_mail(2))
    courier.flag("bob", 1, r"\Deleted")
    assert [poll(desk).taken, poll(desk).taken] == [1, 0]
    assert courier.folders("bob") == ["INBOX", "INBOX.Archive", "INBOX.Archive.2026"]
    assert courier.mails("bob", "INBOX.Archive.2026") == [a_mail(2)]
    assert courier.mails("bob", criteria="DELETED") == [a_mail(1), a_mail(2)]  # flagged, not expunged


def test_deleting_expunges_nothing_that_others_flagged(desk: Desk, dovecot: Dovecot) -> None:
    desk.inbox = an_inbox(dovecot.port, after="delete")
    dovecot.deliver("bob", a_mail(1), a_mail(2))
    dovecot.flag("bob", 1, r"\Deleted")
    poll(desk)
    assert (desk.raw, dovecot.mails("bob")) == ([a_mail(2)], [a_mail(1)])


# bounds


@pytest.mark.req("IV-04")
def test_mail_over_the_size_limit_is_handed_over_and_archived(desk: Desk, dovecot: Dovecot) -> None:
    desk.settings = Settings(max_mail_size=1000)
    large = a_mail(1) + b"x" * 2000
    dovecot.deliver("bob", large, a_mail(2))
    assert (poll(desk).failures, desk.raw) == ([], [large, a_mail(2)])
    assert (dovecot.mails("bob"), sorted(dovecot.mails("bob", "Archive"))) == ([], sorted([large, a_mail(2)]))


@pytest.mark.req("IV-04")
@pytest.mark.parametrize(("after", "left", "archived"), [("archive", 0, 1), ("delete", 0, 1), ("mark_read", 1, 0)])
def test_mail_too_large_to_be_stored_is_put_away_unread_and_never_deleted(
    desk: Desk, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch, after: str, left: int, archived: int
) -> None:
    monkeypatch.setattr(mailbox, "MAX_DOWNLOAD_BYTES", 1000)
    desk.settings = Settings(max_mail_size=500)
    desk.inbox = an_inbox(dovecot.port, after=after)
    dovecot.deliver("bob", a_mail(1) + b"x" * 2000)
    polled = poll(desk)
    assert (polled.taken, polled.skipped, polled.failures, desk.raw) == (0, 1, [], [])
    assert (len(dovecot.mails("bob")), len(dovecot.mails("bob", "Archive"))) == (left, archived)
    (trouble,) = LedgerEntries(desk.documents).not_taken("support")
    assert (trouble.state, "at most 1000 are downloaded" in trouble.reason) == ("left", True)
    assert (poll(desk), desk.source.states.get("support").error) == (Polled("support"), None)


# connections


@pytest.mark.req("IV-01", "TI-05")
@pytest.mark.parametrize("tls", ["implicit", "starttls", "none"])
@pytest.mark.parametrize("auth", ["auto", "regular", "login", "plain", "cram-md5"])
def test_every_carried_login_over_every_kind_of_connection(desk: Desk, dovecot: Dovecot, tls: str, auth: str) -> None:
    port = dovecot.tls_port if tls == "implicit" else dovecot.port
    desk.inbox = an_inbox(port, tls=tls, auth=auth)
    dovecot.deliver("bob", a_mail(1))
    assert poll(desk) == Polled("support", taken=1, archived=1)


@pytest.mark.req("TI-05")
@pytest.mark.parametrize("tls", ["implicit", "starttls"])
def test_unknown_certificate_stops_the_poll_and_is_shown(
    desk: Desk, dovecot: Dovecot, tls: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    port = dovecot.tls_port if tls == "implicit" else dovecot.port
    desk.inbox = an_inbox(port, tls=tls)
    dovecot.deliver("bob", a_mail(1))
    assert "certificate" in poll(desk).failures[0]
    assert "certificate" in str(desk.source.states.get("support").error)
    (logged,) = [each for each in caplog.records if each.getMessage() == "inbox_failed"]
    assert "certificate" in vars(logged)["reason"]
    assert desk.source.check(desk.inbox).step is Step.TLS
    desk.inbox = replace(desk.inbox, verify_certificate=False)
    assert poll(desk).taken == 1


# logins


@pytest.fixture
def locked_out(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    monkeypatch.setenv("BOB_PASSWORD", "wrong")
    desk.settings = Settings(auth_failure_ticket=AuthFailureTicket(enabled=True))
    return desk


@pytest.mark.req("TI-10")
def test_three_refused_logins_stop_the_inbox_and_ask_for_one_ticket(locked_out: Desk) -> None:
    desk = locked_out
    for _ in range(3):
        desk.now += 10_000
        assert desk.source.once()[0].failures
    state = desk.source.states.get("support")
    assert state.stop is not None
    assert state.stop.by == "authentication"
    desk.now += 10_000
    assert (desk.source.once(), len(desk.stops)) == ([], 1)
    desk.source.states.start("support")
    assert [inbox.name for inbox in desk.source.due()] == ["support"]


@pytest.mark.req("TI-10")
def test_a_ticket_that_a_crash_prevented_is_asked_for_again(locked_out: Desk) -> None:
    desk = locked_out
    for _ in range(3):
        poll(desk)
    desk.another().due()
    desk.another().due()
    assert len(desk.stops) == 1


@pytest.mark.req("TI-10")
def test_success_in_between_resets_the_count(locked_out: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = locked_out
    for password in ("wrong", "wrong", "secret", "wrong", "wrong"):
        monkeypatch.setenv("BOB_PASSWORD", password)
        poll(desk)
    assert desk.source.states.get("support").stop is None


def test_an_outage_never_stops_an_inbox(desk: Desk) -> None:
    with closed_port() as port:
        desk.inbox = an_inbox(port)
        for _ in range(5):
            poll(desk)
    state = desk.source.states.get("support")
    assert (state.stop, state.auth_failures) == (None, 0)
    assert state.error


@pytest.mark.req("TI-10", "TI-11")
def test_a_corrected_login_starts_the_inbox_again(locked_out: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = locked_out
    for _ in range(3):
        poll(desk)
    assert desk.source.due() == []
    monkeypatch.setenv("ANOTHER", "secret")
    desk.inbox = replace(desk.inbox, password=Secret("${ANOTHER}"))
    assert [each.failures for each in desk.source.once()] == [[]]


def test_refused_logins_are_tried_less_and_less_often(locked_out: Desk) -> None:
    desk = locked_out
    desk.settings = Settings(auth_failure_ticket=AuthFailureTicket(after=99), poll_interval=timedelta(seconds=60))
    waits = []
    for _ in range(6):
        desk.source.poll(desk.inbox)
        before = desk.now
        while not desk.source.due():
            desk.now += 30
        waits.append(desk.now - before)
    assert waits == [60, 120, 240, 480, 900, 900]


# the connection test


@pytest.fixture
def nobody() -> Iterator[int]:
    """A port that refuses connections."""
    with closed_port() as port:
        yield port


@pytest.mark.req("IV-08")
def test_connection_test_reports_the_failure_with_the_highest_priority(
    desk: Desk, dovecot: Dovecot, nobody: int
) -> None:
    wrong = Secret("${HOME}")
    cases = [
        (an_inbox(dovecot.port), Step.DONE, "The connection works. The archive folder 'Archive' does not exist yet"),
        (
            an_inbox(dovecot.port, archive_folder="X", create_archive_folder=False),
            Step.ARCHIVE,
            "Archive folder not found! The",
        ),
        (an_inbox(dovecot.port, folder="Nowhere"), Step.INBOX, "Inbox folder not found! The name of the inbox folder"),
        (
            an_inbox(dovecot.port, folder="Nowhere", password=wrong),
            Step.LOGIN,
            "The request failed. The server refused the login.",
        ),
        (an_inbox(dovecot.port, tls="implicit"), Step.TLS, "The request failed. No secure connection could be made"),
        (an_inbox(nobody), Step.CONNECT, "The request failed. The server could not be reached"),
        (
            an_inbox(1, host="typo.invalid"),
            Step.NAME,
            "The request failed. The remote name could not be resolved: 'typo.invalid'",
        ),
        (an_inbox(1, host="https://imap"), Step.URL, "Invalid URL: The host name could not be parsed."),
        (
            an_inbox(dovecot.port, auth="ntlm"),
            Step.LOGIN,
            "The request failed. No login was possible: the server does not offer NTLM",
        ),
    ]
    for inbox, step, sentence in cases:
        result = desk.source.check(inbox)
        assert (result.step, result.message[: len(sentence)]) == (step, sentence)
        assert desk.source.states.get("support").test == replace(result, at=_to_millisecond(result.at))


@pytest.mark.req("NE-24")
def test_a_wrong_folder_is_named_with_the_folders_that_exist(desk: Desk, dovecot: Dovecot) -> None:
    dovecot.deliver("bob", a_mail(1))
    poll(desk)
    for inbox in (
        an_inbox(dovecot.port, folder="Inbx"),
        an_inbox(dovecot.port, archive_folder="Inbx", create_archive_folder=False),
    ):
        result = desk.source.check(inbox)
        assert "Inbx" in result.message
        assert re.search(r"the account has (INBOX, Archive|Archive, INBOX)\.", result.message)


@pytest.mark.req("NE-24")
def test_the_wrong_tls_setting_for_a_port_suggests_the_right_one(
    desk: Desk, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "GREETING_SECONDS", 0.2)
    for port, tls, right in (
        (dovecot.port, "implicit", "starttls"),
        (dovecot.tls_port, "none", "implicit"),
        (dovecot.tls_port, "starttls", "implicit"),
    ):
        result = desk.source.check(an_inbox(port, tls=tls))
        assert (result.step, f"set tls to {right}" in result.message) == (Step.TLS, True)


def _to_millisecond(at: datetime) -> datetime:
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


@pytest.mark.req("IV-08")
def test_connection_test_creates_and_takes_nothing(desk: Desk, dovecot: Dovecot) -> None:
    dovecot.deliver("bob", a_mail(1))
    assert desk.source.check(desk.inbox).ok
    assert (dovecot.folders("bob"), dovecot.mails("bob", criteria="UNSEEN")) == (["INBOX"], [a_mail(1)])


@pytest.mark.req("VS-02")
def test_peek_shows_waiting_mail_and_leaves_it(desk: Desk, dovecot: Dovecot) -> None:
    dovecot.deliver("bob", a_mail(1), a_mail(2))
    assert [each.raw for each in desk.source.peek(desk.inbox, 1)] == [a_mail(1)]
    assert len(dovecot.mails("bob", criteria="UNSEEN")) == 2


# when


@pytest.mark.req("IV-01", "TI-11")
def test_only_enabled_mailboxes_are_due_and_none_while_processing_is_off(desk: Desk, dovecot: Dovecot) -> None:
    assert desk.source.due()
    desk.inbox = an_inbox(dovecot.port, enabled=False)
    assert not desk.source.due()
    desk.inbox = an_inbox(dovecot.port, protocol="none")
    assert not desk.source.due()
    desk.inbox = an_inbox(dovecot.port)
    desk.settings = Settings(processing=False)
    assert not desk.source.due()


@pytest.mark.req("TI-11")
def test_stop_and_start_by_an_operator(desk: Desk) -> None:
    desk.source.states.stop("support", "holiday")
    assert not desk.source.due()
    desk.another().states.start("support")
    assert desk.source.due()


@pytest.mark.req("TI-09")
@pytest.mark.parametrize(("of_inbox", "wait"), [(None, 120), (timedelta(seconds=30), 30)])
def test_inbox_is_due_after_its_interval_or_the_desks(
    desk: Desk, dovecot: Dovecot, of_inbox: timedelta | None, wait: float
) -> None:
    desk.settings = Settings(poll_interval=timedelta(seconds=120))
    desk.inbox = an_inbox(dovecot.port, poll_interval=of_inbox)
    poll(desk)
    desk.now += wait - 1
    assert not desk.source.due()
    desk.now += 1
    assert desk.source.due()


def test_running_fetcher_visits_takes_and_stops(dovecot: Dovecot, documents: EmbeddedDocuments) -> None:
    desk = Desk(documents, an_inbox(dovecot.port))
    dovecot.deliver("bob", a_mail(1))
    stop = threading.Event()
    thread = threading.Thread(target=desk.source.run, args=(stop,))
    thread.start()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (desk.raw and not dovecot.mails("bob")) and time.monotonic() < deadline:
        stop.wait(0.05)
    stop.set()
    thread.join(PATIENCE_SECONDS)
    assert (desk.raw, thread.is_alive()) == ([a_mail(1)], False)


def test_two_fetchers_at_once_take_each_mail_once(dovecot: Dovecot, documents: EmbeddedDocuments) -> None:
    desk = Desk(documents, an_inbox(dovecot.port, max_per_poll=7))
    mails = [*map(a_mail, range(60))]
    dovecot.deliver("bob", *mails)
    fetchers = [desk.source, desk.another()]
    barrier = threading.Barrier(2)

    def work(index: int) -> None:
        barrier.wait()
        for _ in range(30):
            fetchers[index].poll(desk.inbox)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while poll(desk).taken:
        pass
    assert sorted(desk.raw) == sorted(mails)
    assert (dovecot.mails("bob"), len(dovecot.mails("bob", "Archive"))) == ([], 60)
