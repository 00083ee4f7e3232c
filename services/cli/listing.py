"""Print lists: one page of things, and how to get the next. Shared by every `list` command."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar

import click

from services.cli import output
from services.cli.base import as_json
from services.operator.paging import Page, page_of
from shared.lazy_dataclass import dataclass

__all__ = ("Listing", "Page")

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Listing(Generic[T]):
    """How one kind of thing is listed: as JSON, as a table row, and the text for an empty list."""

    summary: Callable[[T], Mapping[str, Any]]
    headings: Sequence[str]
    row: Callable[[T], Sequence[object]]
    empty: str

    def show_page(self, found: Iterable[T], page: Page) -> None:
        """Print one page; a line on standard error shows how to get the next one."""
        shown = page_of(found, page)
        if as_json():
            for each in shown.things:
                output.emit(self.summary(each))
        else:
            empty = f"nothing after the first {page.skip}" if page.skip else self.empty
            output.table(self.headings, (self.row(each) for each in shown.things), empty=empty)
        if shown.next_skip is not None:
            are_shown = "1 is shown" if page.limit == 1 else f"{page.limit} are shown"
            click.echo(f"{are_shown}; there are more: --after {shown.next_skip}", err=True)
