"""`postroom dead-letters`: what failed and why; back to its queue, or closed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import click

from services.cli import output
from services.cli.base import Command, Group, as_json, beginning_with, opened, page_options
from services.cli.listing import Listing, Page

if TYPE_CHECKING:
    from shared.app import App
    from shared.store.documents import Document


OPEN: Final = {"state": "open"}
NONE_OPEN: Final = "no dead letter is open"


@click.group("dead-letters", cls=Group)
def dead_letters() -> None:
    """What failed: look, replay, discard."""


@dead_letters.command("list", cls=Command)
@click.option("--state", type=click.Choice(("open", "replayed", "discarded", "all")), default="open", show_default=True)
@click.option("--stage", help="Letters of one stage.")
@page_options
def list_letters(state: str, stage: str | None, limit: int, skip: int) -> None:
    """List dead letters, newest first."""
    where: dict[str, Any] = {} if state == "all" else {"state": state}
    if stage is not None:
        where["stage"] = stage
    page = Page(limit, skip)
    with opened() as app:
        listing = Listing(
            summary,
            ("letter", "at", "stage", "reason", "mail", "incident", "state"),
            partial(_row, timezone=app.directory.current().settings.timezone),
            NONE_OPEN if where == OPEN else "no dead letters like that",
        )
        listing.tell(app.dead_letters.recent(where, page.reach, skip), page)


def _row(letter: Mapping[str, Any], timezone: str) -> tuple[object, ...]:
    at, mail = output.local(letter["at"], timezone), (letter["mail_id"] or "")[:12]
    return letter["_id"][:12], at, letter["stage"], letter["reason"], mail, letter["incident"], letter["state"]


def summary(letter: Mapping[str, Any]) -> dict[str, Any]:
    """A letter as `dead-letters list --json` prints it."""
    keys = ("stage", "reason", "mail_id", "incident", "queue", "inbox", "at", "state")
    return {"id": letter["_id"], **{key: letter.get(key) for key in keys}}


def one(app: App, named: str) -> Document:
    """The letter with this id or this beginning of one."""
    return app.dead_letters.get(named) or beginning_with(app, "dead_letters", "dead letter", named)


@dead_letters.command(cls=Command)
@click.argument("letter_id")
def show(letter_id: str) -> None:
    """Show one letter with the message that failed."""
    with opened() as app:
        letter = one(app, letter_id)
        body = app.documents.get_blob(letter["message"]["body"])
        timezone = app.directory.current().settings.timezone
    message = letter["message"]
    headers = dict(message["headers"])
    text = body[:20_000].decode("utf-8", "replace")
    if as_json():
        told = {key: message[key] for key in ("id", "type", "content_type", "correlation_id")}
        output.emit({**summary(letter), "message": {**told, "headers": headers, "size": len(body), "body": text}})
        return
    output.facts(
        (
            ("letter", letter["_id"]),
            ("at", output.local(letter["at"], timezone)),
            ("stage", letter["stage"]),
            ("queue", letter["queue"]),
            ("reason", letter["reason"]),
            ("mail", letter["mail_id"]),
            ("inbox", letter["inbox"]),
            ("incident", letter["incident"]),
            ("state", letter["state"]),
            ("message", f"{message['type'] or message['content_type']}, {len(body)} bytes"),
        )
    )
    output.heading("headers")
    output.facts(headers.items())
    output.heading("body")
    click.echo(output.quoted(text[:4_000]))


@dead_letters.command(cls=Command)
@click.argument("letter_ids", metavar="LETTER_ID...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every open letter.")
@click.option("--stage", help="With --all: letters of one stage.")
def replay(letter_ids: tuple[str, ...], *, everything: bool, stage: str | None) -> None:
    """Send letters back to the queue that they came from; what was committed is not repeated.

    A running `up` or the workers take them up.
    """
    from services.operator import actions

    with opened() as app:
        for letter in output.progress(_chosen(app, letter_ids, everything=everything, stage=stage), "replaying"):
            queue = actions.replay(app, letter["_id"])
            if as_json():
                output.emit({"id": letter["_id"], "queue": queue, "state": "replayed"})
            else:
                click.echo(f"replayed  {letter['_id']}  to {queue}")


def _chosen(app: App, letter_ids: tuple[str, ...], *, everything: bool, stage: str | None) -> list[Document]:
    if everything == bool(letter_ids):
        raise click.UsageError("name letters, or say --all")
    if not everything:
        return [one(app, each) for each in letter_ids]
    found = list(app.dead_letters.recent({**OPEN, "stage": stage} if stage else OPEN, 0))[::-1]
    if not found:
        click.echo(NONE_OPEN, err=True)
    return found


@dead_letters.command(cls=Command)
@click.argument("letter_ids", metavar="LETTER_ID...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="Every open letter.")
@click.option("--stage", help="With --all: letters of one stage.")
@click.option("--reason", default="", metavar="TEXT", help="Kept with the letter.")
def discard(letter_ids: tuple[str, ...], *, everything: bool, stage: str | None, reason: str) -> None:
    """Close letters without another try; mail, error and incident stay."""
    from services.operator import actions

    with opened() as app:
        for letter in output.progress(_chosen(app, letter_ids, everything=everything, stage=stage), "discarding"):
            actions.discard(app, letter["_id"], reason=reason)
            if as_json():
                output.emit({"id": letter["_id"], "state": "discarded"})
            else:
                click.echo(f"discarded  {letter['_id']}")
