"""Open dead letters by cause: those that one stage failed on with one kind of reason are one group.

What differs from mail to mail in a reason (ids, addresses, numbers, quoted values) makes no other cause.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from services.operator.errors import NotAvailable
from services.operator.mail.dead_letters import letter_as_json
from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile
from shared.store.dead_letters import OPEN
from shared.text import iso

if TYPE_CHECKING:
    from shared.app import App
    from shared.store.dead_letters import DeadLetter

MAX_READ: Final = 10_000
"""Open letters that are grouped, the newest first."""
MAX_CAUSE_CHARACTERS: Final = 200
_VARIABLE: Final = lazy_compile(
    r"""[^\s<>:;,'"]+@[^\s<>:;,'"]+"""  # an address
    r"""|"[^"]{0,500}"|'[^']{0,500}'"""  # a quoted value
    r"|\b[0-9a-fA-F]{8,}\b"  # an id
    r"|\b[A-Z]{2,6}[0-9]+\b|[0-9]+(?:[.,:][0-9]+)*"  # a record, a number
)


@dataclass(frozen=True, slots=True)
class LetterCause:
    """A cause: how many open letters it has, the first and the last of them, and the newest as an example."""

    id: str
    stage: str
    reason: str
    count: int
    first: datetime
    last: datetime
    example: DeadLetter

    def as_json(self) -> dict[str, Any]:
        """The keys that scripts rely on."""
        return {
            "cause": self.id,
            "stage": self.stage,
            "reason": self.reason,
            "count": self.count,
            "first": iso(self.first),
            "last": iso(self.last),
            "example": letter_as_json(self.example),
        }


@dataclass(frozen=True, slots=True)
class LetterCauses:
    """The causes, that of most letters first. `is_complete`: whether every open letter was read."""

    causes: tuple[LetterCause, ...]
    is_complete: bool


def cause_of(reason: str) -> str:
    """What is the same in the reasons of one cause: variable parts are replaced by `…`."""
    return _VARIABLE.sub("…", " ".join(reason.split()))[:MAX_CAUSE_CHARACTERS]


def causes(app: App, inboxes: Collection[str] | None = None, limit: int = MAX_READ) -> LetterCauses:
    """The causes of open letters, the newest `limit` of them; `inboxes`: of letters of these, None: of all."""
    groups: dict[str, list[DeadLetter]] = {}
    read = 0
    for letter in _open(app, inboxes, limit):
        read += 1
        groups.setdefault(cause_id(letter), []).append(letter)
    found = [_cause(id_, letters) for id_, letters in groups.items()]
    return LetterCauses(tuple(sorted(found, key=lambda each: (-each.count, each.stage))), read < limit)


def cause_id(letter: DeadLetter) -> str:
    """The id of a letter's cause, for addresses and commands."""
    return hashlib.sha256(f"{letter.stage}\n{cause_of(letter.reason)}".encode()).hexdigest()[:12]


def letters_of_cause(app: App, id_: str, inboxes: Collection[str] | None = None) -> tuple[DeadLetter, ...]:
    """The open letters of a cause, the oldest first. Raises `NotAvailable` when there are none."""
    found = [each for each in _open(app, inboxes) if cause_id(each) == id_]
    if not found:
        raise NotAvailable(f"no open dead letter has the cause {id_!r}")
    return tuple(reversed(found))


def _open(app: App, inboxes: Collection[str] | None, limit: int = MAX_READ) -> Iterator[DeadLetter]:
    return app.dead_letters.recent(OPEN, limit, inboxes=inboxes)


def _cause(id_: str, letters: list[DeadLetter]) -> LetterCause:
    """The cause of letters that are sorted, the newest first."""
    newest = letters[0]
    return LetterCause(id_, newest.stage, cause_of(newest.reason), len(letters), letters[-1].at, newest.at, newest)
