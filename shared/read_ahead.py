"""Makes the next item in a thread while the one before is worked on."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Final, TypeVar, cast

T = TypeVar("T")
_END: Final = object()
LOOK_SECONDS: Final = 0.5
"""A signal that arrives just before its thread begins to wait does not wake it: it is handled after this time."""


def one_ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items in the same order; an error comes where it would have come.

    At most one item is made that nobody asks for: whoever stops asking does not wait for it, nor does the end of the
    process. Nothing of `items` may depend on the thread that runs it.
    """
    following = _Following(items)
    while (item := following.result()) is not _END:
        following = _Following(items)
        yield cast("T", item)


class _Following:
    """The next item, while a thread makes it."""

    def __init__(self, items: Iterator[object]) -> None:
        self._items, self._item = items, _END
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._make, name="read-ahead", daemon=True)
        self._thread.start()

    def _make(self) -> None:
        try:
            self._item = next(self._items, _END)
        except BaseException as error:  # whoever asks for the item raises it
            self._error = error

    def result(self) -> object:
        """Wait for it; `_END` behind the last one. Raises what making it has raised."""
        while self._thread.is_alive():
            self._thread.join(LOOK_SECONDS)
        if self._error is not None:
            raise self._error
        return self._item
