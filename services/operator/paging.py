"""One page of a list, and where the next one begins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is wanted: at most `limit` things after the first `skip`."""

    limit: int
    skip: int

    @property
    def reach(self) -> int:
        """How many to ask for: one more than are shown, which tells whether there are more."""
        return self.limit + 1


@dataclass(frozen=True, slots=True)
class PageOf(Generic[T]):
    """The things of one page. `next_skip`: where the next page begins; None on the last."""

    things: tuple[T, ...]
    next_skip: int | None


def page_of(found: Iterable[T], page: Page) -> PageOf[T]:
    """A page of what was found behind the skipped things, of which at most `page.reach` are read."""
    read = tuple(islice(found, page.reach))
    more = len(read) > page.limit
    return PageOf(read[: page.limit], page.skip + page.limit if more else None)
