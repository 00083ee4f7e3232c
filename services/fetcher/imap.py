"""IMAP mailboxes: list mail, fetch it without changing flags, archive it without expunging other clients' mail.

Mail is identified by UIDVALIDITY and UID and fetched with BODY.PEEK[], so that fetching changes nothing in the
mailbox. Without UIDPLUS an EXPUNGE would also remove mail that other clients flagged, so mail is only flagged as
deleted. A broken connection is opened again at its next use, so that one bad mail does not end the poll.
"""

from __future__ import annotations

import imaplib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Self

from imapclient import DELETED, SEEN

from services.fetcher import imap_answers, imap_client, imap_folders
from services.fetcher.archive_folder import check_creation
from services.fetcher.idle import NoIdle
from services.fetcher.imap_answers import Items
from services.fetcher.imap_client import UNREADABLE, BoundedClient, words_of
from services.fetcher.mailbox import (
    PEEK_BYTES,
    ArchiveFolderMissing,
    FolderScan,
    InboxAccess,
    InboxFolderMissing,
    Key,
    KeyStates,
    NotInFolder,
    Peek,
    Unfetchable,
    Waiting,
    folder_of,
)
from services.fetcher.scanning import by_state, chunks
from services.fetcher.uid_sets import uid_sets
from shared.contracts.errors import Misconfigured, Unavailable
from shared.mail_network import connection_test
from shared.mail_network.connection import Deadline, Unreachable
from shared.mail_network.connection_test import TestResult
from shared.mail_network.lines import address_of
from shared.mail_network.logins import Policy

_BEGINNING = f"BODY.PEEK[]<0.{PEEK_BYTES}>"
_LITERAL_SLACK_BYTES = 64 << 10
_SECONDS_PER_MAIL = 0.2
"""More time for a command that moves or flags many mails, for each of them."""


class ImapMailbox:
    """One folder of one IMAP account (see `services.fetcher.mailbox.Mailbox`)."""

    def __init__(self, access: InboxAccess) -> None:
        self._inbox, self._who, self._limits = access.inbox, access.credentials, access.limits
        self._client: BoundedClient | None = None
        self._deadline = Deadline()
        self._place = ""
        self._archive = ""

    def __enter__(self) -> Self:
        if imap_folders.same(self._inbox.folder, self._inbox.archive_folder) and self._inbox.after == "archive":
            raise Misconfigured(f"inbox {self._inbox.name}: archive_folder and folder must differ")
        self._address = address_of(self._inbox)
        self._connected()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        client, self._client = self._client, None
        if client is None:
            return
        with suppress(Exception):  # errors of LOGOUT do not matter: it expunges nothing
            client.set_deadline(5)
            client.logout()
        client.hang_up()

    def hang_up(self) -> None:
        """Close the connection permanently, even while it is made or during an operation."""
        self._deadline.cancel()
        if (client := self._client) is not None:
            client.hang_up()

    # listing

    def waiting(self, states_of: KeyStates, limit: int) -> FolderScan:
        """Scan the folder, oldest mail first, without mail that is flagged as deleted."""
        with self._operation("look into the folder") as client:
            uids = client.uids(unread=self._inbox.take == "unseen")
        found = by_state((Key(self._place, str(uid)) for uid in uids), states_of, limit)
        return FolderScan(self._with_sizes(found.waiting(limit)), tuple(found.to_archive))

    def _with_sizes(self, keys: Sequence[Key]) -> Iterator[Waiting]:
        for part in chunks(keys):
            sizes = self._sizes(part)
            yield from (Waiting(key, sizes.get(key.number)) for key in part)

    def _sizes(self, keys: Sequence[Key]) -> dict[int, int]:
        """Return sizes by UID as announced, which may be wrong; unreadable answers are left out."""
        try:
            with self._operation("ask for sizes") as client:
                uids = [key.number for key in keys if key.place == self._place]
                answer = client.fetch_items(uids, "RFC822.SIZE")
        except (Unfetchable, Unreachable):
            return {}
        sizes = ((uid, imap_answers.number(items.get(b"RFC822.SIZE"))) for uid, items in answer.items())
        return {uid: size for uid, size in sizes if size is not None}

    def await_news(self, seconds: float) -> bool:
        """Wait until mail arrives, at most `seconds`; whether it did. Raises `NoIdle` without IDLE."""
        with self._operation("wait for mail") as client:
            if not client.has_capability("IDLE"):
                raise NoIdle("the server does not offer IDLE")
            return client.await_news(seconds)

    # fetching

    def fetch(self, key: Key, size: int | None = None) -> bytes:
        """Return the bytes of one mail. The announced `size` sets the deadline; mail that is too large is not read."""
        self._limits.check_size(size)
        self._connected()
        if key.place != self._place:
            raise NotInFolder("the folder was rebuilt (UIDVALIDITY changed)")
        return self._body(self._content(key, size or 0), size or 0)

    def _content(self, key: Key, size: int) -> Items:
        """Return the server's answer. If the connection breaks, the failure counts for the mail, not the server."""
        try:
            with self._operation(f"fetch mail {key.item}", download=True, size=size) as client:
                return client.fetch_items([key.number], "BODY.PEEK[]").get(key.number, {})
        except Unavailable as error:
            raise Unfetchable(str(error)) from error

    def _body(self, items: Items, size: int) -> bytes:
        raw = imap_answers.content(items)
        if raw is None:
            raise NotInFolder("the mail is no longer in the folder")
        if not isinstance(raw, bytes) or (size and not raw):
            raise Unfetchable("the server returns no content for this mail")
        return raw

    def peek(self, count: int) -> Sequence[Peek]:
        """Return the beginnings of the oldest waiting mails, read or unread."""
        with self._operation("look into the folder") as client:
            uids = client.uids(unread=False)[:count]
        with self._operation("peek", download=True) as client:
            answer = client.fetch_items(uids, f"RFC822.SIZE {_BEGINNING}")
        return [self._peek(uid, answer[uid]) for uid in uids if uid in answer]

    def _peek(self, uid: int, items: Items) -> Peek:
        return Peek(Key(self._place, str(uid)), imap_answers.number(items.get(b"RFC822.SIZE")), _first_part(items))

    # archiving, deleting, marking as read

    def archive(self, keys: Sequence[Key]) -> None:
        """Use MOVE (RFC 6851) if the server supports it, else COPY and delete. Mail that is already gone is ignored."""
        for uids, mails in self._current_uids(keys):
            folder = self._archive_folder()
            with self._operation("archive", mails=mails) as client:
                if client.has_capability("MOVE"):
                    client.move(uids, folder)
                else:
                    client.copy(uids, folder)
                    _remove(client, uids)

    def delete(self, keys: Sequence[Key]) -> None:
        """Flag these mails as deleted; expunge exactly these if the server supports UIDPLUS (RFC 4315)."""
        for uids, mails in self._current_uids(keys):
            with self._operation("delete", mails=mails) as client:
                _remove(client, uids)

    def mark_read(self, keys: Sequence[Key]) -> None:
        """Set the flag Seen."""
        for uids, mails in self._current_uids(keys):
            with self._operation("mark as read", mails=mails) as client:
                client.add_flags(uids, [SEEN], silent=True)

    def _current_uids(self, keys: Sequence[Key]) -> Iterator[tuple[str, int]]:
        """Yield sequence sets of the UIDs that belong to the current UIDVALIDITY, each with its number of mails."""
        self._connected()
        yield from uid_sets(key.number for key in keys if key.place == self._place)

    def _archive_folder(self) -> str:
        if not self._archive:
            with self._operation("find the archive folder") as client:
                self._archive = imap_folders.find(client, self._inbox.archive_folder) or self._created(client)
        return self._archive

    def _created(self, client: BoundedClient) -> str:
        name = self._inbox.archive_folder
        check_creation(self._inbox, lambda: imap_folders.listed(client))
        made = imap_folders.create(client, name)
        if made is None:
            raise ArchiveFolderMissing(f"the server does not create a folder {name}")
        return made

    # testing

    def check(self) -> TestResult:
        """Test host, name, TLS, login, inbox folder and archive folder; report the first failure."""
        return connection_test.tested(self._checked, lambda: datetime.now(UTC))

    def _checked(self) -> tuple[str, ...]:
        with self:
            if self._inbox.after != "archive":
                return ()
            with self._operation("find the archive folder") as client:
                if imap_folders.find(client, self._inbox.archive_folder) is not None:
                    return ()
                check_creation(self._inbox, lambda: imap_folders.listed(client))
        return (connection_test.WILL_BE_CREATED.format(folder=self._inbox.archive_folder),)

    # the connection

    def _connected(self) -> BoundedClient:
        if self._client is None:
            bound = self._limits.max_download + _LITERAL_SLACK_BYTES
            self._deadline.restart(self._limits.operation.total_seconds())
            client = imap_client.connect(self._address, bound, self._deadline)
            try:
                self._open(client)
            except BaseException as error:
                client.hang_up()
                if isinstance(error, UNREADABLE):
                    raise Unreachable(f"{self._address.where}: {words_of(error)}") from error
                raise
            self._client = client
        return self._client

    def _open(self, client: BoundedClient) -> None:
        limits, seconds = self._limits, self._limits.operation.total_seconds()
        encrypted = self._inbox.tls != "none"
        policy = Policy(encrypted=encrypted, allow_cleartext=limits.allow_cleartext_auth, fips=limits.fips)
        client.set_deadline(seconds)
        imap_client.log_in(client, self._address, self._inbox.auth, self._who, policy)
        client.set_deadline(seconds)
        with imap_client.translated_errors(self._address):
            self._place = f"{folder_of(self._inbox)}:{self._selected(client)}"

    def _selected(self, client: BoundedClient) -> int:
        folder = self._inbox.folder
        try:
            validity = client.open_folder(folder)
        except imaplib.IMAP4.readonly as error:
            raise InboxFolderMissing(f"folder {folder} cannot be written by this user") from error
        except imaplib.IMAP4.abort:
            raise
        except UNREADABLE as error:
            reason = f"folder {folder} cannot be opened: {words_of(error)}"
            raise InboxFolderMissing(f"{reason}; {imap_folders.listed(client)}") from error
        if validity is None:
            missing = f"names no UIDVALIDITY for {folder}: its mails cannot be distinguished"
            raise Unreachable(f"{self._address.where} {missing}")
        return validity

    @contextmanager
    def _operation(
        self, what: str, *, download: bool = False, size: int = 0, mails: int = 0
    ) -> Iterator[BoundedClient]:
        """Run one operation with a deadline. After a connection error the next operation opens a new connection."""
        client = self._connected()
        client.set_deadline(self._limits.seconds(download=download, size=size) + mails * _SECONDS_PER_MAIL)
        try:
            with imap_client.translated_errors(self._address):
                yield client
        except Unavailable:
            self._drop()
            raise
        except imaplib.IMAP4.abort as error:
            self._drop()
            raise Unreachable(f"{self._address.where}: {words_of(error)}") from error
        except UNREADABLE as error:
            raise Unfetchable(f"cannot {what}: {words_of(error)}") from error

    def _drop(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.hang_up()


def _first_part(items: Items) -> bytes:
    raw = imap_answers.content(items)
    return raw[:PEEK_BYTES] if isinstance(raw, bytes) else b""


def _remove(client: BoundedClient, uids: str) -> None:
    client.add_flags(uids, [DELETED], silent=True)
    if client.has_capability("UIDPLUS"):
        client.uid_expunge(uids)
