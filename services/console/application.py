"""The console as an ASGI application: every request passes the same checks, then its handler answers in a thread.

The order of the checks: host, a first user exists, the person, the right of the endpoint, then for a write its origin,
the size of its body and the token of its form. A handler that runs has passed all of them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

import anyio.to_thread
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from services.console.endpoints import Endpoint, all_endpoints
from services.console.guards import SECURITY_HEADERS, is_allowed_host, is_form_token, is_own_origin
from services.console.identity import cookie_of, identified, is_contradicted
from services.console.intake.receive import Intake
from services.console.last_known import STORE, LastKnown, OutageNotice
from services.console.probes import Probes
from services.console.screens.backtest import runs_of
from services.console.visit import Forbidden, PageNotFound, Visit, own_path
from services.operator.errors import NotAvailable, UnknownName
from services.operator.permissions.access import Right, SignedInPerson
from shared.contracts.errors import PostroomError, Unavailable

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

    from services.console.options import Options
    from services.figures.server import FiguresOfProcess
    from shared.app import App

log = logging.getLogger(__name__)

THREADS: Final = 8
"""Handlers at once; each thread has a connection to the store."""
MAX_FIELDS, MAX_FILES = 2000, 20
MAX_LENGTH_DIGITS: Final = 15
FORMS: Final = ("application/x-www-form-urlencoded", "multipart/form-data")
SET_UP: Final = "/set-up"
BUG: Final = 500
AGAIN_SECONDS: Final = 15
"""Seconds after which a browser asks again whether the store is back."""
BEFORE_SIGN_IN: Final = "This cannot be done now; the log of the console says why."
"""What somebody without a session reads instead of the words of a dependency, which name hosts and files."""


class BodyTooLarge(Exception):
    """The body of a request has more bytes than its endpoint takes."""


def build(
    app: App,
    options: Options,
    endpoints: Sequence[Endpoint] | None = None,
    stopping: threading.Event | None = None,
    figures: FiguresOfProcess | None = None,
) -> Starlette:
    """The application on an app of its own process, or of `postroom up`; open streams end when `stopping` is set.

    `figures` are those of this process.

    The endpoints of HTTP intake are apart: they have proofs of their own, and read bodies in pieces (decision 0170).
    """
    console, by_path = _Console(app, options, stopping or threading.Event()), dict[str, list[Endpoint]]()
    for endpoint in all_endpoints() if endpoints is None else endpoints:
        by_path.setdefault(endpoint.path, []).append(endpoint)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = THREADS
        yield
        await run_in_threadpool(intake.stop)
        await run_in_threadpool(runs_of(app).end)

    intake = Intake(app)
    probes = Probes(app, options, figures)
    routes = [
        *intake.routes(),
        *probes.routes(),
        *(Route(path, _Methods(console, found)) for path, found in by_path.items()),
    ]
    made = Starlette(routes=routes, lifespan=lifespan)
    made.router.redirect_slashes = False
    made.router.default = _Nothing(console)
    return made


class _Console:
    """What all endpoints share."""

    def __init__(self, app: App, options: Options, stopping: threading.Event) -> None:
        self.app, self.options, self._stopping = app, options, stopping
        self._has_users, self._last = False, LastKnown()

    def has_users(self) -> bool:
        """Whether a first user was made; asked of the store until there is one."""
        self._has_users = self._has_users or self.app.access.users.exist()
        return self._has_users

    async def answer(self, request: Request, endpoint: Endpoint | None) -> Response:
        """The answer of an endpoint, or why there is none."""
        if not is_allowed_host(request.headers.get("host", ""), self.options.allowed_hosts):
            return PlainTextResponse("This host name is not allowed; see POSTROOM_CONSOLE_ALLOWED_HOSTS.\n", 421)
        visit = self._bare(request)
        try:
            if endpoint is None or not endpoint.anonymous:
                visit = await run_in_threadpool(self._identified, visit)
            if endpoint is None:
                raise PageNotFound
            return await self._checked(request, visit, endpoint)
        except Unavailable as error:
            return await run_in_threadpool(_unavailable, visit, error, endpoint)
        except Exception as error:
            return await run_in_threadpool(_failure, visit, error)

    async def _checked(self, request: Request, visit: Visit, endpoint: Endpoint) -> Response:
        if early := await run_in_threadpool(self._admitted, visit, endpoint):
            return early
        if endpoint.method != "GET":
            if not endpoint.own_proof and not is_own_origin(visit.headers, self.options.scheme):
                raise Forbidden("this request does not come from a page of this console")
            visit = await _with_body(request, visit, endpoint.max_body)
        try:
            response = await run_in_threadpool(_handled, visit, endpoint)
            visit.last.ended(endpoint.path)
            return response
        finally:
            if visit.form is not None:
                await visit.form.close()  # files that nobody has read

    def _bare(self, request: Request) -> Visit:
        headers = {name.lower(): value for name, value in request.headers.items()}
        client = request.client.host if request.client else ""
        values, query = request.path_params, request.query_params
        bare = Visit(self.app, self.options, request.scope["path"], values, query, headers, client)
        return replace(bare, stopping=self._stopping, last=self._last)

    def _identified(self, visit: Visit) -> Visit:
        found = identified(visit)
        self._last.identified(cookie_of(visit, visit.options.cookie), found.person)
        return found

    def _admitted(self, visit: Visit, endpoint: Endpoint) -> Response | None:
        """Raise `Forbidden`, or send the browser to sign in; None: the endpoint may answer."""
        if endpoint.right != Right.PUBLIC and visit.person is None:
            if endpoint.method != "GET":
                raise Forbidden("you are signed out, and nothing was done")
            return visit.back(_sign_in_for(visit) if self.has_users() else SET_UP)
        if visit.person is not None and not visit.person.may(endpoint.right):
            raise Forbidden(f"your role, {visit.person.role}, does not allow this")
        return None


def _handled(visit: Visit, endpoint: Endpoint) -> Response:
    """The answer of the handler; a write shows the form token of its session first."""
    if endpoint.method != "GET" and not endpoint.own_proof and visit.secret:
        token = visit.text("form_token") or visit.headers.get("x-form-token", "")
        if not is_form_token(token, visit.secret):
            raise Forbidden("the form is not of this session; load the page again")
    return endpoint.handler(visit)


def _sign_in_for(visit: Visit) -> str:
    """The page of signing in, which leads on to the page that was asked for."""
    query = f"?{visit.query}" if visit.query else ""
    return f"/sign-in?next={quote(visit.path + query, safe='')}" if visit.path != "/" else "/sign-in"


def _sign_in_again(visit: Visit) -> str:
    """The page of signing in, which leads back to the page from which a write came."""
    page = urlsplit(visit.headers.get("referer", ""))
    return f"/sign-in?next={quote(own_path(page.path + (f'?{page.query}' if page.query else '')), safe='')}"


class _Methods:
    """The ASGI endpoint of one path: the endpoint of the request's method."""

    def __init__(self, console: _Console, endpoints: Sequence[Endpoint]) -> None:
        self._console, self._endpoints = console, {each.method: each for each in endpoints}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = "GET" if scope["method"] == "HEAD" else scope["method"]
        request = Request(scope, receive)
        if (endpoint := self._endpoints.get(method)) is None:
            allowed = ", ".join(sorted(self._endpoints))
            response: Response = PlainTextResponse("Method not allowed.\n", 405, {"Allow": allowed})
        else:
            response = await self._console.answer(request, endpoint)
        await _secured(_without_body(response, scope["method"]))(scope, receive, send)


def _without_body(response: Response, method: str) -> Response:
    """For HEAD an answer that ends at once: the body of a stream would be made, for minutes, and seen by nobody."""
    if method != "HEAD" or not isinstance(response, StreamingResponse):
        return response
    return Response(status_code=response.status_code, headers=dict(response.headers))


class _Nothing:
    """The ASGI endpoint of every other path."""

    def __init__(self, console: _Console) -> None:
        self._console = console

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        response = await self._console.answer(Request(scope, receive), None)
        await _secured(response)(scope, receive, send)


def _secured(response: Response) -> Response:
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    return response


async def _with_body(request: Request, visit: Visit, most: int) -> Visit:
    """The visit with its form, or its body. Raises `BodyTooLarge`, before it is read where its length is known."""
    if _declares_more(visit, most):
        raise BodyTooLarge
    bounded = Request(request.scope, _bounded(request.receive, most))
    if visit.headers.get("content-type", "").partition(";")[0].strip().lower() not in FORMS:
        return replace(visit, body=await bounded.body())
    try:
        form = await bounded.form(max_files=MAX_FILES, max_fields=MAX_FIELDS, max_part_size=most)
    except HTTPException as error:  # within an application Starlette makes this of its `MultiPartException`
        raise NotAvailable(f"the form cannot be read: {error.detail}") from error
    return replace(visit, form=form)


def _declares_more(visit: Visit, most: int) -> bool:
    """Whether the header states that the body has more bytes."""
    length = visit.headers.get("content-length", "")
    return length.isascii() and length.isdigit() and (len(length) > MAX_LENGTH_DIGITS or int(length) > most)


def _bounded(receive: Receive, most: int) -> Receive:
    left = most

    async def bounded() -> Message:
        nonlocal left
        message = await receive()
        left -= len(message.get("body", b""))
        if left < 0:
            raise BodyTooLarge
        return message

    return bounded


_SENTENCES: Final[Sequence[tuple[type[Exception], int, Callable[[Exception], str]]]] = (
    (PageNotFound, 404, lambda _: "There is no such page, or you may not see it."),
    (Forbidden, 403, str),
    (BodyTooLarge, 413, lambda _: "This is more than the page takes."),
    (NotAvailable, 409, str),
    (UnknownName, 404, str),
    (PostroomError, 409, str),
)


def _answer_to(error: Exception) -> tuple[int, str]:
    for kind, status, sentence in _SENTENCES:
        if isinstance(error, kind):
            return status, sentence(error)
    return BUG, "This is a bug; the log of the console has its details."


def _unavailable(visit: Visit, error: Unavailable, endpoint: Endpoint | None) -> Response:
    """The page while a dependency is unavailable, made without the store.

    Whoever was signed in a short time ago reads the words of the dependency, and on the first page the last figures.
    Before sign-in the words, which name hosts and files, are for the log alone.
    """
    log.warning("console_not_answered", extra={"path": visit.path, "reason": str(error)})
    secret, is_store = cookie_of(visit, visit.options.cookie), visit.person is None
    known = visit.last.person(secret)
    person = visit.person or (known if known and not is_contradicted(visit, known.name) else None)
    since = visit.last.began(STORE if is_store or endpoint is None else endpoint.path, visit.app.clock.now())
    was_write = endpoint is not None and endpoint.method != "GET"
    again = "/" if was_write else own_path(f"{visit.path}?{visit.query}" if visit.query else visit.path)
    outage = OutageNotice(since, is_store, _words_for(person, error), was_write, again)
    shown = replace(visit, person=person, secret=secret if person else "")
    seen = visit.last.overview(person) if person and is_store and visit.path == "/" else None
    values: dict[str, Any] = {"outage": outage, "again_after": 0 if was_write else AGAIN_SECONDS}
    if seen is not None:
        response = shown.rendered("overview.html", 503, seen_at=seen.at, **seen.values, **values)
    else:
        response = shown.rendered("unavailable.html", 503, **values)
    response.headers["Retry-After"] = str(AGAIN_SECONDS)
    return response


def _words_for(person: SignedInPerson | None, error: Unavailable) -> str:
    """The words of a dependency, which name hosts and files: for people who are signed in."""
    return str(error) if person else ""


def _failure(visit: Visit, error: Exception) -> Response:
    """The page for an error; one that is a bug is logged and shows no detail."""
    status, text = _answer_to(error)
    if status == BUG:
        log.error("console_failed", exc_info=error, extra={"path": visit.path})
    if visit.person is None and isinstance(error, PostroomError) and not isinstance(error, NotAvailable | UnknownName):
        log.warning("console_not_answered", extra={"path": visit.path, "reason": str(error)})
        text = BEFORE_SIGN_IN
    try:
        sign_in = _sign_in_again(visit) if visit.person is None and isinstance(error, Forbidden) else ""
        return visit.page("error.html", status, sentence=text[:1].upper() + text[1:], sign_in=sign_in)
    except PostroomError:  # the layout needs the store
        return PlainTextResponse(f"{text}\n", status)
