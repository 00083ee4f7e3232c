"""What the console answers while its store or broker is unavailable."""

from __future__ import annotations

import http.client
import re
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from services.console import last_known
from services.console.application import build
from services.console.last_known import LastKnown
from services.console.options import Options
from services.operator.permissions import access
from services.operator.permissions.access import Role, SignedInPerson
from shared.contracts.errors import Misconfigured, PostroomError, Unavailable
from tests.builders import a_configuration, a_mail, an_inbox
from tests.desk import NOW, Desk
from tests.servers.presence import PATIENCE_SECONDS
from tests.services.console.conftest import Clients, TestClient

if TYPE_CHECKING:
    from playwright.sync_api import Browser

WORDS = "the data file /secret/place cannot be used"


@pytest.fixture
def leave(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Callable[[PostroomError], None]:
    """Makes every call of the store fail."""

    def left(error: PostroomError) -> None:
        def fails(*_: object, **__: object) -> None:
            raise error

        for name in (
            "get",
            "get_fresh",
            "find",
            "count",
            "insert",
            "insert_many",
            "update",
            "upsert",
            "delete",
            "ping",
        ):
            monkeypatch.setattr(type(desk.app.documents), name, fails)

    return left


@pytest.mark.parametrize("error", [Unavailable(WORDS), Misconfigured(WORDS)], ids=["unavailable", "misconfigured"])
@pytest.mark.parametrize("path", ["/", "/sign-in", "/mails", "/nowhere", "/set-up?token=x"])
def test_before_sign_in_a_dependency_is_not_quoted(
    clients: Clients,
    leave: Callable[[PostroomError], None],
    caplog: pytest.LogCaptureFixture,
    path: str,
    error: PostroomError,
) -> None:
    client = clients()
    client.cookies.set("postroom", "somebody's")
    leave(error)
    answer = client.get(path, follow_redirects=False)
    assert answer.status_code == (503 if isinstance(error, Unavailable) else 409)
    assert "secret" not in answer.text
    logged = [getattr(each, "reason", "") for each in caplog.records if each.getMessage() == "console_not_answered"]
    assert logged == [WORDS]


def test_the_page_says_what_cannot_be_reached_since_when_what_still_works_and_tries_again(
    desk: Desk, clients: Clients, leave: Callable[[PostroomError], None]
) -> None:
    client = clients("viewer")
    client.get("/mails")
    leave(Unavailable(WORDS))
    began = desk.clock.now()
    first = client.get("/mails?search=a&inbox=b", follow_redirects=False)
    desk.clock.advance(timedelta(minutes=10))
    later = client.get("/queues", follow_redirects=False)
    for answer in (first, later):
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "15")
        assert f"The store cannot be reached since {began:%Y-%m-%d %H:%M:%S}." in answer.text
        assert WORDS in answer.text
        assert "No mail is lost" in answer.text
        assert '<meta http-equiv="refresh" content="15">' in answer.text
        assert "Content-Security-Policy" in answer.headers
    assert '<a class="button" href="/mails?search=a&amp;inbox=b">Try again</a>' in first.text
    assert client.get("/static/console.css").status_code == 200


def test_a_form_that_was_sent_meanwhile_is_not_sent_again(
    clients: Clients, leave: Callable[[PostroomError], None]
) -> None:
    client = clients("operator")
    client.get("/")
    leave(Unavailable(WORDS))
    answer: Any = client.submit("/queues/filter/pause", reason="x")
    assert answer.status_code == 503
    assert "may not have been done" in answer.text
    assert "http-equiv" not in answer.text
    assert '<a class="button" href="/">Try again</a>' in answer.text


def test_the_link_that_tries_again_leads_to_this_console(
    clients: Clients, leave: Callable[[PostroomError], None]
) -> None:
    client = clients()
    client.cookies.set("postroom", "somebody's")
    leave(Unavailable(WORDS))
    answer = client.get("http://localhost//elsewhere.example/x")
    assert answer.status_code == 503
    assert '<a class="button" href="/">Try again</a>' in answer.text
    assert "elsewhere" not in answer.text


def test_the_last_figures_stay_for_a_session_that_was_found_a_moment_ago(
    desk: Desk, clients: Clients, leave: Callable[[PostroomError], None]
) -> None:
    desk.configure(a_configuration(an_inbox("support"), an_inbox("sales", address="sales@example.com")))
    desk.receive(a_mail(), inbox="support")
    client, limited = clients("viewer"), clients("viewer", inboxes=["sales"])
    shown = client.get("/").text
    as_of = re.search(r"as of <time>([0-9:]+)</time>", shown)
    assert as_of is not None
    limited.get("/mails")
    leave(Unavailable(WORDS))
    desk.clock.advance(timedelta(minutes=1))
    page = client.get("/", follow_redirects=False)
    assert page.status_code == 503
    assert f'<span class="as-of stale" role="status">as of <time>{as_of[1]}</time>' in page.text
    assert "The store cannot be reached since" in page.text
    assert re.search(r"<dt>arrivals</dt><dd>1</dd>", page.text)
    assert ">support<" in page.text
    other = limited.get("/", follow_redirects=False).text
    assert "arrivals" not in other
    assert ">support<" not in other


def test_nothing_is_shown_to_a_session_that_was_not_found_or_long_ago_or_has_ended(
    desk: Desk, clients: Clients, leave: Callable[[PostroomError], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.receive(a_mail())
    stranger, ended, valid = clients(), clients("viewer"), clients("viewer")
    for each in (ended, valid):
        assert "arrivals" in each.get("/").text
    stranger.cookies.set("postroom", "guessed")
    ended.submit("/sign-out")
    ended.cookies.set("postroom", ended.secret)
    assert ended.get("/", follow_redirects=False).status_code == 303
    leave(Unavailable(WORDS))
    for each in (stranger, ended):
        page = each.get("/", follow_redirects=False)
        assert page.status_code == 503
        assert "arrivals" not in page.text
        assert WORDS not in page.text
    assert "arrivals" in valid.get("/", follow_redirects=False).text
    monkeypatch.setattr(last_known, "KNOWN_SECONDS", 0.0)
    page = valid.get("/", follow_redirects=False)
    assert "arrivals" not in page.text
    assert WORDS not in page.text


def test_nothing_is_shown_to_a_session_of_another_than_the_proxy_names(
    desk: Desk, leave: Callable[[PostroomError], None]
) -> None:
    desk.receive(a_mail())
    secret = access.sign_in(desk.app, access.add_user(desk.app, "Ann", "viewer"), "test")
    options = Options(trusted_proxies=("10.0.0.1",), user_header="x-user")
    client = TestClient(build(desk.app, options), base_url="http://localhost", client=("10.0.0.1", 1))
    client.cookies.set("postroom", secret)
    client.get("/", headers={"X-User": "ann"})
    leave(Unavailable(WORDS))
    seen = {name: client.get("/", headers={"X-User": name}, follow_redirects=False).text for name in ("ann", "bob")}
    assert {name: ("arrivals" in text, WORDS in text) for name, text in seen.items()} == {
        "ann": (True, True),
        "bob": (False, False),
    }


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(last_known, "MAX_SESSIONS", 3)
    monkeypatch.setattr(last_known, "MAX_OVERVIEWS", 3)
    last = LastKnown()
    people = [SignedInPerson(str(each), Role.VIEWER, frozenset(), frozenset({str(each)})) for each in range(9)]
    for each in people:
        last.identified(each.name, each)
        last.keep_overview(each, NOW, {})
    assert [each.name for each in people if last.person(each.name)] == ["6", "7", "8"]
    assert [each.name for each in people if last.overview(each)] == ["6", "7", "8"]


def test_the_last_figures_are_seen_in_a_browser_without_script(
    desk: Desk, served: str, chromium: Browser, leave: Callable[[PostroomError], None]
) -> None:
    desk.receive(a_mail())
    secret = access.sign_in(desk.app, access.add_user(desk.app, "Ann", "viewer"), "test")
    context = chromium.new_context(java_script_enabled=False)
    context.add_cookies([{"name": "postroom", "value": secret, "url": served}])
    page = context.new_page()
    page.goto(served)
    leave(Unavailable(WORDS))
    page.reload()
    assert "The store cannot be reached" in page.inner_text("main")
    assert "arrivals" in page.inner_text("main")
    assert "no connection" in page.locator(".as-of").evaluate("each => getComputedStyle(each, '::after').content")
    page.click("text=Mails")
    assert "Not available" in page.inner_text("h1")
    page.click("text=The last figures of the Overview")
    assert "arrivals" in page.inner_text("main")
    context.close()


def test_an_event_stream_is_not_begun_for_a_request_that_wants_no_body(desk: Desk, served: str) -> None:
    """Two on one connection: the second is answered when the first has ended."""
    secret = access.sign_in(desk.app, access.add_user(desk.app, "Ann", "viewer"), "test")
    connection = http.client.HTTPConnection(urlsplit(served).netloc, timeout=PATIENCE_SECONDS)
    for _ in range(2):
        connection.request("HEAD", "/live", headers={"Cookie": f"postroom={secret}"})
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("Content-Type")) == (200, "text/event-stream; charset=utf-8")
        assert answer.getheader("Content-Security-Policy")
        assert answer.read() == b""
    connection.close()
