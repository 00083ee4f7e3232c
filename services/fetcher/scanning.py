"""Sorts the keys of a folder by what the ledger says of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field
from itertools import islice

from services.fetcher.mailbox import FolderScan, Key, KeyStates, Waiting
from shared.lazy_dataclass import dataclass

CHUNK_MAILS = 100
RETRIES_PER_POLL = 5
"""How many mails that failed before are tried again in one poll."""


@dataclass(slots=True)
class KeysByState:
    """New keys, those that failed before and are due again, and those still to be put away."""

    fresh: list[Key] = field(default_factory=list)
    again: list[Key] = field(default_factory=list)
    to_archive: list[Key] = field(default_factory=list)

    def waiting(self, limit: int) -> list[Key]:
        """What a visit takes: up to `limit` new ones, then a few of those that failed before."""
        return [*self.fresh[:limit], *self.again[:RETRIES_PER_POLL]]


def scan(keys: Iterable[Key], states_of: KeyStates, limit: int, sizes: Mapping[Key, int] | None = None) -> FolderScan:
    """Read `keys` (oldest first) until `limit` new ones are found: those, then what failed before and is due again.

    `sizes` (bytes) is read after `keys`, so that what reads the keys may fill it.
    """
    found = by_state(keys, states_of, limit)
    known = sizes or {}
    return FolderScan([Waiting(key, known.get(key)) for key in found.waiting(limit)], tuple(found.to_archive))


def by_state(keys: Iterable[Key], states_of: KeyStates, limit: int) -> KeysByState:
    """Sort `keys` (oldest first) until `limit` new ones are found."""
    found = KeysByState()
    for part in chunks(keys):
        states = states_of(part)
        found.fresh += [key for key in part if key not in states]
        found.again += [key for key in part if states.get(key) == "again"]
        found.to_archive += [key for key in part if states.get(key) == "to_archive"]
        if len(found.fresh) >= limit:
            break
    return found


def chunks(keys: Iterable[Key]) -> Iterator[list[Key]]:
    """The keys in parts of `CHUNK_MAILS`."""
    each = iter(keys)
    while part := list(islice(each, CHUNK_MAILS)):
        yield part
