"""Publish raw mail to intake for a person or a mail transfer agent; return the id by which it is found later."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from shared.contracts.errors import PostroomError
from shared.intake import RawMail
from shared.lazy_dataclass import dataclass

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
    """One published mail: `postroom mails show` finds it by `mail_id` at once; `size` is in bytes."""

    path: str
    mail_id: str
    inbox: str
    sha256: str
    size: int

    def as_json(self) -> dict[str, object]:
        """The receipt for machines."""
        known = {"path": self.path, "mail_id": self.mail_id, "inbox": self.inbox}
        return {**known, "sha256": self.sha256, "size": self.size}


@dataclass(frozen=True, slots=True)
class Ready:
    """A mail that is ready to be published, and where it was found."""

    path: str
    mail: RawMail


def made_ready(path: str, raw: bytes, origin: Origin) -> Ready:
    """The mail with its hash and its head, for which nothing of the desk is needed."""
    mail = RawMail(raw, origin.inbox, origin.source_id, origin.envelope_from, origin.envelope_to)
    _ = mail.head
    return Ready(path, mail)


def publish(app: App, ready: Sequence[Ready]) -> list[Receipt]:
    """Put mails on the intake queue; return a receipt for each once the queue has confirmed.

    Raises `Unavailable` when it has not.
    """
    if not ready:
        return []
    ids = app.intake.hand_over([each.mail for each in ready])
    default = app.intake.default_inbox()
    return [
        Receipt(each.path, id_, each.mail.inbox or default, each.mail.sha256, len(each.mail.raw))
        for id_, each in zip(ids, ready, strict=True)
    ]


def unknown_inbox_warning(app: App, inbox: str | None) -> str | None:
    """A warning about an inbox that is not configured. Intake takes the mail all the same."""
    if not is_unknown_inbox(app, inbox):
        return None
    return f"there is no inbox {inbox!r}; its mail becomes dead letters, which can be replayed"


def is_unknown_inbox(app: App, inbox: str | None) -> bool:
    """Whether an inbox is named that is not configured; False where the configuration cannot be read."""
    with suppress(PostroomError):
        return bool(inbox) and app.directory.current().inbox(inbox or "") is None
    return False
