"""Hand raw mail to intake for a person or a mail transfer agent, and return the id by which it is found later."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.contracts.errors import PostroomError
from shared.ids import mail_id
from shared.intake import RawMail

if TYPE_CHECKING:
    from shared.app import App


@dataclass(frozen=True, slots=True)
class Origin:
    """The origin of mails: the inbox (None: the default one), the publisher's own key, the envelope (RFC 5321)."""

    inbox: str | None = None
    source_id: str | None = None
    envelope_from: str | None = None
    envelope_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """One published mail: `mail_id` finds it in the journal, `size` is in bytes."""

    path: str
    mail_id: str
    inbox: str
    sha256: str
    size: int


def publish(app: App, mails: Sequence[tuple[str, bytes]], origin: Origin) -> int:
    """Put mails (path and bytes of each) on the intake queue; return their number once the queue has confirmed them.

    Raises `Unavailable` when it has not.
    """
    if mails:
        app.door.hand_over(
            [RawMail(raw, origin.inbox, origin.source_id, origin.envelope_from, origin.envelope_to) for _, raw in mails]
        )
    return len(mails)


def receipt(app: App, path: str, raw: bytes, origin: Origin) -> Receipt:
    """The id of a published mail, for `postroom mails show MAIL_ID`."""
    default = app.directory.current().default_inbox
    inbox = origin.inbox or (default.name if default else "")
    sha256 = hashlib.sha256(raw).hexdigest()
    return Receipt(path, mail_id(inbox, origin.source_id, sha256), inbox, sha256, len(raw))


def unknown_inbox_warning(app: App, inbox: str | None) -> str | None:
    """A warning about an inbox that is not configured. Intake takes the mail all the same."""
    with suppress(PostroomError):  # the configuration cannot be read: the mail is taken all the same
        if inbox is not None and app.directory.current().inbox(inbox) is None:
            return f"there is no inbox {inbox!r}; its mail becomes dead letters, which can be replayed"
    return None
