"""A fetcher with one inbox at a stub on the web, and what it handed over."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from services.fetcher.mailbox import InboxAccess, Mailbox
from services.fetcher.source import FetcherSource, Wiring
from services.fetcher.visit import FetchedMail, Polled
from shared.config.model import Inbox, Settings
from shared.embedded.documents import EmbeddedDocuments
from shared.mail_network.connection_test import TestResult
from tests.servers.web import StubTokens


@dataclass
class Fetching:
    """A fetcher with one inbox at the stub, and what it handed over."""

    stub: Any
    documents: EmbeddedDocuments
    inbox: Inbox
    mailbox: Callable[[InboxAccess], Mailbox]
    arrivals: list[FetchedMail] = field(default_factory=list)
    now: float = 0.0
    patience: timedelta = timedelta(seconds=20)
    max_download: int | None = None

    def __post_init__(self) -> None:
        """Wire it up."""
        self.tokens = StubTokens(self.stub)
        wiring = Wiring(
            self.arrivals.extend,
            inboxes=lambda: [self.inbox],
            settings=Settings,
            mailbox_class=lambda _: self._mailbox,
            tokens=lambda _: self.tokens,
        )
        self.source = FetcherSource(self.documents, wiring, monotonic=lambda: self.now)

    def _mailbox(self, access: InboxAccess) -> Mailbox:
        limits = replace(access.limits, operation=self.patience, download=self.patience)
        if self.max_download:
            limits = replace(limits, max_download=self.max_download)
        return self.mailbox(replace(access, limits=limits))

    def poll(self) -> Polled:
        """One visit."""
        return self.source.poll(self.inbox)

    def check(self) -> TestResult:
        """A connection test."""
        return self.source.check(self.inbox)

    @property
    def raw(self) -> list[bytes]:
        """What was handed over, in order."""
        return [each.raw for each in self.arrivals]

    @property
    def seconds_until_next(self) -> float:
        """The wait until the next visit."""
        return self.source._plans[self.inbox.name].at - self.now
