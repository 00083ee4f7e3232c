"""Mailboxes of Google Workspace by the Gmail API, with a service account (NE-01): list, fetch, label, trash.

The folder of an inbox is a label. To archive is to take this label off and to put the one of `archive_folder` on; to
delete is to move to the trash, from where Gmail removes it after 30 days. A mail's id never changes.
"""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final, Self

from services.fetcher.mailbox import (
    PEEK_BYTES,
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
from shared.mail_network.gmail import GmailClient
from shared.mail_network.tls import tls_options
from shared.mail_network.web import MAX_JSON_BYTES, NotFound, RequestRefused, ServerFailed

AT_ONCE: Final = 500
"""Mails whose labels change in one request (Gmail takes 1,000)."""


class GmailMailbox(WebMailbox):
    """One label of one mailbox."""

    def __enter__(self) -> Self:
        self._client = client = GmailClient(
            self._inbox.google,
            account_of(self._inbox, self._inbox.address),
            self._credentials.tokens,
            tls=tls_options(self._inbox),
            seconds=self._limits.operation.total_seconds(),
        )
        self._web = client.web
        self._open_folder(client.label, client.create_label, client.listed, "label")
        return self

    # listing

    def waiting(self, states_of: KeyStates, limit: int) -> FolderScan:
        """List the label, oldest mail first. Gmail lists the newest first, so the whole list of ids is read."""
        ids = list(self._client.message_ids(self._folder, unread=self._inbox.take == "unseen"))
        return scan((Key(self._place, each) for each in reversed(ids)), states_of, limit)

    # fetching

    def fetch(self, key: Key, size: int | None = None) -> bytes:
        """The bytes of a mail as Gmail received it."""
        del size  # the list does not announce it
        with self._download(key):
            raw = self._raw(key)
        self._limits.check_size(len(raw))
        return raw

    def _raw(self, key: Key) -> bytes:
        seconds, limit = self._limits.download.total_seconds(), self._limits.max_download * 4 // 3 + MAX_JSON_BYTES
        found = self._client.get(f"/messages/{key.item}", {"format": "raw"}, limit=limit, seconds=seconds)
        try:
            text = str(found["raw"])
            return urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (KeyError, binascii.Error, ValueError) as error:
            raise Unfetchable("the server returns no content for this mail") from error

    def peek(self, count: int) -> Sequence[Peek]:
        """The beginnings of the oldest mails, read or unread."""
        ids = list(self._client.message_ids(self._folder, unread=False))
        keys = [Key(self._place, each) for each in islice(reversed(ids), count)]
        mails = ((key, self._raw(key)) for key in keys)
        return [Peek(key, len(raw), raw[:PEEK_BYTES]) for key, raw in mails]

    # archiving, deleting, marking as read

    def archive(self, keys: Sequence[Key]) -> None:
        """Take the inbox's label off and put the archive's on. A mail that is gone is ignored."""
        self._change(keys, {"addLabelIds": [self._archive.get()], "removeLabelIds": [self._folder]})

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

    # testing

    def check(self) -> TestResult:
        """Test name, TLS, login, right to the mailbox, the label of the inbox and that of the archive."""
        return connection_test.tested(self._checked, lambda: datetime.now(UTC))

    def _checked(self) -> tuple[str, ...]:
        with self:
            return self._archive.tested()
