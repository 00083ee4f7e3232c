"""`postroom mails`: find a mail, what every stage decided about it, its source; release a rejected one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import click

from services.cli import output
from services.cli.base import Command, Group, as_json, is_all, note, opened, page_options, who
from services.cli.listing import Listing, Page
from services.operator.errors import NotAvailable
from services.operator.mail import mails as views
from services.operator.mail.mails import SHORT_ID, MailOnIntake
from services.operator.permissions.writes import Write
from services.operator.times import point_in_time
from shared.lazy_dataclass import dataclass
from shared.store.mails import IN_FLIGHT, OUTCOMES, InFlight, MailQuery, OutcomeName
from shared.store.settings import timezone as timezone_of

if TYPE_CHECKING:
    from shared.app import App
    from shared.store.jobs import Verb
    from shared.store.mails import StoredMail

REFUSED: Final = frozenset({"rejected", "dead"})
"""Outcomes whose list shows the reason in place of the outcome."""
_REFUSED: Final = ("mail", "received", "inbox", "from", "subject", "reason")


@click.group(cls=Group)
def mails() -> None:
    """Find mails by id or the beginning of one, by Message-ID, or by the whole subject."""


@mails.command("list", cls=Command)
@click.option("--inbox", metavar="NAME", help="Mail of one inbox.")
@click.option("--outcome", type=click.Choice((*OUTCOMES, IN_FLIGHT)), help="Mail with this outcome.")
@click.option("--since", metavar="TIME", help="Received since then: 2026-11-20, 2026-11-20T08:00, or 2h, 3d ago.")
@click.option("--search", metavar="TEXT", help="Part of sender, subject or Message-ID; case is ignored.")
@page_options
def list_mails(
    *,
    inbox: str | None,
    outcome: OutcomeName | InFlight | None,
    since: str | None,
    search: str | None,
    limit: int,
    skip: int,
) -> None:
    """List mails, newest first."""
    page = Page(limit, skip)
    with opened(store_only=True) as app:
        timezone = timezone_of(app.documents)
        query = MailQuery(inbox, outcome, moment(since, app.clock.now(), timezone) if since else None)
        found = _searched(app, query, search, page) if search else views.recent_mails(app, query, page)
        any_mail = query == MailQuery() and not search
        listing = Listing(
            views.mail_as_json,
            _REFUSED if outcome in REFUSED else ("mail", "received", "inbox", "from", "subject", "outcome", "records"),
            partial(_row, timezone=timezone, refused=outcome in REFUSED),
            "no mails yet; postroom publish FILE hands one in" if any_mail else _no_matching(app, inbox),
        )
        listing.show_page(found, page)


def _no_matching(app: App, inbox: str | None) -> str:
    from services.operator.mail.publishing import is_unknown_inbox

    unknown = f": there is no inbox {output.safe(inbox or '')!r}" if is_unknown_inbox(app, inbox) else ""
    return f"no matching mails{unknown}"


def moment(written: str, now: datetime, timezone: str) -> datetime:
    """A point in time, as `point_in_time`; a usage error for anything else."""
    try:
        return point_in_time(written, now, timezone)
    except NotAvailable as error:
        raise click.UsageError(str(error)) from None


def _searched(app: App, query: MailQuery, text: str, page: Page) -> Iterable[StoredMail]:
    with output.watching("searching"):
        return list(islice(views.search(app, query, text), page.skip, page.skip + page.reach))


def _row(mail: StoredMail, timezone: str, *, refused: bool) -> tuple[object, ...]:
    sender = mail.from_.address if mail.from_ else None
    first = (mail.id[:SHORT_ID], output.local(mail.received_at, timezone), mail.inbox, sender, mail.subject)
    return (*first, mail.reason) if refused else (*first, _outcome(mail), _numbers(mail))


def _outcome(mail: StoredMail) -> str:
    return mail.outcome or ("on intake" if isinstance(mail, MailOnIntake) else "in flight")


def _numbers(mail: StoredMail) -> str:
    return " ".join(record.number for record in mail.records)


@mails.command(cls=Command)
@click.argument("mail_id")
def show(mail_id: str) -> None:
    """Show one mail and what every stage decided about it."""
    with opened(store_only=True) as app:
        found = views.find_mail(app, mail_id, note=lambda why: click.echo(f"note: {why}", err=True))
        view = views.view_mail(app, found)
        timezone = timezone_of(app.documents)
    if as_json():
        output.emit(view.as_json())
        return
    output.facts((*_facts(view.mail, timezone), ("next", view.next_step)))
    output.heading("journal")
    output.table(
        ("at", "stage", "decision", "why"),
        ((output.local(each.at, timezone), each.stage, each.decision, each.why) for each in view.journal),
        empty="no stage has processed it yet",
    )


def _facts(mail: StoredMail, timezone: str) -> tuple[tuple[str, object], ...]:
    return (
        ("mail", mail.id),
        ("inbox", mail.inbox),
        ("received", output.local(mail.received_at, timezone)),
        ("from", f"{mail.from_.name} <{mail.from_.address}>".strip() if mail.from_ else "unknown"),
        ("to", ", ".join(mail.to)),
        ("subject", mail.subject),
        ("message id", mail.message_id),
        ("kind", mail.kind),
        ("size", mail.size),
        ("defects", ", ".join(mail.defects)),
        ("outcome", _outcome(mail)),
        ("reason", mail.reason),
        ("records", _numbers(mail)),
    )


@mails.command(cls=Command)
@click.argument("mail_id")
def source(mail_id: str) -> None:
    """Write the exact bytes that were received to standard output; a terminal gets them with controls escaped."""
    import base64

    with opened(store_only=True) as app:
        mail = views.find_stored(app, mail_id)
        raw = app.mails.source(mail)
    if as_json():
        output.emit({"mail_id": mail.id, "sha256": mail.raw, "size": len(raw), "raw": base64.b64encode(raw).decode()})
        return
    output.exact_bytes(raw)


@dataclass(frozen=True, slots=True)
class _Matching:
    """Which mails an action with `--all` is about; see the options of the same names."""

    inbox: str | None
    rule: str | None
    since: str | None
    search: str
    number: int | None


def _action_options(command: Callable[..., object]) -> Callable[..., object]:
    """Options of an action on named mails or on all that match."""
    options = (
        click.argument("mail_ids", metavar="MAIL_ID...", nargs=-1),
        click.option("--all", "everything", is_flag=True, help="All that match, as a job: see postroom jobs."),
        click.option("--inbox", metavar="NAME", help="With --all: mail of one inbox."),
        click.option("--rule", metavar="NAME", help="With --all: mail that this rule rejected."),
        click.option("--since", metavar="TIME", help="With --all: received since then; as in postroom mails list."),
        click.option("--search", metavar="TEXT", default="", help="With --all: words of sender or subject."),
        click.option("--number", type=int, metavar="N", help="With --all: how many they are; needed above 1,000."),
        click.option("--reason", default="", metavar="TEXT", help="Reason, stored in the journal of each mail."),
    )
    for option in reversed(options):
        command = option(command)
    return command


@mails.command(cls=Command)
@_action_options
def release(mail_ids: tuple[str, ...], *, everything: bool, reason: str, **matching: Any) -> None:
    """Let rejected mails through; the filter is not asked again. A running `up` or the workers take them up."""
    from services.operator.mail import actions

    with opened() as app:
        if is_all(mail_ids, everything=everything, what="mails"):
            _make_job(app, "release", "rejected", reason, _Matching(**matching))
            return
        for each in mail_ids:
            mail = views.find_stored(app, each)
            actions.release(app, mail.id, by=who(), reason=reason)
            note(app, Write.RELEASED_MAIL, mail.id, reason)
            output.result({"mail_id": mail.id, "released": True}, f"released  {mail.id}  {mail.subject}")


@mails.command(cls=Command)
@_action_options
def discard(mail_ids: tuple[str, ...], *, everything: bool, reason: str, **matching: Any) -> None:
    """Close the dead letters of dead mails without another try; mail, error and incident stay."""
    _with_letters("discard", mail_ids, everything=everything, reason=reason, matching=matching)


@mails.command(cls=Command)
@_action_options
def replay(mail_ids: tuple[str, ...], *, everything: bool, reason: str, **matching: Any) -> None:
    """Send the dead letters of dead mails back to the queue that they came from."""
    _with_letters("replay", mail_ids, everything=everything, reason=reason, matching=matching)


def _with_letters(
    verb: Verb, mail_ids: tuple[str, ...], *, everything: bool, reason: str, matching: Mapping[str, Any]
) -> None:
    with opened() as app:
        if is_all(mail_ids, everything=everything, what="mails"):
            _make_job(app, verb, "dead", reason, _Matching(**matching))
            return
        from services.operator.mail.actions import replay_mail, with_letters_of

        for each in mail_ids:
            mail = views.find_stored(app, each)
            if verb == "replay":
                count = replay_mail(app, mail, by=who(), reason=reason)
            else:
                count = with_letters_of(app, mail.id, verb, by=who(), reason=reason)
            note(app, Write.REPLAYED_MAIL if verb == "replay" else Write.DISCARDED_MAIL, mail.id, reason)
            facts = {"mail_id": mail.id, "verb": verb, "letters": count}
            output.result(facts, f"{verb}  {mail.id}  {mail.subject}")


def _make_job(
    app: App,
    verb: Verb,
    outcome: OutcomeName,
    reason: str,
    matching: _Matching,
) -> None:
    """Make a job of an action on all mails that match. Above `MANY`, their number has to be stated."""
    import uuid

    from services.cli.jobs import announce
    from services.operator.mail.jobs import MANY, Chosen, NewJob, counted, make_job, number_of

    now = app.clock.now()
    after = moment(matching.since, now, timezone_of(app.documents)) if matching.since else None
    query = MailQuery(matching.inbox, outcome, after, before=now, rule=matching.rule)
    chosen, number = Chosen(mails=query, text=matching.search), matching.number
    if number is None and (found := number_of(app, chosen)) > MANY and sys.stdin.isatty():
        number = int(click.prompt(f"These are {counted(found, 'mail')}. Type the number to go on", type=int, err=True))
    new = NewJob(verb=verb, chosen=chosen, by=who(), reason=reason, number=number, token=uuid.uuid4().hex)
    job = make_job(app, new)
    note(app, Write.MADE_JOB, f"{job.id}: {verb} {counted(job.total, 'mail')}", reason)
    announce(job)
