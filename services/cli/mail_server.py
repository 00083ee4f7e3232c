"""`postroom mail-server`: which mail servers there are, their latest tests, and a test mail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

import click

from services.cli import output
from services.cli.base import PROBLEM, Command, Group, as_json, note, opened
from services.operator.inbox import mail_servers
from services.operator.inbox.mail_servers import TestMail
from services.operator.permissions.writes import Write

OPTIONS: Final = (
    click.option("--to", multiple=True, metavar="ADDRESS", help="Recipient of the test mail; may be repeated."),
    click.option("--cc", multiple=True, metavar="ADDRESS", help="Recipient of a copy."),
    click.option("--bcc", multiple=True, metavar="ADDRESS", help="Recipient of a blind copy."),
    click.option("--subject", default=mail_servers.SUBJECT, show_default=True, help="Subject of the test mail."),
    click.option("--text", default=mail_servers.TEXT, show_default=True, help="Text of the test mail."),
)


def test_mail_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that describe a test mail."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


@click.group(cls=Group)
def mail_server() -> None:
    """Mail servers: list, test."""


@mail_server.command("list", cls=Command)
def list_servers() -> None:
    """List mail servers with their latest connection test."""
    with opened(store_only=True) as app:
        views = mail_servers.mail_server_views(app)
        zone = app.directory.current().settings.timezone
    if as_json():
        for each in views:
            output.emit(asdict(each))
        return
    rows = ((each.name, f"{each.host}:{each.port}", each.tls, *_latest_test(each, zone)) for each in views)
    output.table(("server", "address", "tls", "tested", "result"), rows, empty="no mail servers")


def _latest_test(view: mail_servers.MailServerView, zone: str) -> tuple[str, str]:
    return (output.local(view.test.at, zone), view.test.message) if view.test else ("", "")


@mail_server.command(cls=Command)
@click.argument("name")
@click.option("--send", is_flag=True, help="Send a test mail, to the server's own user unless recipients are named.")
@test_mail_options
@click.option("--clear", is_flag=True, help="Clear the latest result instead.")
def test(name: str, *, send: bool, clear: bool, **mail: Any) -> int:
    """Test the connection of a mail server and keep the result; exit code 1 when it fails."""
    with opened(store_only=True) as app:
        if clear:
            mail_servers.clear_test(app, name)
            note(app, Write.CLEARED_SERVER_TEST, name)
            return 0
        wanted = TestMail(**mail) if send or mail["to"] or mail["cc"] or mail["bcc"] else None
        with output.watching(f"testing {output.safe(name)}"):
            result = mail_servers.check_mail_server(app, name, wanted)
        note(app, Write.SENT_TEST_MAIL if wanted else Write.TESTED_SERVER, name)
    output.result({"mail_server": name, **asdict(result)}, result.in_full)
    return 0 if result.ok else PROBLEM
