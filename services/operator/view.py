"""Views: frozen dataclasses of what people see of a row, and its JSON. The names of fields are those of the JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    View = TypeVar("View", bound=DataclassInstance)


def view_of(view: type[View], row: object, **more: Any) -> View:
    """A view with the values that the row has under the same names; `more` gives the others."""
    names = (each.name for each in fields(view))
    return view(**{name: more[name] if name in more else getattr(row, name) for name in names})


def values_of(row: object, names: Iterable[str]) -> dict[str, Any]:
    """These values of a row, by name."""
    return {name: getattr(row, name) for name in names}
