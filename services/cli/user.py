"""`postroom user`: who may sign in to the console."""

from __future__ import annotations

import sys

import click

from services.cli import output
from services.cli.base import Group, Problem, as_json, note, opened
from services.cli.console import EXTRA, is_installed
from services.operator.permissions.writes import Write


@click.group(cls=Group)
def user() -> None:
    """Users of the console: list, add, remove, change a password."""


def _password() -> str:
    """The password: asked for twice, or the first line of standard input where nobody types."""
    if not is_installed():
        raise Problem(EXTRA)
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True))
    return sys.stdin.readline().rstrip("\r\n")


@user.command("list")
def list_() -> None:
    """Show every user."""
    with opened(store_only=True) as app:
        users = app.access.users.all()
        if as_json():
            for each in users:
                output.emit(
                    {"name": each.name, "role": each.role, "read_mail": each.read_mail, "inboxes": list(each.inboxes)}
                )
            return
        rows = [(output.safe(each.name), each.role, ", ".join(each.inboxes) or "all") for each in users]
        output.table(("name", "role", "inboxes"), rows, empty="no users")


@user.command()
@click.argument("name")
@click.option("--role", default="viewer", show_default=True, help="viewer, operator or administrator.")
@click.option("--read-mail", is_flag=True, help="Lets a viewer read the text of mails.")
@click.option("--inbox", "inboxes", multiple=True, help="Only this inbox; may be given several times.")
@click.option("--no-password", is_flag=True, help="For a person whom a proxy or OIDC signs in.")
def add(name: str, role: str, inboxes: tuple[str, ...], *, read_mail: bool, no_password: bool) -> None:
    """Add a user. The password is asked for, or read from standard input."""
    password = "" if no_password else _password()
    with opened() as app:
        from services.operator.permissions import access

        made = access.add_user(app, name, role, password, read_mail=read_mail, inboxes=inboxes)
        note(app, Write.ADDED_USER, made.name)
        output.result({"name": made.name, "role": made.role}, f"{made.name} may sign in as {made.role}")


@user.command()
@click.argument("name")
def password(name: str) -> None:
    """Change a password; every session of the user ends."""
    given = _password()
    with opened() as app:
        from services.operator.permissions import access

        access.set_password(app, name, given)
        note(app, Write.CHANGED_PASSWORD, name)
        output.result({"name": name}, f"the password of {name} was changed")


@user.command()
@click.argument("name")
def remove(name: str) -> None:
    """Remove a user."""
    with opened() as app:
        from services.operator.permissions import access

        access.remove_user(app, name)
        note(app, Write.REMOVED_USER, name)
        output.result({"name": name}, f"{name} was removed")
