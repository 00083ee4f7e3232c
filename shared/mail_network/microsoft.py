"""Access tokens of Microsoft's identity platform, by `msal`: for an application (secret or certificate), or a sign-in.

Errors are those of the token endpoint, with a remedy for each code that administrators meet (AADSTS…). What is wrong
with the application counts as a refused login; an endpoint that does not answer or is busy does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from shared.config.model import OAuth
from shared.config.values import Secret
from shared.contracts.errors import Misconfigured, PostroomError
from shared.lazy_pattern import lazy_compile
from shared.mail_network import certificates
from shared.mail_network.connection import AuthenticationRefused, Unreachable
from shared.mail_network.tls import SYSTEM, TlsOptions
from shared.mail_network.tokens import AccessToken, RefreshTokens

if TYPE_CHECKING:
    import requests

SIGN_IN_SECONDS: Final = 300.0
"""Wait for a person who signs in with a browser."""
MAX_WORDS: Final = 300
"""Characters of the endpoint's own words in a message."""
_DEFAULT_SECONDS: Final = 3600
_REMEDIES: Final[Mapping[int, str]] = {
    7000215: "the client secret is wrong: client_secret takes the secret's value, not its id",
    7000222: "the client secret has expired: make a new one in the application's registration",
    700016: "the application is not in this tenant: verify client_id and tenant_id",
    700027: "the certificate is not one of the application's: upload it to the application's registration",
    700024: "the assertion's time is not valid: set the clock of this machine",
    90002: "there is no such tenant: verify tenant_id and authority",
    900023: "there is no such tenant: verify tenant_id and authority",
    500011: "the resource is not known in this tenant: verify resource (or endpoint, for graph)",
    50011: "the redirect address is not one of the application's: add http://localhost for desktop applications",
    65001: "an administrator has not consented to the application's permissions",
    53003: "a conditional access rule of the tenant blocks the application",
    700082: "the sign-in has expired: sign in again, and write the new refresh_token",
    70008: "the sign-in has expired: sign in again, and write the new refresh_token",
    50173: "the sign-in was revoked: sign in again, and write the new refresh_token",
}
_BUSY_ERRORS: Final = frozenset(
    {"temporarily_unavailable", "server_error", "service_unavailable", "interaction_timeout"}
)
_BUSY_CODES: Final = frozenset({90033, 50196, 90055})
"""Codes for a failure of the service and for too many requests."""
_TRACE: Final = lazy_compile(r"\s*Trace ID:.*", re.DOTALL)
_CONTROL: Final = lazy_compile(r"[\x00-\x1f\x7f]+")


def scope_of(application: OAuth, protocol: str) -> str:
    """The scope: all permissions that the application has on Graph, or on Exchange for the other protocols."""
    base = application.endpoint if protocol == "graph" else application.resource
    return f"{base.rstrip('/')}/.default"


def fetch(
    application: OAuth,
    scope: str,
    reveal: Callable[[Secret], str],
    refresh_tokens: RefreshTokens,
    tls: TlsOptions = SYSTEM,
) -> AccessToken:
    """Ask for a new access token. Raises `Unavailable`, `AuthenticationRefused` or `Misconfigured`."""
    from shared.mail_network import http

    with http.session(tls) as session, http.translated_errors(application.authority), _readable(application.authority):
        client = _client(application, reveal, session)
        if application.refresh_token is None:
            return _token(client.acquire_token_for_client([scope]))
        first = reveal(application.refresh_token)
        answer = client.acquire_token_by_refresh_token(refresh_tokens.get(first), [scope])
        token = _token(answer)
        if newest := answer.get("refresh_token"):
            refresh_tokens.put(first, newest)
        return token


DELEGATED: Final = ("Mail.ReadWrite", "Mail.ReadWrite.Shared", "Mail.Send", "Mail.Send.Shared")
"""Permissions of a person's sign-in on Graph: the own mailbox, and shared ones that the person may use."""


def sign_in(application: OAuth, show: Callable[[str], None]) -> str:
    """Let a person sign in with a code in any browser (RFC 8628); return the refresh token.

    `show` is called with what the person has to do; then it waits, for 15 minutes at most. Raises like `fetch`.
    """
    from shared.mail_network import http

    with http.session() as session, http.translated_errors(application.authority), _readable(application.authority):
        client = _client(application, Secret.reveal, session)
        flow = client.initiate_device_flow(_delegated(application))
        if "user_code" not in flow:
            raise _error(flow)
        show(f"Open {flow['verification_uri']} in a browser, enter the code {flow['user_code']}, and sign in.")
        answer = client.acquire_token_by_device_flow(flow)
        _token(answer)
    return _refresh_token(answer)


def sign_in_by_browser(application: OAuth, address: str, open_page: Callable[[str], None]) -> str:
    """Let a person sign in with a browser on this machine (RFC 8252, with PKCE of RFC 7636); return the refresh token.

    `open_page` is called with the address of the page; then it waits for the redirect to a port of this machine, for
    five minutes at most. An answer with another `state` is ignored. `address` is suggested as the user name. Raises
    like `fetch`.
    """
    from shared.mail_network import http
    from shared.mail_network.loopback_redirect import LoopbackRedirect

    with (
        LoopbackRedirect() as redirect,
        http.session() as session,
        http.translated_errors(application.authority),
        _readable(application.authority),
    ):
        client = _client(application, Secret.reveal, session)
        flow = client.initiate_auth_code_flow(
            _delegated(application), redirect_uri=redirect.url, login_hint=address, response_mode="form_post"
        )
        redirect.expect(flow["state"])
        open_page(flow["auth_uri"])
        try:
            arrived = redirect.wait(SIGN_IN_SECONDS)
        except TimeoutError as error:
            raise AuthenticationRefused(
                f"nobody signed in within {SIGN_IN_SECONDS:.0f} seconds; start again"
            ) from error
        answer = client.acquire_token_by_auth_code_flow(flow, arrived)
        _token(answer)
    return _refresh_token(answer)


def _delegated(application: OAuth) -> list[str]:
    return [f"{application.endpoint.rstrip('/')}/{each}" for each in DELEGATED]


def _refresh_token(answer: Mapping[str, Any]) -> str:
    if not answer.get("refresh_token"):
        raise AuthenticationRefused(
            "the token endpoint gives no refresh token: allow offline_access for the application"
        )
    return str(answer["refresh_token"])


@contextmanager
def _readable(authority: str) -> Iterator[None]:
    """What msal raises on an answer that is no answer of a token endpoint, or on a status of 5xx."""
    from msal.exceptions import MsalServiceError

    try:
        yield
    except MsalServiceError as error:
        raise Unreachable(f"{authority} cannot give tokens now: {error}") from error
    except (ValueError, KeyError, RuntimeError) as error:
        if isinstance(error, PostroomError | OSError):
            raise
        raise Unreachable(f"{authority} gives an answer that is not one of a token endpoint") from error


def _client(application: OAuth, reveal: Callable[[Secret], str], session: requests.Session) -> Any:
    import msal

    credential = _credential(application, reveal)
    kind = msal.PublicClientApplication if credential is None else msal.ConfidentialClientApplication
    tenant = f"{application.authority.rstrip('/')}/{application.tenant_id}"
    try:
        return kind(
            application.client_id,
            client_credential=credential,
            authority=tenant,
            instance_discovery=False,  # it would ask a server of the public cloud about a national one
            http_client=session,
        )
    except ValueError as error:
        if isinstance(error, PostroomError):
            raise
        raise Misconfigured(
            f"{tenant} is not an authority that gives tokens: verify authority and tenant_id"
        ) from error


def _credential(application: OAuth, reveal: Callable[[Secret], str]) -> str | dict[str, str] | None:
    if application.client_certificate is not None:
        found = certificates.read(reveal(application.client_certificate), "oauth.client_certificate")
        return {"private_key": found.private_key, "public_certificate": found.certificate}
    return reveal(application.client_secret) if application.client_secret is not None else None


def _token(answer: Mapping[str, Any]) -> AccessToken:
    if value := answer.get("access_token"):
        return AccessToken(str(value), float(answer.get("expires_in") or _DEFAULT_SECONDS))
    raise _error(answer)


def _error(answer: Mapping[str, Any]) -> PostroomError:
    codes = [int(each) for each in answer.get("error_codes") or () if str(each).isdigit()]
    name = str(answer.get("error") or "no token")
    said = _CONTROL.sub(" ", _TRACE.sub("", str(answer.get("error_description") or ""))).strip()[:MAX_WORDS]
    if name in _BUSY_ERRORS or _BUSY_CODES.intersection(codes):
        return Unreachable(f"the token endpoint cannot answer now: {said or name}")
    remedy = next((_REMEDIES[code] for code in codes if code in _REMEDIES), "")
    return AuthenticationRefused(
        "; ".join(filter(None, (remedy, f"the token endpoint refuses: {name} {said}".rstrip())))
    )
