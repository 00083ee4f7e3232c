"""`postroom publish`: raw mail onto the intake queue, from files, folders, mboxes or a mail transfer agent's pipe.

Does not check content: an empty mail is published too, and the stages decide about it. Exits
with 75 when a mail could not be stored, whatever the reason, so that a mail transfer agent keeps it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Final

import click

from services.cli import output, sources
from services.cli.base import DEBUG, PROBLEM, TRY_LATER, Command, as_json, opened, print_error
from services.operator.publishing import Origin, unknown_inbox_warning
from services.operator.publishing import publish as publish_mails
from shared.mail_files import Source

if TYPE_CHECKING:
    from shared.app import App

BATCH: Final = 100
BATCH_BYTES: Final = 8 * 1024 * 1024
"""Bytes of mail that are published and confirmed together; `BATCH` mails at most."""


@click.command(cls=Command)
@click.option("--inbox", metavar="NAME", help="Inbox that receives the mail; the default inbox if omitted.")
@click.option("--source-id", metavar="ID", help="Your own key: the same key and bytes are one mail.")
@click.option("--envelope-from", metavar="ADDRESS", help="Envelope sender (MAIL FROM).")
@click.option("--envelope-to", metavar="ADDRESS", multiple=True, help="Envelope recipient (RCPT TO); may be repeated.")
@click.argument("named", metavar="FILE|DIR|MBOX|-...", type=click.Path(), nargs=-1, required=True)
def publish(
    inbox: str | None,
    source_id: str | None,
    envelope_from: str | None,
    envelope_to: tuple[str, ...],
    named: tuple[str, ...],
) -> int:
    """Publish raw mail onto the intake queue; return when the queue has confirmed it.

    Prints the id of each mail, by which `postroom mails show` finds it at once. A running `up`, or the workers, make
    records of it.
    In a pipe of a mail transfer agent: postroom publish --inbox support -
    """
    try:
        return _publish(named, Origin(inbox, source_id, envelope_from, envelope_to))
    except (click.UsageError, BrokenPipeError):
        raise
    except Exception as error:
        if os.environ.get(DEBUG) == "1":
            raise
        print_error(f"not published, try again later: {error}", TRY_LATER, json=as_json())
        return TRY_LATER


def _publish(named: tuple[str, ...], origin: Origin) -> int:
    found = [(word, sources.mails(word)) for word in named]
    published, failed, code = 0, 0, 0
    with opened() as app:
        _warn_of_unknown(app, origin.inbox)
        for word, mails in found:
            for batch in _batches(output.progress(mails, "publishing", sources.count(word))):
                published += _hand_over(app, [each for each in batch if each.error is None], origin)
                failed += _report_unreadable(batch)
                code = TRY_LATER if failed and word == sources.STANDARD_INPUT else PROBLEM if failed else 0
    if not as_json():
        click.echo(f"published {published}" + (f", not published {failed}" if failed else ""), err=True)
    return code


def _warn_of_unknown(app: App, inbox: str | None) -> None:
    if warning := unknown_inbox_warning(app, inbox):
        click.echo(f"note: {output.safe(warning)}", err=True)


def _report_unreadable(batch: Iterable[Source]) -> int:
    """Print an error for each mail that could not be read; return their number."""
    broken = [each for each in batch if each.error is not None]
    for each in broken:
        print_error(f"{each.path}: {each.error}", PROBLEM, json=as_json())
    return len(broken)


def _batches(found: Iterable[Source]) -> Iterator[list[Source]]:
    batch: list[Source] = []
    size = 0
    for each in found:
        batch.append(each)
        size += len(each.raw)
        if len(batch) >= BATCH or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _hand_over(app: App, batch: list[Source], origin: Origin) -> int:
    receipts = publish_mails(app, [(each.path, each.raw) for each in batch], origin)
    for each in receipts:
        output.result(asdict(each), f"{each.mail_id}  {each.path}")
    return len(receipts)
