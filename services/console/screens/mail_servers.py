"""Mail servers: where answers leave, the latest test of each, and its settings; for administrators (VS-11)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from services.console.endpoints import Endpoint
from services.console.settings_pages import WEB_METHODS, SettingsPages
from services.console.visit import PageNotFound
from services.operator.inbox import mail_servers as operator
from services.operator.inbox.mail_servers import TestMail
from services.operator.permissions.access import Right
from services.operator.permissions.writes import Write
from services.operator.settings.configuration import configuration_changes
from services.operator.settings.form_edits import Saved, stored_form
from services.operator.settings.form_kinds import MAIL_SERVER

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.console.visit import Visit
    from services.operator.inbox.mail_servers import MailServerRow

METHODS: Final = (
    ("smtp", "SMTP", "A mail server, with a user name and a password, an access token, or without a login."),
    *WEB_METHODS,
)
"""The methods by which mail leaves: protocol, its name, and for whom it is."""
PAGES: Final = SettingsPages(
    MAIL_SERVER,
    "/mail-servers",
    METHODS,
    question="How does mail leave?",
    saving="Saving a mail server that is not blocked tests its connection.",
)


def every_server(visit: Visit) -> Response:
    """The list."""
    return visit.page("mail_servers.html", rows=operator.mail_server_rows(visit.app))


def one_server(visit: Visit) -> Response:
    """One server: what it does, its latest test, what is missing, who changed it."""
    row = _row(visit)
    shown = stored_form(visit.app, MAIL_SERVER, row.server.name)
    return visit.page(
        "mail_server.html",
        row=row,
        server=row.server,
        missing=[each for each in shown.form.fields.values() if each.missing or each.problem],
        notes=shown.notes,
        changes=list(configuration_changes(visit.app, 5, thing=f"mail_servers/{row.server.name}")),
        mail=TestMail(),
    )


def _row(visit: Visit) -> MailServerRow:
    found = (each for each in operator.mail_server_rows(visit.app) if each.server.name == visit.values["name"])
    if (row := next(found, None)) is None:
        raise PageNotFound
    return row


def test(visit: Visit) -> Response:
    """Test the connection and keep the result (NE-24)."""
    name = _row(visit).server.name
    result = operator.check_mail_server(visit.app, name)
    visit.note(Write.TESTED_SERVER, name)
    return visit.back(PAGES.path(name), f"{name}: {result.message}")


test.__test__ = False  # type: ignore[attr-defined]  # not a test, whatever its name says to pytest


def clear_test(visit: Visit) -> Response:
    """Forget the latest test."""
    name = _row(visit).server.name
    operator.clear_test(visit.app, name)
    visit.note(Write.CLEARED_SERVER_TEST, name)
    return visit.back(PAGES.path(name), "The result was cleared.")


def test_mail(visit: Visit) -> Response:
    """Test the connection, and send a test mail when it works (NE-24)."""
    name = _row(visit).server.name
    to, cc, bcc = (tuple(visit.text(field).replace(",", " ").split()) for field in ("to", "cc", "bcc"))
    mail = TestMail(to, cc, bcc, visit.text("subject") or TestMail().subject, visit.text("text") or TestMail().text)
    result = operator.check_mail_server(visit.app, name, mail)
    visit.note(Write.SENT_TEST_MAIL, name)
    return visit.back(PAGES.path(name), result.message)


test_mail.__test__ = False  # type: ignore[attr-defined]


def new(visit: Visit) -> Response:
    """Choose a method, then fill in the form of that method."""
    return PAGES.new(visit)


def settings(visit: Visit) -> Response:
    """The form of one mail server."""
    return PAGES.settings(visit, _row(visit).server.name)


def save(visit: Visit) -> Response:
    """Save the form; a server that sends is tested then (NE-24). Another method shows its fields first."""
    saved = PAGES.save(visit)
    if not isinstance(saved, Saved):
        return saved
    server = operator.mail_server_named(visit.app, saved.name or "")
    said = "Saved." if saved.changed else "Nothing was changed."
    if not server.block:
        said += f" {operator.check_mail_server(visit.app, server.name).message}"
    return visit.back(PAGES.path(server.name), said)


def deletion(visit: Visit) -> Response:
    """Ask before a mail server is deleted (VS-13)."""
    row = _row(visit)
    used = f" It is used by {', '.join(row.inboxes)}: choose another one there first." if row.inboxes else ""
    means = f"Mail that was sent stays in the outbox. Mail that waits for this server is not sent through it.{used}"
    return PAGES.deletion(visit, row.server.name, means)


def delete(visit: Visit) -> Response:
    """Delete a mail server whose name was typed."""
    name = _row(visit).server.name
    return PAGES.delete(visit, name, f"{name} was deleted.")


ENDPOINTS: Final = (
    Endpoint("GET", "/mail-servers", Right.ADMINISTER, every_server, title="Mail servers"),
    Endpoint("GET", "/mail-servers/new", Right.ADMINISTER, new),
    Endpoint("POST", "/mail-servers/new", Right.ADMINISTER, save),
    Endpoint("GET", "/mail-servers/{name}", Right.ADMINISTER, one_server),
    Endpoint("GET", "/mail-servers/{name}/settings", Right.ADMINISTER, settings),
    Endpoint("POST", "/mail-servers/{name}/settings", Right.ADMINISTER, save),
    Endpoint("GET", "/mail-servers/{name}/delete", Right.ADMINISTER, deletion),
    Endpoint("POST", "/mail-servers/{name}/delete", Right.ADMINISTER, delete),
    Endpoint("POST", "/mail-servers/{name}/test", Right.ADMINISTER, test),
    Endpoint("POST", "/mail-servers/{name}/clear-test", Right.ADMINISTER, clear_test),
    Endpoint("POST", "/mail-servers/{name}/test-mail", Right.ADMINISTER, test_mail),
)
