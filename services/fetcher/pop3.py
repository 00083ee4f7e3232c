"""POP3 mailboxes: mail is known by its UIDL, and deleted or left where it is (TI-08).

A server deletes when the session ends with QUIT. A connection that breaks before deletes nothing: the ledger knows what
was taken, and the next visit deletes it. A server that knows no UIDL, or gives one to two mails, has the hash of the
whole mail as its key: then a mail is downloaded to be recognised, and once more to be taken.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Final, Self

from services.fetcher import pop3_client, scanning
from services.fetcher.mailbox import (
    PEEK_BYTES,
    FolderScan,
    InboxAccess,
    Key,
    KeyStates,
    NotInFolder,
    Peek,
    Unfetchable,
    folder_of,
)
from services.fetcher.pop3_client import Pop3Client, Pop3Refused
from shared.contracts.errors import Misconfigured, Unavailable
from shared.mail_network import connection_test
from shared.mail_network.connection import Unreachable
from shared.mail_network.connection_test import TestResult
from shared.mail_network.lines import address_of
from shared.mail_network.logins import Policy

PEEK_LINES: Final = 1000
NO_UIDL: Final = (
    "The server names no unique ids (UIDL): mails are recognised by their content, "
    "so each visit downloads those that were left in the mailbox."
)
_HASHED: Final = "sha256-"


class Pop3Mailbox:
    """One POP3 account (see `services.fetcher.mailbox.Mailbox`)."""

    def __init__(self, access: InboxAccess) -> None:
        self._inbox, self._who, self._limits = access.inbox, access.credentials, access.limits
        self._client: Pop3Client | None = None
        self._place = folder_of(self._inbox)
        self._numbers: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._address = address_of(self._inbox)
        self._connected()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.set_deadline(self._limits.operation.total_seconds())
            pop3_client.quit_or_hang_up(client)

    def hang_up(self) -> None:
        """Close the connection, even during an operation; a later use opens a new one."""
        if (client := self._client) is not None:
            client.hang_up()

    # listing

    def waiting(self, states_of: KeyStates, limit: int) -> FolderScan:
        """New mails, oldest first, and those that are taken and still have to be deleted."""
        sizes: dict[Key, int] = {}
        found = scanning.scan(self._keys(sizes), states_of, limit, sizes)
        left = self._inbox.after == "mark_read"  # nothing has to be done with mail that stays
        return replace(found, to_archive=()) if left else found

    def _sizes(self) -> dict[int, int]:
        """The size of each mail by its number, as announced."""
        with self._operation("list the mailbox") as client:
            return {int(words[0]): int(words[1]) for words in _pairs(client.listing("LIST")) if words[1].isdigit()}

    def _keys(self, sizes: dict[Key, int]) -> Iterator[Key]:
        """The key of each mail; `sizes` is filled. Those without a unique id of their own are downloaded."""
        announced, ids = self._sizes(), self._unique_ids()
        self._numbers = {item: number for number, item in ids.items()}
        for number in sorted(announced):
            key = Key(self._place, ids.get(number) or self._hashed(number, announced[number]))
            sizes[key] = announced[number]
            yield key

    def _unique_ids(self) -> dict[int, str]:
        """The unique id of each mail by its number; an id of two mails identifies neither."""
        try:
            with self._operation("list the mailbox") as client:
                listed = {
                    int(words[0]): words[1].decode("ascii", "replace") for words in _pairs(client.listing("UIDL"))
                }
        except Pop3Refused:
            return {}
        counts = Counter(listed.values())
        return {number: item for number, item in listed.items() if counts[item] == 1}

    def _hashed(self, number: int, size: int) -> str:
        """The key of a mail by its content, whose bytes are not kept; by its size when it cannot be read now."""
        item, digest = f"{_HASHED}size-{size}", hashlib.sha256()
        if size <= self._limits.max_download:
            try:
                self._read(f"RETR {number}", size, digest.update)
            except (Pop3Refused, Unfetchable):  # it fails once more when it is to be taken, and is reported then
                pass
            else:
                item = _HASHED + digest.hexdigest()
        self._numbers[item] = number
        return item

    # fetching

    def fetch(self, key: Key, size: int | None = None) -> bytes:
        """Return the bytes of one mail. One that is announced as too large is not read."""
        self._limits.check_size(size)
        raw = bytearray()
        try:
            self._read(f"RETR {self._number(key)}", size or 0, raw.extend)
        except Pop3Refused as error:
            raise Unfetchable(f"the server does not give the mail: {error}") from error
        if size and not raw:
            raise Unfetchable("the server returns no content for this mail")
        return bytes(raw)

    def _number(self, key: Key) -> int:
        """The number of a mail in this session."""
        self._connected()
        number = self._numbers.get(key.item)
        if number is None:
            raise NotInFolder("the mail is no longer in the mailbox")
        return number

    def _read(self, command: str, size: int, take: Callable[[bytes], object]) -> None:
        """Read one mail. If the connection breaks, the failure counts for the mail, not the server."""
        try:
            with self._operation("fetch a mail", download=True, size=size) as client:
                client.mail(command, take)
        except Unavailable as error:
            raise Unfetchable(str(error)) from error

    def peek(self, count: int) -> Sequence[Peek]:
        """The beginnings of the oldest mails; TOP leaves them unread."""
        sizes, ids = self._sizes(), self._unique_ids()
        return [self._peek(number, ids.get(number, str(number)), sizes[number]) for number in sorted(sizes)[:count]]

    def _peek(self, number: int, item: str, size: int) -> Peek:
        with self._operation("peek") as client:
            has_top = "TOP" in client.capabilities()
        raw = bytearray()
        self._read(f"TOP {number} {PEEK_LINES}" if has_top else f"RETR {number}", size, raw.extend)
        return Peek(Key(self._place, item), size, bytes(raw[:PEEK_BYTES]))

    # deleting

    def archive(self, keys: Sequence[Key]) -> None:
        """POP3 has no folders: the mails stay."""
        del keys
        raise Misconfigured("pop3 has no folders: the mail stays in the mailbox")

    def delete(self, keys: Sequence[Key]) -> None:
        """Mark these mails as deleted; the server removes them at the end of the session."""
        self._connected()
        for key in keys:
            number = self._numbers.get(key.item)
            if number is None:
                continue
            try:
                with self._operation("delete") as client:
                    client.command(f"DELE {number}")
            except Pop3Refused as error:
                if "already" not in str(error).casefold():
                    raise Unfetchable(f"the server does not delete the mail: {error}") from error

    def mark_read(self, keys: Sequence[Key]) -> None:
        """Leave them in place; POP3 has no marks."""

    # testing

    def check(self) -> TestResult:
        """Test host, name, TLS, login; the result says when the server has no unique ids."""
        return connection_test.tested(self._checked, lambda: datetime.now(UTC))

    def _checked(self) -> tuple[str, ...]:
        with self, self._operation("test") as client:
            try:
                for _ in client.listing("UIDL"):
                    pass
            except Pop3Refused:
                return (NO_UIDL,)
        return ()

    # the connection

    def _connected(self) -> Pop3Client:
        """The connection; after a break a new session, in which the numbers of the mails are asked for again."""
        if self._client is None:
            client = pop3_client.connect(
                self._address, self._limits.max_download, self._limits.operation.total_seconds()
            )
            try:
                self._log_in(client)
            except BaseException:
                client.hang_up()
                raise
            self._client = client
            if self._numbers:
                self._renumber()
        return self._client

    def _renumber(self) -> None:
        """Numbers hold for one session only."""
        known, self._numbers = self._numbers, {}
        self._numbers = {item: number for number, item in self._unique_ids().items()}
        if any(item.startswith(_HASHED) for item in known):
            raise Unreachable("the connection broke; the server has no unique ids, so the next visit goes on")

    def _log_in(self, client: Pop3Client) -> None:
        limits = self._limits
        policy = Policy(
            encrypted=self._inbox.tls != "none", allow_cleartext=limits.allow_cleartext_auth, fips=limits.fips
        )
        client.set_deadline(limits.operation.total_seconds())
        pop3_client.log_in(client, self._address, self._inbox.auth, self._who, policy)

    @contextmanager
    def _operation(self, what: str, *, download: bool = False, size: int = 0) -> Iterator[Pop3Client]:
        """Run one operation with a deadline. After a connection error the next operation opens a new connection."""
        client = self._connected()
        client.set_deadline(self._limits.seconds(download=download, size=size))
        try:
            with pop3_client.translated_errors(self._address):
                yield client
        except Unavailable:
            self._client = None
            client.hang_up()
            raise
        except (ValueError, IndexError) as error:
            raise Unfetchable(f"cannot {what}: an answer is not valid POP3") from error


def _pairs(lines: Iterator[bytes]) -> Iterator[tuple[bytes, bytes]]:
    """Number and value of each line; some servers put several blanks between them."""
    for line in lines:
        words = line.split()
        if len(words) >= 2 and words[0].isdigit():
            yield words[0], words[1]
