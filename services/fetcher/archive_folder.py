"""The archive folder of an inbox: found once in a visit, and made when it is missing and may be made (IV-03)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from operator import eq
from typing import Generic, TypeVar

from services.fetcher.mailbox import ArchiveFolderMissing
from shared.config.model import Inbox
from shared.contracts.errors import Misconfigured
from shared.lazy_dataclass import dataclass
from shared.mail_network.connection_test import WILL_BE_CREATED

Found = TypeVar("Found")


@dataclass(slots=True)
class ArchiveFolder(Generic[Found]):
    """`folder` is the one that is read; `find` and `create` take a name, `listed` says which folders there are."""

    inbox: Inbox
    folder: Found
    find: Callable[[str], Found | None]
    create: Callable[[str], Found]
    listed: Callable[[], str] | None = None
    kind: str = "folder"
    is_same: Callable[[Found, Found], bool] = eq
    _known: Found | None = field(default=None, init=False)

    def get(self) -> Found:
        """Return it. Raises `ArchiveFolderMissing`, or `Misconfigured` when it is the folder that is read."""
        if self._known is None:
            found = self.find(self.inbox.archive_folder)
            if found is None:
                check_creation(self.inbox, self.listed, self.kind)
                found = self.create(self.inbox.archive_folder)
            self._check_difference(found)
            self._known = found
        return self._known

    def forget(self) -> None:
        """Look for it again at its next use."""
        self._known = None

    def tested(self) -> tuple[str, ...]:
        """The notes of a connection test, which creates nothing (IV-08). Raises what `get` raises."""
        if self.inbox.after != "archive":
            return ()
        found = self.find(self.inbox.archive_folder)
        if found is None:
            check_creation(self.inbox, self.listed, self.kind)
            return (WILL_BE_CREATED.format(folder=self.inbox.archive_folder),)
        self._check_difference(found)
        return ()

    def _check_difference(self, found: Found) -> None:
        if self.is_same(found, self.folder):
            raise Misconfigured(f"inbox {self.inbox.name}: archive_folder and folder must differ")


def check_creation(inbox: Inbox, listed: Callable[[], str] | None = None, kind: str = "folder") -> None:
    """Raise `ArchiveFolderMissing` when the archive folder, which does not exist, may not be created."""
    if not inbox.create_archive_folder:
        missing = f"there is no {kind} {inbox.archive_folder}, and create_archive_folder is off"
        raise ArchiveFolderMissing(f"{missing}; {listed()}" if listed else missing)
