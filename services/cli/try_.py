"""`postroom try`: what would become of a mail, and why; nothing is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from services.cli import output, sources
from services.cli.base import PROBLEM, Command, as_json, opened

if TYPE_CHECKING:
    from shared.app import App
    from shared.mail_files import Source


@click.command("try", cls=Command)
@click.option("--inbox", metavar="NAME", help="Inbox that receives the mail; the default inbox if omitted.")
@click.argument("named", metavar="FILE|DIR|MBOX|-...", type=click.Path(), nargs=-1, required=True)
def try_(inbox: str | None, named: tuple[str, ...]) -> int:
    """Dry run of the whole pipeline: the decision of every stage and rule, the planned changes, nothing written."""
    failed = 0
    with opened(store_only=True) as app:
        for word in named:
            for source in output.progress(sources.some_mails(word), "trying", sources.count(word)):
                failed += not _try_one(app, source, inbox)
    return PROBLEM if failed else 0


def _try_one(app: App, source: Source, inbox: str | None) -> bool:
    """Print the dry run of one mail; return whether it could be read."""
    from services.operator.trial.dry_run import dry_run
    from services.parser.guarded import Overdue

    found: dict[str, Any] = {"path": source.path}
    try:
        found |= {"error": source.error} if source.error is not None else dry_run(app, source.raw, inbox).as_json()
    except Overdue as error:
        found["error"] = str(error)
    if as_json():
        output.emit(found)
    else:
        _show(found)
    return "error" not in found


def _show(found: dict[str, Any]) -> None:
    output.heading(found["path"])
    if "error" in found:
        click.echo(f"Error: {found['error']}", err=True)
        return
    mail = found["mail"] or {}
    sender = mail.get("from") or {}
    output.facts((("from", sender.get("address")), ("subject", mail.get("subject"))))
    output.table(
        ("stage", "step", "decision", "why"),
        ((each["stage"], each["step"], each["decision"], each["why"]) for each in found["trace"]),
    )
    output.facts((("outcome", found["outcome"]), ("reason", found["reason"])))
    for change in found["changes"]:
        _show_change(change)
    for each in found["notifications"]:
        click.echo(output.safe(f"would write to {', '.join(each['to'])}: {each['subject']}"))


def _show_change(change: dict[str, Any]) -> None:
    click.echo(output.safe(f"would {change['action']} {change['type']} {change['number']}"))
    values = {**change.get("set", {}), **change["fields"]}
    output.facts((f"  {name}", value) for name, value in values.items())
