"""A real Dovecot for the whole run, an empty account for each test, and a hand-over that counts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from services.fetcher.mailbox import InboxAccess, Mailbox, mailbox_class
from services.fetcher.source import FetcherSource, Wiring
from services.fetcher.visit import FetchedMail, Polled
from shared.clock import FixedClock, SystemClock
from shared.config.model import Inbox, Settings
from shared.config.values import Secret
from shared.embedded.documents import EmbeddedDocuments
from shared.runtime.hooks import Hooks
from tests.listener import Listener
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.fake_imap import FakeImap


@pytest.fixture(scope="session")
def dovecot_server() -> Iterator[Dovecot]:
    with Dovecot() as running:
        yield running


@pytest.fixture
def dovecot(dovecot_server: Dovecot, monkeypatch: pytest.MonkeyPatch) -> Dovecot:
    dovecot_server.clear("bob")
    monkeypatch.setenv("SSL_CERT_FILE", str(dovecot_server.certificate.certificate))
    monkeypatch.setenv("BOB_PASSWORD", PASSWORD)
    return dovecot_server


@pytest.fixture
def documents(tmp_path: Path) -> Iterator[EmbeddedDocuments]:
    store = EmbeddedDocuments(tmp_path / "data")
    yield store
    store.close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeImap]:
    """A scripted server with the mails of `GOOD`."""
    monkeypatch.setenv("BOB_PASSWORD", "secret")
    with FakeImap(*GOOD) as running:
        yield running


def an_inbox(port: int, **options: object) -> Inbox:
    """An IMAP inbox of bob's without TLS, but for what a test says."""
    given = {
        "name": "support",
        "address": "support@example.com",
        "protocol": "imap",
        "host": "localhost",
        "port": port,
        "tls": "none",
        "auth": "regular",
        "username": "bob",
        "password": Secret("${BOB_PASSWORD}"),
    }
    return Inbox(**(given | options))  # type: ignore[arg-type]


@dataclass
class Desk:
    """A fetcher with one inbox, and what it handed over. A test changes `inbox` and `settings` as it likes."""

    documents: EmbeddedDocuments
    inbox: Inbox
    settings: Settings = field(default_factory=Settings)
    arrivals: list[FetchedMail] = field(default_factory=list)
    stops: list[tuple[str, str, str]] = field(default_factory=list)
    clock: SystemClock | FixedClock = field(default_factory=SystemClock)
    now: float = 0.0
    trouble: list[Exception] = field(default_factory=list)
    patience: timedelta = timedelta(seconds=60)
    listener: Listener = field(default_factory=Listener)

    def __post_init__(self) -> None:
        """Wire it up."""
        self.source = self.another()

    def another(self) -> FetcherSource:
        """A second fetcher on the same store."""
        wiring = Wiring(
            self._hand_over,
            inboxes=lambda: [self.inbox],
            settings=lambda: self.settings,
            mailbox_class=lambda _: self._mailbox,
            hooks=Hooks(self.listener),
            stopped=lambda inbox, reason, id_: self.stops.append((inbox.name, reason, id_)),
        )
        return FetcherSource(self.documents, wiring, clock=self.clock, monotonic=lambda: self.now)

    def _mailbox(self, access: InboxAccess) -> Mailbox:
        limits = replace(access.limits, operation=self.patience, download=self.patience)
        return mailbox_class(access.inbox.protocol)(replace(access, limits=limits))

    def _hand_over(self, arrivals: Sequence[FetchedMail]) -> None:
        if self.trouble:
            raise self.trouble.pop(0)
        self.arrivals += arrivals

    @property
    def raw(self) -> list[bytes]:
        """What was handed over, in order."""
        return [each.raw for each in self.arrivals]

    @property
    def distinct(self) -> set[str]:
        """The hashes by which the parser tells duplicates."""
        return {hashlib.sha256(each).hexdigest() for each in self.raw}


def a_mail(number: int, headers: str = "") -> bytes:
    """A small mail like no other."""
    return f"From: jane@example.com\r\n{headers}Subject: mail {number}\r\n\r\nbody {number}\r\n".encode()


GOOD = [a_mail(1), a_mail(2), a_mail(3)]


def poll(desk: Desk) -> Polled:
    """One visit of the desk's inbox."""
    return desk.source.poll(desk.inbox)
