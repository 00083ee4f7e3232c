"""`postroom inbox`: which inboxes there are, and their states; test, peek, sample, stop and start."""

from __future__ import annotations

import sys
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from services.cli import output
from services.cli.base import PROBLEM, Command, Group, Problem, as_json, is_all, note, opened, who
from services.cli.mail_server import test_mail_options
from services.operator.inbox import inboxes
from services.operator.inbox.mail_servers import TestMail
from services.operator.permissions.writes import Write
from services.operator.service_desk.records import type_called
from services.operator.view import values_of
from services.record_writer.sample import sample_mail
from shared.config.model import XML_EXPORT

if TYPE_CHECKING:
    from shared.config.model import MailServer


_SETUP = "Set up an inbox: its configuration, the work at the provider, a test of each step."


@click.group(cls=Group, lazy={"setup": ("services.cli.inbox_setup:setup", _SETUP)})
def inbox() -> None:
    """Inboxes: set up, list, test, start, stop, peek, sample."""


@inbox.command("list", cls=Command)
def list_inboxes() -> None:
    """List inboxes with their last poll and their last connection test."""
    with opened(store_only=True) as app:
        views = inboxes.inbox_views(app)
        zone, now = app.directory.current().settings.timezone, app.clock.now()
    if as_json():
        for each in views:
            output.emit(each.as_json())
        return
    headings = ("inbox", "address", "protocol", "processor", "state", "polled", "tested", "reason")
    output.table(headings, (_row(each, zone, now) for each in views), empty="no inboxes")


def _row(view: inboxes.InboxView, zone: str, now: datetime) -> tuple[object, ...]:
    of, polled, test = view.inbox, output.local(view.state.polled_at, zone), view.state.test
    warning = view.credential_end.warning(now) if view.credential_end else None
    tested = f"{'ok' if test.ok else 'failed'} {output.local(test.at, zone)}" if test else ""
    return of.name, of.address, of.protocol, of.processor, view.running, polled, tested, view.reason or warning


@inbox.command(cls=Command)
@click.argument("name")
@click.option("--send/--no-send", default=None, help="Send a test mail to the user of the mail server.  [default: ask]")
@test_mail_options
@click.option("--clear", is_flag=True, help="Clear the latest result instead.")
def test(name: str, *, send: bool | None, clear: bool, **mail: Any) -> int:
    """Test the connection of an inbox and keep the result; exit code 1 when it fails. Creates nothing there.

    When it works, a mail may be sent through the outgoing server to that server's own user.
    """
    with opened(store_only=True) as app:
        if clear:
            inboxes.clear_test(app, name)
            note(app, Write.CLEARED_INBOX_TEST, name)
            return 0
        with output.watching(f"testing {output.safe(name)}"):
            check = inboxes.check_connection(app, name)
        note(app, Write.TESTED_INBOX, name)
        if check.result is None:
            _show_result(name, {"ok": check.ok, "message": check.message})
            return 0
        _show_result(name, asdict(check.result))
        if not check.ok:
            return PROBLEM
        addressed = bool(mail["to"] or mail["cc"] or mail["bcc"])
        server = inboxes.server_for_test_mail(app, name, addressed=addressed)
        if server is None or not (addressed or _wants(server, send=send)):
            return 0
        result = inboxes.send_test_mail(app, name, server, TestMail(**mail))
        note(app, Write.SENT_TEST_MAIL, name)
        _show_result(name, {"ok": result.ok, "message": result.message})
    return 0 if result.ok else PROBLEM


def _show_result(name: str, result: dict[str, Any]) -> None:
    if as_json():
        output.emit({"inbox": name, **result})
        return
    click.echo(output.safe(result["message"]))
    detail = result.get("detail")
    if detail and detail not in result["message"]:
        click.echo(f"({output.safe(detail)})")


def _wants(server: MailServer, *, send: bool | None) -> bool:
    if send is not None or as_json() or not sys.stdin.isatty():
        return bool(send)
    return click.confirm(f"Send a test mail to {server.username} through {server.name}?", err=True)


@inbox.command(cls=Command)
@click.argument("name")
@click.option("--count", type=click.IntRange(1, 100), default=1, show_default=True, help="At most this many mails.")
def peek(name: str, count: int) -> None:
    """Show waiting mails without processing them; they stay unread."""
    with opened(store_only=True) as app, output.watching("looking"):
        waiting = inboxes.waiting_mails(app, name, count)
    for each in waiting:
        if as_json():
            output.emit(_waiting(each))
        else:
            output.facts((key, value) for key, value in _waiting(each).items() if key != "text")
            click.echo(f"\n{output.quoted(each.text[:2000])}\n")
    if not waiting and not as_json():
        click.echo("no mail waits")


def _waiting(mail: inboxes.WaitingMail) -> dict[str, Any]:
    date = ("date",) if mail.readable else ()
    return {"from": mail.sender, **values_of(mail, ("subject", *date, "size", "key", "text"))}


@inbox.command(cls=Command)
@click.argument("name")
@click.option("--type", "type_name", metavar="TYPE", help="Record type; by default the one that the inbox makes.")
def sample(name: str, type_name: str | None) -> None:
    """Print a sample mail for the people who write to an inbox: its fields, separator and marker."""
    with opened(store_only=True) as app:
        found = inboxes.inbox_named(app, name)
        if found.processor == XML_EXPORT and type_name is None:
            raise Problem(f"{output.safe(name)} exports its mail and makes no records; any mail will do")
        text = sample_mail(found, type_called(app, type_name or found.processor))
    if as_json():
        output.emit({"inbox": name, "mail": text})
    else:
        click.echo(text, nl=False)


@inbox.command(cls=Command)
@click.argument("name")
def fetch(name: str) -> None:
    """Have a running fetcher visit an inbox at once, not at its next poll."""
    with opened(store_only=True) as app:
        inboxes.ask_for_visit(app, name)
        note(app, Write.ASKED_FOR_VISIT, name)
    output.result({"inbox": name, "state": "asked"}, f"asked  {name} is visited at once by postroom up or the fetcher")


@inbox.command(cls=Command)
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="All inboxes: none is visited any more.")
@click.option("--reason", default="stopped by an operator", help="Shown by inbox list.")
def stop(name: str | None, *, everything: bool, reason: str) -> None:
    """Stop taking mail from an inbox, or from all, without a restart."""
    with opened(store_only=True) as app:
        if _is_all(name, everything=everything):
            inboxes.switch_processing(app, on=False, by=who(), reason=reason)
            note(app, Write.STOPPED_ALL_INBOXES, why=reason)
        else:
            inboxes.stop_inbox(app, name or "", reason)
            note(app, Write.STOPPED_INBOX, name or "", reason)
    _show_state("stopped", name)


def _is_all(name: str | None, *, everything: bool) -> bool:
    return is_all([] if name is None else [name], everything=everything, what="an inbox")


def _show_state(state: str, name: str | None) -> None:
    output.result({"inbox": name, "state": state}, f"{state}  {name or 'all inboxes'}")


@inbox.command(cls=Command)
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="All inboxes.")
def start(name: str | None, *, everything: bool) -> None:
    """Start an inbox again, also one that stopped because logins were refused; or switch the whole system on."""
    with opened(store_only=True) as app:
        if _is_all(name, everything=everything):
            inboxes.switch_processing(app, on=True, by=who(), reason="started")
            note(app, Write.STARTED_ALL_INBOXES)
        else:
            inboxes.start_inbox(app, name or "", by=who())
            note(app, Write.STARTED_INBOX, name or "")
    _show_state("started", name)
