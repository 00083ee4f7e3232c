"""Try: what would become of a mail under today's rules, and why; nothing is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from services.console.endpoints import Endpoint
from services.console.screens.mail import mail_named
from services.console.visit import Visit
from services.operator.errors import NotAvailable
from services.operator.mail.mails import MailOnIntake
from services.operator.permissions.access import Right
from services.operator.trial.dry_run import dry_run
from services.parser.guarded import Overdue
from shared.contracts.errors import PostroomError

if TYPE_CHECKING:
    from starlette.responses import Response


MAX_UPLOAD: Final = 32 << 20
"""Bytes of a form with a file."""
MAX_PASTED: Final = 1 << 20
"""Characters of a mail that may be pasted; a file may be as large as the console takes."""


def form(visit: Visit) -> Response:
    """The form; with the name of a stored mail, its trace."""
    if not visit.text("mail"):
        return _page(visit, {}, "")
    mail = mail_named(visit, visit.text("mail"))
    if isinstance(mail, MailOnIntake):
        raise NotAvailable("the mail waits on intake; no parser has stored it yet")
    return _tried(visit, visit.app.mails.source(mail), mail.inbox, mail_id=mail.id, subject=mail.subject)


def run(visit: Visit) -> Response:
    """The trace of a mail that was uploaded or pasted."""
    default = visit.app.directory.current().default_inbox
    inbox = visit.text("inbox") or (default.name if default else "")
    visit.see(inbox)
    raw = _uploaded(visit) or visit.text("source")[:MAX_PASTED].encode("utf-8", "replace")
    if not raw.strip():
        return _page(visit, {}, "choose a file, or paste the source of a mail")
    return _tried(visit, raw, inbox or None)


def _uploaded(visit: Visit) -> bytes:
    """The bytes of the file that was chosen, empty without one."""
    from starlette.datastructures import UploadFile

    file = visit.form.get("file") if visit.form is not None else None
    if not isinstance(file, UploadFile):
        return b""
    with file.file as opened:
        return opened.read()


def _tried(visit: Visit, raw: bytes, inbox: str | None, **about: str) -> Response:
    try:
        run = dry_run(visit.app, raw, inbox)
        found: dict[str, Any] = run.as_json()
    except (PostroomError, Overdue) as error:
        return _page(visit, about, str(error))
    if not all(visit.who.sees(each.inbox) for each in run.existing_records()):
        return _page(visit, about, "the mail is about a record of an inbox that you do not see")
    return _page(visit, {**about, "found": found}, "")


def _page(visit: Visit, about: dict[str, Any], problem: str) -> Response:
    inboxes = [each.name for each in visit.app.directory.current().inboxes if visit.who.sees(each.name)]
    chosen = visit.text("inbox")
    return visit.page(
        "try.html",
        **{"mail_id": "", "subject": "", "found": None, **about},
        inboxes=inboxes,
        chosen=chosen,
        problem=problem,
        source=visit.text("source")[:MAX_PASTED],
    )


ENDPOINTS: Final = (
    Endpoint("GET", "/try", Right.READ_MAIL, form, title="Try"),
    Endpoint("POST", "/try", Right.READ_MAIL, run, max_body=MAX_UPLOAD),
)
