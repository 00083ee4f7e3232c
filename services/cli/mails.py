"""`postroom mails`: where is that mail? What every stage decided, the source, and the way past a rejection."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import click

from services.cli import output
from services.cli.base import (
    Command,
    Group,
    Problem,
    as_json,
    beginning_with,
    nothing_called,
    opened,
    page_options,
)
from services.cli.listing import Listing, Page
from shared.store.mails import OUTCOMES

if TYPE_CHECKING:
    from shared.app import App
    from shared.store.documents import Document
    from shared.store.journal import JournalEntry

STAGES = ("fetcher", "parser", "filter", "sender-matcher", "record-writer", "exporter", "dead-letter", "notifier")
AGO: Final[Mapping[str, timedelta]] = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}


@click.group(cls=Group)
def mails() -> None:
    """Where is that mail? Ask by mail id, by its beginning, or by Message-ID."""


@mails.command("list", cls=Command)
@click.option("--inbox", metavar="NAME", help="Mail of one inbox.")
@click.option("--outcome", type=click.Choice((*OUTCOMES, "in-flight")), help="Mail that ended so, or not yet.")
@click.option("--since", metavar="TIME", help="Received since then: 2026-11-20, 2026-11-20T08:00, or 2h, 3d ago.")
@click.option("--search", metavar="TEXT", help="A part of sender, subject or Message-ID, whatever the case.")
@page_options
def list_mails(
    *, inbox: str | None, outcome: str | None, since: str | None, search: str | None, limit: int, skip: int
) -> None:
    """List mails, newest first."""
    page = Page(limit, skip)
    with opened() as app:
        timezone = app.directory.current().settings.timezone
        where = _where(inbox, outcome, _since(since, app.clock.now(), timezone) if since else None)
        found: Iterable[Document] = (
            _searched(app, where, search, page) if search else app.mails.recent(where, page.reach, skip)
        )
        listing = Listing(
            summary,
            ("mail", "received", "inbox", "from", "subject", "outcome", "records"),
            partial(_row, timezone=timezone),
            "no mails like that" if where or search else "no mails yet; postroom publish FILE hands one in",
        )
        listing.tell(found, page)


def _where(inbox: str | None, outcome: str | None, since: datetime | None) -> dict[str, Any]:
    where: dict[str, Any] = {}
    if inbox is not None:
        where["inbox"] = inbox
    if outcome is not None:
        where["outcome"] = None if outcome == "in-flight" else outcome
    if since is not None:
        where["received_at"] = {"$gte": since}
    return where


def _since(written: str, now: datetime, timezone: str) -> datetime:
    """A point in time: stated in the desk's time zone, or as a time ago."""
    if found := re.fullmatch(r"([0-9]{1,6})([smhdw])", written.strip()):
        return now - int(found[1]) * AGO[found[2]]
    try:
        stated = datetime.fromisoformat(written.strip())
    except ValueError:
        raise click.UsageError(f"{written!r} is no time; write 2026-11-20, 2026-11-20T08:00, 2h or 3d") from None
    return stated if stated.tzinfo else stated.replace(tzinfo=output.zone(timezone))


def _searched(app: App, where: Mapping[str, Any], text: str, page: Page) -> list[Document]:
    """Mails are looked through one by one: a search is for a person who has only a piece of it."""
    wanted = text.casefold()
    found = (each for each in app.mails.recent(where, 0) if wanted in _told(each))
    with output.watching("searching"):
        return list(islice(found, page.skip, page.skip + page.reach))


def _told(mail: Document) -> str:
    sender = mail.get("from") or {}
    parts = (sender.get("name"), sender.get("address"), mail.get("subject"), mail.get("message_id"))
    return "\n".join(part for part in parts if part).casefold()


def _row(mail: Document, timezone: str) -> tuple[object, ...]:
    sender = mail.get("from") or {}
    records = " ".join(record["number"] for record in mail.get("records", ()))
    received = output.local(mail["received_at"], timezone)
    outcome = mail["outcome"] or "in flight"
    return mail["_id"][:12], received, mail["inbox"], sender.get("address"), mail.get("subject"), outcome, records


def summary(mail: Mapping[str, Any]) -> dict[str, Any]:
    """A mail as `mails list --json` prints it."""
    return {
        "mail_id": mail["_id"],
        "inbox": mail["inbox"],
        "from": mail.get("from"),
        "subject": mail.get("subject"),
        "received_at": mail["received_at"],
        "outcome": mail["outcome"],
        "reason": mail.get("reason"),
        "records": mail.get("records", []),
        "message_id": mail.get("message_id"),
        "kind": mail.get("kind"),
        "size": mail.get("size"),
        "sha256": mail.get("raw"),
        "defects": mail.get("defects", []),
        "released": bool(mail.get("released")),
    }


def one(app: App, named: str) -> Document:
    """The mail with this id, the beginning of an id, or a Message-ID. Several: the newest is not guessed."""
    if "@" not in named and not named.startswith("<"):
        return app.mails.get(named) or beginning_with(app, "mails", "mail", named)
    several = app.mails.with_message_ids([named])
    if not several:
        nothing_called("mail", named)
    if len(several) > 1:
        raise Problem(
            f"{len(several)} mails are called {output.safe(named)}: {', '.join(each['_id'] for each in several[:5])}"
        )
    return several[0]


@mails.command(cls=Command)
@click.argument("mail_id")
def show(mail_id: str) -> None:
    """Show one mail and what every stage decided about it."""
    with opened() as app:
        mail = one(app, mail_id)
        timezone = app.directory.current().settings.timezone
        entries = entries_of(app, mail)
        letter = next(app.dead_letters.recent({"mail_id": mail["_id"], "state": "open"}, 1), None)
    if as_json():
        output.emit({**summary(mail), "journal": entries})
        return
    _show(mail, timezone)
    output.facts([("next", _next_step(mail, letter))])
    output.heading("journal")
    output.table(
        ("at", "stage", "decision", "why"),
        ((output.local(each["at"], timezone), each["stage"], each["decision"], each["why"]) for each in entries),
        empty="no stage has seen it yet",
    )


def entries_of(app: App, mail: Document) -> list[dict[str, Any]]:
    """What every stage decided about a mail, in order."""
    keys = ("at", "stage", "decision", "why", "attempt")
    entries = sorted(app.journal.of_mail(mail["_id"]), key=_in_order)
    return [{key: getattr(each, key) for key in keys} for each in entries]


def _in_order(entry: JournalEntry) -> tuple[datetime, int]:
    """By time; within one millisecond in the order of the stages."""
    return entry.at, STAGES.index(entry.stage) if entry.stage in STAGES else len(STAGES)


def _show(mail: Document, timezone: str) -> None:
    sender = mail.get("from") or {}
    output.facts(
        (
            ("mail", mail["_id"]),
            ("inbox", mail["inbox"]),
            ("received", output.local(mail["received_at"], timezone)),
            ("from", f"{sender.get('name', '')} <{sender.get('address', '')}>".strip() if sender else "unknown"),
            ("to", ", ".join(mail.get("to", ()))),
            ("subject", mail.get("subject")),
            ("message id", mail.get("message_id")),
            ("kind", mail.get("kind")),
            ("size", mail.get("size")),
            ("defects", ", ".join(mail.get("defects", ()))),
            ("outcome", mail["outcome"] or "in flight"),
            ("reason", mail.get("reason")),
            ("records", " ".join(record["number"] for record in mail.get("records", ()))),
        )
    )


def _next_step(mail: Document, letter: Document | None) -> str | None:
    """What a person may do about a mail that is no record."""
    if letter is not None:
        return f"mend the cause, then: postroom dead-letters replay {letter['_id'][:12]}"
    if mail["outcome"] == "rejected":
        return f"to let it through: postroom mails release {mail['_id'][:12]}"
    return None


@mails.command(cls=Command)
@click.argument("mail_id")
def source(mail_id: str) -> None:
    """Write the exact bytes that were received to standard output; a terminal gets them with controls escaped."""
    import base64

    with opened() as app:
        mail = one(app, mail_id)
        raw = app.documents.get_blob(mail["raw"])
    if as_json():
        output.emit(
            {"mail_id": mail["_id"], "sha256": mail["raw"], "size": len(raw), "raw": base64.b64encode(raw).decode()}
        )
        return
    if output.is_terminal():
        text = raw.decode("utf-8", "backslashreplace").replace("\r\n", "\n")
        click.echo(output.safe(text, breaks=True), nl=not text.endswith("\n"))
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(raw)


@mails.command(cls=Command)
@click.argument("mail_ids", metavar="MAIL_ID...", nargs=-1, required=True)
def release(mail_ids: tuple[str, ...]) -> None:
    """Let rejected mails through; the filter is not asked again. A running `up` or the workers take them up."""
    from services import actions

    with opened() as app:
        for each in mail_ids:
            mail = one(app, each)
            actions.release(app, mail["_id"])
            if as_json():
                output.emit({"mail_id": mail["_id"], "released": True})
            else:
                click.echo(f"released  {mail['_id']}  {output.safe(mail.get('subject') or '')}")
