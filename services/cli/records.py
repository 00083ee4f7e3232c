"""`postroom records`: list, show, create, set."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

import click

from services.cli import output, people
from services.cli.base import Command, Group, Problem, as_json, nothing_called, opened, page_options
from services.cli.listing import Listing, Page

if TYPE_CHECKING:
    from shared.app import App
    from shared.config.model import RecordType
    from shared.store.documents import Document


@click.group(cls=Group)
def records() -> None:
    """Records. A type is named as in subjects (incident, call, "Service Request"), a number INC12 or 12."""


def type_called(app: App, named: str) -> RecordType:
    """The record type with this name, label or alias."""
    found = app.directory.type_named(named)
    if found is None:
        known = ", ".join(each.name for each in app.directory.current().types)
        raise click.UsageError(f"there is no record type {named!r}; known are {known}")
    return found


def one(app: App, type_: RecordType, number: str) -> Document:
    """The record with this number, bare or as it is shown."""
    shown = number.strip()
    if type_.prefix and shown.casefold().startswith(type_.prefix.casefold()):
        shown = shown[len(type_.prefix) :]
    found = (
        app.records.numbered(type_.name, int(shown))
        if shown.isascii() and shown.isdigit() and len(shown) < 19
        else None
    )
    return found or nothing_called(type_.name, number)


@records.command("list", cls=Command)
@click.option("--type", "type_name", metavar="TYPE", help="Records of one type.")
@click.option("--status", metavar="STATUS", help="A status, or a group of them: open, resolved, closed.")
@page_options
def list_records(type_name: str | None, status: str | None, limit: int, skip: int) -> None:
    """List records, newest first."""
    page = Page(limit, skip)
    with opened() as app:
        type_ = type_called(app, type_name) if type_name else None
        where: dict[str, Any] = {"type": type_.name} if type_ else {}
        if status is not None:
            where["status"] = {"$in": _statuses(app, type_, status)}
        listing = Listing(
            summary,
            ("number", "type", "status", "subject", "owner", "team", "created"),
            partial(_row, timezone=app.directory.current().settings.timezone),
            "no records like that" if where else "no records yet; mail makes them, and postroom records create",
        )
        listing.tell(app.records.list(where, page.reach, skip), page)


def _row(record: Mapping[str, Any], timezone: str) -> tuple[object, ...]:
    told = ("number", "type", "status", "subject", "owner", "owner_team")
    return *(record.get(key) for key in told), output.local(record["created_at"], timezone)


def _statuses(app: App, type_: RecordType | None, wanted: str) -> list[str]:
    """The statuses that a word means: one of them in any case, or all of a group."""
    types = [type_] if type_ else list(app.directory.current().types)
    groups = [
        status
        for each in types
        for name, group in each.statuses.groups()
        if name == wanted.casefold()
        for status in group
    ]
    every = [status for each in types for _, group in each.statuses.groups() for status in group]
    same = [status for status in every if status.casefold() == wanted.casefold()]
    return sorted({*groups, *same}) or [wanted]


def summary(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record as `records list --json` prints it."""
    keys = ("type", "number", "status", "subject", "owner", "owner_team", "customer")
    return {"id": record["_id"], **{key: record.get(key) for key in keys}}


def view(app: App, record: Document, activities: int) -> dict[str, Any]:
    """A record as `records show --json` prints it: with its customer, activities, attachments, tasks and links."""
    keys = (
        "description",
        "logging_analyst",
        "source",
        "partition",
        "created_by",
        "template",
        "created_at",
        "updated_at",
    )
    fields = record.get("fields", {})
    entries = app.records.activities(record["_id"], activities)
    return {
        **summary(record),
        **{key: record.get(key) for key in keys},
        "fields": fields,
        "customer": _customer(app, record),
        "updated_by_mail": bool(record.get("updated_by_mail")),
        "priority": record.get("priority", fields.get("Priority")),
        "tasks": _tasks(app, record),
        "links": _links(app, record),
        "attachments": _attachments(app, record),
        "activities": [_activity(entry) for entry in entries],
    }


def _customer(app: App, record: Document) -> dict[str, Any] | None:
    person = app.people.get(record["customer"]) if record.get("customer") else None
    if person is None:
        return None
    address = next(iter(person.get("addresses", ())), None)
    return {"id": person["_id"], "name": person.get("name"), "address": address, "kind": person.get("kind")}


def _activity(entry: Document) -> dict[str, Any]:
    keys = ("at", "by", "kind", "text", "mail_id", "attachments", "security_profile")
    return {key: entry.get(key) for key in keys}


def _links(app: App, record: Document) -> list[dict[str, Any]]:
    """Links in both directions; the one to the parent is told by `tasks` of the parent, and here all the same."""
    found = []
    for link in app.records.links(record["_id"]):
        outward = link["from_id"] == record["_id"]
        other = app.records.get(link["to_id"] if outward else link["from_id"])
        if other and (outward or link["relationship"] != "parent"):
            found.append({"relationship": link["relationship"], "type": other["type"], "number": other["number"]})
    return found


def _tasks(app: App, record: Document) -> list[dict[str, Any]]:
    """What lies below the record: tasks, approvals."""
    below = [
        other
        for link in app.records.links(record["_id"])
        if link["to_id"] == record["_id"]
        and link["relationship"] == "parent"
        and (other := app.records.get(link["from_id"]))
    ]
    return [summary(each) for each in sorted(below, key=lambda each: (each["type"], each["serial"]))]


def _attachments(app: App, record: Document) -> list[dict[str, Any]]:
    """Every file of the record once, in the order in which they came."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for entry in app.records.activities(record["_id"], 1000):
        for each in entry.get("attachments", ()):
            kept = {key: each.get(key) for key in ("filename", "content_type", "size", "sha256")}
            profile = each.get("security_profile", entry.get("security_profile"))
            found.setdefault((each["sha256"], each["filename"]), {**kept, "security_profile": profile})
    return list(found.values())


@records.command(cls=Command)
@click.argument("type_name", metavar="TYPE")
@click.argument("number")
@click.option("--activities", type=click.IntRange(1), default=50, show_default=True, help="The newest so many.")
def show(type_name: str, number: str, activities: int) -> None:
    """Show one record with its activities."""
    with opened() as app:
        record = one(app, type_called(app, type_name), number)
        print_record(app, record, activities)


def print_record(app: App, record: Document, activities: int = 50) -> None:
    """One record, for machines or for people."""
    seen = view(app, record, activities)
    if as_json():
        output.emit(seen)
        return
    timezone = app.directory.current().settings.timezone
    customer = seen["customer"] or {}
    output.facts(
        (
            ("number", seen["number"]),
            ("type", seen["type"]),
            ("status", seen["status"]),
            ("subject", seen["subject"]),
            ("customer", f"{customer.get('name')} <{customer.get('address') or ''}>" if customer else None),
            ("owner", seen["owner"]),
            ("team", seen["owner_team"]),
            ("priority", seen["priority"]),
            ("partition", seen["partition"]),
            ("template", seen["template"]),
            ("logged by", seen["logging_analyst"]),
            ("created by", seen["created_by"]),
            ("source", seen["source"]),
            ("created", output.local(seen["created_at"], timezone)),
            ("updated", output.local(seen["updated_at"], timezone)),
            ("updated by mail", "yes" if seen["updated_by_mail"] else None),
            *seen["fields"].items(),
            *(("below", f"{each['number']} {each['status']}: {each['subject']}") for each in seen["tasks"]),
            *((each["relationship"], f"{each['type']} {each['number']}") for each in seen["links"]),
            *(
                ("attached", f"{each['filename']} ({each['content_type']}, {each['size']} bytes)")
                for each in seen["attachments"]
            ),
        )
    )
    for entry in seen["activities"]:
        output.heading(f"{output.local(entry['at'], timezone)}  {entry['by']}  {entry['kind']}")
        click.echo(output.quoted(entry["text"]))
        for each in entry["attachments"] or ():
            click.echo(f"  [{output.safe(each['filename'])}]")
    count = app.documents.count("activities", {"record_id": record["_id"]})
    if count > activities:
        click.echo(f"\nthe newest {activities} of {count} activities are shown: --activities {count}", err=True)


@records.command(cls=Command)
@click.argument("type_name", metavar="TYPE")
@click.option("--subject", default="", help="What it is about.")
@click.option("--description", default="", help="The whole story.")
@click.option("--customer", metavar="PERSON", help="Id or address of a person.")
@click.option("--owner", metavar="PERSON", help="Id or address of a person.")
@click.option("--status", help="Another status than the first open one.")
@click.option("--parent", metavar="TYPE:NUMBER", help="The record that it lies below.")
@click.option("--set", "values", metavar="FIELD=VALUE", multiple=True, help="A field; may be given several times.")
def create(
    *,
    type_name: str,
    subject: str,
    description: str,
    customer: str | None,
    owner: str | None,
    status: str | None,
    parent: str | None,
    values: tuple[str, ...],
) -> None:
    """Make a record and print it. An approval is a task or approval with --parent and --owner."""
    from services.record_writer import manual_edits

    with opened() as app:
        type_ = type_called(app, type_name)
        given = [*map(_pair, values), *((("Owner", people.one(app, owner)["_id"]),) if owner else ())]
        wanted = manual_edits.Wanted(
            subject=subject,
            description=description,
            customer=people.one(app, customer)["_id"] if customer else None,
            parent=_parent(app, parent) if parent else None,
            values=(*given, *((("Status", status),) if status else ())),
        )
        print_record(app, manual_edits.create(app, type_, wanted))


def _pair(written: str) -> tuple[str, str]:
    name, found, value = written.partition("=")
    if not found or not name.strip():
        raise click.UsageError(f"{written!r} is not Field=Value")
    return name.strip(), value


def _parent(app: App, written: str) -> Document:
    type_name, found, number = written.rpartition(":")
    if not found:
        _bad_parent(written)
    return one(app, type_called(app, type_name), number)


def _bad_parent(written: str) -> NoReturn:
    raise click.UsageError(f"{written!r} is not TYPE:NUMBER")


@records.command("set", cls=Command)
@click.argument("type_name", metavar="TYPE")
@click.argument("number")
@click.argument("values", metavar="FIELD=VALUE...", nargs=-1, required=True)
def set_values(type_name: str, number: str, values: tuple[str, ...]) -> None:
    """Change a record: Status, Owner, OwnerTeam, Subject, Partition, or a field of its type. Prints the record."""
    from services.record_writer import manual_edits

    with opened() as app:
        type_ = type_called(app, type_name)
        record = one(app, type_, number)
        changed = manual_edits.change(app, type_, record["_id"], [_resolved(app, *_pair(each)) for each in values])
        print_record(app, changed)


def _resolved(app: App, name: str, value: str) -> tuple[str, str]:
    """An owner is a person, by id or address; nothing stands for nobody."""
    if name.casefold() != "owner" or not value.strip():
        return name, value
    try:
        return name, str(people.one(app, value.strip())["_id"])
    except Problem as problem:
        raise Problem(f"{problem.message}; Owner takes the id or address of a person") from None
