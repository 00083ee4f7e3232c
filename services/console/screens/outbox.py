"""The outbox: outgoing mail, its state, and the server's words; send now, hold, cancel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, get_args

from services.console.endpoints import Endpoint
from services.console.visit import PageNotFound
from services.operator.errors import NotAvailable
from services.operator.mail import outbox as operator
from services.operator.paging import Page, page_of
from services.operator.permissions.access import Right
from services.operator.permissions.writes import Write
from shared.store.outbox import STATES, OutboxState

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.console.visit import Visit
    from shared.store.outbox import OutboxMail

SHOWN: Final = 50
MAX_SKIP: Final = 10_000


def every_mail(visit: Visit) -> Response:
    """The list, newest first."""
    state = _state(visit.text("state"))
    page = Page(SHOWN, visit.number("after", 0, MAX_SKIP))
    found = page_of(visit.app.outbox.recent(state, page.reach, page.skip, inboxes=visit.who.inboxes), page)
    counts = {each: visit.app.outbox.count(each) for each in STATES} if visit.who.inboxes is None else {}
    values: dict[str, Any] = {"next": found.next_skip, "skip": page.skip, "states": STATES, "counts": counts}
    return visit.page("outbox.html", mails=found.things, **values)


def _state(text: str) -> OutboxState | None:
    return next((each for each in get_args(OutboxState) if each == text), None)


def one_mail(visit: Visit) -> Response:
    """One outgoing mail; its text is shown to those who may read mail."""
    mail = _mail(visit)
    may = {
        "send": mail.state in operator.SENDABLE,
        "hold": mail.state in operator.HOLDABLE,
        "cancel": mail.state in operator.CANCELLABLE,
    }
    return visit.page("outgoing.html", mail=mail, can=may, reads=visit.who.may(Right.READ_MAIL))


def _mail(visit: Visit) -> OutboxMail:
    try:
        mail = operator.find_outgoing(visit.app, visit.values["mail"])
    except NotAvailable:
        raise PageNotFound from None
    visit.see(mail.inbox)
    return mail


def send(visit: Visit) -> Response:
    """Send it now."""
    mail = _mail(visit)
    sending = operator.send_now(visit.app, mail, by=visit.who.name, reason=visit.reason())
    visit.note(Write.SENT_OUTGOING, mail.id)
    said = f"It is {sending.mail.state}" + (f": {sending.reason}" if sending.reason else ".")
    return visit.back(f"/outbox/{mail.id}", said)


def hold(visit: Visit) -> Response:
    """Keep it until somebody sends it."""
    mail, reason = _mail(visit), visit.reason()
    operator.hold(visit.app, mail, by=visit.who.name, reason=reason)
    visit.note(Write.HELD_OUTGOING, mail.id, reason)
    return visit.back(f"/outbox/{mail.id}", "It is held until somebody sends it.")


def cancel(visit: Visit) -> Response:
    """Cancel it, permanently."""
    mail, reason = _mail(visit), visit.reason()
    operator.cancel(visit.app, mail, by=visit.who.name, reason=reason)
    visit.note(Write.CANCELLED_OUTGOING, mail.id, reason)
    return visit.back(f"/outbox/{mail.id}", "It is cancelled.")


ENDPOINTS: Final = (
    Endpoint("GET", "/outbox", Right.VIEW, every_mail, title="Outbox"),
    Endpoint("GET", "/outbox/{mail}", Right.VIEW, one_mail),
    Endpoint("POST", "/outbox/{mail}/send", Right.OPERATE, send),
    Endpoint("POST", "/outbox/{mail}/hold", Right.OPERATE, hold),
    Endpoint("POST", "/outbox/{mail}/cancel", Right.OPERATE, cancel),
)
