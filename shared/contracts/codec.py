"""Event ↔ JSON: the only module that knows the wire form.

A dataclass becomes an object with one member a field (`from_` travels as `from`). Decoding is strict about
types and about JSON itself (duplicate keys, NaN, endless integers and nesting are refused), lenient about
members it does not know. Raises `Undecodable`, or `FromTheFuture` for a version this code does not know.
"""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from shared.contracts import events as _events
from shared.contracts.errors import FromTheFuture, Undecodable
from shared.contracts.events import Event
from shared.contracts.mail import ParsedMail

VERSION = 1
EVENTS: Mapping[str, type[Event]] = {cls.__name__: cls for cls in typing.get_args(_events.Event)}
MAX_DIGITS = 18
"""Longer integers than 64 bits have no meaning in any event."""

Encoder = Callable[[Any], Any]
Decoder = Callable[[Any, str], Any]


def encode(event: Event) -> bytes:
    """The body of the message that carries an event."""
    return _text(_encoder_of(type(event))(event)).encode()


def _encoder_of(cls: Any) -> Encoder:
    return encoder(cls)


def decode(type_: str, body: bytes, version: object = VERSION) -> Event:
    """The event in a message body."""
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise Undecodable(f"the schema version {version!r} is none")
    if version > VERSION:
        raise FromTheFuture(f"schema version {version} is newer than {VERSION}")
    cls = EVENTS.get(type_)
    if cls is None:
        raise Undecodable(f"there is no event {type_!r}")
    event: Event = decoder(typing.cast(Any, cls))(loads(body), type_)
    return event


def loads(body: bytes | str) -> Any:
    """JSON, strictly (RFC 8259, and unique names)."""
    try:
        return _DECODER.decode(body.decode("utf-8") if isinstance(body, bytes) else body)
    except (ValueError, RecursionError) as error:
        raise Undecodable(f"not JSON: {error}") from None


_text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def dumps(value: Any) -> bytes:
    """Compact JSON in UTF-8."""
    return _text(value).encode()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return members


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError("an integer is too long")
    return int(digits)


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON value")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_int=_integer, parse_constant=_constant)


@cache
def encoder(type_: Any) -> Encoder:
    """A function from a value of this type to what JSON can say."""
    if dataclasses.is_dataclass(type_):
        return _dataclass_encoder(typing.cast(type, type_))
    origin, arguments = typing.get_origin(type_), typing.get_args(type_)
    if origin is tuple:
        item = encoder(arguments[0])
        return list if item is _same else lambda value: [item(each) for each in value]
    if origin in (types.UnionType, typing.Union):
        inner = encoder(next(argument for argument in arguments if argument is not type(None)))
        return inner if inner is _same else lambda value: None if value is None else inner(value)
    return _same


def _same(value: Any) -> Any:
    return value


def _dataclass_encoder(cls: type) -> Encoder:
    @cache
    def members() -> list[tuple[str, str, Encoder]]:  # found at first use: a dataclass may hold its own kind
        hints = typing.get_type_hints(cls)
        return [(f.name, f.name.rstrip("_"), encoder(hints[f.name])) for f in dataclasses.fields(cls)]

    return lambda value: {wire: encode_(getattr(value, name)) for name, wire, encode_ in members()}


@cache
def decoder(type_: Any) -> Decoder:
    """A function from JSON to a value of this type; its second argument names the place for the error."""
    if dataclasses.is_dataclass(type_):
        return _dataclass_decoder(typing.cast(type, type_))
    origin, arguments = typing.get_origin(type_), typing.get_args(type_)
    if origin is tuple:
        return _tuple_decoder(decoder(arguments[0]))
    if origin is typing.Literal:
        return _choice_decoder(arguments)
    if origin in (types.UnionType, typing.Union):
        return _optional_decoder(decoder(next(a for a in arguments if a is not type(None))))
    return _plain_decoder(type_)


def _dataclass_decoder(cls: type) -> Decoder:
    @cache
    def members() -> list[tuple[str, str, Decoder, bool]]:
        hints = typing.get_type_hints(cls)
        return [
            (f.name, f.name.rstrip("_"), decoder(hints[f.name]), f.default is dataclasses.MISSING)
            for f in dataclasses.fields(cls)
        ]

    def decode_(value: Any, place: str) -> Any:
        if not isinstance(value, dict):
            raise Undecodable(f"{place} is no object")
        found = {}
        for name, wire, decode_member, required in members():
            if wire in value:
                found[name] = decode_member(value[wire], wire)
            elif required:
                raise Undecodable(f"{place} has no {wire}")
        return cls(**found)

    return decode_


def _tuple_decoder(item: Decoder) -> Decoder:
    def decode_(value: Any, place: str) -> Any:
        if not isinstance(value, list):
            raise Undecodable(f"{place} is no list")
        return tuple([item(each, place) for each in value])

    return decode_


def _choice_decoder(choices: tuple[Any, ...]) -> Decoder:
    def decode_(value: Any, place: str) -> Any:
        if value not in choices:
            raise Undecodable(f"{place} is none of {', '.join(map(str, choices))}")
        return value

    return decode_


def _optional_decoder(inner: Decoder) -> Decoder:
    return lambda value, place: None if value is None else inner(value, place)


def _plain_decoder(cls: Any) -> Decoder:
    if cls is Any:
        return lambda value, _: value

    check = _CHECKS.get(cls)

    def decode_(value: Any, place: str) -> Any:
        if type(value) is not cls or (check is not None and not check(value)):
            raise Undecodable(f"{place} is no {cls.__name__} that an event can hold")
        return value

    return decode_


def _is_text(value: str) -> bool:
    """Whether UTF-8 can say it: a lone surrogate is refused by every store."""
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


_CHECKS: Mapping[Any, Callable[[Any], bool]] = {str: _is_text, int: lambda value: 0 <= value < 1 << 63}
"""Integers in events are counts, codes and sizes."""

mail_to_json: Encoder = encoder(ParsedMail)
"""A parsed mail as `postroom parse` prints it and events carry it."""
_mail_from_json = decoder(ParsedMail)


def mail_from_json(members: Any) -> ParsedMail:
    """The mail again. Raises `Undecodable`."""
    mail: ParsedMail = _mail_from_json(members, "mail")
    return mail
