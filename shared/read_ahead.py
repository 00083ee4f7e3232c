"""Makes the next item in a thread while the one before is worked on."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar, cast

T = TypeVar("T")
_END: Final = object()


def one_ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items in the same order; an error comes where it would have come.

    At most one item is made that nobody asks for. Nothing of `items` may depend on the thread that runs it.
    """
    with ThreadPoolExecutor(1, "read-ahead") as pool:
        following = pool.submit(next, items, _END)
        while (item := following.result()) is not _END:
            following = pool.submit(next, items, _END)
            yield cast("T", item)
