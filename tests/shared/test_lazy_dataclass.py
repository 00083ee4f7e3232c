"""`lazy_dataclass.dataclass` does what the decorator of the standard library does, later."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, field, fields, replace
from functools import partial
from typing import Any, ClassVar

import pytest

from shared.lazy_dataclass import _dataclass

Decorator = Callable[..., Callable[[type], type]]


def shapes(dataclass: Decorator) -> dict[str, type]:
    """Classes of every kind that the project declares."""

    @dataclass(frozen=True, slots=True)
    class Point:
        x: int
        y: int = 2
        kind: ClassVar[str] = "a class variable is not a field"

    @dataclass(frozen=True, slots=True)
    class Parts:
        name: str
        parts: list[int] = field(default_factory=list)
        secret: str = field(default="s", repr=False)
        cache: dict[str, int] = field(default_factory=dict, repr=False, compare=False)

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Named:
        a: int
        b: str = "b"

    @dataclass(frozen=True, slots=True)
    class Mixed:
        a: int
        b: int = field(kw_only=True)
        c: int = 3

    @dataclass(frozen=True, slots=True)
    class Derived:
        a: int
        b: int = field(init=False)
        c: int = field(default=7, init=False)
        d: list[int] = field(default_factory=list, init=False)

        def __post_init__(self) -> None:
            object.__setattr__(self, "b", self.a + 1)

    @dataclass(slots=True)
    class Changing:
        a: int = 1

    @dataclass(slots=True, eq=False)
    class Itself:
        a: int = 1

    @dataclass(frozen=True, slots=True)
    class Nothing:
        pass

    @dataclass(frozen=True, slots=True)
    class Longer(Point):  # type: ignore[valid-type, misc]  # a class that a decorator made
        z: int = 3

    @dataclass(frozen=True, slots=True, order=True)
    class Ordered:
        a: int = 0

    @dataclass(frozen=True)
    class Open:
        a: int = 0

    @dataclass(frozen=True, slots=True)
    class Own:  # noqa: PLW1641
        a: int

        def __repr__(self) -> str:
            return "own"

        def __eq__(self, other: object) -> bool:
            return True

    found = (Point, Parts, Named, Mixed, Derived, Changing, Itself, Nothing, Longer, Ordered, Open, Own)
    return {each.__name__: each for each in found}


LAZY, STANDARD = shapes(_dataclass), shapes(dataclasses.dataclass)
ARGUMENTS: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("Point", (1,), {}),
    ("Point", (1, 5), {}),
    ("Point", (), {"y": 1, "x": 9}),
    ("Point", (), {}),
    ("Point", (1, 2, 3), {}),
    ("Point", (1,), {"z": 3}),
    ("Parts", ("n",), {}),
    ("Parts", ("n", [1]), {"cache": {"a": 1}}),
    ("Named", (), {"a": 1}),
    ("Named", (1,), {}),
    ("Mixed", (1, 2), {"b": 3}),
    ("Mixed", (1,), {}),
    ("Derived", (1,), {}),
    ("Derived", (1, 2), {}),
    ("Changing", (), {}),
    ("Itself", (), {}),
    ("Nothing", (), {}),
    ("Longer", (1, 2, 4), {}),
    ("Longer", (1,), {}),
    ("Ordered", (4,), {}),
    ("Open", (4,), {}),
    ("Own", (4,), {}),
]


def attempt(action: Callable[[], object]) -> object:
    """What it gives, or the kind of its error."""
    try:
        return action()
    except (TypeError, FrozenInstanceError, AttributeError) as error:
        return type(error)


def described(cls: type, given: tuple[Any, ...], named: dict[str, Any]) -> list[object]:
    """All that can be seen of an instance that is made so, or why it cannot be made."""

    made: Any = attempt(lambda: cls(*given, **named))
    if made is TypeError:
        return [made]
    twin = cls(*given, **named)
    seen: list[object] = [repr(made).rpartition(".")[2], made == twin, made != twin, made == 1, asdict(made)]
    seen += [attempt(lambda: hash(made) == hash(twin)), cls.__match_args__, [each.name for each in fields(cls)]]  # type: ignore[attr-defined]
    seen += [attempt(lambda: replace(made, a=6) == made), attempt(lambda: asdict(replace(made, x=6)))]
    seen += [attempt(lambda: asdict(copy.deepcopy(made))), attempt(lambda: made < twin), hasattr(made, "__dict__")]
    changes = [attempt(partial(setattr, made, each.name, 5)) for each in fields(cls)]
    return [*seen, *changes, *(attempt(partial(delattr, made, each.name)) for each in fields(cls)), asdict(twin)]


@pytest.mark.parametrize(("name", "given", "named"), ARGUMENTS)
def test_it_is_that_of_the_standard_library(name: str, given: tuple[Any, ...], named: dict[str, Any]) -> None:
    assert described(LAZY[name], given, named) == described(STANDARD[name], given, named)


def test_each_instance_has_a_value_of_its_own_from_a_factory() -> None:
    first, second = LAZY["Parts"]("a"), LAZY["Parts"]("a")
    first.parts.append(1)
    assert second.parts == []


def test_init_is_compiled_for_the_first_instance() -> None:
    cls = shapes(_dataclass)["Point"]
    before = cls.__init__  # type: ignore[misc]
    cls(1)
    after = cls.__init__  # type: ignore[misc]
    cls(2)
    assert before is not after is cls.__init__  # type: ignore[misc]
    assert after.__qualname__.endswith("Point.__init__")


@_dataclass(frozen=True, slots=True)
class Pickled:
    """A class that `pickle` finds by its name."""

    a: int
    b: str = ""


def test_an_instance_can_be_pickled() -> None:
    assert pickle.loads(pickle.dumps(Pickled(1, "é"))) == Pickled(1, "é")  # type: ignore[call-arg]


def test_a_default_that_can_change_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="mutable default"):

        @_dataclass(frozen=True, slots=True)
        class Broken:
            a: list[int] = []  # noqa: RUF012
