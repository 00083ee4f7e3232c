"""What travels between a process that wants a mail read and the parser process: length-prefixed frames.

A frame is two lengths, an object in JSON and bytes behind it. The answer's object is strict JSON, read by the codec of
the contracts: the process that wrote it has handled hostile input, so its answer is data and never code.
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
"""Bytes of the JSON, bytes of what follows it."""
READY: bytes = HEAD.pack(0, 0)
"""The first frame of a parser process: it has imported everything and waits for mail."""


def frame(value: Any, *following: bytes) -> Sequence[bytes]:
    """The pieces of a frame, to be written one after the other."""
    said = codec.dumps(value)
    return (HEAD.pack(len(said), sum(map(len, following))), said, *following)


def of_reading(reading: Reading) -> Sequence[bytes]:
    """A mail that was read, and the bytes of its files behind it."""
    contents = list(reading.contents.values())
    return frame({"mail": codec.mail_to_json(reading.mail), "sizes": [len(each) for each in contents]}, *contents)


def of_bound(error: BoundExceeded) -> Sequence[bytes]:
    """A mail that exceeds a bound, its name and what else there is to say."""
    return frame({"bound": error.bound, "detail": error.detail})


def reading(said: bytes, take: Callable[[int], bytes], most: int) -> Reading:
    """What an answer says; `take` reads so many of the bytes behind it, `most` of them are there.

    Raises `BoundExceeded` as the mail did, `Undecodable` when it is no answer.
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
