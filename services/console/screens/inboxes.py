"""Inboxes: what each does, and what a person may do with one: test, fetch now, stop, start; its settings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from services.console.endpoints import Endpoint
from services.console.settings_pages import WEB_METHODS, SettingsPages
from services.console.visit import PageNotFound
from services.operator.inbox import inboxes as operator
from services.operator.inbox.inbox_rows import inbox_rows
from services.operator.inbox.mail_servers import TestMail
from services.operator.mail.mails import journal_of
from services.operator.permissions.access import Right
from services.operator.permissions.writes import Write
from services.operator.service_desk.records import type_called
from services.operator.settings.configuration import configuration_changes
from services.operator.settings.form_edits import Saved, stored_form
from services.operator.settings.form_kinds import INBOX
from services.record_writer.sample import sample_mail
from shared.config.model import XML_EXPORT
from shared.contracts.errors import PostroomError
from shared.store.mails import MailQuery

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.console.visit import Visit
    from services.operator.inbox.inbox_rows import InboxRow
    from shared.app import App
    from shared.store.journal import JournalEntry
    from shared.store.mails import StoredMail

METHODS: Final = (
    ("imap", "IMAP", "A mailbox that is read with a user name and a password, or with an access token."),
    ("pop3", "POP3", "A mailbox without folders: its mail is deleted, or left there, once it is taken."),
    *WEB_METHODS,
    ("none", "Intake only", "No mailbox: programs or a mail server hand mail in."),
)
"""The methods by which mail comes in: protocol, its name, and for whom it is."""
PAGES: Final = SettingsPages(
    INBOX,
    "/inboxes",
    METHODS,
    question="How does its mail come in?",
    saving="Saving an inbox that is switched on tests its connection.",
)
WAITING_SHOWN, MAILS_LOGGED = 5, 10


def every_inbox(visit: Visit) -> Response:
    """The list."""
    return visit.page("inboxes.html", rows=inbox_rows(visit.app, visit.who.inboxes))


def one_inbox(visit: Visit) -> Response:
    """One inbox: state, latest test, what is missing, event log."""
    row, app = _row(visit), visit.app
    shown = stored_form(app, INBOX, row.name)
    return visit.page(
        "inbox.html",
        row=row,
        inbox=row.view.inbox,
        missing=[each for group in shown.form.groups for each in group.fields if each.missing or each.problem],
        notes=shown.notes,
        log=_event_log(app, row.name),
        changes=list(configuration_changes(app, 5, thing=f"inboxes/{row.name}")),
        server=operator.server_for_test_mail(app, row.name, addressed=True),
    )


def _row(visit: Visit) -> InboxRow:
    name = visit.values["name"]
    visit.see(name)
    found = next((each for each in inbox_rows(visit.app, {name})), None)
    if found is None:
        raise PageNotFound
    return found


def _event_log(app: App, name: str) -> list[tuple[StoredMail, list[JournalEntry]]]:
    """The newest mails of an inbox, each with what every stage decided (TI-06)."""
    mails = app.mails.recent(MailQuery(inbox=name), MAILS_LOGGED)
    return [(mail, journal_of(app, mail.id)) for mail in mails]


def waiting(visit: Visit) -> Response:
    """Mails that wait in the mailbox, not processed (VS-02)."""
    row = _row(visit)
    try:
        mails, refusal = operator.waiting_mails(visit.app, row.name, WAITING_SHOWN), ""
    except PostroomError as error:
        mails, refusal = (), str(error)
    return visit.page("inbox_waiting.html", row=row, mails=mails, refusal=refusal, most=WAITING_SHOWN)


def sample(visit: Visit) -> Response:
    """A sample mail for the people who write to the inbox (IV-43)."""
    row = _row(visit)
    inbox, text = row.view.inbox, ""
    if inbox.processor != XML_EXPORT:
        text = sample_mail(inbox, type_called(visit.app, visit.text("type") or inbox.processor))
    types = [each.name for each in visit.app.directory.current().types]
    return visit.page("inbox_sample.html", row=row, text=text, types=types, type=visit.text("type") or inbox.processor)


def test(visit: Visit) -> Response:
    """Test the connection and keep the result (IV-08)."""
    row = _row(visit)
    check = operator.check_connection(visit.app, row.name)
    visit.note(Write.TESTED_INBOX, row.name)
    return visit.back(PAGES.path(row.name), f"{row.name}: {check.message}")


test.__test__ = False  # type: ignore[attr-defined]  # not a test, whatever its name says to pytest


def clear_test(visit: Visit) -> Response:
    """Forget the latest test."""
    row = _row(visit)
    operator.clear_test(visit.app, row.name)
    visit.note(Write.CLEARED_INBOX_TEST, row.name)
    return visit.back(PAGES.path(row.name), "The result was cleared.")


def fetch(visit: Visit) -> Response:
    """Have the fetcher visit the mailbox at once."""
    row = _row(visit)
    operator.ask_for_visit(visit.app, row.name)
    visit.note(Write.ASKED_FOR_VISIT, row.name)
    return visit.back(_return_to(visit), f"{row.name} is visited at once, if a fetcher runs.")


def stop(visit: Visit) -> Response:
    """Take no more mail from it."""
    row, reason = _row(visit), visit.reason() or f"stopped by {visit.who.name}"
    operator.stop_inbox(visit.app, row.name, reason)
    visit.note(Write.STOPPED_INBOX, row.name, reason)
    return visit.back(_return_to(visit), f"{row.name} is stopped.")


def start(visit: Visit) -> Response:
    """Visit it again. One that is switched off needs an administrator: that is a setting."""
    row = _row(visit)
    if not row.view.inbox.enabled and not visit.who.may(Right.ADMINISTER):
        return visit.back(_return_to(visit), f"{row.name} is switched off in its settings; an administrator starts it.")
    operator.start_inbox(visit.app, row.name, by=visit.who.name)
    visit.note(Write.STARTED_INBOX, row.name)
    return visit.back(_return_to(visit), f"{row.name} is started.")


def test_mail(visit: Visit) -> Response:
    """Send a test mail from the inbox (NE-24)."""
    row = _row(visit)
    to, cc, bcc = (tuple(visit.text(name).replace(",", " ").split()) for name in ("to", "cc", "bcc"))
    server = operator.server_for_test_mail(visit.app, row.name, addressed=bool(to or cc or bcc))
    if server is None:
        return visit.back(PAGES.path(row.name), "No mail server could send it, or it has no user to send to.")
    mail = TestMail(to, cc, bcc, visit.text("subject") or TestMail().subject, visit.text("text") or TestMail().text)
    result = operator.send_test_mail(visit.app, row.name, server, mail)
    visit.note(Write.SENT_TEST_MAIL, row.name)
    return visit.back(PAGES.path(row.name), result.message)


test_mail.__test__ = False  # type: ignore[attr-defined]


def _return_to(visit: Visit) -> str:
    """The list, when the button was there."""
    return "/inboxes" if visit.text("from") == "list" else PAGES.path(visit.values["name"])


def new(visit: Visit) -> Response:
    """Choose a method, then fill in the form of that method."""
    return PAGES.new(visit)


def settings(visit: Visit) -> Response:
    """The form of one inbox."""
    return PAGES.settings(visit, _row(visit).name)


def save(visit: Visit) -> Response:
    """Save the form; an enabled inbox with a mailbox is tested then (TI-07). Another method shows its fields first."""
    saved = PAGES.save(visit)
    if not isinstance(saved, Saved):
        return saved
    inbox = operator.inbox_named(visit.app, saved.name or "")
    said = "Saved." if saved.changed else "Nothing was changed."
    if inbox.enabled and inbox.protocol != "none":
        said += f" {operator.check_connection(visit.app, inbox.name).message}"
    return visit.back(PAGES.path(inbox.name), said)


def deletion(visit: Visit) -> Response:
    """Ask before an inbox is deleted (IV-10)."""
    row = _row(visit)
    means = "Mail that came in, records and dead letters stay. No mail is taken from {} any more."
    return PAGES.deletion(visit, row.name, means.format(row.view.inbox.address))


def delete(visit: Visit) -> Response:
    """Delete an inbox whose name was typed."""
    row = _row(visit)
    return PAGES.delete(visit, row.name, f"{row.name} was deleted; its mail stays.")


ENDPOINTS: Final = (
    Endpoint("GET", "/inboxes", Right.VIEW, every_inbox, title="Inboxes"),
    Endpoint("GET", "/inboxes/new", Right.ADMINISTER, new),
    Endpoint("POST", "/inboxes/new", Right.ADMINISTER, save),
    Endpoint("GET", "/inboxes/{name}", Right.VIEW, one_inbox),
    Endpoint("GET", "/inboxes/{name}/waiting", Right.READ_MAIL, waiting),
    Endpoint("GET", "/inboxes/{name}/sample", Right.VIEW, sample),
    Endpoint("GET", "/inboxes/{name}/settings", Right.ADMINISTER, settings),
    Endpoint("POST", "/inboxes/{name}/settings", Right.ADMINISTER, save),
    Endpoint("GET", "/inboxes/{name}/delete", Right.ADMINISTER, deletion),
    Endpoint("POST", "/inboxes/{name}/delete", Right.ADMINISTER, delete),
    Endpoint("POST", "/inboxes/{name}/test", Right.OPERATE, test),
    Endpoint("POST", "/inboxes/{name}/clear-test", Right.OPERATE, clear_test),
    Endpoint("POST", "/inboxes/{name}/fetch", Right.OPERATE, fetch),
    Endpoint("POST", "/inboxes/{name}/stop", Right.OPERATE, stop),
    Endpoint("POST", "/inboxes/{name}/start", Right.OPERATE, start),
    Endpoint("POST", "/inboxes/{name}/test-mail", Right.ADMINISTER, test_mail),
)
