"""`postroom records`: list, show, create, set, merge, delete, undelete, attachment."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from services.cli import output
from services.cli.base import Command, Group, as_json, note, opened, page_options
from services.cli.listing import Listing, Page
from services.operator.errors import NotAvailable
from services.operator.mail.mails import SHORT_ID
from services.operator.permissions.writes import Write
from services.operator.service_desk import records as views
from services.operator.service_desk.people import person_named
from shared.store.settings import timezone as timezone_of

if TYPE_CHECKING:
    from services.operator.service_desk.records import RecordView, TargetView
    from shared.app import App
    from shared.store.record import Record, StoredActivity


@click.group(cls=Group)
def records() -> None:
    """Records. A type is named as in subjects (incident, call, "Service Request"), a number INC12 or 12."""


@records.command("list", cls=Command)
@click.option("--type", "type_name", metavar="TYPE", help="Records of one type.")
@click.option("--status", metavar="STATUS", help="A status, or a group of them: open, resolved, closed.")
@click.option("--deleted", is_flag=True, help="The deleted records instead.")
@page_options
def list_records(*, type_name: str | None, status: str | None, deleted: bool, limit: int, skip: int) -> None:
    """List records, newest first, without those that are deleted."""
    page = Page(limit, skip)
    with opened(store_only=True) as app:
        type_ = views.type_called(app, type_name) if type_name else None
        statuses = None if status is None else views.statuses_named(app, type_, status)
        filtered = type_ is not None or status is not None or deleted
        listing = Listing(
            views.record_as_json,
            ("number", "type", "status", "subject", "owner", "team", "created"),
            partial(_row, timezone=timezone_of(app.documents)),
            "no matching records" if filtered else "no records yet; mail makes them, and postroom records create",
        )
        found = app.records.list(
            page.reach, skip, type_=type_.name if type_ else None, statuses=statuses, deleted=deleted
        )
        listing.show_page(found, page)


def _row(record: Record, timezone: str) -> tuple[object, ...]:
    created = output.local(record.created_at, timezone)
    return record.number, record.type, record.status, record.subject, record.owner, record.owner_team, created


@records.command(cls=Command)
@click.argument("words", metavar="[TYPE] NUMBER", nargs=-1, required=True)
@click.option(
    "--activities",
    type=click.IntRange(1),
    default=50,
    show_default=True,
    help="The newest ones, at most this many.",
)
@click.option("--seen", is_flag=True, help="Clear its mark `updated by mail`.")
def show(words: tuple[str, ...], *, activities: int, seen: bool) -> None:
    """Show one record with its activities. NUMBER is as it is printed (INC1); a bare number needs the type."""
    with opened(store_only=True) as app:
        record = _called(app, words)
        if seen:
            record = views.see(app, record)
            note(app, Write.SAW_RECORD, record.number)
        print_record(app, record, activities)


def _called(app: App, words: Sequence[str]) -> Record:
    if len(words) not in {1, 2}:
        raise click.UsageError("name one record: INC1, or incident 1")
    return views.record_called(app, *words)


@records.command(cls=Command)
@click.argument("words", metavar="[TYPE] NUMBER NAME", nargs=-1, required=True)
@click.option(
    "--save",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="A file to create.",
)
def attachment(words: tuple[str, ...], save: Path | None) -> None:
    """Write a file of a record to FILE, which must not exist, or to standard output when that is not a terminal."""
    if save is None and output.is_terminal():
        raise click.UsageError("a file is not written to a terminal: add --save FILE")
    with opened(store_only=True) as app:
        found = views.attachment_called(app, _called(app, words[:-1]), words[-1])
        content = app.documents.get_blob(found.sha256)
    if save is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        return
    with save.open("xb") as file:
        file.write(content)
    output.result({**asdict(found), "path": str(save)}, f"saved  {save}  {found.size} bytes")


def print_record(app: App, record: Record, activities: int = 50) -> None:
    """One record, for machines or for people."""
    seen = views.view(app, record, activities)
    if as_json():
        output.emit(seen.as_json())
        return
    timezone = timezone_of(app.documents)
    output.facts(_facts(seen, timezone))
    for entry in seen.activities:
        _print_activity(entry, record.subject, timezone)
    count = app.records.count_activities(record.id)
    if count > activities:
        click.echo(f"\nthe newest {activities} of {count} activities are shown: --activities {count}", err=True)


def _facts(seen: RecordView, timezone: str) -> tuple[tuple[str, object], ...]:
    record, customer = seen.record, seen.customer
    return (
        ("number", record.number),
        ("type", record.type),
        ("status", record.status),
        ("subject", record.subject),
        ("customer", f"{customer.name} <{customer.address or ''}>" if customer else None),
        *(("in copy", f"{each.name} <{each.address}>" if each.name else each.address) for each in seen.participants),
        ("owner", record.owner),
        ("team", record.owner_team),
        ("priority", seen.priority),
        ("partition", record.partition),
        ("template", record.template),
        ("logged by", record.logging_analyst),
        ("created by", record.created_by),
        ("source", record.source),
        ("created", output.local(record.created_at, timezone)),
        ("updated", output.local(record.updated_at, timezone)),
        ("updated by mail", "yes" if record.updated_by_mail else None),
        ("deleted", "yes" if record.deleted else None),
        *((each.target, _target(each, timezone)) for each in seen.targets),
        *record.fields.items(),
        *(("below", f"{each.number} {each.status}: {each.subject}") for each in seen.tasks),
        *((each.relationship, f"{each.type} {each.number}") for each in seen.links),
        *(("attached", f"{each.filename} ({each.content_type}, {each.size} bytes)") for each in seen.attachments),
    )


def _target(each: TargetView, timezone: str) -> str:
    """A target in words: `gold: due 2026-11-20 14:00, running`."""
    due = f"due {output.local(each.due_at, timezone)}, " if each.due_at else ""
    met = f" {output.local(each.met_at, timezone)}" if each.met_at else ""
    return f"{each.sla}: {due}{each.state}{met}{', late' if each.late else ''}"


def _print_activity(entry: StoredActivity, subject: str, timezone: str) -> None:
    mail = f"  mail {entry.mail_id[:SHORT_ID]}" if entry.mail_id else ""
    output.heading(f"{output.local(entry.at, timezone)}  {entry.by}  {entry.kind}{mail}")
    if entry.subject and entry.subject != subject:
        click.echo(output.quoted(f"Subject: {entry.subject}"))
    click.echo(output.quoted(entry.text))
    if entry.shortened:
        click.echo(f"  [text was left out; the whole mail: postroom mails source {entry.mail_id}]")
    for each in entry.attachments:
        click.echo(f"  [{output.safe(each.filename)}]")


@records.command(cls=Command)
@click.argument("type_name", metavar="TYPE")
@click.option("--subject", default="", help="Subject of the record.")
@click.option("--description", default="", help="Description of the record.")
@click.option("--customer", metavar="PERSON", help="Id or address of a person.")
@click.option("--owner", metavar="PERSON", help="Id or address of a person.")
@click.option("--status", help="Another status than the first open one.")
@click.option("--parent", metavar="NUMBER", help="Parent record: INC1, or TYPE:NUMBER.")
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
    from services.operator.service_desk import manual_edits

    with opened() as app:
        type_ = views.type_called(app, type_name)
        given = [*map(_pair, values), *((("Owner", person_named(app, owner).id),) if owner else ())]
        new = manual_edits.NewRecord(
            subject=subject,
            description=description,
            customer=person_named(app, customer).id if customer else None,
            parent=_parent(app, parent) if parent else None,
            values=(*given, *((("Status", status),) if status else ())),
        )
        made = manual_edits.create(app, type_, new)
        note(app, Write.CREATED_RECORD, made.number)
        print_record(app, made)


def _pair(written: str) -> tuple[str, str]:
    name, found, value = written.partition("=")
    if not found or not name.strip():
        raise click.UsageError(f"{written!r} is not Field=Value")
    return name.strip(), value


def _parent(app: App, written: str) -> Record:
    type_name, found, number = written.rpartition(":")
    if not found and app.directory.type_named(written):
        raise click.UsageError(f"{written!r} is not TYPE:NUMBER")
    return views.record_called(app, *((type_name, number) if found else (number,)))


@records.command("set", cls=Command)
@click.argument("words", metavar="[TYPE] NUMBER FIELD=VALUE...", nargs=-1, required=True)
def set_values(words: tuple[str, ...]) -> None:
    """Change a record: Status, Owner, OwnerTeam, Subject, Partition, or a field of its type. Prints the record."""
    from services.operator.service_desk import manual_edits

    with opened() as app:
        named, values = _named(app, words)
        record = views.record_called(app, *named)
        type_ = views.type_called(app, record.type)
        changed = manual_edits.change(app, type_, record.id, [_resolved(app, *_pair(each)) for each in values])
        note(app, Write.CHANGED_RECORD, changed.number)
        print_record(app, changed)


def _named(app: App, words: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """The words that name the record, and those that name its values."""
    count = 2 if app.directory.type_named(words[0]) else 1
    if len(words) <= count:
        raise click.UsageError("write what to set: Field=Value")
    return words[:count], words[count:]


def _resolved(app: App, name: str, value: str) -> tuple[str, str]:
    """Replace an owner, given by id or address, with the person's id; an empty value removes the owner."""
    if name.casefold() != "owner" or not value.strip():
        return name, value
    try:
        return name, person_named(app, value.strip()).id
    except NotAvailable as error:
        raise NotAvailable(f"{error}; Owner takes the id or address of a person") from None


@records.command(cls=Command)
@click.argument("words", metavar="[TYPE] NUMBER", nargs=-1, required=True)
def delete(words: tuple[str, ...]) -> None:
    """Hide a record from lists and from mails. Nothing is lost: undelete shows it again."""
    _set_deleted(words, deleted=True)


@records.command(cls=Command)
@click.argument("words", metavar="[TYPE] NUMBER", nargs=-1, required=True)
def undelete(words: tuple[str, ...]) -> None:
    """Show a deleted record again."""
    _set_deleted(words, deleted=False)


def _set_deleted(words: Sequence[str], *, deleted: bool) -> None:
    from services.operator.service_desk import manual_edits

    with opened() as app:
        changed = manual_edits.set_deleted(app, _called(app, words).id, deleted=deleted)
        note(app, Write.DELETED_RECORD if deleted else Write.RESTORED_RECORD, changed.number)
        print_record(app, changed)


@records.command(cls=Command)
@click.argument("number", metavar="NUMBER")
@click.argument("into", metavar="INTO")
def merge(number: str, into: str) -> None:
    """Close the record NUMBER; mails about it go to INTO, and whoever took part takes part there. Prints INTO."""
    from services.operator.service_desk import manual_edits

    with opened() as app:
        merged, kept = (views.record_called(app, each) for each in (number, into))
        after = manual_edits.merge(app, merged.id, kept.id)
        note(app, Write.MERGED_RECORDS, f"{merged.number} into {kept.number}")
        print_record(app, after)
