"""`postroom report`: list the reports, or print one as it is now."""

from __future__ import annotations

import sys

import click

from services.cli import output
from services.cli.base import Command, as_json, opened
from services.cli.listing import Listing, Page
from services.operator.service_desk import reports as views
from shared.store.settings import timezone as timezone_of


@click.command(cls=Command)
@click.argument("name", required=False)
@click.option("--csv", "as_csv", is_flag=True, help="As the CSV file that goes out by mail.")
def report(name: str | None, *, as_csv: bool) -> None:
    """Print the report NAME as it is now; without NAME, or with `list`, list the reports."""
    from services.schedule import report_text

    with opened(store_only=True) as app:
        if name is None or name.casefold() == "list":
            timezone = timezone_of(app.documents)
            Listing(
                views.ReportView.as_json,
                ("name", "schedule", "next", "sent", "records", "to", "problem"),
                lambda each: _row(each, timezone),
                "no reports yet; they are configured under `reports`",
            ).show_page(views.reports(app), Page(1000, 0))
            return
        table = views.report_now(app, name)
    if as_csv:
        sys.stdout.flush()
        sys.stdout.buffer.write(report_text.as_csv(table))
    elif as_json():
        output.emit(views.as_json(table))
    else:
        click.echo(output.safe(report_text.as_text(table), breaks=True), nl=False)


def _row(each: views.ReportView, timezone: str) -> tuple[object, ...]:
    next_at, sent_at = output.local(each.next_at, timezone), output.local(each.sent_at, timezone)
    return each.name, each.schedule, next_at, sent_at, each.records, ", ".join(each.recipients), each.reason
