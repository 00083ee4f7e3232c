"""Publish raw mail on the intake queue, and count it when the broker has confirmed.

The command line and the fetcher hand mail in with this module. Integrators publish to the queue themselves; `read`
reads the messages of both. The count of an arrival carries the id of its mail and what its header says (decision
0086), so that a mail can be found before the parser has read it.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from typing import Final

from shared.clock import Clock
from shared.contracts import codec
from shared.contracts.errors import Undecodable
from shared.contracts.events import History, MailReceived
from shared.contracts.mail import Address
from shared.encoded_words import decoded
from shared.ids import mail_id
from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile
from shared.runtime.broker import CONTENT_ENCODING, INTAKE, REFERENCE, RFC822, Broker, Headers, Message
from shared.runtime.crash_points import crash_point
from shared.runtime.envelope import new_trace, reference
from shared.store.arrivals import HANDED_IN, Arrival, Arrivals, MailHead
from shared.store.documents import Documents
from shared.store.mails import message_key
from shared.text import from_iso, iso

INLINE = 64 << 10
"""Bytes of a mail that travels in its message. On one file none does: it would be written twice more."""
MAX_HEAD_BYTES = 64 << 10
"""Bytes at the beginning of a mail in which its header is looked for."""
MAX_VALUE_CHARACTERS = 1000
_HEAD_END = lazy_compile(rb"\r?\n\r?\n")
_FIELD = lazy_compile(rb"(?im)^(message-id|subject|from)[ \t]*:(.*(?:\n[ \t].*)*)")
_IN_BRACKETS = lazy_compile(r"<([^<>\s]+@[^<>\s]+)>")
_ADDRESS = lazy_compile(r"([^\s<>()\",;:]+@[^\s<>()\",;:]+)")
HISTORY_AT, HISTORY_FOLLOWS, HISTORY_STATUS = "history-at", "history-follows", "history-status"
"""Headers of an old mail (see `History`)."""
SOURCE: Final = "source"
"""Header: by which way a mail of Postroom's own came, one of `SOURCES`; an integrator's has none."""
SOURCES: Final = frozenset({"mailbox", "http"})
_COMPRESSED: Final = ("gzip", "x-gzip", "deflate", "compress", "br", "zstd", "base64")
_READABLE = {RFC822, "application/octet-stream", "text/plain", "", REFERENCE}


@dataclass(frozen=True)
class RawMail:
    """A mail as it was received. `inbox` None: the default inbox. `source_id`: the source's own key.

    `history` is set for an old mail, about which nobody is notified. `source`: one of `SOURCES`, or empty.
    """

    raw: bytes
    inbox: str | None = None
    source_id: str | None = None
    envelope_from: str | None = None
    envelope_to: tuple[str, ...] = ()
    history: History | None = None
    source: str = ""

    @cached_property
    def sha256(self) -> str:
        """The hash of its bytes."""
        return hashlib.sha256(self.raw).hexdigest()

    @cached_property
    def head(self) -> MailHead:
        """What its header says."""
        return head_of(self.raw, self.sha256)


class IntakePublisher:
    """Hands mails to intake. They are durable when `hand_over` returns.

    `together`: what is written inside it to queues and store becomes durable at once; for those that are one file.
    `inline`: bytes of a mail that its message carries itself; a larger one is stored first, and its message names it.
    `observers` are called with the messages when these are durable; they must not raise.
    """

    def __init__(
        self,
        broker: Broker,
        documents: Documents,
        clock: Clock,
        default_inbox: Callable[[], str] = str,
        together: Callable[[], AbstractContextManager[None]] = nullcontext,
        inline: int = INLINE,
    ) -> None:
        self.broker, self.documents, self.clock, self.default_inbox = broker, documents, clock, default_inbox
        self.together, self.inline = together, inline
        self.arrivals = Arrivals(documents)
        self.observers: list[Callable[[Sequence[Message]], None]] = []

    def hand_over(self, mails: Sequence[RawMail]) -> list[str]:
        """Publish mails; return the ids of the mails. Raises `Unavailable`: then hand all of them over again."""
        heads = [mail.head for mail in mails]
        with self.together():
            with self.documents.batch():
                messages = [self._message(mail) for mail in mails]
            crash_point("intake.stored")
            self.broker.publish(messages)
            crash_point("intake.published")
            arrivals = [self._arrival(*each) for each in zip(messages, mails, heads, strict=True)]
            self.arrivals.handed_in(arrivals)
        crash_point("intake.counted")
        for observe in self.observers:
            observe(messages)
        return [each.mail_id for each in arrivals if each.mail_id]

    def _arrival(self, message: Message, mail: RawMail, head: MailHead) -> Arrival:
        """The arrival of a mail, which names the mail's id."""
        inbox = mail.inbox or self.default_inbox()
        id_ = mail_id(inbox, mail.source_id, head.sha256)
        return Arrival(message.id, inbox, self.clock.now(), HANDED_IN, id_, head)

    def _message(self, mail: RawMail) -> Message:
        body, content_type = mail.raw, RFC822
        if len(body) > self.inline:
            body, content_type = codec.dumps({"blob": self.documents.put_blob(body, mail.sha256)}), REFERENCE
        headers: dict[str, str | int] = {"traceparent": new_trace()}
        if mail.source:
            headers[SOURCE] = mail.source
        if mail.inbox is not None:
            headers["inbox"] = mail.inbox
        if mail.source_id is not None:
            headers["source-id"] = mail.source_id
        if mail.envelope_from is not None:
            headers["envelope-from"] = mail.envelope_from
        if mail.envelope_to:
            headers["envelope-to"] = ", ".join(mail.envelope_to)
        if mail.history is not None:
            headers |= _headers_of(mail.history)
        return Message(uuid.uuid4().hex, INTAKE, body, content_type=content_type, headers=headers)


def head_of(raw: bytes, sha256: str) -> MailHead:
    """What the header of a mail says, read quickly and without judging it; the parser reads it well, later."""
    end = _HEAD_END.search(raw, 0, MAX_HEAD_BYTES)
    found = _FIELD.findall(raw, 0, end.start() if end else MAX_HEAD_BYTES)
    values = {name.lower(): _value(value) for name, value in reversed(found)}
    message_id = values.get(b"message-id") or None
    return MailHead(
        sha256,
        len(raw),
        _sender(values.get(b"from", "")),
        _decoded(values.get(b"subject", "")),
        message_id,
        message_key(message_id),
    )


def _sender(text: str) -> Address | None:
    """The first address of a From field; the email package's own reader recurses into nested comments."""
    in_brackets = _IN_BRACKETS.search(text)
    found = in_brackets or _ADDRESS.search(text)
    if found is None:
        return None
    name = text[: found.start()].strip(' "') if in_brackets else ""
    return Address(_decoded(name), found[1])


def _value(raw: bytes) -> str:
    return " ".join(raw.decode("utf-8", "replace").split())[:MAX_VALUE_CHARACTERS]


def _decoded(text: str) -> str:
    """A header's text with its encoded words decoded, which may hold half of a character pair, replaced here."""
    return decoded(text).encode("utf-8", "replace").decode()


def read(message: Message, documents: Documents) -> MailReceived:
    """The mail in an intake message, from Postroom or from an integrator.

    Raises `Undecodable` for a content type that is never read (pickle, YAML, ...), `LookupError` when a
    reference names a blob that is not there.
    """
    content_type = message.content_type.split(";", 1)[0].strip().lower()
    if content_type not in _READABLE:
        raise Undecodable(f"intake takes the content type {RFC822}, not {content_type!r}")
    sha256 = reference(message.body) if content_type == REFERENCE else ""
    raw = documents.get_blob(sha256) if sha256 else message.body
    headers = message.headers
    if (encoding := (_text(headers, CONTENT_ENCODING) or "").casefold()).startswith(_COMPRESSED):
        raise Undecodable(
            f"intake takes the mail itself, not compressed or as base64: its content encoding is {encoding!r}"
        )
    return MailReceived(
        raw,
        _text(headers, "inbox") or "",
        _text(headers, "source-id"),
        _text(headers, "envelope-from"),
        tuple(part.strip() for part in (_text(headers, "envelope-to") or "").split(",") if part.strip()),
        message.id,
        _history(headers),
        sha256,
    )


def _headers_of(history: History) -> dict[str, str]:
    said = {HISTORY_AT: history.at, HISTORY_FOLLOWS: history.follows, HISTORY_STATUS: history.status}
    return {name: value for name, value in said.items() if value is not None}


def _history(headers: Headers) -> History | None:
    """What the headers of an old mail say. Raises `Undecodable` for an invalid time."""
    at = _text(headers, HISTORY_AT)
    if at is None:
        return None
    try:
        moment = iso(from_iso(at))
    except (ValueError, OverflowError):
        raise Undecodable(f"the header {HISTORY_AT} has to be a time as 2019-05-14T09:30:00Z") from None
    return History(moment, _text(headers, HISTORY_FOLLOWS), _text(headers, HISTORY_STATUS))


def _text(headers: Headers, name: str) -> str | None:
    value = headers.get(name)
    return None if value is None else str(value)
