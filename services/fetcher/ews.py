"""Mailboxes of Exchange on the premises by EWS (IV-02, TI-01): list, fetch as MIME, move, delete, mark as read.

An item id is stable within its folder and case-sensitive; a mail that is moved out and back is a new one, which the
parser knows by its content. A token that the server refuses is renewed once in a visit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from services.fetcher.archive_folder import ArchiveFolder
from services.fetcher.mailbox import (
    PEEK_BYTES,
    FolderScan,
    InboxAccess,
    InboxFolderMissing,
    Key,
    KeyStates,
    NotInFolder,
    Peek,
    Unfetchable,
    folder_of,
)
from services.fetcher.scanning import scan
from shared.config.online_exchange import ENDS, HOSTS
from shared.contracts.errors import PostroomError
from shared.mail_network import connection_test
from shared.mail_network.connection import AuthenticationRefused
from shared.mail_network.connection_test import TestResult
from shared.mail_network.ews import (
    EwsAccess,
    EwsClient,
    EwsDenied,
    ItemFailed,
    mailbox_of,
)
from shared.mail_network.web import NotFound, host_of

PAGE_MAILS: Final = 100
MOVED_AT_ONCE: Final = 20
Found = TypeVar("Found")


class EwsMailbox:
    """One folder of one mailbox (see `services.fetcher.mailbox.Mailbox`)."""

    def __init__(self, access: InboxAccess) -> None:
        self._inbox, self._limits, self._credentials = access.inbox, access.limits, access.credentials
        self._client: EwsClient
        self._place = folder_of(access.inbox)
        self._folder: Any = None
        self._archive: ArchiveFolder[Any]
        self._sizes: dict[Key, int] = {}

    def __enter__(self) -> Self:
        seconds = self._limits.operation.total_seconds()
        mailbox = mailbox_of(self._inbox, self._inbox.address)
        access = EwsAccess(self._inbox, mailbox, self._credentials, seconds, fips=self._limits.fips)
        self._client = EwsClient(access)
        self._client.open()
        try:
            self._open_folder()
        except AuthenticationRefused:
            if not self._client.renew_token():
                raise
            self._open_folder()
        self._archive = ArchiveFolder(
            self._inbox, self._folder, self._found, self._client.create_folder, is_same=lambda a, b: a.id == b.id
        )
        return self

    def _open_folder(self) -> None:
        try:
            self._folder = self._client.folder(self._inbox.folder)
        except NotFound as error:
            raise InboxFolderMissing(f"there is no folder {self._inbox.folder} ({error})") from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()

    def hang_up(self) -> None:
        """Close the connection, even during a request."""
        self._client.hang_up()

    # listing

    def waiting(self, states_of: KeyStates, limit: int) -> FolderScan:
        """List the folder, oldest mail first, with the sizes that Exchange announces."""
        return scan(self._keys(unread=self._inbox.take == "unseen"), states_of, limit, self._sizes)

    def _keys(self, *, unread: bool = False) -> Iterator[Key]:
        self._sizes.clear()
        with self._client.errors():
            mails = self._folder.filter(is_read=False) if unread else self._folder.all()
            mails = mails.order_by("datetime_received").only("size")
            mails.page_size = PAGE_MAILS
            for each in mails:
                if isinstance(each, Exception):
                    raise self._client.error(each)
                key = Key(self._place, each.id)
                if each.size is not None:
                    self._sizes[key] = each.size
                yield key

    # fetching

    def fetch(self, key: Key, size: int | None = None) -> bytes:
        """The MIME form of a mail."""
        self._limits.check_size(size)
        try:
            return self._content(key)
        except NotFound as error:
            raise NotInFolder("the mail is no longer in the folder") from error
        except (ItemFailed, EwsDenied) as error:
            raise Unfetchable(f"cannot fetch mail {key.item[-12:]}: {error}") from error

    def _content(self, key: Key) -> bytes:
        (found,) = self._each([key], lambda ids: self._client.account.fetch(ids, only_fields=["mime_content"]))
        raw = getattr(found, "mime_content", None)
        if not isinstance(raw, bytes) or not raw:
            raise Unfetchable("the server returns no content for this mail")
        return raw

    def peek(self, count: int) -> Sequence[Peek]:
        """The beginnings of the oldest mails, read or unread."""
        return [Peek(key, self._sizes.get(key), self._content(key)[:PEEK_BYTES]) for key in islice(self._keys(), count)]

    # archiving, deleting, marking as read

    def archive(self, keys: Sequence[Key]) -> None:
        """Move to the archive folder. A mail that is gone is ignored."""
        folder = self._archive.get()
        self._apply(keys, "archive", lambda ids: self._client.account.bulk_move(ids, to_folder=folder))

    def delete(self, keys: Sequence[Key]) -> None:
        """Move to the deleted items, as when a person deletes it."""
        self._apply(
            keys,
            "delete",
            lambda ids: self._client.account.bulk_delete(ids, delete_type=self._client.lib.items.MOVE_TO_DELETED_ITEMS),
        )

    def mark_read(self, keys: Sequence[Key]) -> None:
        """Mark as read, without a read receipt."""

        def mark(ids: list[tuple[str, None]]) -> list[Any]:
            found = [each for each in self._client.account.fetch(ids, only_fields=["is_read"]) if _is_item(each)]
            for each in found:
                each.is_read = True
            return list(self._client.account.bulk_update([(each, ["is_read"]) for each in found])) if found else []

        self._apply(keys, "mark as read", mark)

    def _apply(self, keys: Sequence[Key], what: str, act: Callable[[list[tuple[str, None]]], list[Any]]) -> None:
        """Do it for all mails; raise what failed first at the end, so that one mail delays no other."""
        failures: list[PostroomError] = []
        for start in range(0, len(keys), MOVED_AT_ONCE):
            part = keys[start : start + MOVED_AT_ONCE]
            try:
                failures += self._failures(part, act)
            except (ItemFailed, NotFound):  # the library raises what concerns one mail of many
                for key in part:
                    failures += self._failure(key, act)
        if failures:
            raise Unfetchable(f"cannot {what} {len(failures)} mails: {failures[0]}") from failures[0]

    def _failures(
        self, keys: Sequence[Key], act: Callable[[list[tuple[str, None]]], list[Any]]
    ) -> Iterable[PostroomError]:
        with self._client.errors():
            answers = act([(key.item, None) for key in keys])
        errors = (self._client.error(each) for each in answers if isinstance(each, Exception))
        return [each for each in errors if not isinstance(each, NotFound)]

    def _failure(self, key: Key, act: Callable[[list[tuple[str, None]]], list[Any]]) -> Iterable[PostroomError]:
        try:
            return self._failures([key], act)
        except NotFound:
            return ()
        except ItemFailed as error:
            return (error,)

    def _each(self, keys: Sequence[Key], ask: Callable[[list[tuple[str, None]]], Any]) -> list[Any]:
        with self._client.errors():
            answers = list(ask([(key.item, None) for key in keys]))
        for each in answers:
            if isinstance(each, Exception):
                raise self._client.error(each)
        return answers

    def _found(self, path: str) -> Any:
        with suppress(NotFound):
            return self._client.folder(path)
        return None

    # testing

    def check(self) -> TestResult:
        """Test URL, name, TLS, login, right to the mailbox, inbox folder and archive folder."""
        return connection_test.tested(self._checked, lambda: datetime.now(UTC))

    def _checked(self) -> tuple[str, ...]:
        with self:
            notes: tuple[str, ...] = () if self._inbox.ews_url else (f"EWS was discovered at {self._client.url}.",)
            if host_of(self._client.url)[0] in HOSTS:
                notes += (f"{ENDS}.",)
            return (*notes, *self._archive.tested())


def _is_item(answer: Any) -> bool:
    return not isinstance(answer, Exception)
