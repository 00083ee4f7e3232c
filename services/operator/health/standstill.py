"""Standstills: work that waits and that nothing moves. Each is a problem, with the time that the oldest has waited.

Reads queues, journal, outbox and the states of inboxes. A queue with messages and no worker, a mail server or mailbox
that refuses, and an inbox that is stopped are found at once; anything else when it has waited for an hour, because work
that waits for minutes is how a busy desk looks. Separate from `conservation`, which counts what is missing: what stands
still is all there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Final

from services.operator.health.queues import queue_states
from services.operator.mail.actions import OPERATOR
from services.operator.mail.mails import SHORT_ID, journal_of
from services.pipeline import STAGES
from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile
from shared.runtime.broker import PARKED, RETRY
from shared.store.inbox_states import InboxStates

if TYPE_CHECKING:
    from services.operator.health.queues import QueueState
    from shared.app import App
    from shared.store.mails import StoredMail
    from shared.store.outbox import OutboxMail

PATIENCE: Final = timedelta(hours=1)
"""How long something may wait before it stands still."""
MAX_READ: Final = 200
"""Mails and outgoing mails that are looked at, the oldest first."""
_ADDRESS: Final = lazy_compile(r"[^\s<>:;,]+@[^\s<>:;,]+")
_UNITS: Final = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


@dataclass(frozen=True, slots=True)
class Standstill:
    """Work that stands still. `name` says which kind, `check` to which check of the doctor it belongs."""

    name: str
    check: str
    what: str
    remedy: str | None = None


def standstills(app: App) -> Iterator[Standstill]:
    """Every standstill. Raises `Unavailable` when broker or store does not answer."""
    now = app.clock.now()
    for find in _KINDS:
        yield from find(app, now)


def waited(since: timedelta | float) -> str:
    """A time for people: 45 s, 12 min, 3 h, 2 d."""
    seconds = int(since.total_seconds() if isinstance(since, timedelta) else since)
    size, unit = next((each for each in _UNITS if seconds >= 2 * each[0]), _UNITS[-1])
    return f"{seconds // size} {unit}"


def without_addresses(text: str) -> str:
    """A server's answer without the addresses of people."""
    return _ADDRESS.sub("(address)", text)


def _queues(app: App, now: datetime) -> Iterator[Standstill]:
    """Messages that no worker takes, or that have waited too long although a worker is running."""
    del now
    for queue in queue_states(app):
        if queue.name in {RETRY, PARKED} or queue.paused:
            continue
        oldest = queue.oldest_seconds
        if queue.ready and queue.consumers == 0:
            since = "" if oldest is None else f"; the oldest has waited {waited(oldest)}"
            what = f"no worker on {queue.name}: {_messages(queue.ready)}{since}"
            yield Standstill("no-worker", "queues", what, "postroom up, or a worker of this stage")
        elif oldest is not None and oldest >= PATIENCE.total_seconds():
            yield Standstill("message-waits", "queues", f"{_held(queue)} on {queue.name}: {waited(oldest)}")


def paused_stages(app: App, now: datetime) -> Iterator[Standstill]:
    """Stages that an operator has paused."""
    ready = {queue.name: queue.ready for queue in queue_states(app)}
    for stage, pause in app.pauses.current().items():
        waiting = ready.get(STAGES[stage].queue, 0) if stage in STAGES else 0
        what = f"{stage} has been {pause.sentence}; since {waited(now - pause.at)}"
        held = f"; {_messages(waiting)}" if waiting else ""
        yield Standstill("stage-paused", "queues", what + held, f"postroom queues resume {stage}")


def _messages(count: int) -> str:
    return "1 message waits" if count == 1 else f"{count} messages wait"


def _held(queue: QueueState) -> str:
    return (
        "the oldest message waits although a worker is running" if queue.ready else "a worker holds a message too long"
    )


def _mails(app: App, now: datetime) -> Iterator[Standstill]:
    """Mails that got no outcome for too long: a retry or a wait that never ends."""
    found = [(since, mail) for mail in app.mails.in_flight(MAX_READ) if now - (since := _since(app, mail)) >= PATIENCE]
    if not found:
        return
    since, oldest = min(found, key=lambda each: each[0])
    last = next(reversed(journal_of(app, oldest.id)), None)
    doing = f"; the last decision about it: {last.stage} {last.decision}" if last else ""
    count = "1 mail has" if len(found) == 1 else f"{len(found)} mails have"
    what = f"{count} no outcome; the oldest, {oldest.id[:SHORT_ID]}, has waited {waited(now - since)}{doing}"
    yield Standstill("mail-without-outcome", "mails", what, f"postroom mails show {oldest.id[:SHORT_ID]}")


def _since(app: App, mail: StoredMail) -> datetime:
    """Since when a mail is in flight: it came, or an operator sent it on its way again."""
    again = (each.at for each in app.journal.of_mail(mail.id) if each.stage == OPERATOR)
    return max((mail.received_at, *again))


def outgoing_mail(app: App, now: datetime) -> Iterator[Standstill]:
    """Outgoing mail whose server refuses or does not answer, and mail that has waited too long without an error."""
    queued = list(app.outbox.queued(MAX_READ))
    failing = sorted((mail for mail in queued if mail.failing_since), key=_server)
    for server, mails in groupby(failing, key=_server):
        yield _server_refuses(server, list(mails), now)
    late = [mail for mail in queued if not mail.failing_since and now - mail.at >= PATIENCE]
    if late:
        what = f"{_outgoing(late)} although no server has refused; the oldest has waited {waited(now - late[0].at)}"
        yield Standstill("outgoing-mail-waits", "outbox", what, "postroom outbox list")


def _server_refuses(server: str, mails: list[OutboxMail], now: datetime) -> Standstill:
    first = min(mails, key=lambda mail: mail.failing_since or mail.at)
    since = waited(now - (first.failing_since or first.at))
    reason = without_addresses(mails[-1].reason or "it does not answer")
    what = f"{_outgoing(mails)} for the mail server {server}, since {since}: {reason}"
    return Standstill("server-refuses", "outbox", what, "postroom outbox list --state waiting")


def _server(mail: OutboxMail) -> str:
    return mail.server or ""


def _outgoing(mails: list[OutboxMail]) -> str:
    return "1 outgoing mail waits" if len(mails) == 1 else f"{len(mails)} outgoing mails wait"


def _inboxes(app: App, now: datetime) -> Iterator[Standstill]:
    """Inboxes that no fetcher visits any more. One that refuses or is stopped is a finding of the doctor anyway."""
    configuration = app.directory.current()
    if not configuration.settings.processing:
        return
    states = InboxStates(app.documents, app.clock).all()
    for inbox in configuration.inboxes:
        state = states.get(inbox.name)
        if not inbox.enabled or inbox.protocol == "none" or state is None or state.stop:
            continue
        last = _latest((state.polled_at, state.error_at))
        if last and now - last >= PATIENCE:
            what = f"no fetcher has visited {inbox.name} for {waited(now - last)}"
            yield Standstill("not-visited", "inboxes", what, "postroom up, or postroom worker fetcher")


def _latest(times: Iterable[datetime | None]) -> datetime | None:
    return max((each for each in times if each), default=None)


_KINDS: Final[tuple[Callable[[App, datetime], Iterator[Standstill]], ...]] = (
    _queues,
    paused_stages,
    _mails,
    outgoing_mail,
    _inboxes,
)
