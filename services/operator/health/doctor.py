"""Is everything reachable, is the configuration complete, is every mail accounted for?

Each finding is `ok`, a `note` (worth knowing) or a `problem` (a person has to act). Dead letters are notes: their
mails have an outcome, and a person decides.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from datetime import datetime
from typing import Final, Literal

from services.operator.health.conservation import check as check_conservation
from services.operator.health.queues import use_management
from services.operator.health.standstill import standstills, waited
from services.operator.inbox.canaries import canary_views
from services.operator.inbox.credential_ends import credential_ends
from services.operator.settings.configuration import notes_on
from services.queues import QUEUES
from services.schedule.source import SWEEPS
from services.schedule.sweep import STEP, Sweep
from shared.app import App, Location
from shared.config.checks import complaints
from shared.config.model import Inbox
from shared.config.secrets import missing
from shared.contracts.errors import PostroomError, Unavailable
from shared.lazy_dataclass import dataclass
from shared.mail_network.connection_test import TestResult
from shared.store.inbox_states import InboxState, InboxStates
from shared.store.ledger import LedgerEntries
from shared.store.outbox import OutboxState
from shared.store.sweeps import SweepState
from shared.text import iso

START: Final = "postroom inbox start"
CANARY_LOST: Final = "canary-lost"
BROKER_BLOCKED: Final = "broker-blocked"
SCHEDULE: Final = "postroom up, or postroom worker schedule"
Severity = Literal["ok", "note", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. `remedy` is the command that helps, `name` the kind of a standstill."""

    check: str
    status: Severity
    what: str
    remedy: str | None = None
    name: str | None = None

    @property
    def message(self) -> str:
        """The finding in one line, with its remedy."""
        return f"{self.what} ({self.remedy})" if self.remedy else self.what


def counted(number: int, one: str, several: str = "") -> str:
    """A number with its noun."""
    return f"{number} {one if number == 1 else several or one + 's'}"


def is_healthy(findings: tuple[Finding, ...]) -> bool:
    """Whether no finding is a problem."""
    return all(each.status != "problem" for each in findings)


def examine(location: Location) -> tuple[Finding, ...]:
    """Every finding about the installation at a location. A store that cannot be opened is the only finding then."""
    try:
        app = App.open(location, QUEUES, store_only=True)
    except PostroomError as error:
        return (Finding("reachable", "problem", str(error)),)
    try:
        use_management(app)
        try:
            app.broker.declare()
        except PostroomError as error:
            return (Finding("broker", "problem", str(error)), *findings(app, without={"broker"}))
        return findings(app)
    finally:
        app.close()


def findings(app: App, *, without: Collection[str] = ()) -> tuple[Finding, ...]:
    """Every finding of every check, in the order of `CHECKS`, but `without` some."""
    found: list[Finding] = []
    for name, check in CHECKS:
        if name not in without:
            found += [_unless_known(each, found) for each in _guarded(name, check, app)]
    return tuple(found)


def _unless_known(finding: Finding, before: Collection[Finding]) -> Finding:
    """The finding; a note that the check was not made, when its dependency is a problem of a check before it."""
    if any((each.status, each.what) == ("problem", finding.what) for each in before):
        return Finding(finding.check, "note", f"not checked: {finding.what}")
    return finding


def _guarded(name: str, check: Callable[[App], Iterator[Finding]], app: App) -> Iterator[Finding]:
    """Run one check. When its dependency is unavailable, that is a problem, and the other checks still run."""
    try:
        yield from check(app)
    except PostroomError as error:
        yield Finding(name, "problem", str(error))


def _store(app: App) -> Iterator[Finding]:
    app.documents.ping()
    kind = "MongoDB" if app.location.store_url else f"the embedded default in {app.location.data}"
    yield Finding("store", "ok", f"{kind} answers")


def _broker(app: App) -> Iterator[Finding]:
    depths = app.broker.depths()
    kind = "RabbitMQ" if app.location.broker_url else f"the embedded default in {app.location.data}"
    waiting = counted(sum(each.ready for each in depths), "message")
    try:
        app.broker.ping()
    except Unavailable as error:
        yield Finding("broker", "problem", f"{error}; {waiting} ready", name=BROKER_BLOCKED)
    else:
        yield Finding("broker", "ok", f"{kind} answers; {waiting} ready")


def _configuration(app: App) -> Iterator[Finding]:
    config = app.directory.renew()
    found = [Finding("configuration", "problem", f"{each.path}: {each.message}") for each in complaints(config)]
    yield from found
    if not config.inboxes:
        yield Finding("configuration", "problem", "there is no inbox; add one under inboxes")
    elif not found:
        yield Finding(
            "configuration",
            "ok",
            f"{counted(len(config.inboxes), 'inbox', 'inboxes')}; all required settings are present",
        )
    if not config.mail_servers:
        yield Finding("configuration", "note", "no mail server is configured: answers stay in the outbox as unsent")
    for each in notes_on(config):
        yield Finding("configuration", "note", f"{each.path}: {each.message}")
    if not config.settings.processing:
        what = "processing is off: no inbox is visited"
        yield Finding("configuration", "problem", what, f"{START} --all", "processing-off")


def _secrets(app: App) -> Iterator[Finding]:
    lacking = [each for each in missing(app.directory.current()) if each.needed]
    for each in lacking:
        yield Finding("secrets", "note", f"{each.path}: {each.message}")
    if not lacking:
        yield Finding("secrets", "ok", "all required secrets are present")
    now = app.clock.now()
    for end in credential_ends(app.directory.current()):
        if warning := end.warning(now):
            yield Finding("secrets", "problem" if end.day < now.date() else "note", warning)


def _inboxes(app: App) -> Iterator[Finding]:
    from services.fetcher.support import unsupported_reason

    states = InboxStates(app.documents, app.clock).all()
    for inbox in app.directory.current().inboxes:
        state = states.get(inbox.name)
        if inbox.enabled and (reason := unsupported_reason(inbox)):
            yield Finding("inboxes", "problem", f"{inbox.name} is not read: {reason}", name="inbox-not-supported")
        elif inbox.enabled and inbox.protocol != "none" and state is not None:
            yield from _mails_left(app, inbox)
            yield from inbox_findings(state, app.clock.now())


def _mails_left(app: App, inbox: Inbox) -> Iterator[Finding]:
    if left := LedgerEntries(app.documents).not_taken(inbox.name):
        text = f"{counted(len(left), 'mail')} left in the mailbox, not taken; one because: {left[0].reason}"
        yield Finding("inboxes", "note", f"{inbox.name}: {text}")


def inbox_findings(state: InboxState, now: datetime) -> Iterator[Finding]:
    """The state of an inbox: at most one finding, the most serious."""
    if state.stop:
        what = f"{state.name} has been stopped for {waited(now - state.stop.at)}: {state.stop.reason}"
        yield Finding("inboxes", "problem", what, f"{START} {state.name}", "inbox-stopped")
    elif state.error:
        since = f", last at {iso(state.error_at)}" if state.error_at else ""
        yield Finding(
            "inboxes", "problem", f"{state.name} is visited with errors{since}: {state.error}", name="inbox-failing"
        )
    elif failed := _failed_test(state):
        yield Finding("inboxes", "problem", f"{state.name}: the connection test failed: {failed.message}")
    elif state.polled_at:
        yield Finding("inboxes", "ok", f"{state.name} was visited without errors")


def _failed_test(state: InboxState) -> TestResult | None:
    """The last connection test, when it failed and no visit has got through since."""
    test = state.test
    if test is None or test.ok or (state.polled_at and state.polled_at > test.at):
        return None
    return test


UNDELIVERED: Final[tuple[OutboxState, ...]] = ("unsent", "failed", "blocked", "held")
"""States of outgoing mail that does not leave by itself."""


def _outbox(app: App) -> Iterator[Finding]:
    counts = {state: app.outbox.count(state) for state in UNDELIVERED}
    unsent = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    if unsent:
        yield Finding("outbox", "note", f"outgoing mail that was not sent: {unsent}", "postroom outbox list")


def _canaries(app: App) -> Iterator[Finding]:
    now = app.clock.now()
    for each in canary_views(app):
        wrong = each.is_overdue or each.hindrance is not None
        what = f"the canary of {each.inbox.name}: {each.sentence(now)}"
        yield Finding("canaries", "problem" if wrong else "ok", what, name=CANARY_LOST if wrong else None)


def _standstills(app: App) -> Iterator[Finding]:
    for each in standstills(app):
        yield Finding(each.check, "problem", each.what, each.remedy, each.name)


SWEPT_SECONDS: Final = 3 * 86_400
"""A sweep that has not been completed for this long is noted."""


def _sweeps(app: App) -> Iterator[Finding]:
    """What nobody needs any more: what is due, and whether somebody removes it."""
    yield from not_swept(app)
    now = app.clock.now()
    for sweep, state in _states_of_sweeps(app):
        if state.ended_at is not None and _is_swept(state, now):
            removed = f"swept {waited(now - state.ended_at)} ago, {state.last_removed} removed then"
            due = len(sweep.look("", STEP, now).due)
            some = f"; {_due(due, sweep)}" if due else ""
            yield Finding("sweeps", "ok", f"{sweep.what}: {removed}{some}")


def not_swept(app: App) -> Iterator[Finding]:
    """What is due and was not swept for days. Reads what may be removed of that alone: a page looks often."""
    now = app.clock.now()
    for sweep, state in _states_of_sweeps(app):
        if not _is_swept(state, now) and (due := len(sweep.look("", STEP, now).due)):
            since = f"since {iso(state.ended_at)}" if state.ended_at else "yet"
            yield Finding(
                "sweeps", "note", f"{sweep.what}: not swept {since}; {_due(due, sweep)}", SCHEDULE, "not-swept"
            )


def _states_of_sweeps(app: App) -> Iterator[tuple[Sweep, SweepState]]:
    for build in SWEEPS.values():
        sweep = build(app)
        yield sweep, app.sweeps.state(sweep.name)


def _is_swept(state: SweepState, now: datetime) -> bool:
    return state.ended_at is not None and (now - state.ended_at).total_seconds() <= SWEPT_SECONDS


def _due(count: int, sweep: Sweep) -> str:
    return f"{count} of the first {STEP} {sweep.what} may go"


def _conservation(app: App) -> Iterator[Finding]:
    report = check_conservation(app)
    for problem in report.problems:
        yield Finding("conservation", "problem", problem)
    for note in report.notes:
        yield Finding("dead letters", "note", note)
    if not report.problems:
        counts = {
            "arrivals": report.arrivals,
            "with an outcome": report.outcomes,
            "duplicates": report.duplicates,
            "unreadable": report.unreadable,
            "in flight": report.in_flight,
        }
        summary = ", ".join(f"{count} {what}" for what, count in counts.items())
        yield Finding("conservation", "ok", f"every mail is accounted for: {summary}")


CHECKS: Final[tuple[tuple[str, Callable[[App], Iterator[Finding]]], ...]] = (
    ("store", _store),
    ("broker", _broker),
    ("configuration", _configuration),
    ("secrets", _secrets),
    ("inboxes", _inboxes),
    ("canaries", _canaries),
    ("outbox", _outbox),
    ("standstill", _standstills),
    ("sweeps", _sweeps),
    ("conservation", _conservation),
)
