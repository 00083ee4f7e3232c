"""Addresses behind which nobody reads mail, by their local part. Pure."""

from __future__ import annotations

from typing import Final

from shared.lazy_pattern import lazy_compile

ROBOT: Final = lazy_compile(
    r"(?:mailer-?daemon|mdaemon|mail-?daemon|post-?master|double-bounce|bounces?|bounce-?handler"
    r"|(?:do-?_?)?not?[-_.]?reply|(?:no|auto)[-_.]?(?:answer|respon(?:d|der|se)|reply)|keine?[-_.]?antwort)(?:[-_.+].*)?$"
)
"""Local parts, in lower case, of addresses that take no answers."""


def is_robot(address: str) -> bool:
    """Whether nobody reads the mail to an address, by its local part."""
    return bool(ROBOT.match(address.rpartition("@")[0].lower()[:100]))
