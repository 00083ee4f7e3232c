"""What a plan is made from. Gathered by the stage, read by pure functions, never changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from fnmatch import fnmatch
from typing import Any, Final

from shared.contracts.desk import Configuration, Inbox, Settings
from shared.contracts.events import Envelope, Sender
from shared.contracts.mail import Attachment, ParsedMail
from shared.store.documents import Document

EMAIL_LISTENER: Final = "email listener"
"""Whose name stands where no person's does (IV-07, TI-30)."""

Serials = Callable[[str], int]
"""The next number of a record type."""


@dataclass(frozen=True, slots=True)
class Facts:
    """One mail, who wrote it, where it came in, and what the desk is configured to do.

    `answers`: whether anybody may be answered at all; `answered` tells how many mails of ours the
    sender got lately; `raw` the blob of the original mail.
    """

    envelope: Envelope
    mail: ParsedMail
    sender: Sender
    inbox: Inbox
    configuration: Configuration
    now: datetime
    serials: Serials
    raw: str
    answers: bool = True
    answered: Callable[[], int] = lambda: 0

    @property
    def settings(self) -> Settings:
        """The desk's settings."""
        return self.configuration.settings

    @property
    def may_answer(self) -> bool:
        """Whether an automatic mail may go to the sender now: no robot, and not too many already (PR-02)."""
        cap = self.settings.automatic_mail_cap.per_address
        return self.answers and self.sender.address is not None and self.answered() < cap

    @property
    def is_analyst(self) -> bool:
        """Whether the sender works at the desk."""
        return "analyst" in self.sender.roles

    @property
    def author(self) -> str:
        """Whose name an activity carries when the record has no say: the matched person's (VS-06)."""
        if self.sender.person_id:
            return self.sender.name or self.sender.person_id
        return EMAIL_LISTENER

    @property
    def created_by(self) -> str:
        """The `created_by` of a new record (IV-07)."""
        if self.inbox.include_source_mailbox_name and self.inbox.processor == "incident":
            return f"Email {self.inbox.address}"
        return EMAIL_LISTENER


def author_on(facts: Facts, record: Document) -> str:
    """Whose name a note on a record carries (TI-30): the person's, the assigned analyst's, nobody's."""
    if facts.sender.person_id:
        return facts.author
    return str(record.get("owner") or EMAIL_LISTENER)


def kept_attachments(facts: Facts) -> tuple[tuple[Attachment, ...], tuple[Attachment, ...]]:
    """The attachments to keep and the restricted ones (TI-27); the full message too if so set (NE-10)."""
    patterns = [pattern.casefold() for pattern in facts.settings.restricted_attachments]
    restricted = tuple(each for each in facts.mail.attachments if _is_restricted(each, patterns))
    kept = tuple(each for each in facts.mail.attachments if each not in restricted)
    return (*kept, original(facts)) if facts.settings.keep_full_message else kept, restricted


def _is_restricted(attachment: Attachment, patterns: list[str]) -> bool:
    told = (attachment.filename.casefold(), attachment.content_type.casefold())
    return any(fnmatch(text, pattern) for text in told for pattern in patterns)


def original(facts: Facts) -> Attachment:
    """The mail itself, as an attachment."""
    return Attachment("original.eml", "message/rfc822", facts.mail.size, facts.raw)


def left_out(restricted: tuple[Attachment, ...]) -> str:
    """The "Email Received" note that names what was not added to the record (TI-27)."""
    names = ", ".join(each.filename for each in restricted)
    return f"Email Received. Not added, because its type is restricted: {names}"


def as_text(value: Any) -> str:
    """A configured value as text."""
    return "" if value is None else str(value)
