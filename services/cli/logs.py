"""Log lines of `up` and `worker`: one event per line on standard error, followed by its fields.

`2026-11-20T12:00:00.123Z INFO decided stage=filter mail_id=...`, or one JSON object with the members `at`, `level` and
`event` and one for each fact. POSTROOM_LOG sets the level, POSTROOM_LOG_FORMAT the form. Of an exception the line says
what it was and where it was raised; POSTROOM_DEBUG=1 shows the whole traceback. While a mail is processed, its id is in
every line (`shared.runtime.current_mail`).
"""

from __future__ import annotations

import json
import logging
import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Final

import click

from services.cli.base import DEBUG
from services.cli.output import safe
from shared.runtime.current_mail import current_mail
from shared.text import iso

log = logging.getLogger(__name__)

LEVEL: Final = "POSTROOM_LOG"
LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
FORMAT: Final = "POSTROOM_LOG_FORMAT"
_KNOWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
"""What a log record has besides the facts of its event; `color_message` is uvicorn's message for a terminal."""


class Lines(logging.Formatter):
    """Formats an event and its facts as text; values with blanks or quotes are quoted."""

    def format(self, record: logging.LogRecord) -> str:
        """One line, and the traceback below it when there is one."""
        facts = "".join(f" {name}={_value(value)}" for name, value in _facts(record).items())
        line = f"{_at(record)} {record.levelname} {safe(record.getMessage())}{facts}"
        if not record.exc_info:
            return line
        if _shows_traceback():
            return f"{line}\n{safe(self.formatException(record.exc_info), breaks=True)}"
        return f"{line} error={_value(_summary(record.exc_info[1]))}"


class JsonLines(logging.Formatter):
    """An event and its facts as one JSON object; numbers and switches stay what they are."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        line = {"at": _at(record), "level": record.levelname, "event": record.getMessage(), **_facts(record)}
        if record.exc_info:
            line["error"] = _summary(record.exc_info[1])
            if _shows_traceback():
                line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


FORMATS: Final = {"text": Lines, "json": JsonLines}


def _at(record: logging.LogRecord) -> str:
    return iso(datetime.fromtimestamp(record.created, UTC))


def _facts(record: logging.LogRecord) -> dict[str, object]:
    """The facts of a line, with the mail that is being processed unless the line names one itself."""
    facts = {name: value for name, value in vars(record).items() if name not in _KNOWN}
    mail_id = current_mail.get()
    return facts if facts.get("mail_id") or not mail_id else {**facts, "mail_id": mail_id}


def _shows_traceback() -> bool:
    return os.environ.get(DEBUG) == "1"


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
    """Log to standard error from now on. An unknown level or form is a usage error."""
    level = _chosen(LEVEL, default, LEVELS, str.upper)
    handler = logging.StreamHandler()
    handler.setFormatter(FORMATS[_chosen(FORMAT, "text", tuple(FORMATS), str.lower)]())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    for library in ("pymongo", "kombu", "amqp"):
        logging.getLogger(library).setLevel(logging.WARNING)
    logging.getLogger("pika").setLevel(logging.CRITICAL)  # lost connections are logged once, by Postroom itself


def start_for_command() -> None:
    """Log the warnings of a command that has no log of its own: without a handler Python prints their bare names."""
    if not logging.getLogger().handlers:
        start("WARNING")


@contextmanager
def ending(part: str) -> Iterator[None]:
    """Log that a worker, or all of them, ended, and why if it was an error."""
    try:
        yield
    except Exception:
        log.exception("worker_ended", extra={"stage": part})
        raise
    log.info("worker_ended", extra={"stage": part})


def _chosen(variable: str, default: str, known: Sequence[str], spelled: Callable[[str], str]) -> str:
    value = spelled(os.environ.get(variable) or default)
    if value not in known:
        raise click.UsageError(f"{variable} is {os.environ[variable]!r}; write one of {', '.join(known)}")
    return value
