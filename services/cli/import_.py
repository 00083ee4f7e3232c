"""`postroom import`: old mail from files or from a mailbox becomes the history of records, and nobody is notified."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from services.cli import output, sources
from services.cli.base import PROBLEM, Command, as_json, note, opened, print_error
from services.operator.permissions.writes import Write

if TYPE_CHECKING:
    from collections.abc import Iterable

    from services.operator.mail.history import HistoryImport, ImportSummary

TIME: Final = click.DateTime(("%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"))


@click.command("import", cls=Command)
@click.option("--inbox", metavar="NAME", help="Inbox whose records the mails become; the default inbox if omitted.")
@click.option("--since", type=TIME, metavar="DATE", help="Leave out older mail (2019-05-14, in UTC).")
@click.option("--until", type=TIME, metavar="DATE", help="Leave out mail of this day and later.")
@click.option("--status", metavar="STATUS", help="Status of its records, as Closed.  [default: the first open]")
@click.option("--mbox", "is_mbox", is_flag=True, help="The files are mboxes, whatever their names.")
@click.option("--folder", metavar="NAME", help="Without paths: read this folder of the inbox's mailbox.")
@click.option("--dry-run", is_flag=True, help="Count what would be imported; nothing is written.")
@click.argument("named", metavar="[MBOX|DIR|FILE]...", type=click.Path(), nargs=-1)
def import_(
    named: tuple[str, ...],
    *,
    inbox: str | None,
    since: datetime | None,
    until: datetime | None,
    status: str | None,
    is_mbox: bool,
    folder: str | None,
    dry_run: bool,
) -> int:
    """Import old mail with its true dates: each thread becomes one record; nobody is answered or notified.

    Reads mboxes (*.mbox, or --mbox), folders and Maildirs, or without paths the mailbox of the inbox, whose mails stay
    there unread. Each mail is imported once: run the command again to go on after an interruption.
    """
    from services.operator.mail.history import HistoryImport, import_request

    if not named and inbox is None:
        raise click.UsageError("name an mbox or a folder, or the inbox whose mailbox is read (--inbox)")
    if folder is not None and named:
        raise click.UsageError("--folder names a folder of the inbox's mailbox; it goes without paths")
    paths = [sources.existing(each) for each in named]
    with opened() as app:
        request = import_request(app, inbox, since=_utc(since), until=_utc(until), status=status)
        with HistoryImport(app, request, _report_unreadable) as run:
            if paths:
                _import_files(run, paths, is_mbox=is_mbox, dry_run=dry_run)
            else:
                _exhaust(output.progress(run.from_mailbox(folder, dry_run=dry_run), "importing"))
            if run.summary.imported and not dry_run:
                note(app, Write.IMPORTED_MAILS, f"{request.inbox.name}: {run.summary.imported}")
            _report(run.summary, request.inbox.name, dry_run=dry_run)
    return PROBLEM if run.summary.unreadable else 0


def _import_files(run: HistoryImport, paths: list[Path], *, is_mbox: bool, dry_run: bool) -> None:
    for path in paths:
        _exhaust(output.progress(run.collect(path, is_mbox=True if is_mbox else None), "reading"))
    seen = run.summary
    wanted = seen.found - seen.copies - seen.outside - seen.unreadable
    _exhaust(
        output.progress(run.count() if dry_run else run.hand_in(), "importing", wanted, amount=lambda mails: mails)
    )


def _exhaust(work: Iterable[int]) -> None:
    for _ in work:
        pass


def _utc(at: datetime | None) -> datetime | None:
    return at if at is None or at.tzinfo else at.replace(tzinfo=UTC)


def _report_unreadable(place: str, reason: str) -> None:
    print_error(f"{place}: {reason}", PROBLEM, json=as_json())


def _report(summary: ImportSummary, inbox: str, *, dry_run: bool) -> None:
    if as_json():
        output.emit({"inbox": inbox, **asdict(summary), "dry_run": dry_run})
        return
    said = {
        "would be imported" if dry_run else "imported": summary.imported,
        "threads": summary.threads,
        "in Postroom before": summary.known,
        "copies": summary.copies,
        "outside the time": summary.outside,
        "unreadable": summary.unreadable,
        "first": output.local(summary.first, "UTC"),
        "last": output.local(summary.last, "UTC"),
    }
    output.facts((name, value) for name, value in said.items() if value or name.endswith("imported"))
