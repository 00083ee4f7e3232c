"""`postroom backtest`: what a changed configuration would do with the mail of the archive; nothing is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from services.cli import output
from services.cli.base import PROBLEM, Command, as_json, opened

if TYPE_CHECKING:
    from services.operator.trial.backtest import Backtest, Difference, Result


@click.command(cls=Command)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path))
@click.option(
    "--since", default="30d", show_default=True, metavar="TIME", help="Mail received since then: 2026-11-20, 2h, 30d."
)
@click.option("--inbox", metavar="NAME", help="Mail of one inbox.")
@click.option("--prune", is_flag=True, help="As `config apply --prune`: without what the file does not have.")
@click.option(
    "--limit", type=click.IntRange(0), default=50, show_default=True, help="List at most this many; all are counted."
)
def backtest(file: Path, since: str, inbox: str | None, limit: int, *, prune: bool) -> int:
    """Compare the configuration in force with FILE, mail by mail, over the archive; nothing is written.

    Prints which outcomes, changes of records and outgoing mails would differ. Exits with 1 when a mail could not be
    compared.
    """
    from services.cli.mails import moment
    from services.operator.settings.configuration import read_file
    from services.operator.trial import backtest as operator
    from shared.store.mails import MailQuery
    from shared.store.settings import timezone as timezone_of

    with opened(store_only=True) as app:
        changed = operator.changed_configuration(app, read_file(file).stated, prune=prune)
        query = MailQuery(inbox, since=moment(since, app.clock.now(), timezone_of(app.documents)))
        found = operator.new_backtest(app, query)
        for _ in output.progress(operator.compare_all(app, changed, query, found, limit), "comparing", found.total):
            pass
    _show(found)
    return PROBLEM if found.failed else 0


def _show(found: Backtest) -> None:
    if as_json():
        for each in found.differences:
            output.emit(each.as_json())
        output.emit(found.as_json())
        return
    for each in found.differences:
        _show_difference(each)
    if found.differing > len(found.differences):
        click.echo(f"\n{found.differing - len(found.differences)} more differ; --limit lists more", err=True)
    for mail_id, error in found.failures:
        click.echo(output.safe(f"not compared: {mail_id[:12]}: {error}"), err=True)
    click.echo()
    output.table(
        ("outcome now", "outcome then", "mails"), ((*pair, count) for pair, count in found.outcomes.most_common())
    )
    click.echo(found.sentence)


def _show_difference(found: Difference) -> None:
    mail = found.mail
    output.heading(f"{mail.id[:12]}  {mail.inbox}  {mail.from_.address if mail.from_ else ''}  {mail.subject}")
    output.facts((word, _line(each)) for word, each in (("now", found.before), ("then", found.after)))
    output.facts((f"  {each.what}", f"{each.before} → {each.after}") for each in found.values)


def _line(result: Result) -> str:
    why = f" ({result.reason})" if result.reason else ""
    return "; ".join((f"{result.outcome}{why}", *result.records, *result.answers))
