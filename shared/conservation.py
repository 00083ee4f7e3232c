"""Conservation: is every mail accounted for?

Reads counts of the store and of the broker; says what does not add up. What came through the door is in the ledger
of arrivals: arrivals = mails with an outcome + duplicates + unreadable ones + what is in flight. A mail without
an outcome has a message somewhere, an arrival that nobody took is on intake, a letter that asked for an incident
has its wish on the way, outgoing mail that waits has a message for the notifier. A dead letter is a note, never a
problem: the mail has its outcome, and a person decides.

Separate from the command that prints it, because a test that loses a message on purpose has to fail by it. Counts
are served by indexes: the cost does not grow with finished mail, except for counting it. While the pipeline runs,
store and broker are read at different moments; so a suspicion counts only if every look within `PATIENCE` has it,
about the same things.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Final

from shared.app import App
from shared.contracts.events import IncidentWanted
from shared.runtime.broker import DEAD_LETTER, INTAKE, PARKED, RETRY, Depth
from shared.store.arrivals import DUPLICATE, HANDED_IN, UNREADABLE
from shared.store.documents import Document, Documents, Filter

PATIENCE: Final = 2.0
"""Seconds for which a suspicion must last."""
PAUSE: Final = 0.25
NAMED: Final = 3
"""How many of the missing a problem names."""
LOOKED_AT: Final = 200
"""How many of the oldest things in doubt are compared between two looks."""
NOTIFIER: Final = "notifier"


@dataclass(frozen=True, slots=True)
class Report:
    """Counts, and what does not add up: one sentence for each problem, none when all is well.

    `outcomes`: mails with their outcome. `in_flight`: messages that the broker still has, the notifier's left out.
    `unreadable`: arrivals that were no mail, each a dead letter. `notes` are for the operator and no problems.
    """

    arrivals: int
    outcomes: int
    duplicates: int
    in_flight: int
    problems: tuple[str, ...] = ()
    unreadable: int = 0
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Suspicion:
    """One thing that does not add up at one look. `about`: the ids in doubt; `text` is said when it lasts."""

    kind: str
    text: str
    about: frozenset[str] = frozenset({""})


@dataclass(frozen=True, slots=True)
class _Look:
    """One look at both sides."""

    report: Report
    suspicions: Mapping[str, _Suspicion]


@dataclass(frozen=True, slots=True)
class _Messages:
    """What the broker has. `unseen`: workers hold messages that it cannot count."""

    by_queue: Mapping[str, int]
    unseen: bool

    def on(self, *queues: str) -> int:
        return sum(self.by_queue.get(queue, 0) for queue in queues)

    @property
    def all(self) -> int:
        """The notifier's left out; parked ones are stuck, not lost."""
        return sum(count for queue, count in self.by_queue.items() if queue != NOTIFIER)


def check(app: App, *, patience: float = PATIENCE) -> Report:
    """Look until nothing is in doubt, or the same things have been for `patience` seconds.

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
            return replace(look.report, problems=tuple(look.suspicions[kind].text for kind in doubts))
        time.sleep(PAUSE)


def _lasting(before: dict[str, frozenset[str]] | None, now: Mapping[str, _Suspicion]) -> dict[str, frozenset[str]]:
    if before is None:
        return {kind: suspicion.about for kind, suspicion in now.items()}
    same = {kind: before[kind] & suspicion.about for kind, suspicion in now.items() if kind in before}
    return {kind: about for kind, about in same.items() if about}


def _look(app: App) -> _Look:
    """The broker is counted before and after the store, and the higher count stands."""
    store = app.documents
    before, in_flight = app.broker.depths(), app.broker.in_flight()
    arrivals, duplicates = store.count("arrivals", {}), store.count("arrivals", {"state": DUPLICATE})
    unreadable, untaken = (store.count("arrivals", {"state": state}) for state in (UNREADABLE, HANDED_IN))
    mails = store.count("mails", {})
    unfinished = store.count("mails", {"outcome": None})
    doubtful = [
        _documents(arrivals - untaken - duplicates - unreadable, mails),
        *_of_messages(store, untaken, unfinished, _messages(before, app.broker.depths())),
    ]
    report = Report(
        arrivals, mails - unfinished, duplicates, in_flight, unreadable=unreadable, notes=tuple(_notes(store))
    )
    return _Look(report, {each.kind: each for each in doubtful if each})


def _messages(*looks: Sequence[Depth]) -> _Messages:
    counted: dict[str, int] = {}
    for depth in (depth for look in looks for depth in look):
        counted[depth.name] = max(counted.get(depth.name, 0), depth.ready + (depth.unacked or 0))
    return _Messages(counted, any(depth.unacked is None and depth.consumers for depth in looks[-1]))


def _notes(store: Documents) -> Iterator[str]:
    if letters := store.count("dead_letters", {"state": "open"}):
        waiting = "1 dead letter waits" if letters == 1 else f"{letters} dead letters wait"
        yield f"{waiting} for a person: postroom dead-letters list"


def _documents(taken: int, mails: int) -> _Suspicion | None:
    """Each arrival that was taken, is no duplicate and could be read has its own document, and no other has one."""
    if taken > mails:
        return _Suspicion("documents", f"{taken - mails} mails were taken from intake, but their documents are missing")
    if taken < mails:
        return _Suspicion("arrivals", f"{mails - taken} mails have documents, but no arrival was counted for them")
    return None


def _of_messages(store: Documents, untaken: int, unfinished: int, messages: _Messages) -> Iterator[_Suspicion | None]:
    hidden = " (what workers hold is seen only with the management API of RabbitMQ)" if messages.unseen else ""
    yield _left_behind(store, untaken - messages.on(INTAKE, RETRY, DEAD_LETTER, PARKED), hidden)
    yield _unfinished(store, unfinished - messages.all, hidden)
    yield _unsent(store, messages)
    yield _wishes(store, messages)
    if parked := messages.on(PARKED):
        yield _Suspicion("parked", f"{parked} messages are parked: the dead-letter stage itself failed on them")


def _left_behind(store: Documents, excess: int, hidden: str) -> _Suspicion | None:
    """Arrivals that nobody took and that are not on their way to the parser."""
    if excess <= 0:
        return None
    ids = _oldest(store, "arrivals", {"state": HANDED_IN}, "at")
    text = f"{excess} mails came through the door, but are neither taken nor on intake: among {_some(ids)}{hidden}"
    return _Suspicion("intake", text, ids)


def _unfinished(store: Documents, excess: int, hidden: str) -> _Suspicion | None:
    """Mails without an outcome, more of them than there are messages."""
    if excess <= 0:
        return None
    ids = _oldest(store, "mails", {"outcome": None}, "received_at")
    text = f"{excess} mails have no outcome and no message: among {_some(ids)}{hidden}; the raw mail is kept"
    return _Suspicion("messages", text, ids)


def _unsent(store: Documents, messages: _Messages) -> _Suspicion | None:
    """Outgoing mail that nobody will send: no message for the notifier, and no dead letter of one."""
    where = {"state": {"$in": ["waiting", "sending"]}}
    there = messages.on(NOTIFIER, RETRY, DEAD_LETTER)
    excess = store.count("outbox", where) - there
    if excess <= 0:
        return None
    excess -= sum(1 for _ in store.find("dead_letters", {"state": "open", "queue": NOTIFIER}))
    ids = _oldest(store, "outbox", where, "at")
    text = f"{excess} outgoing mails wait, but the notifier has no message for them: among {_some(ids)}"
    return _Suspicion("outbox", text, ids) if excess > 0 else None


def _wishes(store: Documents, messages: _Messages) -> _Suspicion | None:
    """Dead letters that asked for an incident and have none, though no message is on its way to the writer."""
    letters = list(store.find("dead_letters", {"state": "open"}))
    asked = [letter for letter in letters if _waits(letter)]
    excess = len(asked) - messages.on("record-writer", RETRY, DEAD_LETTER)
    if excess <= 0:
        return None
    failed = {letter["mail_id"] for letter in letters if _is_wish(letter)}
    ids = frozenset(letter["_id"] for letter in asked if letter["mail_id"] not in failed)
    text = f"{len(ids)} dead letters asked for an incident that nobody makes: {_some(ids)}"
    return _Suspicion("incidents", text, ids) if ids else None


def _waits(letter: Document) -> bool:
    return bool(letter.get("asked")) and letter["incident"] is None


def _is_wish(letter: Document) -> bool:
    return bool(letter["message"]["type"] == IncidentWanted.__name__)


def _oldest(store: Documents, collection: str, where: Filter, at: str) -> frozenset[str]:
    found = store.find(collection, where, sort=((at, 1),), limit=LOOKED_AT)
    return frozenset(document["_id"] for document in found)


def _some(ids: frozenset[str]) -> str:
    shown = ", ".join(islice(sorted(ids), NAMED))
    return f"{shown}, …" if len(ids) > NAMED else shown
