"""SMTP against a real server, well-behaved and not."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from services.notifier import send, smtp
from services.notifier.compose import Outgoing
from services.notifier.smtp import Deferred, MailRefused, ServerAccess, Uncertain
from shared.config.model import MailServer, Settings
from shared.contracts.errors import Misconfigured, Unavailable
from shared.contracts.mail import Address
from shared.mail_network import connection
from shared.mail_network.connection import (
    AuthenticationRefused,
    CleartextRefused,
    Step,
    TlsFailed,
    Unreachable,
    Unresolved,
)
from shared.mail_network.sasl import Credentials
from tests.servers.presence import PATIENCE_SECONDS, closed_port
from tests.servers.smtp import PASSWORD, USER, ScriptedServer, SmtpServer, drip
from tests.servers.tls import Certificate

MAIL = b"Subject: hello\r\nMessage-ID: <1@example.com>\r\n\r\n.dot\r\n..two\r\nend"
WHO = ServerAccess(Credentials(USER, PASSWORD))
FROM, TO = "desk@example.com", ["jane@example.com"]


@pytest.fixture
def trusted(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> Certificate:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.certificate))
    return certificate


@pytest.fixture
def server() -> Iterator[SmtpServer]:
    with SmtpServer() as running:
        yield running


def a_server(port: int, **options: object) -> MailServer:
    given = {"host": "localhost", "port": port, "tls": "none", "from_address": FROM, "timeout": timedelta(seconds=60)}
    return MailServer("default", **(given | options))  # type: ignore[arg-type]


@pytest.mark.req("NE-20")
def test_mail_arrives_byte_for_byte(server: SmtpServer) -> None:
    sent = smtp.send(a_server(server.port), MAIL, FROM, ["jane@example.com", "joe@example.com"])
    (received,) = server.received
    assert (received.sender, received.recipients) == (FROM, ["jane@example.com", "joe@example.com"])
    assert received.content == MAIL + b"\r\n"
    assert sent.accepted == ("jane@example.com", "joe@example.com")


@pytest.mark.req("VS-09")
@pytest.mark.parametrize("auth", ["auto", "plain", "login"])
def test_a_login_over_starttls_takes_a_password_beyond_ascii(trusted: Certificate, auth: str) -> None:
    with SmtpServer(tls="starttls", certificate=trusted, auth=True) as running:
        smtp.send(a_server(running.port, tls="starttls", auth=auth), MAIL, FROM, TO, access=WHO)
        assert running.received[0].user == USER


@pytest.mark.req("NE-20")
def test_a_mail_is_sent_over_implicit_tls(trusted: Certificate) -> None:
    with SmtpServer(tls="implicit", certificate=trusted) as running:
        smtp.send(a_server(running.port, tls="implicit"), MAIL, FROM, TO)
        assert len(running.received) == 1


def test_a_wrong_password_is_distinguished_from_an_outage(trusted: Certificate) -> None:
    wrong = ServerAccess(Credentials(USER, "wrong"))
    with SmtpServer(tls="starttls", certificate=trusted, auth=True) as running:
        with pytest.raises(AuthenticationRefused):
            smtp.send(a_server(running.port, tls="starttls"), MAIL, FROM, TO, access=wrong)
        assert running.received == []


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.req("IV-09")
def test_auto_sends_no_password_in_clear_text_unless_allowed() -> None:
    with SmtpServer(auth=True) as running:
        with pytest.raises(Misconfigured):
            smtp.send(a_server(running.port), MAIL, FROM, TO, access=WHO)
        allowed = ServerAccess(Credentials(USER, PASSWORD), allow_cleartext_auth=True)
        smtp.send(a_server(running.port), MAIL, FROM, TO, access=allowed)
        assert running.received[0].user == USER


@pytest.mark.req("TI-05")
def test_a_server_with_an_unknown_certificate_gets_nothing_unless_that_is_allowed(certificate: Certificate) -> None:
    with SmtpServer(tls="starttls", certificate=certificate, auth=True) as running:
        with pytest.raises(TlsFailed, match="certificate"):
            smtp.send(a_server(running.port, tls="starttls"), MAIL, FROM, TO, access=WHO)
        unverified = a_server(running.port, tls="starttls", verify_certificate=False)
        smtp.send(unverified, MAIL, FROM, TO, access=WHO)
        assert len(running.received) == 1


def test_server_without_starttls_gets_nothing_in_clear_text(server: SmtpServer) -> None:
    with pytest.raises(TlsFailed, match="STARTTLS"):
        smtp.send(a_server(server.port, tls="starttls"), MAIL, FROM, TO)
    assert server.received == []


@pytest.mark.parametrize(
    ("answer", "error"),
    [("550 5.7.1 no", MailRefused), ("451 4.3.0 later", Deferred), ("421 4.3.2 closing", Unreachable)],
)
def test_answers_to_the_mail_are_distinguished(server: SmtpServer, answer: str, error: type[Exception]) -> None:
    server.faults.data_answer = answer
    with pytest.raises(error):
        smtp.send(a_server(server.port), MAIL, FROM, TO)


def test_refused_recipients_do_not_stop_the_others(server: SmtpServer) -> None:
    server.faults.recipient_answers = {"gone@example.com": "550 5.1.1 unknown", "full@example.com": "452 4.2.2 full"}
    sent = smtp.send(a_server(server.port), MAIL, FROM, ["gone@example.com", *TO, "full@example.com"])
    assert sent.accepted == tuple(TO)
    assert [(each, str(reply)) for each, reply in sent.refused] == [
        ("gone@example.com", "550 5.1.1 unknown"),
        ("full@example.com", "452 4.2.2 full"),
    ]
    assert server.received[0].recipients == TO


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({"a@example.com": "550 no", "b@example.com": "550 no"}, MailRefused),
        ({"a@example.com": "550 no", "b@example.com": "450 wait"}, Deferred),
    ],
)
def test_nobody_accepted_is_permanent_only_when_all_refusals_are(
    server: SmtpServer, answers: dict[str, str], error: type[Exception]
) -> None:
    server.faults.recipient_answers = answers
    with pytest.raises(error):
        smtp.send(a_server(server.port), MAIL, FROM, list(answers))
    assert server.received == []


def test_a_connection_that_ends_before_the_answer_leaves_the_status_unknown(server: SmtpServer) -> None:
    server.faults.drop = 1
    with pytest.raises(Uncertain):
        smtp.send(a_server(server.port), MAIL, FROM, TO)
    assert len(server.received) == 1


@pytest.mark.req("PR-15")
def test_a_lost_answer_makes_one_retry_under_the_same_message_id(server: SmtpServer) -> None:
    server.faults.drop = 1
    send.deliver(a_mail(), a_server(server.port), Settings())
    first, second = server.received
    assert first.content == second.content
    assert b"Message-ID: <7@example.com>\r\n" in first.content


def test_two_lost_answers_are_left_to_the_caller(server: SmtpServer) -> None:
    server.faults.drop = 5
    with pytest.raises(Uncertain):
        send.deliver(a_mail(), a_server(server.port), Settings())
    assert len(server.received) == 2


@pytest.mark.parametrize("answer", ["451 4.7.1 wait", "554 5.7.1 seen before", "421 4.3.2 closing"])
def test_a_refusal_after_a_lost_answer_leaves_the_status_unknown(server: SmtpServer, answer: str) -> None:
    """The first try may have arrived: another one later would double it, and `failed` would be too much to say."""
    server.faults.drop, server.faults.data_answer = 1, answer
    with pytest.raises(Uncertain, match=f"; then {answer}"):
        send.deliver(a_mail(), a_server(server.port), Settings())


@pytest.mark.req("NE-21")
def test_blocked_server_sends_nothing(server: SmtpServer) -> None:
    with pytest.raises(send.Blocked):
        send.deliver(a_mail(), a_server(server.port, block=True), Settings())
    assert server.received == []


@pytest.mark.req("NE-21")
def test_override_recipient_replaces_everybody(server: SmtpServer) -> None:
    send.deliver(a_mail(), a_server(server.port, override_recipient="test@example.com"), Settings())
    (received,) = server.received
    assert received.recipients == ["test@example.com"]
    assert b"jane@" not in received.content
    assert b"boss@" not in received.content


def test_address_beyond_ascii_needs_smtputf8() -> None:
    with SmtpServer() as able:
        smtp.send(a_server(able.port), MAIL, FROM, ["jürgen@example.com"])
        assert able.received[0].recipients == ["jürgen@example.com"]
    with SmtpServer(utf8=False) as unable, pytest.raises(MailRefused, match="SMTPUTF8"):
        smtp.send(a_server(unable.port), MAIL, FROM, ["jürgen@example.com"])


def test_line_break_in_an_address_injects_no_command(server: SmtpServer) -> None:
    with pytest.raises(MailRefused, match="is not an address"):
        smtp.send(a_server(server.port), MAIL, FROM, ["a@example.com>\r\nRCPT TO:<b@example.com"])
    assert server.received == []


def test_server_that_sends_one_byte_at_a_time_is_given_up() -> None:
    stop = threading.Event()
    with ScriptedServer(drip(b"220-hello\r\n", 0.05, stop)) as slow:
        try:
            with pytest.raises(Unreachable):
                smtp.send(a_server(slow.port, timeout=timedelta(seconds=0.5)), MAIL, FROM, TO)
        finally:
            stop.set()


def test_server_whose_greeting_never_ends_is_given_up() -> None:
    def flood(connection: socket.socket) -> None:
        for _ in range(10_000):
            connection.sendall(b"220-hello\r\n" * 1000)

    with ScriptedServer(flood) as endless, pytest.raises(Unreachable, match="endless"):
        smtp.send(a_server(endless.port), MAIL, FROM, TO)


@pytest.mark.parametrize(
    ("said", "error", "reason"),
    [
        (b"552 5.3.4 too large\r\n", MailRefused, "552 5.3.4 too large"),
        (b"", Unreachable, "Broken pipe|reset"),
    ],
    ids=["says why", "says nothing"],
)
def test_a_server_that_closes_in_the_middle_of_the_content(said: bytes, error: type[Exception], reason: str) -> None:
    """What it said before is its answer: else a mail that is too large for it would be tried for ever."""

    def talk(connection: socket.socket) -> None:
        answers = {b"EHLO": b"250 test\r\n", b"DATA": b"354 go on\r\n"}
        connection.sendall(b"220 test\r\n")
        with connection.makefile("rb") as commands:
            for line in commands:
                command = line.strip()[:4].upper()
                connection.sendall(answers.get(command, b"250 ok\r\n"))
                if command == b"DATA":
                    break
        connection.sendall(said)
        connection.close()

    with ScriptedServer(talk) as server, pytest.raises(error, match=reason):
        smtp.send(a_server(server.port), MAIL + b"\r\nx" * 5_000_000, FROM, TO)


def test_nobody_listening_is_unavailable() -> None:
    with closed_port() as port, pytest.raises(Unavailable):
        smtp.send(a_server(port), MAIL, FROM, TO)


@pytest.mark.req("IV-11")
def test_method_that_smtp_lacks_says_so(server: SmtpServer) -> None:
    with pytest.raises(Misconfigured, match="auth regular does not exist for smtp"):
        smtp.send(a_server(server.port, auth="regular"), MAIL, FROM, TO, access=WHO)


@pytest.mark.parametrize("auth", ["digest-md5", "plain"])
def test_a_server_that_offers_no_login_without_tls_says_so(server: SmtpServer, auth: str) -> None:
    with pytest.raises(CleartextRefused):
        smtp.send(a_server(server.port, auth=auth), MAIL, FROM, TO, access=WHO)


@pytest.mark.req("NE-24")
def test_connection_test_tells_what_failed_first(trusted: Certificate) -> None:
    with SmtpServer(tls="starttls", certificate=trusted, auth=True) as running, closed_port() as nobody:
        good = a_server(running.port, tls="starttls")
        results = [
            smtp.check(good, access=WHO),
            smtp.check(good, access=ServerAccess(Credentials(USER, "wrong"))),
            smtp.check(a_server(running.port, tls="implicit"), access=WHO),
            smtp.check(a_server(nobody), access=WHO),
            smtp.check(a_server(25, host="no.such.host.invalid"), access=WHO),
            smtp.check(a_server(25, host="http://mail"), access=WHO),
        ]
    assert [each.step for each in results] == [
        *(Step.DONE, Step.LOGIN, Step.TLS, Step.CONNECT, Step.NAME, Step.URL),
    ]
    assert "Verify the credentials." in results[1].message
    assert "'no.such.host.invalid'" in results[4].message
    assert results[5].message.startswith("Invalid URL: The host name could not be parsed.")


@pytest.mark.req("NE-24")
def test_implicit_tls_on_a_plain_port_suggests_starttls(server: SmtpServer) -> None:
    result = smtp.check(a_server(server.port, tls="implicit"))
    assert (result.step, "set tls to starttls" in result.message) == (Step.TLS, True)


@pytest.mark.req("NE-24")
@pytest.mark.parametrize("tls", ["none", "starttls"])
def test_a_port_that_begins_with_tls_suggests_implicit(
    trusted: Certificate, monkeypatch: pytest.MonkeyPatch, tls: str
) -> None:
    monkeypatch.setattr(connection, "GREETING_SECONDS", 0.2)
    with SmtpServer(tls="implicit", certificate=trusted) as running:
        result = smtp.check(a_server(running.port, tls=tls))
    assert (result.step, "set tls to implicit" in result.message) == (Step.TLS, True)


def test_a_server_that_greets_late_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "GREETING_SECONDS", 0.01)
    asked = threading.Event()

    def talk(client: socket.socket) -> None:
        asked.wait(PATIENCE_SECONDS)  # until the client has lost patience, and asked whether TLS is wanted
        client.sendall(b"220 late\r\n")
        client.recv(100)
        client.sendall(b"250 ok\r\n")
        client.recv(100)
        client.sendall(b"221 bye\r\n")

    def probe(where: tuple[str, int]) -> bool:
        asked.set()
        return False

    monkeypatch.setattr(connection, "_begins_with_tls", probe)
    with ScriptedServer(talk) as late:
        assert smtp.check(a_server(late.port)).ok


def test_unresolved_name_is_unavailable_and_named() -> None:
    with pytest.raises(Unresolved, match=r"^the host name 'no\.such\.host\.invalid' cannot be resolved$"):
        smtp.send(a_server(25, host="no.such.host.invalid"), MAIL, FROM, TO)


def a_mail() -> Outgoing:
    return Outgoing(
        message_id="<7@example.com>",
        date=datetime(2026, 1, 2, tzinfo=UTC),
        to=(Address("Jane", "jane@example.com"),),
        cc=(Address("", "boss@example.com"),),
        subject="Call 7",
        text="Hello",
    )
