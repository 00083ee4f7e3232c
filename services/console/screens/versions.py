"""Versions of the configuration: what was different in one, and going back to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from services.console.endpoints import Endpoint
from services.console.visit import PageNotFound, whole_number
from services.operator.errors import NotAvailable
from services.operator.permissions.access import Right
from services.operator.permissions.writes import Write
from services.operator.settings import configuration_versions as versions
from services.operator.settings.configuration import changes_since
from shared.store.configuration_changes import ConfigurationChanges

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.responses import Response

    from services.console.visit import Visit

MAX_LINES: Final = 2_000
"""Lines of a difference that are shown."""


def show(visit: Visit) -> Response:
    """One version: who made it, what it changed, and what is different now."""
    return _page(visit, _revision(visit))


def _page(visit: Visit, revision: int, status: int = 200, problem: str = "", since: int | None = None) -> Response:
    """`since`: the version that the person has seen; what others have changed after it is listed."""
    seen = versions.newest(visit.app)
    change = next((each for each in ConfigurationChanges(visit.app.documents).of_revision(revision)), None)
    try:
        now = versions.differences_of(visit.app, revision, None)
    except NotAvailable:
        raise PageNotFound from None
    return visit.page(
        "version.html",
        status,
        revision=revision,
        seen=seen,
        change=change,
        made=_made(visit, revision)[:MAX_LINES],
        now=now[:MAX_LINES],
        is_cut=len(now) > MAX_LINES,
        problem=problem,
        changes=() if since is None else changes_since(visit.app, since),
        reason=visit.reason(),
    )


def _revision(visit: Visit) -> int:
    if (revision := whole_number(visit.values["revision"])) is None:
        raise PageNotFound
    return revision


def _made(visit: Visit, revision: int) -> Sequence[str]:
    """What the version changed in the one before it; nothing when that one is not kept."""
    try:
        return versions.differences_of(visit.app, revision - 1, revision)
    except NotAvailable:
        return ()


def roll_back(visit: Visit) -> Response:
    """Make the configuration what it was in this version."""
    revision, reason = _revision(visit), visit.reason(needed=True)
    seen = visit.revision("seen")
    try:
        applied = versions.roll_back(visit.app, revision, seen=seen, by=visit.who.name, reason=reason)
    except versions.Overtaken as error:
        return _page(visit, revision, 409, str(error), seen)
    visit.note(Write.ROLLED_BACK, f"to version {revision}: {applied.in_words}", reason)
    return visit.back("/access#versions", f"The configuration is that of version {revision} again.")


ENDPOINTS: Final = (
    Endpoint("GET", "/access/versions/{revision}", Right.ADMINISTER, show),
    Endpoint("POST", "/access/versions/{revision}/roll-back", Right.ADMINISTER, roll_back),
)
