"""`postroom outbox`: outgoing mail, sent and waiting; without a mail server it leaves only by `outbox send`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click

from services.cli import output
from services.cli.base import PROBLEM, Command, Group, Problem, as_json, beginning_with, opened, page_options
from services.cli.listing import Listing, Page

if TYPE_CHECKING:
    from shared.app import App
    from shared.config.model import Configuration, MailServer
    from shared.store.documents import Document

STATES: Final = ("unsent", "waiting", "sending", "sent", "failed", "blocked")
SENDABLE: Final = ("unsent", "waiting", "failed")


@click.group(cls=Group)
def outbox() -> None:
    """Outgoing mail, sent and waiting."""


@outbox.command("list", cls=Command)
@click.option("--state", type=click.Choice(STATES), help="Mail in one state.")
@page_options
def list_mails(state: str | None, limit: int, skip: int) -> None:
    """List outgoing mail, newest first."""
    page = Page(limit, skip)
    with opened() as app:
        listing = Listing(
            summary,
            ("outbox", "at", "to", "subject", "kind", "record", "state"),
            partial(_row, timezone=app.directory.current().settings.timezone),
            f"no outgoing mail is {state}" if state else "no outgoing mail",
        )
        listing.tell(app.outbox.recent({"state": state} if state else {}, page.reach, skip), page)


def _row(mail: Mapping[str, Any], timezone: str) -> tuple[object, ...]:
    at, to = output.local(mail.get("at"), timezone), ", ".join(mail["to"])
    return mail["_id"][:12], at, to, mail["subject"], mail["kind"], mail.get("record"), mail["state"]


def summary(mail: Mapping[str, Any]) -> dict[str, Any]:
    """An outgoing mail as `outbox list --json` prints it."""
    keys = ("to", "subject", "text", "kind", "record", "state", "message_id", "in_reply_to", "mail_id", "at", "reason")
    return {"id": mail["_id"], **{key: mail.get(key) for key in keys}}


def one(app: App, named: str) -> Document:
    """The outgoing mail with this id or this beginning of one."""
    return app.outbox.get(named) or beginning_with(app, "outbox", "outgoing mail", named)


@outbox.command(cls=Command)
@click.argument("outbox_id")
def show(outbox_id: str) -> None:
    """Show one outgoing mail."""
    with opened() as app:
        mail = one(app, outbox_id)
        timezone = app.directory.current().settings.timezone
    if as_json():
        output.emit(
            {**summary(mail), "from": mail.get("from"), "server": mail.get("server"), "inbox": mail.get("inbox")}
        )
        return
    output.facts(
        (
            ("outbox", mail["_id"]),
            ("at", output.local(mail.get("at"), timezone)),
            ("from", mail.get("from")),
            ("to", ", ".join(mail["to"])),
            ("subject", mail["subject"]),
            ("kind", mail["kind"]),
            ("record", mail.get("record")),
            ("because of", mail.get("mail_id")),
            ("in reply to", mail.get("in_reply_to")),
            ("message id", mail.get("message_id")),
            ("server", mail.get("server")),
            ("state", mail["state"]),
            ("reason", mail.get("reason")),
        )
    )
    click.echo(f"\n{output.quoted(mail['text'])}")


@outbox.command(cls=Command)
@click.argument("outbox_ids", metavar="OUTBOX_ID...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Everything that is unsent.")
def send(outbox_ids: tuple[str, ...], *, everything: bool) -> int:
    """Send unsent, waiting or failed mail now, through the mail server of its inbox."""
    if everything == bool(outbox_ids):
        raise click.UsageError("name outgoing mails, or say --all")
    with opened() as app:
        chosen = _unsent(app) if everything else [one(app, each) for each in outbox_ids]
        states = [_sent(app, mail) for mail in output.progress(chosen, "sending", len(chosen))]
    return 0 if all(state == "sent" for state in states) else PROBLEM


def _unsent(app: App) -> list[Document]:
    found = list(app.outbox.recent({"state": "unsent"}, 0))[::-1]
    if not found:
        click.echo("no outgoing mail is unsent", err=True)
    return found


def _sent(app: App, mail: Document) -> str:
    """Try one; its state afterwards."""
    from services.notifier.stage import build
    from shared.contracts.events import NotificationQueued

    if mail["state"] not in SENDABLE:
        raise Problem(f"{mail['_id']} is {mail['state']}; only {', '.join(SENDABLE)} mail can be sent")
    server = server_for(mail, app.directory.current())
    facts = {"server": server.name, "tries": 0, "from": server.from_address or mail.get("from")}
    app.outbox.move(mail["_id"], SENDABLE, "waiting", **facts)
    outcome = build(app).handle(NotificationQueued(mail.get("mail_id") or "", mail["_id"]))
    after = app.outbox.get(mail["_id"]) or mail
    if as_json():
        output.emit(summary(after))
    else:
        why = after.get("reason") or getattr(outcome, "reason", "")
        click.echo(
            f"{after['state']}  {after['_id']}  {', '.join(after['to'])}" + (f"  {output.safe(why)}" if why else "")
        )
    return str(after["state"])


def server_for(mail: Document, configuration: Configuration) -> MailServer:
    """The server that the mail was queued for, its inbox's, or the first one."""
    inbox = configuration.inbox(mail.get("inbox") or "")
    names = (mail.get("server"), inbox.mail_server if inbox else None)
    found = next((server for name in names if name and (server := configuration.mail_server(name))), None)
    found = found or next(iter(configuration.mail_servers), None)
    if found is None:
        raise Problem("no mail server is configured; add one under mail_servers and apply the configuration")
    return found
