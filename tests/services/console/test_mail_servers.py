"""The screen of mail servers: a list, a form, tests with the documented sentences; for administrators alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from services.operator.permissions import access
from shared.config.model import MailServer, Settings
from shared.store.configuration import Made, revision, switch
from shared.store.configuration_changes import ConfigurationChanges
from tests.builders import a_configuration, an_inbox
from tests.desk import Desk
from tests.servers.smtp import SmtpServer
from tests.services.console.conftest import Clients

if TYPE_CHECKING:
    from playwright.sync_api import Browser

OUT = {
    "protocol": "smtp",
    "name": "out",
    "host": "127.0.0.1",
    "port": "9",
    "tls": "none",
    "verify_certificate": "true",
    "username": "desk@example.com",
    "password": "a typed password",
    "from_address": "support@example.com",
    "block": "",
}


@pytest.fixture
def smtp() -> Iterator[SmtpServer]:
    """A server that takes every mail."""
    with SmtpServer() as server:
        yield server


def server_named(desk: Desk, name: str = "out") -> MailServer:
    """The stored mail server."""
    found = desk.app.directory.renew().mail_server(name)
    assert found is not None
    return found


def test_a_new_mail_server_is_stored_and_tested_and_its_password_is_never_shown(desk: Desk, clients: Clients) -> None:
    client = clients("administrator")
    wrong: Any = client.submit("/mail-servers/new", **{**OUT, "port": "many", "host": ""})
    assert wrong.status_code == 409
    assert "is not a number from 1 to 65535" in wrong.text
    assert 'value="desk@example.com"' in wrong.text
    assert "a typed password" not in wrong.text
    saved: Any = client.submit("/mail-servers/new", **OUT, reason="answers")
    assert saved.headers["location"] == "/mail-servers/out"
    page = client.get("/mail-servers/out").text
    assert "Saved. The request failed. The server could not be reached" in page
    assert client.get("/mail-servers").text.count("The server could not be reached") == 1
    for path in ("/mail-servers", "/mail-servers/out", "/mail-servers/out/settings"):
        assert "a typed password" not in client.get(path).text
    password = server_named(desk).password
    assert password is not None
    assert password.reveal() == "a typed password"
    assert Path(password.file or "").stat().st_mode & 0o777 == 0o600
    (change,) = ConfigurationChanges(desk.store).since(revision(desk.store) - 1, 0)
    assert (change.by, change.reason, change.created) == ("administrator-1", "answers", ("mail_servers/out",))
    (done,) = desk.app.access.audit.recent(9)
    assert (done.what, done.about, done.why) == ("made a mail server", "out", "answers")


@pytest.mark.req("NE-24")
def test_connection_and_test_mail_are_tried_from_the_page(desk: Desk, clients: Clients, smtp: SmtpServer) -> None:
    server = MailServer("out", host="127.0.0.1", port=smtp.port, tls="none", from_address="support@example.com")
    desk.configure(a_configuration(an_inbox("support"), mail_servers=(server,)))
    client = clients("administrator")
    client.submit("/mail-servers/out/test")
    assert "out: The connection works" in client.get("/mail-servers/out").text
    client.submit("/mail-servers/out/test-mail", to="a@x.org, b@x.org", bcc="c@x.org", subject="Is it on?")
    page = client.get("/mail-servers/out").text
    assert "A test mail was sent to a@x.org, b@x.org, c@x.org through out." in page
    (mail,) = smtp.received
    assert (mail.sender, mail.recipients) == ("support@example.com", ["a@x.org", "b@x.org", "c@x.org"])
    assert b"Subject: Is it on?" in mail.content
    client.submit("/mail-servers/out/test-mail")
    assert "has no username to send to; name a recipient" in client.get("/mail-servers/out").text
    client.submit("/mail-servers/out/clear-test")
    assert "has not been tested yet" in client.get("/mail-servers/out").text
    done = [each.what for each in desk.app.access.audit.recent(9)]
    assert done.count("sent a test mail") == 2


@pytest.mark.req("VS-11")
def test_mail_servers_are_seen_and_changed_by_administrators_alone(desk: Desk, clients: Clients) -> None:
    server = MailServer("out", host="mail.example", from_address="support@example.com")
    desk.configure(a_configuration(an_inbox("support"), mail_servers=(server,)))
    pages = ("", "/new", "/new?protocol=smtp", "/out", "/out/settings", "/out/delete")
    writes = ("/new", "/out/settings", "/out/delete", "/out/test", "/out/clear-test", "/out/test-mail")
    for role, inboxes in (("viewer", ()), ("operator", ()), ("administrator", ("support",))):
        client = clients(role, inboxes=inboxes)
        assert {client.get(f"/mail-servers{path}").status_code for path in pages} == {403}, role
        submitted: list[Any] = [client.submit(f"/mail-servers{path}", **OUT, confirm="out") for path in writes]
        assert {each.status_code for each in submitted} == {403}, role
        assert "/mail-servers" not in client.get("/inboxes").text
    administrator = clients("administrator")
    assert {administrator.get(f"/mail-servers{path}").status_code for path in pages} == {200}
    assert administrator.get("/mail-servers/nowhere").status_code == 404
    assert [each.name for each in desk.app.directory.renew().mail_servers] == ["out"]


@pytest.mark.req("VS-13")
def test_a_mail_server_that_an_inbox_uses_is_not_deleted(desk: Desk, clients: Clients) -> None:
    server = MailServer("out", host="mail.example", from_address="support@example.com")
    desk.configure(a_configuration(an_inbox("support", mail_server="out"), mail_servers=(server,)))
    client, path = clients("administrator"), "/mail-servers/out/delete"
    assert "It is used by support" in client.get(path).text
    refused: Any = client.submit(path, confirm="out", revision=revision(desk.store))
    assert refused.status_code == 409
    assert "out" in [each.name for each in desk.app.directory.renew().mail_servers]
    desk.configure(a_configuration(an_inbox("support"), mail_servers=(server,)))
    client.submit(path, confirm="oot", revision=revision(desk.store))
    assert server_named(desk)
    client.submit(path, confirm="out", reason="moved", revision=revision(desk.store))
    assert desk.app.directory.renew().mail_servers == ()
    assert desk.app.access.audit.recent(1)[0].what == "deleted a mail server"


@pytest.mark.req("VS-12")
def test_a_save_that_somebody_overtook_is_asked_and_a_reason_is_needed_where_the_desk_wants_one(
    desk: Desk, clients: Clients
) -> None:
    server = MailServer("out", host="mail.example", from_address="support@example.com", block=True)
    settings = Settings(require_change_reason=True)
    desk.configure(a_configuration(an_inbox("support"), mail_servers=(server,), settings=settings))
    client, path, seen = clients("administrator"), "/mail-servers/out/settings", revision(desk.store)
    filled = {"protocol": "smtp", "host": "other.example", "verify_certificate": "true", "block": "true"}
    filled["from_address"] = "support@example.com"
    assert "say why" in client.submit(path, **filled, revision=seen).text  # type: ignore[attr-defined]
    switch(desk.store, "mail_servers", "out", "host", "third.example", Made(desk.clock.now(), "ben", "moved"))
    late: Any = client.submit(path, **filled, revision=seen, reason="mine")
    assert late.status_code == 409
    assert "somebody else has changed this too" in late.text
    assert "ben" in late.text
    assert 'value="other.example"' in late.text
    assert server_named(desk).host == "third.example"
    again: Any = client.submit(path, **filled, revision=revision(desk.store), reason="mine")
    assert again.status_code == 303
    assert server_named(desk).host == "other.example"


def test_a_mail_server_is_made_and_changed_in_a_browser_without_script(
    desk: Desk, served: str, chromium: Browser, smtp: SmtpServer
) -> None:
    """By clicks and keys; and axe finds nothing serious on the pages."""
    from axe_playwright_python.sync_playwright import Axe

    secret = access.sign_in(desk.app, access.add_user(desk.app, "Ann", "administrator"), "test")
    plain, scripted = chromium.new_context(java_script_enabled=False), chromium.new_context()
    for each in (plain, scripted):
        each.add_cookies([{"name": "postroom", "value": secret, "url": served}])
    page = plain.new_page()
    page.goto(served)
    page.click("nav a:has-text('Mail servers')")
    assert "There is no mail server yet" in page.inner_text("main")
    page.click("text=New mail server")
    page.click("main >> text=SMTP")
    page.fill("[name=name]", "out")
    page.fill("[name=host]", "127.0.0.1")
    page.fill("[name=port]", str(smtp.port))
    page.select_option("[name=tls]", "none")
    page.click("summary:has-text('Outgoing mail')")
    page.fill("[name=from_address]", desk.app.directory.current().inboxes[0].address)
    page.fill("[name=reason]", "answers")
    page.click("button.main:has-text('Save')")
    assert "Saved. The connection works" in page.inner_text("main")
    page.click("summary:has-text('Send a test mail')")
    page.fill("[name=to]", "a@x.org")
    page.click("button:has-text('Send')")
    assert "A test mail was sent to a@x.org through out." in page.inner_text("main")
    assert len(smtp.received) == 1
    looked, found = scripted.new_page(), dict[str, list[str]]()
    for path in ("/mail-servers/out", "/mail-servers/out/settings", "/mail-servers/out/delete", "/mail-servers/new"):
        looked.goto(served.rstrip("/") + path)
        looked.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
        wrong = [each for each in Axe().run(looked).response["violations"] if each["impact"] in {"serious", "critical"}]
        if wrong:
            found[path] = [f"{each['id']}: {each['nodes'][0]['html'][:120]}" for each in wrong]
    assert found == {}
    plain.close()
    scripted.close()
