"""What a request must show before anything looks at it: its host, and for a write where it comes from.

Pure functions on header values. A host that is not a plain name with a port is refused, so that nothing built from it
can lead elsewhere (a `Host` of `x/?` changes the path of a URL built from it).
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import urlsplit

from shared.lazy_pattern import lazy_compile

LOCAL_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})
_HOST: Final = lazy_compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)(:[0-9]{1,5})?")
"""RFC 3986, 3.2.2, without characters that no name of a console has."""
SECURITY_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
        " form-action 'self'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
"""For every answer that sets no other value. `same-origin` as referrer policy: with `no-referrer` forms send `null`."""


def is_allowed_host(host: str, allowed: Collection[str]) -> bool:
    """Whether a `Host` header names one of the allowed hosts, with any port."""
    found = _HOST.fullmatch(host)
    return found is not None and found[1].lower() in allowed


def is_own_origin(headers: Mapping[str, str], scheme: str) -> bool:
    """Whether a request comes from a page of this console, by `Origin`, or `Sec-Fetch-Site` where that is missing.

    `headers`: with lower-case names; its host was checked before. `scheme`: that of the request.
    """
    origin = headers.get("origin")
    if origin is None:
        return headers.get("sec-fetch-site") == "same-origin"
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme == scheme and parts.netloc.lower() == headers.get("host", "").lower()


def is_own_page(headers: Mapping[str, str], scheme: str) -> bool:
    """Whether a page of this console may read the answer to a GET: unlike a write, one may come without an origin."""
    if headers.get("sec-fetch-site", "same-origin") not in {"same-origin", "none"}:
        return False
    return "origin" not in headers or is_own_origin(headers, scheme)


def form_token(secret: str) -> str:
    """The token in the forms of a session: derived from its secret, so that another site knows neither."""
    return hmac.digest(secret.encode(), b"postroom form", hashlib.sha256).hex()


def is_form_token(token: str, secret: str) -> bool:
    """Whether a form carries the token of this session."""
    return hmac.compare_digest(token.encode(), form_token(secret).encode())


def is_trusted_peer(peer: str, trusted: Collection[str]) -> bool:
    """Whether an address lies in one of these networks (`10.0.0.0/8`, `192.0.2.1`)."""
    try:
        address = ipaddress.ip_address(peer)
    except ValueError:
        return False
    return any(address in ipaddress.ip_network(each, strict=False) for each in trusted)


def client_address(peer: str, forwarded: str, trusted: Collection[str]) -> str:
    """The address that a request comes from: the peer's, or what trusted proxies say in `X-Forwarded-For`.

    Each proxy appends the address that it saw, so the list counts from its end, as far as the proxies are trusted.
    """
    address = peer
    for hop in reversed(forwarded.split(",")):
        found = _without_port(hop.strip())
        if not is_trusted_peer(address, trusted) or not _is_address(found):
            break
        address = found
    return address


def _without_port(written: str) -> str:
    if written.startswith("["):
        return written[1:].partition("]")[0]
    return written.partition(":")[0] if written.count(":") == 1 else written


def _is_address(written: str) -> bool:
    try:
        ipaddress.ip_address(written)
    except ValueError:
        return False
    return True
