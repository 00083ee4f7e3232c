"""Counts what reading a mail costs, without a clock: lines of Python that run, and calls of built-in functions.

What a regular expression or a search does inside one call is not seen here; `cpu_seconds` is for that.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from contextlib import suppress
from types import FrameType
from typing import Any

from services.parser import mime
from shared.contracts.errors import BoundExceeded
from tests.growth import CONSTRUCTIONS


def steps(raw: bytes) -> int:
    """Lines of Python and calls of built-in functions that `raw` takes to be read or refused."""
    count = 0

    def line(_frame: FrameType, event: str, _arg: Any) -> Any:
        nonlocal count
        count += event == "line"
        return line

    def call(_frame: FrameType, event: str, _arg: Any) -> None:
        nonlocal count
        count += event == "c_call"

    before = sys.gettrace(), sys.getprofile()
    sys.settrace(line)
    sys.setprofile(call)
    try:
        _read(raw)
    finally:
        sys.settrace(before[0])
        sys.setprofile(before[1])
    return count


def cpu_seconds(raw: bytes) -> float:
    """Time on the processor, whoever else is at work."""
    start = time.process_time()
    _read(raw)
    return time.process_time() - start


def _read(raw: bytes) -> None:
    with suppress(BoundExceeded):
        mime.read(raw)


def _measured(name: str, size: int) -> dict[str, float]:
    raw = CONSTRUCTIONS[name](size)
    seconds = cpu_seconds(raw)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return {"bytes": len(raw), "seconds": seconds, "mb": peak}


if __name__ == "__main__":  # python -m tests.growth.work NAME SIZE
    sys.stdout.write(json.dumps(_measured(sys.argv[1], int(sys.argv[2]))))
