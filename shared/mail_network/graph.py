"""Microsoft Graph: requests to one mailbox, its folders by path, name or id, and one error for each documented answer.

Reading and sending share it. A mailbox is named in the path (`/users/<address or object id>`), so a shared mailbox is
read like any other, with the rights of the application. Every request asks for immutable ids, which stay the same
when a mail is moved within its mailbox.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote, urlencode

from shared.config.model import OAuth
from shared.contracts.errors import Misconfigured, PostroomError
from shared.mail_network.connection import Refusal, Step, Unreachable
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

IMMUTABLE: Final = {"Prefer": 'IdType="ImmutableId"'}
WELL_KNOWN: Final = frozenset(
    {"archive", "clutter", "conflicts", "conversationhistory", "deleteditems", "drafts", "inbox", "junkemail"}
    | {"localfailures", "msgfolderroot", "outbox", "recoverableitemsdeletions", "scheduled", "searchfolders"}
    | {"sentitems", "serverfailures", "syncissues"}
)
"""Names of folders that mean the same in every language."""
MIN_ID = 60
"""Characters from which on a name without a slash may be the id of a folder."""
MAX_LISTED = 20
_SERVER_ERROR = 500


class MailboxMissing(Refusal, Misconfigured):
    """There is no such mailbox, or it cannot be read by Graph."""

    step = Step.INBOX


class PageExpired(PostroomError):
    """The link to the next page is not valid any more (410): the list begins anew."""


_MAILBOX_MISSING: Final = frozenset(
    {"ErrorInvalidUser", "MailboxNotEnabledForRESTAPI", "MailboxNotSupportedForRESTAPI", "Request_ResourceNotFound"}
    | {"ResourceNotFound", "ErrorNonExistentMailbox"}
)
_NOT_FOUND: Final = frozenset(
    {"ErrorItemNotFound", "ErrorFolderNotFound", "ErrorInvalidIdMalformed", "ErrorObjectNotFound"}
)


class GraphClient:
    """One mailbox at Graph, for one thread."""

    def __init__(
        self, oauth: OAuth | None, user: str, tokens: AccessTokens | None, *, tls: TlsOptions, seconds: float
    ) -> None:
        if oauth is None or tokens is None:
            raise Misconfigured("protocol graph needs oauth: client_id, client_secret and tenant_id")
        self.user = user
        self.root = f"{oauth.endpoint.rstrip('/')}/v1.0/users/{quote(user, safe='@')}"
        self.web = WebClient(oauth.endpoint, tokens, mailbox=user, seconds=seconds, tls=tls)

    def get(self, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any]:
        """A JSON object. `path` begins below the mailbox; a link of a page is a path too."""
        return self.send("GET", path, query=query).json()

    def post(self, path: str, value: Any) -> dict[str, Any]:
        """Send a JSON object, and return the one that comes back."""
        return self.send("POST", path, content=Content.of_json(value)).json()

    def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        content: Content | None = None,
        limit: int = MAX_JSON_BYTES,
        cut: bool = False,
        seconds: float | None = None,
    ) -> Answer:
        """One request, each documented error as an error of its own."""
        url = path if path.startswith(self.root) else self.root + path
        if query:
            url += "?" + urlencode(query, quote_via=quote)
        answer = self.web.request(Request(method, url, content, IMMUTABLE, limit, cut, seconds))
        if answer.status >= 300:
            raise self.error(answer)
        return answer

    def error(self, answer: Answer) -> PostroomError:
        """The error that an answer stands for."""
        error = answer.json().get("error")
        code = str(error.get("code") or "") if isinstance(error, dict) else ""
        words = error_text(answer)
        if answer.status == 403:
            return AccessDenied(
                f"the application may not use the mailbox {self.user} ({words}). Grant it the roles of the page "
                "mailboxes, with the object id of the enterprise application; a new role takes up to two hours",
                code,
            )
        if code in _MAILBOX_MISSING:
            return MailboxMissing(f"there is no mailbox {self.user} that Graph can read ({words})")
        if answer.status == 410:
            return PageExpired(words)
        if code == "ErrorFolderExists":
            return FolderExists(words)
        if code in _NOT_FOUND or answer.status == 404:
            return NotFound(words, code)
        if answer.status >= _SERVER_ERROR or answer.status < 400:
            return ServerFailed(f"{self.web.host}: status {answer.status}, {words}", answer.status)
        return RequestRefused(f"{self.web.host}: {words}", code, answer.status)

    def pages(self, path: str, query: Mapping[str, str]) -> Iterator[dict[str, Any]]:
        """The objects of a list, page by page, as they are asked for. Raises `PageExpired` in the middle."""
        page = self.get(path, query)
        while True:
            yield from page.get("value") or ()
            link = page.get("@odata.nextLink")
            if not link:
                return
            if not str(link).startswith(self.root):
                raise Unreachable(f"{self.web.host}: the next page is at another address")
            page = self.get(str(link))

    # folders

    def folder(self, name: str) -> str | None:
        """The id of a folder that is named by its path, by a well-known name or by its id; None: there is none."""
        if _may_be_id(name) and (found := self._folder_with_id(name)):
            return found
        return self._by_path(name) or (self._folder_with_id(name.lower()) if name.lower() in WELL_KNOWN else None)

    def _folder_with_id(self, name: str) -> str | None:
        try:
            return str(self.get(f"/mailFolders/{quote(name, safe='')}", {"$select": "id"})["id"])
        except (NotFound, KeyError):
            return None

    def _by_path(self, path: str) -> str | None:
        """Follow a path of display names from the root; it may begin with INBOX, whatever the language."""
        names, above = _split(path), None
        if names and names[0].upper() == "INBOX":
            above, names = self._folder_with_id("inbox"), names[1:]
            if above is None:
                return None
        for name in names:
            above = self._child(above, name)
            if above is None:
                return None
        return above

    def _child(self, above: str | None, name: str) -> str | None:
        quoted = name.replace("'", "''")
        query = {"$filter": f"displayName eq '{quoted}'", "$select": "id,displayName", "$top": "50"}
        found = (each for each in self.pages(_children(above), query) if _same(each.get("displayName"), name))
        first = next(found, None)
        return str(first["id"]) if first else None

    def create_folder(self, path: str) -> str:
        """Make a folder, and those above it that are missing; return its id. Safe to repeat."""
        names, above = _split(path), None
        if names and names[0].upper() == "INBOX":
            above, names = self._folder_with_id("inbox"), names[1:]
        for name in names:
            above = self._child(above, name) or self._created(above, name)
        if above is None:
            raise Misconfigured(f"{path!r} is not the path of a folder")
        return above

    def _created(self, above: str | None, name: str) -> str:
        try:
            return str(self.post(_children(above), {"displayName": name})["id"])
        except FolderExists:  # another process made it just now
            found = self._child(above, name)
            if found is None:
                raise Unreachable(f"{self.web.host}: the folder {name} exists and is not listed") from None
            return found

    def listed(self) -> str:
        """The folders at the top, for the error about a missing one."""
        names = [
            str(each.get("displayName"))
            for each in self.get("/mailFolders", {"$select": "displayName"}).get("value", ())
        ]
        return f"the folders at the top are {', '.join(names[:MAX_LISTED])}"


def _children(above: str | None) -> str:
    return f"/mailFolders/{quote(above, safe='')}/childFolders" if above else "/mailFolders"


def _split(path: str) -> Sequence[str]:
    return [name.strip() for name in path.split("/") if name.strip()]


def _same(found: object, name: str) -> bool:
    return isinstance(found, str) and found.casefold() == name.casefold()


def _may_be_id(name: str) -> bool:
    return len(name) >= MIN_ID and "/" not in name and " " not in name
