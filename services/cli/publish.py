"""`postroom publish`: raw mail onto the intake queue, from files, folders, mboxes or a mail transfer agent's pipe.

Does not check content: an empty mail is published too, and the stages decide about it. Exits
with 75 when a mail could not be stored, whatever the reason, so that a mail transfer agent keeps it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import field
from typing import TYPE_CHECKING, Final

import click

from services.cli import output, sources
from services.cli.base import DEBUG, PROBLEM, TRY_LATER, Command, as_json, opened, print_error
from services.operator.mail.publishing import Origin, Ready, made_ready, unknown_inbox_warning
from services.operator.mail.publishing import publish as publish_mails
from shared.lazy_dataclass import dataclass
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
            batches = output.progress(_batches(mails, origin), "publishing", sources.count(word), _Batch.count)
            for batch in batches:
                published += _hand_over(app, batch.ready)
                failed += _report_unreadable(batch.unreadable)
                code = TRY_LATER if failed and word == sources.STANDARD_INPUT else PROBLEM if failed else 0
    if not as_json():
        click.echo(f"published {published}" + (f", not published {failed}" if failed else ""), err=True)
    return code


def _warn_of_unknown(app: App, inbox: str | None) -> None:
    if warning := unknown_inbox_warning(app, inbox):
        click.echo(f"note: {output.safe(warning)}", err=True)


@dataclass(slots=True)
class _Batch:
    """Mails that are published together, and what could not be read among them."""

    ready: list[Ready] = field(default_factory=list)
    unreadable: list[Source] = field(default_factory=list)
    size: int = 0

    def add(self, found: Source, origin: Origin) -> None:
        """Add a mail, or what is in its place."""
        if found.error is None:
            self.ready.append(made_ready(found.path, found.raw, origin))
            self.size += len(found.raw)
        else:
            self.unreadable.append(found)

    def count(self) -> int:
        """How many mails, and what is in place of one."""
        return len(self.ready) + len(self.unreadable)

    def is_full(self) -> bool:
        """Whether it is to be published now."""
        return self.count() >= BATCH or self.size >= BATCH_BYTES


def _batches(found: Iterable[Source], origin: Origin) -> Iterator[_Batch]:
    """The mails in batches, made ready to be published."""
    batch = _Batch()
    for each in found:
        batch.add(each, origin)
        if batch.is_full():
            yield batch
            batch = _Batch()
    if batch.count():
        yield batch


def _report_unreadable(unreadable: Sequence[Source]) -> int:
    """Print an error for each mail that could not be read; return their number."""
    for each in unreadable:
        print_error(f"{each.path}: {each.error}", PROBLEM, json=as_json())
    return len(unreadable)


def _hand_over(app: App, ready: Sequence[Ready]) -> int:
    receipts = publish_mails(app, ready)
    for each in receipts:
        output.result(each.as_json(), f"{each.mail_id}  {each.path}")
    return len(receipts)
