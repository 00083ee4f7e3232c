"""The vocabulary of the document port, as pure functions: what is allowed, and what it means.

Reads documents, filters and changes; emits their checked, normalised copies (`check_*`), and the reference
meaning of a filter, a change and a sort (`matches`, `apply`, `sort_documents`), which is MongoDB's.

It is separate from the adapters so that both refuse the same things with the same words: the MongoDB
adapter checks here and passes on, the embedded adapter checks here and evaluates here.

Two kinds of refusal. `Unsupported`: outside the vocabulary (an operator, a key's name, a type).
`ValueError`: a known type with a value that cannot be kept (a lone surrogate, an integer beyond 64 bits,
a naive time) or a change that this document cannot take (`$inc` on a text).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from math import isfinite
from operator import ge, lt
from typing import Any, Final

from shared.contracts.errors import Unsupported
from shared.lazy_pattern import lazy_compile
from shared.store.documents import Change, Document, Filter, Index, Sort

MAX_DEPTH: Final = 64
"""Levels of nesting in one value. MongoDB allows 100 for the whole document."""
MAX_PREFIX: Final = 8192
"""Characters in a `$prefix`: MongoDB bounds a regular expression at 32,764 bytes."""
_INT64: Final = 2**63

Predicate = Callable[[Document], bool]
Path = tuple[str, ...]


class Taken(ValueError):
    """A change or replacement would give a document a unique value that another document has."""


class _Missing:
    """The value of a field that is not there."""

    def __repr__(self) -> str:
        return "MISSING"


MISSING: Final = _Missing()
_EMPTY_ARRAY: Final = _Missing()  # what MongoDB sorts an empty array as: before null


# --- names -----------------------------------------------------------------------------------------------


def _is_storable(text: str) -> bool:
    """Whether UTF-8 can encode it: it has no lone surrogate."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


@lru_cache(maxsize=4096)
def _check_key(key: str) -> None:
    if not key or key[0] == "$" or "." in key or "\0" in key or not _is_storable(key):
        raise Unsupported(f"{key!a} cannot be the name of a field (empty, `$…`, a dot, NUL or a lone surrogate)")


@lru_cache(maxsize=4096)
def path_of(field: str) -> Path:
    """The steps of a dotted field name. `Unsupported` for `$or`, `items.$`, `items.0` and the like."""
    if field[:1] == "$":
        raise Unsupported(f"{field!a} is not in the vocabulary of filters and changes")
    steps = tuple(field.split("."))
    for step in steps:
        _check_key(step)
        if step.isdigit():
            raise Unsupported(f"{field!a}: a path leads through fields, never to a place in an array")
    return steps


def _field_path(field: object) -> Path:
    if not isinstance(field, str):
        raise Unsupported(f"a field is named by a text, not by {type(field).__name__}")
    return path_of(field)


_COLLECTION: Final = lazy_compile(r"[a-z][a-z0-9_]{0,63}")
_RESERVED: Final = frozenset({"blobs", "fs"})


@lru_cache(maxsize=256)
def check_collection(name: str) -> str:
    """The name itself: lower-case letters, digits and `_`; `blobs` and `fs` belong to the adapters."""
    if not _COLLECTION.fullmatch(name) or name in _RESERVED:
        raise Unsupported(f"{name!a} cannot be the name of a collection")
    return name


# --- values ----------------------------------------------------------------------------------------------


def check_value(value: Any, name: str = "value", depth: int = 1) -> Any:
    """A copy that both stores keep alike: times in UTC at whole milliseconds, tuples as lists.

    `name` is the nearest key, for the message. One walk; no second look at what it has seen.
    """
    kind = type(value)
    if kind is str:
        if not value.isascii():
            _check_text(value, name)
        return value
    if value is None or kind is bool:
        return value
    if kind is int:
        return _checked_int(value, name)
    if kind is dict or kind is list:
        return _checked_container(value, name, depth)
    if kind is datetime:
        return _checked_instant(value, name)
    if kind is float:
        return _checked_float(value, name)
    return check_value(_plain(value, name), name, depth)


_known_keys: Final = set[tuple[str, ...]]()
_MOST_KNOWN_KEYS: Final = 512


def _checked_container(value: Any, name: str, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise ValueError(f"{name}: nested deeper than {MAX_DEPTH} levels")
    if type(value) is list:
        return [check_value(item, name, depth + 1) for item in value]
    _check_keys(tuple(value), name)
    return {
        key: item  # most values are kept as they are
        if item is None or item is True or item is False or (type(item) is str and item.isascii())
        else check_value(item, key, depth + 1)
        for key, item in value.items()
    }


def _check_keys(keys: tuple[Any, ...], name: str) -> None:
    """Most documents have the keys of others: those are looked at once."""
    if keys in _known_keys:
        return
    for key in keys:
        if type(key) is not str:
            raise Unsupported(f"{name}: a key is a text, not {type(key).__name__}")
        _check_key(key)
    if len(_known_keys) >= _MOST_KNOWN_KEYS:
        _known_keys.clear()
    _known_keys.add(keys)


def _check_text(value: str, name: str) -> None:
    if not _is_storable(value):
        raise ValueError(f"{name}: the text has a lone surrogate, which UTF-8 cannot encode")


def _checked_int(value: int, name: str) -> int:
    if not -_INT64 <= value < _INT64:
        raise ValueError(f"{name}: the integer does not fit 64 bits")
    return value


def _checked_float(value: float, name: str) -> float:
    if not isfinite(value):
        raise ValueError(f"{name}: {value} is not a number that can be kept")
    return value


def _checked_instant(value: datetime, name: str) -> datetime:
    if value.tzinfo is not UTC:
        if value.utcoffset() is None:
            raise ValueError(f"{name}: the time has no zone; times are aware")
        try:
            value = value.astimezone(UTC)
        except OverflowError:
            raise ValueError(f"{name}: the time lies outside the years 1 to 9999 in UTC") from None
    beyond = value.microsecond % 1000
    return value.replace(microsecond=value.microsecond - beyond) if beyond else value


def _plain(value: object, name: str) -> Any:
    """A subclass (an enumeration's member, an ordered dict, a tuple) as its plain base; else `Unsupported`."""
    match value:
        case str():
            return str.__str__(value)
        case int():
            return int.__int__(value)
        case float():
            return float.__float__(value)
        case datetime():
            return datetime.combine(value.date(), value.timetz())
        case dict():
            return dict(value)
        case list() | tuple():
            return list(value)
        case _:
            raise Unsupported(f"{name}: a document holds no {type(value).__name__}")


def check_id(id_: object) -> str:
    """An `_id`: a text, not empty, that UTF-8 can encode."""
    if not isinstance(id_, str):
        raise Unsupported(f"_id is a text, not {type(id_).__name__}")
    if not id_:
        raise ValueError("_id is empty")
    _check_text(id_, "_id")
    return id_


def check_document(document: Document) -> Document:
    """The copy to store. `Unsupported` or `ValueError`, which name the field."""
    if not isinstance(document, dict):
        raise Unsupported(f"a document is a dict, not {type(document).__name__}")
    if "_id" not in document:
        raise ValueError("the document has no _id")
    check_id(document["_id"])
    checked: Document = check_value(document, "document")
    return checked


# --- filters ---------------------------------------------------------------------------------------------


def check_filter(where: Filter) -> Filter:
    """The filter with its values normalised. `Unsupported` for an operator outside the vocabulary."""
    if type(where) is not dict and not isinstance(where, Mapping):
        raise Unsupported(f"a filter is a dict, not {type(where).__name__}")
    checked = {}
    for field, condition in where.items():
        _field_path(field)
        checked[field] = _checked_condition(field, condition)
    return checked


def is_operators(condition: object) -> bool:
    """Whether a condition is a dict of operators, not a value to be equal to."""
    return isinstance(condition, dict) and any(isinstance(key, str) and key[:1] == "$" for key in condition)


def _checked_condition(field: str, condition: Any) -> Any:
    if not is_operators(condition):
        return check_value(condition, field)
    return {operator: _checked_operand(field, operator, operand) for operator, operand in condition.items()}


def _checked_operand(field: str, operator: str, operand: Any) -> Any:
    check = _OPERANDS.get(operator)
    if check is None:
        raise Unsupported(f"{field}: {operator!a} is not in the vocabulary of conditions")
    return check(operand, f"{field} {operator}")


def _checked_choices(operand: Any, name: str) -> list[Any]:
    if not isinstance(operand, list | tuple):
        raise Unsupported(f"{name}: takes a list, not {type(operand).__name__}")
    return [check_value(value, name) for value in operand]


def _checked_bound(operand: Any, name: str) -> Any:
    if isinstance(operand, bool) or not isinstance(operand, int | float | str | datetime):
        raise Unsupported(f"{name}: a range has a number, a text or a time, not {type(operand).__name__}")
    return check_value(operand, name)


def _checked_prefix(operand: Any, name: str) -> str:
    if not isinstance(operand, str):
        raise Unsupported(f"{name}: takes a text, not {type(operand).__name__}")
    if len(operand) > MAX_PREFIX:
        raise ValueError(f"{name}: longer than {MAX_PREFIX} characters")
    checked: str = check_value(operand, name)
    return checked


_OPERANDS: Final[dict[str, Callable[[Any, str], Any]]] = {
    "$in": _checked_choices,
    "$gte": _checked_bound,
    "$lt": _checked_bound,
    "$prefix": _checked_prefix,
}


def matches(document: Document, where: Filter) -> bool:
    """Whether a document matches a checked filter."""
    return predicate(where)(document)


def predicate(where: Filter) -> Predicate:
    """A checked filter as a function, to be asked about many documents."""
    tests = [_field_test(path_of(field), condition) for field, condition in where.items()]
    if len(tests) == 1:
        return tests[0]
    return lambda document: all(test(document) for test in tests)


def _field_test(path: Path, condition: Any) -> Predicate:
    conditions = condition if is_operators(condition) else {"$eq": condition}
    tests = [_MEANING[operator](operand) for operator, operand in conditions.items()]

    def holds(document: Document) -> bool:
        found = values_at(document, path)
        return all(test(found) for test in tests)

    return holds


Test = Callable[[list[Any]], bool]


def _is_equal(expected: Any) -> Test:
    if expected is None:
        return lambda found: any(value is None or value is MISSING for value in found)
    if type(expected) is str:
        return lambda found: expected in found
    return lambda found: any(equal(value, expected) for value in found)


def _is_among(choices: list[Any]) -> Test:
    texts = frozenset(choice for choice in choices if type(choice) is str)
    others = [_is_equal(choice) for choice in choices if type(choice) is not str]

    def test(found: list[Any]) -> bool:
        return any(type(value) is str and value in texts for value in found) or any(other(found) for other in others)

    return test


def _starts_with(prefix: str) -> Test:
    return lambda found: any(type(value) is str and value.startswith(prefix) for value in found)


def _compares(holds: Callable[[Any, Any], Any]) -> Callable[[Any], Test]:
    """A range: only values of the bound's own type count."""

    def about(bound: Any) -> Test:
        rank = _rank(bound)
        return lambda found: any(_rank(value) == rank and holds(value, bound) for value in found)

    return about


_MEANING: Final[dict[str, Callable[[Any], Test]]] = {
    "$eq": _is_equal,
    "$in": _is_among,
    "$gte": _compares(ge),
    "$lt": _compares(lt),
    "$prefix": _starts_with,
}


# --- values at a path ------------------------------------------------------------------------------------


def values_at(document: Document, path: Path) -> list[Any]:
    """The values that a condition on this path tests: each element of an array at its end, then the array itself.

    `MISSING` means that the field does not exist. An array on the way is walked element by element; its
    elements that are not documents say nothing, so the list may be empty.
    """
    return _found(document, path, 0, _elements_and_array)


def _elements_and_array(value: Any) -> list[Any]:
    return [*value, value] if type(value) is list else [value]


def _elements_or_empty(value: Any) -> list[Any]:
    return (value or [_EMPTY_ARRAY]) if type(value) is list else [value]


def _found(node: Document, path: Path, at: int, leaf: Callable[[Any], list[Any]]) -> list[Any]:
    value = node.get(path[at], MISSING)
    at += 1
    if at == len(path):
        return leaf(value)
    if type(value) is dict:
        return _found(value, path, at, leaf)
    return _found_in_array(value, path, at, leaf) if type(value) is list else [MISSING]


def _found_in_array(array: list[Any], path: Path, at: int, leaf: Callable[[Any], list[Any]]) -> list[Any]:
    return [value for item in array if type(item) is dict for value in _found(item, path, at, leaf)]


# --- equality and order ----------------------------------------------------------------------------------

_RANKS: Final[dict[type, int]] = {
    type(None): 1,
    int: 2,
    float: 2,
    str: 3,
    dict: 4,
    list: 5,
    bool: 6,
    datetime: 7,
}


def _rank(value: Any) -> int:
    """The place of a value's type in MongoDB's order of types; a missing field sorts like null."""
    return _RANKS.get(type(value), 0 if value is _EMPTY_ARRAY else 1)


def equal(one: Any, other: Any) -> bool:
    """MongoDB's equality: 1 equals 1.0, true does not equal 1, documents compare in their keys' order."""
    if one is MISSING or other is MISSING or _rank(one) != _rank(other):
        return False
    if type(one) is list:
        return len(one) == len(other) and all(map(equal, one, other))
    if type(one) is dict:
        return list(one) == list(other) and all(map(equal, one.values(), other.values()))
    return bool(one == other)


def check_sort(sort: Sort) -> Sort:
    """The sort as it is; `Unsupported` unless it is pairs of a field and 1 or -1."""
    for field, direction in sort:
        _field_path(field)
        if direction not in (1, -1):
            raise Unsupported(f"{field}: a sort direction is 1 or -1, not {direction!a}")
    return sort


def check_window(limit: int, skip: int) -> None:
    """`ValueError` when a limit or a skip is negative."""
    if limit < 0 or skip < 0:
        raise ValueError("limit and skip are not negative")


def sort_documents(documents: Iterable[Document], sort: Sort) -> list[Document]:
    """The documents in order. Those that tie stay as they came; MongoDB promises nothing about them."""
    ordered = list(documents)
    for field, direction in reversed(sort):
        ordered.sort(key=_document_key(path_of(field), direction), reverse=direction < 0)
    return ordered


def merged(found: Sequence[Iterable[Document]], sort: Sort) -> Iterator[Document]:
    """Documents of several answers that are in this order, in this order; each is read as far as it is asked for.

    Raises `Unsupported` when the directions of `sort` differ.
    """
    directions = {direction for _, direction in sort}
    if len(directions) != 1:
        raise Unsupported("answers are merged in one direction only")
    direction = directions.pop()
    keys = [_document_key(path_of(field), direction) for field, _ in sort]
    return heapq.merge(*found, key=lambda document: [key(document) for key in keys], reverse=direction < 0)


def _document_key(path: Path, direction: int) -> Callable[[Document], tuple[Any, ...]]:
    return lambda document: _of_many(_found(document, path, 0, _elements_or_empty), direction)


def _of_many(values: Sequence[Any], direction: int) -> tuple[Any, ...]:
    """The sort value of an array: its least element when ascending, its greatest when descending."""
    if len(values) == 1:
        return _order(values[0])
    return (min if direction > 0 else max)(map(_order, values), default=_order(None))


def _order(value: Any) -> tuple[Any, ...]:
    rank = _rank(value)
    if rank <= 1:
        return (rank,)
    if type(value) is dict:
        return (rank, *((_rank(item), key, _order(item)) for key, item in value.items()))
    if type(value) is list:
        return (rank, *map(_order, value))
    return (rank, value)


# --- changes ---------------------------------------------------------------------------------------------


def check_change(change: Change) -> Change:
    """The change with its values normalised.

    `Unsupported` outside the vocabulary (`$rename`, `$each`, a positional `$`); `ValueError` for an empty
    change, a change of `_id`, and two changes of one place (`a` and `a.b`), as MongoDB has it.
    """
    if type(change) is not dict and not isinstance(change, Mapping):
        raise Unsupported(f"a change is a dict of operators, not {type(change).__name__}")
    if not change:
        raise ValueError("the change is empty")
    checked = {operator: _checked_operation(operator, fields) for operator, fields in change.items()}
    _check_conflicts([field for fields in checked.values() for field in fields])
    return checked


def _checked_operation(operator: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    check = _ARGUMENTS.get(operator)
    if check is None:
        raise Unsupported(f"{operator!a} is not in the vocabulary of changes")
    if type(fields) is not dict and not isinstance(fields, Mapping):
        raise Unsupported(f"{operator} takes a dict of fields, not {type(fields).__name__}")
    checked = {}
    for field, argument in fields.items():
        if _field_path(field)[0] == "_id":
            raise ValueError("the _id of a document does not change")
        checked[field] = check(argument, field)
    return checked


def _check_conflicts(fields: list[str]) -> None:
    if len(fields) < 2:
        return
    taken = set(fields)
    if len(taken) < len(fields):
        raise ValueError("the change touches one field twice")
    for field in fields:
        end = field.find(".")
        while end > 0:
            if field[:end] in taken:
                raise ValueError(f"the change touches both {field[:end]} and {field}")
            end = field.find(".", end + 1)


def _checked_amount(argument: Any, name: str) -> Any:
    if isinstance(argument, bool) or not isinstance(argument, int | float):
        raise ValueError(f"{name}: $inc takes a number, not {type(argument).__name__}")  # noqa: TRY004 - as on MongoDB
    return check_value(argument, name)


def _checked_pulled(argument: Any, name: str) -> Any:
    """Fields with the values that elements to be removed have in them."""
    if not isinstance(argument, dict) or any(map(is_operators, (argument, *argument.values()))):
        raise Unsupported(f"{name}: $pull takes a dict of fields and values")
    return check_filter(argument)


def _nothing(_argument: Any, _name: str) -> str:
    return ""


_ARGUMENTS: Final[dict[str, Callable[[Any, str], Any]]] = {
    "$set": check_value,
    "$unset": _nothing,
    "$inc": _checked_amount,
    "$push": check_value,
    "$pull": _checked_pulled,
    "$addToSet": check_value,
}

Edit = Callable[[Any, Any], Any]  # (old value or MISSING, argument) -> new value or MISSING


def apply(document: Document, change: Change) -> Document:
    """The document after a checked change; the argument stays as it was. `ValueError` where MongoDB errs.

    Containers that the change does not touch are shared with the argument, not copied.
    """
    for operator, fields in change.items():
        for field, argument in fields.items():
            try:
                document = _edited(document, path_of(field), operator, argument)
            except ValueError as error:
                raise ValueError(f"{operator} {field}: {error}") from None
    return document


def _edited(node: Document, path: Path, operator: str, argument: Any) -> Document:
    """The document with what lies at the path edited; the very same one when nothing changes."""
    step, rest = path[0], path[1:]
    old = node.get(step, MISSING)
    if not rest:
        new = _EDITS[operator](old, argument)
    elif old is MISSING:
        new = MISSING if operator in _NEVER_CREATES else _edited({}, rest, operator, argument)
    elif type(old) is dict:
        new = _edited(old, rest, operator, argument)
    else:
        new = _not_viable(old, operator)
    return node if new is old else _with_field(node, step, new)


_NEVER_CREATES: Final = frozenset({"$unset", "$pull"})


def _not_viable(value: Any, operator: str) -> Any:
    if operator in _NEVER_CREATES:
        return value
    raise ValueError(f"cannot create a field inside {type(value).__name__}")


def _with_field(node: Document, name: str, value: Any) -> Document:
    copy = dict(node)
    if value is MISSING:
        del copy[name]
    else:
        copy[name] = value
    return copy


def _set(_old: Any, argument: Any) -> Any:
    return argument


def _unset(_old: Any, _argument: Any) -> Any:
    return MISSING


def _inc(old: Any, argument: Any) -> Any:
    if old is MISSING:
        return argument
    if type(old) is not int and type(old) is not float:
        raise ValueError(f"cannot increment {type(old).__name__}")
    total = old + argument
    return _checked_int(total, "the sum") if type(total) is int else total


def _array(old: Any) -> list[Any]:
    if old is MISSING:
        return []
    if type(old) is not list:
        raise ValueError(f"needs an array, found {type(old).__name__}")
    return old


def _push(old: Any, argument: Any) -> Any:
    return [*_array(old), argument]


def _add_to_set(old: Any, argument: Any) -> Any:
    array = _array(old)
    return old if any(equal(item, argument) for item in array) else [*array, argument]


def _pull(old: Any, argument: Any) -> Any:
    if old is MISSING:
        return old
    is_meant = predicate(argument)
    kept = [item for item in _array(old) if type(item) is not dict or not is_meant(item)]
    return old if len(kept) == len(old) else kept


_EDITS: Final[dict[str, Edit]] = {
    "$set": _set,
    "$unset": _unset,
    "$inc": _inc,
    "$push": _push,
    "$pull": _pull,
    "$addToSet": _add_to_set,
}


# --- indexes ---------------------------------------------------------------------------------------------


def check_index(index: Index) -> Index:
    """The index itself. A unique one skips a document in which any of its fields is missing; null counts.

    A unique index of an array is refused: MongoDB's would let one empty array in, and no second.
    """
    check_collection(index.collection)
    for field in index.fields:
        _field_path(field)
    if not index.fields or len(set(index.fields)) < len(index.fields):
        raise Unsupported("an index has fields, each once")
    if index.array and (index.unique or len(index.fields) > 1):
        raise Unsupported("an index of an array has a single field, and is not unique")
    return index
