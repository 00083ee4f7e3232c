"""Nobody gets further than their rights: host, first user, session, right, origin and form token, on every endpoint."""

from __future__ import annotations

import re
import threading
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from services.console.application import MAX_FIELDS, MAX_FILES, build
from services.console.endpoints import Endpoint, all_endpoints
from services.console.guards import is_allowed_host, is_own_origin, is_trusted_peer
from services.console.options import Options
from services.console.screens import live as live_screen
from services.console.screens import sign_in as sign_in_screen
from services.console.screens.live import Watch
from services.console.visit import own_path
from services.operator.errors import NotAvailable
from services.operator.permissions import access
from services.operator.permissions.access import Right, SignedInPerson, person_of
from shared.store.configuration import Made, revision, switch
from tests.builders import a_configuration, a_mail, an_inbox
from tests.desk import Desk
from tests.servers.presence import PATIENCE_SECONDS
from tests.services.console.conftest import ROLES, Clients, TestClient
from tests.services.console.loops import run_apart

PASSWORD = "correct horse battery"
ENDPOINTS = [pytest.param(each, id=f"{each.method} {each.path}") for each in all_endpoints()]


def concrete(path: str) -> str:
    """The path with something in the place of each value."""
    return re.sub(r"\{[^}]+\}", "something", path)


def ask(client: TestClient, endpoint: Endpoint, **headers: str) -> int:
    """The status of a request with no form token."""
    sent = {"Origin": "http://localhost", **headers}
    answer = client.request(endpoint.method, concrete(endpoint.path), headers=sent, follow_redirects=False)
    return answer.status_code


@pytest.mark.parametrize("endpoint", [each for each in ENDPOINTS if each.values[0].path != "/live"])
def test_an_endpoint_answers_only_those_with_its_right(endpoint: Endpoint, clients: Clients) -> None:
    if endpoint.own_proof:
        assert ask(clients(), endpoint) in {401, 403, 404, 503}
        return
    if endpoint.right != Right.PUBLIC:
        expected = 303 if endpoint.method == "GET" else 403
        assert ask(clients(), endpoint) == expected, "nobody is signed in"
    for role in ROLES:
        client = clients(role)
        may = endpoint.right in access._RIGHTS[access.Role(role)]
        status = ask(client, endpoint)
        if not may or endpoint.method != "GET":
            assert status == 403, f"{role}, without a form token"
        else:
            assert status in {200, 303, 404, 409}


@pytest.mark.parametrize(
    "host", ["x/?", "evil.example", "localhost@evil.example", "localhost:80:80", "localhost/?", "", "[::1", "a b"]
)
def test_no_endpoint_answers_under_another_name(host: str, clients: Clients) -> None:
    client = clients("administrator")
    answers = {each.values[0].path: ask(client, each.values[0], Host=host) for each in ENDPOINTS}
    assert {path: status for path, status in answers.items() if status != 421} == {}


@pytest.mark.parametrize("endpoint", [each for each in ENDPOINTS if each.values[0].method == "POST"])
def test_a_write_needs_an_origin_and_the_token_of_its_session(endpoint: Endpoint, clients: Clients) -> None:
    if endpoint.own_proof:
        return
    client, other = clients("administrator"), clients("administrator")
    path = concrete(endpoint.path)
    foreign = {"Origin": "http://evil.example"}
    own = {"Origin": "http://localhost"}
    token = {"form_token": access_token(client)}
    assert client.post(path, data=token, headers=foreign).status_code == 403
    assert client.post(path, data=token).status_code == 403, "without any origin"
    assert client.post(path, data={"form_token": access_token(other)}, headers=own).status_code == 403


def access_token(client: object) -> str:
    from services.console.guards import form_token

    return form_token(client.secret)  # type: ignore[attr-defined]


def test_a_method_that_an_endpoint_lacks_is_refused(clients: Clients) -> None:
    answer = clients("administrator").put("/access")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET")


def test_nothing_is_shown_before_a_user_exists(desk: Desk, clients: Clients) -> None:
    client = clients()
    assert client.get("/", follow_redirects=False).headers["location"] == "/set-up"
    assert 'name="password"' not in client.get("/set-up").text
    assert client.get("/set-up?token=guessed").status_code == 404
    token = access.offered_set_up(desk.app)
    assert 'name="password"' in client.get(f"/set-up?token={token}").text


def test_the_token_of_the_first_user_counts_once(desk: Desk, clients: Clients) -> None:
    client, token = clients(), access.offered_set_up(desk.app)
    data = {"token": token, "name": "Ann", "password": PASSWORD}
    short = client.post("/set-up", data={**data, "password": "short"}, headers={"Origin": "http://localhost"})
    assert (short.status_code, "10 to 1000" in short.text) == (409, True)
    made = client.post("/set-up", data=data, headers={"Origin": "http://localhost"}, follow_redirects=False)
    assert (made.status_code, made.headers["location"]) == (303, "/")
    assert client.get("/access").status_code == 200, "the first user is an administrator"
    again = clients().post("/set-up", data={**data, "name": "Eve"}, headers={"Origin": "http://localhost"})
    assert again.status_code == 409
    assert [each.name for each in desk.app.access.users.all()] == ["Ann"]
    assert access.offered_set_up(desk.app) is None


@pytest.mark.parametrize("token", ["", "guessed"])
def test_no_first_user_is_made_without_the_token_that_was_printed(desk: Desk, clients: Clients, token: str) -> None:
    data = {"token": token, "name": "Eve", "password": PASSWORD}
    for offered in (False, True):
        if offered:
            access.offered_set_up(desk.app)
        made = clients().post("/set-up", data=data, headers={"Origin": "http://localhost"}, follow_redirects=False)
        assert (made.status_code, desk.app.access.users.all()) == (409, [])


def test_of_two_who_use_the_token_at_once_one_becomes_a_user(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    token = access.offered_set_up(desk.app)
    assert token
    monkeypatch.setattr(desk.app.access.users, "exist", lambda: False)  # both have looked before one has written
    access.set_up(desk.app, token, "Ann", PASSWORD)
    with pytest.raises(NotAvailable, match="was used"):
        access.set_up(desk.app, token, "Eve", PASSWORD)
    assert [each.name for each in desk.app.access.users.all()] == ["Ann"]


def test_a_later_start_makes_an_earlier_token_void(desk: Desk) -> None:
    first, second = access.offered_set_up(desk.app), access.offered_set_up(desk.app)
    assert first
    assert second
    assert not desk.app.access.sessions.is_set_up_token(first)
    assert desk.app.access.sessions.is_set_up_token(second)


def signing_in(clients: Clients, name: str, password: str, **fields: str) -> object:
    return clients().post(
        "/sign-in",
        data={"name": name, "password": password, **fields},
        headers={"Origin": "http://localhost"},
        follow_redirects=False,
    )


def test_signing_in_needs_the_password(desk: Desk, clients: Clients) -> None:
    access.add_user(desk.app, "Ann", "viewer", PASSWORD)
    assert signing_in(clients, "ann", PASSWORD).status_code == 303  # type: ignore[attr-defined]
    for name, password in (("ann", PASSWORD + "x"), ("eve", PASSWORD), ("ann", "")):
        refused = signing_in(clients, name, password)
        assert refused.status_code == 403  # type: ignore[attr-defined]
        assert "Name or password is wrong." in refused.text  # type: ignore[attr-defined]


def test_a_session_that_somebody_else_chose_is_not_signed_in(desk: Desk, clients: Clients) -> None:
    """Who can set a cookie in somebody's browser must not share the session (session fixation)."""
    access.add_user(desk.app, "Ann", "viewer", PASSWORD)
    victim, attacker, chosen = clients(), clients(), "chosen-by-somebody-else"
    for client in (victim, attacker):
        client.cookies.set("postroom", chosen)
    data = {"name": "Ann", "password": PASSWORD}
    answer = victim.post("/sign-in", data=data, headers={"Origin": "http://localhost"}, follow_redirects=False)
    cookie = answer.headers["set-cookie"]
    assert chosen not in cookie
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= {each.strip() for each in cookie.split(";")}
    assert attacker.get("/", follow_redirects=False).status_code == 303


def test_behind_https_the_cookie_is_bound_to_this_host(desk: Desk) -> None:
    access.add_user(desk.app, "Ann", "viewer", PASSWORD)
    client = TestClient(build(desk.app, Options(secure=True)), base_url="https://localhost", follow_redirects=False)
    data = {"name": "Ann", "password": PASSWORD}
    cookie = client.post("/sign-in", data=data, headers={"Origin": "https://localhost"}).headers["set-cookie"]
    assert cookie.startswith("__Host-postroom=")
    assert {"Secure", "HttpOnly", "Path=/"} <= {each.strip() for each in cookie.split(";")}
    assert client.post("/sign-in", data=data, headers={"Origin": "http://localhost"}).status_code == 403


def test_a_user_without_a_password_signs_in_by_none(desk: Desk, clients: Clients) -> None:
    access.add_user(desk.app, "Ann", "viewer")
    assert signing_in(clients, "ann", "").status_code == 403  # type: ignore[attr-defined]


@pytest.mark.parametrize("target", ["//evil.example", "https://evil.example/", "/\\evil.example"])
def test_a_sign_in_leads_to_this_console_alone(desk: Desk, clients: Clients, target: str) -> None:
    access.add_user(desk.app, "Ann", "viewer", PASSWORD)
    answer = signing_in(clients, "Ann", PASSWORD, next=target)
    assert answer.headers["location"] == "/"  # type: ignore[attr-defined]


def test_after_five_refusals_a_name_has_to_wait(desk: Desk, clients: Clients) -> None:
    access.add_user(desk.app, "Ann", "viewer", PASSWORD)
    statuses = [signing_in(clients, "Ann", "wrong password").status_code for _ in range(5)]  # type: ignore[attr-defined]
    assert statuses == [403] * 5
    assert signing_in(clients, "ann", PASSWORD).status_code == 429  # type: ignore[attr-defined]


def test_the_store_has_neither_passwords_nor_secrets(desk: Desk) -> None:
    user = access.add_user(desk.app, "Ann", "viewer", PASSWORD)
    secret = access.sign_in(desk.app, user, "test")
    token = "offered"
    desk.app.access.sessions.offer_set_up(token)
    stored = repr([*desk.store.find("console_users", {}), *desk.store.find("console_sessions", {})])
    assert not [each for each in (PASSWORD, secret, token) if each in stored]


def test_a_session_ends_by_time_by_revocation_and_with_its_user(desk: Desk, clients: Clients) -> None:
    by_time, revoked, removed = clients("viewer"), clients("viewer"), clients("viewer")
    assert {each.get("/", follow_redirects=False).status_code for each in (by_time, revoked, removed)} == {200}
    (session,) = desk.app.access.sessions.of("viewer-2")
    clients("administrator").submit(f"/access/sessions/{session.id}/revoke")
    clients("administrator").submit("/access/users/viewer-3/remove")
    assert [each.get("/", follow_redirects=False).status_code for each in (by_time, revoked, removed)] == [
        200,
        303,
        303,
    ]
    desk.clock.advance(timedelta(hours=13))
    assert by_time.get("/", follow_redirects=False).status_code == 303


def test_a_new_password_ends_every_session(desk: Desk, clients: Clients) -> None:
    client = clients("viewer")
    access.set_password(desk.app, "viewer-1", PASSWORD)
    assert client.get("/", follow_redirects=False).status_code == 303


def test_signing_out_ends_the_session(desk: Desk, clients: Clients) -> None:
    client = clients("viewer")
    client.submit("/sign-out")
    assert desk.app.access.sessions.of("viewer-1") == []


def test_the_last_administrator_stays(desk: Desk, clients: Clients) -> None:
    client = clients("administrator")
    answer = client.submit("/access/users/administrator-1/remove")
    assert "is the last administrator" in answer.text  # type: ignore[attr-defined]


def test_what_people_did_is_kept_with_who_and_when(desk: Desk, clients: Clients) -> None:
    clients("administrator").submit("/access/users", name="Bob", role="viewer", password=PASSWORD)
    (entry,) = [each for each in desk.app.access.audit.recent(10) if each.what == "added a user"]
    assert (entry.who, entry.about) == ("administrator-1", "Bob")


@pytest.mark.parametrize(
    ("peer", "header", "signed_in"),
    [
        ("testclient", "ann", False),
        ("10.1.2.3", "ann", True),
        ("10.1.2.3", "nobody", False),
        ("11.1.2.3", "ann", False),
    ],
)
def test_the_header_of_a_proxy_counts_from_listed_peers_alone(
    desk: Desk, peer: str, header: str, *, signed_in: bool
) -> None:
    access.add_user(desk.app, "Ann", "viewer")
    options = Options(trusted_proxies=("10.0.0.0/8",), user_header="x-user")
    client = TestClient(build(desk.app, options), base_url="http://localhost", client=(peer, 1))
    client.get("/sign-in", headers={"X-User": header})
    assert (client.get("/", follow_redirects=False).status_code == 200) is signed_in


def test_a_session_of_another_than_the_proxy_names_does_not_count(desk: Desk) -> None:
    ann = access.add_user(desk.app, "Ann", "administrator")
    access.add_user(desk.app, "Bob", "viewer")
    options = Options(trusted_proxies=("10.0.0.1",), user_header="x-user")
    client = TestClient(build(desk.app, options), base_url="http://localhost", client=("10.0.0.1", 1))
    client.cookies.set("postroom", access.sign_in(desk.app, ann, "test"))
    assert client.get("/access", headers={"X-User": "bob"}, follow_redirects=False).status_code == 303


def test_an_event_stream_serves_no_page_of_another_origin(clients: Clients) -> None:
    client = clients("viewer")
    for headers in ({"Origin": "http://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Origin": "null"}):
        assert client.get("/live", headers=headers).status_code == 403


def test_every_answer_has_the_headers_that_keep_it_at_home(clients: Clients) -> None:
    client = clients("administrator")
    for path in ("/", "/nothing", "/static/console.css", "/sign-in"):
        headers = client.get(path, follow_redirects=False).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("length", [str(2 << 20), "9" * 5_000], ids=["more", "beyond all"])
def test_a_body_beyond_the_bound_is_refused_before_it_is_read(clients: Clients, length: str) -> None:
    client, read, sent = clients("administrator"), list[int](), list[Any]()

    async def receive() -> dict[str, object]:
        read.append(1)
        return {"type": "http.request", "body": b"x", "more_body": False}

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    given = {"host": "localhost", "origin": "http://localhost", "cookie": f"postroom={client.secret}"}
    headers = [(name.encode(), value.encode()) for name, value in {**given, "content-length": length}.items()]
    scope = {"type": "http", "method": "POST", "path": "/access/users", "query_string": b"", "headers": headers}
    run_apart(client.app(scope, receive, send))  # type: ignore[arg-type]
    assert (sent[0]["status"], read) == (413, [])


def test_a_body_of_unknown_length_is_read_up_to_the_bound(clients: Clients) -> None:
    pieces = (b"x" * (1 << 19) for _ in range(3))
    answer = clients("administrator").post("/access/users", content=pieces, headers={"Origin": "http://localhost"})
    assert answer.status_code == 413


MANY_FIELDS = {"data": {f"x{number}": "" for number in range(MAX_FIELDS + 1)}, "files": {"file": b"x"}}
MANY_FILES = {"files": [("file", b"x") for _ in range(MAX_FILES + 1)]}


@pytest.mark.parametrize(
    "form",
    [
        MANY_FIELDS,
        MANY_FILES,
        {"content": b"x=" + b"&x=" * MAX_FIELDS, "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
        {"content": b"x", "headers": {"Content-Type": "multipart/form-data"}},
    ],
    ids=["fields", "files", "encoded fields", "no boundary"],
)
def test_a_form_of_too_many_parts_is_refused(clients: Clients, form: dict[str, Any]) -> None:
    headers = {"Origin": "http://localhost", **form.get("headers", {})}
    answer = clients("administrator").post("/try", **{**form, "headers": headers})
    assert (answer.status_code, "The form cannot be read" in answer.text) == (409, True)


def test_who_is_limited_to_inboxes_sees_no_other_and_administers_nothing() -> None:
    from services.operator.permissions.access import User
    from tests.desk import NOW

    person = person_of(User("ann", "Ann", "administrator", NOW, inboxes=("support",)))
    assert (person.sees("support"), person.sees("sales"), person.sees(None)) == (True, False, False)
    assert not person.may(Right.ADMINISTER)
    assert isinstance(person, SignedInPerson)


@pytest.mark.parametrize(
    ("path", "kept"),
    [
        ("/mails?x=1", True),
        ("//evil.example", False),
        ("/\\evil.example", False),
        ("https://evil.example", False),
        ("/a\nb", False),
    ],
)
def test_a_redirect_leads_to_this_console_alone(path: str, *, kept: bool) -> None:
    assert own_path(path) == (path if kept else "/")


def test_hosts_origins_and_peers() -> None:
    assert is_allowed_host("localhost:8025", Options().allowed_hosts)
    assert is_allowed_host("[::1]:8025", Options().allowed_hosts)
    assert not is_allowed_host("desk.example", Options().allowed_hosts)
    assert is_allowed_host("DESK.example", Options(hosts=frozenset({"desk.example"})).allowed_hosts)
    own = {"host": "localhost:8025"}
    assert is_own_origin({**own, "origin": "http://localhost:8025"}, "http")
    assert not is_own_origin({**own, "origin": "http://localhost:8026"}, "http")
    assert not is_own_origin({**own, "origin": "null"}, "http")
    assert not is_own_origin(own, "http")
    assert is_own_origin({**own, "sec-fetch-site": "same-origin"}, "http")
    assert is_trusted_peer("10.1.1.1", ["10.0.0.0/8"])
    assert not is_trusted_peer("not an address", ["10.0.0.0/8"])


def test_a_name_that_is_too_long_is_not_counted(clients: Clients) -> None:
    assert signing_in(clients, "x" * 1000, PASSWORD).status_code == 403  # type: ignore[attr-defined]
    assert sign_in_screen.LIMIT.by_name._times == {}


def test_a_name_that_does_not_exist_costs_as_much_as_a_wrong_password() -> None:
    assert access._unknown_hash() is access._unknown_hash(), "made once, else it would cost twice as much"


def test_the_last_who_may_administer_stays_beside_a_limited_administrator(desk: Desk) -> None:
    access.add_user(desk.app, "Ann", "administrator")
    access.add_user(desk.app, "Bob", "administrator", inboxes=["support"])
    with pytest.raises(NotAvailable, match="last administrator"):
        access.remove_user(desk.app, "Ann")
    with pytest.raises(NotAvailable, match="without /"):
        access.add_user(desk.app, "a/b", "viewer")


def test_streams_do_not_wait_for_one_that_looks(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    looking, go_on, watch = threading.Event(), threading.Event(), Watch()

    def state(_: object) -> str:
        looking.set()
        assert go_on.wait(PATIENCE_SECONDS)
        return "seen"

    monkeypatch.setattr(live_screen, "_state", state)
    first = threading.Thread(target=watch.look, args=(desk.app,))
    first.start()
    assert looking.wait(PATIENCE_SECONDS)
    assert watch.look(desk.app) == ""
    go_on.set()
    first.join()
    assert watch.look(desk.app) == "seen"


def test_a_page_looks_again_once_its_stream_begins_and_then_after_changes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A change between a page and its stream is seen; while nothing changes, nothing is fetched again."""
    states = iter(["at rest", "at rest", "at rest", "a new mail", "a new mail", "a new mail"])
    monkeypatch.setattr(live_screen, "WATCH", SimpleNamespace(look=lambda _: next(states)))
    for name, seconds in (("LOOK_SECONDS", 0.0), ("STILL_SECONDS", 0.0)):
        monkeypatch.setattr(live_screen, name, seconds)

    async def said() -> list[str]:
        stream = live_screen._news(desk.app, threading.Event())
        return [await anext(stream) for _ in range(7)]

    look, still = "event: look\ndata: again\n\n", ": still here\n\n"
    assert run_apart(said()) == ["retry: 3000\n\n", look, still, still, look, still, still]


def test_an_origin_that_cannot_be_read_is_foreign() -> None:
    assert not is_own_origin({"host": "localhost", "origin": "http://["}, "http")


def test_a_token_of_http_intake_is_made_shown_once_and_revoked(
    desk: Desk, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.console.intake.admission.REMEMBERED_SECONDS", -1.0)
    client = clients("administrator")
    made = client.submit("/access/tokens", inbox="support", note="scanner", rate="60").text  # type: ignore[attr-defined]
    (secret,) = re.findall(r"postroom_[\w-]{43}", made)
    listed = client.get("/access").text
    assert secret not in listed
    assert all(each in listed for each in ("scanner", "administrator-1", "valid"))
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "message/rfc822"}
    assert client.post("/intake/support", content=a_mail(), headers=headers).status_code == 202
    (token,) = desk.app.intake_tokens.every()
    assert (token.inbox, token.rate) == ("support", 60)
    client.submit(f"/access/tokens/{token.id}/revoke")
    assert "revoked" in client.get("/access").text
    assert client.post("/intake/support", content=a_mail(), headers=headers).status_code == 401
    assert client.submit("/access/tokens", inbox="nowhere").status_code == 404  # type: ignore[attr-defined]
    assert client.submit("/access/tokens/unknown/revoke").status_code == 404  # type: ignore[attr-defined]
    done = [each.what for each in desk.app.access.audit.recent(9)]
    assert done == ["revoked a token of HTTP intake", "made a token of HTTP intake"]


def test_going_back_is_refused_when_somebody_has_changed_more_in_between(desk: Desk, clients: Clients) -> None:
    desk.configure(a_configuration(an_inbox("support", address="a@example.com")))
    first = revision(desk.store)
    desk.configure(a_configuration(an_inbox("support", address="b@example.com")))
    client, seen = clients("administrator"), revision(desk.store)
    made = Made(desk.clock.now(), "ben", "too much mail")
    switch(desk.store, "inboxes", "support", "owner_team", "Second", made)
    path = f"/access/versions/{first}/roll-back"
    late = client.submit(path, reason="wrong address", seen=seen)
    assert late.status_code == 409  # type: ignore[attr-defined]
    page = late.text  # type: ignore[attr-defined]
    assert "the configuration was changed since you looked" in page
    assert "too much mail" in page
    assert "ben" in page
    assert "owner_team: null → &#34;Second&#34;" in page
    assert 'value="wrong address"' in page
    assert f'name="seen" value="{seen + 1}"' in page
    assert desk.app.directory.renew().inbox("support").address == "b@example.com"  # type: ignore[union-attr]
    assert client.submit(path, reason="wrong address", seen=seen + 1).status_code == 303  # type: ignore[attr-defined]


def test_a_version_of_the_configuration_is_shown_and_gone_back_to(desk: Desk, clients: Clients) -> None:
    desk.configure(a_configuration(an_inbox("support", address="a@example.com")))
    first = revision(desk.store)
    desk.configure(a_configuration(an_inbox("support", address="b@example.com", signature="<b>")))
    client = clients("administrator")
    assert f'href="/access/versions/{first}"' in client.get("/access").text
    page = client.get(f"/access/versions/{first}").text
    assert "a@example.com" in page
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    path = f"/access/versions/{first}/roll-back"
    assert clients("operator").submit(path, reason="x").status_code == 403  # type: ignore[attr-defined]
    assert client.submit(path).status_code == 409  # type: ignore[attr-defined]
    client.submit(path, reason="wrong address", seen=revision(desk.store))
    assert desk.app.directory.renew().inbox("support").address == "a@example.com"  # type: ignore[union-attr]
    assert desk.app.access.audit.recent(1)[0].why == "wrong address"
    for unknown in ("999", "0", "x", "9" * 20):
        assert client.get(f"/access/versions/{unknown}").status_code == 404


def test_passwords_are_hashed_with_the_costs_that_the_library_recommends(monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 9106, section 4: the second choice; other tests hash with less."""
    monkeypatch.undo()
    assert access.hashed_password("correct horse battery").startswith("$argon2id$v=19$m=65536,t=3,p=4$")
