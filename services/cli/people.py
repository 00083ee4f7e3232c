"""`postroom people`: requestors and analysts, each with the mail history."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from services.cli import output
from services.cli.base import Command, Group, as_json, opened, page_options
from services.cli.listing import Listing, Page
from services.operator.service_desk import people as views
from shared.store.settings import timezone as timezone_of

if TYPE_CHECKING:
    from shared.store.people import StoredPerson


@click.group(cls=Group)
def people() -> None:
    """People and their mail. Ask by id or by address."""


@people.command("list", cls=Command)
@click.option("--kind", type=click.Choice(("employee", "external_contact", "requestor")), help="People of one kind.")
@click.option("--role", help="People with a role, such as analyst.")
@page_options
def list_people(kind: str | None, role: str | None, limit: int, skip: int) -> None:
    """List people in order of their id."""
    page = Page(limit, skip)
    headings = ("person", "name", "addresses", "kind", "roles", "active")
    empty = "no people" if kind is role is None else "no matching people"
    listing = Listing(lambda person: {**views.summary(person), "person_id": person.id}, headings, _row, empty)
    with opened(store_only=True) as app:
        listing.show_page(app.people.list(page.reach, skip, kind=kind, role=role), page)


def _row(person: StoredPerson) -> tuple[object, ...]:
    seen = (person.id, person.name, person.addresses, person.kind, person.roles, person.active)
    return tuple(map(_shown, seen))


def _shown(value: object) -> object:
    """A value for people."""
    match value:
        case bool():
            return "yes" if value else "no"
        case tuple():
            return ", ".join(map(str, value))
        case _:
            return value


@people.command(cls=Command)
@click.argument("person_id", metavar="ID")
@click.option(
    "--mails", "limit", type=click.IntRange(1), default=50, show_default=True, help="At most this many mails."
)
def show(person_id: str, limit: int) -> None:
    """Show one person with the mail history, newest first."""
    with opened(store_only=True) as app:
        person = views.person_named(app, person_id)
        timezone = timezone_of(app.documents)
        history = views.history(app, person, limit)
    summary = views.summary(person)
    if as_json():
        output.emit({**summary, "person_id": person.id, "history": [each.as_json() for each in history]})
        return
    output.facts((name, _shown(value)) for name, value in summary.items())
    output.heading("mail history")
    rows = (_history_row(each, timezone) for each in history)
    output.table(("at", "mail", "subject", "event", "record"), rows, empty="no mail")


def _history_row(view: views.HistoryView, timezone: str) -> tuple[object, ...]:
    entry = view.entry
    return output.local(entry.at, timezone), entry.mail_id[:12], view.subject, entry.event, entry.number
