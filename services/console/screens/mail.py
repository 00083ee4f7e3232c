"""One mail: where it is and why, what it holds, and what a person may do with it."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Final

from services.console.endpoints import Endpoint
from services.console.visit import Forbidden, PageNotFound, Visit
from services.operator.errors import NotAvailable
from services.operator.mail import actions
from services.operator.mail.edited_copies import FIELDS, Edit, edit_form, retry_copy
from services.operator.mail.mail_content import (
    FRAME_POLICY,
    frame,
    header_lines,
    parsed,
    part_of,
    shown_text,
    source_text,
)
from services.operator.mail.mail_list import journey, same_message
from services.operator.mail.mails import MailOnIntake, mail_with_id, view_mail
from services.operator.permissions.access import Right
from services.operator.permissions.writes import Write
from services.operator.settings.allowed_senders import allow_sender, why_not
from shared.contracts.errors import PostroomError
from shared.store.dead_letters import LetterQuery
from shared.store.mail_copies import MailCopies

if TYPE_CHECKING:
    from starlette.responses import Response

    from shared.store.mails import StoredMail

TABS: Final = ("text", "html", "headers", "parts", "source")
MAX_COPIES: Final = 20
MAX_RELATED: Final = 20


def mail_of(visit: Visit) -> StoredMail:
    """The mail of the address. Raises `NotAvailable` when there is none, or its inbox is not the person's to see."""
    return mail_named(visit, visit.values["mail"])


def mail_named(visit: Visit, id_: str) -> StoredMail:
    """The same of another id."""
    mail = mail_with_id(visit.app, id_)
    if mail is None or not visit.who.sees(mail.inbox):
        raise PageNotFound
    return mail


def _stored(visit: Visit) -> StoredMail:
    mail = mail_of(visit)
    if isinstance(mail, MailOnIntake):
        raise NotAvailable("the mail waits on intake; no parser has stored it yet")
    return mail


def show(visit: Visit) -> Response:
    """The page of a mail."""
    mail = mail_of(visit)
    view = view_mail(visit.app, mail)
    stored = not isinstance(mail, MailOnIntake)
    tab = visit.text("tab")
    tab = tab if tab in TABS else "text"
    may_read = stored and visit.who.may(Right.READ_MAIL)
    copies = MailCopies(visit.app.documents)
    letters = list(visit.app.dead_letters.find(LetterQuery(mail_id=mail.id)))
    related = [each for each in same_message(visit.app, mail) if visit.who.sees(each.inbox)]
    return visit.page(
        "mail.html",
        mail=mail,
        stored=stored,
        next_step=view.next_step,
        steps=journey(visit.app, mail),
        tabs=TABS,
        tab=tab,
        may_read=may_read,
        may_operate=visit.who.may(Right.OPERATE),
        content=_content(visit, mail, tab) if may_read else {},
        letters=letters,
        open_letters=[each for each in letters if each.state == "open"],
        why_not_allowed=why_not(mail),
        copy=copies.get(mail.id),
        copies=copies.of(mail.id, MAX_COPIES),
        related=related[:MAX_RELATED],
    )


def _content(visit: Visit, mail: StoredMail, tab: str) -> dict[str, object]:
    """What a tab shows; a mail that cannot be read has its source and its headers all the same."""
    try:
        if tab == "source":
            text, cut = source_text(visit.app, mail)
            return {"text": text, "cut": cut}
        if tab == "headers":
            return {"headers": header_lines(visit.app, mail)}
        read = parsed(visit.app, mail)
    except (PostroomError, LookupError) as error:
        return {"problem": str(error)}
    if tab == "parts":
        return {"parts": read.attachments}
    if tab == "html":
        return {"has_html": read.html is not None}
    text, cut = shown_text(read.text)
    return {"text": text, "cut": cut}


def html(visit: Visit) -> Response:
    """The mail's HTML, for the frame of its page."""
    from starlette.responses import HTMLResponse

    headers = {"Content-Security-Policy": FRAME_POLICY, "X-Frame-Options": "SAMEORIGIN"}
    return HTMLResponse(frame(visit.app, _stored(visit)), headers=headers)


def download(visit: Visit) -> Response:
    """The exact bytes received, as a file."""
    mail = _stored(visit)
    return _file(visit.app.mails.source(mail), f"{mail.id[:12]}.eml", "message/rfc822")


def part(visit: Visit) -> Response:
    """A file of the mail. Its name and type are the sender's: it is never shown, only saved."""
    attachment, content = part_of(visit.app, _stored(visit), visit.values["part"], visit.text("name"))
    return _file(content, attachment.filename, "application/octet-stream")


def _file(content: bytes, name: str, media_type: str) -> Response:
    from urllib.parse import quote

    from starlette.responses import Response

    safe = "".join(each if each.isascii() and (each.isalnum() or each in "._- ") else "_" for each in name) or "part"
    long = quote(name[:100].encode("utf-8", "replace"))
    disposition = f"attachment; filename=\"{safe[:100]}\"; filename*=UTF-8''{long}"
    headers = {"Content-Disposition": disposition, "Content-Security-Policy": "sandbox; default-src 'none'"}
    return Response(content, media_type=media_type, headers=headers)


def release(visit: Visit) -> Response:
    """Let a rejected mail through."""
    mail = _stored(visit)
    actions.release(visit.app, mail.id, by=visit.who.name, reason=visit.reason())
    visit.note(Write.RELEASED_MAIL, mail.id)
    return visit.back(_after(visit, mail), "The mail is released: it goes through the stages once more.")


def replay(visit: Visit) -> Response:
    """Send the open dead letters of a mail back to their queues; a mail that lost its message gets a new one."""
    mail, reason = _stored(visit), visit.reason()
    letters = actions.replay_mail(visit.app, mail, by=visit.who.name, reason=reason)
    visit.note(Write.REPLAYED_MAIL, mail.id, reason)
    queue = "in the queue that it came from" if letters else "with the filter"
    return visit.back(_after(visit, mail), f"The message is back {queue}.")


def discard(visit: Visit) -> Response:
    """Close the open dead letters of a mail."""
    mail, reason = _stored(visit), visit.reason(needed=True)
    actions.with_letters_of(visit.app, mail.id, "discard", by=visit.who.name, reason=reason)
    visit.note(Write.DISCARDED_MAIL, mail.id, reason)
    return visit.back(_after(visit, mail), "The dead letter is closed; the mail stays stored.")


def _after(visit: Visit, mail: StoredMail) -> str:
    """Where to go on: the page of rejected mail when the action came from there."""
    return "/rejected" if visit.text("from") == "rejected" else f"/mails/{mail.id}"


def edit(visit: Visit) -> Response:
    """The form for a copy."""
    mail = _stored(visit)
    form = edit_form(visit.app, mail)
    return _edit_page(visit, mail, dict(form.headers), form.source, form.why_not, "")


def _edit_page(
    visit: Visit, mail: StoredMail, headers: dict[str, str], source: str | None, why_not: str, problem: str
) -> Response:
    return visit.page(
        "edit_copy.html",
        mail=mail,
        names=FIELDS,
        headers=headers,
        source=source,
        why_not=why_not,
        problem=problem,
        reason=visit.reason(),
        token=visit.text("token") or uuid.uuid4().hex,
    )


def retry(visit: Visit) -> Response:
    """Hand the edited copy in, and show it."""
    mail = _stored(visit)
    form = edit_form(visit.app, mail)
    headers = {name: visit.text(name, form.headers[name]) for name in FIELDS}
    source = _typed(visit, "source") if form.source is not None else None
    edit_ = Edit(headers, source, visit.text("token")[:100])
    try:
        id_ = retry_copy(visit.app, mail, edit_, by=visit.who.name, reason=visit.reason())
    except NotAvailable as error:
        return _edit_page(visit, mail, headers, source, form.why_not, str(error))
    visit.note(Write.HANDED_IN_COPY, f"{mail.id} as {id_}")
    return visit.back(f"/mails/{id_}", "The copy is on its way as a new mail. The original is unchanged.")


def _typed(visit: Visit, name: str) -> str | None:
    """A field exactly as it was typed; None when the form has none."""
    value = visit.form.get(name) if visit.form is not None else None
    return value if isinstance(value, str) else None


def allow_form(visit: Visit) -> Response:
    """What allowing the sender means, before it is done."""
    mail = _stored(visit)
    _require_every_inbox(visit)
    return visit.page("allow_sender.html", mail=mail, why_not=why_not(mail), problem="", reason="")


def allow(visit: Visit) -> Response:
    """Allow the sender of a rejected mail from now on."""
    mail, reason = _stored(visit), visit.reason()
    _require_every_inbox(visit)
    try:
        address = allow_sender(visit.app, mail, by=visit.who.name, reason=reason)
    except PostroomError as error:
        return visit.page("allow_sender.html", mail=mail, why_not=why_not(mail), problem=str(error), reason=reason)
    visit.note(Write.ALLOWED_SENDER, address)
    return visit.back(f"/mails/{mail.id}", f"Mail from {address} is accepted from now on. Release this one too.")


def _require_every_inbox(visit: Visit) -> None:
    if visit.who.inboxes is not None:
        raise Forbidden("an allowed sender counts for every inbox; ask somebody who sees all of them")


ENDPOINTS: Final = (
    Endpoint("GET", "/mails/{mail}", Right.VIEW, show),
    Endpoint("GET", "/mails/{mail}/html", Right.READ_MAIL, html),
    Endpoint("GET", "/mails/{mail}/download", Right.READ_MAIL, download),
    Endpoint("GET", "/mails/{mail}/parts/{part}", Right.READ_MAIL, part),
    Endpoint("POST", "/mails/{mail}/release", Right.OPERATE, release),
    Endpoint("POST", "/mails/{mail}/replay", Right.OPERATE, replay),
    Endpoint("POST", "/mails/{mail}/discard", Right.OPERATE, discard),
    Endpoint("GET", "/mails/{mail}/edit", Right.OPERATE, edit),
    Endpoint("POST", "/mails/{mail}/edit", Right.OPERATE, retry),
    Endpoint("GET", "/mails/{mail}/allow", Right.OPERATE, allow_form),
    Endpoint("POST", "/mails/{mail}/allow", Right.OPERATE, allow),
)
