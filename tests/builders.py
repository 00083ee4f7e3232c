"""Mails and configurations for tests: say what matters, get the rest."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import make_msgid
from typing import Any, Final

from shared.config.model import DEFAULT, Configuration, Inbox, Person
from shared.store.mails import StoredMail
from shared.store.outbox import OutboxMail

ANNA = "Anna Becker <anna@customer.example>"


def a_mail(
    text: str = "The printer on floor 3 is on fire.\n",
    *,
    sender: str | None = ANNA,
    to: str = "support@example.com",
    subject: str | None = "Printer",
    html: str | None = None,
    files: tuple[tuple[str, str, bytes], ...] = (),
    **headers: str,
) -> bytes:
    """A mail. `headers` names have `_` for `-`; `files` are (name, type, bytes)."""
    message = EmailMessage()
    if sender:
        message["From"] = sender
    message["To"] = to
    if subject is not None:
        message["Subject"] = subject
    message["Message-ID"] = headers.pop("Message_ID", make_msgid(domain="customer.example"))
    message["Date"] = headers.pop("Date", "Fri, 20 Nov 2026 09:00:00 +0000")
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(text)
    if html:
        message.add_alternative(html, subtype="html")
    for name, type_, content in files:
        major, minor = type_.split("/")
        message.add_attachment(content, maintype=major, subtype=minor, filename=name)
    return message.as_bytes()


def an_inbox(name: str = "support", **keys: Any) -> Inbox:
    """An intake-only incident inbox."""
    return Inbox(name, keys.pop("address", f"{name}@example.com"), **keys)


def a_person(id_: str = "jdoe", **keys: Any) -> Person:
    """An employee who is a user."""
    keys.setdefault("name", "Jane Doe")
    keys.setdefault("addresses", (f"{id_}@example.com",))
    return Person(id_, **keys)


def an_analyst(id_: str = "ann", **keys: Any) -> Person:
    """An employee who works at the desk."""
    return a_person(id_, name=keys.pop("name", "Ann Analyst"), roles=keys.pop("roles", ("analyst",)), **keys)


RECEIVED_AT: Final = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def a_stored_mail(id_: str = "m1", **keys: Any) -> StoredMail:
    """A mail of the inbox `support` that was read and has no outcome, as stored."""
    base = {"inbox": "support", "raw": "0" * 64, "size": 400, "received_at": RECEIVED_AT, "kind": "message"}
    return StoredMail(**{"id": id_, **base, **keys})


def an_outgoing_mail(id_: str = "o1", **keys: Any) -> OutboxMail:
    """A mail to Anna that was sent, as stored."""
    base = {"to": ("anna@customer.example",), "subject": "Re: Printer", "text": "", "kind": "created"}
    sent = {"message_id": f"<{id_}@desk>", "message_key": f"{id_}@desk", "state": "sent", "at": RECEIVED_AT}
    return OutboxMail(**{"id": id_, **base, **sent, **keys})


TOO_MUCH: Final = {"Description": "x" * 600_000, "Category": "x" * 600_000}
"""Fields that a template may state each, and no record takes together."""


def a_configuration(*parts: Inbox | Person, **sections: Any) -> Configuration:
    """A configuration with these inboxes and people besides the default ones."""
    inboxes = tuple(part for part in parts if isinstance(part, Inbox))
    people = tuple(part for part in parts if isinstance(part, Person))
    named = {inbox.name for inbox in inboxes}
    return replace(
        DEFAULT,
        inboxes=(*inboxes, *(inbox for inbox in DEFAULT.inboxes if inbox.name not in named)),
        people=(*people, *DEFAULT.people),
        sections=frozenset({"inboxes", "people", *sections}),
        **sections,
    )
