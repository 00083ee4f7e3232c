"""The fetcher on POP3: a real Dovecot, and a scripted server that misbehaves."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from services.fetcher.visit import Polled
from shared.config.model import Inbox, Settings
from shared.embedded.documents import EmbeddedDocuments
from shared.mail_network.connection import Step
from shared.store.ledger import LedgerEntries
from tests.servers.dovecot import Dovecot
from tests.servers.fake_pop3 import FakePop3, stuffed
from tests.servers.smtp import ScriptedServer, drip
from tests.services.fetcher.conftest import GOOD, Desk, a_mail, poll
from tests.services.fetcher.conftest import an_inbox as an_imap_inbox


def an_inbox(port: int, **options: object) -> Inbox:
    """A POP3 inbox of bob's without TLS, but for what a test says."""
    return an_imap_inbox(port, **({"protocol": "pop3", "auth": "regular"} | options))


@pytest.fixture
def real(dovecot: Dovecot, documents: EmbeddedDocuments) -> Desk:
    return Desk(documents, an_inbox(dovecot.pop3_port))


@pytest.fixture
def pop3(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakePop3]:
    monkeypatch.setenv("BOB_PASSWORD", "secret")
    with FakePop3(*GOOD) as running:
        yield running


@pytest.fixture
def desk(pop3: FakePop3, documents: EmbeddedDocuments) -> Desk:
    return Desk(documents, an_inbox(pop3.port), patience=timedelta(seconds=10))


# a real server


@pytest.mark.req("IV-02", "TI-08")
def test_taken_mail_is_deleted(real: Desk, dovecot: Dovecot) -> None:
    dovecot.deliver("bob", *GOOD)
    assert poll(real) == Polled("support", taken=3, archived=3)
    assert (real.raw, dovecot.mails("bob")) == (GOOD, [])
    assert poll(real) == Polled("support")


@pytest.mark.req("TI-08")
def test_mail_left_in_place_is_never_taken_twice(real: Desk, dovecot: Dovecot) -> None:
    real.inbox = replace(real.inbox, after="mark_read")
    dovecot.deliver("bob", *GOOD)
    assert [poll(real).taken for _ in range(3)] == [3, 0, 0]
    dovecot.deliver("bob", a_mail(4))
    assert poll(real) == Polled("support", taken=1, archived=1)
    assert dovecot.mails("bob") == real.raw


def test_a_mailbox_is_taken_in_portions(real: Desk, dovecot: Dovecot) -> None:
    real.settings = Settings(max_per_poll=2)
    dovecot.deliver("bob", *GOOD)
    assert [poll(real).taken, poll(real).taken] == [2, 1]


def test_a_mail_arrives_byte_for_byte(real: Desk, dovecot: Dovecot) -> None:
    mails = [b"Subject: dots\r\n\r\n.\r\n..\r\n.x\r\n", b"Subject: long\r\n\r\n" + b"x" * 300_000 + b"\r\n\r\n"]
    dovecot.deliver("bob", *mails)
    poll(real)
    assert real.raw == mails


@pytest.mark.req("VS-02")
def test_peek_leaves_mail_unread(real: Desk, dovecot: Dovecot) -> None:
    dovecot.deliver("bob", *GOOD)
    assert [each.raw for each in real.source.peek(real.inbox, 2)] == GOOD[:2]
    assert len(dovecot.mails("bob", criteria="UNSEEN")) == 3


@pytest.mark.req("TI-05", "IV-08")
def test_connection_test_reports_each_failure(real: Desk, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch) -> None:
    good = an_inbox(dovecot.pop3_tls_port, tls="implicit")
    cases = [
        (good, Step.DONE),
        (an_inbox(dovecot.pop3_port, tls="starttls"), Step.DONE),
        (an_inbox(dovecot.pop3_port, tls="implicit"), Step.TLS),
        (an_inbox(1), Step.CONNECT),
        (an_inbox(1, host="typo.invalid"), Step.NAME),
        (an_inbox(1, host="https://pop"), Step.URL),
    ]
    assert [real.source.check(inbox).step for inbox, _ in cases] == [step for _, step in cases]
    monkeypatch.setenv("BOB_PASSWORD", "wrong")
    assert real.source.check(good).step is Step.LOGIN
    monkeypatch.delenv("SSL_CERT_FILE")
    assert real.source.check(good).step is Step.TLS
    assert real.source.check(replace(good, verify_certificate=False)).step is Step.LOGIN


# a server that misbehaves


def test_a_server_without_uidl_is_read_by_content(pop3: FakePop3, desk: Desk) -> None:
    pop3.uids = None
    assert (poll(desk), desk.raw, pop3.mails) == (Polled("support", taken=3, archived=3), GOOD, [])
    assert "unique ids" in desk.source.check(desk.inbox).message


def test_mail_left_on_a_server_without_uidl_is_taken_once(pop3: FakePop3, desk: Desk) -> None:
    pop3.uids = None
    desk.inbox = replace(desk.inbox, after="mark_read")
    assert [poll(desk).taken, poll(desk).taken] == [3, 0]
    pop3.mails.insert(1, a_mail(4))  # numbers say nothing
    assert (poll(desk).taken, desk.raw[3]) == (1, a_mail(4))


def test_mail_is_deleted_at_the_next_visit_when_the_server_dies_before_quit(pop3: FakePop3, desk: Desk) -> None:
    pop3.answers["QUIT"] = lambda connection: connection.close()
    assert poll(desk).taken == 3
    assert len(pop3.mails) == 3
    del pop3.answers["QUIT"]
    assert poll(desk) == Polled("support", archived=3)
    assert (desk.raw, pop3.mails) == (GOOD, [])


def test_one_unique_id_for_two_mails_loses_none(pop3: FakePop3, desk: Desk) -> None:
    pop3.uids = ["same", "other", "same"]
    poll(desk)
    assert (sorted(desk.raw), pop3.mails) == (sorted(GOOD), [])


BAD: dict[str, bytes | Callable[[socket.socket], None]] = {
    "dropped in the middle": lambda connection: connection.sendall(b"+OK\r\nFrom: jane\r\n"),
    "refused": b"-ERR no such thing\r\n",
    "not POP3": b"* 2 FETCH\r\n",
}


@pytest.mark.parametrize("answer", BAD.values(), ids=BAD)
def test_one_bad_mail_does_not_stop_the_others(
    pop3: FakePop3, desk: Desk, answer: bytes | Callable[[socket.socket], None]
) -> None:
    pop3.answers["RETR 2"] = answer
    polled = poll(desk)
    assert (desk.raw, len(polled.failures)) == ([GOOD[0], GOOD[2]], 1)
    (trouble,) = LedgerEntries(desk.documents).not_taken("support")
    assert trouble.state == "failed"
    del pop3.answers["RETR 2"]
    poll(desk)
    poll(desk)
    assert (desk.raw, pop3.mails) == ([GOOD[0], GOOD[2], GOOD[1]], [])


def test_announced_size_is_not_believed(pop3: FakePop3, desk: Desk) -> None:
    pop3.answers["LIST"] = b"+OK\r\n1 1\r\n2 99999\r\n3 0\r\n.\r\n"
    poll(desk)
    assert desk.raw == GOOD


def test_a_mail_that_is_too_large_stays_and_is_named(pop3: FakePop3, desk: Desk) -> None:
    pop3.answers["LIST"] = b"+OK\r\n1 10\r\n2 4294967296\r\n3 10\r\n.\r\n"
    polled = poll(desk)
    assert (desk.raw, polled.skipped, pop3.mails) == ([GOOD[0], GOOD[2]], 1, [GOOD[1]])
    assert "pop3 has no folders" in polled.failures[0]
    del pop3.answers["LIST"]
    assert poll(desk).failures == []


DIALECTS: dict[str, dict[str, bytes]] = {
    "several blanks in UIDL": {"UIDL": b"+OK\r\n1   uid-1\r\n2   uid-2\r\n3   uid-3\r\n.\r\n"},
    "words behind the size": {"LIST": b"+OK 3 messages\r\n1 10 octets\r\n2 10\r\n3 10 x y\r\n.\r\n"},
    "small letters": {"CAPA": b"+ok\r\nuser\r\nuidl\r\n.\r\n"},
    "no CAPA": {"CAPA": b"-ERR unknown command\r\n"},
    "line feeds alone": {"RETR 2": b"+OK\n" + stuffed(GOOD[1]).replace(b"\r\n.\r\n", b"\r\n.\r\n")},
}


@pytest.mark.parametrize("answers", DIALECTS.values(), ids=DIALECTS)
def test_a_dialect_is_read(pop3: FakePop3, desk: Desk, answers: dict[str, bytes]) -> None:
    pop3.answers.update(answers)
    assert (poll(desk).failures, desk.raw, pop3.mails) == ([], GOOD, [])


REFUSALS = {
    "[IN-USE] locked by another session": False,
    "[SYS/TEMP] try later": False,
    "[LOGIN-DELAY] minimum time between mail checks": False,
    "[AUTH] invalid user or password": True,
    "authentication failed": True,
}


@pytest.mark.req("TI-10")
@pytest.mark.parametrize(("said", "counts"), REFUSALS.items(), ids=REFUSALS)
def test_a_mailbox_in_use_does_not_count_as_a_refused_login(
    pop3: FakePop3, desk: Desk, said: str, counts: bool
) -> None:
    pop3.answers["PASS"] = b"-ERR " + said.encode() + b"\r\n"
    for _ in range(3):
        poll(desk)
    assert (desk.source.states.get("support").stop is not None) is counts


def test_a_password_that_the_server_repeats_is_not_kept(pop3: FakePop3, desk: Desk) -> None:
    pop3.answers["PASS"] = b"-ERR bob may not log in with secret\r\n"
    poll(desk)
    kept = str(desk.source.states.get("support").error)
    assert "bob may not log in with" in kept
    assert "secret" not in kept


def test_a_line_break_in_a_password_injects_no_command(
    pop3: FakePop3, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOB_PASSWORD", "secret\r\nDELE 1")
    poll(desk)
    assert (pop3.count("DELE"), pop3.count("PASS")) == (0, 0)


@pytest.mark.req("TI-05")
def test_no_stls_no_login(pop3: FakePop3, desk: Desk) -> None:
    pop3.answers["STLS"] = b"-ERR not here\r\n"
    desk.inbox = an_inbox(pop3.port, tls="starttls")
    assert "does not upgrade to TLS" in poll(desk).failures[0]
    assert (pop3.count("USER"), pop3.count("AUTH")) == (0, 0)


@pytest.mark.req("IV-09")
def test_auto_sends_no_password_in_clear_text_unless_allowed(pop3: FakePop3, desk: Desk) -> None:
    desk.inbox = an_inbox(pop3.port, auth="auto")
    assert "use TLS or set allow_cleartext_auth" in poll(desk).failures[0]
    desk.settings = Settings(allow_cleartext_auth=True)
    assert poll(desk).taken == 3


def test_a_server_that_sends_one_byte_at_a_time_is_given_up(
    documents: EmbeddedDocuments, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOB_PASSWORD", "secret")
    stop = threading.Event()
    with ScriptedServer(drip(b"+OK ready", 0.05, stop)) as slow:
        desk = Desk(documents, an_inbox(slow.port), patience=timedelta(seconds=1))
        assert "did not answer in time" in poll(desk).failures[0]
        stop.set()


def _endless(connection: socket.socket) -> None:
    connection.sendall(b"+OK\r\n")
    while True:
        connection.sendall(b"1 uid\r\n" * 10_000)


@pytest.mark.parametrize("command", ["UIDL", "LIST"])
def test_a_list_without_end_is_given_up(
    pop3: FakePop3, desk: Desk, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.fetcher.pop3_client.MAX_LINES", 20_000)
    pop3.answers[command] = _endless
    assert "endless answer" in poll(desk).failures[0]


def test_a_server_that_is_not_a_pop3_server_is_reported_as_such(
    documents: EmbeddedDocuments, pop3: FakePop3, desk: Desk
) -> None:
    pop3.greeting = b"* OK IMAP4rev1 ready\r\n"
    assert "does not speak POP3" in poll(desk).failures[0]
