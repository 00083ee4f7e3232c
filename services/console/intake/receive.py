"""The endpoints of HTTP intake: `POST /intake/<inbox>` takes one raw mail and answers 202 when it is durable.

Authentication is a bearer token in the header, so no browser sends it by itself: form tokens and checks of Origin,
which protect the console's pages, do not apply here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from services.console.intake.admission import Admission
from services.console.intake.body import Memory, read_body
from services.console.intake.group_commit import Busy, GroupCommit
from services.console.intake.posted import PostedForms
from services.console.intake.refusal import Refusal, bad_request, unavailable
from shared.contracts.errors import PostroomError
from shared.intake import RawMail
from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile
from shared.runtime.broker import RFC822

if TYPE_CHECKING:
    from starlette.requests import Request

    from shared.app import App

log = logging.getLogger(__name__)

MEDIA_TYPES: Final = (RFC822, "application/octet-stream")
CONFIRM_SECONDS: Final = 60.0
"""Seconds that a request waits for the confirm."""
MAX_MEMORY_BYTES: Final = 256 * 1024 * 1024
"""Bytes of mail that all requests together may hold."""
KEY: Final = lazy_compile(r"[!-~](?:[ -~]{0,253}[!-~])?")
"""An Idempotency-Key: up to 255 printable ASCII characters."""
MAX_ENVELOPE_CHARACTERS: Final = 4_000


@dataclass(frozen=True, slots=True)
class IntakeEndpoint:
    """A path that takes POST, and the method of `Intake` that answers it. `docs/openapi.yaml` is made of these."""

    path: str
    name: str


ENDPOINTS: Final = (
    IntakeEndpoint("/intake/{inbox}", "receive"),
    IntakeEndpoint("/intake/{inbox}/mailgun/mime", "mailgun"),
    IntakeEndpoint("/intake/{inbox}/sendgrid", "sendgrid"),
    IntakeEndpoint("/intake/{inbox}/postmark", "postmark"),
)


class Intake:
    """HTTP intake on an app's broker and store. `routes` belong into one Starlette application, `stop` at its end."""

    def __init__(self, app: App) -> None:
        self.app, self.admission = app, Admission(app)
        self.commits, self.memory = GroupCommit(app.intake.hand_over), Memory(MAX_MEMORY_BYTES)
        self._forms = PostedForms(app, self.admission, self.store)
        self.mailgun, self.sendgrid = self._forms.mailgun, self._forms.sendgrid

    def routes(self) -> list[Route]:
        """Every endpoint."""
        return [Route(each.path, answered(getattr(self, each.name)), methods=["POST"]) for each in ENDPOINTS]

    def stop(self) -> None:
        """Hand over what was read; then nothing more is taken."""
        self.commits.stop()

    async def receive(self, request: Request) -> Response:
        """Take one raw mail."""
        inbox = request.path_params["inbox"]
        admitted = await self.admission.admit(bearer_token(request), inbox)
        _require_media_type(request)
        source_id = idempotency_key(request)
        sender, recipients = _envelope(request)
        with self.memory.share() as share:
            raw = await read_body(request, admitted.max_mail_size, share)
            id_ = await self.store(RawMail(raw, inbox, source_id, sender, recipients, source="http"))
        return JSONResponse({"mail_id": id_}, HTTPStatus.ACCEPTED)

    async def postmark(self, request: Request) -> Response:
        """Take one mail that Postmark posts."""
        return await self._forms.postmark(request, self.memory)

    async def store(self, mail: RawMail) -> str:
        """The id of the mail, when the broker has confirmed it. Raises `Refusal` (503)."""
        try:
            async with asyncio.timeout(CONFIRM_SECONDS):
                return await self.commits.store(mail)
        except Busy:
            raise unavailable("too many mails are being handed in", 1) from None
        except TimeoutError:
            raise unavailable("the broker has not confirmed the mail in time") from None


Handler = Callable[["Request"], Awaitable[Response]]


def answered(handler: Handler) -> Handler:
    """The handler with its refusals as answers. What a dependency says stays in the log."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except Refusal as refusal:
            return _logged(request, refusal).response()
        except PostroomError as error:
            log.warning("http_intake_unavailable", extra={"reason": str(error)})
            return unavailable("store or broker do not answer").response()

    return answer


def _logged(request: Request, refusal: Refusal) -> Refusal:
    known = {"status": refusal.status.value, "inbox": request.path_params["inbox"][:200], "reason": refusal.detail}
    log.info("http_intake_refused", extra=known)
    return refusal


def bearer_token(request: Request) -> str | None:
    """The token of the Authorization header (RFC 6750, 2.1)."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None


def idempotency_key(request: Request) -> str | None:
    """The client's own key for this mail, with or without the quotes of a structured field (RFC 9651, 3.3.3)."""
    given = request.headers.get("idempotency-key")
    if given is None:
        return None
    key = given[1:-1] if len(given) > 1 and given[0] == given[-1] == '"' else given
    if not KEY.fullmatch(key):
        raise bad_request("Idempotency-Key has to be 1 to 255 printable ASCII characters")
    return key


def _require_media_type(request: Request) -> None:
    given = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if given not in MEDIA_TYPES:
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, f"the mail is sent as it is, as {RFC822}")


def _envelope(request: Request) -> tuple[str | None, tuple[str, ...]]:
    """Sender and recipients of the SMTP dialogue, when the client states them."""
    sender, recipients = request.headers.get("envelope-from"), request.headers.get("envelope-to", "")
    if len(sender or "") + len(recipients) > MAX_ENVELOPE_CHARACTERS:
        raise bad_request("Envelope-From and Envelope-To are too long")
    return sender, tuple(each.strip() for each in recipients.split(",") if each.strip())
