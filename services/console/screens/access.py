"""Who may do what, who did what: users, sessions, tokens of HTTP intake, and changes of the configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from services.console.endpoints import Endpoint
from services.console.visit import PageNotFound
from services.operator.permissions import access as users
from services.operator.permissions import intake_tokens
from services.operator.permissions.access import Right, Role
from services.operator.permissions.intake_tokens import DEFAULT_RATE, SHORT_ID
from services.operator.permissions.writes import Write
from services.operator.settings.configuration import configuration_changes

if TYPE_CHECKING:
    from starlette.responses import Response

    from services.console.visit import Visit

SHOWN: Final = 50
MAX_RATE: Final = 1_000_000
MAX_NOTE: Final = 200


def access(visit: Visit) -> Response:
    """The page."""
    app = visit.app
    everybody = app.access.users.all()
    entries = app.access.audit.recent(SHOWN + 1, visit.text("before") or None)
    return visit.page(
        "access.html",
        users=everybody,
        sessions=[each for user in everybody for each in app.access.sessions.of(user.id)],
        own_session=visit.session.id if visit.session else "",
        entries=entries[:SHOWN],
        older=entries[SHOWN - 1].id if len(entries) > SHOWN else "",
        tokens=list(app.intake_tokens.every()),
        default_rate=DEFAULT_RATE,
        changes=list(configuration_changes(app, SHOWN)),
        inboxes=[each.name for each in app.directory.current().inboxes],
        roles=list(Role),
    )


def add_user(visit: Visit) -> Response:
    """Make a user."""
    name, role = visit.text("name"), visit.text("role")
    password = visit.password
    read_mail = visit.text("read_mail") == "on"
    users.add_user(visit.app, name, role, password, read_mail=read_mail, inboxes=visit.texts("inbox"))
    visit.note(Write.ADDED_USER, name)
    return visit.back("/access", f"{name} may sign in now.")


def remove_user(visit: Visit) -> Response:
    """Remove a user and all sessions of the user."""
    name = visit.values["name"]
    users.remove_user(visit.app, name)
    visit.note(Write.REMOVED_USER, name)
    return visit.back("/access", f"{name} was removed.")


def revoke(visit: Visit) -> Response:
    """End a session."""
    if not visit.app.access.sessions.remove(visit.values["id"]):
        raise PageNotFound
    visit.note(Write.ENDED_SESSION, visit.values["id"][:12])
    return visit.back("/access", "The session has ended.")


def add_token(visit: Visit) -> Response:
    """Make a token of HTTP intake. It is shown on the answer to this request, and nowhere else."""
    inbox, rate = visit.text("inbox"), visit.number("rate", DEFAULT_RATE, MAX_RATE) or DEFAULT_RATE
    made = intake_tokens.add_token(visit.app, inbox, visit.who.name, note=visit.text("note")[:MAX_NOTE], rate=rate)
    visit.note(Write.MADE_TOKEN, f"{inbox}: {made.row.id[:SHORT_ID]}")
    return visit.page("new_token.html", token=made.secret, row=made.row)


def revoke_token(visit: Visit) -> Response:
    """End a token of HTTP intake."""
    token = visit.app.intake_tokens.get(visit.values["id"])
    if token is None:
        raise PageNotFound
    intake_tokens.revoke_tokens(visit.app, token.inbox, [token.id], visit.who.name)
    visit.note(Write.REVOKED_TOKEN, f"{token.inbox}: {token.id[:SHORT_ID]}")
    return visit.back("/access#tokens", "The token is revoked; mail with it is refused within two seconds.")


ENDPOINTS: Final = (
    Endpoint("GET", "/access", Right.ADMINISTER, access, title="Access"),
    Endpoint("POST", "/access/users", Right.ADMINISTER, add_user),
    Endpoint("POST", "/access/users/{name}/remove", Right.ADMINISTER, remove_user),
    Endpoint("POST", "/access/sessions/{id}/revoke", Right.ADMINISTER, revoke),
    Endpoint("POST", "/access/tokens", Right.ADMINISTER, add_token),
    Endpoint("POST", "/access/tokens/{id}/revoke", Right.ADMINISTER, revoke_token),
)
