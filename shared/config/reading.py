"""From a configuration file to a checked `Configuration`, or to every problem that it has.

Reads bytes; raises `InvalidConfiguration` with one line a problem. Secrets are not looked up here: a file may be
checked on a machine that does not hold them (`shared.config.secrets` says which are missing).
"""

from __future__ import annotations

import re
import sys
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Final

from shared.config.checks import complaints
from shared.config.model import Configuration
from shared.config.problems import InvalidConfiguration, Location, Problem, ProblemLog
from shared.config.resolve import with_canonical_types
from shared.config.schema import CONFIGURATION
from shared.config.section import attempt
from shared.config.tree import Item, Mapped, Unparsable, line_at
from shared.contracts.errors import Misconfigured

STANDARD_INPUT: Final = Path("-")
"""Stands for the input of the process; relative paths in it start at the current folder."""
MAX_FILE_BYTES: Final = 64 * 1024 * 1024
"""Bytes of a configuration file; a list of 100,000 people has a quarter of it."""


def load(path: Path) -> Configuration:
    """Read and check a file. Raises `InvalidConfiguration` with all problems, `Misconfigured` without a file."""
    return load_placed(path)[1]


def load_placed(path: Path) -> tuple[Item, Configuration]:
    """The same with the items, which know their lines."""
    root, config = read_bytes(read_content(path), source=source_of(path), base=path.absolute().parent)
    refuse(found_in(config, root, ProblemLog(source_of(path))))
    return root, config


def source_of(path: Path) -> str:
    """The name of a file in problems and notes."""
    return "standard input" if path == STANDARD_INPUT else path.name


def read_content(path: Path) -> bytes:
    """The bytes of a configuration file, within bounds."""
    try:
        with nullcontext(sys.stdin.buffer) if path == STANDARD_INPUT else path.open("rb") as file:
            content = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise Misconfigured(f"{path} cannot be read: {error.strerror or error}") from None
    if len(content) > MAX_FILE_BYTES:
        raise Misconfigured(f"{path} is larger than {MAX_FILE_BYTES >> 20} MB, the limit for a configuration file")
    return content


def load_bytes(content: bytes, *, source: str = "postroom.yaml", base: Path | None = None) -> Configuration:
    """The same for content that is already there. Relative paths start at `base`."""
    root, config = read_bytes(content, source=source, base=base)
    refuse(found_in(config, root, ProblemLog(source)))
    return config


def read_bytes(content: bytes, *, source: str, base: Path | None) -> tuple[Item, Configuration]:
    """The items and values of a file.

    Raises `InvalidConfiguration` when a value is wrong, with that and with what does not fit together; without a wrong
    value, what does not fit together is left to `found_in`.
    """
    from shared.config.yaml_events import parse  # who reads a stored configuration needs no YAML

    log = ProblemLog(source, base)
    try:
        root = parse(content)
    except Unparsable as error:
        raise InvalidConfiguration([Problem("", str(error), error.line, source)]) from None
    config = read_items(root, log)
    if log.problems:
        found = found_in(config, root, log) if config else []
        also = [each for each in found if each.path not in _paths(log)]
        raise InvalidConfiguration(sorted([*log.problems, *also], key=lambda each: each.line))
    assert config is not None
    return root, config


def _paths(log: ProblemLog) -> frozenset[str]:
    """The paths of problems, and of what they are in: that may seem to be empty without the wrong value."""
    steps = [re.findall(r"\.?[^.]+", each.path) for each in log.problems]
    return frozenset("".join(each[:count]) for each in steps for count in range(1, len(each) + 1))


def read_items(root: Item, log: ProblemLog) -> Configuration | None:
    """The configuration that items state; None when they are none at all."""
    config = attempt(CONFIGURATION, root, Location("", log))
    if not isinstance(config, Configuration):
        return None
    stated = frozenset(key.text for key, _ in root.pairs) if isinstance(root, Mapped) else frozenset()
    return with_canonical_types(replace(config, sections=stated & frozenset(CONFIGURATION.readers)))


def found_in(config: Configuration, root: Item, log: ProblemLog) -> list[Problem]:
    """Problems between values, with their lines; leaves out things that are missing because they could not be read."""
    unread = {section for section, _ in log.left_out}
    return [
        placed(Problem(log.as_written(each.path), each.message), root, log.source)
        for each in complaints(config)
        if each.misses not in unread
    ]


def placed(problem: Problem, root: Item, source: str) -> Problem:
    """The problem with its line, unless it is somewhere else."""
    return problem if problem.source else replace(problem, line=line_at(root, problem.path), source=source)


def refuse(problems: list[Problem]) -> None:
    """Raise when there is a problem."""
    if problems:
        raise InvalidConfiguration(sorted(problems, key=lambda each: each.line))
