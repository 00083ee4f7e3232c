"""The Gmail API: requests to one mailbox, its labels by name, and one error for each documented answer.

Reading and sending share it. A label is to Gmail what a folder is to others; a mail may have several. The service
account acts for the user of the mailbox, for whom an administrator has allowed it to act (domain-wide delegation).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode

from shared.config.model import Google
from shared.contracts.errors import Misconfigured, PostroomError
from shared.mail_network.connection import Throttled, Unreachable
from shared.mail_network.tls import TlsOptions
from shared.mail_network.web import (
    MAX_JSON_BYTES,
    AccessDenied,
    AccessTokens,
    Answer,
    Content,
    FolderExists,
    NotFound,
    Request,
    RequestRefused,
    ServerFailed,
    WebClient,
    error_text,
)

PAGE_MAILS: Final = 500
MAX_LISTED: Final = 20
_LIMITS: Final = frozenset({"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "dailyLimitExceeded"})
_REMEDIES: Final[Mapping[str, str]] = {
    "accessNotConfigured": "switch on the Gmail API in the project of the service account",
    "domainPolicy": "an administrator of the domain has switched off access by applications",
    "insufficientPermissions": "allow the scope gmail.modify in the domain-wide delegation (docs/mailboxes.md)",
    "failedPrecondition": "this user has no Gmail mailbox",
}
"""What an administrator does about a reason of Google's."""


class GmailClient:
    """One mailbox at Gmail, for one thread."""

    def __init__(
        self, google: Google | None, user: str, tokens: AccessTokens | None, *, tls: TlsOptions, seconds: float
    ) -> None:
        if google is None or tokens is None:
            raise Misconfigured("protocol gmail needs google: service_account, private_key and user")
        self.user = user
        self.base = google.endpoint.rstrip("/")
        self.path = f"/gmail/v1/users/{quote(user, safe='@')}"
        self.web = WebClient(self.base, tokens, mailbox=user, seconds=seconds, tls=tls)

    def get(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        limit: int = MAX_JSON_BYTES,
        seconds: float | None = None,
    ) -> dict[str, Any]:
        """A JSON object. `path` begins below the mailbox; empty values of `query` are left out."""
        stated = urlencode({name: each for name, each in (query or {}).items() if each}, quote_via=quote)
        url = f"{self.path}{path}?{stated}" if stated else self.path + path
        return self.send("GET", url, limit=limit, seconds=seconds).json()

    def post(self, path: str, value: Any) -> dict[str, Any]:
        """Send a JSON object, and return the one that comes back."""
        return self.send("POST", self.path + path, content=Content.of_json(value)).json()

    def send(
        self,
        method: str,
        path: str,
        *,
        content: Content | None = None,
        limit: int = MAX_JSON_BYTES,
        seconds: float | None = None,
    ) -> Answer:
        """One request, each documented error as an error of its own."""
        answer = self.web.request(Request(method, self.base + path, content, limit=limit, seconds=seconds))
        if answer.status >= 300:
            raise self._error(answer)
        return answer

    def _error(self, answer: Answer) -> PostroomError:
        reason, words = _reason(answer), error_text(answer)
        if reason in _LIMITS:
            return Throttled(f"{self.web.host} limits requests and does not say how long to wait ({reason}: {words})")
        if reason in _REMEDIES or answer.status == 403:
            remedy = _REMEDIES.get(reason, "allow the service account to act for this user (domain-wide delegation)")
            return AccessDenied(f"the mailbox {self.user} cannot be used ({reason}: {words}); {remedy}")
        if answer.status == 404:
            return NotFound(words)
        if answer.status == 409:
            return FolderExists(words)
        if answer.status >= 500 or answer.status < 400:
            return ServerFailed(f"{self.web.host}: status {answer.status}, {words}", answer.status)
        return RequestRefused(f"{self.web.host}: {words}")

    def message_ids(self, label: str, *, unread: bool, page: int = PAGE_MAILS) -> Iterator[str]:
        """The ids of the mails with a label, newest first, as Gmail lists them."""
        token = ""
        while True:
            wanted = "is:unread" if unread else ""
            query = {"labelIds": label, "maxResults": str(page), "pageToken": token, "q": wanted}
            found = self.get("/messages", query)
            yield from (str(each["id"]) for each in found.get("messages") or ())
            token = str(found.get("nextPageToken") or "")
            if not token:
                return

    # labels

    def labels(self) -> dict[str, str]:
        """Names and ids of all labels; names in small letters, because Gmail has no two that differ by case only."""
        found = self.get("/labels").get("labels") or ()
        return {str(each.get("name")).casefold(): str(each.get("id")) for each in found}

    def label(self, name: str) -> str | None:
        """The id of a label; None: there is none."""
        return self.labels().get(name.casefold())

    def create_label(self, name: str) -> str:
        """Make a label; return its id. Safe to repeat."""
        value = {"name": name, "labelListVisibility": "labelShow", "messageListVisibility": "show"}
        try:
            return str(self.post("/labels", value).get("id"))
        except FolderExists as error:  # another process made it just now
            found = self.label(name)
            if found is None:
                raise Unreachable(f"{self.web.host}: {error}") from error
            return found

    def listed(self) -> str:
        """The labels, for the error about a missing one."""
        return f"the labels are {', '.join(list(self.labels())[:MAX_LISTED])}"


def _reason(answer: Answer) -> str:
    """The reason of an error, in the form of the older APIs of Google, which Gmail uses."""
    error = answer.json().get("error")
    errors = error.get("errors") if isinstance(error, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else {}
    return str(first.get("reason") or "") if isinstance(first, dict) else ""
