"""Mailboxes of Google Workspace by the Gmail API, with a service account (NE-01): list, fetch, label, trash.

The folder of an inbox is a label. To archive is to take this label off and to put the one of `archive_folder` on; to
delete is to move to the trash, from where Gmail removes it after 30 days. A mail's id never changes.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from itertools import islice
from types import TracebackType
from typing import Any, Final, Self

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
from shared.mail_network.gmail import GmailClient, GmailDenied, NotFound, RequestRefused, ServerFailed
from shared.mail_network.web import MAX_JSON_BYTES, AnswerLost, AnswerTooLarge

PEEK_BYTES: Final = 64 << 10
AT_ONCE: Final = 500
"""Mails whose labels change in one request (Gmail takes 1,000)."""


class GmailMailbox:
    """One label of one mailbox (see `services.fetcher.mailbox.Mailbox`)."""

    def __init__(self, access: InboxAccess) -> None:
        self._inbox, self._limits, self._credentials = access.inbox, access.limits, access.credentials
        self._client: GmailClient
        self._place, self._label, self._archive = folder_of(access.inbox), "", ""

    def __enter__(self) -> Self:
        self._client = GmailClient(
            self._inbox.google,
            account_of(self._inbox),
            self._credentials.tokens,
            verify=self._inbox.verify_certificate,
            seconds=self._limits.operation.total_seconds(),
        )
        found = self._client.label(self._inbox.folder)
        if found is None:
            raise InboxFolderMissing(f"there is no label {self._inbox.folder}; {self._client.listed()}")
        self._label = found
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
        """List the label, oldest mail first. Gmail lists the newest first, so the whole list of ids is read."""
        unread = self._inbox.after == "mark_read" or self._inbox.take == "unseen"
        ids = list(self._client.message_ids(self._label, unread=unread))
        return scan((Key(self._place, each) for each in reversed(ids)), states_of, limit)

    # fetching

    def fetch(self, key: Key, size: int | None = None) -> bytes:
        """The bytes of a mail as Gmail received it."""
        del size  # the list does not announce it
        limit = self._limits.max_download
        with self._about(key, "fetch"):
            try:
                raw = self._raw(key, limit * 4 // 3 + MAX_JSON_BYTES)
            except NotFound as error:
                raise NotInFolder("the mail is no longer in the mailbox") from error
            except AnswerTooLarge as error:
                raise TooLarge(f"the mail has more than {limit} bytes, and no more are downloaded") from error
            except AnswerLost as error:
                raise Unfetchable(str(error)) from error
        if len(raw) > limit:
            raise TooLarge(f"the mail has {len(raw)} bytes; at most {limit} are downloaded")
        return raw

    def _raw(self, key: Key, limit: int) -> bytes:
        seconds = self._limits.download.total_seconds()
        found = self._client.get(f"/messages/{key.item}", {"format": "raw"}, limit=limit, seconds=seconds)
        try:
            text = str(found["raw"])
            return urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (KeyError, binascii.Error, ValueError) as error:
            raise Unfetchable("the server returns no content for this mail") from error

    def peek(self, count: int) -> Sequence[Peek]:
        """The beginnings of the oldest mails, read or unread."""
        ids = list(self._client.message_ids(self._label, unread=False))
        keys = [Key(self._place, each) for each in islice(reversed(ids), count)]
        mails = ((key, self._raw(key, self._limits.max_download * 4 // 3 + MAX_JSON_BYTES)) for key in keys)
        return [Peek(key, len(raw), raw[:PEEK_BYTES]) for key, raw in mails]

    # archiving, deleting, marking as read

    def archive(self, keys: Sequence[Key]) -> None:
        """Take the inbox's label off and put the archive's on. A mail that is gone is ignored."""
        self._change(keys, {"addLabelIds": [self._archive_label()], "removeLabelIds": [self._label]})

    def mark_read(self, keys: Sequence[Key]) -> None:
        """Mark as read."""
        self._change(keys, {"removeLabelIds": ["UNREAD"]})

    def _change(self, keys: Sequence[Key], labels: dict[str, Any]) -> None:
        each = iter(keys)
        while part := [key.item for key in islice(each, AT_ONCE)]:
            try:
                self._client.post("/messages/batchModify", {"ids": part, **labels})
            except (RequestRefused, ServerFailed, NotFound) as error:
                raise Unfetchable(f"cannot change the labels of {len(part)} mails: {error}") from error

    def delete(self, keys: Sequence[Key]) -> None:
        """Move to the trash."""
        for key in keys:
            with self._about(key, "delete"), suppress(NotFound):
                self._client.post(f"/messages/{key.item}/trash", {})

    @contextmanager
    def _about(self, key: Key, what: str) -> Iterator[None]:
        """Count what concerns one mail for that mail, so that it does not end the visit."""
        try:
            yield
        except (RequestRefused, ServerFailed, GmailDenied) as error:
            raise Unfetchable(f"cannot {what} mail {key.item}: {error}") from error

    def _archive_label(self) -> str:
        if not self._archive:
            found = self._client.label(self._inbox.archive_folder)
            if found is None:
                self._check_creation()
                found = self._client.create_label(self._inbox.archive_folder)
            self._check_difference(found)
            self._archive = found
        return self._archive

    def _check_creation(self) -> None:
        """Raise `ArchiveFolderMissing` when the label, which does not exist, may not be created."""
        if not self._inbox.create_archive_folder:
            missing = f"there is no label {self._inbox.archive_folder}, and create_archive_folder is off"
            raise ArchiveFolderMissing(f"{missing}; {self._client.listed()}")

    def _check_difference(self, archive: str) -> None:
        if archive == self._label:
            raise Misconfigured(f"inbox {self._inbox.name}: archive_folder and folder must differ")

    # testing

    def check(self) -> TestResult:
        """Test name, TLS, login, right to the mailbox, the label of the inbox and that of the archive."""
        return connection_test.tested(self._checked, lambda: datetime.now(UTC))

    def _checked(self) -> tuple[str, ...]:
        with self:
            if self._inbox.after != "archive":
                return ()
            found = self._client.label(self._inbox.archive_folder)
            if found is not None:
                self._check_difference(found)
                return ()
            self._check_creation()
        return (connection_test.WILL_BE_CREATED.format(folder=self._inbox.archive_folder),)
