"""Complaints about a configuration, and those that several checks make: a reference to a thing that is not there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from shared.config.model import Configuration
from shared.config.problems import nearest


@dataclass(frozen=True, slots=True)
class Complaint:
    """The path of a key, and what to change there. `misses`: the section in which something was looked for."""

    path: str
    message: str
    misses: str = ""


Complaints = Iterator[Complaint]


def unknown(path: str, thing: str, name: str | None, known: Iterable[str]) -> Complaints:
    """A reference to a thing that is not there."""
    names = list(known)
    if name is not None and name not in names:
        hint = nearest(name, names) or (
            "" if names else f"; none is configured, add it under {thing}s or remove the key"
        )
        yield Complaint(path, f'there is no {thing.replace("_", " ")} "{name}"{hint}', misses=f"{thing}s")


def unknown_type(path: str, name: str, config: Configuration) -> Complaints:
    """A reference to a record type that is not there."""
    if config.type_named(name) is None:
        known = [each.name for each in config.types]
        hint = nearest(name, known) or f"; known are {', '.join(known)}"
        yield Complaint(path, f'there is no record type "{name}"{hint}', misses="record_types")


def names_of(things: Iterable[Any]) -> list[str]:
    """The names of things of a section."""
    return [each.name for each in things]


def indexed(config: Configuration, section: str) -> Iterator[tuple[str, Any]]:
    """The things of a section, each with its path."""
    for index, each in enumerate(getattr(config, section)):
        yield f"{section}[{index}]", each
