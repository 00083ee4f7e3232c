"""Problems of a configuration, one line each, and the log that collects them while it is read."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import field
from difflib import get_close_matches
from pathlib import Path

from shared.config.tree import Item
from shared.contracts.errors import Misconfigured
from shared.lazy_dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to put right. `path` is the key's place (`inboxes[0].port`); `line` 0 when there is no file."""

    path: str
    message: str
    line: int = 0
    source: str = ""

    def __str__(self) -> str:
        """`postroom.yaml:12: inboxes[0].protcol: unknown key; did you mean "protocol"?`."""
        place = f"{self.source}:{self.line}" if self.source and self.line else self.source
        return ": ".join(part for part in (place, self.path, self.message) if part)


class InvalidConfiguration(Misconfigured):
    """A configuration with problems; the message has one line for each."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class InvalidValue(Exception):
    """A value cannot be used; the message is a clause that names the remedy."""

    def __init__(self, message: str, line: int = 0) -> None:
        super().__init__(message)
        self.line = line


class UnusablePart(Exception):
    """A whole part cannot be used; its problems are in the log."""


@dataclass(slots=True)
class ProblemLog:
    """The problems found so far in one source; relative paths start at `base`."""

    source: str = ""
    base: Path | None = None
    problems: list[Problem] = field(default_factory=list)
    left_out: list[tuple[str, int]] = field(default_factory=list)
    """Items of lists (path of the list, place in it) that could not be used at all."""

    def add(self, path: str, message: str, line: int = 0) -> None:
        """Add a problem."""
        self.problems.append(Problem(path, message, line, self.source))

    def as_written(self, path: str) -> str:
        """A path in the values as the path in the source: items that were left out count there."""
        found = re.match(r"(\w+)\[(\d+)\]", path)
        if not found:
            return path
        place = int(found[2])
        for out in sorted(index for part, index in self.left_out if part == found[1]):
            place += out <= place
        return f"{found[1]}[{place}]{path[found.end() :]}"


@dataclass(frozen=True, slots=True)
class Location:
    """The place of an item that is read, and the log of its problems."""

    path: str
    log: ProblemLog

    def at(self, key: str) -> Location:
        """The location of a key below this one."""
        return Location(f"{self.path}.{key}" if self.path else key, self.log)

    def nth(self, index: int) -> Location:
        """The location of an item of the list here."""
        return Location(f"{self.path}[{index}]", self.log)

    def refuse(self, message: str, item: Item | None = None) -> None:
        """Log a problem here."""
        self.log.add(self.path, message, item.line if item else 0)


def nearest(word: str, known: Iterable[str]) -> str:
    """`; did you mean "protocol"?` when a known word is near, else nothing."""
    found = _closest(word, known, 0.6)
    return f'; did you mean "{found}"?' if found else ""


def _closest(word: str, known: Iterable[str], cutoff: float) -> str | None:
    spelled = {each.casefold(): each for each in known}
    found = get_close_matches(word.casefold(), spelled, n=1, cutoff=cutoff)
    return spelled[found[0]] if found else None


def typo_of(word: str, known: Iterable[str]) -> str | None:
    """The known word of which this one is a misspelling: about one letter is missing, added, wrong or moved."""
    same_length = [each for each in known if abs(len(each) - len(word)) <= 1]
    return _closest(word, same_length, 0.8)


def nearest_key(word: str, known: Iterable[str]) -> str:
    """The nearest known key, however far."""
    keys = list(known)
    if near := nearest(word, keys):
        return near
    found = _closest(word, keys, 0.0)
    return f'; the nearest known key is "{found}"' if found else ""
