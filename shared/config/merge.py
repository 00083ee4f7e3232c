"""Merge a configuration file with the stored configuration: the file's things first, then the stored ones.

Pure; `shared.store.configuration` reads and writes. A file may be partial: what it does not state stays, and may be
referred to. With `prune`, things that the file does not have are deleted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

from shared.config.checks import complaints
from shared.config.complaints import Complaint
from shared.config.model import Configuration
from shared.config.problems import Problem
from shared.config.schema import SECTIONS, key_of

KEPT_UNLESS_STATED: Final = frozenset({"inboxes", "mail_servers", "people"})
"""Sections that are not pruned when the file does not have them: a missing section must not delete everything."""


def names(section: str, things: Iterable[Any]) -> list[str]:
    """The names of things of a section."""
    return [getattr(each, key_of(section)) for each in things]


def pruned_sections(config: Configuration) -> Iterator[str]:
    """The sections from which things are deleted that the file does not have."""
    yield from (each for each in SECTIONS if each in config.sections or each not in KEPT_UNLESS_STATED)


def merged(stored: Configuration, stated: Configuration, *, prune: bool) -> Configuration:
    """The configuration after an apply. Things of the file come first, so that their places are the file's."""
    pruned = set(pruned_sections(stated)) if prune else set()
    sections = {
        section: getattr(stated, section) + (() if section in pruned else _others(section, stored, stated))
        for section in SECTIONS
    }
    settings = stated.settings if "settings" in stated.sections else stored.settings
    return replace(stated, settings=settings, sections=stated.sections | stored.sections, **sections)


def _others(section: str, stored: Configuration, stated: Configuration) -> tuple[Any, ...]:
    own = set(names(section, getattr(stated, section)))
    return tuple(each for each in getattr(stored, section) if getattr(each, key_of(section)) not in own)


def problems_of(stored: Configuration, stated: Configuration, *, prune: bool) -> list[Problem]:
    """Complaints about the configuration after an apply, without those that exist already and are not touched."""
    after = merged(stored, stated, prune=prune)
    before = {_named(each, stored) for each in complaints(stored)}
    found = []
    for each in complaints(after):
        if _is_stated(each, stated):
            found.append(Problem(each.path, each.message))
        elif (named := _named(each, after)) not in before:
            found.append(Problem(named.path, each.message, source="the stored configuration"))
    return found


def _is_stated(complaint: Complaint, stated: Configuration) -> bool:
    section, index = _place(complaint.path)
    return section in stated.sections if index is None else index < len(getattr(stated, section))


def _place(path: str) -> tuple[str, int | None]:
    found = re.match(r"(\w+)\[(\d+)\]", path)
    return (found[1], int(found[2])) if found else (path.split(".", 1)[0], None)


def _named(complaint: Complaint, config: Configuration) -> Complaint:
    """The complaint with the thing's name in its path, where lines of a file mean nothing."""
    section, index = _place(complaint.path)
    if index is None:
        return complaint
    name = getattr(getattr(config, section)[index], key_of(section))
    rest = complaint.path[len(f"{section}[{index}]") :]
    return Complaint(f"{section}[{name}]{rest}", complaint.message)
