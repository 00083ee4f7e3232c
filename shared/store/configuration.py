"""The configuration in the store, a collection for each section: read, apply, switch.

`apply` writes what a file states and leaves the rest; every change increases the `revision` of the
settings document, by which workers notice it (`shared.config.directory`), and is kept with its reason (VS-12).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, Final

from shared.clock import Clock, SystemClock
from shared.config.field_checks import named_people
from shared.config.merge import merged, names, problems_of, pruned_sections
from shared.config.model import DEFAULT, Configuration, Person
from shared.config.problems import InvalidConfiguration
from shared.config.rule_checks import named_in_rules
from shared.config.schema import SECTIONS
from shared.contracts.errors import Misconfigured
from shared.ids import derived_id
from shared.store.configuration_changes import (
    MAX_THINGS,
    ChangedKey,
    ConfigurationChange,
    ConfigurationChanges,
    changed_keys,
)
from shared.store.configuration_documents import to_documents
from shared.store.configuration_versions import ConfigurationVersions, from_sections
from shared.store.documents import Document, Documents
from shared.store.people import CONFIGURED, People
from shared.store.settings import SETTINGS, has_configuration

REVISION: Final = "revision"
_CHUNK: Final = 500
_OWN: Final = frozenset({"_id", "position", "created_at", CONFIGURED})
"""Members of documents that are not configuration."""


@dataclass(frozen=True, slots=True)
class Applied:
    """The result of an apply, each thing as `section/name`."""

    created: tuple[str, ...] = ()
    updated: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()

    @property
    def changed(self) -> bool:
        """Whether the store is different now."""
        return bool(self.created or self.updated or self.deleted)


@dataclass(frozen=True, slots=True)
class Made:
    """When a change was made, by whom and why."""

    at: datetime
    by: str = "operator"
    reason: str = ""


def read(documents: Documents, *, people: bool = False) -> Configuration:
    """The configuration in a store. People are left out unless asked for: there may be very many."""
    stored = _sections(documents)
    if people:
        stored["people"] = list(documents.find("people", {CONFIGURED: True}, sort=(("created_at", 1),)))
    return from_sections(stored)


def _sections(documents: Documents) -> dict[str, list[Document]]:
    """The documents of every section but people."""
    return {section: list(documents.find(section, {})) for section in (SETTINGS, *SECTIONS) if section != "people"}


def seed_defaults(documents: Documents) -> None:
    """Store the default inbox and the first analyst in an empty store (IV-10)."""
    if not has_configuration(documents):
        apply(documents, DEFAULT)


def revision(documents: Documents) -> int:
    """How often the configuration has changed; 0 for a store that has none."""
    settings = documents.get(SETTINGS, SETTINGS) or {}
    counted = settings.get(REVISION, 0)
    return counted if isinstance(counted, int) else 0


def apply(
    documents: Documents,
    config: Configuration,
    prune: bool = False,
    *,
    clock: Clock | None = None,
    by: str = "operator",
    reason: str = "",
) -> Applied:
    """Write what a configuration states. Repeating it changes nothing.

    Raises `InvalidConfiguration` when something would not fit together afterwards (a mail server that an inbox uses is
    not pruned, VS-13), and `Misconfigured` when a reason is required and none is given (VS-12).
    """
    stored = _with_named_people(read(documents), config, People(documents))
    if problems := problems_of(stored, config, prune=prune):
        raise InvalidConfiguration(problems)
    now = (clock or SystemClock()).now()
    plan = _plan(documents, config, now)
    deleted = list(_superfluous(documents, config)) if prune else []
    applied = Applied(
        tuple(f"{each.section}/{each.name}" for each in plan if each.before is None),
        tuple(f"{each.section}/{each.name}" for each in plan if each.before is not None and each.changes),
        tuple(f"{section}/{name}" for section, name in deleted),
        tuple(f"{each.section}/{each.name}" for each in plan if each.before is not None and not each.changes),
    )
    if applied.changed or revision(documents) == 0:
        _require_reason(stored, applied, reason)
        _write(documents, plan, deleted)
        keys = (key for each in plan if each.before is not None for key in each.keys)
        _note(documents, Made(now, by, reason), applied, keys)
    return applied


def after_apply(documents: Documents, config: Configuration, *, prune: bool = False) -> Configuration:
    """The configuration as it would be after `apply`, which writes nothing here. Raises `InvalidConfiguration`."""
    stored = read(documents)
    if problems := problems_of(_with_named_people(stored, config, People(documents)), config, prune=prune):
        raise InvalidConfiguration(problems)
    return merged(stored, config, prune=prune)


def _with_named_people(stored: Configuration, config: Configuration, people: People) -> Configuration:
    """The stored configuration with those people whom it, or the new one, names as owner or analyst."""
    named = {each for part in (stored, config) for each in (*named_people(part), *named_in_rules(part))}
    found = {each.id: each for name in named if (each := people.named(name))}
    known = tuple(Person(each.id, each.name, each.addresses) for each in found.values())
    return replace(stored, people=known, sections=stored.sections | {"people"})


@dataclass(frozen=True, slots=True)
class _Step:
    """One thing to write: the document as it is, and what becomes different in it."""

    section: str
    name: str
    before: Document | None
    changes: Document

    @property
    def keys(self) -> Iterator[ChangedKey]:
        """The keys that become different, without the place in the file."""
        after = {key: value for key, value in self.changes.items() if key not in _OWN}
        return changed_keys(f"{self.section}/{self.name}", self.before or {}, after)


def _plan(documents: Documents, config: Configuration, now: datetime) -> list[_Step]:
    stated = to_documents(config)
    steps = list(_steps(documents, SETTINGS, stated[SETTINGS])) if SETTINGS in config.sections else []
    for section in SECTIONS:
        things = _dated(stated[section], now) if section == "people" else stated[section]
        steps += _steps(documents, section, things)
    return steps


def _dated(people: list[Document], now: datetime) -> list[Document]:
    """People with creation times in the order of the file: of several with one address, the first is found (VS-03)."""
    first = now - timedelta(milliseconds=len(people))
    return [
        {**each, CONFIGURED: True, "created_at": first + timedelta(milliseconds=index)}
        for index, each in enumerate(people)
    ]


def _steps(documents: Documents, section: str, stated: list[Document]) -> Iterator[_Step]:
    for chunk in _chunks(stated):
        known = {
            each["_id"]: each for each in documents.find(section, {"_id": {"$in": [each["_id"] for each in chunk]}})
        }
        for each in chunk:
            before = known.get(each["_id"])
            yield _Step(section, each["_id"], before, dict(_changes(before, each)))


def _changes(before: Document | None, after: Document) -> Iterator[tuple[str, Any]]:
    for key, value in after.items():
        kept = key in {"_id", "created_at"} and before is not None
        if not kept and (before is None or before.get(key) != value or key not in before):
            yield key, value


def _chunks(stated: Sequence[Document]) -> Iterator[list[Document]]:
    rest = iter(stated)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk


def _superfluous(documents: Documents, config: Configuration) -> Iterator[tuple[str, str]]:
    for section in pruned_sections(config):
        stated = set(names(section, getattr(config, section)))
        where = {CONFIGURED: True} if section == "people" else {}
        yield from ((section, each["_id"]) for each in documents.find(section, where) if each["_id"] not in stated)


def _require_reason(stored: Configuration, applied: Applied, reason: str) -> None:
    if stored.settings.require_change_reason and applied.changed and not reason.strip():
        raise Misconfigured("settings.require_change_reason is on; say why, with --reason TEXT")


def _write(documents: Documents, plan: Iterable[_Step], deleted: Iterable[tuple[str, str]]) -> None:
    with documents.batch():
        for step in plan:
            if step.before is None and documents.insert(step.section, step.changes):
                continue
            changes = {key: value for key, value in step.changes.items() if key != "_id"}
            if changes:
                documents.upsert(step.section, step.name, {"$set": changes})
        for section, name in deleted:
            documents.delete(section, {"_id": name})


def _note(documents: Documents, made: Made, applied: Applied, keys: Iterable[ChangedKey] = ()) -> None:
    """Increase the revision, after everything else is written; keep what was changed and why, and the whole of it."""
    with documents.batch():
        counted = int(documents.upsert(SETTINGS, SETTINGS, {"$inc": {REVISION: 1}})[REVISION])
        ConfigurationChanges(documents).add(
            ConfigurationChange(
                derived_id("configuration", str(counted), made.at.isoformat()),
                counted,
                made.at,
                made.by,
                made.reason.strip(),
                applied.created[:MAX_THINGS],
                applied.updated[:MAX_THINGS],
                applied.deleted[:MAX_THINGS],
                tuple(islice(keys, MAX_THINGS)),
            )
        )
    ConfigurationVersions(documents).keep(counted, _sections(documents))


def switch(documents: Documents, section: str, name: str, key: str, value: Any, made: Made | None = None) -> bool:
    """Change one key of one stored thing, such as `inboxes`, `support`, `enabled`; False when it is not there."""
    before = documents.get(section, name)
    if before is None or not documents.update(section, {"_id": name}, {"$set": {key: value}}):
        return False
    thing = f"{section}/{name}"
    if section == SETTINGS:
        before = {key: getattr(DEFAULT.settings, key), **before}
    keys = changed_keys(thing, before, {key: value})
    _note(documents, made or Made(SystemClock().now()), Applied(updated=(thing,)), keys)
    return True
