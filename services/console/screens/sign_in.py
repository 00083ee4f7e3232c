"""Signing in and out, and the page on which the first user is made."""

from __future__ import annotations

import logging
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from services.console.endpoints import Endpoint
from services.console.identity import begin_session, cookie_of, named_by_proxy
from services.console.oidc import BEGUN_SECONDS, REFUSED, Begun, OidcOptions, Provider, SignInRefused
from services.console.sign_in_limit import SECONDS, Attempt, SignInLimit
from services.console.visit import SEE_OTHER, PageNotFound, own_path
from services.operator.errors import NotAvailable
from services.operator.permissions import access
from services.operator.permissions.access import Right
from services.operator.permissions.writes import Write

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.console.visit import Visit

log = logging.getLogger(__name__)
WRONG: Final = "Name or password is wrong."
OIDC_BACK: Final = "/sign-in/oidc/back"
MAX_TARGET: Final = 1000
NOT_BEGUN: Final = "This sign-in was not begun in this browser, or too long ago. Begin again."


LIMIT: Final = SignInLimit()
MARK_DAYS: Final = 30


def sign_in_page(visit: Visit) -> Response:
    """The form; whoever a trusted proxy has identified is signed in at once."""
    if visit.person is not None:
        return visit.back("/")
    if (name := named_by_proxy(visit)) and (secret := begin_session(visit, name)):
        access.note(visit.app, name, Write.SIGNED_IN_BY_PROXY, visit.address)
        return _with_cookie(visit, visit.back("/"), secret)
    return visit.page("sign_in.html", next=own_path(visit.query.get("next", "/")), refusal="")


def sign_in(visit: Visit) -> Response:
    """Check name and password and begin a session."""
    name, password = visit.text("name"), visit.password
    target = own_path(visit.text("next", "/"))
    if len(name) > access.MAX_NAME:
        return visit.page("sign_in.html", 403, next=target, refusal=WRONG)
    attempt = Attempt(name, visit.address, cookie_of(visit, _mark_cookie(visit)))
    if why := LIMIT.why_to_wait(attempt):
        page = visit.page("sign_in.html", 429, next=target, refusal=why)
        page.headers["Retry-After"] = f"{SECONDS:.0f}"
        return page
    user = access.checked_password(visit.app, name, password)
    if user is None:
        LIMIT.refused(attempt)
        log.warning("sign_in_refused", extra={"client": visit.address})
        return visit.page("sign_in.html", 403, next=target, refusal=WRONG)
    access.note(visit.app, user.name, Write.SIGNED_IN, visit.address)
    response = _with_cookie(visit, visit.back(target), access.sign_in(visit.app, user, visit.address))
    _set_cookie(visit, response, _mark_cookie(visit), LIMIT.mark_for(name), MARK_DAYS * 24 * 3600)
    return response


def _mark_cookie(visit: Visit) -> str:
    return f"{visit.options.cookie}-known"


def begin_oidc(visit: Visit) -> Response:
    """Send the browser to the identity provider; what the sign-in has to remember goes with it as a cookie."""
    from starlette.responses import RedirectResponse

    provider = _provider(visit)
    begun = Begun.new(own_path(visit.query.get("next", "/"))[:MAX_TARGET])
    try:
        address = provider.address(begun, _redirect_uri(visit))
    except SignInRefused as error:
        return visit.page("sign_in.html", 503, next=begun.target, refusal=str(error))
    response = RedirectResponse(address, SEE_OTHER)
    _set_cookie(visit, response, _oidc_cookie(visit), begun.cookie, BEGUN_SECONDS)
    return response


def finish_oidc(visit: Visit) -> Response:
    """The identity provider sends the browser back here: begin a session for the user whom it names."""
    provider, begun = _provider(visit), Begun.of_cookie(cookie_of(visit, _oidc_cookie(visit)))
    try:
        if begun is None or not begun.is_answered_by(visit.query.get("state", "")):
            raise SignInRefused(NOT_BEGUN)
        if visit.query.get("error") or not visit.query.get("code"):
            raise SignInRefused(REFUSED)
        name = provider.name(visit.query.get("code", ""), begun, _redirect_uri(visit))
        ends = visit.app.clock.now() + timedelta(seconds=BEGUN_SECONDS)
        if not visit.app.access.sessions.use_once(begun.state, ends):
            raise SignInRefused(NOT_BEGUN)
        secret = begin_session(visit, name)
        if secret is None:
            log.warning("oidc_unknown_user", extra={"client": visit.address})
            raise SignInRefused(
                f"There is no user {name!r} here. An administrator adds one under Access, without a password."
            )
    except SignInRefused as error:
        response = visit.page("sign_in.html", 403, next=begun.target if begun else "/", refusal=str(error))
    else:
        access.note(visit.app, name, Write.SIGNED_IN_BY_PROVIDER, visit.address)
        response = _with_cookie(visit, visit.back(begun.target), secret)
    response.delete_cookie(_oidc_cookie(visit), path="/", secure=visit.options.secure, httponly=True, samesite="lax")
    return response


def _provider(visit: Visit) -> Provider:
    if visit.options.oidc is None:
        raise PageNotFound
    return provider_of(visit.options.oidc)


@cache
def provider_of(options: OidcOptions) -> Provider:
    """The provider; its addresses and keys are remembered."""
    return Provider(options)


def _redirect_uri(visit: Visit) -> str:
    """The address of `finish_oidc`; the host was checked against those that are allowed."""
    return f"{visit.options.scheme}://{visit.headers['host']}{OIDC_BACK}"


def _oidc_cookie(visit: Visit) -> str:
    return f"{visit.options.cookie}-oidc"


def sign_out(visit: Visit) -> Response:
    """End the session."""
    if visit.session is not None:
        visit.app.access.sessions.remove(visit.session.id)
        visit.note(Write.SIGNED_OUT)
    response = visit.back("/sign-in")
    response.delete_cookie(visit.options.cookie, path="/")
    return response


def set_up_page(visit: Visit) -> Response:
    """The form for the first user; only with the token that was printed at the start."""
    token = visit.query.get("token", "")
    offered = not visit.app.access.users.exist() and visit.app.access.sessions.is_set_up_token(token)
    if not offered:
        return visit.page("set_up.html", 404, token="", refusal="")
    return visit.page("set_up.html", token=token, refusal="")


def set_up(visit: Visit) -> Response:
    """Make the first user, an administrator, and sign in."""
    token, name, password = visit.text("token"), visit.text("name"), visit.password
    try:
        user = access.set_up(visit.app, token, name, password)
    except NotAvailable as error:
        still = visit.app.access.sessions.is_set_up_token(token)
        return visit.page("set_up.html", 409, token=token if still else "", refusal=str(error))
    access.note(visit.app, user.name, Write.MADE_FIRST_USER)
    return _with_cookie(visit, visit.back("/"), access.sign_in(visit.app, user, visit.address))


def _with_cookie(visit: Visit, response: Response, secret: str) -> Response:
    _set_cookie(visit, response, visit.options.cookie, secret, access.SESSION_HOURS * 3600)
    return response


def _set_cookie(visit: Visit, response: Response, name: str, value: str, seconds: int) -> None:
    options: dict[str, Any] = {"secure": visit.options.secure, "httponly": True, "samesite": "lax", "path": "/"}
    response.set_cookie(name, value, max_age=seconds, **options)


ENDPOINTS: Final = (
    Endpoint("GET", "/sign-in", Right.PUBLIC, sign_in_page),
    Endpoint("POST", "/sign-in", Right.PUBLIC, sign_in),
    Endpoint("GET", "/sign-in/oidc", Right.PUBLIC, begin_oidc),
    Endpoint("GET", OIDC_BACK, Right.PUBLIC, finish_oidc),
    Endpoint("POST", "/sign-out", Right.SIGNED_IN, sign_out),
    Endpoint("GET", "/set-up", Right.PUBLIC, set_up_page),
    Endpoint("POST", "/set-up", Right.PUBLIC, set_up),
)
