"""JSON as Postroom writes it into messages: compact, in UTF-8, members in the order of their fields. By orjson.

Messages are read strictly, and orjson has no setting for that: it takes two members of one name. What it has read is
therefore written again, and counts only when the same bytes come out (decision 0194). Separate from `codec`, which
knows what the bytes mean and reads what others have written.
"""

from __future__ import annotations

from math import isfinite
from typing import Any, Final

import orjson

NOT_CANONICAL: Final = object()


def write(value: Any) -> bytes:
    """Dicts, lists, texts, integers of 64 bits, finite numbers. Raises TypeError for what else there is, and for a lone
    surrogate; ValueError for NaN and infinity, which orjson writes as null.
    """
    body = orjson.dumps(value)
    if b"null" in body:
        _check_finite(value)
    return body


def _check_finite(value: Any) -> None:
    if isinstance(value, float) and not isfinite(value):
        raise ValueError(f"{value} is not a finite number, and JSON has no other")
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, list | tuple):
        for each in value:
            _check_finite(each)


def read(body: bytes) -> Any:
    """The value, if `write` would make these bytes of it; `NOT_CANONICAL` otherwise, whatever is wrong.

    Such bytes have no member twice and no NaN: each would be written in another way. Integers have at most 53 bits.
    """
    try:
        value = orjson.loads(body)
        if orjson.dumps(value, option=orjson.OPT_STRICT_INTEGER) == body:
            return value
    except (ValueError, TypeError):  # not JSON, or not to be written
        pass
    return NOT_CANONICAL
