"""Records and people: what the desk holds, with the mails behind it. Read-only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from services.console.endpoints import Endpoint
from services.console.visit import PageNotFound
from services.operator.errors import NotAvailable, UnknownName
from services.operator.paging import Page, page_of
from services.operator.permissions.access import Right
from services.operator.service_desk import people as people_views
from services.operator.service_desk import records as record_views

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.console.visit import Visit
    from shared.config.model import RecordType
    from shared.store.people import StoredPerson
    from shared.store.record import Record

SHOWN, MAX_SKIP, ACTIVITIES = 50, 10_000, 100
KINDS: Final = ("employee", "external_contact", "requestor")


def every_record(visit: Visit) -> Response:
    """The list, newest first, by type and status; a number leads to its record."""
    number = visit.text("number")
    if number:
        record = _called(visit, number)
        return visit.back(f"/records/{record.type}/{record.number}")
    type_ = _type(visit, visit.text("type"))
    status = visit.text("status")
    statuses = record_views.statuses_named(visit.app, type_, status) if status else None
    page = Page(SHOWN, visit.number("after", 0, MAX_SKIP))
    found = page_of(
        visit.app.records.list(
            page.reach,
            page.skip,
            type_=type_.name if type_ else None,
            statuses=statuses,
            inboxes=visit.who.inboxes,
        ),
        page,
    )
    return visit.page(
        "records.html",
        records=found.things,
        next=found.next_skip,
        skip=page.skip,
        type=type_.name if type_ else "",
        wanted=status,
        types=[each.name for each in visit.app.directory.current().types],
    )


def _called(visit: Visit, number: str) -> Record:
    """The record with a number. One of an inbox that the person may not see is treated as one that does not exist."""
    record = record_views.record_called(visit.app, number)
    if not visit.who.sees(record.inbox):
        raise NotAvailable(record_views.no_record(number))
    return record


def _type(visit: Visit, named: str) -> RecordType | None:
    return record_views.type_called(visit.app, named) if named else None


def one_record(visit: Visit) -> Response:
    """One record: this is where links in mails to people of the desk lead."""
    try:
        type_ = record_views.type_called(visit.app, visit.values["type"])
        record = record_views.record_numbered(visit.app, type_, visit.values["number"])
    except (NotAvailable, UnknownName):
        raise PageNotFound from None
    visit.see(record.inbox)
    view = record_views.view(visit.app, record, ACTIVITIES, sees=visit.who.sees)
    reads = visit.who.may(Right.READ_MAIL)
    return visit.page("record.html", view=view, record=record, reads=reads, names=_names(visit, record))


def _names(visit: Visit, record: Record) -> dict[str, str]:
    """The names of the people of a record, by id."""
    ids = {each for each in (record.owner, record.logging_analyst, record.customer) if each}
    return {each: person.name for each in ids if (person := visit.app.people.get(each))}


def every_person(visit: Visit) -> Response:
    """The list; an address or an id leads to its person. Whoever is limited to inboxes finds people by name only."""
    if named := visit.text("named"):
        person = people_views.person_named(visit.app, named)
        if not _sees_person(visit, person):
            raise NotAvailable(people_views.no_person(named))
        return visit.back(f"/people/{person.id}")
    kind = visit.text("kind") if visit.text("kind") in KINDS else None
    page, is_limited = Page(SHOWN, visit.number("after", 0, MAX_SKIP)), visit.who.inboxes is not None
    found = page_of([] if is_limited else visit.app.people.list(page.reach, page.skip, kind=kind), page)
    values: dict[str, Any] = {"next": found.next_skip, "skip": page.skip, "kind": kind or "", "kinds": KINDS}
    return visit.page("people.html", people=found.things, is_limited=is_limited, **values)


def one_person(visit: Visit) -> Response:
    """One person with the mail history."""
    person = visit.app.people.get(visit.values["person"])
    if person is None or not _sees_person(visit, person):
        raise PageNotFound
    history = people_views.history(visit.app, person, SHOWN, inboxes=visit.who.inboxes)
    return visit.page("person.html", person_shown=person, history=history, shown=SHOWN)


def _sees_person(visit: Visit, person: StoredPerson) -> bool:
    """Whoever is limited to inboxes sees those who wrote to them."""
    inboxes = visit.who.inboxes
    return inboxes is None or people_views.has_written_to(visit.app, person, inboxes)


ENDPOINTS: Final = (
    Endpoint("GET", "/records", Right.VIEW, every_record, title="Records"),
    Endpoint("GET", "/records/{type}/{number}", Right.VIEW, one_record),
    Endpoint("GET", "/people", Right.VIEW, every_person, title="People"),
    Endpoint("GET", "/people/{person}", Right.VIEW, one_person),
)
