"""The `configuration_changes` collection: who changed what in the configuration, when and why (VS-12).

Secrets are references in every document, so no value that is kept here is one. Nothing removes a change.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import field
from datetime import datetime
from typing import Any, Final

from shared.contracts.mapping import STORE, from_plain, named, to_plain
from shared.lazy_dataclass import dataclass
from shared.store.documents import Documents
from shared.text import shortened

CHANGES: Final = "configuration_changes"
MAX_THINGS: Final = 500
"""Names, and changed keys, that are kept of one change."""
MAX_VALUE_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class ChangedKey:
    """One key of one thing, and its value before and after, as JSON; `key` has dots between its levels."""

    thing: str
    key: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ConfigurationChange:
    """One change. `created`, `updated` and `deleted` are things as `section/name`; `keys` are of those updated."""

    id: str = field(metadata=named("_id"))
    revision: int
    at: datetime
    by: str
    reason: str = ""
    created: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    keys: tuple[ChangedKey, ...] = ()

    def concerns(self, thing: str) -> bool:
        """Whether it changed a thing; a change that may have more names than are kept concerns everything."""
        named = (self.created, self.updated, self.deleted)
        return any(thing in each or len(each) >= MAX_THINGS for each in named)


_encode, _decode = to_plain(ConfigurationChange, STORE), from_plain(ConfigurationChange, STORE)


class ConfigurationChanges:
    """Keeps and lists changes."""

    def __init__(self, documents: Documents) -> None:
        self._documents = documents

    def add(self, change: ConfigurationChange) -> None:
        """Keep a change."""
        self._documents.insert(CHANGES, _encode(change))

    def recent(self, limit: int, skip: int = 0) -> Iterator[ConfigurationChange]:
        """Changes, the newest first."""
        found = self._documents.find(CHANGES, {}, sort=(("at", -1), ("revision", -1)), limit=limit, skip=skip)
        return map(_decode, found)

    def of_revision(self, revision: int) -> Iterator[ConfigurationChange]:
        """The change that made a revision."""
        return map(_decode, self._documents.find(CHANGES, {"revision": revision}, limit=1))

    def since(self, revision: int, limit: int) -> Iterator[ConfigurationChange]:
        """Changes that were made after a revision, the newest first."""
        where = {"revision": {"$gte": revision + 1}}
        return map(_decode, self._documents.find(CHANGES, where, sort=(("revision", -1),), limit=limit))


def changed_keys(thing: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[ChangedKey]:
    """The keys of `after` whose values differ from those in `before`, groups of keys looked into."""
    for key, value in after.items():
        yield from _changed(thing, key, before.get(key), value)


def _changed(thing: str, key: str, before: Any, after: Any) -> Iterator[ChangedKey]:
    if before == after:
        return
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        for inner in dict.fromkeys((*before, *after)):
            yield from _changed(thing, f"{key}.{inner}", before.get(inner), after.get(inner))
        return
    yield ChangedKey(thing, key, _text(before), _text(after))


def _text(value: Any) -> str:
    return shortened(json.dumps(value, ensure_ascii=False, default=str), MAX_VALUE_CHARACTERS)
