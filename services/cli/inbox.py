"""`postroom inbox`: which inboxes there are and how they fare; test, peek, sample, stop and start."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from services.cli import output
from services.cli.base import PROBLEM, Command, Group, Problem, as_json, nothing_called, opened

if TYPE_CHECKING:
    from services.fetcher.state import InboxState
    from shared.app import App
    from shared.config.model import Inbox, MailServer
    from shared.mail_network.connection_test import TestResult


@click.group(cls=Group)
def inbox() -> None:
    """Inboxes: list, test, start, stop, peek, sample."""


def one(app: App, name: str) -> Inbox:
    """The inbox with this name."""
    return app.directory.current().inbox(name) or nothing_called("inbox", name)


@inbox.command("list", cls=Command)
def list_inboxes() -> None:
    """List inboxes with their last poll and their last connection test."""
    from services.fetcher.state import InboxState, InboxStates

    with opened() as app:
        configuration = app.directory.current()
        states = InboxStates(app.documents, app.clock).all()
    seen = [
        _view(each, states.get(each.name, InboxState(each.name)), configuration.settings.processing)
        for each in configuration.inboxes
    ]
    if as_json():
        for each in seen:
            output.emit(each)
        return
    zone = configuration.settings.timezone
    output.table(
        ("inbox", "address", "protocol", "processor", "state", "polled", "tested"),
        (
            (
                each["name"],
                each["address"],
                each["protocol"],
                each["processor"],
                each["state"] + (f": {each['reason']}" if each["reason"] else ""),
                output.local(each["polled_at"], zone),
                _tested(each["test"], zone),
            )
            for each in seen
        ),
        empty="no inboxes",
    )


def _tested(test: dict[str, Any] | None, zone: str) -> str:
    return f"{'ok' if test['ok'] else 'failed'} {output.local(test['at'], zone)}" if test else ""


def _view(each: Inbox, state: InboxState, processing: bool) -> dict[str, Any]:
    running, reason = _running(each, state, processing)
    return {
        "name": each.name,
        "address": each.address,
        "protocol": each.protocol,
        "processor": each.processor,
        "enabled": each.enabled,
        "state": running,
        "reason": reason,
        "auth_failures": state.auth_failures,
        "error": state.error,
        "polled_at": state.polled_at,
        "test": _test(state.test) if state.test else None,
    }


def _running(each: Inbox, state: InboxState, processing: bool) -> tuple[str, str | None]:
    if not each.enabled:
        return "disabled", None
    if state.stop:
        return "stopped", state.stop.reason
    if not processing and each.protocol != "none":
        return "stopped", "processing is off"
    return ("failing", state.error) if state.error else ("running", None)


def _test(result: TestResult) -> dict[str, Any]:
    return {
        "ok": result.ok,
        "step": str(result.step),
        "message": result.message,
        "detail": result.detail,
        "notes": list(result.notes),
        "at": result.at,
    }


@inbox.command(cls=Command)
@click.argument("name")
@click.option("--send/--no-send", default=None, help="Send a test mail to the user of the mail server.  [default: ask]")
def test(name: str, *, send: bool | None) -> int:
    """Test the connection of an inbox and keep the result; exit code 1 when it fails. Creates nothing there.

    When it works, a mail may be sent through the outgoing server to that server's own user.
    """
    from services.runner import build_fetcher

    with opened() as app:
        found = one(app, name)
        if found.protocol == "none":
            message = f"{name} takes mail from intake only; there is nothing to connect to"
            _tell_result(name, {"ok": True, "message": message})
            return 0
        with output.watching(f"testing {output.safe(name)}"):
            result = build_fetcher(app).check(found)
        _tell_result(name, _test(result))
        if not result.ok:
            return PROBLEM
        server = _server_of(app, found)
        if server is not None and _wants(server, send=send):
            _send_test_mail(app, found, server)
    return 0


def _tell_result(name: str, result: dict[str, Any]) -> None:
    if as_json():
        output.emit({"inbox": name, **result})
        return
    click.echo(output.safe(result["message"]))
    detail = result.get("detail")
    if detail and detail not in result["message"]:
        click.echo(f"({output.safe(detail)})")


def _server_of(app: App, found: Inbox) -> MailServer | None:
    """The server that sends for an inbox, when it has a user who can be written to."""
    configuration = app.directory.current()
    server = configuration.mail_server(found.mail_server or "") or next(iter(configuration.mail_servers), None)
    return server if server and server.username else None


def _wants(server: MailServer, *, send: bool | None) -> bool:
    if send is not None or as_json() or not sys.stdin.isatty():
        return bool(send)
    return click.confirm(f"Send a test mail to {server.username} through {server.name}?", err=True)


def _send_test_mail(app: App, found: Inbox, server: MailServer) -> None:
    """A mail to the outgoing server's own user (IV-08); blocking and override hold for it as for any (NE-21)."""
    from services.notifier import send
    from services.notifier.compose import Mailbox, Outgoing

    sender = server.from_address or found.address
    mail = Outgoing(
        message_id=f"<test-{uuid.uuid4().hex}@{sender.rpartition('@')[2]}>",
        date=app.clock.now(),
        to=(Mailbox(server.username or ""),),
        subject="Test of Postroom",
        text=f"This mail was sent to test the inbox {found.name} and the mail server {server.name}.\n",
        sender=Mailbox(sender),
        loop=found.name,
    )
    send.deliver(mail, server, send.access(server, app.directory.current().settings))
    message = f"A test mail has left for {server.username} through {server.name}."
    _tell_result(found.name, {"ok": True, "message": message})


@inbox.command(cls=Command)
@click.argument("name")
@click.option("--count", type=click.IntRange(1, 100), default=1, show_default=True, help="At most so many mails.")
def peek(name: str, count: int) -> None:
    """Show waiting mails without processing them; they stay unread."""
    from services.runner import build_fetcher

    with opened() as app:
        found = one(app, name)
        if found.protocol == "none":
            raise Problem(f"{output.safe(name)} takes mail from intake only; there is no mailbox to look into")
        with output.watching("looking"), _in_words(app):
            waiting = build_fetcher(app).peek(found, count)
    seen = [_peeked(each.raw, each.size, each.key.id) for each in waiting]
    for each in seen:
        if as_json():
            output.emit(each)
        else:
            output.facts((name, value) for name, value in each.items() if name != "text")
            click.echo(f"\n{output.quoted(each['text'][:2000])}\n")
    if not seen and not as_json():
        click.echo("no mail waits")


@inbox.command(cls=Command)
@click.argument("name")
@click.option("--type", "type_name", metavar="TYPE", help="Another record type than the one the inbox makes.")
def sample(name: str, type_name: str | None) -> None:
    """Print a sample mail for the people who write to an inbox: its fields, separator and marker."""
    from services.cli.records import type_called
    from services.record_writer.sample import sample_mail
    from shared.config.model import XML_EXPORT

    with opened() as app:
        found = one(app, name)
        if found.processor == XML_EXPORT and type_name is None:
            raise Problem(f"{output.safe(name)} exports its mail and makes no records; any mail will do")
        text = sample_mail(found, type_called(app, type_name or found.processor))
    if as_json():
        output.emit({"inbox": name, "mail": text})
    else:
        click.echo(text, nl=False)


@contextmanager
def _in_words(app: App) -> Iterator[None]:
    """What a mail server refuses, in the sentence of the connection test."""
    from shared.contracts.errors import Unavailable
    from shared.mail_network import connection_test
    from shared.mail_network.connection import Refusal

    try:
        yield
    except Refusal as error:
        told = connection_test.failed(error, app.clock.now()).message.rstrip(".")
        raise (Unavailable(told) if isinstance(error, Unavailable) else Problem(told)) from error


def _peeked(raw: bytes, size: int | None, key: str) -> dict[str, Any]:
    from services.parser import guarded
    from shared.contracts.errors import BoundExceeded

    try:
        mail = guarded.read(raw).mail
    except BoundExceeded as error:
        return {"from": None, "subject": f"(unreadable: {error})", "size": size, "key": key, "text": ""}
    sender = f"{mail.from_.name} <{mail.from_.address}>".strip() if mail.from_ else None
    return {"from": sender, "subject": mail.subject, "date": mail.date, "size": size, "key": key, "text": mail.text}


@inbox.command(cls=Command)
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="The whole system: no inbox is visited any more.")
@click.option("--reason", default="stopped by an operator", help="Shown by inbox list.")
def stop(name: str | None, *, everything: bool, reason: str) -> None:
    """Stop taking mail from an inbox, or from all, without a restart."""
    from services.fetcher.state import InboxStates

    with opened() as app:
        if _is_all(name, everything=everything):
            _switch(app, on=False)
        else:
            InboxStates(app.documents, app.clock).stop(one(app, name or "").name, reason)
    _tell("stopped", name)


@inbox.command(cls=Command)
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="The whole system.")
def start(name: str | None, *, everything: bool) -> None:
    """Start an inbox again, also one that stopped because logins were refused; or switch the whole system on."""
    from services.fetcher.state import InboxStates

    with opened() as app:
        if _is_all(name, everything=everything):
            _switch(app, on=True)
        else:
            found = one(app, name or "")
            InboxStates(app.documents, app.clock).start(found.name)
            if not found.enabled:
                _enable(app, found.name)
    _tell("started", name)


def _tell(state: str, name: str | None) -> None:
    if as_json():
        output.emit({"inbox": name, "state": state})
    else:
        click.echo(f"{state}  {output.safe(name or 'all inboxes')}")


def _is_all(name: str | None, *, everything: bool) -> bool:
    if everything == (name is not None):
        raise click.UsageError("name an inbox, or say --all")
    return everything


def _switch(app: App, *, on: bool) -> None:
    from shared.config.store import switch

    switch(app.documents, "settings", "settings", "processing", on)


def _enable(app: App, name: str) -> None:
    from shared.config.store import switch

    switch(app.documents, "inboxes", name, "enabled", value=True)
