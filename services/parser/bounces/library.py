"""Asks flufl.bounce who bounced, for the private formats that Mailman has collected over twenty years.

Separate because the library wants the standard library's message objects and bytes, and is imported only
when a mail looks like a report and its own fields name no recipient.
"""

from __future__ import annotations

import logging
from email.message import Message
from typing import TYPE_CHECKING, Final

from services.parser.bounces.addresses import first_address, tidy
from shared.lazy_pattern import lazy_compile

if TYPE_CHECKING:
    from services.parser.tree import Part

MAX_CHARS: Final = 65_536
"""Characters of all parts together that the library may read."""
MIN_LINE: Final = 16
"""Characters that each line counts as, at least, because an empty line costs the library as much time."""
MAX_ADDRESSES: Final = 1_000
MAX_LINE: Final = 1_000
MAX_DEPTH: Final = 4
MAX_CHILDREN: Final = 20
_PLAIN: Final = lazy_compile(rb"[^\s@<>{}\[\],;]{1,120}@[A-Za-z0-9._-]{1,255}")
_HEADERS: Final = ("Subject", "X-Mailer")


def failures(root: Part) -> tuple[str, ...]:
    """Addresses that failed, permanently or for now; empty when the library does not know the format."""
    from flufl.bounce import all_failures

    logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL)  # it logs every step, and a traceback for odd text
    try:
        temporary, permanent = all_failures(as_message(root))
    except Exception:  # the library parses hostile text; a report without its help is still a report
        logging.getLogger(__name__).debug("bounce_library_failed", exc_info=True)
        return ()
    return _decoded(permanent) + _decoded(temporary)


def _decoded(addresses: frozenset[bytes]) -> tuple[str, ...]:
    return tuple(sorted(tidy(a.decode("ascii", "replace")) for a in addresses if _PLAIN.fullmatch(a))[:MAX_ADDRESSES])


def as_message(root: Part) -> Message:
    """The report as the standard library's object, with at most as much of its text as the library may read."""
    message = Message()
    message["From"] = first_address(root.headers.get("From") or "") or ""
    for name in _HEADERS:
        for value in root.headers.all(name):
            message[name] = " ".join(value.split())[:2000]
    _fill(message, root, MAX_CHARS, depth=0)
    return message


def _fill(message: Message, part: Part, left: int, depth: int) -> int:
    """Fill in type and content, of which `left` characters may be taken; how many may be taken after it."""
    message["Content-Type"] = part.content_type
    if description := part.headers.get("Content-Description"):
        message["Content-Description"] = " ".join(description.split())[:200]
    if part.children and depth < MAX_DEPTH and part.content_type.startswith("multipart/"):
        message.set_payload([])
        for child in part.children[:MAX_CHILDREN]:
            inner = Message()
            left = _fill(inner, child, left, depth + 1)
            message.attach(inner)
        return left
    lines = (part.text or "")[:left].split("\n")[: left // MIN_LINE]
    message.set_payload(fast_to_match("\n".join(lines)))
    return max(0, left - sum(max(MIN_LINE, len(line)) for line in lines))


def fast_to_match(text: str) -> str:
    """The text in lines that the library's patterns get through quickly.

    One of them (`.*<([^>]*)>`) takes cubic time on opening brackets that nothing closes, and quadratic time on any
    long line: such brackets go, and long lines are cut into several.
    """
    lines = (
        line[start : start + MAX_LINE] for line in text.split("\n") for start in range(0, len(line) or 1, MAX_LINE)
    )
    return "\n".join(line if "<" not in line else _closed(line) for line in lines)


def _closed(line: str) -> str:
    end = line.rfind(">") + 1
    return line[:end] + line[end:].replace("<", " ")
