"""Mailboxes on the web through the whole desk: token, fetch, record, archive, answer; against stubs over TLS."""

from __future__ import annotations

import threading
from email import message_from_bytes
from pathlib import Path
from typing import Any

import pytest

from services import runner
from services.fetcher import support
from services.operator.health import doctor
from services.operator.inbox import inboxes, mail_servers
from services.operator.inbox.mail_servers import TestMail
from shared.config.model import Configuration, Google, Inbox, MailServer, OAuth
from shared.config.problems import InvalidConfiguration
from shared.config.reading import load_bytes
from shared.config.values import Secret
from shared.mail_network import sasl
from tests.desk import Desk
from tests.servers.microsoft import CLIENT, OTHER, SECRET, SUPPORT, TENANT, MicrosoftStub, error, throttled


def an_application(stub: MicrosoftStub, **options: Any) -> OAuth:
    """The application at the stub's tenant."""
    stated = {"client_id": CLIENT, "client_secret": Secret("${GRAPH_SECRET}"), "tenant_id": TENANT}
    return OAuth(**(stated | {"authority": stub.url, "endpoint": stub.url} | options))


def use_microsoft(desk: Desk, stub: MicrosoftStub, *more: Inbox, **options: Any) -> None:
    """Read and send through the stub."""
    inbox = Inbox("support", SUPPORT, protocol="graph", oauth=an_application(stub), mail_server="m365", **options)
    server = MailServer("m365", protocol="graph", oauth=an_application(stub), from_address=SUPPORT)
    desk.configure(Configuration(inboxes=(inbox, *more), mail_servers=(server,)))


def run_once(desk: Desk) -> None:
    """What `postroom up --once` does: fetch, process, send."""
    runner.run_all(desk.app, threading.Event(), once=True)


def a_mail(number: int) -> bytes:
    """A mail of a customer."""
    return (
        f"From: Anna Becker <anna@customer.example>\r\nTo: {SUPPORT}\r\nSubject: Printer {number}\r\n"
        f"Message-ID: <printer-{number}@customer.example>\r\n\r\nIt is on fire ({number}).\r\n"
    ).encode()


@pytest.mark.req("TI-01", "TI-02", "TI-41", "NE-01", "NE-20", "IV-04")
def test_a_mail_at_microsoft_365_becomes_a_record_is_archived_and_answered(
    desk: Desk, microsoft: MicrosoftStub
) -> None:
    use_microsoft(desk, microsoft)
    microsoft.deliver(a_mail(1), a_mail(2))
    run_once(desk)
    assert [each["subject"] for each in desk.records("incident")] == ["Printer 1", "Printer 2"]
    assert microsoft.support.in_folder("Archive") == [a_mail(1), a_mail(2)]
    reply = a_mail(3).replace(b"Subject: Printer 3", b"Subject: [Incident - 1]")
    microsoft.deliver(reply)
    run_once(desk)
    (answer,) = microsoft.support.sent
    sent = message_from_bytes(answer)
    assert (sent["To"], sent["From"]) == ("anna@customer.example", SUPPORT)
    assert {each["state"] for each in desk.store.find("outbox", {})} == {"sent"}
    assert microsoft.scopes == [f"{microsoft.url}/.default"]  # one token for all of it


@pytest.mark.req("TI-02")
def test_an_application_without_rights_leaves_the_mail_and_says_what_is_missing(
    desk: Desk, microsoft: MicrosoftStub
) -> None:
    use_microsoft(desk, microsoft)
    microsoft.deliver(a_mail(1))
    microsoft.allowed.clear()
    run_once(desk)
    (view,) = inboxes.inbox_views(desk.app)
    assert view.running == "failing"
    assert "Inbox folder not found!" in (view.reason or "")
    assert "ErrorAccessDenied" in (view.reason or "")
    microsoft.allowed.add(SUPPORT)
    run_once(desk)
    assert len(desk.records()) == 1
    assert inboxes.inbox_views(desk.app)[0].running == "running"


@pytest.mark.req("TI-10")
def test_a_wrong_secret_stops_the_inbox_and_the_others_run_on(
    desk: Desk, microsoft: MicrosoftStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTHER_SECRET", "wrong")
    microsoft.accounts["second@example.com"] = microsoft.accounts[OTHER]
    wrong = an_application(microsoft, client_secret=Secret("${OTHER_SECRET}"), client_id="app-2")
    use_microsoft(desk, microsoft, Inbox("second", "second@example.com", protocol="graph", oauth=wrong))
    for number in range(1, 4):
        microsoft.deliver(a_mail(number))
        run_once(desk)
    views = {each.inbox.name: each for each in inboxes.inbox_views(desk.app)}
    assert len(desk.records()) == 3
    assert views["second"].running == "stopped"
    assert "not in this tenant" in (views["second"].reason or "") or "refused the login" in (
        views["second"].reason or ""
    )
    assert views["support"].running == "running"


@pytest.mark.req("NE-02")
@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"protocol": "ews", "ews_url": "https://mail.example.com/EWS/Exchange.asmx"}, "pip install 'postroom[ews]'"),
        ({"protocol": "gmail", "google": Google("a@p.example", Secret("${GRAPH_SECRET}"))}, "postroom[google]"),
        ({"protocol": "imap", "host": "localhost", "auth": "ntlm"}, "auth ntlm needs a library"),
    ],
    ids=["ews", "gmail", "ntlm"],
)
def test_an_inbox_whose_method_is_not_supported_is_disabled_with_the_reason_and_the_others_run_on(
    options: dict[str, Any],
    reason: str,
    desk: Desk,
    microsoft: MicrosoftStub,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(support, "is_installed", lambda _module: False)
    monkeypatch.setattr(sasl, "is_installed", lambda _module: False)
    support._reason.cache_clear()
    use_microsoft(desk, microsoft, Inbox("second", "second@example.com", password=Secret("${GRAPH_SECRET}"), **options))
    microsoft.deliver(a_mail(1))
    run_once(desk)
    views = {each.inbox.name: each for each in inboxes.inbox_views(desk.app)}
    said_by_doctor = [each for each in doctor.findings(desk.app) if each.what.startswith("second ")]
    support._reason.cache_clear()
    assert len(desk.records()) == 1
    assert (views["support"].running, views["second"].running) == ("running", "disabled")
    assert reason in (views["second"].reason or "")
    assert [(each.status, each.name) for each in said_by_doctor] == [("problem", "inbox-not-supported")]
    assert reason in said_by_doctor[0].what
    assert [each.getMessage() for each in caplog.records].count("inbox_not_supported") == 1


@pytest.mark.req("IV-08", "NE-24")
def test_inbox_and_mail_server_are_tested_and_a_test_mail_is_sent(desk: Desk, microsoft: MicrosoftStub) -> None:
    use_microsoft(desk, microsoft)
    check = inboxes.check_connection(desk.app, "support")
    assert check.ok
    stored = inboxes.inbox_views(desk.app)[0].state.test
    assert stored
    assert check.result
    assert (stored.message, stored.notes) == (check.message, check.result.notes)
    mail = TestMail(
        ("anna@customer.example",), ("bert@customer.example",), ("hidden@customer.example",), "Tést", "Text"
    )
    result = mail_servers.check_mail_server(desk.app, "m365", mail)
    assert result.ok, result.message
    sent = message_from_bytes(microsoft.support.sent[0])
    assert (sent["To"], sent["Cc"], sent["Bcc"]) == (
        "anna@customer.example",
        "bert@customer.example",
        "hidden@customer.example",
    )
    microsoft.fail("POST .*sendMail", 403, error(403, "ErrorAccessDenied").body)
    refused = mail_servers.check_mail_server(desk.app, "m365")
    assert not refused.ok
    mail_servers.clear_test(desk.app, "m365")
    assert mail_servers.mail_server_views(desk.app)[0].test is None


@pytest.mark.req("TI-13", "TI-02", "NE-01")
@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("protocol: graph", "inboxes[0].oauth"),
        ("protocol: graph, oauth: {client_secret: '${S}'}", "inboxes[0].oauth.client_id"),
        ("protocol: gmail", "inboxes[0].google"),
        ("protocol: ews, auth: ntlm", "inboxes[0].password"),
        ("protocol: ews, auth: oauth", "inboxes[0].oauth"),
        ("protocol: imap", "inboxes[0].host"),
    ],
)
def test_missing_mandatory_settings_are_named(text: str, named: str) -> None:
    with pytest.raises(InvalidConfiguration) as caught:
        load_bytes(f"inboxes: [{{name: a, address: a@example.com, {text}}}]".encode())
    assert any(each.path == named and "missing" in each.message for each in caught.value.problems), caught.value


@pytest.mark.req("VS-10")
def test_mapi_is_not_offered_and_the_page_of_protocols_names_what_to_use() -> None:
    with pytest.raises(InvalidConfiguration, match="graph"):
        load_bytes(b"inboxes: [{name: a, address: a@example.com, protocol: mapi}]")
    page = Path(__file__).parents[2].joinpath("docs", "mailboxes.md").read_text("utf-8")
    assert "MAPI is not offered" in page


def test_neither_secret_nor_token_is_logged_or_stored(
    desk: Desk, microsoft: MicrosoftStub, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    use_microsoft(desk, microsoft)
    microsoft.deliver(a_mail(1))
    microsoft.fail("GET .*value", 500, error(500, "ErrorInternalServerError").body)
    run_once(desk)
    microsoft.fail("POST .*token", 401, {"error": "invalid_client", "error_description": "no"}, times=9)
    run_once(desk)
    stored = [str(each) for name in ("inbox_state", "ledger", "outbox", "mails") for each in desk.store.find(name, {})]
    written = "\n".join([*stored, *(f"{each.getMessage()} {each.__dict__}" for each in caplog.records)])
    assert microsoft.issued
    assert SECRET not in written
    assert "token-1" not in written


@pytest.mark.req("VS-02")
def test_waiting_mail_is_shown_without_touching_it(desk: Desk, microsoft: MicrosoftStub) -> None:
    use_microsoft(desk, microsoft)
    microsoft.deliver(a_mail(1))
    (shown,) = inboxes.waiting_mails(desk.app, "support", 5)
    assert (shown.subject, shown.text.strip()) == ("Printer 1", "It is on fire (1).")
    assert microsoft.support.in_folder("Inbox") == [a_mail(1)]


def test_an_answer_that_a_limit_delays_waits_in_the_outbox_with_the_reason(
    desk: Desk, microsoft: MicrosoftStub
) -> None:
    use_microsoft(desk, microsoft)
    microsoft.fail("POST .*sendMail", 429, throttled("9").body, headers={"Retry-After": "9"}, times=99)
    result = mail_servers.check_mail_server(desk.app, "m365")
    assert "The server limits requests" in result.message
    assert "9 seconds" in result.message
