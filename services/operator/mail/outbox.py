"""Outgoing mail as people see it: find one, show it, send it now, hold it, cancel it."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from services.operator.errors import NotAvailable
from services.operator.finding import find_one
from services.operator.mail.actions import journal_action
from services.operator.view import values_of
from shared.contracts.events import NotificationQueued
from shared.lazy_dataclass import dataclass
from shared.runtime.outcome import Retry, Wait

if TYPE_CHECKING:
    from shared.app import App
    from shared.config.model import Configuration, MailServer
    from shared.store.outbox import OutboxMail, OutboxState

SENDABLE: Final[tuple[OutboxState, ...]] = ("unsent", "waiting", "failed", "held")
HOLDABLE: Final[tuple[OutboxState, ...]] = ("unsent", "waiting", "failed")
CANCELLABLE: Final[tuple[OutboxState, ...]] = ("unsent", "waiting", "failed", "blocked", "held")
_LISTED: Final = (
    *("id", "to", "subject", "text", "kind", "record", "state", "message_id", "in_reply_to", "mail_id", "at", "reason"),
)
_UNDELIVERED: Final = ("address", "reason", "at", "mail_id")


@dataclass(frozen=True, slots=True)
class Sending:
    """The result of sending one mail: the mail as it is stored now, and the reason when it was not sent."""

    mail: OutboxMail
    reason: str


def find_outgoing(app: App, named: str) -> OutboxMail:
    """The outgoing mail with this id or this beginning of one. Raises `NotAvailable`."""
    return find_one(app.outbox, "outgoing mail", named)


def unsent(app: App) -> list[OutboxMail]:
    """Mail that no server is configured for, the oldest first."""
    return list(app.outbox.recent("unsent", 0))[::-1]


def send_now(app: App, mail: OutboxMail, *, by: str, reason: str = "") -> Sending:
    """Try to send one mail through the mail server of its inbox; who asked for it is kept in the mail's journal.

    Raises `NotAvailable` when it is in a state in which mail is not sent again, or no server is configured.
    """
    from services.notifier.stage import build

    if mail.state not in SENDABLE:
        raise NotAvailable(f"{mail.id} is {mail.state}; only {', '.join(SENDABLE)} mail can be sent")
    server = server_for(mail, app.directory.current())
    app.outbox.queue_again(mail.id, SENDABLE, server=server.name, from_=server.from_address or mail.from_)
    journal_action(app, mail.mail_id, app.clock.now(), "answer to be sent now", _why("asked for", by, reason))
    outcome = build(app).handle(NotificationQueued(mail.mail_id or "", mail.id))
    after = app.outbox.get(mail.id) or mail
    waiting = outcome.reason if isinstance(outcome, Retry | Wait) else ""
    return Sending(after, after.reason or waiting)


def hold(app: App, mail: OutboxMail, *, by: str, reason: str = "") -> None:
    """Let a mail that has not left wait until somebody sends it. Raises `NotAvailable` when it is too late."""
    _keep_back(app, mail, HOLDABLE, "held", by, reason)


def cancel(app: App, mail: OutboxMail, *, by: str, reason: str = "") -> None:
    """Cancel a mail that has not left, permanently. Raises `NotAvailable` when it is too late."""
    _keep_back(app, mail, CANCELLABLE, "cancelled", by, reason)


def _keep_back(
    app: App, mail: OutboxMail, states: tuple[OutboxState, ...], to: OutboxState, by: str, reason: str
) -> None:
    now, why = app.clock.now(), _why(to, by, reason)
    if not app.outbox.keep_back(mail.id, states, to, why, now):
        state = (app.outbox.get(mail.id) or mail).state
        raise NotAvailable(f"{mail.id} is {state}; only {', '.join(states)} mail can be {to}")
    if mail.mail_id:
        journal_action(app, mail.mail_id, now, f"answer {to}", why)


def _why(done: str, by: str, reason: str) -> str:
    return f"{done} by {by}" + (f": {reason.strip()}" if reason.strip() else "")


def server_for(mail: OutboxMail, configuration: Configuration) -> MailServer:
    """The server that the mail was queued for, its inbox's, or the first one. Raises `NotAvailable`."""
    inbox = configuration.inbox(mail.inbox or "")
    names = (mail.server, inbox.mail_server if inbox else None)
    found = next((server for name in names if name and (server := configuration.mail_server(name))), None)
    found = found or next(iter(configuration.mail_servers), None)
    if found is None:
        raise NotAvailable("no mail server is configured; add one under mail_servers and apply the configuration")
    return found


def outgoing_as_json(mail: OutboxMail) -> dict[str, Any]:
    """An outgoing mail as `outbox list --json` prints it."""
    failed = [values_of(each, _UNDELIVERED) for each in mail.undelivered]
    return {**values_of(mail, _LISTED), "outbox_id": mail.id, "undelivered": failed}


def outgoing_page_as_json(mail: OutboxMail) -> dict[str, Any]:
    """An outgoing mail as `outbox show --json` prints it."""
    more = {
        "from": mail.from_,
        "server": mail.server,
        "inbox": mail.inbox,
        "html": mail.html,
        "cc": list(mail.cc or ()),
    }
    files = [asdict(each) for each in mail.attachments or ()]
    return {**outgoing_as_json(mail), **more, "template": mail.template, "attachments": files}
