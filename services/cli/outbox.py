"""`postroom outbox`: outgoing mail, sent and waiting; without a mail server it is sent by `outbox send` only."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import click

from services.cli import output
from services.cli.base import PROBLEM, Command, Group, as_json, is_all, note, opened, page_options, who
from services.cli.listing import Listing, Page
from services.operator.mail import outbox as actions
from services.operator.mail.outbox import (
    Sending,
    find_outgoing,
    outgoing_as_json,
    outgoing_page_as_json,
    send_now,
    unsent,
)
from services.operator.permissions.writes import Write
from shared.store.outbox import STATES
from shared.store.settings import timezone as timezone_of

if TYPE_CHECKING:
    from shared.app import App
    from shared.store.outbox import OutboxMail, OutboxState


@click.group(cls=Group)
def outbox() -> None:
    """Outgoing mail, sent and waiting."""


@outbox.command("list", cls=Command)
@click.option("--state", type=click.Choice(STATES), help="Mail in one state.")
@page_options
def list_mails(state: OutboxState | None, limit: int, skip: int) -> None:
    """List outgoing mail, newest first."""
    page = Page(limit, skip)
    with opened(store_only=True) as app:
        listing = Listing(
            outgoing_as_json,
            ("outbox", "at", "to", "subject", "kind", "record", "state", "reason"),
            partial(_row, timezone=timezone_of(app.documents)),
            f"no outgoing mail is {state}" if state else "no outgoing mail",
        )
        listing.show_page(app.outbox.recent(state, page.reach, skip), page)


def _row(mail: OutboxMail, timezone: str) -> tuple[object, ...]:
    at, to = output.local(mail.at, timezone), ", ".join(mail.to)
    return mail.id[:12], at, to, mail.subject, mail.kind, mail.record, mail.state, mail.reason


@outbox.command(cls=Command)
@click.argument("outbox_id")
def show(outbox_id: str) -> None:
    """Show one outgoing mail."""
    with opened(store_only=True) as app:
        mail = find_outgoing(app, outbox_id)
        timezone = timezone_of(app.documents)
    if as_json():
        output.emit(outgoing_page_as_json(mail))
        return
    output.facts(
        (
            ("outbox", mail.id),
            ("at", output.local(mail.at, timezone)),
            ("from", mail.from_),
            ("to", ", ".join(mail.to)),
            ("cc", ", ".join(mail.cc or ())),
            ("files", ", ".join(each.filename for each in mail.attachments or ())),
            ("subject", mail.subject),
            ("kind", mail.kind),
            ("record", mail.record),
            ("because of", mail.mail_id),
            ("in reply to", mail.in_reply_to),
            ("message id", mail.message_id),
            ("server", mail.server),
            ("state", mail.state),
            ("reason", mail.reason),
            *(("not delivered", f"{each.address}: {each.reason} (mail {each.mail_id})") for each in mail.undelivered),
        )
    )
    click.echo(f"\n{output.quoted(mail.text)}")


@outbox.command(cls=Command)
@click.argument("outbox_ids", metavar="OUTBOX_ID...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All unsent mail.")
@click.option("--reason", default="", metavar="TEXT", help="Kept with the mail.")
def send(outbox_ids: tuple[str, ...], *, everything: bool, reason: str) -> int:
    """Send unsent, waiting or failed mail now, through the mail server of its inbox."""
    with opened() as app:
        if is_all(outbox_ids, everything=everything, what="outgoing mails"):
            chosen = _unsent(app)
        else:
            chosen = [find_outgoing(app, each) for each in outbox_ids]
        sendings = [_send(app, mail, reason) for mail in output.progress(chosen, "sending", len(chosen))]
    return 0 if all(each.mail.state == "sent" for each in sendings) else PROBLEM


@outbox.command(cls=Command)
@click.argument("outbox_ids", metavar="OUTBOX_ID...", nargs=-1, required=True)
@click.option("--reason", default="", metavar="TEXT", help="Kept with the mail.")
def hold(outbox_ids: tuple[str, ...], *, reason: str) -> None:
    """Hold mail that has not left until somebody sends it with outbox send."""
    _keep_back(outbox_ids, actions.hold, Write.HELD_OUTGOING, reason)


@outbox.command(cls=Command)
@click.argument("outbox_ids", metavar="OUTBOX_ID...", nargs=-1, required=True)
@click.option("--reason", default="", metavar="TEXT", help="Kept with the mail.")
def cancel(outbox_ids: tuple[str, ...], *, reason: str) -> None:
    """Cancel mail that has not left, permanently."""
    _keep_back(outbox_ids, actions.cancel, Write.CANCELLED_OUTGOING, reason)


def _keep_back(outbox_ids: tuple[str, ...], action: Callable[..., None], done: Write, reason: str) -> None:
    with opened() as app:
        for each in outbox_ids:
            mail = find_outgoing(app, each)
            action(app, mail, by=who(), reason=reason)
            note(app, done, mail.id, reason)
            after = find_outgoing(app, mail.id)
            output.result(outgoing_as_json(after), f"{after.state}  {after.id}  {', '.join(after.to)}")


def _unsent(app: App) -> list[OutboxMail]:
    found = unsent(app)
    if not found:
        click.echo("no outgoing mail is unsent", err=True)
    return found


def _send(app: App, mail: OutboxMail, reason: str) -> Sending:
    sending = send_now(app, mail, by=who(), reason=reason)
    note(app, Write.SENT_OUTGOING, mail.id, reason)
    after, why = sending.mail, f"  {sending.reason}" if sending.reason else ""
    output.result(outgoing_as_json(after), f"{after.state}  {after.id}  {', '.join(after.to)}{why}")
    return sending
