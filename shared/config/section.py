"""Readers of parts that have parts: lists, free mappings, and sections with known keys.

A section reads every key that it finds and logs every problem before it gives up, so that one check shows
all of them. What cannot be read is left at its default or, when nothing can be made without it, left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from shared.config.problems import InvalidValue, Location, UnusablePart, nearest_key
from shared.config.readers import Read, T, kind_of
from shared.config.tree import Item, Mapped, Sequenced, Text
from shared.lazy_dataclass import dataclass

MERGE: Final = "<<"
_NOTHING: Final = object()


def list_of(read: Read[T], *, least: int = 0) -> Read[tuple[T, ...]]:
    """A list of values; a single value counts as a list of one."""

    def read_list(item: Item, location: Location) -> tuple[T, ...]:
        items = item.items if isinstance(item, Sequenced) else [item]
        values = [attempt(read, each, location.nth(index)) for index, each in enumerate(items)]
        location.log.left_out.extend((location.path, index) for index, value in enumerate(values) if value is _NOTHING)
        if len(items) < least:
            raise InvalidValue("the list is empty; write at least one")
        return tuple(value for value in values if value is not _NOTHING)

    return read_list


def mapping_of(read_key: Read[str], read: Read[T]) -> Read[dict[str, T]]:
    """A mapping with free keys; stored documents keep it as a list of pairs."""

    def read_mapping(item: Item, location: Location) -> dict[str, T]:
        found = {}
        for key, each in pairs(item, location):
            at = location.at(key.text)
            named, value = attempt(read_key, _word(key), at), attempt(read, each, at)
            if named is not _NOTHING and value is not _NOTHING:
                found[named] = value
        return found

    return read_mapping


def _word(key: Text) -> Text:
    """A key as the text it is, although `on` or `5` would be something else as a value."""
    return Text(key.text, key.line)


def attempt(read: Read[Any], item: Item, location: Location) -> Any:
    """The value, or `_NOTHING` once the problem has been logged."""
    try:
        return read(item, location)
    except InvalidValue as refusal:
        location.log.add(location.path, str(refusal), refusal.line or item.line)
    except UnusablePart:
        pass
    return _NOTHING


@dataclass(frozen=True, slots=True)
class Section:
    """A reader of a mapping with known keys, which makes one value by calling `kind` with them."""

    kind: Callable[..., Any]
    readers: Mapping[str, Read[Any]]
    required: tuple[str, ...] = ()

    def __call__(self, item: Item, location: Location) -> Any:
        """Read the stated keys. Raises `UnusablePart` when a needed one is missing."""
        return self.kind(**self.values(item, location))

    def values(self, item: Item, location: Location) -> dict[str, Any]:
        """The checked values of the stated keys; keys without a usable value are left out."""
        stated = dict(self._stated(item, location))
        missing = [key for key in self.required if key not in stated]
        for key in missing:
            location.at(key).refuse("missing, and it is needed", item)
        values = {key: attempt(self.readers[key], each, location.at(key)) for key, each in stated.items()}
        usable = {key: value for key, value in values.items() if value is not _NOTHING}
        if any(key not in usable for key in self.required):
            raise UnusablePart
        return usable

    def _stated(self, item: Item, location: Location) -> Iterator[tuple[str, Item]]:
        for key, each in pairs(item, location):
            if key.text not in self.readers:
                location.at(key.text).refuse(f"unknown key{nearest_key(key.text, self.readers)}", key)
            elif not (isinstance(each, Text) and each.is_null):
                yield key.text, each
            elif each.comment:
                location.at(key.text).refuse(f"expected a value, found {kind_of(each)}", each)


@dataclass(frozen=True, slots=True)
class Sections:
    """A reader of a list of things. A single thing is a problem: the dash of its entry was probably forgotten."""

    section: Section

    def __call__(self, item: Item, location: Location) -> tuple[Any, ...]:
        """Read every entry."""
        if not isinstance(item, Sequenced):
            raise InvalidValue(f"expected a list (start each entry with a dash), found {kind_of(item)}")
        return list_of(self.section)(item, location)


def pairs(item: Item, location: Location) -> list[tuple[Text, Item]]:
    """The keys and values of a mapping, merged ones (`<<`) behind its own; a repeated key is logged as a problem."""
    found = item.pairs if isinstance(item, Mapped) else _stored_pairs(item)
    if found is None:
        raise InvalidValue(f"expected a mapping, found {kind_of(item)}")
    own: dict[str, tuple[Text, Item]] = {}
    for key, each in found:
        if key.text in own and not _merges(key):
            first = own[key.text][0].line
            location.at(key.text).refuse(f"the key appears twice, first on line {first}; keep one", key)
        elif not _merges(key):
            own[key.text] = key, each
    for key, each in found:
        if _merges(key):
            for merged in _merged(each, location):
                own.setdefault(merged[0].text, merged)
    return list(own.values())


def _stored_pairs(item: Item) -> list[tuple[Text, Item]] | None:
    """The pairs of `[[key, value], ...]`, the form that documents give a mapping with free keys."""
    if not isinstance(item, Sequenced):
        return None
    found = []
    for each in item.items:
        if not isinstance(each, Sequenced) or len(each.items) != 2 or not isinstance(each.items[0], Text):
            return None
        found.append((each.items[0], each.items[1]))
    return found


def _merges(key: Text) -> bool:
    return key.plain and key.text == MERGE


def _merged(item: Item, location: Location) -> Iterator[tuple[Text, Item]]:
    for each in item.items if isinstance(item, Sequenced) else [item]:
        yield from pairs(each, location.at(MERGE))
