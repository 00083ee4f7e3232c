"""A point in time as people write it: stated in the desk's time zone, or as a time ago."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from services.operator.errors import NotAvailable

UNITS: Final[Mapping[str, str]] = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
"""Letter of a time ago → the unit of `timedelta`."""


def point_in_time(written: str, now: datetime, timezone: str) -> datetime:
    """`2026-11-20`, `2026-11-20T08:00`, or `2h` or `3d` ago. Raises `NotAvailable` for anything else."""
    try:
        if found := re.fullmatch(r"([0-9]{1,6})([smhdw])", written.strip()):
            return now - timedelta(**{UNITS[found[2]]: int(found[1])})
        stated = datetime.fromisoformat(written.strip())
        return (stated if stated.tzinfo else stated.replace(tzinfo=_zone(timezone))).astimezone(UTC)
    except (ValueError, OverflowError):
        raise NotAvailable(f"{written!r} is not a time; write 2026-11-20, 2026-11-20T08:00, 2h or 3d") from None


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")
