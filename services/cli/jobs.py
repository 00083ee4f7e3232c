"""`postroom jobs`: actions on many things, how far they have come, what failed."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

import click

from services.cli import output
from services.cli.base import Command, Group, as_json, note, opened, page_options, who
from services.cli.listing import Listing, Page
from services.operator.mail import jobs as views
from services.operator.mail.jobs import JobView
from services.operator.mail.mails import SHORT_ID
from services.operator.permissions.writes import Write
from shared.store.settings import timezone as timezone_of

if TYPE_CHECKING:
    from shared.store.jobs import JobFailure, StoredJob

NONE_YET: Final = "no jobs yet; postroom mails release --all makes one"


@click.group(cls=Group)
def jobs() -> None:
    """Actions on many mails or dead letters. A running `up` or `worker schedule` carries them out."""


@jobs.command("list", cls=Command)
@page_options
def list_jobs(limit: int, skip: int) -> None:
    """List jobs, the newest first."""
    page = Page(limit, skip)
    with opened(store_only=True) as app:
        listing = Listing(
            JobView.as_json,
            ("job", "at", "by", "state", "what", "why"),
            partial(_row, timezone=timezone_of(app.documents)),
            NONE_YET,
        )
        listing.show_page(views.recent_jobs(app, page), page)


def _row(view: JobView, timezone: str) -> tuple[object, ...]:
    job = view.job
    return job.id[:SHORT_ID], output.local(job.at, timezone), job.by, job.state, view.sentence, job.reason


@jobs.command(cls=Command)
@click.argument("job_id")
@page_options
def show(job_id: str, limit: int, skip: int) -> None:
    """Show how far a job has come, and what it could not act on."""
    page = Page(limit, skip)
    with opened(store_only=True) as app:
        view = views.view_job(app, views.find_job(app, job_id))
        timezone = timezone_of(app.documents)
        failures = list(app.jobs.failures(view.job.id, page.reach, skip))
    if as_json():
        output.emit({**view.as_json(), "failures": [_failure(each) for each in failures[:limit]]})
        return
    job = view.job
    output.facts(
        (
            ("job", job.id),
            ("what", f"{job.verb} {views.counted(job.total, views.NOUNS[job.kind])}: {job.chosen}"),
            ("by", job.by),
            ("at", output.local(job.at, timezone)),
            ("why", job.reason),
            ("progress", view.sentence),
            ("ended", output.local(job.ended_at, timezone)),
        )
    )
    output.heading("failed")
    listing = Listing(_failure, ("id", "why"), lambda each: (each.thing[:SHORT_ID], each.why), "nothing")
    listing.show_page(failures, page)


def _failure(each: JobFailure) -> dict[str, str]:
    return {"id": each.thing, "why": each.why}


@jobs.command(cls=Command)
@click.argument("job_id")
def stop(job_id: str) -> None:
    """Stop a job; what it has done stays done."""
    with opened() as app:
        job = views.find_job(app, job_id)
        views.stop_job(app, job, by=who())
        note(app, Write.STOPPED_JOB, job.id)
        output.result({"id": job.id, "state": "stopped"}, f"stopped  {job.id}")


@jobs.command(cls=Command)
def run() -> None:
    """Carry out what is left of all jobs, where no `up` and no worker does it."""
    from services.operator.mail.job_source import JobSource

    with opened() as app:
        waiting = app.jobs.running()
        if not waiting:
            click.echo("no job waits", err=True)
        with output.watching("working"):
            JobSource(app).once()
        for job in waiting:
            view = views.view_job(app, app.jobs.get(job.id) or job)
            output.result(view.as_json(), f"{job.id[:SHORT_ID]}  {view.sentence}")


def announce(job: StoredJob) -> None:
    """Print the job that a command has made."""
    number = views.counted(job.total, views.NOUNS[job.kind])
    facts = {"id": job.id, "verb": job.verb, "total": job.total, "state": job.state}
    output.result(facts, f"job {job.id[:SHORT_ID]}: {job.verb} {number}; postroom jobs show {job.id[:SHORT_ID]}")
