"""Rows ↔ documents: a frozen dataclass as the store keeps it.

The row's `id` is the document's `_id`; a trailing underscore is left out (`from_` is kept as `from`); tuples are
lists. What the store holds is trusted: keys that a row does not have are ignored, keys that a document does not have
leave the row's default. Separate from the wire form, which has to doubt what it reads.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from shared.store.documents import Document

Row = TypeVar("Row")
Convert = Callable[[Any], Any]


def encoder(
    row: type[Row], *, left_out: frozenset[str] = frozenset(), id_key: str = "_id"
) -> Callable[[Row], Document]:
    """A function from a row to its document. A field of `left_out` that is None has no key in the document."""
    members = [(name, key, _encode(hint), name in left_out) for name, key, hint in _members(row, id_key)]

    def encode(value: Row) -> Document:
        document = {}
        for name, key, convert, optional in members:
            held = getattr(value, name)
            if held is not None:
                document[key] = convert(held) if convert else held
            elif not optional:
                document[key] = None
        return document

    return encode


def decoder(row: type[Row], *, id_key: str = "_id") -> Callable[[Document], Row]:
    """A function from a document to its row."""
    members = [(name, key, _decode(hint)) for name, key, hint in _members(row, id_key)]

    def decode(document: Document) -> Row:
        found = {}
        for name, key, convert in members:
            if key in document:
                held = document[key]
                found[name] = convert(held) if convert and held is not None else held
        return row(**found)

    return decode


def _members(row: type, id_key: str) -> list[tuple[str, str, Any]]:
    """Each field of a row with its key in the document and its type."""
    hints = get_type_hints(row)
    names = [each.name for each in fields(row)]
    return [(name, id_key if name == "id" else name.rstrip("_"), _known(hints[name])) for name in names]


def _known(hint: Any) -> Any:
    """The type of a value that is there."""
    if get_origin(hint) in (types.UnionType, Union):
        return next(each for each in get_args(hint) if each is not type(None))
    return hint


def _encode(hint: Any) -> Convert | None:
    if is_dataclass(hint):
        return encoder(hint, id_key="id")  # type: ignore[arg-type]
    if get_origin(hint) is not tuple:
        return None
    item = _encode(get_args(hint)[0])
    return (lambda value: [item(each) for each in value]) if item else list


def _decode(hint: Any) -> Convert | None:
    if is_dataclass(hint):
        return decoder(hint, id_key="id")  # type: ignore[arg-type]
    if get_origin(hint) is not tuple:
        return None
    item = _decode(get_args(hint)[0])
    return (lambda value: tuple([item(each) for each in value])) if item else tuple
