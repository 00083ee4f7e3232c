"""The event stream of a page: it says nothing but "look again", when something has changed.

All streams of a process share one look at the store every five seconds, however many pages are open.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response, StreamingResponse

from services.console.endpoints import Endpoint
from services.console.guards import is_own_page
from services.console.visit import Forbidden
from services.operator.permissions.access import Right
from shared.contracts.errors import PostroomError
from shared.store.mails import MailQuery

if TYPE_CHECKING:
    from services.console.visit import Visit
    from shared.app import App

LOOK_SECONDS: Final = 5.0
STEPS: Final = 8
"""Times between two looks that a stream asks whether the console is being stopped."""
STREAM_SECONDS: Final = 600.0
"""A stream ends after this time; the browser opens another one, and shows its session again."""
STILL_SECONDS: Final = 20.0
"""A comment is sent after this time without news, so that a lost connection is noticed."""


class Watch:
    """What tells one state of the desk from another; looked up at most once in `LOOK_SECONDS`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._at, self._seen = 0.0, ""

    def look(self, app: App) -> str:
        """A text that differs when depths or mails have changed. While one thread looks, no other waits for it."""
        if time.monotonic() - self._at < LOOK_SECONDS or not self._lock.acquire(blocking=False):
            return self._seen
        try:
            self._seen, self._at = _state(app), time.monotonic()
        finally:
            self._lock.release()
        return self._seen


def _state(app: App) -> str:
    try:
        depths = [(each.name, each.ready, each.unacked, each.consumers) for each in app.broker.depths()]
        newest = next(iter(app.mails.recent(MailQuery(), 1)), None)
    except PostroomError as error:
        return str(error)
    return f"{depths} {newest and (newest.id, newest.outcome)}"


WATCH: Final = Watch()


def live(visit: Visit) -> Response:
    """Open the stream. A page of another origin gets none, though browsers send cookies with its request."""
    if not is_own_page(visit.headers, visit.options.scheme):
        raise Forbidden("the event stream serves pages of this console alone")
    return StreamingResponse(
        _news(visit.app, visit.stopping), media_type="text/event-stream", headers={"X-Accel-Buffering": "no"}
    )


async def _news(app: App, stopping: threading.Event) -> AsyncIterator[str]:
    """Always says what the first look shows: the page may be older than its stream, and have missed a change."""
    seen, ends, said = "", time.monotonic() + STREAM_SECONDS, time.monotonic()
    yield "retry: 3000\n\n"
    while time.monotonic() < ends:
        for _ in range(STEPS):
            await asyncio.sleep(LOOK_SECONDS / STEPS)
            if stopping.is_set():
                return
        now = await run_in_threadpool(WATCH.look, app)
        if now != seen:
            yield "event: look\ndata: again\n\n"
        elif time.monotonic() - said < STILL_SECONDS:
            continue
        else:
            yield ": still here\n\n"
        seen, said = now, time.monotonic()


ENDPOINTS: Final = (Endpoint("GET", "/live", Right.SIGNED_IN, live),)
