"""Rejected mail, grouped by the rule that rejected it: release, or always allow the sender."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from services.console.endpoints import Endpoint
from services.console.screens.mails import allowed_inboxes
from services.console.visit import Visit
from services.operator.mail.mail_list import rejected_groups
from services.operator.permissions.access import Right
from services.operator.settings.allowed_senders import why_not
from shared.store.mails import MailQuery

if TYPE_CHECKING:
    from starlette.responses import Response


NEWEST: Final = 25


def show(visit: Visit) -> Response:
    """The groups, and the newest mails of one or of all."""
    query = MailQuery(outcome="rejected", inboxes=allowed_inboxes(visit))
    rule = visit.text("rule")[:200] or None
    shown = MailQuery(outcome="rejected", inboxes=query.inboxes, rule=rule)
    mails = list(visit.app.mails.recent(shown, NEWEST))
    rows = [(mail, why_not(mail) is None) for mail in mails]
    return visit.page(
        "rejected.html",
        groups=rejected_groups(visit.app, query),
        rule=rule,
        rows=rows,
        newest=NEWEST,
        may_operate=visit.who.may(Right.OPERATE),
    )


ENDPOINTS: Final = (Endpoint("GET", "/rejected", Right.VIEW, show, title="Rejected"),)
