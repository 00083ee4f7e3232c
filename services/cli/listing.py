"""How lists are told: one page of things, and the way to the next. Shared by every `list` command."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from services.cli import output
from services.cli.base import as_json

if TYPE_CHECKING:
    from shared.store.documents import Document


@dataclass(frozen=True, slots=True)
class Page:
    """Which part of a list is wanted."""

    limit: int
    skip: int

    @property
    def reach(self) -> int:
        """How many to ask for: one more than are shown, which tells whether there are more."""
        return self.limit + 1


@dataclass(frozen=True, slots=True)
class Listing:
    """How one kind of thing is listed: for machines, for people, and when there is none."""

    summary: Callable[[Document], Mapping[str, Any]]
    headings: Sequence[str]
    row: Callable[[Document], Sequence[object]]
    empty: str

    def tell(self, found: Iterable[Document], page: Page) -> None:
        """Print a page of what was found; standard error says when there is more."""
        rest = iter(found)
        shown = islice(rest, page.limit)
        if as_json():
            _emit(self.summary(each) for each in shown)
        else:
            empty = f"nothing after the first {page.skip}" if page.skip else self.empty
            output.table(self.headings, (self.row(each) for each in shown), empty=empty)
        if next(rest, None) is not None:
            click.echo(f"{page.limit} are shown; there are more: --after {page.skip + page.limit}", err=True)


def _emit(lines: Iterator[Mapping[str, Any]]) -> None:
    for each in lines:
        output.emit(each)
