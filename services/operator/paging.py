"""One page of a list, and where the next one begins."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Generic, TypeVar

from shared.lazy_dataclass import dataclass

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page:
    """The requested part of a list: at most `limit` things after the first `skip`."""

    limit: int
    skip: int

    @property
    def reach(self) -> int:
        """How many to read: one more than are shown, to find out whether there are more."""
        return self.limit + 1


@dataclass(frozen=True, slots=True)
class PageOf(Generic[T]):
    """The things of one page. `next_skip`: where the next page begins; None on the last."""

    things: tuple[T, ...]
    next_skip: int | None


def page_of(found: Iterable[T], page: Page) -> PageOf[T]:
    """Build a page from the things after the skipped ones; reads at most `page.reach` of them."""
    read = tuple(islice(found, page.reach))
    more = len(read) > page.limit
    return PageOf(read[: page.limit], page.skip + page.limit if more else None)
