"""Exchange Web Services by `exchangelib` (an extra), for Exchange on the premises: a mailbox, its folders, its errors.

Reading and sending share it. Each visit has connections of its own, with the certificates of the system, time-outs and
no waiting inside the library: a server that is busy ends the visit with the wait that it asks for.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any, Final
from urllib.parse import urlsplit

from shared.config.model import Inbox, MailServer
from shared.contracts.errors import Misconfigured, PostroomError
from shared.lazy_dataclass import dataclass
from shared.mail_network.account import account_of
from shared.mail_network.connection import AuthenticationRefused, Refusal, Step, Throttled, Unreachable
from shared.mail_network.ews_discovery import Bearer, EwsAdapter, discover, offered_methods
from shared.mail_network.extras import required
from shared.mail_network.sasl import Credentials
from shared.mail_network.tls import tls_options
from shared.mail_network.web import MAX_RETRY_AFTER_SECONDS, FolderExists, NotFound, host_of

EXTRA: Final = "ews"
PASSWORD_METHODS: Final = {"basic": "basic", "plain": "basic", "ntlm": "NTLM"}
"""Configured method → that of exchangelib."""


class EwsDenied(Refusal, Misconfigured):
    """The login may not use this mailbox, or there is none."""

    step = Step.INBOX


class ItemFailed(PostroomError):
    """The server refuses this request, or cannot carry it out for this mail. `name` is that of the error in EWS."""

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.name = name


_NOT_FOUND: Final = frozenset(
    {"ErrorItemNotFound", "ErrorFolderNotFound", "ErrorToFolderNotFound", "ErrorInvalidIdMalformed"}
)
_DENIED: Final = frozenset(
    {"ErrorAccessDenied", "ErrorImpersonateUserDenied", "ErrorImpersonationDenied", "ErrorNonExistentMailbox"}
    | {"ErrorNonPrimarySmtpAddress", "ErrorImpersonationFailed", "ErrorMailboxLogonFailed", "ErrorAccountDisabled"}
)
_LOGIN: Final = frozenset({"UnauthorizedError", "ErrorPasswordExpired", "ErrorPasswordChangeRequired"})
_BUSY: Final = frozenset({"ErrorServerBusy", "RateLimitError", "ErrorExceededConnectionCount"})
_OUTAGES: Final = frozenset(
    {"ErrorTimeoutExpired", "ErrorInternalServerTransientError", "ErrorMailboxStoreUnavailable", "ErrorMailboxFailover"}
    | {
        "ErrorMailboxMoveInProgress",
        "ErrorConnectionFailed",
        "ErrorConnectionFailedTransientError",
        "ErrorADUnavailable",
    }
    | {"TransportError", "MalformedResponseError", "CASError", "RedirectError", "ResponseMessageError"}
)


@dataclass(frozen=True, slots=True)
class EwsAccess:
    """Whose mailbox it is, and how to log in. `mailbox`: its address."""

    end: Inbox | MailServer
    mailbox: str
    credentials: Credentials
    seconds: float
    fips: bool = False


def mailbox_of(end: Inbox | MailServer, address: str) -> str:
    """The address of the mailbox: with an application `user_id` or the user name, else the address (TI-02)."""
    return account_of(end, address) if uses_tokens(end) else address


def uses_tokens(end: Inbox | MailServer) -> bool:
    """Whether an application logs in."""
    return end.auth == "oauth" or (end.auth == "auto" and end.oauth is not None)


def library() -> ModuleType:
    """exchangelib, kept from logging requests, which hold mails. Raises `Misconfigured` when it is not installed."""
    found: ModuleType = required("exchangelib", EXTRA)
    logging.getLogger("exchangelib").setLevel(logging.CRITICAL + 1)
    return found


class EwsClient:
    """One mailbox, for one thread."""

    def __init__(self, access: EwsAccess) -> None:
        self.lib = library()
        self._access = access
        self._url = access.end.ews_url or ""
        self._adapters: list[EwsAdapter] = []
        self.account: Any = None

    def open(self) -> None:
        """Find the server if its address is not configured, and log in as soon as the first request needs it."""
        if not self._url:
            self._url = discover(self._access.mailbox, self._authentication(), self._adapter)
        host_of(self._url)
        self.account = self._account()

    @property
    def url(self) -> str:
        """The address in use."""
        return self._url

    def _adapter(self, **_: Any) -> EwsAdapter:
        made = EwsAdapter(tls_options(self._access.end), seconds=self._access.seconds)
        self._adapters.append(made)
        return made

    def _account(self) -> Any:
        lib, method = self.lib, self._method()
        config = lib.Configuration(
            service_endpoint=self._url,
            credentials=self._credentials(method),
            auth_type=method,
            version=lib.Version(build=lib.version.EXCHANGE_2013),
            retry_policy=lib.FailFast(),
        )
        access_type = lib.IMPERSONATION if uses_tokens(self._access.end) else lib.DELEGATE
        account = lib.Account(
            self._access.mailbox, config=config, access_type=access_type, default_timezone=lib.UTC, locale="en_US"
        )
        del lib.protocol.Protocol[config]  # its cache would share one connection among inboxes
        own = {"get_adapter": staticmethod(self._adapter), "TIMEOUT": self._access.seconds, "RETRY_WAIT": 0}
        kind = type("Protocol", (lib.protocol.Protocol,), own)
        account.protocol = type.__call__(kind, config=config)
        return account

    def _credentials(self, method: str) -> Any:
        who = self._access.credentials
        if not uses_tokens(self._access.end):
            return self.lib.Credentials(who.username, _secret(who, method))
        if who.tokens is None:
            raise Misconfigured("protocol ews with oauth needs client_id, client_secret and tenant_id")
        token = {"access_token": who.tokens.token(), "token_type": "Bearer", "expires_in": 3600}
        return self.lib.OAuth2AuthorizationCodeCredentials(
            access_token=required("oauthlib.oauth2", EXTRA).OAuth2Token(token)
        )

    def _method(self) -> str:
        end = self._access.end
        if uses_tokens(end):
            return str(self.lib.OAUTH2)
        if end.auth in PASSWORD_METHODS:
            return PASSWORD_METHODS[end.auth]
        offered = offered_methods(self._url, self._adapter())
        if "ntlm" in offered and not self._access.fips:
            return PASSWORD_METHODS["ntlm"]
        if "basic" in offered:
            return PASSWORD_METHODS["basic"]
        raise Misconfigured(
            f"the server offers no method that can be used here; it offers {', '.join(offered) or 'none'}"
        )

    def _authentication(self) -> Any:
        """What logs in at the autodiscover service."""
        who, lib = self._access.credentials, self.lib
        if uses_tokens(self._access.end) and who.tokens is not None:
            return Bearer(who.tokens.token())
        method = PASSWORD_METHODS.get(self._access.end.auth, "basic")
        return lib.transport.get_auth_instance(auth_type=method, username=who.username, password=_secret(who, method))

    def close(self) -> None:
        """Close the connections."""
        if self.account is not None:
            self.account.protocol.close()

    def hang_up(self) -> None:
        """Close the connections, even during a request, from any thread."""
        for each in self._adapters:
            each.hang_up()

    # requests

    def renew_token(self) -> bool:
        """Log in with a new token, after the server has refused the old one; False: there are no tokens."""
        tokens = self._access.credentials.tokens
        if not uses_tokens(self._access.end) or tokens is None:
            return False
        tokens.rejected()
        self.close()
        self.account = self._account()
        return True

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn what exchangelib raises into our errors."""
        try:
            yield
        except self.lib.errors.EWSError as error:
            raise self.error(error) from error

    def error(self, error: Any) -> PostroomError:
        """Our error for one of exchangelib."""
        name, host = type(error).__name__, urlsplit(self._url).hostname or ""
        words = f"{name}: {' '.join(str(error).split())[:300]}"
        if name in _LOGIN:
            return AuthenticationRefused(f"{host} refuses the login ({words})")
        if name in _BUSY:
            stated = (getattr(error, "back_off", None), *(each.retry_after for each in self._adapters))
            seconds = next((min(float(each), MAX_RETRY_AFTER_SECONDS) for each in stated if each), None)
            asked = f"asks to wait {seconds:.0f} seconds" if seconds else "does not say how long to wait"
            return Throttled(f"{host} is busy and {asked} ({words})", seconds)
        if name in _DENIED:
            return EwsDenied(f"the mailbox {self._access.mailbox} cannot be used by this login ({words})")
        if name in _NOT_FOUND:
            return NotFound(words)
        if name == "ErrorFolderExists":
            return FolderExists(words)
        if name in _OUTAGES:
            return self._outage(words)
        return ItemFailed(words, name)

    def _outage(self, words: str) -> PostroomError:
        """The error of the connection, as far as it is known; exchangelib keeps only the words of it."""
        for adapter in self._adapters:
            if adapter.error is not None:
                return adapter.error
        if "Code: 403" in words:
            return EwsDenied(f"the server forbids EWS for this login or application ({words})")
        return Unreachable(f"{urlsplit(self._url).hostname}: {words}")

    # folders

    def folder(self, path: str) -> Any:
        """The folder with this path, below the root of the mailbox, or below the inbox when it begins with INBOX."""
        names = [name.strip() for name in path.split("/") if name.strip()]
        with self.errors():
            if names and names[0].upper() == "INBOX":
                found, names = self.account.inbox, names[1:]
            else:
                found = self.account.msg_folder_root
            for name in names:
                found = found // name
            return found

    def create_folder(self, path: str) -> Any:
        """Make a folder, and those above it that are missing. Safe to repeat."""
        names = [name.strip() for name in path.split("/") if name.strip()]
        for length in range(1, len(names) + 1):
            part = "/".join(names[:length])
            try:
                self.folder(part)
            except NotFound:
                self._create(part)
        return self.folder(path)

    def _create(self, path: str) -> None:
        above, _, name = path.rpartition("/")
        parent = self.folder(above) if above else self._root()
        try:
            with self.errors():
                self.lib.folders.Messages(parent=parent, name=name).save()
        except FolderExists:  # another process made it just now
            return

    def _root(self) -> Any:
        with self.errors():
            return self.account.msg_folder_root


def _secret(who: Credentials, method: str) -> str | bytes:
    """The password; for basic as bytes of UTF-8, because requests would write Latin-1, or fail."""
    if who.password is None:
        raise Misconfigured("no password is configured for this login")
    return who.password.encode() if method == "basic" else who.password
