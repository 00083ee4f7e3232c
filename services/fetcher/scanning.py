"""Sorts the keys of a folder by what the ledger says of them. Used by the protocols that list a folder in pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import islice

from services.fetcher.mailbox import FolderScan, Key, KeyStates, Waiting

CHUNK_MAILS = 100
RETRIES_PER_POLL = 5
"""How many mails that failed before are tried again in one poll."""


@dataclass(slots=True)
class _Sorted:
    fresh: list[Key] = field(default_factory=list)
    again: list[Key] = field(default_factory=list)
    to_archive: list[Key] = field(default_factory=list)


def scan(keys: Iterable[Key], states_of: KeyStates, limit: int, sizes: Mapping[Key, int] | None = None) -> FolderScan:
    """Read `keys` (oldest first) until `limit` new ones are found: those, then what failed before and is due again.

    `sizes` (bytes) is read after `keys`, so that what reads the keys may fill it.
    """
    found = _Sorted()
    for part in _chunks(keys):
        states = states_of(part)
        found.fresh += [key for key in part if key not in states]
        found.again += [key for key in part if states.get(key) == "again"]
        found.to_archive += [key for key in part if states.get(key) == "to_archive"]
        if len(found.fresh) >= limit:
            break
    known = sizes or {}
    waiting = [Waiting(key, known.get(key)) for key in (*found.fresh[:limit], *found.again[:RETRIES_PER_POLL])]
    return FolderScan(waiting, tuple(found.to_archive))


def _chunks(keys: Iterable[Key]) -> Iterable[list[Key]]:
    each = iter(keys)
    while part := list(islice(each, CHUNK_MAILS)):
        yield part
