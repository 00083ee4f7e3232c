"""Finds mail addresses in the free text of delivery reports.

Accepts more than RFC 5321 in the local part (old phones and gateways), but is strict about where an address ends.
Every pattern is bounded and starts at a fixed place, so that its running time stays linear.
"""

from __future__ import annotations

from typing import Final

from shared.lazy_pattern import lazy_compile

_WIDE: Final = "\u3001\u3002\u3008-\u3011\uff08\uff09\uff0c\uff1a\uff1b\uff1c\uff1e"  # punctuation of East Asia
LOCAL: Final = rf"[^\s<>()\[\]:;,\"'`|@{_WIDE}]{{1,120}}"
_WORD: Final = r"A-Za-z0-9_À-\u024f\u0370-\u1fff"  # no CJK: such prose follows an address without a blank
DOMAIN: Final = rf"(?:[{_WORD}](?:[{_WORD}.-]{{0,250}}[{_WORD}])?|\[[0-9A-Fa-f.:]{{3,45}}\])"
ADDRESS: Final = rf"(?:\"[^\"\n@]{{1,80}}\"|{LOCAL})@{DOMAIN}"
_ADDRESS: Final = lazy_compile(ADDRESS)
_ROBOTS: Final = ("mailer-daemon@", "postmaster@", "mdaemon@", "double-bounce@")


def first_address(text: str) -> str | None:
    """The first mail address in a short text, or None."""
    found = find(text[:2000], 1)
    return found[0] if found else None


def find(text: str, limit: int = 1000) -> list[str]:
    """Mail addresses in the order of the text, at most `limit`."""
    found: list[str] = []
    start, at = 0, text.find("@")
    while at >= 0 and len(found) < limit:
        following = text.find("@", at + 1)
        end = following if 0 <= following < at + 256 else at + 256
        match = _ADDRESS.search(text, max(start, at - 125), end)
        start = at + 1 if match is None else match.end()
        if match:
            found.append(tidy(match[0]))
        at = following
    return found


def tidy(address: str) -> str:
    """Return `address` without the punctuation that surrounds it in prose."""
    return address.strip().strip("<>.,;:'").removeprefix("mailto:").removeprefix("SMTP:").removeprefix("smtp:")


def is_robot(address: str) -> bool:
    """Whether an address sends reports (such as mailer-daemon), so that it cannot be a failed recipient."""
    return address.lower().startswith(_ROBOTS)
