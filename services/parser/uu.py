"""Extracts uuencoded files from a text, as they were sent before MIME.

Takes a text with LF line ends, gives the text without them and the files. Only complete blocks count: a sentence that
begins with "begin" is kept.
"""

from __future__ import annotations

from services.parser import transfer

_MOST = 100


def extracted(text: str) -> tuple[str, list[tuple[str, bytes]]] | None:
    """(remaining text, [(name, bytes)]), None without a uuencoded block."""
    data = text.encode("utf-8", "replace")
    files: list[tuple[str, bytes]] = []
    rest: list[bytes] = []
    position = kept = 0
    while len(files) < _MOST and (begin := transfer.BEGIN.search(data, position)):
        content, stop, complete = transfer.uudecoded(data, begin.end())
        if complete and content:
            files.append((begin[2].decode("utf-8", "replace").strip(), content))
            rest.append(data[kept : begin.start()])
            kept = stop
            position = stop
        else:
            position = begin.end()
    if not files:
        return None
    rest.append(data[kept:])
    return b"".join(rest).decode("utf-8", "replace"), files
