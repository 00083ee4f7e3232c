"""Events as messages: envelope, derived ids, and the claim check for what is too large to travel.

An event whose JSON is longer than `INLINE` bytes is kept as a blob first; the message then carries its hash.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable
from typing import Protocol

from shared.contracts import codec
from shared.contracts.errors import Undecodable
from shared.contracts.events import Event
from shared.ids import derived_id
from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile
from shared.runtime.broker import INTAKE, JSON, Message

INLINE = 256 << 10
LARGE_EVENT = "application/vnd.postroom.event-reference+json"
NO_TYPE = "the message has no type; raw mail belongs to intake"
_SHA256_HEX = 64
_TRACEPARENT = lazy_compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")


class Blobs(Protocol):
    """The part of the store that keeps bytes."""

    def get_blob(self, sha256: str) -> bytes:
        """The bytes; `LookupError` when there are none."""


class LargeEvents(Protocol):
    """The part of the store that keeps events which are too large to travel."""

    def keep(self, body: bytes, mail_id: str, queue: str) -> str:
        """Store the JSON of an event on its way to a queue; return its hash."""


@dataclass(frozen=True, slots=True)
class CarriedEvent:
    """An event on its way within one process."""

    event: Event
    to: str
    large: LargeEvents

    def body(self) -> tuple[bytes, str]:
        """Its JSON, or a reference to it when that is long, and the content type."""
        body = codec.encode(self.event)
        if len(body) <= INLINE:
            return body, JSON
        return codec.dumps({"blob": self.large.keep(body, mail_id_of(self.event), self.to)}), LARGE_EVENT


def pack(event: Event, to: str, *, cause: Message, stage: str, index: int, large: LargeEvents) -> Message:
    """The message, as bytes, that carries the `index`-th event that `stage` emits because of `cause`."""
    return carry(event, to, cause=cause, stage=stage, index=index, large=large).packed()


def carry(event: Event, to: str, *, cause: Message, stage: str, index: int, large: LargeEvents) -> Message:
    """The same message with the event itself, for a stage of this process."""
    id_ = derived_id("event", *_origin(cause, event), stage, str(index))
    headers: dict[str, str | int] = {
        "version": codec.VERSION,
        "cause": cause.id,
        "at": int(time.time()),
        "traceparent": child_trace(cause, stage),
    }
    carried = CarriedEvent(event, to, large)
    return Message(id_, to, b"", type(event).__name__, JSON, mail_id_of(event), headers, carried)


def _origin(cause: Message, event: Event) -> tuple[str, str]:
    """The cause from which the event's id is derived. A mail that was handed in twice is one mail from here on."""
    return ("mail", mail_id_of(event)) if cause.to == INTAKE else (cause.id, cause.correlation_id)


def unpack(message: Message, blobs: Blobs, *kinds: type[Event]) -> Event:
    """The event a message carries, one of `kinds`: a queue carries no others.

    Raises `Undecodable`, `NewerVersion`; `LookupError` when its blob is missing.
    """
    if kinds and message.type not in {kind.__name__ for kind in kinds}:
        raise Undecodable(f"the queue {message.to} takes no {message.type!r}" if message.type else NO_TYPE)
    if isinstance(message.carried, CarriedEvent):
        return message.carried.event
    body = message.body
    if message.content_type == LARGE_EVENT:
        body = blobs.get_blob(reference(body))
    elif message.content_type != JSON:
        raise Undecodable(f"content type {message.content_type!r} is not read from work queues")
    return codec.decode(message.type, body, message.headers.get("version"))


def reader(blobs: Blobs, *kinds: type[Event]) -> Callable[[Message], Event]:
    """A stage's way of reading its queue."""
    return lambda message: unpack(message, blobs, *kinds)


def reference(body: bytes) -> str:
    """The blob id in a reference message."""
    found = codec.loads(body)
    blob = found.get("blob") if isinstance(found, dict) else None
    if not (isinstance(blob, str) and len(blob) == _SHA256_HEX and set(blob) <= set("0123456789abcdef")):
        raise Undecodable("the reference names no blob")
    return blob


def mail_id_of(event: Event) -> str:
    """The mail an event is about."""
    return event.mail_id if hasattr(event, "mail_id") else event.envelope.mail_id


def new_trace() -> str:
    """A `traceparent` (W3C Trace Context) of a new trace."""
    return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def child_trace(cause: Message, stage: str) -> str:
    """The `traceparent` of what a stage emits because of a message: its trace, and the span of handling it."""
    return f"00-{trace_of(cause)[0]}-{span_id(cause, stage)}-01"


def trace_of(message: Message) -> tuple[str, str | None]:
    """The trace of a message, and the span that caused it.

    A message whose publisher states none, or an invalid one, begins a trace that depends on its id.
    """
    found = _TRACEPARENT.fullmatch(str(message.headers.get("traceparent", "")))
    if found and found[1].strip("0") and found[2].strip("0"):
        return found[1], found[2]
    return derived_id("trace", message.id), None


def span_id(message: Message, stage: str) -> str:
    """The span of a stage that handles a message: the same whenever it does, as the ids of what it emits."""
    return derived_id("span", message.id, stage)[:16]
