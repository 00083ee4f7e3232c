"""`postroom people`: who writes to the desk and works at it, each with the mail history."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from services.cli import output
from services.cli.base import Command, Group, as_json, nothing_called, opened, page_options
from services.cli.listing import Listing, Page

if TYPE_CHECKING:
    from shared.app import App
    from shared.store.documents import Document


@click.group(cls=Group)
def people() -> None:
    """People and their mail. Ask by id or by address."""


@people.command("list", cls=Command)
@click.option("--kind", type=click.Choice(("employee", "external_contact", "requestor")), help="People of one kind.")
@click.option("--role", help="People with a role, such as analyst.")
@page_options
def list_people(kind: str | None, role: str | None, limit: int, skip: int) -> None:
    """List people in order of their id."""
    asked = {"kind": kind, "roles": role}
    where = {key: value for key, value in asked.items() if value is not None}
    page = Page(limit, skip)
    headings = ("person", "name", "addresses", "kind", "roles", "active")
    listing = Listing(summary, headings, _row, "no people like that" if where else "no people")
    with opened() as app:
        listing.tell(app.people.list(where, page.reach, skip), page)


def _row(person: Mapping[str, Any]) -> tuple[object, ...]:
    seen = {key: _shown(value) for key, value in summary(person).items()}
    return tuple(seen[key] for key in ("id", "name", "addresses", "kind", "roles", "active"))


def _shown(value: object) -> object:
    """A value for people."""
    match value:
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(map(str, value))
        case _:
            return value


def summary(person: Mapping[str, Any]) -> dict[str, Any]:
    """A person as `people list --json` prints it."""
    keys = ("name", "addresses", "kind", "roles", "permissions", "format", "login_id")
    return {"id": person["_id"], **{key: person.get(key) for key in keys}, "active": person.get("active", True)}


def one(app: App, named: str) -> Document:
    """The person with this id or address."""
    plus = app.directory.current().settings.plus_addressing
    found = app.people.get(named) or (app.people.with_address(named, plus_addressing=plus) if "@" in named else None)
    return found or nothing_called("person", named)


@people.command(cls=Command)
@click.argument("person_id", metavar="ID")
@click.option("--mails", "limit", type=click.IntRange(1), default=50, show_default=True, help="At most so many mails.")
def show(person_id: str, limit: int) -> None:
    """Show one person with the mail history, newest first."""
    with opened() as app:
        person = one(app, person_id)
        timezone = app.directory.current().settings.timezone
        history = [_entry(app, each) for each in app.people.history(person["_id"], limit)]
    if as_json():
        output.emit({**summary(person), "history": history})
        return
    output.facts((name, _shown(value)) for name, value in summary(person).items())
    output.heading("mail history")
    output.table(
        ("at", "mail", "subject", "event", "record"),
        (
            (output.local(each["at"], timezone), each["mail_id"][:12], each["subject"], each["event"], each["number"])
            for each in history
        ),
        empty="no mail",
    )


def _entry(app: App, entry: Document) -> dict[str, Any]:
    mail = app.mails.get(entry["mail_id"])
    keys = ("at", "mail_id", "event", "type", "number")
    return {**{key: entry.get(key) for key in keys}, "subject": mail and mail.subject, "outcome": mail and mail.outcome}
