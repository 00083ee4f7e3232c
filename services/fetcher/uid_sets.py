"""Writes UIDs as IMAP sequence sets (RFC 3501, 9): many mails in one command of bounded length. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

MAX_SET_BYTES: Final = 900
"""Command lines of at most 1000 octets are safe with every server (RFC 2683, 3.2.1.5)."""
MAX_SET_MAILS: Final = 1000


def uid_sets(uids: Iterable[int]) -> Iterator[tuple[str, int]]:
    """Yield sets such as `3,7:12`, each with its number of mails, for these UIDs and no others; in ascending order."""
    parts: list[str] = []
    mails = 0
    for first, last in _ranges(uids):
        part = str(first) if first == last else f"{first}:{last}"
        if parts and (mails + last - first >= MAX_SET_MAILS or len(",".join([*parts, part])) > MAX_SET_BYTES):
            yield ",".join(parts), mails
            parts, mails = [], 0
        parts.append(part)
        mails += last - first + 1
    if parts:
        yield ",".join(parts), mails


def _ranges(uids: Iterable[int]) -> Iterator[tuple[int, int]]:
    """First and last of each run of consecutive UIDs, of at most `MAX_SET_MAILS`."""
    for _, run in groupby(enumerate(sorted(set(uids))), lambda pair: pair[1] - pair[0]):
        numbers = [uid for _, uid in run]
        for begin in range(0, len(numbers), MAX_SET_MAILS):
            part = numbers[begin : begin + MAX_SET_MAILS]
            yield part[0], part[-1]
