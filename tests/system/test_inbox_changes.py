"""What one process changes, a fetcher that runs in another one follows at its next poll, without a restart."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from services.fetcher.source import FetcherSource
from services.operator.inbox import inboxes
from services.queues import QUEUES
from services.runner import build_fetcher
from shared.app import App, Location
from shared.config.model import AuthFailureTicket, Configuration, Settings
from shared.store import configuration as configuration_store
from tests.servers.fake_imap import FakeImap, Mail
from tests.servers.presence import PATIENCE_SECONDS
from tests.services.fetcher.conftest import a_mail, an_inbox

SETTINGS = Settings(poll_interval=timedelta(seconds=1), auth_failure_ticket=AuthFailureTicket(after=2))
NAMES = ("one", "two")


class Round:
    """Two servers, a fetcher that reads them every second, and another process that works on the same store."""

    def __init__(self, stack: ExitStack, data: Path) -> None:
        self.servers = {name: stack.enter_context(FakeImap()) for name in NAMES}
        self.ours, self.other = (App.open(Location(data), QUEUES) for _ in range(2))
        stack.callback(self.ours.close)
        stack.callback(self.other.close)
        self.inboxes = {
            name: an_inbox(server.port, name=name, username=name, idle=False) for name, server in self.servers.items()
        }
        self.configure(SETTINGS)
        self.source = build_fetcher(self.ours)
        self._delivered = 0

    def configure(self, settings: Settings, **inboxes: object) -> None:
        """Store the configuration as another process does."""
        everyone = tuple(inboxes.get(name, inbox) for name, inbox in self.inboxes.items())
        configuration_store.apply(self.other.documents, Configuration(settings=settings, inboxes=everyone), prune=True)  # type: ignore[arg-type]
        self.other.directory.renew()

    def deliver(self, name: str) -> int:
        """A mail more; returns its number."""
        self._delivered += 1
        self.servers[name].mails[self._delivered] = Mail(a_mail(self._delivered))
        return self._delivered

    def took(self, name: str, number: int) -> bool:
        """Whether that mail was archived."""
        return a_mail(number) in self.servers[name].archived

    def visits(self, name: str, folder: bytes = b"INBOX") -> int:
        """How often a folder was opened."""
        return sum(1 for each in list(self.servers[name].commands) if each.startswith(b"SELECT") and folder in each)


def until(holds: Callable[[], object]) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        threading.Event().wait(0.01)


@contextmanager
def running(source: FetcherSource) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=source.run, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(PATIENCE_SECONDS)


@pytest.fixture
def both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Round]:
    monkeypatch.setenv("BOB_PASSWORD", "secret")
    with ExitStack() as stack:
        made = Round(stack, tmp_path / "data")
        with running(made.source):
            for name in NAMES:
                until(lambda name=name: made.visits(name))  # type: ignore[misc]
            yield made


@pytest.mark.req("TI-11")
def test_one_inbox_is_stopped_and_started_while_the_fetcher_runs(both: Round) -> None:
    inboxes.stop_inbox(both.other, "one", "the server moves")
    until(lambda: "one" not in both.source._running)
    waiting, taken = both.deliver("one"), both.deliver("two")
    until(lambda: both.took("two", taken))
    before = both.visits("two")
    until(lambda: both.visits("two") > before + 1)  # two more polls
    assert not both.took("one", waiting)
    inboxes.start_inbox(both.other, "one")
    until(lambda: both.took("one", waiting))


@pytest.mark.req("TI-11")
def test_all_inboxes_are_stopped_and_started_while_the_fetcher_runs(
    both: Round, monkeypatch: pytest.MonkeyPatch
) -> None:
    rounds: list[int] = []
    due = both.source.due
    monkeypatch.setattr(both.source, "due", lambda: rounds.append(1) or due())
    inboxes.switch_processing(both.other, on=False)
    until(lambda: not both.source._running)
    waiting = {name: both.deliver(name) for name in NAMES}
    before = len(rounds)
    until(lambda: len(rounds) > before + 2)  # the fetcher has looked again
    assert not any(both.took(name, number) for name, number in waiting.items())
    inboxes.switch_processing(both.other, on=True)
    for name, number in waiting.items():
        until(lambda name=name, number=number: both.took(name, number))  # type: ignore[misc]


@pytest.mark.req("TI-11")
def test_changed_settings_are_used_at_the_next_poll(both: Round) -> None:
    both.configure(SETTINGS, two=replace(both.inboxes["two"], folder="Team"))
    until(lambda: both.visits("two", b"Team"))
    before = both.visits("two")
    until(lambda: both.visits("two", b"Team") > 2)
    assert both.visits("two") == before
    both.configure(SETTINGS, two=replace(both.inboxes["two"], enabled=False))
    until(lambda: "two" not in both.source._running)
    number = both.deliver("one")
    until(lambda: both.took("one", number))


@pytest.mark.req("TI-10")
def test_wrong_credentials_are_tried_a_few_times_and_never_in_a_tight_loop(both: Round) -> None:
    both.servers["one"].tagged["LOGIN"] = b"NO [AUTHENTICATIONFAILED] wrong password"
    until(lambda: "one" not in both.source._running)  # stopped, after two refusals
    logins = sum(1 for each in both.servers["one"].commands if each.startswith(b"LOGIN"))
    number = both.deliver("two")
    until(lambda: both.took("two", number))
    before = both.visits("two")
    until(lambda: both.visits("two") > before + 2)
    assert sum(1 for each in both.servers["one"].commands if each.startswith(b"LOGIN")) == logins
