"""Data classes whose methods are made when they are first used.

`dataclass` is the decorator of the standard library, with the same arguments and results, but without `InitVar`. That
one compiles six functions for each class while its module is imported: half of the time in which a command starts, and
most classes are not used in the run that pays for them (decision 0187). Here the library reads the fields and makes the
slots; `__init__` is compiled for the first instance, and the other methods are shared.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, FrozenInstanceError
from functools import partial
from operator import attrgetter
from reprlib import recursive_repr
from typing import TYPE_CHECKING, Any, NoReturn

__all__ = ["dataclass"]

_FACTORY = object()
"""Stands for an argument that was not given, where a factory makes the value."""


def _dataclass(*, slots: bool = False, order: bool = False, **options: Any) -> Callable[[type], type]:
    """Like `dataclasses.dataclass`. A class without slots, or with an order, is made at once by that one."""
    if order or not slots:
        return dataclasses.dataclass(slots=slots, order=order, **options)
    return partial(_made, **options)


def _made(declared: type, *, frozen: bool = False, eq: bool = True, kw_only: bool = False) -> type:
    cls: type = dataclasses.dataclass(init=False, repr=False, eq=False, slots=True, kw_only=kw_only)(declared)
    fields = dataclasses.fields(cls)
    methods: dict[str, Any] = {"__init__": _first_init(cls, frozen=frozen), "__repr__": _repr(fields)}
    if eq:
        values = _values(tuple(each.name for each in fields if each.compare))
        methods |= {"__eq__": _eq(values), "__hash__": _hash(values) if frozen else None}
    if frozen:
        names = tuple(each.name for each in fields)
        methods |= {"__setattr__": _refuse_to_set, "__delattr__": _refuse_to_delete}
        methods |= {"__getstate__": _get_state(names), "__setstate__": _set_state(names)}
    for name, method in methods.items():
        if name not in declared.__dict__ or (name == "__hash__" and declared.__dict__[name] is None):
            setattr(cls, name, method)
    return cls


def _first_init(cls: type, *, frozen: bool) -> Callable[..., None]:
    def __init__(self: Any, *given: Any, **named: Any) -> None:  # noqa: N807
        made = _init(cls, frozen=frozen)
        cls.__init__ = made  # type: ignore[misc]
        made(self, *given, **named)

    return __init__


def _init(cls: type, *, frozen: bool) -> Callable[..., None]:
    """The `__init__` of a class, compiled. A frozen instance is filled through the descriptors of its slots."""
    fields = dataclasses.fields(cls)
    names: dict[str, Any] = {"_FACTORY": _FACTORY}
    for each in fields:
        names[f"_set_{each.name}"] = getattr(cls, each.name).__set__
        names[f"_default_{each.name}"] = each.default if each.default_factory is MISSING else each.default_factory
    lines = [f"def __init__(self{''.join(_parameters(fields))}):", *_assignments(fields, frozen=frozen)]
    if hasattr(cls, "__post_init__"):
        lines.append(" self.__post_init__()")
    exec("\n".join([*lines, " return"]), names)  # noqa: S102  # as `dataclasses` does, of field names alone
    made = names["__init__"]
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    return made  # type: ignore[no-any-return]


def _parameters(fields: tuple[Field[Any], ...]) -> Iterator[str]:
    by_position = [each for each in fields if each.init and not each.kw_only]
    by_name = [each for each in fields if each.init and each.kw_only]
    yield from map(_parameter, by_position)
    if by_name:
        yield ", *"
    yield from map(_parameter, by_name)


def _parameter(each: Field[Any]) -> str:
    if each.default_factory is not MISSING:
        return f", {each.name}=_FACTORY"
    return f", {each.name}" if each.default is MISSING else f", {each.name}=_default_{each.name}"


def _assignments(fields: tuple[Field[Any], ...], *, frozen: bool) -> Iterator[str]:
    for each in fields:
        name, default = each.name, f"_default_{each.name}"
        if each.default_factory is not MISSING:
            value = f"{default}() if {name} is _FACTORY else {name}" if each.init else f"{default}()"
        elif each.init or each.default is not MISSING:
            value = name if each.init else default
        else:
            continue  # `__post_init__` sets it
        yield f" _set_{name}(self, {value})" if frozen else f" self.{name} = {value}"


def _values(names: tuple[str, ...]) -> Callable[[Any], tuple[Any, ...]]:
    if len(names) > 1:
        return attrgetter(*names)
    return lambda instance: tuple(getattr(instance, name) for name in names)


def _eq(values: Callable[[Any], tuple[Any, ...]]) -> Callable[[Any, object], bool]:
    def __eq__(self: Any, other: object) -> bool:  # noqa: N807
        return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

    return __eq__


def _hash(values: Callable[[Any], tuple[Any, ...]]) -> Callable[[Any], int]:
    def __hash__(self: Any) -> int:  # noqa: N807
        return hash(values(self))

    return __hash__


def _repr(fields: tuple[Field[Any], ...]) -> Callable[[Any], str]:
    shown = tuple(each.name for each in fields if each.repr)

    @recursive_repr()
    def __repr__(self: Any) -> str:  # noqa: N807
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in shown)
        return f"{self.__class__.__qualname__}({values})"

    return __repr__


def _refuse_to_set(_self: object, name: str, _value: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(_self: object, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _get_state(names: tuple[str, ...]) -> Callable[[Any], list[Any]]:
    def __getstate__(self: Any) -> list[Any]:  # noqa: N807
        return [getattr(self, name) for name in names]

    return __getstate__


def _set_state(names: tuple[str, ...]) -> Callable[[Any, list[Any]], None]:
    def __setstate__(self: Any, state: list[Any]) -> None:  # noqa: N807
        for name, value in zip(names, state, strict=True):
            object.__setattr__(self, name, value)

    return __setstate__


if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    dataclass = _dataclass
