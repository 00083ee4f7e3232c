"""OAuth access tokens for mailboxes and mail servers (TI-02, TI-41): fetched when needed, renewed before they end.

`Tokens.of(end)` gives the token source of an inbox or mail server. Ends with the same application share a token. Each
application has a lock of its own, and a failure is remembered for a moment: a token endpoint that does not answer
delays nobody who uses another one, and not everybody who uses this one. `microsoft` and `google` ask for tokens.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Final, Protocol

from shared.config.model import Inbox, MailServer
from shared.config.values import Secret
from shared.contracts.errors import PostroomError, Unavailable
from shared.lazy_dataclass import dataclass
from shared.mail_network.tls import tls_options

RENEW_BEFORE_SECONDS: Final = 300.0
"""A token is renewed when it is valid for less than this, or for less than half of its time."""
REMEMBER_FAILURE_SECONDS: Final = 15.0


class TokenSource(Protocol):
    """The access tokens of one login. Both methods may be called from any thread."""

    def token(self) -> str:
        """A token that is valid now. Raises `Unavailable`, `AuthenticationRefused` or `Misconfigured`."""

    def rejected(self) -> None:
        """The server has refused the token that `token` gave last: the next call asks for another one."""


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token, and for how many seconds from now it is valid."""

    value: str
    seconds: float


class RefreshTokens(Protocol):
    """Keeps the refresh tokens of sign-ins, which the token endpoint replaces now and then."""

    def get(self, first: str) -> str:
        """The newest refresh token that came after this first one; the first one itself when none did."""

    def put(self, first: str, newest: str) -> None:
        """Keep the newest one."""


class KeptToken:
    """One access token for all who need it, renewed when it is about to end."""

    def __init__(self, fetch: Callable[[], AccessToken], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._fetch, self._monotonic, self._lock = fetch, monotonic, threading.Lock()
        self._value = ""
        self._renew_at = self._ends_at = self._try_at = 0.0
        self._error: PostroomError | None = None

    def current(self) -> str:
        """A token that is valid now."""
        with self._lock:
            now = self._monotonic()
            if self._value and now < self._renew_at:
                return self._value
            if self._error is None or now >= self._try_at:
                self._renew()
            if self._error is None or (isinstance(self._error, Unavailable) and self._is_valid()):
                return self._value
            raise type(self._error)(str(self._error)) from self._error

    def _is_valid(self) -> bool:
        return bool(self._value) and self._monotonic() < self._ends_at

    def _renew(self) -> None:
        try:
            fetched = self._fetch()
        except PostroomError as error:
            self._error, self._try_at = error, self._monotonic() + REMEMBER_FAILURE_SECONDS
            return
        now = self._monotonic()
        self._error, self._value, self._ends_at = None, fetched.value, now + fetched.seconds
        self._renew_at = self._ends_at - min(RENEW_BEFORE_SECONDS, fetched.seconds / 2)

    def discard(self, value: str) -> None:
        """Forget this token, unless another one has replaced it meanwhile."""
        with self._lock:
            if value == self._value:
                self._value = ""


class _Login:
    """The token source of one login; it knows which token it gave."""

    def __init__(self, kept: KeptToken) -> None:
        self._kept, self._given = kept, ""

    def token(self) -> str:
        self._given = self._kept.current()
        return self._given

    def rejected(self) -> None:
        self._kept.discard(self._given)


class Tokens:
    """The token sources of one process."""

    def __init__(
        self,
        refresh_tokens: RefreshTokens,
        *,
        reveal: Callable[[Secret], str] = Secret.reveal,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._refresh_tokens, self._reveal, self._monotonic = refresh_tokens, reveal, monotonic
        self._kept: dict[Hashable, KeptToken] = {}
        self._lock = threading.Lock()

    def of(self, end: Inbox | MailServer) -> TokenSource | None:
        """The token source of an inbox or mail server; None without an application in its configuration."""
        found = self._fetcher_of(end)
        if found is None:
            return None
        key, fetch = found
        with self._lock:
            kept = self._kept.setdefault(key, KeptToken(fetch, self._monotonic))
        return _Login(kept)

    def _fetcher_of(self, end: Inbox | MailServer) -> tuple[Hashable, Callable[[], AccessToken]] | None:
        tls = replace(tls_options(end), verify=True)  # a token is never asked for without a check of the server
        if end.oauth is not None and end.protocol != "gmail":
            from shared.mail_network import microsoft

            application, scope = end.oauth, microsoft.scope_of(end.oauth, end.protocol)
            return (application, scope, tls), lambda: microsoft.fetch(
                application, scope, self._reveal, self._refresh_tokens, tls
            )
        if end.google is not None:
            from shared.mail_network import google

            account, user, scope = end.google, google.user_of(end), google.scope_of(end.protocol)
            return (account, user, scope, tls), lambda: google.fetch(account, user, scope, self._reveal, tls)
        return None
