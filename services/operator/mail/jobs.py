"""Actions on many things at once: release, replay or discard all mails or dead letters that match.

A job fixes what it acts on when it is made, states the number, and goes on where it was after a crash. Acting twice on
one thing has one effect: what is done already counts as done. What fails is listed, and delays nothing else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from services.operator.errors import NotAvailable
from services.operator.finding import find_one
from services.operator.mail import actions
from services.operator.mail.mail_list import MailSearch, all_that_match
from services.operator.view import values_of
from shared.contracts.errors import PostroomError, Unavailable
from shared.lazy_dataclass import dataclass
from shared.store.dead_letters import OPEN, DeadLetter, LetterQuery
from shared.store.jobs import JobFailure, Kind, StoredJob, Verb, failure
from shared.store.mails import MailQuery, StoredMail

if TYPE_CHECKING:
    from services.operator.paging import Page
    from shared.app import App

MANY: Final = 1000
"""Above this number of things, a person has to type the number."""
CHUNK: Final = 50
"""Things between two notes of how far a job has come; at most this many are acted on again after a crash."""
EVERY_MAIL: Final = MailQuery()
VERBS: Final[dict[Kind, tuple[Verb, ...]]] = {
    "mails": ("release", "replay", "discard"),
    "letters": ("replay", "discard"),
}
"""What can be done to many things of a kind. Replaying or discarding a mail means its open dead letters."""
NOUNS: Final[dict[Kind, str]] = {"mails": "mail", "letters": "dead letter"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Which things a job acts on: the `ids`, or where None, everything that matches the query of its `kind`.

    `text` means the mails that the list of mails shows for it. `inboxes`: those that the person may act on; None: all.
    """

    kind: Kind = "mails"
    ids: tuple[str, ...] | None = None
    mails: MailQuery = EVERY_MAIL
    text: str = ""
    letters: LetterQuery = OPEN
    inboxes: tuple[str, ...] | None = None

    def in_words(self) -> str:
        """Which things these are, for the job's page."""
        if self.ids is not None:
            return "selected"
        query: object = self.mails if self.kind == "mails" else self.letters
        names = ("outcome", "rule", "inbox", "since", "before") if self.kind == "mails" else ("state", "stage", "cause")
        stated = [(name, getattr(query, name, None)) for name in names]
        stated += [("text", self.text)]
        return ", ".join(f"{name} {_shown(value)}" for name, value in stated if value) or "all"


def _shown(value: object) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S} UTC" if isinstance(value, datetime) else str(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewJob:
    """A job that a person asks for. `number`: how many things the person was shown, or typed; None: not asked for.

    `token` makes asking twice one job: it is part of the id.
    """

    verb: Verb
    chosen: Chosen
    by: str
    reason: str = ""
    number: int | None = None
    per_minute: int | None = None
    token: str


@dataclass(frozen=True, slots=True)
class JobView:
    """A job, and on how many things it could not act."""

    job: StoredJob
    failed: int

    @property
    def sentence(self) -> str:
        """How far it has come, in one sentence."""
        job, noun = self.job, NOUNS[self.job.kind]
        done = f"{actions.DONE[job.verb]} {job.done - self.failed} of {counted(job.total, noun)}"
        failed = f"; {self.failed} could not be {actions.DONE[job.verb]}" if self.failed else ""
        return {"running": done, "done": f"finished: {done}", "stopped": f"stopped: {done}"}[job.state] + failed

    def as_json(self) -> dict[str, Any]:
        """The keys that scripts rely on."""
        named = ("id", "verb", "kind", "chosen", "total", "done", "state", "by", "at", "reason", "ended_at")
        return {"job_id": self.job.id, **values_of(self.job, named), "failed": self.failed}


class NumberDiffers(NotAvailable):
    """The number of things is not the one that was stated; `number` is what it is now."""

    def __init__(self, number: int, noun: str) -> None:
        super().__init__(
            f"{'this is' if number == 1 else 'these are'} {counted(number, noun)} now; state this number to go on"
        )
        self.number = number


def counted(number: int, noun: str) -> str:
    """A number of things in words: `1 mail`, `1,204 mails`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def number_of(app: App, chosen: Chosen) -> int:
    """On how many things a job would act."""
    if chosen.ids is None and chosen.kind == "mails" and not chosen.text.strip():
        return app.mails.count_at_most(_allowed(chosen), 0)
    return sum(1 for _ in _ids(app, chosen))


def make_job(app: App, new: NewJob) -> StoredJob:
    """Fix what a job acts on, and keep it. Asked for twice, it is the same job.

    Raises `NotAvailable` for nothing to act on, for a verb that does not fit, and `NumberDiffers` when more than `MANY`
    are meant, or another number was stated.
    """
    from shared.ids import derived_id

    if new.verb not in VERBS[new.chosen.kind]:
        raise NotAvailable(f"a {NOUNS[new.chosen.kind]} cannot be {actions.DONE[new.verb]}")
    id_ = derived_id("job", new.token, new.verb, new.by)
    if known := app.jobs.get(id_):
        return known
    ids = list(dict.fromkeys(_ids(app, new.chosen)))
    _require_number(ids, new)
    job = StoredJob(
        id=id_,
        verb=new.verb,
        kind=new.chosen.kind,
        chosen=new.chosen.in_words(),
        things=app.jobs.put_things(ids),
        total=len(ids),
        by=new.by,
        at=app.clock.now(),
        reason=new.reason,
        per_minute=new.per_minute,
    )
    return job if app.jobs.add(job) else (app.jobs.get(id_) or job)


def _require_number(ids: Sequence[str], new: NewJob) -> None:
    noun = NOUNS[new.chosen.kind]
    if not ids:
        raise NotAvailable(f"no {noun} matches")
    if new.number is None and len(ids) > MANY:
        raise NumberDiffers(len(ids), noun)
    if new.number is not None and new.number != len(ids):
        raise NumberDiffers(len(ids), noun)


def _allowed(chosen: Chosen) -> MailQuery:
    return chosen.mails if chosen.inboxes is None else replace(chosen.mails, inboxes=chosen.inboxes)


def _ids(app: App, chosen: Chosen) -> Iterator[str]:
    """The ids of what is chosen and allowed."""
    if chosen.kind == "letters":
        return (each.id for each in _letters(app, chosen) if chosen.inboxes is None or each.inbox in chosen.inboxes)
    return (each.id for each in _mails(app, chosen) if chosen.inboxes is None or each.inbox in chosen.inboxes)


def _letters(app: App, chosen: Chosen) -> Iterable[DeadLetter]:
    if chosen.ids is not None:
        return (each for id_ in chosen.ids if (each := app.dead_letters.get(id_)))
    return list(app.dead_letters.recent(chosen.letters, 0))[::-1]


def _mails(app: App, chosen: Chosen) -> Iterable[StoredMail]:
    if chosen.ids is not None:
        return (each for id_ in chosen.ids if (each := app.mails.get(id_)))
    return all_that_match(app, MailSearch(query=_allowed(chosen), text=chosen.text))


def find_job(app: App, named: str) -> StoredJob:
    """The job with this id or this beginning of one. Raises `NotAvailable`."""
    return find_one(app.jobs, "job", named)


def view_job(app: App, job: StoredJob) -> JobView:
    """A job as people see it."""
    return JobView(job, app.jobs.failed(job.id))


def recent_jobs(app: App, page: Page, *, by: str | None = None) -> Iterator[JobView]:
    """Jobs of a page, of one person (None: of all), the newest first."""
    return (view_job(app, each) for each in app.jobs.recent(page.reach, page.skip, by=by))


def stop_job(app: App, job: StoredJob, *, by: str) -> None:
    """Stop a job; what it has done stays done. Raises `NotAvailable` when it is at its end."""
    if not app.jobs.end(job.id, "stopped", app.clock.now(), by):
        raise NotAvailable("the job has ended already")


class JobRun:
    """Carries jobs out in small steps, each job in turn. Any number of processes may do it: an effect stays one.

    `monotonic`: seconds, by which a job with a rate keeps to it.
    """

    def __init__(self, app: App, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._app, self._monotonic = app, monotonic
        self._things: dict[str, list[str]] = {}
        self._not_before: dict[str, float] = {}

    def step(self) -> float | None:
        """Take one step of every running job; seconds until the next step is due, None when no job is running."""
        running = self._app.jobs.running()
        if not running:
            self._things.clear()
            self._not_before.clear()
            return None
        return min(self._step(job) for job in running)

    def _step(self, job: StoredJob) -> float:
        now = self._monotonic()
        if (wait := self._not_before.get(job.id, now) - now) > 0:
            return wait
        things = self._things_of(job)
        chunk = things[job.done : job.done + _chunk(job)]
        failures = [each for place, thing in enumerate(chunk, job.done) if (each := self._act(job, place, thing))]
        done = job.done + len(chunk)
        if self._app.jobs.advance(job, done, failures) and done >= len(things):
            self._app.jobs.end(job.id, "done", self._app.clock.now(), job.by)
        pause = 60 * len(chunk) / job.per_minute if job.per_minute else 0.0
        self._not_before[job.id] = now + pause
        return pause

    def _things_of(self, job: StoredJob) -> list[str]:
        if job.id not in self._things:
            self._things[job.id] = self._app.jobs.things(job)
        return self._things[job.id]

    def _act(self, job: StoredJob, place: int, thing: str) -> JobFailure | None:
        """Act on one thing; what it failed with, if it did. `Unavailable` ends the step, which is repeated later."""
        try:
            act_once(self._app, job, thing)
        except Unavailable:
            raise
        except PostroomError as error:
            return failure(job, place, thing, str(error))
        except Exception as error:  # one poisonous mail delays no other
            return failure(job, place, thing, f"{type(error).__name__}: {error}")
        return None


def _chunk(job: StoredJob) -> int:
    """How many things one step of a job acts on: about a second's share of its rate."""
    return CHUNK if job.per_minute is None else max(1, min(CHUNK, job.per_minute // 60))


def act_once(app: App, job: StoredJob, thing: str) -> None:
    """Act on one thing; one that is in the wanted state already is done. Raises `NotAvailable`."""
    if job.kind == "letters":
        letter = app.dead_letters.get(thing)
        if letter is None:
            raise NotAvailable("there is no such dead letter")
        actions.with_letter(app, letter, job.verb, by=job.by, reason=job.reason)
    elif job.verb != "release":
        actions.with_letters_of(app, thing, job.verb, by=job.by, reason=job.reason)
    elif not _is_through(app.mails.get(thing)):
        actions.release(app, thing, by=job.by, reason=job.reason)


def _is_through(mail: StoredMail | None) -> bool:
    """Whether a mail was released, and has its outcome since then."""
    return mail is not None and mail.released and mail.outcome not in {None, "rejected"}
