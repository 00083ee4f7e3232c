"""Publish raw mail on the intake queue, and count it when the broker has confirmed.

The command line and the fetcher hand mail in with this module. Integrators publish to the queue themselves; `read`
reads the messages of both.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from shared.clock import Clock
from shared.contracts import codec
from shared.contracts.errors import Undecodable
from shared.contracts.events import MailReceived
from shared.runtime.broker import INTAKE, REFERENCE, RFC822, Broker, Headers, Message
from shared.runtime.crash_points import crash_point
from shared.runtime.envelope import reference
from shared.store.arrivals import Arrivals
from shared.store.documents import Documents

INLINE = 64 << 10
"""Bytes. Larger mails are stored first, and the message carries a reference."""
_READABLE = {RFC822, "application/octet-stream", "text/plain", "", REFERENCE}


@dataclass(frozen=True, slots=True)
class RawMail:
    """A mail as it was received. `inbox` None: the default inbox. `source_id`: the source's own key."""

    raw: bytes
    inbox: str | None = None
    source_id: str | None = None
    envelope_from: str | None = None
    envelope_to: tuple[str, ...] = ()


class Door:
    """Hands mails to intake. They are durable when `hand_over` returns."""

    def __init__(self, broker: Broker, documents: Documents, clock: Clock) -> None:
        self.broker, self.documents, self.clock = broker, documents, clock
        self.arrivals = Arrivals(documents)

    def hand_over(self, mails: Sequence[RawMail]) -> list[str]:
        """Publish mails; return the message ids. Raises `Unavailable`: then hand all of them over again."""
        with self.documents.batch():
            messages = [self._message(mail) for mail in mails]
        crash_point("door.stored")
        self.broker.publish(messages)
        crash_point("door.published")
        now = self.clock.now()
        with self.documents.batch():
            for message, mail in zip(messages, mails, strict=True):
                self.arrivals.handed_in(message.id, mail.inbox or "", now)
        crash_point("door.counted")
        return [message.id for message in messages]

    def _message(self, mail: RawMail) -> Message:
        body, content_type = mail.raw, RFC822
        if len(body) > INLINE:
            body, content_type = codec.dumps({"blob": self.documents.put_blob(body)}), REFERENCE
        headers: dict[str, str | int] = {}
        if mail.inbox is not None:
            headers["inbox"] = mail.inbox
        if mail.source_id is not None:
            headers["source-id"] = mail.source_id
        if mail.envelope_from is not None:
            headers["envelope-from"] = mail.envelope_from
        if mail.envelope_to:
            headers["envelope-to"] = ", ".join(mail.envelope_to)
        return Message(uuid.uuid4().hex, INTAKE, body, content_type=content_type, headers=headers)


def read(message: Message, documents: Documents) -> MailReceived:
    """The mail in an intake message, from Postroom or from an integrator.

    Raises `Undecodable` for a content type that is never read (pickle, YAML, ...), `LookupError` when a
    reference names a blob that is not there.
    """
    content_type = message.content_type.split(";", 1)[0].strip().lower()
    if content_type not in _READABLE:
        raise Undecodable(f"intake takes {RFC822}, not {content_type!r}")
    raw = documents.get_blob(reference(message.body)) if content_type == REFERENCE else message.body
    headers = message.headers
    return MailReceived(
        raw,
        _text(headers, "inbox") or "",
        _text(headers, "source-id"),
        _text(headers, "envelope-from"),
        tuple(part.strip() for part in (_text(headers, "envelope-to") or "").split(",") if part.strip()),
        message.id,
    )


def _text(headers: Headers, name: str) -> str | None:
    value = headers.get(name)
    return None if value is None else str(value)
