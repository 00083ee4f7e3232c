"""The Date field as a moment in UTC.

mail-parser reads what RFC 5322 allows, obsolete forms included; the standard library reads the rest, within
limits, because real programs write dates in every order. None with a defect when neither can read it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_tz

from mailparser.dates import parse_mail_date

from services.parser.defects import Defects

_LONGEST = 120


def utc(value: str, defects: Defects) -> str | None:
    """`2026-11-20T21:00:00Z` for a Date value; None and `bad-date` when it is not a valid date."""
    text = value.strip()[:_LONGEST]
    moment = parse_mail_date(text).value or _lenient(text)
    if moment is None:
        defects.add("bad-date")
        return None
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment.year > 999 else None


def _lenient(text: str) -> datetime | None:
    try:
        found = parsedate_tz(text)
        if found is None or not 1900 <= found[0] <= 9999:
            return None
        moment = datetime(*found[:6], tzinfo=UTC)
        return moment - timedelta(seconds=found[9] or 0)
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
