"""Message ↔ AMQP properties, with whatever an AMQP client may have put there. Pure functions.

Reads properties and headers as the libraries decode them (or raw, where they cannot); emits `Message` with
headers that are strings and integers only. Separate, because any client may publish to `intake`: bytes as
keys, nested tables, huge timestamps and invalid UTF-8 may lose one header, but never stop a worker.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Mapping
from itertools import accumulate

from shared.contracts.errors import BoundExceeded
from shared.lazy_dataclass import dataclass
from shared.rabbitmq.topology import Topology
from shared.runtime.broker import DEAD_LETTER, MAX_DELIVERIES, POISONED, Headers, Message

MAX_MESSAGE_BYTES = 16 * 1024 * 1024
"""Bytes of a body; RabbitMQ 4 takes no more by default."""
MAX_HEADER_BYTES = 96 << 10
"""All headers travel in one frame, of 128 KiB by default; a publisher may have filled it, and we add to it."""
HANDED_OUT = "x-handed-out"
"""How often a copy's original was handed out and not settled; RabbitMQ counts a copy from zero."""
_HEAVIEST_NAME = 16 + 4 * 255 + 20
"""A name of 255 characters, its integer, and what is around them: see `_weight`."""
_ACQUISITIONS_SINCE = (4, 3)
_SHORT = 255
_INT64 = 1 << 63
_BROKERS_OWN = frozenset(
    {"x-death", "x-delivery-count", "x-acquired-count", "x-stream-offset", HANDED_OUT}
    | {f"x-{which}-death-{what}" for which in ("first", "last") for what in ("queue", "exchange", "reason")}
)
"""Never shown, never sent on: RabbitMQ 3 takes them for its own history and drops a message as a cycle."""
_OURS = frozenset(
    {"attempt", "at", "cause", "version", "traceparent", "reason", "stage", "queue", "incident", HANDED_OUT}
    | {"inbox", "source-id", "envelope-from", "envelope-to"}
)
_SIZES = {b"t": 1, b"b": 1, b"B": 1, b"s": 2, b"u": 2, b"U": 2, b"I": 4, b"i": 4, b"f": 4, b"l": 8, b"L": 8}
_SIZES |= {b"d": 8, b"D": 5, b"T": 8, b"V": 0}
_INTEGERS = {b"t": ">B", b"b": ">b", b"B": ">B", b"s": ">h", b"U": ">h", b"u": ">H", b"I": ">i", b"i": ">I"}
_INTEGERS |= {b"l": ">q", b"L": ">q"}
_LONG_STRINGS, _NESTED = (b"S", b"x"), (b"A", b"F")


_WORDS_OF_DEATH = {
    "delivery_limit": POISONED,
    "expired": "the message expired before a worker took it: its publisher, or a policy of RabbitMQ, limits its time",
}
"""Reasons of RabbitMQ in words."""


@dataclass(frozen=True, slots=True)
class Death:
    """The queue from which RabbitMQ itself dead-lettered a message, and the reason."""

    queue: str
    reason: str


def check_size(message: Message) -> None:
    """A clear refusal at the producer: the broker would close the whole channel (RabbitMQ 4: 16 MiB)."""
    if len(message.body) > MAX_MESSAGE_BYTES:
        detail = f"{len(message.body)} bytes to {message.to!r}; store it first and publish a reference"
        raise BoundExceeded("message_size", detail)


def short(text: str) -> str:
    """At most the 255 bytes of an AMQP short string, cut between characters."""
    if len(text) <= _SHORT and text.isascii():
        return text
    return text.encode("utf-8", "replace")[:_SHORT].decode("utf-8", "ignore")


def text_of(value: object) -> str:
    """A property as text: missing is empty, bytes are read leniently."""
    if value is None:
        return ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def outgoing(headers: Headers, handed_out: int = 0) -> dict[str, str | int]:
    """Headers as they go to the wire; of a table that no frame would hold, the largest of a stranger stay behind."""
    table = {
        short(name): _in_utf_8(value) if isinstance(value, str) and not value.isascii() else value
        for name, value in headers.items()
        if name not in _BROKERS_OWN
    }
    if handed_out:
        table[HANDED_OUT] = handed_out
    fits = _is_short(table) or sum(map(_weight, table.items())) <= MAX_HEADER_BYTES
    return table if fits else _fitting(table)


def _is_short(table: Mapping[str, str | int]) -> bool:
    """Whether that is seen from the lengths alone, as in every table of ours: four bytes for each character."""
    characters = sum([len(value) for value in table.values() if type(value) is str])
    return _HEAVIEST_NAME * len(table) + 4 * characters <= MAX_HEADER_BYTES


def _fitting(table: Mapping[str, str | int]) -> dict[str, str | int]:
    ours_first = sorted(table.items(), key=lambda entry: (entry[0] not in _OURS, _weight(entry)))
    weights = accumulate(map(_weight, ours_first))
    return dict(entry for entry, total in zip(ours_first, weights, strict=True) if total <= MAX_HEADER_BYTES)


def _weight(entry: tuple[str, str | int]) -> int:
    """At least what it takes in a header table (AMQP 0-9-1, 4.2.5.5)."""
    name, value = entry
    return 16 + 4 * len(name) + (4 * len(value) if isinstance(value, str) and not value.isascii() else len(str(value)))


def _in_utf_8(text: str) -> str:
    return text.encode("utf-8", "replace").decode()


def incoming(table: Mapping[object, object]) -> dict[str, str | int]:
    """Headers of any client, flattened: what is neither text nor number nor true/false is left out.

    An `inbox` of that kind is kept in words: no inbox has such a name, and without one the mail goes to the default.
    """
    shown: dict[str, str | int] = {}
    for key, value in table.items():
        if type(key) is str and type(value) is str and key not in _BROKERS_OWN:
            shown[key] = value
            continue
        name = text_of(key)
        plain = repr(value)[:200] if name == "inbox" and isinstance(value, Mapping | list | tuple) else _plain(value)
        if plain is not None and name not in _BROKERS_OWN:
            shown[name] = plain
    return shown


def _plain(value: object) -> str | int | None:
    if isinstance(value, bool | int):
        return int(value) if -_INT64 <= value < _INT64 else str(value)
    if isinstance(value, bytes | str):
        return text_of(value)
    if value is None or isinstance(value, Mapping | list | tuple):
        return None
    return str(value)  # decimals, timestamps, floats


def counter_of(server_properties: Mapping[str, object] | None) -> str:
    """The header in which this broker counts hand-outs of a message.

    From 4.3 on `x-delivery-count` is there only after a failure: no consumer time-out counts, and until the first
    failure the header shows what a publisher or an earlier queue left in it.
    """
    version = re.match(r"(\d+)\.(\d+)", text_of((server_properties or {}).get("version")))
    counts_acquisitions = version is not None and (int(version[1]), int(version[2])) >= _ACQUISITIONS_SINCE
    return "x-acquired-count" if counts_acquisitions else "x-delivery-count"


def handed_out(table: Mapping[object, object], *, redelivered: bool, counter: str) -> int:
    """How often the message was handed out before: the broker's count in `counter` and the one that a copy carries.

    The broker writes its header on a redelivery only: on a first delivery it comes from the publisher. A carried count
    stays below the limit: a header alone never turns a message that was not handed out into a poison message.
    """
    counted = max(1, _natural(table.get(counter))) if redelivered else 0
    return counted + min(_natural(table.get(HANDED_OUT)), MAX_DELIVERIES - 1)


def moved_by_broker(table: Mapping[object, object]) -> bool:
    """Whether another queue dead-lettered the message to this one.

    RabbitMQ 4 hands it out as redelivered, with the other queue's count, until this queue has counted for itself.
    """
    return "x-death" in table or "x-first-death-queue" in table


def _natural(value: object) -> int:
    return min(value, 1 << 31) if isinstance(value, int) and value > 0 else 0


def death_of(table: Mapping[object, object], names: Topology) -> Death | None:
    """The newest entry of x-death that names one of our work queues; tiers and forgeries do not count."""
    deaths = table.get("x-death")
    entries = deaths if isinstance(deaths, list) else []
    first = {"queue": table.get("x-first-death-queue"), "reason": table.get("x-first-death-reason")}
    for entry in [*entries, first]:
        if isinstance(entry, Mapping) and (death := _our_death(entry, names)):
            return death
    return None


def _our_death(entry: Mapping[object, object], names: Topology) -> Death | None:
    key = names.key_of(text_of(entry.get("queue")))
    reason = text_of(entry.get("reason"))
    if key not in names.work_keys or key == DEAD_LETTER:
        return None
    return Death(key, _WORDS_OF_DEATH.get(reason) or f"dead-lettered by the broker: {reason}")


def buried_by_broker(headers: dict[str, str | int], table: Mapping[object, object], names: Topology) -> None:
    """Give a message that RabbitMQ moved to the dead letters the headers that `bury` would have set."""
    if death := death_of(table, names):
        headers |= {"reason": death.reason, "stage": death.queue, "queue": death.queue}
    headers.setdefault("reason", "dead-lettered by the broker, which does not say why")
    headers.setdefault("stage", "")
    headers.setdefault("queue", "")


def split_headers(properties: bytes) -> tuple[bytes, bytes]:
    """Encoded basic properties without their header table, and that table (AMQP 0-9-1, 4.2.6.1).

    Used where a library fails on a header: the rest of the message is fine.
    """
    (flags,) = struct.unpack_from(">H", properties)
    if not flags & _HEADERS_FLAG:
        return properties, b""
    start = 2
    for flag in (_CONTENT_TYPE_FLAG, _CONTENT_ENCODING_FLAG):
        if flags & flag:
            start += 1 + properties[start]
    (size,) = struct.unpack_from(">I", properties, start)
    end = start + 4 + size
    kept = struct.pack(">H", flags & ~_HEADERS_FLAG) + properties[2:start] + properties[end:]
    return kept, properties[start + 4 : end]


_CONTENT_TYPE_FLAG, _CONTENT_ENCODING_FLAG, _HEADERS_FLAG = 1 << 15, 1 << 14, 1 << 13


def read_table(raw: bytes) -> dict[object, object]:
    """The top level of an encoded header table: texts and integers; everything else is stepped over.

    Stops at the first byte that makes no sense, and returns what it has.
    """
    table: dict[object, object] = {}
    at = 0
    try:
        while at < len(raw):
            name, at = raw[at + 1 : at + 1 + raw[at]], at + 1 + raw[at]
            kind, at = raw[at : at + 1], at + 1
            value, at = _read_value(raw, kind, at)
            if value is not None:
                table[text_of(name)] = value
    except (KeyError, IndexError, struct.error):
        pass
    return table


def _read_value(raw: bytes, kind: bytes, at: int) -> tuple[object, int]:
    if kind in _LONG_STRINGS or kind in _NESTED:
        (size,) = struct.unpack_from(">I", raw, at)
        value = raw[at + 4 : at + 4 + size] if kind in _LONG_STRINGS else None
        return value, at + 4 + size
    end = at + _SIZES[kind]
    form = _INTEGERS.get(kind)
    return (struct.unpack_from(form, raw, at)[0] if form else None), end
