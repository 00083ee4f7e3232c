"""The stored state of each inbox: refused logins, stops, the last error, the last connection test.

Refused logins in a row stop an inbox (TI-10); outages never do. The count lives in the store, so that a restart
or a second fetcher goes on counting. Separate from the ledger, which is about mails.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import field
from datetime import datetime, timedelta
from typing import Final

from shared.clock import Clock
from shared.config.model import Inbox
from shared.contracts.mapping import from_plain, named, to_plain
from shared.lazy_dataclass import dataclass
from shared.mail_network.connection_test import STORED, TestResult
from shared.store.documents import Change, Documents

INBOX_STATES: Final = "inbox_state"
AUTHENTICATION, OPERATOR = "authentication", "operator"


@dataclass(frozen=True, slots=True)
class Stop:
    """Why an inbox is stopped. `by`: authentication or operator; `ticket_due`: no ticket was made yet."""

    by: str
    reason: str
    at: datetime
    access: str = ""
    ticket_due: bool = False


@dataclass(frozen=True, slots=True)
class InboxState:
    """The state of one inbox; times are None when it never happened.

    `next_visit_at`: when the fetcher means to visit it; `throttled_until`: when its server, as it said, lets it in
    again; `visits_asked`: how often operators have asked for a visit at once; `visits_answered`: how many of these a
    visit has answered which began after they asked. No clocks of two machines are compared.
    `ticket`: the id of the stop whose ticket waits for the note that the inbox is read again.
    """

    name: str = field(metadata=named("_id"))
    auth_failures: int = 0
    stop: Stop | None = None
    error: str | None = None
    error_at: datetime | None = None
    polled_at: datetime | None = None
    test: TestResult | None = None
    ticket: str | None = None
    next_visit_at: datetime | None = None
    throttled_until: datetime | None = None
    visits_asked: int = 0
    visits_answered: int = 0


_encode, _decode = to_plain(TestResult, STORED), from_plain(InboxState, STORED)


def access_mark(inbox: Inbox) -> str:
    """A fingerprint of the login settings. It changes when they do; it contains references, not secrets."""
    access = (inbox.protocol, inbox.host, inbox.port, inbox.tls, inbox.auth, inbox.username, inbox.password)
    return hashlib.sha256(repr((access, inbox.oauth, inbox.google, inbox.ews_url)).encode()).hexdigest()


class InboxStates:
    """The states of all inboxes."""

    def __init__(self, documents: Documents, clock: Clock) -> None:
        self._documents, self._clock = documents, clock

    def get(self, name: str) -> InboxState:
        """The state of one inbox, blank when it was never visited."""
        found = self._documents.get(INBOX_STATES, name)
        return _decode(found) if found else InboxState(name)

    def all(self) -> Mapping[str, InboxState]:
        """Every state by name of inbox."""
        return {each["_id"]: _decode(each) for each in self._documents.find(INBOX_STATES, {})}

    def succeeded(self, name: str, error: str | None = None) -> InboxState:
        """Record a poll that logged in, and reset the count of refused logins. `error`: what failed later."""
        now = self._clock.now()
        at = now if error else None
        change = {"auth_failures": 0, "polled_at": now, "error": error, "error_at": at}
        return _decode(self._documents.upsert(INBOX_STATES, name, {"$set": change}))

    def planned(self, name: str, pause: timedelta, *, throttled: bool) -> None:
        """Record when it is visited next, and whether that is because its server asked to wait."""
        at = self._clock.now() + pause
        change = {"next_visit_at": at, "throttled_until": at if throttled else None}
        self._documents.upsert(INBOX_STATES, name, {"$set": change})

    def ask_for_visit(self, name: str) -> None:
        """Ask the fetcher to visit an inbox at once, whichever process it is."""
        self._documents.upsert(INBOX_STATES, name, {"$inc": {"visits_asked": 1}})

    def answer_visits(self, name: str, asked: int) -> None:
        """Record that a visit begins, which answers the first `asked` requests."""
        self._documents.update(INBOX_STATES, {"_id": name}, {"$set": {"visits_answered": asked}})

    def failed(self, name: str, reason: str) -> None:
        """Record a poll that failed for another reason than the login."""
        self._documents.upsert(INBOX_STATES, name, {"$set": {"error": reason, "error_at": self._clock.now()}})

    def refused(self, inbox: Inbox, reason: str, *, after: int, ticket: bool) -> bool:
        """Record a refused login; return whether it has stopped the inbox."""
        now = self._clock.now()
        change: Change = {"$set": {"error": reason, "error_at": now}, "$inc": {"auth_failures": 1}}
        state = self._documents.upsert(INBOX_STATES, inbox.name, change)
        if state["auth_failures"] < after:
            return False
        stop = {"by": AUTHENTICATION, "reason": reason, "at": now, "access": access_mark(inbox), "ticket_due": ticket}
        return self._documents.update(INBOX_STATES, {"_id": inbox.name, "stop": None}, {"$set": {"stop": stop}})

    def ticket_made(self, name: str, stop_id: str) -> None:
        """Record that a ticket about the stop was created."""
        where = {"_id": name, "stop.ticket_due": True}
        self._documents.update(INBOX_STATES, where, {"$set": {"stop.ticket_due": False, "ticket": stop_id}})

    def recovery_noted(self, name: str, stop_id: str) -> None:
        """Record that the ticket says that the inbox is read again."""
        self._documents.update(INBOX_STATES, {"_id": name, "ticket": stop_id}, {"$set": {"ticket": None}})

    def stop(self, name: str, reason: str) -> None:
        """Stop an inbox on behalf of an operator (TI-11)."""
        stop = {"by": OPERATOR, "reason": reason, "at": self._clock.now(), "access": "", "ticket_due": False}
        self._documents.upsert(INBOX_STATES, name, {"$set": {"stop": stop}})

    def start(self, name: str) -> None:
        """Start an inbox again, on behalf of an operator or after its login was corrected."""
        self._documents.upsert(INBOX_STATES, name, {"$set": {"stop": None, "auth_failures": 0}})

    def tested(self, name: str, result: TestResult | None) -> None:
        """Keep the latest connection test (IV-08); None clears it."""
        self._documents.upsert(INBOX_STATES, name, {"$set": {"test": _encode(result) if result else None}})
