"""Log lines of the commands that run on: one event a line on standard error, its facts behind it.

`2026-11-20T12:00:00.123Z INFO decided stage=filter mail_id=...`. POSTROOM_LOG sets the level. Of an exception the
line says what it was and where it was raised; POSTROOM_DEBUG=1 shows the whole traceback.
"""

from __future__ import annotations

import logging
import os
import traceback
from datetime import UTC, datetime
from typing import Final

from services.cli.base import DEBUG
from services.cli.output import safe
from shared.text import iso

LEVEL: Final = "POSTROOM_LOG"
_KNOWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


class Lines(logging.Formatter):
    """An event and its facts; values with blanks or quotes are quoted."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the traceback below it when there is one."""
        at = iso(datetime.fromtimestamp(record.created, UTC))
        facts = "".join(f" {name}={_value(value)}" for name, value in vars(record).items() if name not in _KNOWN)
        line = f"{at} {record.levelname} {safe(record.getMessage())}{facts}"
        if not record.exc_info:
            return line
        if os.environ.get(DEBUG) == "1":
            return f"{line}\n{safe(self.formatException(record.exc_info), breaks=True)}"
        return f"{line} error={_value(_summary(record.exc_info[1]))}"


def _summary(error: BaseException | None) -> str:
    """What was raised, and where."""
    frames = traceback.extract_tb(error.__traceback__) if error else []
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}: {error}{place}"


def _value(value: object) -> str:
    text = safe(value)
    if text and not set(text) & {" ", '"'}:
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def start(default: str = "INFO") -> None:
    """Log to standard error from now on."""
    level = os.environ.get(LEVEL, default).upper()
    handler = logging.StreamHandler()
    handler.setFormatter(Lines())
    logging.basicConfig(
        level=level if level in logging.getLevelNamesMapping() else default, handlers=[handler], force=True
    )
    logging.captureWarnings(capture=True)
    for library in ("pymongo", "kombu", "amqp"):
        logging.getLogger(library).setLevel(logging.WARNING)
    logging.getLogger("pika").setLevel(logging.CRITICAL)  # lost connections are logged once, by Postroom itself
