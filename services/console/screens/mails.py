"""The list of mails, and actions on those that are selected or on all that match; the jobs that these make."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlencode

from services.console.endpoints import Endpoint
from services.console.visit import PageNotFound, Visit
from services.operator.errors import NotAvailable
from services.operator.mail import jobs
from services.operator.mail.jobs import MANY, VERBS, Chosen, NewJob, NumberDiffers, counted
from services.operator.mail.mail_list import MAX_SKIPPED, MailSearch, find_mails
from services.operator.paging import Page
from services.operator.permissions.access import Right
from services.operator.permissions.writes import Write
from services.operator.times import point_in_time
from shared.contracts.errors import PostroomError
from shared.lazy_dataclass import dataclass
from shared.store.mails import IN_FLIGHT, OUTCOMES, MailQuery
from shared.store.settings import timezone as timezone_of
from shared.text import from_iso, iso

if TYPE_CHECKING:
    from starlette.responses import Response

    from shared.store.jobs import StoredJob, Verb
    from shared.store.mails import InFlight, OutcomeName

PAGE: Final = 50
MAX_SELECTED: Final = 500
FILTERS: Final = ("q", "outcome", "inbox", "rule", "since", "until")
"""The names of the filters in the address."""
NOT_CHOSEN: Final = "select mails, or take all that match"


@dataclass(frozen=True, slots=True)
class MailFilters:
    """The filters as they were written, and what they mean. `problem`: what is wrong with them."""

    written: Mapping[str, str]
    search: MailSearch
    problem: str = ""

    def address(self, **more: object) -> str:
        """The query of an address with these filters."""
        return urlencode({**{name: value for name, value in self.written.items() if value}, **more})


def filters_of(visit: Visit) -> MailFilters:
    """What the address asks for, within the inboxes that the person may see."""
    written = {name: visit.text(name) for name in FILTERS}
    outcome = written["outcome"] if written["outcome"] in {*OUTCOMES, IN_FLIGHT} else ""
    query = MailQuery(
        written["inbox"] or None,
        cast("OutcomeName | InFlight", outcome) if outcome else None,
        rule=written["rule"] or None,
        inboxes=allowed_inboxes(visit),
    )
    try:
        query = replace(query, since=_time(visit, written["since"]), before=_time(visit, written["until"]))
        problem = "" if outcome == written["outcome"] else f"there is no outcome {written['outcome']!r}"
    except NotAvailable as error:
        problem = str(error)
    return MailFilters(written, MailSearch(query=query, text=written["q"][:1000]), problem)


def _time(visit: Visit, written: str) -> datetime | None:
    if not written:
        return None
    return point_in_time(written, visit.app.clock.now(), timezone_of(visit.app.documents))


def allowed_inboxes(visit: Visit) -> tuple[str, ...] | None:
    """The inboxes that the person may see; None: all."""
    return None if visit.who.inboxes is None else tuple(sorted(visit.who.inboxes))


def list_mails(visit: Visit) -> Response:
    """The list."""
    filters = filters_of(visit)
    page = Page(PAGE, visit.number("skip", 0, MAX_SKIPPED))
    found = find_mails(visit.app, filters.search, page)
    inboxes = [each.name for each in visit.app.directory.current().inboxes if visit.who.sees(each.name)]
    return visit.page(
        "mails.html",
        found=found,
        filters=filters,
        outcomes=(*OUTCOMES, IN_FLIGHT),
        may_operate=visit.who.may(Right.OPERATE),
        inboxes=inboxes,
        skip=page.skip,
        before=max(0, page.skip - PAGE) if page.skip else None,
    )


def confirm(visit: Visit) -> Response:
    """The page before an action on many: what, how many, why. It changes nothing."""
    return _confirm_page(visit, _requested_action(visit), problem="")


@dataclass(frozen=True, slots=True)
class RequestedAction:
    """An action that is asked for. `fields` are those that a form has to send again."""

    verb: Verb
    chosen: Chosen
    fields: tuple[tuple[str, str], ...]
    back: str


def _requested_action(visit: Visit) -> RequestedAction:
    """What the address or the form asks for. Raises `NotAvailable`."""
    verb, scope = visit.text("verb"), visit.text("scope", "selected")
    if verb not in VERBS["mails"]:
        raise NotAvailable("name an action: release, replay or discard")
    filters = filters_of(visit)
    if filters.problem:
        raise NotAvailable(filters.problem)
    back = f"/mails?{filters.address()}"
    if scope == "all":
        at = _moment(visit)
        query = replace(filters.search.query, before=min(at, filters.search.query.before or at))
        chosen = Chosen(mails=query, text=filters.search.text, inboxes=allowed_inboxes(visit))
        fields = [
            ("scope", "all"),
            ("at", iso(at)),
            *((name, value) for name, value in filters.written.items() if value),
        ]
        return RequestedAction(verb, chosen, (("verb", verb), *fields), back)
    ids = tuple(dict.fromkeys(visit.texts("id")))[:MAX_SELECTED]
    if not ids:
        raise NotAvailable(NOT_CHOSEN)
    chosen = Chosen(ids=ids, inboxes=allowed_inboxes(visit))
    return RequestedAction(verb, chosen, (("verb", verb), ("scope", "selected"), *(("id", each) for each in ids)), back)


def _moment(visit: Visit) -> datetime:
    """When the action was asked for first: mail that came later does not belong to it."""
    now = visit.app.clock.now()
    try:
        return min(from_iso(visit.text("at")), now)
    except (ValueError, OverflowError):
        return now


def _confirm_page(visit: Visit, action: RequestedAction, *, problem: str) -> Response:
    number = jobs.number_of(visit.app, action.chosen)
    return visit.page(
        "confirm_job.html",
        action=action,
        number=number,
        counted=counted(number, "mail"),
        must_type=number > MANY,
        token=visit.text("token") or uuid.uuid4().hex,
        reason=visit.reason(),
        problem=problem,
    )


def act(visit: Visit) -> Response:
    """Make the job, and show it."""
    action = _requested_action(visit)
    number, token = visit.typed_count(), visit.text("token")[:100]
    if not token:
        return _confirm_page(visit, action, problem="look at what is chosen, and confirm it")
    if action.verb == "discard" and not visit.reason():
        return _confirm_page(visit, action, problem="write a reason; it is kept with each mail")
    try:
        job = jobs.make_job(
            visit.app,
            NewJob(
                verb=action.verb,
                chosen=action.chosen,
                by=visit.who.name,
                reason=visit.reason(),
                number=-1 if number is None else number,
                token=token,
            ),
        )
    except NumberDiffers as error:
        return _confirm_page(visit, action, problem=str(error))
    except PostroomError as error:
        return visit.back(action.back, str(error))
    visit.note(Write.MADE_JOB, f"{job.id}: {action.verb} {counted(job.total, 'mail')}")
    return visit.back(f"/jobs/{job.id}", f"The job is made: {action.verb} {counted(job.total, 'mail')}.")


def list_jobs(visit: Visit) -> Response:
    """The jobs, the newest first."""
    own = None if visit.who.inboxes is None else visit.who.name
    return visit.page("jobs.html", jobs=list(jobs.recent_jobs(visit.app, Page(PAGE, 0), by=own))[:PAGE])


def _may_see(visit: Visit, job: StoredJob) -> bool:
    """A person who is limited to inboxes sees only the jobs that he made."""
    return visit.who.inboxes is None or job.by == visit.who.name


def _job(visit: Visit) -> StoredJob:
    job = visit.app.jobs.get(visit.values["job"])
    if job is None or not _may_see(visit, job):
        raise PageNotFound
    return job


def show_job(visit: Visit) -> Response:
    """How far a job has come, and what failed."""
    return visit.page("job.html", **_job_values(visit))


def _job_values(visit: Visit) -> dict[str, Any]:
    view = jobs.view_job(visit.app, _job(visit))
    failures = list(visit.app.jobs.failures(view.job.id, PAGE))
    return {
        "view": view,
        "job": view.job,
        "failures": failures,
        "noun": jobs.NOUNS[view.job.kind],
        "may_operate": visit.who.may(Right.OPERATE),
    }


def stop_job(visit: Visit) -> Response:
    """Stop a job."""
    job = _job(visit)
    jobs.stop_job(visit.app, job, by=visit.who.name)
    visit.note(Write.STOPPED_JOB, job.id)
    return visit.back(f"/jobs/{job.id}", "The job is stopped; what it has done stays done.")


ENDPOINTS: Final = (
    Endpoint("GET", "/mails", Right.VIEW, list_mails, title="Mails"),
    Endpoint("GET", "/mails/act", Right.OPERATE, confirm),
    Endpoint("POST", "/mails/act", Right.OPERATE, act),
    Endpoint("GET", "/jobs", Right.VIEW, list_jobs),
    Endpoint("GET", "/jobs/{job}", Right.VIEW, show_job),
    Endpoint("POST", "/jobs/{job}/stop", Right.OPERATE, stop_job),
)
