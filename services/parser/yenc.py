"""Extracts yEnc files from the bytes of a text part, as news readers and gateways post them.

Takes the decoded content of a part, gives it without the blocks, and the files (yEnc 1.3). Separate from `uu`, which
reads text: the bytes of yEnc are in no charset. Only complete blocks count: what was lost on the way stays as it is.
"""

from __future__ import annotations

import re

from services.parser import transfer
from services.parser.defects import Defects
from shared.lazy_pattern import lazy_compile

BEGIN = b"=ybegin "
_MOST = 100
_BEGIN = lazy_compile(rb"^=ybegin ([^\r\n]{0,600})", re.MULTILINE)
_END = lazy_compile(rb"^=yend [^\r\n]{0,300}", re.MULTILINE)
_SIZE = lazy_compile(rb" size=(\d{1,12})\b")


def extracted(data: bytes) -> tuple[bytes, list[tuple[str, bytes]]] | None:
    """(remaining bytes, [(name, bytes)]), None without a complete block."""
    files: list[tuple[str, bytes]] = []
    rest: list[bytes] = []
    position = kept = 0
    while len(files) < _MOST and (begin := _BEGIN.search(data, position)):
        end = _END.search(data, begin.end())
        if end is None:
            break
        content = transfer.from_yenc(data[begin.start() : end.end()], Defects())
        size = _SIZE.search(end[0])
        name = begin[1].partition(b" name=")[2]
        if name and size and int(size[1]) == len(content):
            files.append((name.decode("utf-8", "replace").strip().strip('"'), content))
            rest.append(data[kept : begin.start()])
            kept = end.end()
        position = end.end()
    if not files:
        return None
    rest.append(data[kept:])
    return b"".join(rest), files
