"""Fetcher: visits each inbox when it is due, hands its mails to intake, and archives stored mails.

Reads the configured inboxes again in each round, so that stops, starts and changed settings take effect at the next
poll without a restart (TI-11). Decides when an inbox is due and how to handle its failures: an outage makes the waits
longer, repeated refused logins stop the inbox (TI-10), and a failure of our own intake or store is retried soon. The
module `visit` contains the steps of a visit.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import field, replace
from datetime import timedelta

from services.fetcher import mailbox, slots
from services.fetcher.idle import IdleWatch
from services.fetcher.ledger import Ledger
from services.fetcher.mailbox import InboxAccess, Limits, Mailbox, Peek
from services.fetcher.support import unsupported_reason
from services.fetcher.visit import PART, HandOver, Polled, Visit
from shared.clock import Clock, SystemClock
from shared.config.model import Inbox, Settings
from shared.config.values import Secret
from shared.contracts.errors import Misconfigured, PostroomError, Unavailable
from shared.lazy_dataclass import dataclass
from shared.mail_network import connection_test
from shared.mail_network.connection import AuthenticationRefused, Refusal, Throttled
from shared.mail_network.connection_test import TestResult
from shared.mail_network.sasl import Credentials
from shared.mail_network.tokens import TokenSource
from shared.runtime.hooks import Failed, Hooks, Outage, Retried, Round
from shared.runtime.lease import Lease, Leases
from shared.store.documents import Documents
from shared.store.inbox_states import AUTHENTICATION, InboxState, InboxStates, access_mark

log = logging.getLogger("postroom.fetcher")

WAKE_SECONDS = 1.0
NEWS_SECONDS = 0.1
"""How soon a visit begins after a server has said that mail arrived."""
DEPENDENCY_RETRY_SECONDS = 5.0
"""Wait before the next try after our own store or broker was unavailable."""
MAX_WAIT_SECONDS = 900.0
STOP_SECONDS = 4.0
"""How long a visit may go on after the fetcher was asked to stop."""


def _ignore(*_: object) -> None:
    """Do nothing: the default of the callbacks."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """The source's dependencies. Each may be called from several threads at once.

    `stopped(inbox, reason, id)`: the logins of an inbox were refused too often, and a ticket is wanted (TI-10);
    may be called again for the same stop after a crash: `id` is stable. `recovered(inbox, id)`: an inbox with such a
    ticket was read again; it may be called again too.
    `pause_reason()`: why an operator has paused the fetcher, None when it works.
    `tokens(inbox)`: the source of OAuth tokens of an inbox, None without an application.
    """

    hand_over: HandOver
    inboxes: Callable[[], Sequence[Inbox]]
    settings: Callable[[], Settings]
    reveal: Callable[[Secret], str] = Secret.reveal
    tokens: Callable[[Inbox], TokenSource | None] = lambda _inbox: None
    stopped: Callable[[Inbox, str, str], None] = _ignore
    recovered: Callable[[Inbox, str], None] = _ignore
    pause_reason: Callable[[], str | None] = lambda: None
    mailbox_class: Callable[[str], Callable[[InboxAccess], Mailbox]] = mailbox.mailbox_class
    hooks: Hooks = field(default_factory=Hooks)


@dataclass(frozen=True, slots=True)
class _Running:
    """A visit under way, and when it began."""

    visit: Future[Polled]
    began: float


@dataclass(frozen=True, slots=True)
class _Plan:
    """When an inbox is visited next, on the monotonic clock; made for the inbox as it was configured then."""

    inbox: Inbox
    at: float
    failures: int = 0


class FetcherSource:
    """The fetcher of one process. Several processes may run; a lease ensures that one at a time reads a folder."""

    def __init__(
        self,
        documents: Documents,
        wiring: Wiring,
        *,
        clock: Clock | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        leases: Leases | None = None,
    ) -> None:
        self._documents, self._wiring, self._monotonic = documents, wiring, monotonic
        self._clock = clock or SystemClock()
        self._leases = leases or Leases(documents)
        self.states = InboxStates(documents, self._clock)
        self._plans: dict[str, _Plan] = {}
        self._unsupported: dict[str, str] = {}
        self._outage, self._pause = (Outage(wiring.hooks, PART, "") for _ in range(2))
        self._asked: Mapping[str, int] = {}
        self._stopping = threading.Event()
        self._open: dict[str, Mailbox] = {}
        self._news: set[str] = set()
        self._running: set[str] = set()
        self._more_are_due = False
        self.idle = IdleWatch(lambda inbox: self._mailbox(inbox, wiring.settings()), self._news.add)

    # scheduling

    def due(self) -> list[Inbox]:
        """Enabled inboxes with a mailbox that are to be visited now, those first that have waited longest.

        Empty while processing is off, or the fetcher is paused.
        """
        if self._is_paused() or not self._wiring.settings().processing:
            self._running = set()
            return []
        states = self.states.all()
        running = [each for each in self._wiring.inboxes() if self._runs(each, states)]
        self._running = {each.name for each in running}
        self._asked = {
            name: state.visits_asked for name, state in states.items() if state.visits_asked != state.visits_answered
        }
        due = (each for each in running if each.name in self._asked or self._is_due(each))
        return sorted(due, key=self._due_since)

    def _is_paused(self) -> bool:
        reason = self._wiring.pause_reason()
        if reason is None:
            self._pause.end()
            return False
        self._pause.begin(reason)
        return True

    def _runs(self, inbox: Inbox, states: Mapping[str, InboxState]) -> bool:
        if not inbox.enabled or inbox.protocol == "none" or self._is_unsupported(inbox):
            return False
        stop = states.get(inbox.name, InboxState(inbox.name)).stop
        if stop is None:
            return True
        if stop.ticket_due:
            self._ask_for_ticket(inbox, stop.reason, f"{inbox.name}:{stop.at.isoformat()}")
        if stop.by == AUTHENTICATION and stop.access != access_mark(inbox):
            self.states.start(inbox.name)  # somebody corrected the login
            return True
        return False

    def _is_unsupported(self, inbox: Inbox) -> bool:
        """Whether this installation cannot read it (NE-02); logged once for each reason."""
        reason = unsupported_reason(inbox)
        if reason is not None and self._unsupported.get(inbox.name) != reason:
            self._unsupported[inbox.name] = reason
            log.error("inbox_not_supported", extra={"inbox": inbox.name, "reason": reason})
        return reason is not None

    def _is_due(self, inbox: Inbox) -> bool:
        plan = self._plans.get(inbox.name)
        if plan is None or plan.inbox != inbox or plan.at <= self._monotonic():
            return True
        return inbox.name in self._news and plan.failures == 0

    def _due_since(self, inbox: Inbox) -> float:
        plan = self._plans.get(inbox.name)
        return plan.at if plan else 0.0

    def _plan(
        self, inbox: Inbox, *, failed: bool = False, soon: bool = False, asked_wait: float | None = None
    ) -> float:
        """Plan the next visit; seconds until then. `asked_wait`: the seconds that a server asks to wait."""
        before = self._plans.get(inbox.name)
        failures = (before.failures + 1 if before and before.inbox == inbox else 1) if failed else 0
        interval = (inbox.poll_interval or self._wiring.settings().poll_interval).total_seconds()
        pause = min(interval, DEPENDENCY_RETRY_SECONDS) if soon else _backed_off(interval, failures)
        if asked_wait is not None:
            pause = max(asked_wait, WAKE_SECONDS)
        self._plans[inbox.name] = _Plan(inbox, self._monotonic() + pause, failures)
        return pause

    # polling

    def poll(self, inbox: Inbox) -> Polled:
        """Visit one inbox now. Failures are stored and returned in the result; only bugs are raised."""
        self._news.discard(inbox.name)
        try:
            polled = self._visit(inbox)
        except PostroomError as error:
            self._failed(inbox, error)
            return Polled(inbox.name, failures=[str(error)])
        pause = self._plan(inbox)
        if not polled.busy:
            state = self.states.succeeded(inbox.name, "; ".join(polled.failures[:3]) or None)
            self.states.planned(inbox.name, timedelta(seconds=pause), throttled=False)
            if state.ticket:
                self._note_recovery(inbox, state.ticket)
        return polled

    def _visit(self, inbox: Inbox) -> Polled:
        lease = self._leases.acquire(mailbox.folder_of(inbox))
        if lease is None:
            return Polled(inbox.name, busy=True)
        settings = self._wiring.settings()
        ledger = Ledger(self._documents, inbox, self._clock, _max_download(settings))
        with lease:
            if asked := self._asked.get(inbox.name):
                self.states.answer_visits(inbox.name, asked)
            box = self._open[inbox.name] = self._mailbox(inbox, settings)
            try:
                with box:
                    return self._visited(inbox, settings, box, ledger, lease)
            finally:
                del self._open[inbox.name]

    def _visited(self, inbox: Inbox, settings: Settings, box: Mailbox, ledger: Ledger, lease: Lease) -> Polled:
        visit = Visit(
            replace(inbox, log_events=inbox.log_events and settings.log_events),
            box=box,
            ledger=ledger,
            lease=lease,
            hand_over=self._wiring.hand_over,
            stopping=self._stopping.is_set,
            hooks=self._wiring.hooks,
        )
        return visit.run(inbox.max_per_poll or settings.max_per_poll)

    def _mailbox(self, inbox: Inbox, settings: Settings) -> Mailbox:
        limits = Limits(
            max_download=_max_download(settings),
            allow_cleartext_auth=settings.allow_cleartext_auth,
            fips=settings.fips,
        )
        return self._wiring.mailbox_class(inbox.protocol)(InboxAccess(inbox, self._credentials(inbox), limits))

    def _credentials(self, inbox: Inbox) -> Credentials:
        password = self._wiring.reveal(inbox.password) if inbox.password else None
        return Credentials(inbox.username or inbox.address, password, self._wiring.tokens(inbox))

    def _failed(self, inbox: Inbox, error: PostroomError) -> None:
        reason = self._reason(error)
        log.warning("inbox_failed", extra={"inbox": inbox.name, "reason": reason})
        ours = isinstance(error, Unavailable) and not isinstance(error, Refusal)  # our own store or broker
        asked_wait = error.retry_after if isinstance(error, Throttled) else None
        pause = self._plan(inbox, failed=not ours, soon=ours, asked_wait=asked_wait)
        self._wiring.hooks(Retried(PART, inbox.name, "", "", reason, pause, counted=not ours, kind=_kind(error)))
        if ours:
            return  # not a failure of the inbox
        self.states.planned(inbox.name, timedelta(seconds=pause), throttled=asked_wait is not None)
        if isinstance(error, AuthenticationRefused):
            self._refused(inbox, reason)
        else:
            self.states.failed(inbox.name, reason)

    def _reason(self, error: PostroomError) -> str:
        """Return the error's text; for a failed connection step, that of the connection test and the server."""
        if not isinstance(error, Refusal):
            return str(error)
        return connection_test.failed(error, self._clock.now()).in_full

    def _refused(self, inbox: Inbox, reason: str) -> None:
        ticket = self._wiring.settings().auth_failure_ticket
        if self.states.refused(inbox, reason, after=ticket.after, ticket=ticket.enabled):
            log.error("inbox_stopped", extra={"inbox": inbox.name, "reason": reason})
            self._wiring.hooks(Failed(PART, inbox.name, "", "", reason))

    def _ask_for_ticket(self, inbox: Inbox, reason: str, id_: str) -> None:
        try:
            self._wiring.stopped(inbox, reason, id_)
        except PostroomError as error:  # asked for again at the next wake; the other inboxes go on
            log.warning("ticket_not_made", extra={"inbox": inbox.name, "reason": str(error)})
        else:
            self.states.ticket_made(inbox.name, id_)

    def _note_recovery(self, inbox: Inbox, id_: str) -> None:
        try:
            self._wiring.recovered(inbox, id_)
        except PostroomError as error:  # tried again after the next visit
            log.warning("recovery_not_noted", extra={"inbox": inbox.name, "reason": str(error)})
        else:
            self.states.recovery_noted(inbox.name, id_)

    # running

    def once(self) -> list[Polled]:
        """Visit every inbox that is due, one after another."""
        polled = [self.poll(inbox) for inbox in self.due()]
        self.due()  # a stop that just happened asks for its ticket
        return polled

    def run(self, stop: threading.Event) -> None:
        """Visit inboxes as they become due until `stop` is set.

        Running visits then end after their current mail; connections that do not respond are closed.
        """
        under_way: dict[str, _Running] = {}
        self._stopping.clear()
        with ThreadPoolExecutor(slots.MAX_VISITS, thread_name_prefix="fetch") as pool:
            while not stop.is_set():
                under_way = {name: each for name, each in under_way.items() if not _is_over(each.visit)}
                for inbox in self._to_visit(under_way):
                    under_way[inbox.name] = _Running(pool.submit(self.poll, inbox), self._monotonic())
                self._rest(stop)
            self._stopping.set()
            self.idle.close(STOP_SECONDS)
            wait([each.visit for each in under_way.values()], STOP_SECONDS)
            for box in list(self._open.values()):
                box.hang_up()
            pool.shutdown(cancel_futures=True)

    def _to_visit(self, under_way: Mapping[str, _Running]) -> list[Inbox]:
        """The inboxes whose visits begin now: those that are due, as far as there are slots."""
        self._wiring.hooks(Round(PART))
        free = slots.free_slots((each.began for each in under_way.values()), self._monotonic())
        if not free:
            return []
        waiting = [inbox for inbox in self._due_or_none() if inbox.name not in under_way]
        self._more_are_due = len(waiting) > free
        return waiting[:free]

    def _rest(self, stop: threading.Event) -> None:
        """Wait for the next round, which begins early when mail has arrived or an inbox waits for a slot."""
        self.idle.tend([each.inbox for each in list(self._plans.values()) if self._is_watched(each)])
        for _ in range(round(WAKE_SECONDS / NEWS_SECONDS)):
            if stop.wait(NEWS_SECONDS) or self._news or self._more_are_due:
                return

    def _is_watched(self, plan: _Plan) -> bool:
        """Whether the server may tell when mail arrives: the last visit succeeded, and visits go on."""
        inbox = plan.inbox
        return inbox.protocol == "imap" and inbox.idle and plan.failures == 0 and inbox.name in self._running

    def _due_or_none(self) -> list[Inbox]:
        try:
            due = self.due()
        except Unavailable as error:
            self._outage.begin(str(error), "unavailable")
            return []
        self._outage.end()
        return due

    # for operators

    def check(self, inbox: Inbox) -> TestResult:
        """Test the connection of an inbox, and keep the result (IV-08). Creates nothing, counts nothing."""
        result = self._checked(inbox)
        self.states.tested(inbox.name, result)
        return result

    def _checked(self, inbox: Inbox) -> TestResult:
        try:
            return self.mailbox(inbox).check()
        except Misconfigured as error:
            return connection_test.failed(error, self._clock.now())

    def mailbox(self, inbox: Inbox) -> Mailbox:
        """The mailbox of an inbox, not yet connected, to be read and not to be changed."""
        return self._mailbox(inbox, self._wiring.settings())

    def peek(self, inbox: Inbox, count: int = 1) -> Sequence[Peek]:
        """Mails that wait, shown without being processed (VS-02)."""
        with self.mailbox(inbox) as box:
            return box.peek(count)


def _max_download(settings: Settings) -> int:
    return max(settings.max_mail_size, mailbox.MAX_DOWNLOAD_BYTES)


def _backed_off(interval: float, failures: int) -> float:
    """Seconds to wait after consecutive failures: the interval, doubled each time up to a maximum."""
    grown = interval * 2.0 ** min(max(failures - 1, 0), 16)
    return max(interval, min(grown, MAX_WAIT_SECONDS))


def _kind(error: PostroomError) -> str:
    """Why a visit failed, in a word of a closed list."""
    if isinstance(error, AuthenticationRefused):
        return "login"
    if isinstance(error, Throttled):
        return "throttled"
    return "own" if isinstance(error, Unavailable) and not isinstance(error, Refusal) else "server"


def _is_over(visit: Future[Polled]) -> bool:
    """Whether it ended; a bug is logged, and the inbox is visited again when it is due."""
    if not visit.done():
        return False
    if not visit.cancelled() and (error := visit.exception()) is not None:
        log.error("visit_crashed", exc_info=error)
    return True
