"""The Date field as a moment in UTC.

mail-parser reads what RFC 5322 allows, obsolete forms included; the standard library reads the rest, within
limits, because real programs write dates in every order. Both read only zones of four digits, so the zone is written
that way first. None with a defect when neither can read the date, or when its zone has no known offset.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_tz

from services.parser.defects import Defects
from shared.lazy_pattern import lazy_compile

_LONGEST = 120
_FIRST_YEAR = 1900
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_USUAL = lazy_compile(
    rf"(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), )?(\d{{1,2}}) ({'|'.join(_MONTHS)}) ((?:19|20)\d\d) (\d\d:\d\d:\d\d)"
    r" ([+-]\d\d[0-5]\d)(?: \([A-Za-z0-9:+ -]{1,60}\))?",
    re.ASCII,
)
_COMMENT = lazy_compile(r"\([^()]{0,120}\)")
_TIME_WITH_DOTS = lazy_compile(r"(?<= )(\d{1,2})\.(\d{2})\.(\d{2})(?= |$)")
_REST = lazy_compile(r"(?:(?:19|20)\d\d|(?P<name>[a-z]{2,5}))?$", re.IGNORECASE)
"""What may follow a zone: the year, which some programs write last, or the name of a zone that is a number."""
_ZONE = lazy_compile(
    r"(?<![\d+\u2212-])(?P<time>\d{1,2} ?: ?\d{2}(?: ?: ?\d{2})?)(?:[.,]\d{1,9})?"
    r"(?: *(?P<name>[a-z]{1,5}(?![a-z])))?"
    r"(?: *(?P<sign>[+\u2212-]) ?(?P<digits>\d{1,2}:\d{2}|\d{1,4})(?![\d:]))?"
    r"(?P<more>[^ ]*)(?: +(?P<rest>.*))?",
    re.IGNORECASE,
)
_HOURS = {
    "UT": 0, "UTC": 0, "GMT": 0, "Z": 0, "WET": 0, "WEST": 1, "BST": 1, "CET": 1, "MEZ": 1, "MET": 1, "CEST": 2,
    "MESZ": 2, "MEST": 2, "EET": 2, "EEST": 3, "MSK": 3, "JST": 9, "KST": 9, "HKT": 8, "SGT": 8, "AWST": 8,
    "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6,
    "PST": -8, "PDT": -7, "AKST": -9, "AKDT": -8, "HST": -10,
}  # fmt: skip
"""Names of one offset: North America's as in RFC 5322 section 4.3, which leaves military letters without a meaning."""


def utc(value: str, defects: Defects) -> str | None:
    """`2026-11-20T21:00:00Z` for a Date value; None and `bad-date` when it is not a valid date."""
    text = value.strip()[:_LONGEST]
    moment = _usual(text) or _unusual(text)
    if moment is None:
        defects.add("bad-date")
        return None
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment.year > 999 else None


def _usual(text: str) -> datetime | None:
    """The moment, if the date has the form in which nearly all programs write it (RFC 5322 section 3.3)."""
    if (found := _USUAL.fullmatch(text)) is None:
        return None
    day, month, year, time, zone = found.groups()
    return _iso(f"{year}-{_MONTHS.index(month) + 1:02}-{day:0>2}T{time}{zone}")


def _unusual(text: str) -> datetime | None:
    if "(" in text:
        text = _COMMENT.sub(" ", _COMMENT.sub(" ", text))
    if text[4:5] == "-" and (moment := _iso(text)):
        return moment
    from mailparser.dates import parse_mail_date  # its imports take long, and few mails need it

    numeric = _with_numeric_zone(text)
    return (parse_mail_date(numeric).value or _lenient(numeric)) if numeric else None


def _iso(text: str) -> datetime | None:
    """The moment of a date in the form of ISO 8601; without a zone it is in UTC."""
    try:
        moment = datetime.fromisoformat(text)
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return moment if moment.year >= _FIRST_YEAR else None


def _with_numeric_zone(text: str) -> str | None:
    """The date with its zone as four digits, if it has one; None when the zone has no known offset."""
    text = _TIME_WITH_DOTS.sub(r"\1:\2:\3", " ".join(text.replace('"', " ").split()))
    found = _ZONE.search(text)
    if found is None:
        return text
    rest = _REST.match(found["rest"] or "")
    if found["more"] or rest is None or (rest["name"] and not found["digits"]):
        return None
    if not (found["name"] or found["digits"]):
        return None if "+" in text else text
    offset = _offset(found)
    year = "" if rest["name"] else rest[0]
    return None if offset is None else f"{text[: found.start()]}{found['time']} {offset} {year}".strip()


def _offset(found: re.Match[str]) -> str | None:
    """`+0100` for a zone that is a number, a known name, or both."""
    hours = _HOURS.get(found["name"].upper()) if found["name"] else 0
    if hours is None:
        return None
    if not found["digits"]:
        return f"{'-' if hours < 0 else '+'}{abs(hours):02}00"
    hour, _, minute = found["digits"].rpartition(":")
    if not hour:
        hour, minute = (minute[:-2], minute[-2:]) if len(minute) > 2 else (minute, "0")
    sign = "+" if found["sign"] == "+" else "-"
    return f"{sign}{int(hour):02}{int(minute):02}" if int(hour) < 24 and int(minute) < 60 else None


def _lenient(text: str) -> datetime | None:
    try:
        found = parsedate_tz(text)
        if found is None or not _FIRST_YEAR <= found[0] <= 9999:
            return None
        moment = datetime(*found[:6], tzinfo=UTC)
        return moment - timedelta(seconds=found[9] or 0)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
