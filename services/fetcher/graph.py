"""Mailboxes of Microsoft 365 by Microsoft Graph (TI-01): list, fetch as MIME, move, delete, mark as read.

A mail is known by its immutable id, which stays the same in its mailbox and is case-sensitive. New mail is found by
listing the folder, and what is left in place by listing unread mail; the delta query, whose state expires, is not
needed (decision 0131). What the server limits ends the visit with the wait that it asks for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from typing import Final, Self
from urllib.parse import quote

from services.fetcher.mailbox import (
    PEEK_BYTES,
    ArchiveFolderMissing,
    FolderScan,
    Key,
    KeyStates,
    Peek,
    Unfetchable,
)
from services.fetcher.scanning import scan
from services.fetcher.web_mailbox import WebMailbox
from shared.mail_network import connection_test
from shared.mail_network.account import account_of
from shared.mail_network.connection_test import TestResult
from shared.mail_network.graph import GraphClient, PageExpired
from shared.mail_network.tls import tls_options
from shared.mail_network.web import Content, NotFound, ServerFailed

PAGE_MAILS: Final = 250
MAX_FAILURES: Final = 3
"""Mails that cannot be put away, after which the others are left to the next visit."""
_UNREAD: Final = "receivedDateTime ge 1970-01-01T00:00:00Z and isRead eq false"
"""What `$orderby` names has to come first in `$filter`, or Graph refuses the query as inefficient."""


class GraphMailbox(WebMailbox):
    """One folder of one mailbox."""

    def __enter__(self) -> Self:
        self._client = client = GraphClient(
            self._inbox.oauth,
            account_of(self._inbox, self._inbox.address),
            self._credentials.tokens,
            tls=tls_options(self._inbox),
            seconds=self._limits.operation.total_seconds(),
        )
        self._web = client.web
        self._open_folder(client.folder, client.create_folder, client.listed, "folder")
        return self

    # listing

    def waiting(self, states_of: KeyStates, limit: int) -> FolderScan:
        """List the folder, oldest mail first. A list whose next page has expired begins anew, once."""
        unread = self._inbox.take == "unseen"
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
        with self._download(key):
            return self._content(key, self._limits.max_download, cut=False)

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
        content = Content.of_json({"isRead": True})
        self._each(keys, "mark as read", lambda key: self._client.send("PATCH", _mail(key), content=content))

    def _move(self, key: Key) -> None:
        target = self._archive.get()
        try:
            self._client.post(f"{_mail(key)}/move", {"destinationId": target})
        except NotFound as error:
            if error.code == "ErrorItemNotFound":
                raise
            self._archive.forget()
            raise ArchiveFolderMissing(f"the archive folder is gone ({error})") from error

    def _each(self, keys: Sequence[Key], what: str, act: Callable[[Key], object]) -> None:
        """Do it for each mail, so that one which fails delays no other; raise what failed first at the end."""
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

    # testing

    def check(self) -> TestResult:
        """Test URL, name, TLS, login, right to the mailbox, inbox folder and archive folder."""
        return connection_test.tested(self._checked, lambda: datetime.now(UTC))

    def _checked(self) -> tuple[str, ...]:
        with self:
            for key in islice(self._keys(page=1), 1):  # the right to see a folder is less than that to read a mail
                self._content(key, 1, cut=True)
            return self._archive.tested()


def _mail(key: Key) -> str:
    return f"/messages/{quote(key.item, safe='')}"


def _peek(key: Key, raw: bytes) -> Peek:
    return Peek(key, len(raw) if len(raw) < PEEK_BYTES else None, raw)
