"""The endpoints for the forms of Mailgun, SendGrid and Postmark. They answer 200, Mailgun's only code for success.

The body of a signed form has to be read before its signature can be checked. So these forms share memory of their own,
and an inbox that does not exist is answered like a wrong signature, after the same reading.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import time
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from services.console.intake import mail_services
from services.console.intake.admission import Admission
from services.console.intake.body import Memory, read_body
from services.console.intake.forms import Malformed, read_form
from services.console.intake.mail_services import Incomplete, Posted, Unverified
from services.console.intake.refusal import Refusal, bad_request, too_large, unauthorised
from services.operator.permissions.intake_tokens import DEFAULT_RATE
from shared.config.values import Secret
from shared.intake import RawMail
from shared.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from shared.app import App

FORM_FACTOR: Final = 3
"""A form may be this many times as large as a mail: URL-encoded, or with the mail's parts beside it."""
FORM_EXTRA_BYTES: Final = 1024 * 1024
MAX_FORM_MEMORY_BYTES: Final = 256 * 1024 * 1024
"""Bytes of signed forms that all requests together may hold."""
FORGET_SECONDS: Final = 600.0


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of a service and an inbox. `key` None: the inbox or its key does not exist."""

    key: str | None
    max_mail_size: int

    @property
    def max_form_size(self) -> int:
        """Bytes of a form."""
        return FORM_FACTOR * self.max_mail_size + FORM_EXTRA_BYTES


Check = Callable[[Request, bytes, str], Posted]
"""The mail in a request with this body, by this key. Raises `Unverified`, `Incomplete`, `Malformed`."""


class PostedForms:
    """Takes the forms of mail services. `store` makes a mail durable and returns its id."""

    def __init__(self, app: App, admission: Admission, store: Callable[[RawMail], Awaitable[str]]) -> None:
        self._app, self._admission, self._store = app, admission, store
        self.memory, self._forget_at = Memory(MAX_FORM_MEMORY_BYTES), 0.0

    async def mailgun(self, request: Request) -> Response:
        """A route of Mailgun that forwards raw mail."""
        return await self._signed(request, "mailgun", _mailgun)

    async def sendgrid(self, request: Request) -> Response:
        """SendGrid's Inbound Parse with raw mail."""
        return await self._signed(request, "sendgrid", _sendgrid)

    async def postmark(self, request: Request, memory: Memory) -> Response:
        """Postmark's inbound webhook. Never 403: after that code Postmark does not try again."""
        inbox = request.path_params["inbox"]
        try:
            admitted = await self._admission.admit(basic_password(request), inbox, "Basic")
        except Refusal as refusal:
            raise (unauthorised("Basic") if refusal.status == HTTPStatus.FORBIDDEN else refusal) from None
        known = _Known("", admitted.max_mail_size)
        with memory.share() as share:
            body = await read_body(request, known.max_form_size, share)
            posted = await run_in_threadpool(_complete, lambda: mail_services.from_postmark(body))
            return await self._take(inbox, posted, known)

    async def _signed(self, request: Request, service: str, check: Check) -> Response:
        inbox = request.path_params["inbox"]
        known = await run_in_threadpool(self._look, inbox, service)
        with self.memory.share() as share:
            body = await read_body(request, known.max_form_size, share, ahead=False)
            if known.key is None:
                raise unauthorised("Signature")
            key = known.key
            posted = await run_in_threadpool(_complete, lambda: check(request, body, key))
            if posted.once is not None:
                await run_in_threadpool(self._require_first, posted.once, posted.raw)
            self._admission.count(f"{service}/{inbox}", DEFAULT_RATE)
            return await self._take(inbox, posted, known)

    async def _take(self, inbox: str, posted: Posted, known: _Known) -> Response:
        if len(posted.raw) > known.max_mail_size:
            raise too_large(known.max_mail_size)
        id_ = await self._store(RawMail(posted.raw, inbox, None, posted.sender, posted.recipients, source="http"))
        return JSONResponse({"mail_id": id_})

    def _look(self, inbox: str, service: str) -> _Known:
        """The key of a service. Raises `Misconfigured` when the secret that it refers to is missing."""
        configuration = self._app.directory.current()
        most = configuration.settings.max_mail_size
        found = self._app.intake_keys.get(inbox, service)
        if found is None or configuration.inbox(inbox) is None:
            return _Known(None, most)
        return _Known(Secret(found.key).reveal() if service == "mailgun" else found.key, most)

    def _require_first(self, signature: str, raw: bytes) -> None:
        now = self._app.clock.now()
        if not self._app.intake_keys.belongs_to(signature, hashlib.sha256(raw).hexdigest(), now):
            raise unauthorised("Signature")
        if time.monotonic() >= self._forget_at:
            self._forget_at = time.monotonic() + FORGET_SECONDS
            self._app.intake_keys.forget_signatures(now)


def _complete(read: Callable[[], Posted]) -> Posted:
    """What was posted, or why it is not taken."""
    try:
        return read()
    except Unverified:
        raise unauthorised("Signature") from None
    except (Incomplete, Malformed) as error:
        raise bad_request(str(error)) from None


def _mailgun(request: Request, body: bytes, key: str) -> Posted:
    try:
        fields = read_form(request.headers.get("content-type", ""), body, mail_services.MAILGUN_FIELDS)
    except Malformed:  # nothing proves yet where it comes from
        raise Unverified from None
    return mail_services.from_mailgun(fields, key, time.time())


def _sendgrid(request: Request, body: bytes, key: str) -> Posted:
    mail_services.verify_sendgrid(request.headers, body, key, time.time())
    fields = read_form(request.headers.get("content-type", ""), body, mail_services.SENDGRID_FIELDS)
    return mail_services.from_sendgrid(fields)


def basic_password(request: Request) -> str | None:
    """The password of HTTP Basic authentication (RFC 7617)."""
    scheme, _, given = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        return base64.b64decode(given.strip(), validate=True).decode("utf-8").partition(":")[2]
    except (binascii.Error, ValueError):
        return None
