"""Reads from a report's words whether delivery goes on or has ended, for reports that have no Action field."""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

MAX_CHARS: Final = 8_000
_WAITS: Final = re.compile(
    r"\bdelay(?:ed)?\b|not yet been delivered|will (?:be )?(?:retr|keep|continue)|still being retried|will be retried|"
    r"no action is required|has been postponed|could not send (?:message|mail) for past|attempts will continue|"
    r"only a temporary|just a warning|warning message only|will try again|do not need to re-?send|verz(?:ö|oe)ger",
    re.IGNORECASE,
)
_ENDED: Final = re.compile(
    r"giving up|given up|not going to try|permanent|will not be retried|could not be delivered within|"
    r"cannot send (?:message|mail) for|been in the queue too long|fatal error|returning (?:message|mail) to|"
    r"undelivered mail returned|\bfailed after\b|retry time(?:out)? exceeded",
    re.IGNORECASE,
)


class Prospect(Enum):
    """What the report says about further attempts."""

    WAITS = "delayed"
    ENDED = "failed"
    OPEN = "open"


def of(subject: str, text: str) -> Prospect:
    """The prospect that subject and text give together."""
    words = f"{subject}\n{text}"[:MAX_CHARS]
    if _ENDED.search(words):
        return Prospect.ENDED
    return Prospect.WAITS if _WAITS.search(words) else Prospect.OPEN
