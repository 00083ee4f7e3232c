"""Reads the body of a request within bounds: its size, the memory of all requests together, and time.

A body is read only after the request was admitted as far as its header allows; a declared length above the bound is
refused before any of it is read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

from starlette.requests import ClientDisconnect, Request

from services.console.intake.refusal import Refusal, bad_request, too_large, unavailable
from shared.lazy_dataclass import dataclass

IDLE_SECONDS: Final = 30.0
"""A client that sends nothing for this long is refused."""
READ_SECONDS: Final = 300.0
"""A body that takes longer is refused."""
BUSY_RETRY_SECONDS: Final = 2
MAX_LENGTH_DIGITS: Final = 15


class Memory:
    """Bytes that the bodies of all requests may hold at a time. Used by one event loop."""

    def __init__(self, most: int) -> None:
        self.most, self.held = most, 0

    @contextmanager
    def share(self) -> Iterator[Share]:
        """The part of one request, given back at the end of the block."""
        share = Share(self)
        try:
            yield share
        finally:
            self.held -= share.held


@dataclass(slots=True)
class Share:
    """What one request holds."""

    memory: Memory
    held: int = 0

    def grow_to(self, size: int) -> None:
        """Hold at least this many bytes. Raises `Refusal` (503) when other requests hold too many."""
        more = size - self.held
        if more <= 0:
            return
        if self.memory.held + more > self.memory.most:
            raise unavailable("too many large mails are being handed in", BUSY_RETRY_SECONDS)
        self.memory.held += more
        self.held = size


async def read_body(request: Request, most: int, share: Share, *, ahead: bool = True) -> bytes:
    """The body, of at most `most` bytes. Raises `Refusal`: 400, 408, 413, 415 or 503.

    `ahead`: hold the declared length from the beginning; else only what was read.
    """
    length = _declared_length(request)
    if length is not None:
        if length > most:
            raise too_large(most)
        share.grow_to(length if ahead else 0)
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "Content-Encoding is not supported; send the bytes themselves")
    try:
        return await _read(request, most, share)
    except TimeoutError:
        raise Refusal(HTTPStatus.REQUEST_TIMEOUT, "the body came too slowly", {"Connection": "close"}) from None
    except ClientDisconnect:
        raise bad_request("the connection ended before the body did") from None


def _declared_length(request: Request) -> int | None:
    text = request.headers.get("content-length")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > MAX_LENGTH_DIGITS:
        raise bad_request("Content-Length is not a number of bytes")
    return int(text)


async def _read(request: Request, most: int, share: Share) -> bytes:
    chunks, size, now = list[bytes](), 0, asyncio.get_running_loop().time
    end = now() + READ_SECONDS
    async with asyncio.timeout(IDLE_SECONDS) as timeout:
        async for chunk in request.stream():
            size += len(chunk)
            if size > most:
                raise too_large(most)
            share.grow_to(size)
            chunks.append(chunk)
            if len(chunks) > 1:  # most bodies come in one piece
                timeout.reschedule(min(end, now() + IDLE_SECONDS))
    return b"".join(chunks)
