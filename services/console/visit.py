"""One request as a handler sees it: who asks, for what, with which form; and the answers that it may give."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from starlette.responses import HTMLResponse, RedirectResponse, Response

from services.console import rendering
from services.console.endpoints import all_endpoints
from services.console.guards import client_address, form_token
from services.console.last_known import LastKnown
from services.operator.errors import NotAvailable
from services.operator.permissions import access
from services.operator.permissions.access import Right, SignedInPerson
from services.operator.times import zone
from shared.lazy_dataclass import dataclass
from shared.store.settings import timezone

if TYPE_CHECKING:
    from starlette.datastructures import FormData, QueryParams

    from services.console.options import Options
    from services.operator.permissions.writes import Write
    from shared.app import App
    from shared.store.access import Session

MAX_REASON: Final = 500
SEE_OTHER: Final = 303


class PageNotFound(Exception):
    """There is no such thing, or not for this person: both get the same answer."""


class Forbidden(Exception):
    """The person lacks the right, or a write does not show that it comes from this console. The message says which."""


@dataclass(frozen=True, slots=True)
class Visit:
    """A request. `values`: those of the path. `form`: of a POST, parsed and bounded; `body`: one of another kind.

    `stopping` is set when the console ends. `last`: what the process remembers for an outage of its store.
    """

    app: App
    options: Options
    path: str
    values: Mapping[str, str]
    query: QueryParams
    headers: Mapping[str, str]
    client: str
    form: FormData | None = None
    body: bytes = b""
    person: SignedInPerson | None = None
    session: Session | None = None
    secret: str = ""
    stopping: threading.Event = field(default_factory=threading.Event)
    last: LastKnown = field(default_factory=LastKnown)

    @property
    def who(self) -> SignedInPerson:
        """The signed-in person; endpoints that need a right have one."""
        if self.person is None:
            raise Forbidden("sign in first")
        return self.person

    @property
    def address(self) -> str:
        """The address that the request comes from; behind a listed proxy, what that says."""
        return client_address(self.client, self.headers.get("x-forwarded-for", ""), self.options.trusted_proxies)

    def text(self, name: str, default: str = "") -> str:
        """A field of the form, or else of the query, without what a browser puts around it."""
        value = self.form.get(name) if self.form is not None else self.query.get(name)
        return value.strip() if isinstance(value, str) else default

    @property
    def password(self) -> str:
        """The field `password`, exactly as it was typed."""
        value = self.form.get("password") if self.form is not None else None
        return value if isinstance(value, str) else ""

    def texts(self, name: str) -> list[str]:
        """Every value of a field that may be there several times."""
        source = self.form if self.form is not None else self.query
        return [each for each in source.getlist(name) if isinstance(each, str)]

    def number(self, name: str, default: int, most: int) -> int:
        """A field with a number from 0 to `most`; anything else is the default."""
        value = whole_number(self.text(name))
        return default if value is None else min(value, most)

    def revision(self, name: str = "revision") -> int:
        """The version of the configuration that a form was made from; 0, before all of them, when it names none."""
        return whole_number(self.text(name)) or 0

    def typed_count(self) -> int | None:
        """The number that a person typed to confirm an action on many; None without one."""
        return whole_number(self.text("number").replace(",", ""))

    def reason(self, *, needed: bool = False) -> str:
        """The reason that the person gave. Raises `NotAvailable` without one that is needed."""
        given = self.text("reason")[:MAX_REASON]
        if needed and not given:
            raise NotAvailable("write a reason; it is kept with the change")
        return given

    def see(self, inbox: str | None) -> None:
        """Raise `PageNotFound` for what belongs to an inbox that the person may not see."""
        if not self.who.sees(inbox):
            raise PageNotFound

    def note(self, what: Write, about: str = "", why: str = "") -> None:
        """Keep who did this, to what, when and why; every write of a handler calls it."""
        access.note(self.app, self.who.name, what, about, why or self.reason())

    def page(self, template: str, status: int = 200, **values: Any) -> Response:
        """A page: a template within the layout."""
        self.last.timezone = timezone(self.app.documents)
        return self.rendered(template, status, notice=self._notice(), **values)

    def rendered(self, template: str, status: int, **values: Any) -> Response:
        """A page for which the store is not asked. `seen_at`: when what it shows was looked up, if that was earlier."""
        at, now = rendering.moments(zone(self.last.timezone)), self.app.clock.now()
        seen_at = values.get("seen_at")
        shared = {
            "at": at,
            "as_of": at(seen_at or now, "%H:%M:%S"),
            "is_old": seen_at is not None,
            "outage": None,
            "again_after": 0,
            "now": now,
            "form_token": self.form_token,
            "navigation": self.navigation,
            "notice": "",
            "path": self.path,
            "person": self.person,
            "query": self.query,
            "Right": Right,
            "oidc": self.options.oidc,
        }
        page = rendering.render(template, {**shared, **values})
        return HTMLResponse(page.encode("utf-8", "replace"), status)  # decoded headers may have lone surrogates

    @property
    def navigation(self) -> list[tuple[str, str, bool]]:
        """Path, title, and whether it is the current one, of each screen that the person may see."""
        person = self.person
        shown = [each for each in all_endpoints() if each.title and person and person.may(each.right)]
        current = max((each.path for each in shown if _is_within(self.path, each.path)), key=len, default="")
        return [(each.path, each.title, each.path == current) for each in shown]

    def _notice(self) -> str:
        if self.session is None or not self.session.notice:
            return ""
        self.app.access.sessions.notice(self.session.id, "")
        return self.session.notice

    def back(self, path: str, notice: str = "") -> Response:
        """Send the browser to a page of this console, which says `notice` once."""
        if notice and self.session is not None:
            self.app.access.sessions.notice(self.session.id, notice)
        return RedirectResponse(own_path(path), SEE_OTHER)

    @property
    def form_token(self) -> str:
        """What every form of this session carries."""
        return form_token(self.secret) if self.secret else ""


def _is_within(path: str, screen: str) -> bool:
    return path == screen or (screen != "/" and path.startswith(f"{screen}/"))


def own_path(path: str) -> str:
    """A path on this console; anything that leads elsewhere becomes the first page."""
    is_own = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return quote(path, safe="/?&=%#+:;,@!$'()*~-._[]") if is_own else "/"


def whole_number(written: str) -> int | None:
    """What was written, when that is up to nine digits and nothing else."""
    return int(written) if written.isascii() and written.isdigit() and len(written) < 10 else None
