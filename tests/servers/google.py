"""A stub of the Gmail API, with the documented shapes and errors (developers.google.com/gmail/api, "Resolve errors").

It lists the newest mails first and only ids, as Gmail does, and does not say which mails a batch changed.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from tests.servers.tls import Certificate
from tests.servers.web import Reply, Request, WebStub

SUPPORT, OTHER = "support@example.com", "board@example.com"
PAGE = 10


@dataclass(slots=True)
class Mail:
    """A mail with its labels."""

    raw: bytes
    labels: set[str]


@dataclass(slots=True)
class Account:
    """A mailbox."""

    mails: dict[str, Mail] = field(default_factory=dict)
    labels: dict[str, str] = field(
        default_factory=lambda: {each: each for each in ("INBOX", "UNREAD", "TRASH", "SENT")}
    )
    sent: list[bytes] = field(default_factory=list)

    def labelled(self, name: str) -> list[bytes]:
        """The mails with a label, by its name, oldest first."""
        return [each.raw for each in self.mails.values() if self.labels.get(name) in each.labels]


def error(status: int, reason: str, message: str = "no") -> Reply:
    """An error of Google in its documented form."""
    first = {"domain": "global", "reason": reason, "message": message}
    return Reply(status, {"error": {"code": status, "message": message, "errors": [first]}})


class GoogleStub(WebStub):
    """One domain with a mailbox `SUPPORT` for which the service account may act, and `OTHER` for which it may not."""

    def __init__(self, certificate: Certificate) -> None:
        super().__init__(certificate)
        self.support = Account()

    def deliver(self, *raws: bytes, read: bool = False, label: str = "INBOX") -> list[str]:
        """Put mails into a label; return their ids."""
        made = []
        for raw in raws:
            labels = {self.support.labels[label]} | (set() if read else {"UNREAD"})
            made.append(f"18f{len(self.support.mails):013x}")
            self.support.mails[made[-1]] = Mail(raw, labels)
        return made

    def answer(self, request: Request) -> Reply:
        """The Gmail API."""
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.valid:
            return error(401, "authError", "Request had invalid authentication credentials.")
        found = re.fullmatch(r"(/upload)?/gmail/v1/users/([^/]+)(/.*)", request.path)
        if not found:
            return error(404, "notFound", "Requested entity was not found.")
        if unquote(found[2]) != SUPPORT:
            return error(403, "forbidden", f"Delegation denied for {unquote(found[2])}")
        for method, pattern, act in _ROUTES:
            if method == request.method and (part := re.fullmatch(pattern, (found[1] or "") + found[3])):
                return act(self, request, *part.groups())
        return error(404, "notFound", "Requested entity was not found.")

    def profile(self, _request: Request) -> Reply:
        """Who it is."""
        return Reply(body={"emailAddress": SUPPORT, "messagesTotal": len(self.support.mails)})

    def list_labels(self, _request: Request) -> Reply:
        """All labels."""
        return Reply(body={"labels": [{"id": id_, "name": name} for name, id_ in self.support.labels.items()]})

    def make_label(self, request: Request) -> Reply:
        """Make a label."""
        name = request.json()["name"]
        if name.casefold() in {each.casefold() for each in self.support.labels}:
            return error(409, "aborted", "Label name exists or conflicts")
        self.support.labels[name] = f"Label_{len(self.support.labels)}"
        return Reply(body={"id": self.support.labels[name], "name": name})

    def list_mails(self, request: Request) -> Reply:
        """A page of ids, newest first."""
        wanted = {request.query["labelIds"]} | ({"UNREAD"} if request.query.get("q") == "is:unread" else set())
        ids = [id_ for id_, each in reversed(self.support.mails.items()) if wanted <= each.labels]
        start, size = int(request.query.get("pageToken") or 0), min(int(request.query["maxResults"]), PAGE)
        body: dict[str, Any] = {"resultSizeEstimate": len(ids)}
        if page := ids[start : start + size]:
            body["messages"] = [{"id": each, "threadId": each} for each in page]
        if start + size < len(ids):
            body["nextPageToken"] = str(start + size)
        return Reply(body=body)

    def get_mail(self, request: Request, id_: str) -> Reply:
        """A mail as it was received."""
        mail = self.support.mails.get(id_)
        if mail is None:
            return error(404, "notFound", "Requested entity was not found.")
        assert request.query["format"] == "raw"
        raw = base64.urlsafe_b64encode(mail.raw).decode().rstrip("=")
        return Reply(body={"id": id_, "labelIds": sorted(mail.labels), "sizeEstimate": len(mail.raw), "raw": raw})

    def batch_modify(self, request: Request) -> Reply:
        """Change labels; ids that do not exist are passed over in silence."""
        asked = json.loads(request.body)
        if len(asked["ids"]) > 1000:
            return error(400, "invalidArgument", "Too many ids")
        for mail in (self.support.mails[each] for each in asked["ids"] if each in self.support.mails):
            mail.labels = (mail.labels | set(asked.get("addLabelIds", ()))) - set(asked.get("removeLabelIds", ()))
        return Reply(204)

    def trash(self, _request: Request, id_: str) -> Reply:
        """Move to the trash."""
        if id_ not in self.support.mails:
            return error(404, "notFound", "Requested entity was not found.")
        self.support.mails[id_].labels = {"TRASH"}
        return Reply(body={"id": id_})

    def send(self, request: Request) -> Reply:
        """Send a mail."""
        if request.headers.get("content-type") != "message/rfc822" or request.query.get("uploadType") != "media":
            return error(400, "badContent", "Media type is not supported.")
        if b"\nTo:" not in b"\n" + request.body:
            return error(400, "invalidArgument", "Recipient address required")
        self.support.sent.append(request.body)
        return Reply(body={"id": "sent", "labelIds": ["SENT"]})


_ROUTES: list[tuple[str, str, Any]] = [
    ("GET", "/profile", GoogleStub.profile),
    ("GET", "/labels", GoogleStub.list_labels),
    ("POST", "/labels", GoogleStub.make_label),
    ("GET", "/messages", GoogleStub.list_mails),
    ("GET", "/messages/([^/]+)", GoogleStub.get_mail),
    ("POST", "/messages/batchModify", GoogleStub.batch_modify),
    ("POST", "/messages/([^/]+)/trash", GoogleStub.trash),
    ("POST", "/upload/messages/send", GoogleStub.send),
]
