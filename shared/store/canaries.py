"""The `canaries` collection: of each inbox with a canary, which probe was sent last and which came back last."""

from __future__ import annotations

from dataclasses import field
from datetime import UTC, datetime, timedelta
from typing import Final

from shared.contracts.mapping import STORE, from_plain, named, to_plain
from shared.lazy_dataclass import dataclass
from shared.store.documents import Documents

COLLECTION: Final = "canaries"
PROBE: Final = "canary"
"""The kind of the mail that a canary sends to its inbox, and the rule by which it ends there."""
PROBE_REASON: Final = "a probe of the canary of this inbox"
"""Begins the reason of a probe that has ended; a rule of the configuration may be called `canary` too."""
NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CameBack:
    """A probe that came back: its id in the outbox, when it was queued, as which mail it came, and when that ended."""

    inbox: str
    probe: str
    queued_at: datetime
    mail_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class CanaryState:
    """How far the canary of one inbox has come.

    Life: begun before its first probe is queued; `probe` (an id in the outbox) and `queued_at` are written when one is.
    The record writer counts a probe that came back (`back`, as the mail `back_by`), once, and none that was queued
    before the one that it counted last: `back_queued_at` only ever grows. `back_at` is the latest success.
    """

    inbox: str = field(metadata=named("_id"))
    since: datetime
    probe: str = ""
    queued_at: datetime | None = None
    back: str = ""
    back_by: str = ""
    back_queued_at: datetime = NEVER
    back_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether a probe was sent that has not come back."""
        return self.probe not in {"", self.back}

    @property
    def took(self) -> timedelta | None:
        """How long the latest probe that came back was under way."""
        return self.back_at - self.back_queued_at if self.back_at else None

    def is_overdue(self, patience: timedelta, now: datetime) -> bool:
        """Whether no probe has come back for longer than `patience`."""
        return now - (self.back_at or self.since) > patience


_encode, _decode = to_plain(CanaryState, STORE), from_plain(CanaryState, STORE)


class Canaries:
    """Reads and writes the states."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def get(self, inbox: str) -> CanaryState | None:
        """The state of one inbox's canary; None when it has not begun."""
        found = self._documents.get(COLLECTION, inbox)
        return _decode(found) if found else None

    def begin(self, inbox: str, at: datetime) -> CanaryState:
        """The state, which begins now unless it has begun before."""
        begun = CanaryState(inbox, at)
        self._documents.insert(COLLECTION, _encode(begun))
        return self.get(inbox) or begun

    def queued(self, state: CanaryState, probe: str, at: datetime) -> None:
        """Note the next probe after this state; another process that has noted it already is left alone."""
        where = {"_id": state.inbox, "probe": state.probe}
        self._documents.update(COLLECTION, where, {"$set": {"probe": probe, "queued_at": at}})

    def came_back(self, probe: CameBack) -> None:
        """Count a probe that came back, once; repeating it, or an older one, changes nothing."""
        where = {"_id": probe.inbox, "back_queued_at": {"$lt": probe.queued_at}}
        counted = {
            "back": probe.probe,
            "back_by": probe.mail_id,
            "back_queued_at": probe.queued_at,
            "back_at": probe.at,
        }
        self._documents.update(COLLECTION, where, {"$set": counted})
