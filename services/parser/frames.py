"""The length-prefixed frames that are exchanged with the parser process.

A frame is two lengths, a JSON object and the bytes after it. The answer's object is strict JSON, read by the codec of
the contracts: the process that wrote it has handled hostile input, so its answer is only treated as data.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Sequence
from typing import Any

from services.parser.mime import Reading
from shared.contracts import codec
from shared.contracts.errors import BoundExceeded, Undecodable

HEAD = struct.Struct(">QQ")
"""Length of the JSON and of the data after it, in bytes."""
READY: bytes = HEAD.pack(0, 0)
"""The first frame of a parser process: its imports are done and it waits for mail."""


def frame(value: Any, *following: bytes) -> Sequence[bytes]:
    """The pieces of a frame, to be written one after the other."""
    said = codec.dumps(value)
    return (HEAD.pack(len(said), sum(map(len, following))), said, *following)


def of_reading(reading: Reading) -> Sequence[bytes]:
    """A mail that was read; the bytes of its files follow it."""
    contents = list(reading.contents.values())
    return frame({"mail": codec.mail_to_json(reading.mail), "sizes": [len(each) for each in contents]}, *contents)


def of_bound(error: BoundExceeded) -> Sequence[bytes]:
    """A mail that exceeds a limit: the limit's name and details."""
    return frame({"bound": error.bound, "detail": error.detail})


def reading(said: bytes, take: Callable[[int], bytes], most: int) -> Reading:
    """Return the content of an answer; `take(n)` reads n of the `most` bytes that follow it.

    Raises `BoundExceeded` as the mail did, `Undecodable` when the answer is invalid.
    """
    answer = codec.loads(said)
    if not isinstance(answer, dict):
        raise Undecodable("the answer must be a JSON object")
    if "bound" in answer:
        raise BoundExceeded(str(answer["bound"]), str(answer.get("detail", "")))
    mail, sizes = codec.mail_from_json(answer.get("mail")), answer.get("sizes")
    if not isinstance(sizes, list) or not all(type(size) is int and size >= 0 for size in sizes) or sum(sizes) != most:
        raise Undecodable("the sizes of the files are not those of what follows")
    contents = {hashlib.sha256(content).hexdigest(): content for content in map(take, sizes)}
    if any(file.sha256 not in contents for file in mail.attachments):
        raise Undecodable("a file is missing")
    return Reading(mail, contents)
