"""The commands that talk to mail servers, against a real Dovecot and a real SMTP server."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.builders import a_mail
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.smtp import SmtpServer
from tests.services.cli.conftest import Run

Write = Callable[[str, str | bytes], Path]
MAIL = a_mail("Ten chairs, please.\n", subject="Chairs")


@pytest.fixture(scope="module")
def running() -> Iterator[Dovecot]:
    with Dovecot() as server:
        yield server


@pytest.fixture
def dovecot(running: Dovecot, monkeypatch: pytest.MonkeyPatch) -> Dovecot:
    running.clear("bob")
    monkeypatch.setenv("BOB_PASSWORD", PASSWORD)
    return running


@pytest.fixture
def smtp() -> Iterator[SmtpServer]:
    with SmtpServer() as server:
        yield server


def mailbox(port: int, **keys: str) -> str:
    """A configuration with one IMAP inbox of bob's."""
    stated = {
        "name": "box",
        "address": "box@example.com",
        "protocol": "imap",
        "host": "localhost",
        "port": str(port),
        "tls": "none",
        "auth": "regular",
        "username": "bob",
        "password": "${BOB_PASSWORD}",
    } | keys
    return "inboxes:\n  - " + "\n    ".join(f"{key}: {value}" for key, value in stated.items()) + "\n"


def server(port: int, **keys: str) -> str:
    """A configuration with one mail server without a login."""
    stated = {"name": "out", "host": "localhost", "port": str(port), "tls": "none"} | keys
    return "mail_servers:\n  - " + "\n    ".join(f"{key}: {value}" for key, value in stated.items()) + "\n"


@pytest.mark.req("TI-07", "IV-08")
def test_an_apply_tests_the_connection_and_keeps_the_result(run: Run, write: Write, dovecot: Dovecot) -> None:
    done = run("config", "apply", write("p.yaml", mailbox(dovecot.port)))
    assert done.code == 0
    assert "test  box: The connection works." in done.out
    (seen,) = [each for each in run("inbox", "list", "--json").lines if each["name"] == "box"]
    assert seen["test"]["ok"] is True


@pytest.mark.req("IV-08")
def test_what_the_server_said_stands_beside_the_documented_sentence(
    run: Run, write: Write, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BOB_PASSWORD", "wrong")
    done = run("config", "apply", write("p.yaml", mailbox(dovecot.port)))
    said = "Verify the credentials. ([AUTHENTICATIONFAILED] Authentication failed"
    assert (done.code, said in done.out) == (1, True)


@pytest.mark.req("IV-08")
def test_a_test_tells_the_documented_sentence_and_exits_with_1(run: Run, write: Write, dovecot: Dovecot) -> None:
    run("config", "apply", write("p.yaml", mailbox(dovecot.port, folder="Nowhere")))
    done = run("inbox", "test", "box")
    assert done.code == 1
    assert done.out.startswith("Inbox folder not found! The name of the inbox folder is invalid.")
    assert run("inbox", "test", "box", "--json").line["step"] == "inbox-folder"


@pytest.mark.req("VS-02")
def test_a_peek_shows_a_waiting_mail_and_leaves_it(run: Run, write: Write, dovecot: Dovecot) -> None:
    run("config", "apply", write("p.yaml", mailbox(dovecot.port)))
    assert run("inbox", "peek", "box").out == "no mail waits\n"
    dovecot.deliver("bob", MAIL)
    seen = run("inbox", "peek", "box", "--json").line
    assert (seen["from"], seen["subject"]) == ("Anna Becker <anna@customer.example>", "Chairs")
    assert "Ten chairs, please." in seen["text"]
    assert len(dovecot.mails("bob", criteria="UNSEEN")) == 1
    assert run("mails", "list", "--json").lines == []


def test_a_run_takes_what_waits_and_a_stopped_inbox_nothing(run: Run, write: Write, dovecot: Dovecot) -> None:
    run("config", "apply", write("p.yaml", mailbox(dovecot.port)))
    dovecot.deliver("bob", MAIL)
    run("inbox", "stop", "box")
    assert run("up", "--once").out == "this run: nothing\nin all: no mail\n"
    run("inbox", "start", "box")
    run("inbox", "stop", "--all")
    assert run("up", "--once").out == "this run: nothing\nin all: no mail\n"
    run("inbox", "start", "--all")
    assert run("up", "--once").out == "this run: taken 1, recorded 1\nin all: recorded 1\n"
    assert run("mails", "list", "--json").line["subject"] == "Chairs"
    assert run("doctor").code == 0


@pytest.mark.req("IV-04", "PR-01")
def test_oversized_mail_is_archived_and_kept_as_rejected(run: Run, write: Write, dovecot: Dovecot) -> None:
    run("config", "apply", write("p.yaml", "settings: {max_mail_size: 2KB}\n" + mailbox(dovecot.port)))
    assert "visited" not in run("doctor").out
    dovecot.deliver("bob", MAIL + b"x" * 5000, MAIL)
    run("up", "--once")
    assert (dovecot.mails("bob"), len(dovecot.mails("bob", "Archive"))) == ([], 2)
    rejected = run("mails", "list", "--outcome", "rejected", "--json").line
    assert rejected["reason"].endswith("bytes; at most 2048 are taken")
    assert [each["state"] for each in run("inbox", "list", "--json").lines if each["name"] == "box"] == ["running"]
    done = run("doctor")
    assert (done.code, "box was visited without errors" in done.out) == (0, True)
    run("mails", "release", rejected["mail_id"])
    run("up", "--once")
    assert len(run("records", "list", "--json").lines) == 2


@pytest.mark.req("IV-08", "NE-24")
def test_a_test_mail_goes_to_the_servers_own_user(run: Run, write: Write, dovecot: Dovecot, smtp: SmtpServer) -> None:
    with_server = mailbox(dovecot.port) + server(
        smtp.port, from_address="box@example.com", override_recipient="trap@example.com"
    )
    run("config", "apply", write("p.yaml", with_server))
    assert run("inbox", "test", "box", "--send").code == 0
    assert smtp.received == []
    with_user = with_server.replace(
        "    tls: none\n    from_address",
        "    tls: none\n    username: desk@example.com\n"
        "    password: ${BOB_PASSWORD}\n    auth: none\n    from_address",
    )
    run("config", "apply", write("p.yaml", with_user))
    done = run("inbox", "test", "box", "--send")
    assert (done.code, done.err) == (0, "")
    assert [mail.recipients for mail in smtp.received] == [["trap@example.com"]]


@pytest.mark.req("NE-24")
def test_a_mail_server_is_tested_and_the_result_is_kept_until_it_is_cleared(
    run: Run, write: Write, smtp: SmtpServer
) -> None:
    assert run("mail-server", "list").out == "no mail servers\n"
    run("config", "apply", write("p.yaml", server(smtp.port, from_address="support@example.com")))
    assert run("mail-server", "test", "out").out == "The connection works.\n"
    assert run("mail-server", "list", "--json").line["test"]["ok"] is True
    run("mail-server", "test", "out", "--clear")
    assert run("mail-server", "list", "--json").line["test"] is None
    run("config", "apply", write("p.yaml", server(1, from_address="support@example.com")))
    failed = run("mail-server", "test", "out")
    assert (failed.code, "localhost:1: Connection refused" in failed.out) == (1, True)
    assert "Connection refused" in run("mail-server", "list").out
    assert run("mail-server", "test", "in").code == 1


@pytest.mark.req("NE-24")
def test_a_test_mail_has_the_recipients_subject_and_text_that_are_named(
    run: Run, write: Write, dovecot: Dovecot, smtp: SmtpServer
) -> None:
    run("config", "apply", write("p.yaml", mailbox(dovecot.port) + server(smtp.port, from_address="box@example.com")))
    to = ("--to", "a@example.com", "--cc", "b@example.com", "--bcc", "c@example.com")
    done = run("mail-server", "test", "out", *to, "--subject", "Hello", "--text", "Is it there?")
    assert (done.code, "A test mail was sent to a@example.com, b@example.com, c@example.com" in done.out) == (0, True)
    (received,) = smtp.received
    assert received.recipients == ["a@example.com", "b@example.com", "c@example.com"]
    assert b"Subject: Hello" in received.content
    assert b"Is it there?" in received.content
    lines = [line for line in received.content.splitlines() if not line.lower().startswith(b"message-id:")]
    assert b"c@example.com" not in b"\n".join(lines), "Bcc is in no header"
    assert run("inbox", "test", "box", *to).code == 0
    smtp.faults.mail_answer = "550 5.7.1 not you"
    refused = run("inbox", "test", "box", *to)
    assert (refused.code, "not sent through out: 550 5.7.1 not you" in refused.out) == (1, True)
    assert "550 5.7.1" in run("mail-server", "list", "--json").line["test"]["message"]
    assert run("mail-server", "test", "out", "--send").code == 1
    (box,) = [each for each in run("inbox", "list", "--json").lines if each["name"] == "box"]
    assert box["test"]["ok"] is True
    run("inbox", "test", "box", "--clear")
    (box,) = [each for each in run("inbox", "list", "--json").lines if each["name"] == "box"]
    assert box["test"] is None


def test_unsent_mail_is_sent_manually(run: Run, write: Write, smtp: SmtpServer) -> None:
    run("publish", "-", stdin=a_mail(Message_ID="<first@customer.example>"))
    run("up", "--once")
    run(
        "publish", "-", stdin=a_mail("One more thing.\n", subject="Re: Printer", In_Reply_To="<first@customer.example>")
    )
    run("up", "--once")
    waiting = run("outbox", "list", "--json").line
    assert {"id", "to", "subject", "text", "kind", "record", "state", "message_id", "in_reply_to"} <= set(waiting)
    assert (waiting["state"], waiting["to"]) == ("unsent", ["anna@customer.example"])
    done = run("outbox", "send", waiting["id"])
    assert (done.code, done.err) == (
        1,
        "Error: no mail server is configured; add one under mail_servers and apply the configuration\n",
    )
    run("config", "apply", write("p.yaml", server(smtp.port)))
    assert run("outbox", "send", "--all", "--json").line["state"] == "sent"
    (received,) = smtp.received
    assert received.recipients == ["anna@customer.example"]
    assert run("outbox", "show", waiting["id"][:10], "--json").line["state"] == "sent"
    assert run("outbox", "send", waiting["id"]).code == 1
    assert run("outbox", "send", "--all").code == 0


@pytest.mark.req("NE-21")
def test_a_blocked_server_sends_nothing_manually_either(run: Run, write: Write, smtp: SmtpServer) -> None:
    run("publish", "-", stdin=a_mail(Message_ID="<first@customer.example>"))
    run("up", "--once")
    run("publish", "-", stdin=a_mail("More.\n", subject="Re: Printer", In_Reply_To="<first@customer.example>"))
    run("up", "--once")
    run("config", "apply", write("p.yaml", server(smtp.port, block="true")))
    done = run("outbox", "send", "--all")
    assert done.code == 1
    assert done.out.startswith("blocked  ")
    assert smtp.received == []


def test_the_doctor_tells_of_a_failed_test_until_a_visit_gets_through(run: Run, write: Write, dovecot: Dovecot) -> None:
    assert run("config", "apply", write("p.yaml", mailbox(1))).code == 1
    done = run("doctor")
    assert done.code == 1
    assert "problem  inboxes        box: the connection test failed: The request failed." in done.out
    run("config", "apply", write("p.yaml", mailbox(dovecot.port)), "--no-test")
    run("up", "--once")
    assert run("doctor").code == 0


def test_a_run_tells_of_mail_that_it_could_not_fetch(run: Run, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOB_PASSWORD", PASSWORD)
    run("config", "apply", write("p.yaml", mailbox(1)), "--no-test")
    done = run("up", "--once")
    assert (done.code, done.out) == (1, "this run: nothing\nin all: no mail\n")
    assert (
        "problem: box is visited with errors; mail stays there: The request failed. The server could not be reached"
        in done.err
    )
    assert "localhost:1: Connection refused" in done.err
    run("inbox", "stop", "box", "--reason", "the server moves")
    done = run("up", "--once")
    assert (done.code, "note: box is stopped: the server moves" in done.err) == (0, True)
    found = run("doctor")
    assert found.code == 1
    assert re.search(r"box has been stopped for \d+ s: the server moves \(postroom inbox start box\)", found.out)


def test_a_peek_that_fails_says_so_in_the_sentence_of_the_test(
    run: Run, write: Write, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("config", "apply", write("p.yaml", mailbox(1)), "--no-test")
    away = run("inbox", "peek", "box")
    assert (away.code, away.err.startswith("Error: The request failed. The server could not be reached: ")) == (
        75,
        True,
    )
    run("config", "apply", write("p.yaml", mailbox(dovecot.port)), "--no-test")
    monkeypatch.setenv("BOB_PASSWORD", "wrong")
    refused = run("inbox", "peek", "box")
    assert (refused.code, "Verify the credentials. ([AUTHENTICATIONFAILED]" in refused.err) == (1, True)
