"""Find one thing by its id, or by the beginning of its id, as people type it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Protocol, TypeVar

from services.operator.errors import NotAvailable

MIN_ID_PREFIX: Final = 4
"""Shorter beginnings of an id are refused."""
Thing_co = TypeVar("Thing_co", covariant=True)


class Findable(Protocol[Thing_co]):
    """A repository whose things are found by id."""

    def get(self, id_: str, /) -> Thing_co | None:
        """The thing with this id."""

    def beginning_with(self, id_beginning: str, /) -> Sequence[Thing_co]:
        """At most two things whose ids begin so."""


def find_one(repository: Findable[Thing_co], kind: str, named: str) -> Thing_co:
    """The thing with this id or this beginning of an id; `kind` is its name in messages. Raises `NotAvailable`."""
    if exact := repository.get(named):
        return exact
    if len(named) < MIN_ID_PREFIX:
        raise NotAvailable(f"{named!r} is too short; write at least {MIN_ID_PREFIX} letters of the id")
    found = repository.beginning_with(named.lower())
    if not found:
        raise NotAvailable(f"there is no {kind} {named!r}")
    if len(found) > 1:
        raise NotAvailable(f"more than one {kind} begins with {named!r}; write more of the id")
    return found[0]
