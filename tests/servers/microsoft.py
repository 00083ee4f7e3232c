"""A stub of Microsoft's token endpoint and of Graph's mail, with the documented shapes and errors.

It is stricter than it needs to be where clients go wrong: ids without `Prefer: IdType="ImmutableId"` change when a mail
is moved, a filter that does not begin with what the order names is refused, an application without the right to a
mailbox gets 403. Documented at learn.microsoft.com/graph (mail API, errors, throttling, immutable ids).
"""

from __future__ import annotations

import base64
import hashlib
import re
from base64 import urlsafe_b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from html import escape
from typing import Any
from urllib.parse import unquote

import pytest

from tests.servers.tls import Certificate
from tests.servers.web import Reply, Request, WebStub

TENANT, CLIENT, SECRET = "11111111-2222-3333-4444-555555555555", "app-1", "s3cret-value"
SUPPORT, OTHER = "support@example.com", "board@example.com"
PAGE = 10
MAX_REQUEST = 4 << 20
BEGIN = datetime(2026, 11, 20, 8, 0, tzinfo=UTC)


@dataclass(slots=True)
class Folder:
    """A mail folder."""

    id: str
    name: str
    parent: str | None = None
    well_known: str = ""


@dataclass(slots=True)
class Message:
    """A mail in a folder."""

    id: str
    folder: str
    raw: bytes
    received: datetime
    read: bool = False


@dataclass(slots=True)
class Account:
    """A mailbox. `sent` has mails as they were sent, with their attachments."""

    folders: dict[str, Folder] = field(default_factory=dict)
    messages: dict[str, Message] = field(default_factory=dict)
    sent: list[bytes] = field(default_factory=list)
    drafts: dict[str, dict[str, Any]] = field(default_factory=dict)
    uploads: dict[str, dict[str, Any]] = field(default_factory=dict)

    def in_folder(self, name: str) -> list[bytes]:
        """The mails of a folder, by its name, in order of arrival."""
        ids = {each.id for each in self.folders.values() if each.name == name}
        found = sorted((each for each in self.messages.values() if each.folder in ids), key=lambda each: each.received)
        return [each.raw for each in found]


def error(status: int, code: str, message: str = "no", **headers: str) -> Reply:
    """An error of Graph in its documented form."""
    inner = {"date": "2026-11-20T08:00:00", "request-id": "0", "client-request-id": "0"}
    body = {"error": {"code": code, "message": message, "innerError": inner}}
    return Reply(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


def throttled(retry_after: str | None = None, status: int = 429) -> Reply:
    """An answer of a server that limits requests."""
    found = error(status, "ApplicationThrottled", "Application is over its MailboxConcurrency limit.")
    return Reply(status, found.body, {"Retry-After": retry_after} if retry_after else {})


class MicrosoftStub(WebStub):
    """One tenant with a mailbox `SUPPORT` that the application may use, and `OTHER` that it may not."""

    def __init__(self, certificate: Certificate) -> None:
        super().__init__(certificate)
        self.accounts = {SUPPORT: _account(), OTHER: _account()}
        self.allowed = {SUPPORT}
        self.issued = 0
        self.secret = SECRET
        self.person, self.codes = "agrees", dict[str, tuple[str, str, str]]()
        self.lifetime = 3600
        self.pending = 0
        self.scopes: list[str] = []
        self._count = 0

    @property
    def support(self) -> Account:
        """The mailbox of most tests."""
        return self.accounts[SUPPORT]

    def deliver(self, *raws: bytes, to: str = SUPPORT, folder: str = "Inbox", read: bool = False) -> list[str]:
        """Put mails into a folder; return their immutable ids."""
        account = self.accounts[to]
        where = next(each.id for each in account.folders.values() if each.name == folder)
        made = []
        for raw in raws:
            self._count += 1
            message = Message(_id(self._count), where, raw, BEGIN + timedelta(seconds=self._count), read)
            account.messages[message.id] = message
            made.append(message.id)
        return made

    def revoke_tokens(self) -> None:
        """No token that was given out is valid any more."""
        self.valid.clear()

    def answer(self, request: Request) -> Reply:
        """Tokens, then Graph."""
        if "/oauth2/" in request.path or "openid-configuration" in request.path:
            return self._login(request)
        if request.path.startswith("/upload/"):
            return self._upload(request)
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.valid:
            return error(401, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.")
        found = re.fullmatch(r"/v1\.0/users/([^/]+)(/.*)?", request.path)
        if not found:
            return error(400, "BadRequest", "Resource not found for the segment.")
        if len(request.body) > MAX_REQUEST:
            return Reply(413, {"error": {"code": "RequestEntityTooLarge", "message": "The maximum request length"}})
        user = unquote(found[1])
        if user not in self.accounts:
            return error(404, "ErrorInvalidUser", f"The requested user '{user}' is invalid.")
        if user not in self.allowed:
            return error(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")
        return self._mail(self.accounts[user], request, found[2] or "/")

    # tokens

    def _login(self, request: Request) -> Reply:
        if "openid-configuration" in request.path:
            tenant = request.path.split("/")[1]
            return Reply(body=_discovered(self.url, tenant))
        if request.path.endswith("/authorize"):
            return self._authorize(request)
        asked = request.form()
        if request.path.endswith("/devicecode"):
            codes = {"user_code": "ABC123", "device_code": "device", "verification_uri": f"{self.url}/device"}
            return Reply(body={**codes, "expires_in": 900, "interval": 0, "message": "sign in"})
        if asked.get("grant_type") == "urn:ietf:params:oauth:grant-type:device_code" and self.pending:
            self.pending -= 1
            return Reply(400, {"error": "authorization_pending", "error_description": "AADSTS70016: pending"})
        if asked.get("grant_type") == "authorization_code" and not self._is_granted(asked):
            return _refused("invalid_grant", 501481, "The Code_Verifier does not match the code_challenge.", 400)
        if asked.get("grant_type") == "refresh_token" and asked.get("refresh_token") != "refresh-1":
            return _refused("invalid_grant", 700082, "The refresh token has expired.", 400)
        self.scopes.append(asked.get("scope", ""))
        if request.path.split("/")[1] != TENANT:
            return _refused("invalid_request", 90002, f"Tenant '{request.path.split('/')[1]}' not found.", 400)
        if asked.get("client_id") != CLIENT:
            return _refused("unauthorized_client", 700016, "Application was not found in the directory.", 400)
        is_person = asked.get("grant_type") != "client_credentials"
        if not is_person and asked.get("client_secret") != self.secret and "client_assertion" not in asked:
            return _refused("invalid_client", 7000215, "Invalid client secret provided.", 401)
        self.issued += 1
        token = f"token-{self.issued}"
        self.valid.add(token)
        more = {"refresh_token": "refresh-1"} if is_person else {}
        return Reply(body={"token_type": "Bearer", "expires_in": self.lifetime, "access_token": token, **more})

    def _authorize(self, request: Request) -> Reply:
        """The page at which a person signs in: it posts the answer at once, as `person` decides."""
        asked = request.query
        if (
            asked["client_id"] != CLIENT
            or asked["response_mode"] != "form_post"
            or not re.fullmatch(r"http://localhost:\d+", asked["redirect_uri"])
        ):
            return _refused("invalid_request", 50011, "The redirect URI does not match.", 400)
        given = {"state": asked["state"]}
        if self.person == "agrees":
            code = f"code-{len(self.codes) + 1}"
            self.codes[code] = (asked["redirect_uri"], asked["code_challenge"], asked["code_challenge_method"])
            given |= {"code": code}
        else:
            given |= {"error": "access_denied", "error_description": "AADSTS65004: User declined to consent."}
        fields = "".join(f'<input name="{name}" value="{escape(value)}">' for name, value in given.items())
        form = f'<form method="post" action="{asked["redirect_uri"]}/">{fields}</form>'
        page = f"<!doctype html>{form}<script>document.forms[0].submit()</script>"
        return Reply(body=page.encode(), headers={"Content-Type": "text/html"})

    def _is_granted(self, asked: Mapping[str, str]) -> bool:
        """Whether the code was given for this redirect address and this verifier (RFC 7636, 4.6); each counts once."""
        given = self.codes.pop(asked.get("code", ""), None)
        digest = hashlib.sha256(asked.get("code_verifier", "").encode()).digest()
        challenge = urlsafe_b64encode(digest).decode().rstrip("=")
        return given == (asked.get("redirect_uri"), challenge, "S256")

    # mail

    def _mail(self, account: Account, request: Request, path: str) -> Reply:
        immutable = 'idtype="immutableid"' in request.headers.get("prefer", "").lower()
        for method, pattern, act in _ROUTES:
            if method == request.method and (found := re.fullmatch(pattern, path)):
                return act(self, account, request, [unquote(each) for each in found.groups()], immutable)
        return error(400, "BadRequest", f"no such segment {path}")

    def list_folders(self, account: Account, request: Request, found: list[str], _immutable: bool) -> Reply:
        """Folders at the top or below one."""
        parent = None
        if found:
            above = _folder(account, found[0])
            if above is None:
                return error(404, "ErrorItemNotFound", "The specified object was not found in the store.")
            parent = above.id
        folders = [each for each in account.folders.values() if each.parent == parent and each.name]
        if wanted := re.fullmatch(r"displayName eq '(.*)'", request.query.get("$filter", "")):
            name = wanted[1].replace("''", "'").casefold()
            folders = [each for each in folders if each.name.casefold() == name]
        return Reply(body={"value": [{"id": each.id, "displayName": each.name} for each in folders]})

    def get_folder(self, account: Account, _request: Request, found: list[str], _immutable: bool) -> Reply:
        """One folder by id or well-known name."""
        folder = _folder(account, found[0])
        if folder is None:
            return error(404, "ErrorItemNotFound", "The specified object was not found in the store.")
        return Reply(body={"id": folder.id, "displayName": folder.name})

    def make_folder(self, account: Account, request: Request, found: list[str], _immutable: bool) -> Reply:
        """Make a folder."""
        parent = found[0] if found else None
        name = request.json()["displayName"]
        if any(each.parent == parent and each.name.casefold() == name.casefold() for each in account.folders.values()):
            return error(409, "ErrorFolderExists", "A folder with the specified name already exists.")
        made = Folder(f"folder-{len(account.folders)}-{'x' * 60}", name, parent)
        account.folders[made.id] = made
        return Reply(201, {"id": made.id, "displayName": name})

    def list_messages(self, account: Account, request: Request, found: list[str], immutable: bool) -> Reply:
        """A page of a folder."""
        folder = _folder(account, found[0])
        if folder is None:
            return error(404, "ErrorItemNotFound", "The specified object was not found in the store.")
        asked, ordered = request.query.get("$filter", ""), request.query.get("$orderby", "")
        if asked and ordered and not asked.startswith(ordered.split()[0]):
            return error(400, "InefficientFilter", "The restriction or sort order is too complex for this operation.")
        mails = sorted(
            (each for each in account.messages.values() if each.folder == folder.id), key=lambda each: each.received
        )
        if "isRead eq false" in asked:
            mails = [each for each in mails if not each.read]
        start, top = int(request.query.get("$skip", 0)), min(int(request.query.get("$top", PAGE)), PAGE)
        body: dict[str, Any] = {
            "value": [{"id": _shown(each, immutable=immutable)} for each in mails[start : start + top]]
        }
        if start + top < len(mails):
            rest = "&".join(f"{name}={value}" for name, value in request.query.items() if name != "$skip")
            body["@odata.nextLink"] = f"{self.url}{request.path}?{rest.replace(' ', '%20')}&$skip={start + top}"
        return Reply(body=body)

    def content(self, account: Account, _request: Request, found: list[str], _immutable: bool) -> Reply:
        """The MIME form of a mail."""
        message = _message(account, found[0])
        return Reply(body=message.raw) if message else _missing()

    def move(self, account: Account, request: Request, found: list[str], immutable: bool) -> Reply:
        """Move a mail."""
        message, target = _message(account, found[0]), _folder(account, request.json()["destinationId"])
        if message is None:
            return _missing()
        if target is None:
            return error(404, "ErrorFolderNotFound", "The specified folder could not be found in the store.")
        message.folder = target.id
        return Reply(201, {"id": _shown(message, immutable=immutable)})

    def patch(self, account: Account, request: Request, found: list[str], _immutable: bool) -> Reply:
        """Mark a mail."""
        message = _message(account, found[0])
        if message is None:
            return _missing()
        message.read = request.json()["isRead"]
        return Reply(body={"id": message.id})

    def delete(self, account: Account, _request: Request, found: list[str], _immutable: bool) -> Reply:
        """Delete a mail or a draft."""
        if found[0] in account.drafts:
            del account.drafts[found[0]]
            return Reply(204)
        message = _message(account, found[0])
        if message is None:
            return _missing()
        message.folder = next(each.id for each in account.folders.values() if each.well_known == "deleteditems")
        return Reply(204)

    # sending

    def send_mail(self, account: Account, request: Request, _found: list[str], _immutable: bool) -> Reply:
        """Send MIME, or refuse it; a mail to nobody in JSON is refused after the right to send was checked."""
        if request.headers.get("content-type") == "application/json":
            asked = request.json()["message"]
            if not asked.get("toRecipients"):
                return error(400, "ErrorInvalidRecipients", "At least one recipient is not valid.")
        raw = _mime(request)
        if raw is None:
            return error(400, "ErrorMimeContentInvalidBase64String", "Invalid base64 string for MIME content.")
        if not any(message_from_bytes(raw)[name] for name in ("To", "Cc", "Bcc")):
            return error(400, "ErrorInvalidRecipients", "At least one recipient is not valid.")
        account.sent.append(raw)
        return Reply(202)

    def make_draft(self, account: Account, request: Request, _found: list[str], _immutable: bool) -> Reply:
        """Make a draft of MIME."""
        raw = _mime(request)
        if raw is None:
            return error(400, "ErrorMimeContentInvalidBase64String", "Invalid base64 string for MIME content.")
        self._count += 1
        account.drafts[f"draft-{self._count}"] = {"raw": raw, "attachments": []}
        return Reply(201, {"id": f"draft-{self._count}", "isDraft": True})

    def attach(self, account: Account, request: Request, found: list[str], _immutable: bool) -> Reply:
        """Attach a small file."""
        value = request.json()
        content = base64.b64decode(value["contentBytes"])
        if len(content) > 3 << 20:
            return Reply(413, {"error": {"code": "RequestEntityTooLarge", "message": "too large"}})
        account.drafts[found[0]]["attachments"].append((value, content))
        return Reply(201, {"id": "attachment"})

    def upload_session(self, account: Account, request: Request, found: list[str], _immutable: bool) -> Reply:
        """Begin the upload of a large file."""
        item = request.json()["AttachmentItem"]
        if item["size"] > 150 << 20:
            return error(400, "ErrorAttachmentSizeLimitExceeded", "The attachment is too large.")
        name = f"session-{len(account.uploads)}"
        account.uploads[name] = {"draft": found[0], "item": item, "content": b""}
        return Reply(201, {"uploadUrl": f"{self.url}/upload/{name}?authtoken=x", "nextExpectedRanges": ["0-"]})

    def _upload(self, request: Request) -> Reply:
        name = request.path.rpartition("/")[2]
        account = next(each for each in self.accounts.values() if name in each.uploads)
        upload = account.uploads[name]
        if "authorization" in request.headers:
            return error(401, "InvalidAuthenticationToken", "the address of an upload takes no token")
        first, last, size = map(
            int, re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", request.headers["content-range"]).groups()
        )
        if first != len(upload["content"]) or len(request.body) != last - first + 1 or len(request.body) > 4 << 20:
            return error(416, "InvalidRange", "the range is not the one expected")
        upload["content"] += request.body
        if len(upload["content"]) < size:
            return Reply(200, {"nextExpectedRanges": [f"{last + 1}-"]})
        account.drafts[upload["draft"]]["attachments"].append((upload["item"], upload["content"]))
        return Reply(201, headers={"Location": "https://outlook.office.com/attachment"})

    def send_draft(self, account: Account, _request: Request, found: list[str], _immutable: bool) -> Reply:
        """Send a draft."""
        draft = account.drafts.pop(found[0], None)
        if draft is None:
            return _missing()
        account.sent.append(draft["raw"])
        account.uploads["sent"] = draft
        return Reply(202)


_FOLDERS, _MESSAGES = r"/mailFolders", r"/messages/([^/]+)"
_ROUTES: list[tuple[str, str, Any]] = [
    ("GET", _FOLDERS, MicrosoftStub.list_folders),
    ("GET", _FOLDERS + r"/([^/]+)/childFolders", MicrosoftStub.list_folders),
    ("GET", _FOLDERS + r"/([^/]+)", MicrosoftStub.get_folder),
    ("POST", _FOLDERS, MicrosoftStub.make_folder),
    ("POST", _FOLDERS + r"/([^/]+)/childFolders", MicrosoftStub.make_folder),
    ("GET", _FOLDERS + r"/([^/]+)/messages", MicrosoftStub.list_messages),
    ("GET", _MESSAGES + r"/\$value", MicrosoftStub.content),
    ("POST", _MESSAGES + "/move", MicrosoftStub.move),
    ("PATCH", _MESSAGES, MicrosoftStub.patch),
    ("DELETE", _MESSAGES, MicrosoftStub.delete),
    ("POST", "/sendMail", MicrosoftStub.send_mail),
    ("POST", "/messages", MicrosoftStub.make_draft),
    ("POST", _MESSAGES + "/attachments", MicrosoftStub.attach),
    ("POST", _MESSAGES + "/attachments/createUploadSession", MicrosoftStub.upload_session),
    ("POST", _MESSAGES + "/send", MicrosoftStub.send_draft),
]


def _account() -> Account:
    names = (("Inbox", "inbox"), ("Deleted Items", "deleteditems"), ("Drafts", "drafts"), ("Sent Items", "sentitems"))
    folders = (Folder(f"{known}-{'i' * 60}", name, None, known) for name, known in names)
    return Account({each.id: each for each in folders})


def _folder(account: Account, name: str) -> Folder | None:
    return next((each for each in account.folders.values() if name in (each.id, each.well_known)), None)


def _message(account: Account, name: str) -> Message | None:
    """By its immutable id; or by the id that changes with the folder."""
    return account.messages.get(name) or next(
        (each for each in account.messages.values() if name == _shown(each, immutable=False)), None
    )


def _shown(message: Message, *, immutable: bool) -> str:
    return message.id if immutable else f"{message.id}.in.{message.folder}"


def _missing() -> Reply:
    return error(404, "ErrorItemNotFound", "The specified object was not found in the store.")


def _mime(request: Request) -> bytes | None:
    if request.headers.get("content-type") != "text/plain":
        return None
    try:
        return base64.b64decode(request.body, validate=True)
    except ValueError:
        return None


def _id(count: int) -> str:
    """Ids that differ in the case of letters only, as immutable ids may."""
    letters = "abcdefghijkl"
    cased = (each.upper() if count >> place & 1 else each for place, each in enumerate(letters))
    return f"AAkALgAAAAAAHYQDEapmEc2byACqAC-EWg0A{''.join(cased)}="


def _discovered(url: str, tenant: str) -> dict[str, str]:
    base = f"{url}/{tenant}"
    return {
        "issuer": f"{base}/v2.0",
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
    }


def _refused(code: str, number: int, message: str, status: int) -> Reply:
    described = f"AADSTS{number}: {message} Trace ID: 0 Correlation ID: 0"
    return Reply(status, {"error": code, "error_description": described, "error_codes": [number]})


@pytest.fixture
def microsoft(certificate: Certificate, monkeypatch: pytest.MonkeyPatch) -> Iterator[MicrosoftStub]:
    """The stub, trusted by this process, with the secret of its application in `GRAPH_SECRET`."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.certificate))
    monkeypatch.setenv("GRAPH_SECRET", SECRET)
    with MicrosoftStub(certificate) as running:
        yield running
