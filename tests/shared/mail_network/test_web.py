"""Requests to mailboxes on the web: how long a server that limits requests asks to wait (RFC 9110, 10.2.3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from shared.mail_network.web import MAX_RETRY_AFTER_SECONDS, retry_after_seconds


def http_date(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.req("NE-20")
@pytest.mark.parametrize(
    ("value", "seconds"),
    [("17", 17.0), (" 0 ", 0.0), ("999999", MAX_RETRY_AFTER_SECONDS)],
)
def test_a_number_is_seconds_and_bounded(value: str, seconds: float) -> None:
    assert retry_after_seconds(value) == seconds


@pytest.mark.req("NE-20")
@pytest.mark.parametrize(
    ("ahead", "seconds"), [(90, 90.0), (-90, 0.0), (86_400, MAX_RETRY_AFTER_SECONDS)], ids=["later", "past", "far"]
)
def test_a_date_is_the_time_until_then_and_bounded(ahead: int, seconds: float) -> None:
    found = retry_after_seconds(http_date(ahead))
    assert found is not None
    assert abs(found - seconds) < 5


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "soon",
        "-5",
        "1.5",
        "Fri, 99 Nov 2026 00:00:00 GMT",
        "٣",
        "Fri, 01 Jan 2027 00:00:00 +99999999999999999999",
    ],
)
def test_what_cannot_be_read_says_nothing(value: str | None) -> None:
    assert retry_after_seconds(value) is None
