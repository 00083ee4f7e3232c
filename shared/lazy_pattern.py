"""Regular expressions that are compiled when they are first used.

The reading of mail has some 370 patterns. Compiling all of them takes longer than anything else at start, and a process
that only looks, or that hands mails to others, uses a few.
"""

from __future__ import annotations

import re
from typing import Any, AnyStr, cast


class _LazyPattern:
    """Stands for a compiled pattern. Each method is taken from it at its first use, and then kept."""

    def __init__(self, source: str | bytes, flags: int) -> None:
        self._source, self._flags = source, flags
        self._compiled: re.Pattern[Any] | None = None

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        compiled = self._compiled = self._compiled or re.compile(self._source, self._flags)
        found = getattr(compiled, name)
        setattr(self, name, found)
        return found


def lazy_compile(source: AnyStr, flags: int = 0) -> re.Pattern[AnyStr]:
    """Like `re.compile`, for a module's constant; an invalid pattern is an error at its first use."""
    return cast("re.Pattern[AnyStr]", _LazyPattern(source, flags))
