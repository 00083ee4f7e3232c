"""Small forms that several modules share: times, sizes, shortened text."""

from __future__ import annotations

from datetime import UTC, datetime


def iso(at: datetime) -> str:
    """A time as all JSON of Postroom writes it: UTC, ISO 8601, to the millisecond, with Z."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_iso(text: str) -> datetime:
    """The time that `iso` wrote."""
    return datetime.fromisoformat(text)


def shortened(text: str, most: int) -> str:
    """The text, or its beginning with an ellipsis when it is longer than `most` characters."""
    return text if len(text) <= most else text[: most - 1] + "…"
