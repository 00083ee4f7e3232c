"""Finds the address of EWS from that of a mailbox (TI-04), and the login methods that a server offers.

Asks the two addresses of Autodiscover that Exchange documents for clients ([MS-OXDSCLI]): `autodiscover.<domain>` and
the domain itself, over HTTPS only, because the login is sent along. An answer may name another place, once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final
from xml.etree.ElementTree import Element, ParseError, fromstring
from xml.sax.saxutils import escape

import requests

from shared.contracts.errors import PostroomError
from shared.mail_network.connection import AuthenticationRefused, Step, Unreachable
from shared.mail_network.tls import TlsOptions
from shared.mail_network.web import DeadlineAdapter, host_of, retry_after_seconds, translated

ADDRESSES: Final = (
    "https://autodiscover.{domain}/autodiscover/autodiscover.xml",
    "https://{domain}/autodiscover/autodiscover.xml",
)
_REQUEST: Final = (
    '<?xml version="1.0" encoding="utf-8"?>'
    '<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"><Request>'
    "<EMailAddress>{address}</EMailAddress><AcceptableResponseSchema>"
    "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
    "</AcceptableResponseSchema></Request></Autodiscover>"
)


class EwsNotDiscovered(Unreachable):
    """No server says where the mailbox is."""

    step = Step.URL


class EwsAdapter(DeadlineAdapter):
    """Connections for `exchangelib`: each request has its own deadline; what the library does not pass on is kept.

    `error`: the last error of a connection. `retry_after`: the seconds that a busy server asks to wait.
    """

    def __init__(self, tls: TlsOptions, *, seconds: float) -> None:
        super().__init__(tls, seconds=seconds)
        self._verify = tls.verify
        self.error: PostroomError | None = None
        self.retry_after: float | None = None

    def send(self, request: requests.PreparedRequest, *_: Any, **options: Any) -> requests.Response:
        """Send within the deadline."""
        host, port = host_of(str(request.url))
        options |= {"verify": self._verify, "timeout": None}
        try:
            with translated(self, host, port):
                answer = super().send(request, **options)
        except PostroomError as error:
            self.error = error
            raise requests.ConnectionError(str(error), request=request) from error
        self.retry_after = retry_after_seconds(answer.headers.get("Retry-After"))
        return answer


class Bearer(requests.auth.AuthBase):
    """Logs in with a token."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the token."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def offered_methods(url: str, adapter: EwsAdapter) -> Sequence[str]:
    """The login methods that the server names when a request has no login, in small letters."""
    answer = _post(url, adapter, b"", auth=_no_login)
    fields = answer.headers.get("WWW-Authenticate", "").lower().split(",")
    return [each.split()[0] for each in fields if each.strip()]


def discover(address: str, auth: Any, make_adapter: Callable[[], EwsAdapter]) -> str:
    """The address of EWS for a mailbox. Raises `AuthenticationRefused` or `EwsNotDiscovered` (what was answered)."""
    domain = address.rpartition("@")[2]
    said: list[str] = []
    for place in ADDRESSES:
        url = place.format(domain=domain)
        try:
            if found := _asked(url, address, auth, make_adapter):
                return found
            said.append(f"{url} names no EWS")
        except AuthenticationRefused:
            raise
        except PostroomError as error:
            said.append(str(error))
    raise EwsNotDiscovered(
        f"Exchange could not be discovered for {address} ({'; '.join(said)}); "
        "write ews_url: https://server/EWS/Exchange.asmx"
    )


def _asked(url: str, address: str, auth: Any, make_adapter: Callable[[], EwsAdapter], hops: int = 1) -> str | None:
    body = _REQUEST.format(address=escape(address)).encode()
    answer = _post(url, make_adapter(), body, auth=auth)
    if answer.status_code == 401:
        raise AuthenticationRefused(f"{url} refuses the login")
    if answer.status_code != 200:
        raise Unreachable(f"{url}: status {answer.status_code}")
    found = _values(answer.content)
    if (to := found.get("RedirectUrl")) and hops:
        return _asked(to, address, auth, make_adapter, hops - 1)
    if (to := found.get("RedirectAddr")) and hops:
        return _asked(url, to, auth, make_adapter, hops - 1)
    return found.get("EwsUrl")


def _post(url: str, adapter: EwsAdapter, body: bytes, *, auth: Any) -> requests.Response:
    session = requests.Session()
    session.mount("https://", adapter)
    headers = {"Content-Type": "text/xml; charset=utf-8"}
    with session:
        try:
            return session.post(url, data=body, headers=headers, auth=auth, allow_redirects=False)
        except requests.RequestException as error:
            raise adapter.error or Unreachable(f"{url}: the connection was lost") from error


def _no_login(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


def _values(content: bytes) -> dict[str, str]:
    """The first text of each element that matters. Documents with a DTD are not read."""
    if b"<!DOCTYPE" in content:
        return {}
    try:
        root: Element = fromstring(content)  # noqa: S314 - entities need a DTD
    except ParseError:
        return {}
    found: dict[str, str] = {}
    for each in root.iter():
        name = each.tag.rpartition("}")[2]
        if name in {"EwsUrl", "RedirectUrl", "RedirectAddr"} and each.text:
            found.setdefault(name, each.text.strip())
    return found
