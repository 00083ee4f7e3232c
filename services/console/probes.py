"""`/livez`, `/readyz` and `/metrics` on the console's port: for probes and Prometheus, which have no session.

Probes call by address, so no host is asked for; they learn nothing but yes or no. `/metrics` has names of the
configuration, so it needs a token, and does not exist without one.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from services.figures.health import unready

if TYPE_CHECKING:
    from starlette.requests import Request

    from services.console.options import Options
    from services.figures.server import FiguresOfProcess
    from shared.app import App

BEARER = "Bearer "


class Probes:
    """The answers to probes. `figures`: what this process counts; None: it counts nothing."""

    def __init__(self, app: App, options: Options, figures: FiguresOfProcess | None) -> None:
        self._app, self._figures, self._token = app, figures, options.metrics_token

    def routes(self) -> Sequence[Route]:
        """The three paths."""
        return [Route("/livez", self.live), Route("/readyz", self.ready), Route("/metrics", self.metrics)]

    async def live(self, _: Request) -> Response:
        """Whether the loops of this process go on; it waits for nothing."""
        problem = self._figures.pulse.problem() if self._figures else None
        return PlainTextResponse("not live\n" if problem else "ok\n", 503 if problem else 200)

    def ready(self, _: Request) -> Response:
        """Whether store, broker and configuration answer."""
        problem = unready(self._app)
        return PlainTextResponse("not ready\n" if problem else "ok\n", 503 if problem else 200)

    def metrics(self, request: Request) -> Response:
        """The figures, for whoever has the token."""
        if self._figures is None or not self._token:
            return PlainTextResponse("Not found.\n", 404)
        said = request.headers.get("authorization", "")
        if not hmac.compare_digest(said.encode("utf-8", "replace"), f"{BEARER}{self._token}".encode()):
            return PlainTextResponse("The token of metrics is missing or wrong.\n", 401, {"WWW-Authenticate": "Bearer"})
        answer = self._figures.answer("/metrics")
        return Response(answer.body, answer.status, media_type=answer.content_type)
