"""HTTPS requests to mailboxes and servers on the web: a deadline, a bounded answer, one error for each failure.

Microsoft Graph and the Gmail API share it. It sends the access token and renews it once when the server refuses it;
what a status means beyond that is decided by the module that knows the protocol. It never waits for a server that
limits requests: it raises `Throttled`, so that the caller can do something else until then.
"""

from __future__ import annotations

import io
import json
import socket
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPResponse
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPSConnectionPool
from urllib3.connection import HTTPSConnection

from shared.contracts.errors import BoundExceeded, Misconfigured, PostroomError
from shared.lazy_dataclass import dataclass
from shared.mail_network.connection import (
    CONNECT_SECONDS,
    AuthenticationRefused,
    Deadline,
    DeadlineReader,
    InvalidHost,
    NotHttps,
    Refusal,
    Step,
    Throttled,
    Unreachable,
    client_certificate_fault,
    connecting,
    host_name,
)
from shared.mail_network.tls import SYSTEM, TlsOptions

MAX_JSON_BYTES: Final = 16 << 20
MIN_BYTES_PER_SECOND: Final = 50_000
"""Bytes a second: a transfer that is slower has failed."""
REQUESTS_AT_ONCE: Final = 4
"""Requests to one mailbox at the same time, from this process (Graph allows 4 to an application)."""
MAX_RETRY_AFTER_SECONDS: Final = 3600.0
MAX_SAID: Final = 300
"""Characters of a server's words that go into an error."""
ALERT_SECONDS: Final = 2.0
_CHUNK_BYTES: Final = 64 << 10


class AnswerLost(Unreachable):
    """The whole request was sent and no answer came: it may have been carried out, or not."""


class AccessDenied(Refusal, Misconfigured):
    """The application may not use this mailbox. `code` is the server's."""

    step = Step.INBOX

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class NotFound(PostroomError):
    """There is no such mail or folder. `code` is the server's."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.code = code


class FolderExists(PostroomError):
    """A folder with this name exists already."""


class ServerFailed(Unreachable):
    """The server failed with a status of 500 or above, perhaps at this one mail only."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


class RequestRefused(PostroomError):
    """The server refuses this request, for a reason that waiting does not change. `code` is the server's."""

    def __init__(self, message: str, code: str = "", status: int = 0) -> None:
        super().__init__(message)
        self.code, self.status = code, status


class AnswerTooLarge(BoundExceeded):
    """The answer exceeds what was asked to be read at most."""


@dataclass(frozen=True, slots=True)
class Content:
    """The body of a request, and its media type."""

    body: bytes
    media_type: str = "application/json"

    @classmethod
    def of_json(cls, value: Any) -> Content:
        """A value as JSON."""
        return cls(json.dumps(value).encode())


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `limit` (bytes) bounds its answer; `cut`: of a longer one, the beginning is returned.

    `seconds` bound the whole, None: those of the client.
    """

    method: str
    url: str
    content: Content | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    limit: int = MAX_JSON_BYTES
    cut: bool = False
    seconds: float | None = None
    with_token: bool = True

    @property
    def expected(self) -> int:
        """Bytes that the answer may have beyond a usual one; they get time of their own."""
        return max(0, self.limit - MAX_JSON_BYTES)


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer. Names of headers are compared whatever their case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """The body as a JSON object; an empty one when it is none, as some errors are answered by a proxy in HTML."""
        try:
            found = json.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


class AccessTokens(Protocol):
    """The access tokens of one login."""

    def token(self) -> str:
        """A token that is valid now."""

    def rejected(self) -> None:
        """The server has refused the token that `token` gave last: the next call asks for another one."""


class WebClient:
    """Requests to one mailbox, one after another. Used by one thread; `hang_up` may be called from any."""

    def __init__(
        self, base: str, tokens: AccessTokens | None, *, mailbox: str, seconds: float, tls: TlsOptions = SYSTEM
    ) -> None:
        self._tokens, self._seconds = tokens, seconds
        self.host, self._port = host_of(base)
        self._slot = _slot(f"{self.host}:{self._port} {mailbox.lower()}")
        self._adapter = DeadlineAdapter(tls)
        self._session = requests.Session()
        self._verify = tls.verify
        self._session.mount("https://", self._adapter)

    def request(self, ask: Request) -> Answer:
        """Send one request.

        Raises `AuthenticationRefused` (401 with a new token too), `Throttled` (429, 503), `AnswerTooLarge`, and what
        connections raise. An answer with another status is returned.
        """
        tokens = self._tokens if ask.with_token else None
        answer = self._sent(ask, tokens.token() if tokens else None)
        if answer.status == 401 and tokens:
            tokens.rejected()
            answer = self._sent(ask, tokens.token())
        if answer.status == 401:
            raise AuthenticationRefused(f"{self.host} refuses the access token: {error_text(answer)}")
        if answer.status in (429, 503):
            raise _throttled(self.host, answer)
        return answer

    def _sent(self, ask: Request, token: str | None) -> Answer:
        host, port = host_of(ask.url)
        body, kind = (ask.content.body, {"Content-Type": ask.content.media_type}) if ask.content else (None, {})
        seconds = (ask.seconds or self._seconds) + (len(body or b"") + ask.expected) / MIN_BYTES_PER_SECOND
        with self._slot_within(seconds), translated(self._adapter, host, port):
            self._adapter.start(seconds)
            response = self._session.request(
                ask.method,
                ask.url,
                data=body,
                headers={**ask.headers, **kind},
                auth=_Bearer(token),
                verify=self._verify,
                timeout=(min(CONNECT_SECONDS, seconds), seconds),
                allow_redirects=False,
                stream=True,
            )
            with response:
                return Answer(response.status_code, response.headers, _body(response, ask))

    @contextmanager
    def _slot_within(self, seconds: float) -> Iterator[None]:
        if not self._slot.acquire(timeout=seconds):
            raise Unreachable(f"{self.host}: other requests to this mailbox did not end in time")
        try:
            yield
        finally:
            self._slot.release()

    def hang_up(self) -> None:
        """Close the connections, even during a request, from any thread."""
        self._adapter.hang_up()

    def close(self) -> None:
        """Close the connections when no request is under way."""
        self._session.close()


class _Bearer(requests.auth.AuthBase):
    """Sends the token; as an `auth` of the request, so that no netrc file replaces it."""

    def __init__(self, token: str | None) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token is not None:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def error_text(answer: Answer) -> str:
    """What the server says about an error, on one line: code and message of Graph or Google, else the status."""
    error = answer.json().get("error")
    if isinstance(error, dict):
        words = f"{error.get('code') or error.get('status') or ''}: {error.get('message') or ''}"
    else:
        words = f"status {answer.status}"
    return " ".join("".join(each if each.isprintable() else " " for each in words).split())[:MAX_SAID]


def _throttled(host: str, answer: Answer) -> Throttled:
    seconds = retry_after_seconds(answer.headers.get("Retry-After"))
    asked = "and does not say how long to wait" if seconds is None else f"and asks to wait {seconds:.0f} seconds"
    return Throttled(f"{host} limits requests {asked} ({answer.status} {error_text(answer)})", seconds)


def retry_after_seconds(value: str | None) -> float | None:
    """Seconds or a date (RFC 9110, 10.2.3), at most an hour; None when it cannot be read."""
    text = (value or "").strip()
    try:
        seconds = (
            float(text)
            if text.isascii() and text.isdigit()
            else (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
        )
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def _body(response: requests.Response, ask: Request) -> bytes:
    whole, limit = bytearray(), ask.limit if response.ok else MAX_JSON_BYTES
    for chunk in response.iter_content(_CHUNK_BYTES):
        whole += chunk
        if len(whole) > limit:
            if ask.cut and response.ok:
                return bytes(whole[:limit])
            raise AnswerTooLarge("answer-size", f"the answer has more than {limit} bytes")
    return bytes(whole)


def host_of(url: str) -> tuple[str, int]:
    """Host and port. Raises `InvalidHost`, or `NotHttps`."""
    try:
        parts = urlsplit(url)
        port = parts.port or 443
    except ValueError as error:
        raise InvalidHost(f"{url!r} is not a web address") from error
    if parts.scheme.lower() != "https":
        raise NotHttps(f"{url} is not https, and a login is never sent without encryption")
    return host_name(parts.hostname), port


# at most four requests at once

_SLOTS: Final[dict[str, threading.BoundedSemaphore]] = {}
_SLOTS_LOCK: Final = threading.Lock()


def _slot(mailbox: str) -> threading.BoundedSemaphore:
    """The places of one mailbox, shared by everything in this process that asks it: reading, sending, tests."""
    with _SLOTS_LOCK:
        return _SLOTS.setdefault(mailbox, threading.BoundedSemaphore(REQUESTS_AT_ONCE))


# connections with a deadline


class _Body(DeadlineReader):
    """Reads an answer within the deadline. Keeps the socket open while the answer is read, as `makefile` does."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        super().__init__(sock, deadline)
        self._held = sock.makefile("rb", buffering=0)

    def close(self) -> None:
        """Let the socket go."""
        self._held.close()
        super().close()


class _Readable:
    """What `HTTPResponse` needs of a socket."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        self._sock, self._deadline = sock, deadline

    def makefile(self, _mode: str) -> io.BufferedReader:
        """The reading side."""
        return io.BufferedReader(_Body(self._sock, self._deadline))


class DeadlineAdapter(HTTPAdapter):
    """Connections of `requests` that read within a deadline, verified by the certificates of the system.

    With `seconds` each request has that long; without, `start` says how long the next one has.
    """

    def __init__(self, tls: TlsOptions, *, seconds: float = 0.0) -> None:
        self._context, self._deadline, self._seconds = tls.context(), Deadline(0), seconds
        self._connections: list[HTTPSConnection] = []
        self.awaits_answer = False
        super().__init__(pool_connections=2, pool_maxsize=1)

    def start(self, seconds: float) -> None:
        """A request begins, which has `seconds`."""
        self._deadline.restart(seconds)
        self.awaits_answer = False

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """Send; a request without a time-out of its own has one."""
        if self._seconds:
            self.start(self._seconds)
            options["timeout"] = options.get("timeout") or (min(CONNECT_SECONDS, self._seconds), self._seconds)
        return super().send(request, *args, **options)

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        """Make the pools with our connections."""
        super().init_poolmanager(*args, ssl_context=self._context, **options)
        self.poolmanager.pool_classes_by_scheme = {"https": self._pool_class()}

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """The same behind a proxy."""
        manager = super().proxy_manager_for(proxy, ssl_context=self._context, **options)
        manager.pool_classes_by_scheme = {**manager.pool_classes_by_scheme, "https": self._pool_class()}
        return manager

    def cert_verify(self, *_: Any) -> None:
        """Add nothing to the context, which has the certificates already."""

    def _pool_class(self) -> type[HTTPSConnectionPool]:
        adapter = self

        class Connection(HTTPSConnection):
            def connect(self) -> None:
                adapter._connections = [self]
                super().connect()
                self.is_verified = True  # or off by a setting, of which urllib3 need not warn at each request

            def send(self, data: Any) -> None:
                try:
                    super().send(data)
                except OSError as error:
                    if (alert := _waiting_alert(self.sock)) is not None:
                        raise alert from error
                    raise

            def response_class(self, sock: socket.socket, **options: Any) -> HTTPResponse:  # type: ignore[override]
                adapter.awaits_answer = True
                return HTTPResponse(_Readable(sock, adapter._deadline), **options)  # type: ignore[arg-type]

        class Pool(HTTPSConnectionPool):
            ConnectionCls = Connection

        return Pool

    def hang_up(self) -> None:
        """Close what is open, from any thread."""
        for each in self._connections:
            if (sock := each.sock) is not None:
                with suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)


def _waiting_alert(sock: socket.socket | None) -> ssl.SSLError | None:
    """What the server has said of our certificate before it closed the connection to which more was being sent."""
    if not isinstance(sock, ssl.SSLSocket):
        return None
    try:
        sock.settimeout(ALERT_SECONDS)
        sock.recv(1)
    except ssl.SSLError as error:
        return error if client_certificate_fault(error) else None
    except OSError:
        pass
    return None


@contextmanager
def translated(adapter: DeadlineAdapter, host: str, port: int) -> Iterator[None]:
    """Turn what requests raises into the error of the socket or of TLS below it, and that into ours."""
    with connecting(host, port):
        try:
            yield
        except requests.exceptions.InvalidURL as error:
            raise InvalidHost(f"{host!r} is not a host name") from error
        except (requests.RequestException, TimeoutError) as error:
            cause = _cause(error)
            refused = isinstance(cause, ssl.SSLCertVerificationError) or client_certificate_fault(cause)
            if adapter.awaits_answer and not refused:
                raise AnswerLost(f"{host}:{port} did not answer completely: {_words(cause)}") from error
            raise cause from error


def _words(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return (error.strerror if isinstance(error, OSError) else None) or "the connection was lost"


def _cause(error: BaseException) -> Exception:
    """The error of the socket or of TLS that requests and urllib3 wrapped; `Unreachable` when there is none."""
    found = next((each for each in _chain(error) if _is_of_the_socket(each)), None)
    if isinstance(found, Exception):
        return found
    if isinstance(error, requests.Timeout):
        return TimeoutError()
    return Unreachable("the connection was lost")


def _is_of_the_socket(error: BaseException) -> bool:
    wrapped = isinstance(error, requests.RequestException)
    return isinstance(error, OSError) and not wrapped


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and everything that it wraps."""
    waiting: list[BaseException] = [error]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        inner = (getattr(each, "reason", None), each.__cause__, each.__context__, *each.args)
        waiting += [one for one in inner if isinstance(one, BaseException)]
