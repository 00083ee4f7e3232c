"""Takes files out of a winmail.dat (MS-OXTNEF, section 2.1.3): all other bytes stay. Pure.

A file is a run of attributes of level 2 that begins with attAttachRendData. Separate from the parser's reader, which
decodes what is inside; here only the limits of files matter.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from typing import Final

_SIGNATURE: Final = b"\x78\x9f\x3e\x22"
_HEAD: Final = 6
_REND_DATA, _ATTACH_DATA = 0x9002, 0x800F

Restricted = Callable[[bytes, bytes], str | None]
"""The restricted name among the properties of a file, or inside its data; None when there is none."""


class UnreadableWinmail(Exception):
    """It cannot be read to its end, so what it holds is not known."""


def without_files(data: bytes, restricted: Restricted) -> tuple[bytes, list[str]]:
    """The winmail.dat without its restricted files, and their names. Raises `UnreadableWinmail`."""
    kept, names = [data[:_HEAD]], list[str]()
    for is_file, start, end, content in _runs(data):
        held = data[content[0] : content[1]]
        properties = data[start : content[0]] + data[content[1] : end]
        if is_file and (name := restricted(properties, held)):
            names.append(name)
        else:
            kept.append(data[start:end])
    return b"".join(kept), names


def _runs(data: bytes) -> Iterator[tuple[bool, int, int, tuple[int, int]]]:
    """Whether it is a file, begin and end of each run of attributes, and those of the file's data in it."""
    start, level, content = _HEAD, 1, (_HEAD, _HEAD)
    for at, end, this_level, attribute in _attributes(data):
        if this_level != level or attribute == _REND_DATA:
            yield level == 2, start, at, content
            start, level, content = at, this_level, (at, at)
        if this_level == 2 and attribute == _ATTACH_DATA:
            content = at, end
    yield level == 2, start, len(data), content


def _attributes(data: bytes) -> Iterator[tuple[int, int, int, int]]:
    """Begin, end, level and id of each attribute; the end includes its checksum. Raises `UnreadableWinmail`."""
    if not data.startswith(_SIGNATURE):
        raise UnreadableWinmail
    position = _HEAD
    while position + 9 <= len(data):
        level, attribute, _, length = struct.unpack_from("<BHHI", data, position)
        end = position + 9 + length + 2
        if level not in (1, 2) or end > len(data):
            raise UnreadableWinmail
        yield position, end, level, attribute
        position = end
