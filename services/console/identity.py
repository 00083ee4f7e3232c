"""Who asks: by the cookie of a session, or by the header of a proxy that is trusted."""

from __future__ import annotations

from dataclasses import replace
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING

from services.console.guards import is_trusted_peer
from services.operator.permissions.access import person_of, sign_in, signed_in
from shared.store.access import key_of

if TYPE_CHECKING:
    from services.console.visit import Visit


def identified(visit: Visit) -> Visit:
    """The visit with its person and session, if there is one."""
    secret = cookie_of(visit, visit.options.cookie)
    if secret and (found := signed_in(visit.app, secret)):
        session, user = found
        if is_contradicted(visit, user.name):
            return visit
        return replace(visit, person=person_of(user), session=session, secret=secret)
    return visit


def named_by_proxy(visit: Visit) -> str | None:
    """The name of the person whom a trusted proxy has signed in; None without one."""
    options = visit.options
    if not (options.user_header and is_trusted_peer(visit.client, options.trusted_proxies)):
        return None
    return visit.headers.get(options.user_header) or None


def is_contradicted(visit: Visit, name: str) -> bool:
    """Whether a trusted proxy names another user than this one, whose session the browser has."""
    named = named_by_proxy(visit)
    return named is not None and key_of(named) != key_of(name)


def begin_session(visit: Visit, name: str) -> str | None:
    """A session for a user who was identified elsewhere; None when there is no such user."""
    user = visit.app.access.users.get(name)
    return sign_in(visit.app, user, visit.address) if user else None


def cookie_of(visit: Visit, name: str) -> str:
    """The value of a cookie, empty without one."""
    try:
        cookies = SimpleCookie(visit.headers.get("cookie", ""))
    except CookieError:
        return ""
    found = cookies.get(name)
    return found.value if found else ""
