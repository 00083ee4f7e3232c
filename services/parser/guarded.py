"""Reads any mail within limits of time and memory.

Takes raw bytes, gives a `Reading`. A small and simple mail is parsed in this process, all others in the parser
process, which refuses a mail that exceeds its limits of time and memory. All parts of Postroom that read mail use
this module.
"""

from __future__ import annotations

import logging

from services.parser import limits, mime, risk
from services.parser.limits import Overdue
from services.parser.mime import Reading
from services.parser.readers import READERS, ReaderEnded
from shared.contracts.errors import BoundExceeded

__all__ = ["Overdue", "read"]

log = logging.getLogger(__name__)


def read(raw: bytes, *, suspect: bool = False) -> Reading:
    """Read one mail; a `suspect` is always parsed in the parser process, as one at which a reader ended.

    Raises `BoundExceeded` for a mail beyond a limit, of which `parse-time`, `parse-memory` and `parse-crash` cover
    what the other limits do not; `Overdue`, and `Unavailable` when no parser process can be started.
    """
    try:
        if (reading := READERS.reading(raw)) is not None:
            return reading
    except ReaderEnded:
        suspect = True
    if suspect or not risk.is_small_and_plain(raw):
        from services.parser import process

        return process.PARSER_PROCESS.read(raw)
    try:
        return mime.read(raw)
    except BoundExceeded:
        raise
    except MemoryError:
        raise limits.out_of_memory(len(raw)) from None
    except Exception as error:
        log.exception("parse_failed")
        raise limits.broken(error) from error
