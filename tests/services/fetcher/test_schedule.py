"""When inboxes are visited: on time beside broken ones, fairly, less often on errors, as they are configured now."""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import pairwise
from typing import Self

import pytest

from services.fetcher import slots
from services.fetcher import source as fetcher_source
from services.fetcher.imap import ImapMailbox
from services.fetcher.mailbox import InboxAccess
from services.fetcher.source import FetcherSource, Wiring
from services.fetcher.visit import FetchedMail
from services.figures.health import STILL_SECONDS, Pulse
from shared.config.model import Inbox, Settings
from shared.embedded.documents import EmbeddedDocuments
from shared.runtime.hooks import Hooks
from tests.servers.presence import PATIENCE_SECONDS
from tests.services.fetcher.broken_servers import WAYS, broken_inboxes, good_inboxes
from tests.services.fetcher.conftest import an_inbox

INTERVAL_SECONDS = 4.0
VISITS = 3


@dataclass
class Watched:
    """A fetcher whose visits are timed, as they begin, by name of inbox."""

    documents: EmbeddedDocuments
    inboxes: Sequence[Inbox]
    settings: Settings = field(default_factory=Settings)
    began: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    enough: threading.Event = field(default_factory=threading.Event)
    wanted: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        wiring = Wiring(
            lambda _: None, lambda: self.inboxes, lambda: self.settings, mailbox_class=lambda _: self._mailbox
        )
        self.source = FetcherSource(self.documents, wiring)

    def _mailbox(self, access: InboxAccess) -> ImapMailbox:
        self.began[access.inbox.name].append(time.monotonic())
        if all(len(self.began[name]) >= VISITS for name in self.wanted):
            self.enough.set()
        return ImapMailbox(access)

    def longest_gap(self, name: str) -> float:
        """Seconds between two visits, at most."""
        times = self.began[name]
        return max(later - earlier for earlier, later in pairwise(times))


@pytest.mark.req("IV-01", "TI-09")
def test_broken_servers_delay_no_other_inbox(documents: EmbeddedDocuments, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOB_PASSWORD", "secret")
    interval = timedelta(seconds=INTERVAL_SECONDS)
    with broken_inboxes() as broken, good_inboxes(10) as good:
        watched = Watched(
            documents,
            [replace(each, poll_interval=interval, idle=False) for each in (*broken, *good)],
            wanted=frozenset(each.name for each in good),
        )
        stop = threading.Event()
        running = threading.Thread(target=watched.source.run, args=(stop,))
        running.start()
        try:
            assert watched.enough.wait(PATIENCE_SECONDS)
        finally:
            stop.set()
            running.join()
    gaps = {each.name: round(watched.longest_gap(each.name), 1) for each in good}
    assert min(gaps.values()) > 0.9 * INTERVAL_SECONDS, "other visits than those of the clock were counted"
    assert {name: gap for name, gap in gaps.items() if gap > 2 * INTERVAL_SECONDS} == {}
    assert len(watched.began[WAYS[0]]) <= Settings().auth_failure_ticket.after  # never a tight loop
    assert all(len(watched.began[way]) >= 1 for way in WAYS)


@pytest.mark.req("TI-09")
def test_inboxes_beyond_the_slots_are_visited_as_slots_are_free_again(
    documents: EmbeddedDocuments, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one group of slots a second: then 500 inboxes would be a minute late."""
    monkeypatch.setenv("BOB_PASSWORD", "secret")
    monkeypatch.setattr(fetcher_source, "WAKE_SECONDS", 3600.0)
    visited: set[str] = set()
    everyone = threading.Event()

    class Quick(Idle):
        """A mailbox whose visit takes no time."""

        def __init__(self, access: InboxAccess) -> None:
            super().__init__(access)
            visited.add(access.inbox.name)
            if len(visited) == 5 * slots.SLOTS:
                everyone.set()

    inboxes = [
        an_inbox(1, name=f"box {number}", username=f"u{number}", idle=False) for number in range(5 * slots.SLOTS)
    ]
    wiring = Wiring(
        lambda _: None,
        lambda: inboxes,
        Settings,
        mailbox_class=lambda _: Quick,  # type: ignore[arg-type,return-value]
    )
    stop = threading.Event()
    running = threading.Thread(target=FetcherSource(documents, wiring).run, args=(stop,))
    running.start()
    try:
        assert everyone.wait(PATIENCE_SECONDS)
    finally:
        stop.set()
        running.join()


@pytest.mark.parametrize(
    ("began", "free"),
    [
        ([], slots.SLOTS),
        ([100.0] * 3, slots.SLOTS - 3),
        ([100.0] * slots.SLOTS, 0),
        ([90.0] * slots.SLOTS, slots.SLOTS),
        ([90.0] * slots.SLOTS + [99.0], slots.SLOTS - 1),
        ([90.0] * (slots.MAX_VISITS - 2), 2),
        ([90.0] * slots.MAX_VISITS, 0),
    ],
    ids=["none", "three", "all", "all slow", "slow ones and one", "nearly as many as may be", "as many as may be"],
)
def test_a_slow_visit_gives_its_slot_back(began: list[float], free: int) -> None:
    assert slots.free_slots(began, 101.0) == free


def test_a_fetcher_all_of_whose_visits_are_slow_does_not_stand_still(documents: EmbeddedDocuments) -> None:
    """It begins no visit for minutes; whoever asks `/livez` must not end it, and the visits with it."""
    now = [0.0]
    pulse = Pulse(lambda: now[0])
    wiring = Wiring(lambda _: None, list, Settings, hooks=Hooks(pulse))
    source = FetcherSource(documents, wiring, monotonic=lambda: now[0])
    slow = {str(number): fetcher_source._Running(Future(), 0.0) for number in range(slots.MAX_VISITS)}
    assert source._to_visit({}) == []
    for _ in range(3):
        now[0] += STILL_SECONDS * 0.9
        assert source._to_visit(slow) == []
        assert pulse.problem() is None


class Idle:
    """A mailbox that is empty."""

    def __init__(self, _: InboxAccess) -> None:
        """Nothing is needed."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing was opened."""

    def waiting(self, *_: object) -> object:
        """No mail waits."""
        from services.fetcher.mailbox import FolderScan

        return FolderScan()


@dataclass
class Timed:
    """A fetcher on empty mailboxes and a clock that a test moves."""

    documents: EmbeddedDocuments
    inboxes: Sequence[Inbox]
    settings: Settings = field(default_factory=Settings)
    now: float = 1000.0
    arrivals: list[FetchedMail] = field(default_factory=list)

    def __post_init__(self) -> None:
        wiring = Wiring(
            self.arrivals.extend,
            lambda: self.inboxes,
            lambda: self.settings,
            mailbox_class=lambda _: Idle,  # type: ignore[arg-type,return-value]
        )
        self.source = FetcherSource(self.documents, wiring, monotonic=lambda: self.now)

    def due(self) -> list[str]:
        """Names of the inboxes that are due."""
        return [each.name for each in self.source.due()]


@pytest.fixture
def two(documents: EmbeddedDocuments, monkeypatch: pytest.MonkeyPatch) -> Timed:
    """Two inboxes, each visited once, at 1000 and 1010."""
    monkeypatch.setenv("BOB_PASSWORD", "secret")
    timed = Timed(documents, [an_inbox(1, name="a"), an_inbox(1, name="b")])
    timed.source.poll(timed.inboxes[1])
    timed.now += 10
    timed.source.poll(timed.inboxes[0])
    return timed


def test_who_has_waited_longest_is_visited_first(two: Timed) -> None:
    two.now += 100
    assert two.due() == ["b", "a"]
    two.inboxes = [*two.inboxes, an_inbox(1, name="new")]
    assert two.due() == ["new", "b", "a"]


@pytest.mark.req("TI-09")
def test_each_inbox_has_its_own_interval_or_the_desks(two: Timed) -> None:
    two.inboxes = [an_inbox(1, name="a"), an_inbox(1, name="b", poll_interval=timedelta(minutes=10))]
    for inbox in two.inboxes:
        two.source.poll(inbox)
    two.now += 61
    assert two.due() == ["a"]
    two.settings = replace(two.settings, poll_interval=timedelta(seconds=600))
    two.source.poll(two.inboxes[0])
    two.now += 540
    assert two.due() == ["b"]


@pytest.mark.req("TI-11")
def test_stops_starts_and_changed_settings_count_at_the_next_look(two: Timed) -> None:
    two.now += 100
    two.source.states.stop("a", "manually")
    assert two.due() == ["b"]
    two.settings = replace(two.settings, processing=False)
    assert two.due() == []
    two.settings = Settings()
    two.source.states.start("a")
    for inbox in two.inboxes:
        two.source.poll(inbox)
    assert two.due() == []
    two.inboxes = [replace(two.inboxes[0], folder="Other"), two.inboxes[1]]  # changed: visited at once
    assert two.due() == ["a"]


@pytest.mark.req("IV-01")
def test_a_disabled_inbox_and_one_without_a_mailbox_are_never_visited(two: Timed) -> None:
    two.inboxes = [an_inbox(1, name="a", enabled=False), an_inbox(1, name="b", protocol="none")]
    assert two.due() == []


def test_one_fetcher_at_a_time_reads_a_mailbox(documents: EmbeddedDocuments, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOB_PASSWORD", "secret")
    first, second = (Timed(documents, [an_inbox(1, name="a")]) for _ in range(2))
    seen: list[bool] = []

    class Meanwhile(Idle):
        """While one fetcher reads, the other one comes."""

        def waiting(self, *given: object) -> object:
            seen.append(second.source.poll(second.inboxes[0]).busy)
            return super().waiting(*given)

    first.source = FetcherSource(
        documents,
        Wiring(
            first.arrivals.extend,
            lambda: first.inboxes,
            Settings,
            mailbox_class=lambda _: Meanwhile,  # type: ignore[arg-type,return-value]
        ),
    )
    assert first.source.poll(first.inboxes[0]).busy is False
    assert seen == [True]
    assert second.source.poll(second.inboxes[0]).busy is False
