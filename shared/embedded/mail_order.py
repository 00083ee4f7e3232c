"""The order in which the mails of a box are imported: by date, and each after the mail that it answers.

A box of millions of mails does not fit into memory, so what is known of each stands in a temporary database on disk,
which disappears when it is closed. Memory: one byte for each mail, and the thread at hand.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from types import TracebackType
from typing import Any, Final, Self

from shared.lazy_dataclass import dataclass

MAX_PARENTS: Final = 100
"""Mails that a mail answers, the nearest first, of which one is looked for in the box."""
_MAIL = """
CREATE TABLE mail (
    n INTEGER PRIMARY KEY, content TEXT UNIQUE, id TEXT, key TEXT, parents TEXT, at REAL,
    file TEXT, first INTEGER, last INTEGER
)
"""
_COLUMNS = "n, content, id, key, parents, at, file, first, last"

_INSERT = f"INSERT OR IGNORE INTO mail ({_COLUMNS.removeprefix('n, ')}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class BoxedMail:
    """A mail in a box.

    `content` is the same in all copies of it, `id` its id in Postroom; `key` is its Message-ID, `parents` are those
    that it answers, the nearest first. `at`: its time in seconds since 1970. It is the bytes `first` to `last` of
    `file`.
    """

    content: str
    id: str
    key: str | None
    parents: tuple[str, ...]
    at: float
    file: str
    first: int = 0
    last: int = 0


class MailOrder:
    """Collects the mails of a box, then gives them in order. Used inside its `with` block."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)

    def __enter__(self) -> Self:
        for statement in ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", _MAIL, "BEGIN"):
            self._database.execute(statement)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()

    def add(self, mail: BoxedMail) -> bool:
        """Remember a mail; False when a copy of it is in the box already."""
        parents = "\n".join(mail.parents[:MAX_PARENTS])
        row = (mail.content, mail.id, mail.key, parents, mail.at, mail.file, mail.first, mail.last)
        return self._database.execute(_INSERT, row).rowcount == 1

    def in_order(self) -> Iterator[tuple[BoxedMail, str | None]]:
        """Each mail once, with the id of the mail before it in its thread; None when that is not in the box.

        Mails that answer each other in a circle come by date.
        """
        self._database.execute("CREATE INDEX by_key ON mail (key, at, n)")
        self._database.execute("CREATE INDEX by_at ON mail (at, n)")
        (most,) = self._database.execute("SELECT coalesce(max(n), 0) FROM mail").fetchone()
        given = bytearray(most + 1)
        with closing(self._database.execute(f"SELECT {_COLUMNS} FROM mail ORDER BY at, n")) as rows:
            for row in rows:
                yield from self._thread_to(row, given)

    def _thread_to(self, row: Sequence[Any], given: bytearray) -> Iterator[tuple[BoxedMail, str | None]]:
        """What has to come before a mail and was not given yet, the first of the thread first; then the mail."""
        chain = list[tuple[Sequence[Any], Sequence[Any] | None]]()
        on_the_way = set[int]()
        next_: Sequence[Any] | None = row
        while next_ is not None and not given[next_[0]] and next_[0] not in on_the_way:
            on_the_way.add(next_[0])
            parent = self._parent_of(next_)
            chain.append((next_, parent))
            next_ = parent
        for each, parent in reversed(chain):
            follows = parent[2] if parent is not None and given[parent[0]] else None
            given[each[0]] = 1
            yield _mail(each), follows

    def _parent_of(self, row: Sequence[Any]) -> Sequence[Any] | None:
        statement = f"SELECT {_COLUMNS} FROM mail WHERE key = ? AND n <> ? ORDER BY at, n LIMIT 1"
        for key in filter(None, row[4].split("\n")):
            if found := self._database.execute(statement, (key, row[0])).fetchone():
                parent: Sequence[Any] = found
                return parent
        return None


def _mail(row: Sequence[Any]) -> BoxedMail:
    _, content, id_, key, parents, at, file, first, last = row
    return BoxedMail(content, id_, key, tuple(filter(None, parents.split("\n"))), at, file, first, last)
