"""Sign-in by an OpenID provider: who gets in, and every answer that lets nobody in."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from services.console import oidc, server
from services.console.application import build
from services.console.oidc import Begun, OidcOptions, Provider, SignInRefused
from services.console.options import Options
from services.console.screens import sign_in
from services.operator.permissions import access
from shared.contracts.errors import Misconfigured
from tests.desk import Desk
from tests.servers import openid
from tests.servers.openid import CLIENT, SECRET, OpenIdProvider
from tests.servers.presence import PATIENCE_SECONDS
from tests.services.console.conftest import Client

BACK = "http://localhost/sign-in/oidc/back"
NOT_CONFIRMED = "did not confirm this sign-in"
Browser = Callable[[], Client]


@pytest.fixture
def provider() -> Iterator[OpenIdProvider]:
    sign_in.provider_of.cache_clear()
    made = OpenIdProvider()
    yield made
    made.close()


@pytest.fixture
def options(provider: OpenIdProvider) -> Options:
    return Options(oidc=OidcOptions(provider.issuer, CLIENT, SECRET))


@pytest.fixture
def browser(desk: Desk, options: Options) -> Iterator[Browser]:
    """Browsers of a desk that has the user Ann, an operator without a password."""
    access.add_user(desk.app, "Boss", "administrator")
    access.add_user(desk.app, "Ann", "operator")
    application, made = build(desk.app, options), list[Client]()

    def one() -> Client:
        made.append(Client(application, base_url="http://localhost", follow_redirects=False))
        return made[-1]

    yield one
    for each in made:
        each.close()


def begun(client: Client, path: str = "/sign-in/oidc") -> dict[str, str]:
    """What the browser takes to the provider."""
    answer = client.get(path)
    assert answer.status_code == 303
    return {name: values[0] for name, values in parse_qs(urlsplit(answer.headers["location"]).query).items()}


def code_for(provider: OpenIdProvider, sent: dict[str, str]) -> dict[str, str]:
    """What the provider sends the browser back with."""
    code = f"code-{len(provider.codes)}-{len(provider.asked)}"
    provider.codes[code] = sent
    return {"code": code, "state": sent["state"]}


def signed_in(client: Client, provider: OpenIdProvider, path: str = "/sign-in/oidc") -> Any:
    """The answer to a whole sign-in."""
    return client.get("/sign-in/oidc/back", params=code_for(provider, begun(client, path)))


def test_whoever_the_provider_names_gets_the_session_of_the_user(
    desk: Desk, browser: Browser, provider: OpenIdProvider
) -> None:
    client = browser()
    assert "Sign in with your organisation" in client.get("/sign-in").text
    answer = signed_in(client, provider, "/sign-in/oidc?next=/mails%3Foutcome%3Drejected")
    assert (answer.status_code, answer.headers["location"]) == (303, "/mails?outcome=rejected")
    assert client.get("/mails").status_code == 200
    assert client.get("/access").status_code == 403, "an operator administers nothing"
    (entry,) = desk.app.access.audit.recent(1)
    assert (entry.who, entry.what) == ("Ann", "signed in by the identity provider")
    assert client.cookies.get("postroom-oidc") is None


def test_the_provider_is_asked_for_this_client_and_this_sign_in(browser: Browser) -> None:
    first, second = begun(browser()), begun(browser())
    assert (first["client_id"], first["redirect_uri"], first["response_type"]) == (CLIENT, BACK, "code")
    assert first["scope"].split()[0] == "openid"
    assert first["code_challenge_method"] == "S256"
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name]) >= 43
        assert first[name] != second[name]


def test_a_user_who_does_not_exist_or_was_removed_gets_no_session(
    desk: Desk, browser: Browser, provider: OpenIdProvider
) -> None:
    client = browser()
    signed_in(client, provider)
    access.remove_user(desk.app, "Ann")
    assert client.get("/mails").status_code == 303
    answer = signed_in(client, provider)
    assert answer.status_code == 403
    assert "There is no user" in answer.text
    assert client.get("/mails").status_code == 303
    assert len(desk.app.access.users.all()) == 1, "nobody is made"


def test_a_state_that_this_browser_did_not_begin_is_refused(browser: Browser, provider: OpenIdProvider) -> None:
    victim, attacker = browser(), browser()
    of_attacker = code_for(provider, begun(attacker))
    for client in (victim, attacker):
        begun(client)
    for client, params in ((victim, of_attacker), (attacker, of_attacker), (browser(), of_attacker)):
        answer = client.get("/sign-in/oidc/back", params=params)
        assert (answer.status_code, "not begun in this browser" in answer.text) == (403, True)
        assert client.get("/mails").status_code == 303
    assert "/token" not in provider.asked, "no code was used"


def test_a_sign_in_is_finished_once(browser: Browser, provider: OpenIdProvider) -> None:
    client = browser()
    sent = begun(client)
    kept = client.cookies["postroom-oidc"]
    assert client.get("/sign-in/oidc/back", params=code_for(provider, sent)).status_code == 303
    other = browser()
    other.cookies.set("postroom-oidc", kept)
    answer = other.get("/sign-in/oidc/back", params=code_for(provider, sent))
    assert (answer.status_code, "not begun" in answer.text) == (403, True)


@pytest.mark.parametrize("token", [openid.unsigned, openid.signed_with_the_public_key, openid.signed_by_another])
def test_a_token_that_the_provider_did_not_sign_is_refused(
    browser: Browser, provider: OpenIdProvider, token: Callable[..., str]
) -> None:
    provider.token = token
    answer = signed_in(browser(), provider)
    assert (answer.status_code, NOT_CONFIRMED in answer.text) == (403, True)


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "another"},
        {"aud": "another", "azp": "postroom"},
        {"aud": ["postroom", "another"]},
        {"iss": "http://127.0.0.1:1"},
        {"exp": 1_000_000},
        {"exp": None},
        {"nbf": 9_000_000_000},
        {"iat": 9_000_000_000},
        {"azp": "another"},
        {"preferred_username": ""},
        {"preferred_username": ["Ann"]},
        {"preferred_username": "a" * 200},
    ],
    ids=str,
)
def test_a_token_for_something_else_is_refused(
    browser: Browser, provider: OpenIdProvider, claims: dict[str, Any]
) -> None:
    provider.claims |= claims
    answer = signed_in(browser(), provider)
    assert (answer.status_code, NOT_CONFIRMED in answer.text) == (403, True)


def test_an_address_counts_when_the_provider_has_verified_it(desk: Desk, provider: OpenIdProvider) -> None:
    asked = Provider(OidcOptions(provider.issuer, CLIENT, SECRET, claim="email"))
    for verified, expected in ((None, None), (False, None), ("true", None), (True, "ann@example.com")):
        provider.claims = {"email": "ann@example.com", "email_verified": verified}
        assert named(asked, provider) == expected


def named(asked: Provider, provider: OpenIdProvider) -> str | None:
    """The name that a sign-in gives, None when it is refused."""
    one = Begun.new("/")
    sent = parse_qs(urlsplit(asked.address(one, BACK)).query)
    code = code_for(provider, {name: values[0] for name, values in sent.items()})["code"]
    try:
        return asked.name(code, one, BACK)
    except SignInRefused:
        return None


def test_a_new_key_of_the_provider_is_asked_for_and_not_too_often(provider: OpenIdProvider) -> None:
    now = [0.0]
    asked = Provider(OidcOptions(provider.issuer, CLIENT, SECRET), lambda: now[0])
    assert named(asked, provider) == "Ann"
    provider.key = openid.key_called("second")
    assert named(asked, provider) is None, "within a minute the keys are not asked for again"
    now[0] += oidc.RENEWED_SECONDS + 1
    assert named(asked, provider) == "Ann"
    assert provider.asked.count("/jwks") == 2
    assert provider.asked.count("/.well-known/openid-configuration") == 1


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks", "/token"])
@pytest.mark.parametrize(
    "answer",
    [
        lambda _: (500, b"{}"),
        lambda _: (200, b"<html>"),
        lambda _: (200, b"[1]"),
        lambda honest: (200, honest + b" " * oidc.MAX_ANSWER),
        lambda honest: (307, honest),
    ],
    ids=["an error", "no JSON", "no object", "too large", "elsewhere"],
)
def test_a_provider_that_answers_nonsense_lets_nobody_in(
    browser: Browser, provider: OpenIdProvider, path: str, answer: Callable[[bytes], tuple[int, bytes]]
) -> None:
    provider.changed[path] = answer
    client = browser()
    first = client.get("/sign-in/oidc")
    if first.status_code == 303:
        sent = {name: values[0] for name, values in parse_qs(urlsplit(first.headers["location"]).query).items()}
        first = client.get("/sign-in/oidc/back", params=code_for(provider, sent))
    assert first.status_code in {403, 503}
    assert "identity provider" in first.text
    assert "html" not in first.text.split("<h1>")[1].split("<form")[0]
    assert client.get("/mails").status_code == 303


@pytest.mark.parametrize(
    "change",
    [
        lambda honest: honest.replace(b'"issuer": "http://127.0.0.1', b'"issuer": "http://localhost'),
        lambda honest: honest.replace(
            b'"authorization_endpoint": "http://127.0.0.1', b'"authorization_endpoint": "http://idp'
        ),
    ],
    ids=["another issuer", "without TLS"],
)
def test_metadata_that_lead_elsewhere_are_not_used(provider: OpenIdProvider, change: Callable[[bytes], bytes]) -> None:
    asked = OidcOptions(provider.issuer, CLIENT)
    assert Provider(asked).address(Begun.new("/"), BACK).startswith(provider.issuer)
    provider.changed["/.well-known/openid-configuration"] = lambda honest: (200, change(honest))
    with pytest.raises(SignInRefused, match="cannot be reached"):
        Provider(asked).address(Begun.new("/"), BACK)


def test_a_provider_that_cannot_be_used_is_not_asked_for_each_stranger(provider: OpenIdProvider) -> None:
    now, path = [0.0], "/.well-known/openid-configuration"
    asked = Provider(OidcOptions(provider.issuer, CLIENT, SECRET), lambda: now[0])
    provider.changed[path] = lambda _: (500, b"")
    for _ in range(3):
        assert named_or_refused(asked, provider) is None
    assert provider.asked.count(path) == 1
    provider.changed.clear()
    now[0] += oidc.FAILED_SECONDS
    assert named(asked, provider) == "Ann"


def named_or_refused(asked: Provider, provider: OpenIdProvider) -> str | None:
    """The same where even the address is refused."""
    try:
        return named(asked, provider)
    except SignInRefused:
        return None


@pytest.mark.parametrize("cookie", ["", "x", "e30=", "W10=", base64.urlsafe_b64encode(b"[" * 30_000).decode()])
def test_a_foreign_cookie_does_not_finish_a_sign_in(cookie: str) -> None:
    assert Begun.of_cookie(cookie) is None


def test_keys_of_other_kinds_do_no_harm(provider: OpenIdProvider) -> None:
    provider.more_keys = [{"kty": "AKP", "kid": "new"}, {"kty": "oct", "k": "YQ", "kid": "x"}, {"kid": "odd"}]
    assert named(Provider(OidcOptions(provider.issuer, CLIENT, SECRET)), provider) == "Ann"


def test_a_refusal_of_the_provider_is_not_shown_in_its_own_words(browser: Browser, provider: OpenIdProvider) -> None:
    client = browser()
    sent = begun(client)
    params = {"state": sent["state"], "error": "access_denied", "error_description": "call 555-1234 now"}
    answer = client.get("/sign-in/oidc/back", params=params)
    assert (answer.status_code, NOT_CONFIRMED in answer.text, "555" in answer.text) == (403, True, False)


@pytest.mark.parametrize(
    "target", ["//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"]
)
def test_a_sign_in_leads_to_pages_of_this_console_only(browser: Browser, provider: OpenIdProvider, target: str) -> None:
    client = browser()
    sent = begun(client, f"/sign-in/oidc?next={target}")
    answer = client.get("/sign-in/oidc/back", params=code_for(provider, sent))
    assert answer.headers["location"] == "/"


def test_a_page_that_needs_a_session_is_opened_after_the_sign_in(desk: Desk, browser: Browser) -> None:
    access.set_password(desk.app, "Boss", "a long password")
    client = browser()
    answer = client.get("/mails?q=printer")
    assert answer.headers["location"] == "/sign-in?next=%2Fmails%3Fq%3Dprinter"
    page = client.get(answer.headers["location"]).text
    assert 'name="next" value="/mails?q=printer"' in page
    assert 'href="/sign-in/oidc?next=/mails%3Fq%3Dprinter"' in page
    fields = {"name": "Boss", "password": "a long password", "next": "/mails?q=printer"}
    done = client.post("/sign-in", data=fields, headers={"Origin": "http://localhost"})
    assert done.headers["location"] == "/mails?q=printer"


def test_without_a_provider_there_is_no_such_page(desk: Desk) -> None:
    access.add_user(desk.app, "Ann", "operator")
    with Client(build(desk.app, Options()), base_url="http://localhost") as client:
        assert client.get("/sign-in/oidc").status_code == client.get("/sign-in/oidc/back").status_code == 404
        assert "/sign-in/oidc" not in client.get("/sign-in").text


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"ISSUER": "http://idp.example", "CLIENT_ID": "x"}, "has to begin with https"),
        ({"ISSUER": "idp.example", "CLIENT_ID": "x"}, "has to begin with https"),
        ({"ISSUER": "https://idp.example"}, "CLIENT_ID is missing"),
    ],
)
def test_settings_that_cannot_work_are_refused_at_the_start(said: dict[str, str], problem: str) -> None:
    with pytest.raises(Misconfigured, match=problem):
        Options.from_environment({f"POSTROOM_CONSOLE_OIDC_{name}": value for name, value in said.items()})


def test_settings_come_from_the_environment_and_the_secret_is_not_shown() -> None:
    said = {"ISSUER": "https://idp.example", "CLIENT_ID": "x", "CLIENT_SECRET": "hidden-value", "CLAIM": "email"}
    options = Options.from_environment({f"POSTROOM_CONSOLE_OIDC_{name}": value for name, value in said.items()})
    assert options.oidc == OidcOptions("https://idp.example", "x", "hidden-value", "email")
    assert "hidden-value" not in repr(options)


def test_a_real_browser_signs_in(desk: Desk, chromium: Any, provider: OpenIdProvider) -> None:
    access.add_user(desk.app, "Ann", "operator")
    options = Options(port=0, oidc=OidcOptions(provider.issuer, CLIENT, SECRET))
    listening, stop = server.bound(options), threading.Event()
    thread = threading.Thread(target=server.serve, args=(desk.app, options, listening, stop))
    thread.start()
    context = chromium.new_context(java_script_enabled=False)
    try:
        page = context.new_page()
        page.goto(f"{server.address(listening)}rejected")
        page.click("text=Sign in with your organisation")
        page.wait_for_url("**/rejected")
        assert page.inner_text("h1") == "Rejected"
    finally:
        context.close()
        stop.set()
        thread.join(PATIENCE_SECONDS)
