"""Sends by Microsoft Graph (TI-41, NE-20): small mails as MIME in one request, large ones as a draft with uploads.

Graph takes requests of about 4 MB. The draft of a larger mail is made of its MIME form without attachments, so that it
keeps Message-ID, In-Reply-To and References; attachments are added one by one, those of 3 MB and more in pieces by an
upload session, and then the draft is sent. Exchange keeps a copy among the sent items in both cases.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message
from email.policy import compat32
from typing import Any, Final
from urllib.parse import quote

from services.notifier.recipients import named_in_header
from services.notifier.smtp import Deferred, MailRefused, Sent, ServerAccess, Uncertain
from services.notifier.web import uncertain_without_answer
from shared.config.model import MailServer
from shared.contracts.errors import Misconfigured, PostroomError
from shared.lazy_dataclass import dataclass
from shared.mail_network import connection_test
from shared.mail_network.account import account_of
from shared.mail_network.connection import AuthenticationRefused, Unreachable
from shared.mail_network.connection_test import TestResult
from shared.mail_network.graph import GraphClient
from shared.mail_network.tls import tls_options
from shared.mail_network.web import AccessDenied, Content, NotFound, Request, RequestRefused

MAX_IN_ONE_BYTES: Final = 2_900_000
"""Bytes of a mail that is sent in one request: in base64 it stays below the 4 MB that Graph takes."""
UPLOAD_FROM_BYTES: Final = 2_900_000
"""Bytes from which on an attachment is uploaded in pieces."""
PIECE_BYTES: Final = 12 * 320 * 1024
"""Bytes of a piece: a multiple of 320 KiB below 4 MB."""
MAX_ATTACHMENT_BYTES: Final = 150 << 20
_AS_IT_IS: Final = compat32.clone(linesep="\r\n", max_line_length=None)
"""Writes header lines as they were read: a folded Message-ID would break threads."""
_TEMPORARY: Final = frozenset(
    {"ErrorExceededMessageLimit", "ErrorMailboxStoreUnavailable", "ErrorMessageSubmissionBlocked"}
    | {"ErrorQuotaExceeded", "ErrorSendQuotaExceeded", "ErrorServerBusy", "ErrorTooManyObjectsOpened"}
)
"""Graph's codes for what may pass: a limit of the mailbox, a busy server."""


@dataclass(frozen=True, slots=True)
class _Attachment:
    name: str
    type: str
    content: bytes
    content_id: str = ""
    inline: bool = False


def send(
    server: MailServer, message: bytes, sender: str, recipients: Sequence[str], *, access: ServerAccess | None = None
) -> Sent:
    """Send `message` (RFC 5322 bytes) to `recipients`. Raises the errors of `smtp.send`.

    Graph takes the whole mail or refuses it; a recipient that does not exist comes back as a bounce.
    """
    client = _client(server, sender, access)
    whole = named_in_header(message, recipients)
    try:
        if len(whole) <= MAX_IN_ONE_BYTES:
            with _submission():
                client.send("POST", "/sendMail", content=Content(b64encode(whole), "text/plain"))
        else:
            _send_as_draft(client, whole)
    finally:
        client.web.close()
    return Sent(tuple(recipients))


def check(server: MailServer, *, access: ServerAccess | None = None) -> TestResult:
    """Test URL, name, TLS, login, and the right to send, with a mail to nobody, which Graph refuses."""

    def checked() -> tuple[str, ...]:
        client = _client(server, server.from_address or "", access)
        nobody = {"message": {"subject": "", "toRecipients": []}, "saveToSentItems": False}
        try:
            client.post("/sendMail", nobody)
        except RequestRefused as error:
            if error.status != 400:
                raise Unreachable(str(error)) from error
        finally:
            client.web.close()
        return ()

    return connection_test.tested(checked, lambda: datetime.now(UTC))


def _client(server: MailServer, sender: str, access: ServerAccess | None) -> GraphClient:
    tokens = access.credentials.tokens if access and access.credentials else None
    user = account_of(server, sender)
    if tokens is None or not user:
        raise Misconfigured(f"mail server {server.name}: graph needs oauth, and user_id, username or from_address")
    seconds = server.timeout.total_seconds()
    return GraphClient(server.oauth, user, tokens, tls=tls_options(server), seconds=seconds)


@contextmanager
def _submission() -> Iterator[None]:
    """Turn errors of the request that sends into those of a delivery."""
    with uncertain_without_answer(), _preparation():
        yield


@contextmanager
def _preparation() -> Iterator[None]:
    """Turn errors into those of a delivery, for requests after which nothing was sent yet."""
    try:
        yield
    except AccessDenied as error:
        if error.code == "ErrorSendAsDenied":
            raise MailRefused(f"550 5.7.60 this mailbox may not send as this sender: {error}") from error
        raise AuthenticationRefused(str(error)) from error  # a new role takes hours: the mail waits
    except RequestRefused as error:
        raise (Deferred if error.code in _TEMPORARY else MailRefused)(str(error)) from error
    except NotFound as error:
        raise Deferred(f"the draft is gone: {error}") from error


# large mails


def _send_as_draft(client: GraphClient, whole: bytes) -> None:
    base, attachments = _taken_apart(whole)
    if len(base) > MAX_IN_ONE_BYTES:
        raise MailRefused(f"552 5.3.4 the text alone has {len(base)} bytes, and Graph takes {MAX_IN_ONE_BYTES}")
    if (largest := max((len(each.content) for each in attachments), default=0)) > MAX_ATTACHMENT_BYTES:
        raise MailRefused(f"552 5.3.4 an attachment has {largest} bytes, and Graph takes {MAX_ATTACHMENT_BYTES}")
    with _preparation():
        made = client.send("POST", "/messages", content=Content(b64encode(base), "text/plain")).json()
        draft = f"/messages/{quote(str(made.get('id')), safe='')}"
    try:
        with _preparation():
            for each in attachments:
                _attach(client, draft, each)
        with _submission():
            client.send("POST", f"{draft}/send")
    except Uncertain:
        raise
    except PostroomError:
        with suppress(PostroomError):  # else it stays among the drafts
            client.send("DELETE", draft)
        raise


def _attach(client: GraphClient, draft: str, attachment: _Attachment) -> None:
    about = {"name": attachment.name, "contentType": attachment.type, "isInline": attachment.inline}
    if attachment.content_id:
        about["contentId"] = attachment.content_id
    if len(attachment.content) < UPLOAD_FROM_BYTES:
        content = b64encode(attachment.content).decode()
        client.post(
            f"{draft}/attachments",
            {"@odata.type": "#microsoft.graph.fileAttachment", "contentBytes": content, **about},
        )
        return
    item: dict[str, Any] = {"attachmentType": "file", "size": len(attachment.content), **about}
    session = client.post(f"{draft}/attachments/createUploadSession", {"AttachmentItem": item})
    _upload(client, str(session.get("uploadUrl")), attachment.content)


def _upload(client: GraphClient, url: str, content: bytes) -> None:
    """Send the pieces in order. The address has its own authorization and takes no token."""
    for start in range(0, len(content), PIECE_BYTES):
        piece = content[start : start + PIECE_BYTES]
        span = f"bytes {start}-{start + len(piece) - 1}/{len(content)}"
        sent = Content(piece, "application/octet-stream")
        answer = client.web.request(Request("PUT", url, sent, {"Content-Range": span}, with_token=False))
        if answer.status >= 300:
            raise client.error(answer)


def _taken_apart(whole: bytes) -> tuple[bytes, list[_Attachment]]:
    """The mail without its attachments, and these. Only what lies directly in multipart/mixed is an attachment."""
    mail = message_from_bytes(whole, policy=_AS_IT_IS)
    if mail.get_content_type() != "multipart/mixed":
        return whole, []
    parts = [each for each in mail.get_payload() if isinstance(each, Message)]
    attached = [each for each in parts if each.get_content_disposition() == "attachment"]
    mail.set_payload([each for each in parts if each not in attached])
    return mail.as_bytes(), [_attachment(each, number) for number, each in enumerate(attached, 1)]


def _attachment(part: Message, number: int) -> _Attachment:
    if part.get_content_type() == "message/rfc822":
        content = b"".join(each.as_bytes() for each in part.get_payload() if isinstance(each, Message))
    else:
        decoded = part.get_payload(decode=True)
        content = decoded if isinstance(decoded, bytes) else b""
    name = part.get_filename() or f"attachment-{number}"
    return _Attachment(name, part.get_content_type(), content, str(part.get("Content-ID") or "").strip("<> "))
