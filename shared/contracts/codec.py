"""Event ↔ JSON: the only module that knows the wire form.

`shared.contracts.mapping` makes the objects. Decoding is strict about types and about JSON itself (duplicate keys, NaN,
endless integers and nesting are refused), and ignores members that it does not know. Raises `Undecodable`, or
`NewerVersion` for a version that this code does not know. What Postroom wrote itself is read by a faster way, see
`shared.canonical_json`.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Mapping
from typing import Any, Final

from shared import canonical_json
from shared.contracts import events as _events
from shared.contracts.errors import NewerVersion, Undecodable
from shared.contracts.events import Event
from shared.contracts.mail import ParsedMail
from shared.contracts.mapping import SPARSE, from_plain, to_plain

VERSION = 1
EVENTS: Mapping[str, type[Event]] = {cls.__name__: cls for cls in typing.get_args(_events.Event)}
MAX_DIGITS: Final = 18
"""Longer integers than 64 bits have no meaning in any event."""


def encode(event: Event) -> bytes:
    """The body of the message that carries an event: members that have their default are left out."""
    return canonical_json.write(to_plain(type(event), SPARSE)(event))


def decode(type_: str, body: bytes, version: object = VERSION) -> Event:
    """The event in a message body."""
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise Undecodable(f"invalid schema version {version!r}")
    if version > VERSION:
        raise NewerVersion(f"schema version {version} is newer than {VERSION}")
    cls = EVENTS.get(type_)
    if cls is None:
        raise Undecodable(f"unknown event {type_!r}")
    event: Event = from_plain(typing.cast(Any, cls))(loads(body))
    return event


def loads(body: bytes | str) -> Any:
    """JSON, strictly (RFC 8259, and unique names)."""
    known = canonical_json.read(body) if isinstance(body, bytes) else canonical_json.NOT_CANONICAL
    return _strictly(body) if known is canonical_json.NOT_CANONICAL else known


def _strictly(body: bytes | str) -> Any:
    try:
        return _DECODER.decode(body.decode("utf-8") if isinstance(body, bytes) else body)
    except (ValueError, RecursionError) as error:
        raise Undecodable(f"not JSON: {error}") from None


dumps = canonical_json.write
"""Compact JSON in UTF-8."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("an object has two members of one name")
    return members


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError("an integer is too long")
    return int(digits)


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_int=_integer, parse_constant=_constant)


mail_to_json = to_plain(ParsedMail)
"""A parsed mail as `postroom parse` prints it and events carry it."""
mail_from_json = from_plain(ParsedMail)
"""The mail again. Raises `Undecodable`."""
