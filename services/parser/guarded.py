"""Reads any mail within limits of time and memory.

Takes raw bytes, gives a `Reading`. A mail that is small and plain is parsed here, every other in the parser process,
whose limits of time and memory make a refusal of whatever goes wrong. Every part of Postroom that reads mail reads it
by this module.
"""

from __future__ import annotations

import logging

from services.parser import limits, mime, risk
from services.parser.limits import Overdue
from services.parser.mime import Reading
from shared.contracts.errors import BoundExceeded

__all__ = ["Overdue", "read"]

log = logging.getLogger(__name__)


def read(raw: bytes, *, suspect: bool = False) -> Reading:
    """Read one mail; a `suspect` is parsed in the parser process, small and plain or not.

    Raises `BoundExceeded` for a mail beyond a limit, of which `parse-time`, `parse-memory` and `parse-crash` stand for
    what no other limit has foreseen; `Overdue`, and `Unavailable` when no parser process can be started.
    """
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
