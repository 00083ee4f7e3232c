"""Complaints about a configuration, the tables that state them, and the paths of its values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from typing import Any

from shared.config.model import Configuration
from shared.config.problems import nearest
from shared.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Complaint:
    """The path of a key, and what to change there. `misses`: the section in which something was looked for."""

    path: str
    message: str
    misses: str = ""


Complaints = Iterator[Complaint]
Faults = Iterator[tuple[str, str]]
"""Keys of one part, separated by blanks (none: the part itself), and what to change there."""


def found_in(config: Configuration, table: Mapping[str, Callable[[Any], Faults]]) -> Iterator[tuple[Any, Complaint]]:
    """The faults of all parts, each with its part. `table`: the function that finds them, by section or key."""
    for section, faults_of in table.items():
        for path, part in values_at(config, section):
            for keys, why in faults_of(part):
                yield from ((part, Complaint(f"{path}.{key}".rstrip("."), why)) for key in keys.split() or [""])


def is_stated(part: Any, key: str) -> bool:
    """Whether the value of a key is not the default of a part that states nothing."""
    default = next(each.default for each in fields(part) if each.name == key)
    return getattr(part, key) not in (default, {})


def values_at(config: Configuration, key: str) -> Iterator[tuple[str, Any]]:
    """The values at `inboxes.export.connection`, each with its path; parts that are not there have none."""
    first, *steps = key.split(".")
    yield from _below(getattr(config, first), steps, first)


def _below(part: Any, steps: list[str], path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(part, tuple):
        for index, each in enumerate(part):
            yield from _below(each, steps, f"{path}[{index}]")
    elif part is not None and steps:
        yield from _below(getattr(part, steps[0]), steps[1:], f"{path}.{steps[0]}")
    elif part is not None:
        yield path, part


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
