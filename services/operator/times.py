"""A point in time as people write it: stated in the desk's time zone, or as a time ago."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from services.operator.errors import NotAvailable
from shared.lazy_pattern import lazy_compile

UNITS: Final[Mapping[str, str]] = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
"""Letter of a time ago → the unit of `timedelta`."""
_AGO: Final = lazy_compile(r"([0-9]{1,6})([smhdw])")


def point_in_time(written: str, now: datetime, timezone: str) -> datetime:
    """`2026-11-20`, `2026-11-20T08:00`, or `2h` or `3d` ago. Raises `NotAvailable` for anything else."""
    try:
        if found := _AGO.fullmatch(written.strip()):
            return now - timedelta(**{UNITS[found[2]]: int(found[1])})
        stated = datetime.fromisoformat(written.strip())
        return (stated if stated.tzinfo else stated.replace(tzinfo=zone(timezone))).astimezone(UTC)
    except (ValueError, OverflowError):
        raise NotAvailable(f"{written!r} is not a time; write 2026-11-20, 2026-11-20T08:00, 2h or 3d") from None


@lru_cache(maxsize=8)
def zone(name: str) -> tzinfo:
    """The time zone of the desk; UTC where this machine does not know it."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return UTC
