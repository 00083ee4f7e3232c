"""Turns templates into pages. Everything is escaped: text of a mail is text on every page."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, tzinfo
from functools import cache
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from shared.visible import safe

MINUTE, HOUR, DAY = 60, 3600, 86_400
DASH: Final = "–"


@cache
def _environment() -> Environment:
    made = Environment(
        loader=PackageLoader("services.console"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"safe_text": _shown, "duration": duration, "bytes": size, "short": short, "counted": counted}
    return made


def render(template: str, values: Mapping[str, Any]) -> str:
    """A page as HTML."""
    return _environment().get_template(template).render(values)


def moments(zone: tzinfo) -> Callable[..., str]:
    """The function of templates that shows a moment in a time zone."""

    def at(moment: datetime | None, form: str = "%Y-%m-%d %H:%M:%S") -> str:
        return moment.astimezone(zone).strftime(form) if moment else DASH

    return at


def _shown(text: object) -> str:
    return safe(text, breaks=True)


def duration(seconds: float | None) -> str:
    """Seconds as people say them: `12 s`, `3 min`, `2 h`, `4 d`."""
    if seconds is None:
        return DASH
    for unit, name in ((DAY, "d"), (HOUR, "h"), (MINUTE, "min")):
        if seconds >= unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"


def size(number: int | None) -> str:
    """Bytes as people say them (units of 1000)."""
    if number is None:
        return DASH
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "KB")):
        if number >= unit:
            return f"{number / unit:.1f} {name}"
    return f"{number} B"


def short(text: str, most: int = 12) -> str:
    """The beginning of an id."""
    return text[:most]


def counted(number: int, cap: int = 10_000) -> str:
    """A count, of which the query stopped above the cap."""
    return f"{cap:,}+" if number > cap else f"{number:,}"
