"""From a configuration file to a checked `Configuration`, or to every problem that it has.

Reads bytes; raises `Refused` with one line a problem. Secrets are not looked up here: a file may be checked
on a machine that does not hold them (`shared.config.secrets` says which are missing).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

from shared.config.checks import complaints
from shared.config.model import Configuration
from shared.config.problems import Notes, Problem, Refused, Spot
from shared.config.resolve import with_canonical_types
from shared.config.schema import CONFIGURATION
from shared.config.section import attempt
from shared.config.tree import Item, Mapped, Unparsable, line_at, parse
from shared.contracts.errors import Misconfigured

LARGEST: Final = 64 * 1024 * 1024
"""Bytes of a configuration file; a list of 100,000 people has a quarter of it."""


def load(path: Path) -> Configuration:
    """Read and check a file. `Refused` lists its problems; `Misconfigured` when it cannot be read at all."""
    return load_placed(path)[1]


def load_placed(path: Path) -> tuple[Item, Configuration]:
    """The same with the items, which know their lines."""
    root, config = read_bytes(read_content(path), source=path.name, base=path.absolute().parent)
    refuse(found_in(config, root, Notes(path.name)))
    return root, config


def read_content(path: Path) -> bytes:
    """The bytes of a configuration file, within bounds."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read: {error.strerror or error}") from None
    if len(content) > LARGEST:
        raise Misconfigured(f"{path} is larger than {LARGEST >> 20} MB; that is no configuration file")
    return content


def load_bytes(content: bytes, *, source: str = "postroom.yaml", base: Path | None = None) -> Configuration:
    """The same for content that is already there. Relative paths start at `base`."""
    root, config = read_bytes(content, source=source, base=base)
    refuse(found_in(config, root, Notes(source)))
    return config


def read_bytes(content: bytes, *, source: str, base: Path | None) -> tuple[Item, Configuration]:
    """Items and values, each checked alone; what has to fit together is not looked at when one is refused."""
    notes = Notes(source, base)
    try:
        root = parse(content)
    except Unparsable as error:
        raise Refused([Problem("", str(error), error.line, source)]) from None
    config = read_items(root, notes)
    if notes.problems:
        found = found_in(config, root, notes) if config else []
        also = [each for each in found if each.path not in _paths(notes)]
        raise Refused(sorted([*notes.problems, *also], key=lambda each: each.line))
    assert config is not None
    return root, config


def _paths(notes: Notes) -> frozenset[str]:
    return frozenset(each.path for each in notes.problems)


def read_items(root: Item, notes: Notes) -> Configuration | None:
    """The configuration that items state; None when they are none at all."""
    config = attempt(CONFIGURATION, root, Spot("", notes))
    if not isinstance(config, Configuration):
        return None
    stated = frozenset(key.text for key, _ in root.pairs) if isinstance(root, Mapped) else frozenset()
    return with_canonical_types(replace(config, sections=stated & frozenset(CONFIGURATION.readers)))


def found_in(config: Configuration, root: Item, notes: Notes) -> list[Problem]:
    """What does not fit together, with its lines; what is missing because it could not be read is reported already."""
    unread = {section for section, _ in notes.left_out}
    return [
        placed(Problem(notes.as_written(each.path), each.message), root, notes.source)
        for each in complaints(config)
        if each.misses not in unread
    ]


def placed(problem: Problem, root: Item, source: str) -> Problem:
    """The problem with its line, unless it is somewhere else."""
    return problem if problem.source else replace(problem, line=line_at(root, problem.path), source=source)


def refuse(problems: list[Problem]) -> None:
    """Raise when there is a problem."""
    if problems:
        raise Refused(sorted(problems, key=lambda each: each.line))
