"""What the head of a mail says of its thread and its time, read without the body.

For imports, which look at every mail of a large box before they hand in the first. Never fails: what cannot be read is
left out, and the mail goes to the parser as any other one.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from services.parser import dates, ids
from services.parser.bounds import Bounds
from services.parser.defects import Defects
from services.parser.headers import Headers, parse_block
from shared.contracts.errors import BoundExceeded
from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile
from shared.text import from_iso

MAX_HEAD_BYTES: Final = 256 << 10
MAX_REFERENCES: Final = 100
EARLIEST: Final = datetime(1980, 1, 1, tzinfo=UTC)
"""Mail is not older; an earlier date comes from a clock that was not set."""
_END = lazy_compile(rb"\n\r?\n")


@dataclass(frozen=True, slots=True)
class Head:
    """The head of a mail: its Message-ID, the ids that it answers (the nearest first), the text of its From, and the
    times at which it arrived (the topmost Received) and was written (Date), as far as they can be read.
    """

    message_id: str | None = None
    answers: tuple[str, ...] = ()
    sender: str = ""
    times: tuple[datetime, ...] = ()


def read(raw: bytes) -> Head:
    """The head of a mail."""
    found = _END.search(raw, 0, MAX_HEAD_BYTES)
    defects = Defects()
    try:
        headers, _ = parse_block(raw[: found.start() + 1 if found else MAX_HEAD_BYTES], Bounds(), defects)
        return Head(
            ids.message_id(headers.index.get("message-id", []), defects),
            _answers(headers, defects),
            headers.get("from") or "",
            tuple(_times(headers, defects)),
        )
    except (BoundExceeded, ValueError, LookupError, RecursionError):
        return Head()


def _answers(headers: Headers, defects: Defects) -> tuple[str, ...]:
    replied = ids.all_ids(headers.index.get("in-reply-to", []), MAX_REFERENCES, defects)
    references = ids.all_ids(headers.index.get("references", []), MAX_REFERENCES, defects)
    return tuple(dict.fromkeys((*replied[:1], *reversed(references))))


def _times(headers: Headers, defects: Defects) -> Iterator[datetime]:
    received = (headers.get("received") or "").rpartition(";")[2]
    for value in (received, headers.get("date") or ""):
        if (moment := time_of(value, defects)) is not None:
            yield moment


def time_of(value: str, defects: Defects | None = None) -> datetime | None:
    """The moment that a date names; None when it is none, or earlier than mail is."""
    found = dates.utc(value, defects or Defects()) if value.strip() else None
    moment = from_iso(found) if found else None
    return moment if moment and moment >= EARLIEST else None
