"""A form of something that was removed meanwhile comes back with what was typed, and creates it anew."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from services.operator.permissions import access
from services.operator.settings.form_edits import ChangeAuthor, delete_stored
from services.operator.settings.form_kinds import INBOX
from shared.config.model import Inbox, MailServer
from shared.store.configuration import apply
from tests.builders import a_configuration, an_inbox
from tests.desk import Desk
from tests.services.console.conftest import Clients

if TYPE_CHECKING:
    from playwright.sync_api import Browser


def sales(desk: Desk) -> Inbox | None:
    """The stored inbox, if it is there."""
    return desk.app.directory.renew().inbox("sales")


@pytest.mark.req("VS-12")
def test_the_form_of_a_removed_mail_server_comes_back_also_with_the_fields_of_another_method(
    desk: Desk, clients: Clients
) -> None:
    server = MailServer("out", host="mail.example", from_address="support@example.com", block=True)
    desk.configure(a_configuration(an_inbox("support"), mail_servers=(server,)))
    apply(desk.store, a_configuration(an_inbox("support"), mail_servers=()), prune=True, by="ben", clock=desk.clock)
    client, path = clients("administrator"), "/mail-servers/out/settings"
    filled = {"protocol": "smtp", "host": "other.example", "from_address": "support@example.com", "block": "true"}
    for pressed in ({}, {"method": "show"}):
        late: Any = client.submit(path, **filled, **pressed)
        assert late.status_code == 409
        assert "out was removed since you opened this form" in late.text
        assert "create this mail server anew" in late.text
        assert "ben, 2026-11-20 12:00" in late.text
        assert 'value="other.example"' in late.text
        assert 'action="/mail-servers/new"' in late.text
    assert client.submit("/mail-servers/new", name="out", **filled).status_code == 303  # type: ignore[attr-defined]
    created = desk.app.directory.renew().mail_server("out")
    assert created is not None
    assert created.host == "other.example"


def test_who_removed_it_is_left_out_where_the_history_does_not_say(desk: Desk, clients: Clients) -> None:
    late: Any = clients("administrator").submit("/inboxes/sales/settings", protocol="none", address="a@example.com")
    assert late.status_code == 409
    assert "sales was removed since you opened this form" in late.text
    assert "Removed by" not in late.text


@pytest.mark.req("VS-12")
def test_what_was_typed_for_an_inbox_that_was_removed_meanwhile_is_kept(
    desk: Desk, served: str, chromium: Browser
) -> None:
    desk.configure(a_configuration(an_inbox("support"), an_inbox("sales", address="sales@example.com")))
    secret = access.sign_in(desk.app, access.add_user(desk.app, "Ann", "administrator"), "test")
    context = chromium.new_context(java_script_enabled=False)
    context.add_cookies([{"name": "postroom", "value": secret, "url": served}])
    page = context.new_page()
    page.goto(f"{served}inboxes/sales/settings")
    delete_stored(desk.app, INBOX, "sales", ChangeAuthor("ben", "sales <b>moved</b>"))
    page.click("summary:has-text('Records')")
    page.fill("[name=owner_team]", "Sales team")
    page.fill("[name=reason]", "mine")
    page.click("button.main:has-text('Save')")
    said = page.inner_text("main .problem")
    assert "sales was removed since you opened this form, and nothing was saved" in said
    assert "save again to create this inbox anew with the values below" in said
    assert "ben, 2026-11-20 12:00:00: sales <b>moved</b>" in said
    assert sales(desk) is None
    typed = {each: page.input_value(f"[name={each}]") for each in ("name", "address", "owner_team", "reason")}
    assert list(typed.values()) == ["sales", "sales@example.com", "Sales team", "mine"]
    page.click("button.main:has-text('Save')")
    assert "Saved." in page.inner_text("main")
    context.close()
    created = sales(desk)
    assert created is not None
    assert (created.address, created.owner_team) == ("sales@example.com", "Sales team")
