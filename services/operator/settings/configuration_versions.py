"""Versions of the configuration: show one, compare two, go back to one.

Going back is a change like any other: it makes a new version, with who, when and why.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from services.operator.errors import NotAvailable
from shared.config.writing import to_yaml
from shared.store import configuration as store
from shared.store.configuration_versions import KEPT, ConfigurationVersions
from shared.store.settings import SETTINGS

if TYPE_CHECKING:
    from shared.app import App
    from shared.config.model import Configuration
    from shared.store.configuration import Applied


def version(app: App, revision: int) -> Configuration:
    """A version, without people. Raises `NotAvailable` when it is not kept."""
    found = ConfigurationVersions(app.documents).get(revision)
    if found is None:
        raise NotAvailable(f"version {revision} is not kept; the newest {KEPT} are, and `config history` lists them")
    return found


def version_text(app: App, revision: int) -> str:
    """A version as its file would be."""
    return _text(version(app, revision))


def current_text(app: App) -> str:
    """The configuration that is in force, in the same form."""
    return _text(store.read(app.documents))


def _text(config: Configuration) -> str:
    return to_yaml(replace(config, rules=config.all_rules))


def difference(before: str, after: str, names: tuple[str, str]) -> Sequence[str]:
    """The lines that differ, as a unified difference; empty when none does."""
    return list(difflib.unified_diff(before.splitlines(), after.splitlines(), *names, lineterm="", n=2))


def differences_of(app: App, first: int, second: int | None) -> Sequence[str]:
    """What is different in the second version; None: in the configuration in force. Raises `NotAvailable`."""
    after = current_text(app) if second is None else version_text(app, second)
    names = (f"version {first}", "now" if second is None else f"version {second}")
    return difference(version_text(app, first), after, names)


class Overtaken(NotAvailable):
    """The configuration is no longer the one that the person saw."""


def newest(app: App) -> int:
    """The number of the version that is in force."""
    return store.revision(app.documents)


def roll_back(app: App, revision: int, *, seen: int | None = None, by: str, reason: str) -> Applied:
    """Make the configuration what it was in a version; people stay. `seen`: the version whose differences were shown.

    Raises `NotAvailable` without a reason, or when nothing would be different; `Overtaken` when the version in force is
    no longer `seen`; and `InvalidConfiguration` when it does not fit what is stored now. Then nothing has changed.
    """
    if not reason.strip():
        raise NotAvailable("say why; the reason is kept with the change")
    wanted = version(app, revision)

    def edit(stored: Configuration) -> Configuration:
        if seen is not None and newest(app) != seen:
            raise Overtaken("the configuration was changed since you looked; look at the difference again")
        stated = _what_differs(wanted, stored)
        if not stated.sections:
            raise NotAvailable(f"the configuration is that of version {revision} already")
        return stated

    why = f"back to version {revision}: {reason.strip()}"
    applied = store.change(app.documents, edit, prune=True, clock=app.clock, by=by, reason=why)
    app.directory.renew()
    return applied


def _what_differs(wanted: Configuration, current: Configuration) -> Configuration:
    """The sections of a version that differ from the configuration in force, and nothing else."""
    same = [each for each in wanted.sections if getattr(wanted, each) == getattr(current, each)]
    nothing: dict[str, Any] = {each: () for each in same if each != SETTINGS}
    return replace(wanted, sections=wanted.sections - set(same), **nothing)
