"""Dead letters: what failed, by cause; back to its queue at a rate, or closed with a reason."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

from services.console.endpoints import Endpoint
from services.console.visit import PageNotFound
from services.operator.errors import NotAvailable
from services.operator.mail import actions
from services.operator.mail.dead_letter_causes import causes, letters_of_cause
from services.operator.mail.dead_letters import find_letter, view_letter
from services.operator.mail.jobs import MANY, Chosen, NewJob, counted, make_job
from services.operator.permissions.access import Right
from services.operator.permissions.writes import Write

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.console.visit import Visit
    from services.operator.mail.dead_letter_causes import LetterCause
    from shared.store.dead_letters import DeadLetter

SHOWN: Final = 50


def every_cause(visit: Visit) -> Response:
    """The causes of open letters."""
    found = causes(visit.app, visit.who.inboxes)
    return visit.page("dead_letters.html", causes=found.causes, is_complete=found.is_complete)


def one_cause(visit: Visit) -> Response:
    """The letters of one cause, and what can be done with all of them."""
    cause = _cause(visit)
    letters = letters_of_cause(visit.app, cause.id, visit.who.inboxes)
    tokens: dict[str, Any] = {f"token_of_{verb}": uuid.uuid4().hex for verb in ("replay", "discard")}
    return visit.page("dead_letter_cause.html", cause=cause, letters=letters[:SHOWN], shown=SHOWN, many=MANY, **tokens)


def _cause(visit: Visit) -> LetterCause:
    found = causes(visit.app, visit.who.inboxes).causes
    cause = next((each for each in found if each.id == visit.values["cause"]), None)
    if cause is None:
        raise NotAvailable("no open dead letter has this cause any more")
    return cause


def act_on_cause(visit: Visit) -> Response:
    """Replay or discard all letters of a cause, as a job; above `MANY` letters their number has to be typed."""
    cause, verb = _cause(visit), visit.text("verb")
    if verb not in {"replay", "discard"}:
        raise NotAvailable("choose replay or discard")
    reason = visit.reason(needed=verb == "discard")
    ids = tuple(each.id for each in letters_of_cause(visit.app, cause.id, visit.who.inboxes))
    new = NewJob(
        verb="replay" if verb == "replay" else "discard",
        chosen=Chosen(kind="letters", ids=ids, inboxes=tuple(visit.who.inboxes) if visit.who.inboxes else None),
        by=visit.who.name,
        reason=reason,
        number=visit.typed_count(),
        per_minute=visit.number("per_minute", 0, 100_000) or None,
        token=visit.text("token") or uuid.uuid4().hex,
    )
    job = make_job(visit.app, new)
    visit.note(Write.MADE_JOB, f"{job.id}: {verb} {counted(job.total, 'dead letter')}, {cause.reason}", reason)
    return visit.back("/dead-letters", f"{verb.capitalize()} of {counted(job.total, 'dead letter')} has begun.")


def one_letter(visit: Visit) -> Response:
    """One letter; the message that failed is shown to those who may read mail."""
    letter = _letter(visit)
    view = view_letter(visit.app, letter) if visit.who.may(Right.READ_MAIL) else None
    return visit.page("dead_letter.html", letter=letter, view=view)


def _letter(visit: Visit) -> DeadLetter:
    try:
        letter = find_letter(visit.app, visit.values["letter"])
    except NotAvailable:
        raise PageNotFound from None
    visit.see(letter.inbox)
    return letter


def replay(visit: Visit) -> Response:
    """Send one letter's message back to its queue."""
    letter, reason = _letter(visit), visit.reason()
    queue = actions.replay(visit.app, letter.id, by=visit.who.name, reason=reason)
    visit.note(Write.REPLAYED_LETTER, letter.id, reason)
    return visit.back(f"/dead-letters/{letter.id}", f"The message is back in {queue}.")


def discard(visit: Visit) -> Response:
    """Close one letter; mail, error and incident stay."""
    letter, reason = _letter(visit), visit.reason(needed=True)
    actions.discard(visit.app, letter.id, by=visit.who.name, reason=reason)
    visit.note(Write.DISCARDED_LETTER, letter.id, reason)
    return visit.back(f"/dead-letters/{letter.id}", "The letter is closed.")


ENDPOINTS: Final = (
    Endpoint("GET", "/dead-letters", Right.VIEW, every_cause, title="Dead letters"),
    Endpoint("GET", "/dead-letters/causes/{cause}", Right.VIEW, one_cause),
    Endpoint("POST", "/dead-letters/causes/{cause}", Right.OPERATE, act_on_cause),
    Endpoint("GET", "/dead-letters/{letter}", Right.VIEW, one_letter),
    Endpoint("POST", "/dead-letters/{letter}/replay", Right.OPERATE, replay),
    Endpoint("POST", "/dead-letters/{letter}/discard", Right.OPERATE, discard),
)
