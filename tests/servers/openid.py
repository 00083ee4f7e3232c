"""An OpenID provider on loopback that signs whoever comes in, and answers wrongly as a test wants."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "postroom", "the client's secret"
MOVED = "/moved"
"""Begins the path to which a redirect leads; there the answer is honest."""


@cache
def key_called(name: str) -> RSAKey:
    """A key pair for signatures; to make one takes long."""
    return RSAKey.generate_key(2048, {"kid": name, "use": "sig"})


@dataclass
class OpenIdProvider:
    """`claims` go into the next ID tokens; `token` makes one of them and a key; `changed` makes another answer
    of an honest one, by path.

    `asked` has the paths of all requests, `codes` the parameters of the sign-ins that wait for their code.
    """

    claims: dict[str, Any] = field(default_factory=lambda: {"preferred_username": "Ann"})
    key: RSAKey = field(default_factory=lambda: key_called("first"))
    token: Callable[[dict[str, Any], RSAKey], str] | None = None
    changed: dict[str, Callable[[bytes], tuple[int, bytes]]] = field(default_factory=dict)
    more_keys: list[dict[str, Any]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                provider.answer(self, b"")

            def do_POST(self) -> None:
                provider.answer(self, self.rfile.read(int(self.headers["Content-Length"])))

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def answer(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        """One request."""
        path = urlsplit(handler.path).path
        query = {name: values[0] for name, values in parse_qs(urlsplit(handler.path).query).items()}
        self.asked.append(path)
        change = self.changed.get(path)
        path = path.removeprefix(MOVED)
        if path == "/authorize":
            code = f"code-{len(self.codes)}"
            self.codes[code] = query
            handler.send_response(302)
            handler.send_header(
                "Location", f"{query['redirect_uri']}?{urlencode({'code': code, 'state': query['state']})}"
            )
            handler.send_header("Content-Length", "0")
            handler.end_headers()
        else:
            found = {"/.well-known/openid-configuration": self._metadata, "/jwks": self._keys}.get(path)
            status, document = (200, found()) if found else self._token(handler, body)
            honest = status, json.dumps(document).encode()
            self._send(handler, path, *(change(honest[1]) if change else honest))

    def _send(self, handler: BaseHTTPRequestHandler, path: str, status: int, body: bytes) -> None:
        handler.send_response(status)
        if status == 307:
            handler.send_header("Location", f"{self.issuer}{MOVED}{path}")
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def _metadata(self) -> dict[str, Any]:
        paths = {"authorization_endpoint": "authorize", "token_endpoint": "token", "jwks_uri": "jwks"}
        return {"issuer": self.issuer, **{name: f"{self.issuer}/{path}" for name, path in paths.items()}}

    def _keys(self) -> dict[str, Any]:
        return {"keys": [*self.more_keys, self.key.as_dict(private=False)]}

    def _token(self, handler: BaseHTTPRequestHandler, body: bytes) -> tuple[int, dict[str, Any]]:
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        begun = self.codes.pop(form.get("code", ""), None)
        login = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        is_right = (
            begun is not None
            and handler.headers["Authorization"] == f"Basic {login}"
            and (begun["code_challenge_method"], begun["code_challenge"]) == ("S256", challenge)
            and begun["redirect_uri"] == form["redirect_uri"]
        )
        if begun is None or not is_right:
            return 400, {"error": "invalid_grant"}
        now = int(time.time())
        fixed = {"iss": self.issuer, "aud": CLIENT, "sub": "1", "iat": now, "exp": now + 300, "nonce": begun["nonce"]}
        token = (self.token or signed)({**fixed, **self.claims}, self.key)
        return 200, {"access_token": "access", "token_type": "Bearer", "id_token": token}


def signed(claims: dict[str, Any], key: RSAKey) -> str:
    """An ID token as it should be."""
    return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)


def unsigned(claims: dict[str, Any], _key: RSAKey) -> str:
    """One with `alg` none."""
    parts = (json.dumps(each).encode() for each in ({"alg": "none"}, claims))
    return ".".join([*(base64.urlsafe_b64encode(each).decode().rstrip("=") for each in parts), ""])


def signed_with_the_public_key(claims: dict[str, Any], key: RSAKey) -> str:
    """One with HS256, whose secret everybody knows."""
    public = key.as_pem(private=False)
    head = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "kid": key.kid}).encode()).decode().rstrip("=")
    body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
    mac = hmac.digest(public, f"{head}.{body}".encode(), hashlib.sha256)
    return f"{head}.{body}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


def signed_by_another(claims: dict[str, Any], key: RSAKey) -> str:
    """One that names the right key, and is signed with another."""
    return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key_called("another"))
