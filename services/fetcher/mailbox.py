"""The mailbox interface of the fetcher, and the table of classes by protocol.

A `Mailbox` is a context manager: entering it connects, leaving it hangs up. `source` decides which
mails are taken and when. Classes are named as text and loaded at first use, so that only the libraries of configured
protocols are imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from datetime import timedelta
from importlib import import_module
from types import MappingProxyType, TracebackType
from typing import Literal, Protocol, Self, cast
from urllib.parse import quote

from shared.config.model import Inbox
from shared.contracts.errors import Misconfigured, PostroomError
from shared.lazy_dataclass import dataclass
from shared.mail_network.account import account_of
from shared.mail_network.connection import Refusal, Step
from shared.mail_network.connection_test import TestResult
from shared.mail_network.sasl import Credentials

MAX_DOWNLOAD_BYTES = 256 << 20
"""Larger mail is archived unread. Mail above the setting `max_mail_size` is downloaded, and rejected by the filter."""
MIN_BYTES_PER_SECOND = 50_000
"""Bytes a second: a download that is slower has failed."""
PEEK_BYTES = 64 << 10
_SAFE = "@.+-_/ "


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """Where one mail was seen. `place` names the folder and its generation, `item` the mail in it.

    For IMAP the place is `imap:<host>:<user>:<folder>:<uidvalidity>` and the item its UID (RFC 3501, 2.3.1.1):
    the pair never means another mail. It is a key of the ledger, never part of a mail's id.
    """

    place: str
    item: str

    @property
    def id(self) -> str:
        """The key as text."""
        return f"{self.place}:{self.item}"

    @property
    def number(self) -> int:
        """The item of a protocol that numbers its mails."""
        return int(self.item)


def place(protocol: str, *parts: str) -> str:
    """Parts joined by colons; a colon within a part is escaped, so that no two places share a name."""
    return ":".join((protocol, *(quote(part, safe=_SAFE) for part in parts)))


@dataclass(frozen=True, slots=True)
class Waiting:
    """A mail in the folder: its key, and the size that the server announces (None: it does not say)."""

    key: Key
    size: int | None = None


@dataclass(frozen=True, slots=True)
class FolderScan:
    """What one look at the folder found: `fresh` mails to be taken, and taken ones `to_archive`
    (or to be deleted or marked as read, as the inbox is configured).

    `fresh` is read once and may ask the server as it goes: oldest first, what failed before at the end.
    """

    fresh: Iterable[Waiting] = ()
    to_archive: tuple[Key, ...] = ()


@dataclass(frozen=True, slots=True)
class Peek:
    """The beginning of a waiting mail, to be shown and not to be processed (VS-02)."""

    key: Key
    size: int | None
    raw: bytes


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds and system-wide switches that a mailbox keeps to. Sizes in bytes."""

    max_download: int = MAX_DOWNLOAD_BYTES
    operation: timedelta = timedelta(seconds=60)
    download: timedelta = timedelta(seconds=120)
    allow_cleartext_auth: bool = False
    fips: bool = False

    def seconds(self, *, download: bool = False, size: int = 0) -> float:
        """The time that one operation may take; a download more of it for each byte that is announced."""
        return (self.download if download else self.operation).total_seconds() + size / MIN_BYTES_PER_SECOND

    def check_size(self, size: int | None) -> None:
        """Raise `TooLarge` for a mail of this size, announced or read, which is not downloaded."""
        if (size or 0) > self.max_download:
            raise TooLarge(f"the mail has {size} bytes; at most {self.max_download} are downloaded")


class NotInFolder(PostroomError):
    """The mail is not in the folder any more, because another client moved or deleted it. It is skipped."""


class Unfetchable(PostroomError):
    """One mail cannot be read from the server at the moment; the others can."""


class TooLarge(PostroomError):
    """The mail exceeds `max_download`; it is not downloaded."""


class InboxFolderMissing(Refusal, Misconfigured):
    """The folder to read does not exist, or this user may not open it."""

    step = Step.INBOX


class ArchiveFolderMissing(Refusal, Misconfigured):
    """The archive folder does not exist and cannot, or may not, be created."""

    step = Step.ARCHIVE


State = Literal["to_archive", "done", "again", "later"]
KeyStates = Callable[[Sequence[Key]], Mapping[Key, State]]
"""Asks the ledger about keys. A key that it does not name is new. `to_archive`: taken, still in the folder;
`done`: nothing left to do; `again`: failed before and due once more; `later`: failed before and not due yet."""


class Mailbox(Protocol):
    """One folder of one account. Every method raises `Unavailable` when the server is."""

    def __enter__(self) -> Self:
        """Connect, log in, open the folder. Raises `AuthenticationRefused` or `Misconfigured` too."""

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up. Never raises, never expunges."""

    def hang_up(self) -> None:
        """End the connection, from any thread; what is under way fails."""

    def waiting(self, states_of: KeyStates, limit: int) -> FolderScan:
        """Look at the folder: up to `limit` mails that the ledger does not know, and those to be archived."""

    def fetch(self, key: Key, size: int | None = None) -> bytes:
        """The exact bytes; the mail stays unread. Raises `NotInFolder`, `Unfetchable` or `TooLarge`."""

    def archive(self, keys: Sequence[Key]) -> None:
        """Move to the archive folder, which is created if it is missing and that is allowed."""

    def delete(self, keys: Sequence[Key]) -> None:
        """Remove these and no others."""

    def mark_read(self, keys: Sequence[Key]) -> None:
        """Leave them in place, marked as read."""

    def check(self) -> TestResult:
        """Test the connection, without a `with` block. Creates nothing, changes nothing."""

    def peek(self, count: int) -> Sequence[Peek]:
        """The first mails that wait, unread and untouched; at most `PEEK_BYTES` of each."""


@dataclass(frozen=True, slots=True)
class InboxAccess:
    """The arguments of a mailbox class: the inbox, its credentials, and the limits."""

    inbox: Inbox
    credentials: Credentials
    limits: Limits = field(default_factory=Limits)


PROTOCOLS: Mapping[str, str] = MappingProxyType(
    {
        "imap": "services.fetcher.imap:ImapMailbox",
        "pop3": "services.fetcher.pop3:Pop3Mailbox",
        "graph": "services.fetcher.graph:GraphMailbox",
        "ews": "services.fetcher.ews:EwsMailbox",
        "gmail": "services.fetcher.gmail:GmailMailbox",
    }
)
"""Protocol → class, which takes an `InboxAccess`."""


def mailbox_class(protocol: str) -> Callable[[InboxAccess], Mailbox]:
    """Return the class for a protocol; raises `Misconfigured` when there is none."""
    name = PROTOCOLS.get(protocol)
    if name is None:
        raise Misconfigured(f"protocol {protocol} is not available in this version; use {', '.join(PROTOCOLS)}")
    module, _, attribute = name.partition(":")
    return cast("Callable[[InboxAccess], Mailbox]", getattr(import_module(module), attribute))


def folder_of(inbox: Inbox) -> str:
    """The folder that an inbox reads, as a name for its lease: two inboxes on one folder share it."""
    return place(inbox.protocol, (inbox.host or "").lower(), account_of(inbox, inbox.address), inbox.folder)
