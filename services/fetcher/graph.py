"""Mailboxes of Microsoft 365 by Microsoft Graph (TI-01): list, fetch as MIME, move, delete, mark as read.

A mail is known by its immutable id, which stays the same in its mailbox and is case-sensitive. New mail is found by
listing the folder, and what is left in place by listing unread mail; the delta query, whose state expires, is not
needed (decision 0131). What the server limits ends the visit with the wait that it asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import islice
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

from services.fetcher.mailbox import (
    ArchiveFolderMissing,
    FolderScan,
    InboxAccess,
    InboxFolderMissing,
    Key,
    KeyStates,
    NotInFolder,
    Peek,
    TooLarge,
    Unfetchable,
    account_of,
    folder_of,
)
from services.fetcher.scanning import scan
from shared.contracts.errors import Misconfigured
from shared.mail_network import connection_test
from shared.mail_network.connection_test import TestResult
from shared.mail_network.graph import (
    AccessDenied,
    GraphClient,
    NotFound,
    PageExpired,
    RequestRefused,
    ServerFailed,
)
from shared.mail_network.web import AnswerLost, AnswerTooLarge

PEEK_BYTES: Final = 64 << 10
PAGE_MAILS: Final = 250
MAX_FAILURES: Final = 3
"""Mails that cannot be put away, after which the others are left to the next visit."""
_UNREAD: Final = "receivedDateTime ge 1970-01-01T00:00:00Z and isRead eq false"
"""What `$orderby` names has to come first in `$filter`, or Graph refuses the query as inefficient."""


class GraphMailbox:
    """One folder of one mailbox (see `services.fetcher.mailbox.Mailbox`)."""

    def __init__(self, access: InboxAccess) -> None:
        self._inbox, self._limits, self._credentials = access.inbox, access.limits, access.credentials
        self._client: GraphClient
        self._place, self._folder, self._archive = folder_of(access.inbox), "", ""

    def __enter__(self) -> Self:
        self._client = GraphClient(
            self._inbox.oauth,
            account_of(self._inbox),
            self._credentials.tokens,
            verify=self._inbox.verify_certificate,
            seconds=self._limits.operation.total_seconds(),
        )
        found = self._client.folder(self._inbox.folder)
        if found is None:
            raise InboxFolderMissing(f"there is no folder {self._inbox.folder}; {self._client.listed()}")
        self._folder = found
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.web.close()

    def hang_up(self) -> None:
        """Close the connection, even during a request."""
        self._client.web.hang_up()

    # listing

    def waiting(self, states_of: KeyStates, limit: int) -> FolderScan:
        """List the folder, oldest mail first. A list whose next page has expired begins anew, once."""
        unread = self._inbox.after == "mark_read" or self._inbox.take == "unseen"
        try:
            return scan(self._keys(unread=unread), states_of, limit)
        except PageExpired:
            pass
        try:
            return scan(self._keys(unread=unread), states_of, limit)
        except PageExpired as error:
            raise ServerFailed(f"the list of mails expires while it is read: {error}", 410) from error

    def _keys(self, *, unread: bool = False, page: int = PAGE_MAILS) -> Iterator[Key]:
        query = {"$select": "id", "$orderby": "receivedDateTime", "$top": str(page)}
        if unread:
            query["$filter"] = _UNREAD
        mails = self._client.pages(f"/mailFolders/{quote(self._folder, safe='')}/messages", query)
        return (Key(self._place, str(each["id"])) for each in mails)

    # fetching

    def fetch(self, key: Key, size: int | None = None) -> bytes:
        """The MIME form of a mail, as Exchange received it, or as it makes it of an item that never had one."""
        del size  # Graph does not announce it
        limit = self._limits.max_download
        with self._about(key, "fetch"):
            try:
                return self._content(key, limit, cut=False)
            except NotFound as error:
                raise NotInFolder("the mail is no longer in the mailbox") from error
            except AnswerTooLarge as error:
                raise TooLarge(f"the mail has more than {limit} bytes, and no more are downloaded") from error
            except AnswerLost as error:
                raise Unfetchable(str(error)) from error

    def _content(self, key: Key, limit: int, *, cut: bool) -> bytes:
        seconds = self._limits.download.total_seconds()
        return self._client.send("GET", f"{_mail(key)}/$value", limit=limit, cut=cut, seconds=seconds).body

    def peek(self, count: int) -> Sequence[Peek]:
        """The beginnings of the oldest mails, read or unread. The size is known of those that are shown whole."""
        keys = list(islice(self._keys(page=count), count))
        return [_peek(key, self._content(key, PEEK_BYTES, cut=True)) for key in keys]

    # archiving, deleting, marking as read

    def archive(self, keys: Sequence[Key]) -> None:
        """Move to the archive folder. A mail that is gone is ignored."""
        self._each(keys, "archive", self._move)

    def delete(self, keys: Sequence[Key]) -> None:
        """Delete; Exchange keeps the mail among the deleted items, as it does when a person deletes it."""
        self._each(keys, "delete", lambda key: self._client.send("DELETE", _mail(key)))

    def mark_read(self, keys: Sequence[Key]) -> None:
        """Mark as read."""
        self._each(keys, "mark as read", lambda key: self._client.send("PATCH", _mail(key), value={"isRead": True}))

    def _move(self, key: Key) -> None:
        target = self._archive_folder()
        try:
            self._client.post(f"{_mail(key)}/move", {"destinationId": target})
        except NotFound as error:
            if error.code == "ErrorItemNotFound":
                raise
            self._archive = ""
            raise ArchiveFolderMissing(f"the archive folder is gone ({error})") from error

    def _each(self, keys: Sequence[Key], what: str, act: Callable[[Key], object]) -> None:
        """Do it for each mail, so that one which fails holds up no other; raise what failed first at the end."""
        failures: list[Unfetchable] = []
        for key in keys:
            try:
                with self._about(key, what), suppress(NotFound):
                    act(key)
            except Unfetchable as error:
                failures.append(error)
                if len(failures) >= MAX_FAILURES:
                    break
        if failures:
            raise failures[0]

    @contextmanager
    def _about(self, key: Key, what: str) -> Iterator[None]:
        """Count what concerns one mail for that mail, so that it does not end the visit."""
        try:
            yield
        except (RequestRefused, ServerFailed, AccessDenied) as error:
            raise Unfetchable(f"cannot {what} mail {key.item[-12:]}: {error}") from error

    def _archive_folder(self) -> str:
        if not self._archive:
            found = self._client.folder(self._inbox.archive_folder)
            if found is None:
                self._check_creation()
                found = self._client.create_folder(self._inbox.archive_folder)
            self._check_difference(found)
            self._archive = found
        return self._archive

    def _check_creation(self) -> None:
        """Raise `ArchiveFolderMissing` when the folder, which does not exist, may not be created."""
        if not self._inbox.create_archive_folder:
            missing = f"there is no folder {self._inbox.archive_folder}, and create_archive_folder is off"
            raise ArchiveFolderMissing(f"{missing}; {self._client.listed()}")

    def _check_difference(self, archive: str) -> None:
        if archive == self._folder:
            raise Misconfigured(f"inbox {self._inbox.name}: archive_folder and folder must differ")

    # testing

    def check(self) -> TestResult:
        """Test URL, name, TLS, login, right to the mailbox, inbox folder and archive folder."""
        return connection_test.tested(self._checked, lambda: datetime.now(UTC))

    def _checked(self) -> tuple[str, ...]:
        with self:
            for key in islice(self._keys(page=1), 1):  # the right to see a folder is less than that to read a mail
                self._content(key, 1, cut=True)
            if self._inbox.after != "archive":
                return ()
            found = self._client.folder(self._inbox.archive_folder)
            if found is not None:
                self._check_difference(found)
                return ()
            self._check_creation()
        return (connection_test.WILL_BE_CREATED.format(folder=self._inbox.archive_folder),)


def _mail(key: Key) -> str:
    return f"/messages/{quote(key.item, safe='')}"


def _peek(key: Key, raw: bytes) -> Peek:
    return Peek(key, len(raw) if len(raw) < PEEK_BYTES else None, raw)
