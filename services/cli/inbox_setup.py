"""`postroom inbox setup`: a guide to a new inbox. Asks what it needs, prints what to do, tests each step."""

from __future__ import annotations

import os
import re
import sys
import webbrowser
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from services.cli import output
from services.cli.base import PROBLEM, Command, Group, as_json, opened

if TYPE_CHECKING:
    from services.operator.inbox.inbox_setup import Discovered, Guide

NAME = click.option("--name", default="support", show_default=True, help="Name of the inbox.")
ADDRESS = click.option("--address", metavar="ADDRESS", help="Address of the mailbox.")
TEST = click.option("--test/--no-test", default=True, help="Test each step, or only print what to do.  [default: test]")
_ADDRESS = re.compile(r"[^\s@]+@[^\s@]+")
SECRET_HELP = "as ${ENV_NAME} or file:path"  # noqa: S105 - a help text


@click.group(cls=Group)
def setup() -> None:
    """Set up an inbox: the configuration, the work at the provider, a test of each step."""


def _asked(value: str | None, option: str, question: str) -> str:
    """The value of an option, or what the person answers; without a terminal a missing option is an error."""
    if value:
        return value
    if as_json() or not sys.stdin.isatty():
        raise click.UsageError(f"{option} is missing; it is needed: {question.lower()}")
    return str(click.prompt(question, err=True))


def _address(value: str | None) -> str:
    address = _asked(value, "--address", "Address of the mailbox")
    if not _ADDRESS.fullmatch(address):
        raise click.UsageError(f"--address {address!r} is not an address; write it as user@domain")
    return address


@setup.command(cls=Command)
@NAME
@ADDRESS
@click.option("--client-id", help="Application (client) id.")
@click.option("--tenant-id", help="Directory (tenant) id.")
@click.option("--secret", help=f"Client secret, {SECRET_HELP}.")
@click.option("--certificate", help=f"Certificate and private key (PEM) instead of a secret, {SECRET_HELP}.")
@click.option(
    "--sign-in",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A person signs in with a code instead of a secret; the refresh token is kept in FILE.",
)
@click.option("--browser", is_flag=True, help="With --sign-in: sign in with a browser on this machine, without a code.")
@click.option("--object-id", help="Object id of the enterprise application, for the commands that are printed.")
@click.option("--cloud", type=click.Choice(["global", "us-government", "us-defense", "china"]), default="global")
@click.option("--authority", help="Address of the logins, if it is none of these clouds.")
@click.option("--endpoint", help="Address of Graph, if it is none of these clouds.")
@click.option("--other", metavar="ADDRESS", help="A mailbox that the application must not be able to read; tested.")
@TEST
def microsoft365(name: str, *, test: bool, **given: Any) -> int:
    """Microsoft 365 by Microsoft Graph, with an application that may use this mailbox alone."""
    from services.operator.inbox import inbox_setup
    from shared.config.model import OAuth

    address = _address(given["address"])
    client = _asked(given["client_id"], "--client-id", "Application (client) id")
    tenant = _asked(given["tenant_id"], "--tenant-id", "Directory (tenant) id")
    certificate, file = given["certificate"], given["sign_in"]
    secret = None if certificate or file else _asked(given["secret"], "--secret", f"Client secret, {SECRET_HELP}")
    authority, endpoint = inbox_setup.CLOUDS[given["cloud"]]
    application = OAuth(
        client_id=client,
        tenant_id=tenant,
        client_secret=inbox_setup.secret_of(secret, "--secret") if secret else None,
        client_certificate=inbox_setup.secret_of(certificate, "--certificate") if certificate else None,
        refresh_token=inbox_setup.secret_of(f"file:{file.absolute()}", "--sign-in") if file else None,
        authority=given["authority"] or authority,
        endpoint=given["endpoint"] or endpoint,
    )
    if file:
        guide = inbox_setup.microsoft365_sign_in(name, address, application)
        if test and given["browser"]:
            inbox_setup.sign_in_by_browser(application, address, file, _say, _open_page)
        elif test:
            inbox_setup.sign_in(application, file, _say)
        return _show(guide, test=test)
    more = {"object_id": given["object_id"]} if given["object_id"] else {}
    return _show(inbox_setup.microsoft365(name, address, application, other=given["other"], **more), test=test)


def _say(line: str) -> None:
    click.echo(output.safe(line), err=True)


def _open_page(page: str) -> None:
    """Open a page where there is a desktop; a browser of the terminal would take its place."""
    if sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        webbrowser.open(page)


@setup.command(cls=Command)
@NAME
@ADDRESS
@click.option("--service-account", metavar="ADDRESS", help="Address of the service account.")
@click.option("--private-key", help=f"Its JSON key, {SECRET_HELP}.")
@click.option("--endpoint", default="https://gmail.googleapis.com", show_default=True, help="Address of the Gmail API.")
@TEST
def google(name: str, *, test: bool, **given: Any) -> int:
    """Google Workspace by the Gmail API, with a service account."""
    from services.operator.inbox import inbox_setup
    from shared.config.model import Google

    address = _address(given["address"])
    account = _asked(given["service_account"], "--service-account", "Address of the service account")
    key = inbox_setup.secret_of(
        _asked(given["private_key"], "--private-key", f"JSON key, {SECRET_HELP}"), "--private-key"
    )
    found = Google(service_account=account, private_key=key, user=address, endpoint=given["endpoint"])
    return _show(inbox_setup.google(name, address, found), test=test)


@setup.command(cls=Command)
@NAME
@ADDRESS
@click.option("--host", help="Name of the mail server.  [default: it is discovered]")
@click.option("--port", type=click.IntRange(1, 65535), help="Its port.  [default: 993]")
@click.option("--tls", type=click.Choice(["implicit", "starttls", "none"]), help="How the connection is encrypted.")
@click.option("--username", help="User name.  [default: the address]")
@click.option("--password", help=f"Password, {SECRET_HELP}.")
@click.option("--folder", default="INBOX", show_default=True, help="Folder to read.")
@click.option("--ca-file", type=click.Path(exists=True, dir_okay=False), help="File of own certificate authorities.")
@click.option("--dns", metavar="ADDRESS[:PORT]", help="DNS server that is asked instead of those of this machine.")
@TEST
def imap(name: str, *, test: bool, **given: Any) -> int:
    """A mailbox that is read by IMAP with a password. Without --host its servers are looked for."""
    from services.operator.inbox import inbox_setup
    from shared.config.model import Inbox

    address = _address(given["address"])
    ca_file = str(Path(given["ca_file"]).absolute()) if given["ca_file"] else None
    found = None if given["host"] else _discovered(address, given["dns"], ca_file)
    host = found.reading.host if found else _asked(given["host"], "--host", "Name of the mail server")
    password = _asked(given["password"], "--password", f"Password, {SECRET_HELP}")
    inbox = Inbox(
        name,
        address,
        protocol="imap",
        host=host,
        port=given["port"] or (found.reading.port if found else 0),
        tls=given["tls"] or (found.reading.tls if found else ""),
        username=given["username"],
        password=inbox_setup.secret_of(password, "--password"),
        folder=given["folder"],
        ca_file=ca_file,
    )
    return _show(inbox_setup.imap(inbox, found.sending if found else None), test=test)


def _discovered(address: str, dns: str | None, ca_file: str | None) -> Discovered | None:
    """The servers of the address; None when there are none and a person can be asked for the host."""
    from services.operator.inbox import inbox_setup
    from shared.mail_network.discovery import NotDiscovered

    is_asked = sys.stdin.isatty() and not as_json()
    try:
        found = inbox_setup.discovered(address, dns=dns, ca_file=ca_file)
    except NotDiscovered as error:
        if not is_asked:
            raise click.UsageError(f"--host is missing, and it was not discovered: {error}") from error
        _say(str(error))
        return None
    for what, server in (("reading", found.reading), ("sending", found.sending)):
        if server is not None:
            _say(f"Discovered for {what}: {server}, {'by DNS' if server.by_record else 'by its name'}")
    for server in found.outside:
        question = f"DNS names {server.host}, which is outside {found.domain}, and gets the password"
        if not is_asked:
            raise click.UsageError(f"{question}; write --host {server.host} --port {server.port} if it is right")
        click.confirm(f"{question}. Is it right?", abort=True, err=True)
    return found


def _show(guide: Guide, *, test: bool) -> int:
    """Print the guide, then the steps as they are tested; exit code 1 when one fails."""
    from services.operator.inbox import inbox_setup

    if as_json():
        output.emit({"configuration": guide.configuration, "work": guide.work})
    else:
        output.heading("What an administrator does at the provider")
        click.echo("\n".join(map(output.safe, guide.work)))
        output.heading("The configuration: save it as inbox.yaml, then run: postroom config apply inbox.yaml")
        click.echo(output.safe(guide.configuration, breaks=True), nl=False)
    if not test:
        return 0
    if not as_json():
        output.heading("Test of each step")
    ok = True
    with opened() as app:
        for step in inbox_setup.run_steps(app, guide):
            ok = ok and step.ok
            output.result(
                asdict(step), f"{'ok     ' if step.ok else 'MISSING'}  {step.name}: {output.safe(step.message)}"
            )
    return 0 if ok else PROBLEM
