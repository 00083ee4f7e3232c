"""Sign-in by an OpenID provider (OpenID Connect Core 1.0, 3.1): authorization code with PKCE (RFC 7636).

Everything that a sign-in has to remember is in a cookie of the browser that began it, so that a stranger can neither
finish it nor fill the store. What the provider says is believed when its ID token is signed with one of its keys, for
this client, and for this sign-in (decision 0180).
"""

from __future__ import annotations

import base64
import hmac
import json
import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, field
from typing import Any, Final, Self

from shared.contracts.errors import Misconfigured
from shared.lazy_dataclass import dataclass
from shared.text import shortened

log = logging.getLogger(__name__)

ALGORITHMS: Final = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
"""Signatures with a key pair: with a shared secret, or none, anybody could write a token."""
SCOPE: Final = "openid profile email"
BEGUN_SECONDS: Final = 600
"""How long a person may take at the provider."""
LEEWAY_SECONDS: Final = 60
REQUEST_SECONDS: Final = 10.0
MAX_ANSWER: Final = 1 << 20
"""Bytes of an answer of the provider."""
REMEMBERED_SECONDS: Final = 3600.0
"""How long its addresses and keys are remembered."""
FAILED_SECONDS: Final = 10.0
"""How long a provider that could not be used is not asked again, because anybody may begin a sign-in."""
RENEWED_SECONDS: Final = 60.0
"""How often, at most, its keys are asked for again because a token names one that is not known."""
MAX_NAME: Final = 100
NOT_INSTALLED: Final = "sign-in by OIDC needs an extra that is not installed: pip install 'postroom[oidc]'"
UNREACHABLE: Final = (
    "The identity provider cannot be reached, or its answer cannot be used. Try again, or use a password."
)
REFUSED: Final = "The identity provider did not confirm this sign-in. Begin again."


@dataclass(frozen=True, slots=True)
class OidcOptions:
    """An OpenID provider that signs people in. `claim` has the user's name; `label`: what the button says."""

    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    claim: str = "preferred_username"
    label: str = "Sign in with your organisation"

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> Self | None:
        """POSTROOM_CONSOLE_OIDC_ISSUER, _CLIENT_ID, _CLIENT_SECRET, _CLAIM and _LABEL; None without an issuer.

        Raises `Misconfigured`.
        """
        said = {name: environ.get(f"POSTROOM_CONSOLE_OIDC_{name.upper()}", "").strip() for name in cls.__slots__}
        if not said["issuer"]:
            return None
        if not is_safe_address(said["issuer"]):
            raise Misconfigured("POSTROOM_CONSOLE_OIDC_ISSUER has to begin with https://")
        if not said["client_id"]:
            raise Misconfigured(
                "POSTROOM_CONSOLE_OIDC_CLIENT_ID is missing: the id under which the provider knows Postroom"
            )
        return cls(**{name: value for name, value in said.items() if value})


class SignInRefused(Exception):
    """The sign-in is refused; the message is for the person."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in that one browser began. `target`: the page to open afterwards."""

    state: str
    nonce: str
    verifier: str
    target: str

    @classmethod
    def new(cls, target: str) -> Self:
        """With random values of 256 bits."""
        return cls(secrets.token_urlsafe(32), secrets.token_urlsafe(32), secrets.token_urlsafe(48), target)

    @property
    def cookie(self) -> str:
        """The value of its cookie."""
        return base64.urlsafe_b64encode(json.dumps(asdict(self)).encode()).decode()

    @classmethod
    def of_cookie(cls, value: str) -> Self | None:
        """The sign-in of a cookie, None when it is not one."""
        try:
            found = json.loads(base64.urlsafe_b64decode(value.encode()))
            begun = cls(**found)
        except (ValueError, TypeError, RecursionError):
            return None
        whole = all(isinstance(each, str) for each in asdict(begun).values())
        return begun if whole and begun.state and begun.nonce and begun.verifier else None

    def is_answered_by(self, state: str) -> bool:
        """Whether an answer belongs to this sign-in."""
        return hmac.compare_digest(self.state.encode(), state.encode("utf-8", "replace"))


def require() -> None:
    """Raise `Misconfigured` when the libraries are missing."""
    try:
        import authlib.oidc.core  # noqa: F401
    except ImportError as error:
        raise Misconfigured(NOT_INSTALLED) from error


class Provider:
    """An OpenID provider, found by its issuer. Thread-safe."""

    def __init__(self, options: OidcOptions, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._options, self._monotonic, self._lock = options, monotonic, threading.Lock()
        self._metadata: Mapping[str, Any] = {}
        self._keys: Any = None
        self._metadata_at = self._keys_at = self._failed_at = float("-inf")

    def address(self, begun: Begun, redirect_uri: str) -> str:
        """Where the browser has to go. Raises `SignInRefused`."""
        with self._session(redirect_uri) as session:
            found = session.create_authorization_url(
                self._address_of("authorization_endpoint"),
                state=begun.state,
                nonce=begun.nonce,
                code_verifier=begun.verifier,
            )
        return str(found[0])

    def name(self, code: str, begun: Begun, redirect_uri: str) -> str:
        """The name of the person who signed in. Raises `SignInRefused`."""
        with self._session(redirect_uri) as session:
            answer = _answered(
                lambda: session.fetch_token(
                    self._address_of("token_endpoint"),
                    code=code,
                    code_verifier=begun.verifier,
                    grant_type="authorization_code",
                )
            )
        claims = self._claims(answer, begun)
        name = claims.get(self._options.claim)
        if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME:
            raise _refused(f"the ID token has no usable claim {self._options.claim}")
        if self._options.claim == "email" and claims.get("email_verified") is not True:
            raise _refused("the provider has not verified this address")
        return name

    def _claims(self, answer: Any, begun: Begun) -> Mapping[str, Any]:
        """The claims of the ID token, after every check (OpenID Connect Core 1.0, 3.1.3.7)."""
        from authlib.oidc.core import CodeIDToken
        from joserfc import jwt
        from joserfc.errors import JoseError

        token = answer.get("id_token") if isinstance(answer, Mapping) else None
        if not isinstance(token, str):
            raise _refused("the answer has no ID token")
        try:
            read = jwt.decode(token, self._keys_for(token), algorithms=ALGORITHMS)
            claims = CodeIDToken(
                read.claims,
                read.header,
                {
                    "iss": {"essential": True, "value": self._options.issuer},
                    "aud": {"essential": True, "value": self._options.client_id},
                },
                {
                    "nonce": begun.nonce,
                    "client_id": self._options.client_id,
                    "access_token": answer.get("access_token"),
                },
            )
            claims.validate(leeway=LEEWAY_SECONDS)
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise _refused(f"{type(error).__name__}: {error}") from None
        return dict(claims)

    def _keys_for(self, token: str) -> Any:
        """The provider's keys; asked for again when the token names one that is not known, and not too often."""
        named = _key_named(token)
        with self._lock:
            age = self._monotonic() - self._keys_at
            is_known = self._keys is not None and (named is None or named in {each.kid for each in self._keys.keys})
        if age > REMEMBERED_SECONDS or (not is_known and age > RENEWED_SECONDS):
            from joserfc.jwk import KeySet

            document = self._document(self._address_of("jwks_uri"))
            keys = KeySet.import_key_set(
                {"keys": [each for each in document.get("keys", ()) if _is_for_signatures(each)]}
            )
            with self._lock:
                self._keys, self._keys_at = keys, self._monotonic()
        return self._keys

    def _address_of(self, name: str) -> str:
        """An address of the provider's metadata (OpenID Connect Discovery 1.0, 3). Raises `SignInRefused`."""
        with self._lock:
            metadata, is_fresh = self._metadata, self._monotonic() - self._metadata_at < REMEMBERED_SECONDS
        if not is_fresh:
            metadata = self._read_metadata()
        address = metadata.get(name)
        if not isinstance(address, str) or not is_safe_address(address):
            raise _unusable(f"its metadata have no {name} by https")
        return address

    def _read_metadata(self) -> Mapping[str, Any]:
        if self._monotonic() - self._failed_at < FAILED_SECONDS:
            raise SignInRefused(UNREACHABLE)
        try:
            metadata = self._document(f"{self._options.issuer.rstrip('/')}/.well-known/openid-configuration")
            if metadata.get("issuer") != self._options.issuer:
                raise _unusable(f"its metadata name another issuer, {metadata.get('issuer')!r}")
        except SignInRefused:
            self._failed_at = self._monotonic()
            raise
        with self._lock:
            self._metadata, self._metadata_at = metadata, self._monotonic()
        return metadata

    def _document(self, address: str) -> dict[str, Any]:
        with self._session("") as session:
            response = _answered(lambda: session.get(address, withhold_token=True))
        try:
            found = response.json() if response.status_code == 200 else None
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise _unusable(f"{address} answers {response.status_code}")
        return found

    def _session(self, redirect_uri: str) -> Any:
        from authlib.integrations.requests_client import OAuth2Session

        options = self._options
        session = OAuth2Session(
            options.client_id,
            options.client_secret or None,
            token_endpoint_auth_method="client_secret_basic" if options.client_secret else "none",
            scope=SCOPE,
            redirect_uri=redirect_uri,
            code_challenge_method="S256",
        )
        session.max_redirects = 0
        for scheme in ("https://", "http://"):
            session.mount(scheme, _bounded_adapter())
        return session


def is_safe_address(address: str) -> bool:
    """Whether nobody between can read or change what goes there: https, or this machine."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in {"localhost", "127.0.0.1", "::1"})
    )


def _answered(ask: Callable[[], Any]) -> Any:
    """What the provider answers. Raises `SignInRefused`, with the details in the log alone."""
    import requests
    from authlib.common.errors import AuthlibBaseError

    try:
        return ask()
    except AuthlibBaseError as error:
        raise _refused(f"{error.error}: {error.description}") from None
    except (requests.RequestException, ValueError, OSError) as error:
        raise _unusable(f"{type(error).__name__}: {error}") from None


def _refused(why: str) -> SignInRefused:
    log.warning("oidc_refused", extra={"reason": shortened(why, 300)})
    return SignInRefused(REFUSED)


def _unusable(why: str) -> SignInRefused:
    log.warning("oidc_unusable", extra={"reason": shortened(why, 300)})
    return SignInRefused(UNREACHABLE)


def _key_named(token: str) -> str | None:
    """The id of the key in the head of a token, which nothing has checked yet."""
    head = token.partition(".")[0]
    try:
        found = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except ValueError:
        return None
    named = found.get("kid") if isinstance(found, dict) else None
    return named if isinstance(named, str) else None


def _is_for_signatures(key: Any) -> bool:
    return isinstance(key, dict) and key.get("kty") in {"RSA", "EC", "OKP"} and key.get("use") in {None, "sig"}


def _bounded_adapter() -> Any:
    """Reads answers of a bounded size within a bounded time; a provider that is broken keeps no thread."""
    from requests.adapters import HTTPAdapter

    class Bounded(HTTPAdapter):
        def send(self, request: Any, *args: Any, **options: Any) -> Any:
            options |= {"timeout": REQUEST_SECONDS, "stream": True}
            response = super().send(request, *args, **options)
            end, content = time.monotonic() + REQUEST_SECONDS, b""
            for piece in response.iter_content(1 << 16):
                content += piece
                if len(content) > MAX_ANSWER or time.monotonic() > end:
                    response.close()
                    raise ValueError(f"the answer has more than {MAX_ANSWER} bytes, or takes too long")
            response._content, response._content_consumed = content, True  # noqa: SLF001
            return response

    return Bounded()
