"""A skeleton of a mailbox protocol: a folder of `.eml` files, read as a server is read.

In Postroom: a module in `services/fetcher/`, and a line in `PROTOCOLS` of `services/fetcher/mailbox.py`. The class
answers; what is taken, and when, the fetcher decides. It must not change a mail before it is asked to.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from services.fetcher.mailbox import FolderScan, InboxAccess, Key, KeyStates, NotInFolder, Peek, Waiting, place
from shared.contracts.errors import Unavailable
from shared.mail_network import connection_test
from shared.mail_network.connection_test import TestResult

HEAD_BYTES = 64 * 1024


class FolderMailbox:
    """The files of one folder; `inbox.folder` is its path. An archived mail lies in `archive` below it."""

    def __init__(self, access: InboxAccess) -> None:
        self._inbox = access.inbox
        self._folder = Path(access.inbox.folder)

    def __enter__(self) -> Self:
        """Connect. A server that does not answer is `Unavailable`: the fetcher tries again later."""
        if not self._folder.is_dir():
            raise Unavailable(f"the folder {self._folder} cannot be reached")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect. Never raises."""
        self.hang_up()

    def hang_up(self) -> None:
        """Close the connection, from any thread; this one has none."""

    def waiting(self, states_of: KeyStates, limit: int) -> FolderScan:
        """New mails, oldest first, and those that are taken and still have to be archived."""
        keys = self._keys()
        states = states_of(keys)
        fresh = [self._waiting(key) for key in keys if states.get(key) in {None, "again"}]
        return FolderScan(fresh[:limit], tuple(key for key in keys if states.get(key) == "to_archive"))

    def _keys(self) -> list[Key]:
        """Keys never change and never mean another mail: they are how a mail is taken only once."""
        return [
            Key(place(self._inbox.protocol, str(self._folder)), path.name)
            for path in sorted(self._folder.glob("*.eml"))
        ]

    def _waiting(self, key: Key) -> Waiting:
        return Waiting(key, self._path(key).stat().st_size)

    def _path(self, key: Key) -> Path:
        return self._folder / key.item

    def fetch(self, key: Key, size: int | None = None) -> bytes:
        """The exact bytes; the mail stays where it is."""
        del size  # a server that is asked for parts needs it
        try:
            return self._path(key).read_bytes()
        except FileNotFoundError:
            raise NotInFolder(f"{key.item} is gone") from None

    def archive(self, keys: Sequence[Key]) -> None:
        """Move these mails, and no others, to the archive folder."""
        archive = self._folder / "archive"
        archive.mkdir(exist_ok=True)
        for key in keys:
            self._path(key).replace(archive / key.item)

    def delete(self, keys: Sequence[Key]) -> None:
        """Remove these mails and no others; one that is gone already is not an error."""
        for key in keys:
            self._path(key).unlink(missing_ok=True)

    def mark_read(self, keys: Sequence[Key]) -> None:
        """Leave them in place; a file has no mark."""

    def check(self) -> TestResult:
        """Connect and disconnect; the result is a sentence for the administrator."""
        return connection_test.tested(self._checked, lambda: datetime.now(UTC))

    def _checked(self) -> tuple[str, ...]:
        with self:
            return ()

    def peek(self, count: int) -> Sequence[Peek]:
        """The beginnings of the oldest mails; nothing changes."""
        return [Peek(key, self._path(key).stat().st_size, self.fetch(key)[:HEAD_BYTES]) for key in self._keys()[:count]]
