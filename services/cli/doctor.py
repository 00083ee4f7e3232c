"""`postroom doctor`: is everything reachable, is the configuration whole, is every mail accounted for?

Each finding is `ok`, a `note` (worth knowing) or a `problem` (somebody has to act); one problem makes the exit
code 1. Dead letters are notes: their mails have an outcome, and a person decides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import click

from services.cli import output
from services.cli.base import PROBLEM, Command, as_json, location, use_management
from services.cli.config import in_vain
from shared.contracts.errors import PostroomError

if TYPE_CHECKING:
    from services.fetcher.state import InboxState
    from shared.app import App
    from shared.mail_network.connection_test import TestResult

START: Final = "postroom inbox start"
Status = Literal["ok", "note", "problem"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check says."""

    check: str
    status: Status
    message: str


def counted(number: int, one: str, several: str = "") -> str:
    """A number with its noun."""
    return f"{number} {one if number == 1 else several or one + 's'}"


@click.command(cls=Command)
def doctor() -> int:
    """Is everything reachable, is the configuration whole, is every mail accounted for?"""
    with output.watching("checking"):
        findings = list(_findings())
    for each in findings:
        if as_json():
            output.emit({"check": each.check, "status": each.status, "message": each.message})
        else:
            click.echo(f"{each.status.ljust(7)}  {each.check.ljust(13)}  {output.safe(each.message)}")
    return PROBLEM if any(each.status == "problem" for each in findings) else 0


def _findings() -> Iterator[Finding]:
    from shared.app import App

    where = location()
    try:
        app = App.open(where)
    except PostroomError as error:
        yield Finding("reachable", "problem", str(error))
        return
    try:
        use_management(app)
        for name, check in CHECKS:
            yield from _guarded(name, check, app)
    finally:
        app.close()


def _guarded(name: str, check: Callable[[App], Iterator[Finding]], app: App) -> Iterator[Finding]:
    """A check that cannot ask says so, and the others go on."""
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
    yield Finding("broker", "ok", f"{kind} answers; {waiting} ready")
    idle = [each.name for each in depths if each.consumers == 0 and each.ready and each.name not in {"retry", "parked"}]
    if idle:
        yield Finding("broker", "note", f"nobody works on {', '.join(idle)}, where messages wait")


def _configuration(app: App) -> Iterator[Finding]:
    from shared.config.checks import complaints

    config = app.directory.renew()
    found = [Finding("configuration", "problem", f"{each.path}: {each.message}") for each in complaints(config)]
    yield from found
    if not config.inboxes:
        yield Finding("configuration", "problem", "there is no inbox; add one under inboxes")
    elif not found:
        yield Finding(
            "configuration",
            "ok",
            f"{counted(len(config.inboxes), 'inbox', 'inboxes')}; nothing that is needed is missing",
        )
    if not config.mail_servers:
        yield Finding("configuration", "note", "no mail server is configured: answers stay in the outbox as unsent")
    for each in in_vain(config):
        yield Finding("configuration", "note", f"{each.path}: {each.message}")
    if not config.settings.processing:
        yield Finding("configuration", "note", f"processing is off: no inbox is visited ({START} --all)")


def _secrets(app: App) -> Iterator[Finding]:
    from shared.config.secrets import missing

    lacking = [each for each in missing(app.directory.current()) if each.needed]
    for each in lacking:
        yield Finding("secrets", "problem" if each.kept else "note", f"{each.path}: {each.message}")
    if not lacking:
        yield Finding("secrets", "ok", "every secret that is needed can be had")


def _inboxes(app: App) -> Iterator[Finding]:
    from services.fetcher.ledger import troubles
    from services.fetcher.state import AUTHENTICATION, InboxStates

    states = InboxStates(app.documents, app.clock).all()
    for inbox in app.directory.current().inboxes:
        state = states.get(inbox.name)
        if not inbox.enabled or inbox.protocol == "none" or state is None:
            continue
        if left := troubles(app.documents, inbox.name):
            text = f"{counted(len(left), 'mail')} left in the mailbox, not taken; one because: {left[0].reason}"
            yield Finding("inboxes", "note", f"{inbox.name}: {text}")
        if state.stop:
            status: Status = "problem" if state.stop.by == AUTHENTICATION else "note"
            yield Finding("inboxes", status, f"{inbox.name} is stopped: {state.stop.reason} ({START} {inbox.name})")
        elif state.error:
            yield Finding("inboxes", "problem", f"{inbox.name}: {state.error}")
        elif failed := _failed_test(state):
            yield Finding("inboxes", "problem", f"{inbox.name}: the connection test failed: {failed.message}")
        elif state.polled_at:
            yield Finding("inboxes", "ok", f"{inbox.name} was visited without trouble")


def _failed_test(state: InboxState) -> TestResult | None:
    """The last connection test, when it failed and no visit has got through since."""
    test = state.test
    if test is None or test.ok or (state.polled_at and state.polled_at > test.at):
        return None
    return test


def _outbox(app: App) -> Iterator[Finding]:
    counted = {state: app.documents.count("outbox", {"state": state}) for state in ("unsent", "failed", "blocked")}
    told = ", ".join(f"{count} {state}" for state, count in counted.items() if count)
    if told:
        yield Finding("outbox", "note", f"outgoing mail that has not left: {told} (postroom outbox list)")


def _conservation(app: App) -> Iterator[Finding]:
    from shared.conservation import check

    report = check(app)
    for problem in report.problems:
        yield Finding("conservation", "problem", problem)
    for note in report.notes:
        yield Finding("dead letters", "note", note)
    if not report.problems:
        counted = {
            "arrivals": report.arrivals,
            "with an outcome": report.outcomes,
            "duplicates": report.duplicates,
            "unreadable": report.unreadable,
            "in flight": report.in_flight,
        }
        told = ", ".join(f"{count} {what}" for what, count in counted.items())
        yield Finding("conservation", "ok", f"every mail is accounted for: {told}")


CHECKS: Final[tuple[tuple[str, Callable[[App], Iterator[Finding]]], ...]] = (
    ("store", _store),
    ("broker", _broker),
    ("configuration", _configuration),
    ("secrets", _secrets),
    ("inboxes", _inboxes),
    ("outbox", _outbox),
    ("conservation", _conservation),
)
