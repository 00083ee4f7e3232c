"""The configuration in the store, a collection for each section: read, apply, switch.

`apply` writes what a file states and leaves the rest; every change increases the `revision` of the
settings document, by which workers notice it (`shared.config.directory`), and is kept with its reason (VS-12). One
process writes at a time, and each document on condition that it is still the one that was read (decision 0184).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
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
from shared.contracts.errors import Misconfigured, Unavailable
from shared.ids import derived_id
from shared.lazy_dataclass import dataclass
from shared.store.configuration_changes import (
    MAX_THINGS,
    ChangedKey,
    ConfigurationChange,
    ConfigurationChanges,
    changed_keys,
)
from shared.store.configuration_documents import Stored, to_documents
from shared.store.configuration_lock import Overtaken, sole_writer
from shared.store.configuration_versions import ConfigurationVersions, from_sections
from shared.store.documents import Document, Documents
from shared.store.people import CONFIGURED, People
from shared.store.settings import SETTINGS, has_configuration

REVISION: Final = "revision"
_CHUNK: Final = 500
WRITTEN_IN: Final = "written_in"
"""The revision that a document was written in last; people have none, because mail writes them too."""
_OWN: Final = frozenset({"_id", "position", "created_at", CONFIGURED, WRITTEN_IN})
"""Members of documents that are not configuration."""
UNKNOWN: Final = "unknown"
INTERRUPTED: Final = "author and reason unknown: the process that wrote this ended before it stored them"
_ATTEMPTS: Final = 5
"""How often a writer that was overtaken reads and plans again."""


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

    @property
    def in_words(self) -> str:
        """How many things were changed."""
        return f"{len(self.created) + len(self.updated) + len(self.deleted)} things changed"


@dataclass(frozen=True, slots=True)
class Made:
    """When a change was made, by whom and why."""

    at: datetime
    by: str = "operator"
    reason: str = ""


@dataclass(frozen=True, slots=True)
class _Written:
    """What a writer has done, for its note. `before`: the revision that it is noted behind; None: it is not noted."""

    applied: Applied
    before: int | None = None
    keys: tuple[ChangedKey, ...] = ()


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
        nothing = Configuration(sections=frozenset())
        change(documents, lambda _: nothing if has_configuration(documents) else DEFAULT)


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
    """Write what a configuration states. Repeating it changes nothing. Raises what `change` raises."""
    return change(documents, lambda _: config, prune=prune, clock=clock, by=by, reason=reason)


def change(
    documents: Documents,
    edit: Callable[[Configuration], Configuration],
    *,
    prune: bool = False,
    clock: Clock | None = None,
    by: str = "operator",
    reason: str = "",
) -> Applied:
    """Write what `edit` states when it sees the stored configuration; nobody else writes in between.

    `edit` may run more than once, and its exceptions leave the store as it is. Raises `InvalidConfiguration` when
    something would not fit together afterwards (a mail server that an inbox uses is not pruned, VS-13), and
    `Misconfigured` when a reason is required and none is given (VS-12).
    """
    made = Made((clock or SystemClock()).now(), by, reason)
    return _written_and_noted(documents, made, lambda: _change(documents, edit, prune, made)).applied


def _written_and_noted(documents: Documents, made: Made, write: Callable[[], _Written]) -> _Written:
    """Write, and keep what was changed. A writer that is overtaken writes again.

    One that is overtaken behind its writing only keeps its note, under a later revision: to write again would find
    nothing to change, and nobody would know who has changed it.
    """
    written: _Written | None = None
    for _ in range(_ATTEMPTS):
        with suppress(Overtaken), sole_writer(documents):
            written = replace(written, before=revision(documents)) if written else write()
            if written.before is not None:
                _note(documents, made, written.applied, written.before, written.keys)
            return written
    raise Unavailable("other processes are changing the configuration; try again")


def _change(documents: Documents, edit: Callable[[Configuration], Configuration], prune: bool, made: Made) -> _Written:
    counted, found = _whole(documents, made.at)
    stored = from_sections(found)
    config = edit(stored)
    stored = _with_named_people(stored, config, People(documents))
    if problems := problems_of(stored, config, prune=prune):
        raise InvalidConfiguration(problems)
    plan = _plan(documents, found, config, made.at)
    deleted = list(_superfluous(documents, found, config)) if prune else []
    applied = Applied(
        tuple(f"{each.section}/{each.name}" for each in plan if each.before is None),
        tuple(f"{each.section}/{each.name}" for each in plan if each.before is not None and each.changes),
        tuple(f"{section}/{each['_id']}" for section, each in deleted),
        tuple(f"{each.section}/{each.name}" for each in plan if each.before is not None and not each.changes),
    )
    if not applied.changed and counted:
        return _Written(applied)
    _require_reason(stored, applied, made.reason)
    _write(documents, plan, deleted, counted + 1)
    keys = (key for each in plan if each.before is not None for key in each.keys)
    return _Written(applied, counted, tuple(islice(keys, MAX_THINGS)))


def _whole(documents: Documents, now: datetime) -> tuple[int, dict[str, list[Document]]]:
    """The revision, and the documents of it.

    What a writer has left that ended, or stands still, before its note gets one here: else it would be taken for a part
    of the next change. That version of the configuration shows what it was.
    """
    counted, found = revision(documents), _sections(documents)
    left = tuple(
        f"{section}/{each['_id']}"
        for section, things in found.items()
        for each in things
        if each.get(WRITTEN_IN) == counted + 1
    )
    if not left:
        return counted, found
    _note(documents, Made(now, UNKNOWN, INTERRUPTED), Applied(updated=left), counted, ())
    return counted + 1, _sections(documents)


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


def _plan(documents: Documents, found: Stored, config: Configuration, now: datetime) -> list[_Step]:
    """What becomes different in the documents that were found; people are looked up by their ids."""
    stated = to_documents(config)
    steps = _steps(SETTINGS, found[SETTINGS], stated[SETTINGS]) if SETTINGS in config.sections else []
    for section in SECTIONS:
        if section == "people":
            for chunk in _chunks(_dated(stated[section], now)):
                ids = [each["_id"] for each in chunk]
                steps += _steps(section, documents.find(section, {"_id": {"$in": ids}}), chunk)
        else:
            steps += _steps(section, found[section], stated[section])
    return steps


def _dated(people: list[Document], now: datetime) -> list[Document]:
    """People with creation times in the order of the file: of several with one address, the first is found (VS-03)."""
    first = now - timedelta(milliseconds=len(people))
    return [
        {**each, CONFIGURED: True, "created_at": first + timedelta(milliseconds=index)}
        for index, each in enumerate(people)
    ]


def _steps(section: str, found: Iterable[Document], stated: Iterable[Document]) -> list[_Step]:
    known = {each["_id"]: each for each in found}
    return [_step(section, known.get(each["_id"]), each) for each in stated]


def _step(section: str, before: Document | None, stated: Document) -> _Step:
    return _Step(section, stated["_id"], before, dict(_changes(before, stated)))


def _changes(before: Document | None, after: Document) -> Iterator[tuple[str, Any]]:
    for key, value in after.items():
        kept = key in {"_id", "created_at"} and before is not None
        if not kept and (before is None or before.get(key) != value or key not in before):
            yield key, value


def _chunks(stated: Sequence[Document]) -> Iterator[list[Document]]:
    rest = iter(stated)
    while chunk := list(islice(rest, _CHUNK)):
        yield chunk


def _superfluous(documents: Documents, found: Stored, config: Configuration) -> Iterator[tuple[str, Document]]:
    for section in pruned_sections(config):
        stated = set(names(section, getattr(config, section)))
        there = documents.find(section, {CONFIGURED: True}) if section == "people" else found[section]
        yield from ((section, each) for each in there if each["_id"] not in stated)


def _require_reason(stored: Configuration, applied: Applied, reason: str) -> None:
    if stored.settings.require_change_reason and applied.changed and not reason.strip():
        raise Misconfigured("settings.require_change_reason is on; say why, with --reason TEXT")


def _write(documents: Documents, plan: Iterable[_Step], deleted: Iterable[tuple[str, Document]], revised: int) -> None:
    """Write every step for a revision. Raises `Overtaken` when a document is no longer the one that was read."""
    with documents.batch():
        for step in plan:
            _write_step(documents, step, revised)
        for section, document in deleted:
            documents.delete(section, _as_read(section, document))


def _write_step(documents: Documents, step: _Step, revised: int) -> None:
    changes = {key: value for key, value in step.changes.items() if key != "_id"}
    stamp = {} if step.section in {"people", SETTINGS} else {WRITTEN_IN: revised}
    if step.before is None:
        if documents.insert(step.section, step.changes | stamp):
            return
        if step.section != "people":
            raise Overtaken(f"{step.section}/{step.name} was made in between")
        documents.upsert(step.section, step.name, {"$set": changes})
    elif changes and not documents.update(step.section, _as_read(step.section, step.before), {"$set": changes | stamp}):
        raise Overtaken(f"{step.section}/{step.name} was changed in between")


def _as_read(section: str, document: Document) -> Document:
    """The condition that a document is still the one that was read; None matches a missing member."""
    if section == "people":
        return {"_id": document["_id"]}
    key = REVISION if section == SETTINGS else WRITTEN_IN
    return {"_id": document["_id"], key: document.get(key)}


def _note(documents: Documents, made: Made, applied: Applied, before: int, keys: tuple[ChangedKey, ...]) -> None:
    """Increase the revision, after everything else is written; keep what was changed and why, and the whole of it.

    Raises `Overtaken` when it is no longer `before`, the one that was read.
    """
    counted = before + 1
    with documents.batch():
        if not _revised(documents, before):
            raise Overtaken("the configuration was changed in between")
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
                keys,
            )
        )
    ConfigurationVersions(documents).keep(counted, _sections(documents))


def _revised(documents: Documents, before: int) -> bool:
    where = {"_id": SETTINGS, REVISION: before or None}
    is_new = before == 0 and documents.insert(SETTINGS, {"_id": SETTINGS, REVISION: 1})
    return is_new or documents.update(SETTINGS, where, {"$set": {REVISION: before + 1}})


def switch(documents: Documents, section: str, name: str, key: str, value: Any, made: Made | None = None) -> bool:
    """Change one key of one stored thing, such as `inboxes`, `support`, `enabled`; False when it is not there."""
    made = made or Made(SystemClock().now())
    return _written_and_noted(
        documents, made, lambda: _switch(documents, section, name, {key: value}, made)
    ).applied.changed


def _switch(documents: Documents, section: str, name: str, changes: Document, made: Made) -> _Written:
    (counted, _), before = _whole(documents, made.at), documents.get(section, name)
    if before is None:
        return _Written(Applied())
    thing = f"{section}/{name}"
    _write(documents, [_Step(section, name, before, changes)], (), counted + 1)
    if section == SETTINGS:
        before = {**{key: getattr(DEFAULT.settings, key) for key in changes}, **before}
    return _Written(Applied(updated=(thing,)), counted, tuple(changed_keys(thing, before, changes)))
