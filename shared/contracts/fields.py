"""The fields of dataclasses and the kinds of their types: the one place that looks at annotations.

Messages, stored documents, the configuration and the published schemas are all made from dataclasses: each says what
becomes of a class, a list, a choice (`Kinds`), and `made_of` puts it together for a type.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, Final

from shared.lazy_dataclass import dataclass

_PLAIN: Final = "plain"
_MAPPINGS: Final = (Mapping, dict)


def named(name: str) -> Mapping[str, str]:
    """Metadata of a field whose member has another name: `id: str = field(metadata=named("_id"))`."""
    return {_PLAIN: name}


@dataclass(frozen=True, slots=True)
class Member:
    """A field, and the name that it has in plain data. `marks`: what its type is annotated with."""

    name: str
    plain: str
    type: Any
    required: bool
    default: Any
    factory: Callable[[], Any] | None
    marks: tuple[Any, ...]


@cache
def members_of(cls: Any) -> tuple[Member, ...]:
    """The members of a dataclass, in the order of its fields."""
    hints = typing.get_type_hints(cls, include_extras=True)
    return tuple(_member(each, hints[each.name]) for each in dataclasses.fields(cls))


def _member(each: dataclasses.Field[Any], type_: Any) -> Member:
    factory = None if each.default_factory is dataclasses.MISSING else each.default_factory
    plain = each.metadata.get(_PLAIN, each.name.rstrip("_"))
    required = each.default is dataclasses.MISSING and factory is None
    return Member(each.name, plain, type_, required, each.default, factory, getattr(type_, "__metadata__", ()))


@dataclass(frozen=True, slots=True, eq=False)
class Kinds:
    """What to make of each kind of type.

    `known` is looked at first. A list is given what was made of its items, a mapping what was made of keys and values,
    a union what was made of its types without None, and whether None is one; an annotated type its annotations (when
    nothing is made of them, the type without them decides).
    """

    known: Mapping[Any, Any]
    of_class: Callable[[Any], Any]
    of_list: Callable[[Any], Any]
    of_mapping: Callable[[Any, Any], Any]
    of_choice: Callable[[tuple[Any, ...]], Any]
    of_union: Callable[[list[Any], bool], Any]
    of_other: Callable[[Any], Any]
    of_annotations: Callable[[tuple[Any, ...]], Any] = lambda _: None


def made_of(type_: Any, kinds: Kinds) -> Any:
    """What becomes of a type."""
    if type_ in kinds.known:
        return kinds.known[type_]
    if dataclasses.is_dataclass(type_):
        return kinds.of_class(type_)
    origin, arguments = typing.get_origin(type_), typing.get_args(type_)
    if origin is typing.Annotated:
        return kinds.of_annotations(type_.__metadata__) or made_of(arguments[0], kinds)
    if origin is tuple:
        return kinds.of_list(made_of(arguments[0], kinds))
    if (origin or type_) in _MAPPINGS:
        return kinds.of_mapping(*(made_of(each, kinds) for each in arguments or (str, Any)))
    if origin is typing.Literal:
        return kinds.of_choice(arguments)
    if origin in (types.UnionType, typing.Union):
        arms = [made_of(each, kinds) for each in arguments if each is not type(None)]
        return kinds.of_union(arms, type(None) in arguments)
    return kinds.of_other(type_)
