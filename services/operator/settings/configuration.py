"""The configuration as an operator works with it: check a file, apply it, export what is stored."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import field, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from services.fetcher import mailbox
from services.filter.rules import OWN_NAMES
from services.notifier import send
from services.operator.errors import NotAvailable
from shared.config.complaints import Complaint, values_at
from shared.config.merge import names, pruned_sections
from shared.config.model import Configuration
from shared.config.notes import Supported, find_notes
from shared.config.problems import InvalidConfiguration, Problem, ProblemLog
from shared.config.reading import load_placed, placed, read_bytes, read_content, source_of
from shared.config.schema import SECTIONS
from shared.config.secrets import Missing, missing
from shared.config.tree import cut_texts
from shared.config.writing import to_yaml
from shared.lazy_dataclass import dataclass
from shared.mail_network import sasl
from shared.store import configuration as store
from shared.store.canaries import PROBE
from shared.store.configuration_changes import ConfigurationChange, ConfigurationChanges

if TYPE_CHECKING:
    from shared.app import App
    from shared.config.tree import Item
    from shared.store.configuration import Applied

WEB_METHODS = ("oauth", "basic")
"""Login methods of the protocols that are spoken over HTTPS."""
ASKS_BEFORE_DELETING = frozenset({"inboxes", "mail_servers"})
"""Sections of which nothing is deleted without a confirmation (IV-10, VS-13)."""

MAX_CHANGES = 20
"""Changes of others that are shown to a person whom they have overtaken."""


@dataclass(frozen=True, slots=True)
class Checked:
    """The result of checking a file. `notes` need no action here; `counts` has the stated things of each section."""

    problems: tuple[Problem, ...] = ()
    notes: tuple[Problem, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ConfigurationFile:
    """A file that was read: each value is right by itself."""

    name: str
    root: Item
    stated: Configuration

    def placed(self, found: Iterable[Complaint | Missing]) -> tuple[Problem, ...]:
        """Problems with the lines of the file, in their order."""
        lines = [placed(Problem(each.path, each.message), self.root, self.name) for each in found]
        return tuple(sorted(lines, key=lambda each: each.line))

    @property
    def notes(self) -> tuple[Problem, ...]:
        """Notes on the file: on its values, and on texts that a comment may have cut."""
        cut = (
            Problem("", f'a text ends before the comment "{each.comment}"; put it in quotes', each.line, self.name)
            for each in cut_texts(self.root)
        )
        return tuple(sorted((*self.placed(notes_on(self.stated)), *cut), key=lambda each: each.line))


def check_file(path: Path) -> Checked:
    """Check a configuration file.

    Missing secrets are notes, in variables and in files alike: they belong to the machine that runs the workers. Raises
    `Misconfigured` when the file cannot be read.
    """
    try:
        file = ConfigurationFile(source_of(path), *load_placed(path))
    except InvalidConfiguration as error:
        return Checked(error.problems)
    return Checked((), (*file.placed(missing(file.stated)), *file.notes), section_counts(file.stated))


def notes_on(stated: Configuration) -> Iterator[Complaint]:
    """Notes on a configuration: settings that this version does not support, that can do nothing, that are risky."""
    logins = ("auto", *sasl.METHODS, *WEB_METHODS, "none")
    yield from find_notes(stated, Supported(mailbox.PROTOCOLS, send.PROTOCOLS, logins))
    yield from _rules_named_as_ours(stated)


def _rules_named_as_ours(stated: Configuration) -> Iterator[Complaint]:
    """Rules with the name of one of Postroom's own: what they reject is taken for rejected by that one."""
    for path, rule in values_at(stated, "rules"):
        if rule.name in OWN_NAMES or rule.name == PROBE:
            yield Complaint(f"{path}.name", f'Postroom has a rule "{rule.name}" of its own; choose another name')


def section_counts(stated: Configuration) -> dict[str, int]:
    """The number of things in each section, settings left out."""
    return {name: len(getattr(stated, name)) for name in SECTIONS}


def read_file(path: Path) -> ConfigurationFile:
    """Read a configuration file.

    Raises `InvalidConfiguration` with every problem, `Misconfigured` when the file cannot be read.
    """
    source = source_of(path)
    return ConfigurationFile(source, *read_bytes(read_content(path), source=source, base=path.absolute().parent))


def apply_file(
    app: App, file: ConfigurationFile, *, prune: bool = False, by: str = "operator", reason: str = ""
) -> Applied:
    """Create and update what the file states; with `prune`, delete what it does not have.

    Raises `InvalidConfiguration` when something would not fit together afterwards, with the lines of the file.
    """
    try:
        applied = store.apply(app.documents, file.stated, prune, clock=app.clock, by=by, reason=reason)
    except InvalidConfiguration as error:
        source = ProblemLog(file.name).source
        raise InvalidConfiguration(placed(each, file.root, source) for each in error.problems) from None
    app.directory.renew()
    return applied


def deletions_to_confirm(app: App, stated: Configuration) -> tuple[str, ...]:
    """Inboxes and mail servers that a prune would delete, as `section/name`."""
    stored, deleted = store.read(app.documents), []
    for section in ASKS_BEFORE_DELETING & set(pruned_sections(stated)):
        kept = names(section, getattr(stated, section))
        deleted += [f"{section}/{name}" for name in names(section, getattr(stored, section)) if name not in kept]
    return tuple(sorted(deleted))


def inboxes_to_test(stated: Configuration) -> tuple[str, ...]:
    """Saving an enabled inbox tests its connection and keeps the result (TI-07)."""
    return tuple(each.name for each in stated.inboxes if each.enabled and each.protocol != "none")


def servers_to_test(stated: Configuration) -> tuple[str, ...]:
    """The stated mail servers that send (NE-24)."""
    return tuple(each.name for each in stated.mail_servers if not each.block)


def stored_configuration(app: App) -> Configuration:
    """The stored configuration, people and preconfigured rules included; secrets stay references."""
    stored = store.read(app.documents, people=True)
    return replace(stored, rules=stored.all_rules)


def configuration_changes(
    app: App, limit: int, skip: int = 0, *, thing: str | None = None
) -> Iterator[ConfigurationChange]:
    """Changes of the configuration, the newest first (VS-12); `thing`: those of one, such as `inboxes/support`."""
    changes = ConfigurationChanges(app.documents)
    if thing is None:
        return changes.recent(limit, skip)
    of_thing = (each for each in changes.recent(0) if thing in {*each.created, *each.updated, *each.deleted})
    return islice(of_thing, skip, skip + limit)


def changes_since(app: App, revision: int, thing: str | None = None) -> tuple[ConfigurationChange, ...]:
    """What others have changed after a revision, in all or in one thing; the newest first, at most 20."""
    found = ConfigurationChanges(app.documents).since(revision, 0)
    return tuple(islice((each for each in found if thing is None or each.concerns(thing)), MAX_CHANGES))


def export_to(path: Path, stored: Configuration) -> None:
    """Write a configuration to a file, whole or not at all. Raises `NotAvailable` when it cannot be written."""
    half = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as opened_file:
            opened_file.write(to_yaml(stored).encode())
        half.replace(path)
    except OSError as error:
        raise NotAvailable(f"{path} cannot be written: {error.strerror or error}") from None
    finally:
        with suppress(OSError):
            half.unlink(missing_ok=True)
