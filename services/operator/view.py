"""The JSON of rows: chosen values under their own names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


def values_of(row: object, names: Iterable[str]) -> dict[str, Any]:
    """These values of a row, by name."""
    return {name: getattr(row, name) for name in names}
