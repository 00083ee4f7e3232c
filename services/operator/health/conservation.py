"""Conservation: is every mail accounted for?

Reads counts of the store and of the broker; reports what does not add up. Every mail that was handed in is in the
collection of arrivals: arrivals = mails with an outcome + duplicates + unreadable ones + mails in flight. A mail
without an outcome has a message in a queue, an arrival that was not taken is on intake, a dead letter that asked for
an incident has a message on its way, waiting outgoing mail has a message for the notifier. A dead letter is a note,
never a problem: the mail has its outcome, and a person decides.

Separate from the command that prints it, because a test that loses a message on purpose has to fail by it. Counts
are served by indexes: the cost does not grow with finished mail, except for counting it. While the pipeline runs,
store and broker are read at different moments; so a suspicion counts only if every look within `PATIENCE_SECONDS`
has it, about the same things.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Final, Protocol

from services.queues import NOTIFIER, RECORD_WRITER
from shared.app import App
from shared.contracts.events import IncidentWanted
from shared.lazy_dataclass import dataclass
from shared.runtime.broker import DEAD_LETTER, INTAKE, PARKED, RETRY, Depth
from shared.store.arrivals import DUPLICATE, HANDED_IN, UNREADABLE
from shared.store.dead_letters import OPEN, LetterQuery
from shared.store.mails import IN_FLIGHT
from shared.store.outbox import QUEUED

PATIENCE_SECONDS: Final = 2.0
"""How long a suspicion must last before it is a problem."""
PAUSE_SECONDS: Final = 0.25
MAX_NAMED: Final = 3
"""Missing ids that a problem names, at most."""
MAX_COMPARED: Final = 200
"""Ids in doubt that are compared between two looks, the oldest first."""


@dataclass(frozen=True, slots=True)
class ConservationReport:
    """Counts, and what does not add up: one sentence for each problem, none when all is well.

    `outcomes`: mails with their outcome. `in_flight`: messages that the broker still has, the notifier's left out.
    `unreadable`: arrivals that were not mails, each a dead letter. `notes` are for the operator and no problems.
    `difference`: mails and outgoing mails that do not add up.
    """

    arrivals: int
    outcomes: int
    duplicates: int
    in_flight: int
    problems: tuple[str, ...] = ()
    unreadable: int = 0
    notes: tuple[str, ...] = ()
    difference: int = 0


@dataclass(frozen=True, slots=True)
class _Suspicion:
    """One thing that does not add up at one look.

    `about`: the ids in doubt; `text`: the problem, if it lasts; `missing`: how many do not add up.
    """

    kind: str
    text: str
    about: frozenset[str] = frozenset({""})
    missing: int = 0


class _HasId(Protocol):
    @property
    def id(self) -> str: ...


@dataclass(frozen=True, slots=True)
class _Look:
    """Counts of store and broker at one moment."""

    report: ConservationReport
    suspicions: Mapping[str, _Suspicion]


@dataclass(frozen=True, slots=True)
class _Messages:
    """The broker's counts. `unseen`: workers hold messages that it cannot count."""

    by_queue: Mapping[str, int]
    unseen: bool

    def on(self, *queues: str) -> int:
        return sum(self.by_queue.get(queue, 0) for queue in queues)

    @property
    def all(self) -> int:
        """Messages, without the notifier's; parked messages are stuck, not lost."""
        return sum(count for queue, count in self.by_queue.items() if queue != NOTIFIER)


def check(app: App, *, patience: float = PATIENCE_SECONDS) -> ConservationReport:
    """Look until nothing is in doubt, or the same things have been in doubt for `patience` seconds.

    Raises `Unavailable` when store or broker cannot be asked.
    """
    deadline = time.monotonic() + patience
    doubts: dict[str, frozenset[str]] | None = None
    while True:
        look = _look(app)
        doubts = _lasting(doubts, look.suspicions)
        if not doubts:
            return look.report
        if time.monotonic() >= deadline:
            found = [look.suspicions[kind] for kind in doubts]
            problems, missing = tuple(each.text for each in found), sum(each.missing for each in found)
            return replace(look.report, problems=problems, difference=missing)
        time.sleep(PAUSE_SECONDS)


def _lasting(before: dict[str, frozenset[str]] | None, now: Mapping[str, _Suspicion]) -> dict[str, frozenset[str]]:
    if before is None:
        return {kind: suspicion.about for kind, suspicion in now.items()}
    same = {kind: before[kind] & suspicion.about for kind, suspicion in now.items() if kind in before}
    return {kind: about for kind, about in same.items() if about}


def _look(app: App) -> _Look:
    """Count the broker before and after the store, and take the higher count."""
    before, in_flight = app.broker.depths(), app.broker.in_flight()
    arrivals, duplicates = app.arrivals.count(), app.arrivals.count(DUPLICATE)
    unreadable, untaken = app.arrivals.count(UNREADABLE), app.arrivals.count(HANDED_IN)
    mails, unfinished = app.mails.count(), app.mails.count(IN_FLIGHT)
    doubtful = [
        _documents(arrivals - untaken - duplicates - unreadable, mails),
        *_of_messages(app, untaken, unfinished, _messages(before, app.broker.depths())),
    ]
    report = ConservationReport(
        arrivals, mails - unfinished, duplicates, in_flight, unreadable=unreadable, notes=tuple(_notes(app))
    )
    return _Look(report, {each.kind: each for each in doubtful if each})


def _messages(*looks: Sequence[Depth]) -> _Messages:
    counted: dict[str, int] = {}
    for depth in (depth for look in looks for depth in look):
        counted[depth.name] = max(counted.get(depth.name, 0), depth.ready + (depth.unacked or 0))
    return _Messages(counted, any(depth.unacked is None and depth.consumers for depth in looks[-1]))


def _notes(app: App) -> Iterator[str]:
    if letters := app.dead_letters.count(OPEN):
        waiting = "1 dead letter waits" if letters == 1 else f"{letters} dead letters wait"
        yield f"{waiting} for a person: postroom dead-letters list"


def _documents(taken: int, mails: int) -> _Suspicion | None:
    """Each arrival that was taken, is not a duplicate and could be read has its own document, and no other has one."""
    if taken > mails:
        text = f"{taken - mails} mails were taken from intake, but their documents are missing"
        return _Suspicion("documents", text, missing=taken - mails)
    if taken < mails:
        text = f"{mails - taken} mails have documents, but no arrival was counted for them"
        return _Suspicion("arrivals", text, missing=mails - taken)
    return None


def _of_messages(app: App, untaken: int, unfinished: int, messages: _Messages) -> Iterator[_Suspicion | None]:
    hidden = " (unacknowledged messages are known only from the management API of RabbitMQ)" if messages.unseen else ""
    excess = untaken - messages.on(INTAKE, RETRY, DEAD_LETTER, PARKED)
    text = f"mails were handed in, but are neither taken nor on intake: among {{some}}{hidden}"
    yield _without_message("intake", excess, text, partial(app.arrivals.on_intake, MAX_COMPARED))
    text = (
        f"mails have no outcome and no message: among {{some}}{hidden}; the raw mail is kept: postroom mails replay ID"
    )
    yield _without_message("messages", unfinished - messages.all, text, partial(app.mails.in_flight, MAX_COMPARED))
    failed = app.dead_letters.count(LetterQuery("open", queue=NOTIFIER))
    excess = app.outbox.count(*QUEUED) - messages.on(NOTIFIER, RETRY, DEAD_LETTER) - failed
    text = "outgoing mails wait, but the notifier has no message for them: among {some}"
    yield _without_message("outbox", excess, text, partial(app.outbox.queued, MAX_COMPARED))
    yield _missing_incidents(app, messages)
    if parked := messages.on(PARKED):
        yield _Suspicion("parked", f"{parked} messages are parked: the dead-letter stage itself failed on them")


def _without_message(kind: str, excess: int, text: str, find: Callable[[], Iterable[_HasId]]) -> _Suspicion | None:
    """A suspicion when there are more things than messages about them; `find` gives the oldest of these things."""
    if excess <= 0:
        return None
    ids = frozenset(each.id for each in find())
    return _Suspicion(kind, f"{excess} {text.format(some=_some(ids))}", ids, excess)


def _missing_incidents(app: App, messages: _Messages) -> _Suspicion | None:
    """Dead letters that asked for an incident and have none, though no message is on its way to the writer."""
    letters = list(app.dead_letters.find(OPEN))
    asked = [letter for letter in letters if letter.awaits_incident]
    excess = len(asked) - messages.on(RECORD_WRITER, RETRY, DEAD_LETTER)
    if excess <= 0:
        return None
    failed = {letter.mail_id for letter in letters if letter.message.type == IncidentWanted.__name__}
    ids = frozenset(letter.id for letter in asked if letter.mail_id not in failed)
    text = f"{len(ids)} dead letters requested an incident that no message will create: {_some(ids)}"
    return _Suspicion("incidents", text, ids, len(ids)) if ids else None


def _some(ids: frozenset[str]) -> str:
    shown = ", ".join(islice(sorted(ids), MAX_NAMED))
    return f"{shown}, …" if len(ids) > MAX_NAMED else shown
