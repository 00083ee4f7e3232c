"""Each guard of the sign-in by an OpenID provider is missed by a test when it is taken out."""

from __future__ import annotations

import base64
import json
from types import SimpleNamespace
from typing import Any

import pytest
from authlib.oidc.core import CodeIDToken
from joserfc.jwk import OctKey

from services.console.oidc import ALGORITHMS, MAX_ANSWER, Provider
from services.operator.permissions import access
from tests.servers import openid
from tests.services.console import test_oidc
from tests.services.console.taken_out import Guard, assert_missed
from tests.services.console.test_oidc import browser, options, provider

__all__ = ["browser", "options", "provider"]
JWKS = "/jwks"
_claims, _document, _session = Provider._claims, Provider._document, Provider._session


def always(*_: object, **__: object) -> bool:
    return True


def nothing(*_: object, **__: object) -> None:
    return None


def without(option: str) -> type[CodeIDToken]:
    """The check of an ID token, without this claim."""

    class Unchecked(CodeIDToken):  # type: ignore[misc]  # the library has no types
        def __init__(self, claims: Any, header: Any, options: dict[str, Any], params: dict[str, Any]) -> None:
            super().__init__(claims, header, {name: each for name, each in options.items() if name != option}, params)

    return Unchecked


def read_without_signature(token: str, *_: object, **__: object) -> Any:
    header, claims = (json.loads(base64.urlsafe_b64decode(each + "==")) for each in token.split(".")[:2])
    return SimpleNamespace(header=header, claims=claims)


def public_key_as_secret(_: Provider, token: str) -> Any:
    """As a library does that takes the key for whatever algorithm the token names (joserfc refuses that too)."""
    secret = base64.urlsafe_b64encode(openid.key_called("first").as_pem(private=False)).decode().rstrip("=")
    return OctKey.import_key({"kty": "oct", "k": secret})


def following(self: Provider, redirect_uri: str) -> Any:
    session = _session(self, redirect_uri)
    session.max_redirects = 30
    return session


def whoever_comes(visit: Any, name: str) -> str:
    user = visit.app.access.users.get(name) or access.add_user(visit.app, name, "viewer")
    return access.sign_in(visit.app, user, visit.client)


STATE = test_oidc.test_a_state_that_this_browser_did_not_begin_is_refused
CLAIMS = test_oidc.test_a_token_for_something_else_is_refused
SIGNATURE = test_oidc.test_a_token_that_the_provider_did_not_sign_is_refused
NONSENSE = test_oidc.test_a_provider_that_answers_nonsense_lets_nobody_in
METADATA = test_oidc.test_metadata_that_lead_elsewhere_are_not_used
CHECKED = "authlib.oidc.core.claims.IDToken"
REFUSED = "== (403, True)"
GUARDS = (
    Guard("the state", {"services.console.oidc.Begun.is_answered_by": always}, STATE, REFUSED),
    Guard(
        "the state counts once",
        {"shared.store.access.Sessions.use_once": always},
        test_oidc.test_a_sign_in_is_finished_once,
        REFUSED,
    ),
    Guard("the nonce", {f"{CHECKED}.validate_nonce": nothing}, CLAIMS, REFUSED, {"claims": {"nonce": "another"}}),
    Guard(
        "the audience",
        {"authlib.oidc.core.CodeIDToken": without("aud")},
        CLAIMS,
        REFUSED,
        {"claims": {"aud": "another", "azp": "postroom"}},
    ),
    Guard(
        "the authorized party", {f"{CHECKED}.validate_azp": nothing}, CLAIMS, REFUSED, {"claims": {"azp": "another"}}
    ),
    Guard(
        "the issuer",
        {"authlib.oidc.core.CodeIDToken": without("iss")},
        CLAIMS,
        REFUSED,
        {"claims": {"iss": "http://127.0.0.1:1"}},
    ),
    *(
        Guard(
            f"the time, {claim}",
            {f"joserfc.jwt.JWTClaimsRegistry.validate_{claim}": nothing},
            CLAIMS,
            REFUSED,
            {"claims": {claim: at}},
        )
        for claim, at in (("exp", 1_000_000), ("nbf", 9_000_000_000), ("iat", 9_000_000_000))
    ),
    Guard(
        "the key of the signature",
        {"joserfc.jwt.decode": read_without_signature},
        SIGNATURE,
        REFUSED,
        {"token": openid.signed_by_another},
    ),
    Guard(
        "a signature at all",
        {"services.console.oidc.ALGORITHMS": (*ALGORITHMS, "none")},
        SIGNATURE,
        REFUSED,
        {"token": openid.unsigned},
    ),
    Guard(
        "no signature with a shared secret",
        {
            "services.console.oidc.ALGORITHMS": (*ALGORITHMS, "HS256"),
            "services.console.oidc.Provider._keys_for": public_key_as_secret,
            "joserfc._rfc7518.oct_key.UNSAFE_KEY_LOADERS": (),
        },
        SIGNATURE,
        REFUSED,
        {"token": openid.signed_with_the_public_key},
    ),
    Guard(
        "the verified address",
        {
            "services.console.oidc.Provider._claims": lambda *given: {**_claims(*given), "email_verified": True},
        },
        test_oidc.test_an_address_counts_when_the_provider_has_verified_it,
        "== expected",
    ),
    *(
        Guard(
            f"no redirect of the provider, {path}",
            {"services.console.oidc.Provider._session": following},
            NONSENSE,
            "in {403, 503}",
            {"path": path, "answer": lambda honest: (307, honest)},
        )
        for path in (JWKS, "/.well-known/openid-configuration")
    ),
    Guard(
        "the size of an answer",
        {"services.console.oidc.MAX_ANSWER": 1 << 40},
        NONSENSE,
        "in {403, 503}",
        {"path": JWKS, "answer": lambda honest: (200, honest + b" " * MAX_ANSWER)},
    ),
    Guard(
        "addresses of the provider by https",
        {"services.console.oidc.is_safe_address": always},
        METADATA,
        "pytest.raises(SignInRefused",
        {"change": lambda honest: honest.replace(b'_endpoint": "http://127.0.0.1', b'_endpoint": "http://idp')},
    ),
    Guard(
        "the issuer of the metadata",
        {
            "services.console.oidc.Provider._document": lambda self, address: {
                **_document(self, address),
                "issuer": self._options.issuer,
            }
        },
        METADATA,
        "pytest.raises(SignInRefused",
        {"change": lambda honest: honest.replace(b'"issuer": "http://127.0.0.1', b'"issuer": "http://localhost')},
    ),
    Guard(
        "users are made by administrators",
        {"services.console.screens.sign_in.begin_session": whoever_comes},
        test_oidc.test_a_user_who_does_not_exist_or_was_removed_gets_no_session,
        "== 403",
    ),
    Guard(
        "a sign-in leads to this console",
        {"services.console.visit.own_path": str, "services.console.screens.sign_in.own_path": str},
        test_oidc.test_a_sign_in_leads_to_pages_of_this_console_only,
        '== "/"',
        {"target": "//evil.example"},
    ),
)


@pytest.mark.filterwarnings("ignore::joserfc.errors.SecurityWarning")
@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_guard_that_is_taken_out_is_missed(guard: Guard, request: pytest.FixtureRequest) -> None:
    assert_missed(guard, request)
