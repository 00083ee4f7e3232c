"""`postroom dead-letters`: what failed and why; back to its queue, or closed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final, Literal

import click

from services.cli import output
from services.cli.base import Command, Group, as_json, is_all, note, opened, page_options, who
from services.cli.listing import Listing, Page
from services.operator.health.stages import require_stage
from services.operator.mail.dead_letters import body_of, find_letter, letter_as_json, open_letters, view_letter
from services.operator.permissions.writes import Write
from shared.store.dead_letters import OPEN, LetterQuery, LetterState
from shared.store.settings import timezone as timezone_of

if TYPE_CHECKING:
    from shared.app import App
    from shared.store.dead_letters import DeadLetter

NONE_OPEN: Final = "no dead letter is open"


@click.group("dead-letters", cls=Group)
def dead_letters() -> None:
    """What failed: look, replay, discard."""


@dead_letters.command("list", cls=Command)
@click.option("--state", type=click.Choice(("open", "replayed", "discarded", "all")), default="open", show_default=True)
@click.option("--stage", help="Letters of one stage.")
@page_options
def list_letters(state: LetterState | Literal["all"], stage: str | None, limit: int, skip: int) -> None:
    """List dead letters, newest first."""
    if stage:
        require_stage(stage)
    query = LetterQuery(None if state == "all" else state, stage)
    page = Page(limit, skip)
    with opened(store_only=True) as app:
        listing = Listing(
            letter_as_json,
            ("letter", "at", "stage", "mail", "incident", "state", "reason"),
            partial(_row, timezone=timezone_of(app.documents)),
            NONE_OPEN if query == OPEN else "no matching dead letters",
        )
        listing.show_page(app.dead_letters.recent(query, page.reach, skip), page)


def _row(letter: DeadLetter, timezone: str) -> tuple[object, ...]:
    at, mail = output.local(letter.at, timezone), (letter.mail_id or "")[:12]
    return letter.id[:12], at, letter.stage, mail, letter.incident, letter.state, letter.reason


@dead_letters.command(cls=Command)
def causes() -> None:
    """List the causes of open letters: one stage and one kind of reason, with how many letters it has."""
    from services.operator.mail.dead_letter_causes import causes as found

    with opened(store_only=True) as app:
        listed, timezone = found(app).causes, timezone_of(app.documents)
    if as_json():
        for each in listed:
            output.emit(each.as_json())
        return
    rows = ((each.id, each.stage, each.count, output.local(each.last, timezone), each.reason) for each in listed)
    output.table(("cause", "stage", "letters", "at", "reason"), rows, empty=NONE_OPEN)


@dead_letters.command(cls=Command)
@click.argument("letter_id")
def show(letter_id: str) -> None:
    """Show one letter with the message that failed."""
    with opened(store_only=True) as app:
        view = view_letter(app, find_letter(app, letter_id))
        timezone = timezone_of(app.documents)
    if as_json():
        output.emit(view.as_json())
        return
    letter, message = view.letter, view.letter.message
    output.facts(
        (
            ("letter", letter.id),
            ("at", output.local(letter.at, timezone)),
            ("stage", letter.stage),
            ("queue", letter.queue),
            ("reason", letter.reason),
            ("mail", letter.mail_id),
            ("inbox", letter.inbox),
            ("incident", letter.incident),
            ("state", letter.state),
            ("message", f"{message.type or message.content_type or 'without a type'}, {view.size} bytes"),
        )
    )
    output.heading("headers")
    output.facts(message.headers)
    output.heading("body")
    click.echo(output.quoted(view.text[:4_000]))


@dead_letters.command(cls=Command)
@click.argument("letter_id")
def source(letter_id: str) -> None:
    """Write the exact body of the message that failed to standard output; a terminal gets it with controls escaped.

    Of a message on intake that is the mail itself: postroom dead-letters source ID | postroom publish --inbox NAME -
    """
    import base64

    with opened(store_only=True) as app:
        letter = find_letter(app, letter_id)
        raw = body_of(app, letter)
    if as_json():
        output.emit({"letter_id": letter.id, "size": len(raw), "raw": base64.b64encode(raw).decode()})
        return
    output.exact_bytes(raw)


@dead_letters.command(cls=Command)
@click.argument("letter_ids", metavar="LETTER_ID...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every open letter.")
@click.option("--stage", help="With --all: letters of one stage.")
@click.option("--cause", metavar="ID", help="With --all: letters of one cause, see causes.")
@click.option("--reason", default="", metavar="TEXT", help="Reason, stored in the journal of the mail.")
def replay(letter_ids: tuple[str, ...], *, everything: bool, stage: str | None, cause: str | None, reason: str) -> None:
    """Send letters back to the queue that they came from; what was committed is not repeated.

    A running `up` or the workers take them up.
    """
    from services.operator.mail import actions

    with opened() as app:
        for letter in output.progress(
            _chosen(app, letter_ids, everything=everything, stage=stage, cause=cause), "replaying"
        ):
            queue = actions.replay(app, letter.id, by=who(), reason=reason)
            note(app, Write.REPLAYED_LETTER, letter.id, reason)
            facts = {"id": letter.id, "letter_id": letter.id, "queue": queue, "state": "replayed"}
            output.result(facts, f"replayed  {letter.id}  to {queue}")


def _chosen(
    app: App, letter_ids: tuple[str, ...], *, everything: bool, stage: str | None, cause: str | None
) -> list[DeadLetter]:
    if not is_all(letter_ids, everything=everything, what="letters"):
        if stage or cause:
            raise click.UsageError("--stage and --cause choose among all letters: use them with --all")
        return [find_letter(app, each) for each in letter_ids]
    if stage and cause:
        raise click.UsageError("a cause is of one stage: use --stage or --cause")
    if stage:
        require_stage(stage)
    if cause:
        from services.operator.mail.dead_letter_causes import letters_of_cause

        return list(letters_of_cause(app, cause))
    found = open_letters(app, stage)
    if not found:
        click.echo(NONE_OPEN, err=True)
    return found


@dead_letters.command(cls=Command)
@click.argument("letter_ids", metavar="LETTER_ID...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every open letter.")
@click.option("--stage", help="With --all: letters of one stage.")
@click.option("--cause", metavar="ID", help="With --all: letters of one cause, see causes.")
@click.option("--reason", default="", metavar="TEXT", help="Reason, stored with the letter.")
def discard(
    letter_ids: tuple[str, ...], *, everything: bool, stage: str | None, cause: str | None, reason: str
) -> None:
    """Close letters without another try; mail, error and incident stay."""
    from services.operator.mail import actions

    with opened() as app:
        for letter in output.progress(
            _chosen(app, letter_ids, everything=everything, stage=stage, cause=cause), "discarding"
        ):
            actions.discard(app, letter.id, by=who(), reason=reason)
            note(app, Write.DISCARDED_LETTER, letter.id, reason)
            facts = {"id": letter.id, "letter_id": letter.id, "state": "discarded"}
            output.result(facts, f"discarded  {letter.id}")
