"""Servers that lie, break off and dawdle: the other mails go on, and nothing is lost or doubled."""

from __future__ import annotations

import hashlib
import socket
import threading
import tracemalloc
from collections.abc import Callable
from datetime import timedelta

import pytest

from services.fetcher import ledger
from shared.config.model import Settings
from shared.embedded.documents import EmbeddedDocuments
from shared.mail_network.connection import Step
from shared.store.ledger import LedgerEntries
from tests.servers.fake_imap import Answer, FakeImap
from tests.servers.presence import PATIENCE_SECONDS
from tests.servers.smtp import ScriptedServer, drip
from tests.services.fetcher.conftest import GOOD, Desk, an_inbox, poll


@pytest.fixture
def desk(server: FakeImap, documents: EmbeddedDocuments) -> Desk:
    """Patience is long for what an honest answer takes, and short enough to wait for its end."""
    return Desk(documents, an_inbox(server.port), patience=timedelta(seconds=3))


def hang_up(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def half_a_mail(connection: socket.socket) -> None:
    connection.sendall(b"* 2 FETCH (UID 2 BODY[] {5000}\r\nFrom: jane")
    hang_up(connection)


def say(text: bytes) -> Callable[[socket.socket], None]:
    def talk(connection: socket.socket) -> None:
        connection.sendall(text)
        connection.recv(1)

    return talk


BAD_MAILS: dict[str, Answer] = {
    "literal announced too short": b"(UID 2 BODY[] {5}\r\n" + GOOD[1] + b")\r\n",
    "literal announced too long": b"(UID 2 BODY[] {5000}\r\n" + GOOD[1] + b")\r\n",
    "four gigabytes announced": say(b"* 2 FETCH (UID 2 BODY[] {4294967296}\r\n"),
    "more digits than a number has": say(b"* 2 FETCH (UID 2 BODY[] {" + b"9" * 400 + b"}\r\n"),
    "dropped in the middle": half_a_mail,
    "dropped at once": hang_up,
    "unparsable": b"(UID 2 BODY[ {{{ ))) \r\n",
    "unbalanced": b"(UID 2 BODY[] (((((\r\n",
    "no list": b"nonsense\r\n",
    "deeply nested": b"(UID 2 BODY[] " + b"(" * 5000 + b"\r\n",
    "no content": b"(UID 2 BODY[] NIL)\r\n",
    "line without end": say(b"* 2 FETCH (UID 2 BODY[] " + b"x" * 100_000),
    "unknown tag": say(b"zzz99 OK surprise\r\n"),
    "farewell": say(b"* BYE out of order\r\n"),
    "not ASCII": b"(UID 2 \xff\xfe BODY[] \xff)\r\n",
}


@pytest.mark.parametrize("answer", BAD_MAILS.values(), ids=BAD_MAILS)
def test_one_bad_mail_does_not_stop_the_others(server: FakeImap, desk: Desk, answer: Answer) -> None:
    server.bodies[2] = answer
    polled = poll(desk)
    assert (desk.raw, polled.taken, len(polled.failures)) == ([GOOD[0], GOOD[2]], 2, 1)
    assert server.archived == [GOOD[0], GOOD[2]]
    (trouble,) = LedgerEntries(desk.documents).not_taken("support")
    assert (trouble.state, trouble.attempts) == ("failed", 1)
    del server.bodies[2]
    assert (poll(desk).taken, desk.raw[-1]) == (1, GOOD[1])
    assert LedgerEntries(desk.documents).not_taken("support") == []


def test_bad_mail_is_tried_again_ever_more_rarely_and_after_the_others(server: FakeImap, desk: Desk) -> None:
    server.bodies[2] = b"(UID 2 BODY[] NIL)\r\n"
    for _ in range(6):
        poll(desk)
    assert LedgerEntries(desk.documents).not_taken("support")[0].attempts == ledger.IMMEDIATE_TRIES


def test_many_bad_mails_at_the_head_do_not_keep_back_the_good_one(server: FakeImap, desk: Desk) -> None:
    server.bodies |= {1: hang_up, 2: hang_up}
    server.mails |= dict.fromkeys((4, 5, 6), server.mails[1])
    server.bodies |= dict.fromkeys((4, 5, 6), hang_up)
    for _ in range(4):
        poll(desk)
    assert desk.raw == [GOOD[2]]


def test_announced_size_is_not_believed(server: FakeImap, desk: Desk) -> None:
    server.sizes = {1: 0, 2: 10_000}
    assert poll(desk).taken == 3
    assert desk.raw == GOOD


def test_mail_larger_than_announced_is_taken_whole(server: FakeImap, desk: Desk) -> None:
    desk.settings = Settings(max_mail_size=len(GOOD[0]) + 10)
    server.mails[2].raw = b"x" * 200
    server.sizes = {2: 10}
    assert (poll(desk).failures, desk.raw[1]) == ([], b"x" * 200)


def test_a_folder_of_100_000_mails_is_taken_in_portions_with_bounded_memory(server: FakeImap, desk: Desk) -> None:
    server.answers["UID SEARCH"] = b"* SEARCH " + b" ".join(b"%d" % uid for uid in range(1, 100_001)) + b"\r\n"
    desk.settings = Settings(max_per_poll=2)
    tracemalloc.start()
    try:
        polled = poll(desk)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (polled.failures, polled.taken, desk.raw) == ([], 2, GOOD[:2])
    assert peak < 40 << 20


def test_uid_that_is_named_twice_is_one_mail(server: FakeImap, desk: Desk) -> None:
    server.answers["UID SEARCH"] = b"* SEARCH 1 2 2 3 1\r\n"
    body = b"(UID 2 BODY[] {%d}\r\n%s)\r\n" % (len(GOOD[1]), GOOD[1])
    server.bodies[2] = body + b"* 2 FETCH " + body
    assert (poll(desk).taken, desk.raw) == (3, GOOD)


def test_mail_expunged_in_between_is_skipped(server: FakeImap, desk: Desk) -> None:
    server.answers["UID SEARCH"] = b"* SEARCH 1 2 3 9\r\n"
    server.bodies[2] = b""
    polled = poll(desk)
    assert (polled.taken, polled.skipped, polled.failures) == (2, 2, [])


def test_flags_of_another_mail_are_not_taken_for_a_mail(server: FakeImap, desk: Desk) -> None:
    server.bodies[2] = b"(FLAGS (\\Seen))\r\n"
    assert (poll(desk).skipped, desk.raw) == (1, [GOOD[0], GOOD[2]])


def test_sizes_that_cannot_be_read_do_not_matter(server: FakeImap, desk: Desk) -> None:
    server.sizes_answer = b"* 1 FETCH ((((\r\n"
    assert (poll(desk).taken, desk.raw) == (3, GOOD)


@pytest.mark.parametrize("answer", [b"* SEARCH 1 x 3\r\n", b"* SEARCH 1\r\n* SEARCH 2\r\n", b"* SEARCH \xff\r\n"])
def test_search_that_cannot_be_read_fails_the_poll_alone(server: FakeImap, desk: Desk, answer: bytes) -> None:
    server.answers["UID SEARCH"] = answer
    polled = poll(desk)
    del server.answers["UID SEARCH"]
    assert desk.source.states.get("support").stop is None
    assert polled.taken + poll(desk).taken == 3


def test_server_that_is_busy_is_not_a_refused_login(server: FakeImap, desk: Desk) -> None:
    for said in (b"NO [UNAVAILABLE] try later", b"NO [INUSE] busy", b"BAD what"):
        server.tagged["LOGIN"] = said
        poll(desk)
    server.answers["LOGIN"] = hang_up
    poll(desk)
    assert desk.source.states.get("support").auth_failures == 0
    del server.answers["LOGIN"]
    server.tagged["LOGIN"] = b"NO [AUTHENTICATIONFAILED] wrong"
    poll(desk)
    assert desk.source.states.get("support").auth_failures == 1


@pytest.mark.req("IV-08")
def test_clear_text_login_that_the_server_refuses_asks_for_tls(server: FakeImap, desk: Desk) -> None:
    server.capabilities = b"IMAP4rev1 LOGINDISABLED"
    for auth in ("regular", "auto"):
        result = desk.source.check(an_inbox(server.port, auth=auth))
        assert (result.step, "Use TLS" in result.message) == (Step.TLS, True)


@pytest.mark.req("IV-09")
def test_auto_sends_no_password_in_clear_text_unless_allowed(server: FakeImap, desk: Desk) -> None:
    desk.inbox = an_inbox(server.port, auth="auto")
    assert "allow_cleartext_auth" in poll(desk).failures[0]
    assert not any(command.startswith((b"LOGIN", b"AUTH")) for command in server.commands)
    desk.settings = Settings(allow_cleartext_auth=True)
    assert poll(desk).taken == 3


@pytest.mark.req("TI-05")
def test_no_starttls_no_login(server: FakeImap, desk: Desk) -> None:
    desk.inbox = an_inbox(server.port, tls="starttls")
    server.tagged["STARTTLS"] = b"NO not today"
    assert "TLS" in poll(desk).failures[0]
    assert not any(command.startswith((b"LOGIN", b"AUTH")) for command in server.commands)


@pytest.mark.req("TI-05")
def test_greeting_that_skips_the_login_does_not_skip_tls(server: FakeImap, desk: Desk) -> None:
    server.greeting = b"* PREAUTH welcome\r\n"
    desk.inbox = an_inbox(server.port, tls="starttls")
    assert "TLS" in poll(desk).failures[0]
    desk.inbox = an_inbox(server.port, auth="none")
    assert poll(desk).taken == 3


def test_line_break_in_a_password_injects_no_command(
    server: FakeImap, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOB_PASSWORD", 'x"\r\nA1 DELETE INBOX')
    assert "printable ASCII" in poll(desk).failures[0]
    assert not any(b"DELETE" in command for command in server.commands)


def test_no_expunge_without_uidplus(server: FakeImap, desk: Desk) -> None:
    server.capabilities = b"IMAP4rev1"
    desk.inbox = an_inbox(server.port, after="delete")
    poll(desk)
    assert all(mail.flags == {b"\\Deleted"} for mail in server.mails.values())
    assert not any(b"EXPUNGE" in command or b"CLOSE" in command for command in server.commands)
    assert poll(desk).taken == 0


def test_uids_of_another_generation_are_not_touched(server: FakeImap, desk: Desk) -> None:
    """The folder is rebuilt while the connection is down: the old numbers name other mails now."""

    def rebuild(connection: socket.socket) -> None:
        server.validity = 8
        server.mails = {uid: server.mails[4 - uid] for uid in (1, 2, 3)}
        hang_up(connection)

    server.bodies[2] = rebuild
    poll(desk)
    server.bodies.clear()
    while poll(desk).taken:
        pass
    assert desk.distinct == {*map(_hash, GOOD)}
    assert sorted(server.archived) == GOOD


def _hash(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def test_server_that_sends_one_byte_at_a_time_is_given_up(documents: EmbeddedDocuments) -> None:
    stop = threading.Event()
    with ScriptedServer(drip(b"* OK hello\r\n", 0.05, stop)) as slow:
        desk = Desk(documents, an_inbox(slow.port, auth="none", password=None), patience=timedelta(seconds=0.5))
        assert "in time" in poll(desk).failures[0]
        stop.set()


def test_mail_that_comes_one_byte_at_a_time_is_given_up(server: FakeImap, desk: Desk) -> None:
    stop = threading.Event()
    server.bodies[2] = drip(b"* 2 FETCH (UID 2 BODY[] {100000}\r\n" + b"x" * 1000, 0.05, stop)
    polled = poll(desk)
    stop.set()
    assert (desk.raw, len(polled.failures)) == ([GOOD[0], GOOD[2]], 1)


def test_server_whose_answer_never_ends_is_given_up(server: FakeImap, desk: Desk) -> None:
    def flood(connection: socket.socket) -> None:
        for _ in range(100_000):
            connection.sendall(b"* 1 EXISTS\r\n" * 1000)

    desk.patience = timedelta(seconds=120)
    desk.settings = Settings(max_mail_size=1000)
    server.answers["UID SEARCH"] = flood
    assert "endless" in poll(desk).failures[0]


def test_fetcher_that_is_told_to_stop_does_not_wait_for_a_server_that_hangs(server: FakeImap, desk: Desk) -> None:
    asked, stop = threading.Event(), threading.Event()

    def hang(connection: socket.socket) -> None:
        asked.set()
        connection.recv(1)

    desk.patience = timedelta(seconds=600)
    server.bodies[2] = hang
    thread = threading.Thread(target=desk.source.run, args=(stop,))
    thread.start()
    assert asked.wait(PATIENCE_SECONDS)
    stop.set()
    thread.join(PATIENCE_SECONDS)
    assert (thread.is_alive(), desk.raw) == (False, [GOOD[0]])
    assert LedgerEntries(desk.documents).not_taken("support") == []
    server.bodies.clear()
    assert (desk.another().poll(desk.inbox).taken, sorted(desk.raw)) == (2, GOOD)


def test_server_that_is_not_an_imap_server_is_reported_as_such(documents: EmbeddedDocuments) -> None:
    with ScriptedServer(lambda connection: connection.sendall(b"220 mail ESMTP\r\n")) as other:
        desk = Desk(documents, an_inbox(other.port, auth="none", password=None))
        assert desk.source.check(desk.inbox).step is Step.CONNECT


def test_an_archive_that_is_full_says_that_the_mails_were_taken(server: FakeImap, desk: Desk) -> None:
    server.tagged["UID MOVE"] = b"NO [OVERQUOTA] the mailbox is full"
    assert poll(desk).failures == [
        "mail that was taken stays there: cannot archive: move failed: [OVERQUOTA] the mailbox is full"
    ]
    assert desk.raw == GOOD
    poll(desk)
    assert desk.raw == GOOD
