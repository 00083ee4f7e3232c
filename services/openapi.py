"""The contract of HTTP intake as an OpenAPI 3.1 document, made from the code that implements it.

`python -m services.openapi` prints what `docs/openapi.yaml` holds; a test compares. Separate from the endpoints,
because serving needs none of it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

import yaml

from services.console.intake.mail_services import SIGNATURE_HEADER
from services.console.intake.receive import ENDPOINTS, KEY, MAX_ENVELOPE_CHARACTERS, MEDIA_TYPES
from services.operator.permissions.intake_tokens import DEFAULT_RATE
from shared.config.model import Settings
from shared.contracts import codec

Json = dict[str, Any]
BASE: Final = Path(__file__).with_name("openapi_base.yaml")
"""The parts that depend on no code: introduction, servers, schemas."""
REASONS: Final = {
    400: "A header or the body is not as described here.",
    401: "The credentials are missing, wrong or revoked, or the inbox does not exist.",
    403: "The token is not for this address.",
    404: "The inbox of this token does not exist any more.",
    408: "The body came too slowly.",
    413: "The mail is larger than `settings.max_mail_size`; a declared length is refused before the body is read.",
    415: "The media type, or a Content-Encoding, is not supported.",
    429: f"The token has handed in more mails than its rate (`token add --rate`, {DEFAULT_RATE} a minute).",
    503: "Store or broker do not answer, or too many mails are being handed in. The same request later is harmless.",
}
"""Status → the reason. 429 and 503 have Retry-After."""
RETRIED: Final = frozenset({429, 503})


def document() -> Json:
    """The whole document."""
    base = yaml.safe_load(BASE.read_text("utf-8"))
    return {
        **base,
        "info": {**base["info"], "version": f"{codec.VERSION}.0.0"},
        "paths": {each.path: {"post": _OPERATIONS[each.name]()} for each in ENDPOINTS},
        "components": {**base["components"], "responses": {f"{status}": _refusal(status) for status in REASONS}},
    }


def _receive() -> Json:
    most = f"{Settings().max_mail_size} bytes unless `settings.max_mail_size` says otherwise"
    binary = {"schema": {"type": "string", "contentMediaType": MEDIA_TYPES[0], "description": f"At most {most}."}}
    return {
        "operationId": "handInMail",
        "summary": "Hand in one raw mail (RFC 5322), byte for byte as it was received.",
        "security": [{"token": []}],
        "parameters": [
            _inbox(),
            _header(
                "Idempotency-Key",
                "Your own key for this mail, the `source-id` of the queue: the same key, inbox and bytes are one mail.",
                pattern=f"^{KEY.pattern}$",
                maxLength=255,
            ),
            _header("Envelope-From", "MAIL FROM of the SMTP dialogue (RFC 5321).", maxLength=MAX_ENVELOPE_CHARACTERS),
            _header("Envelope-To", "RCPT TO; several are separated by commas.", maxLength=MAX_ENVELOPE_CHARACTERS),
        ],
        "requestBody": {"required": True, "content": dict.fromkeys(MEDIA_TYPES, binary)},
        "responses": {"202": _taken(), **_refusals(*REASONS)},
    }


def _inbox() -> Json:
    schema = {"type": "string"}
    return {"name": "inbox", "in": "path", "required": True, "description": "Name of the inbox.", "schema": schema}


def _header(name: str, description: str, **schema: Any) -> Json:
    return {"name": name, "in": "header", "description": description, "schema": {"type": "string", **schema}}


def _taken() -> Json:
    return {
        "description": "The mail is durable on the intake queue.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Taken"}}},
    }


def _refusals(*statuses: int) -> Json:
    return {f"{status}": {"$ref": f"#/components/responses/{status}"} for status in statuses}


def _refusal(status: int) -> Json:
    answer: Json = {"description": f"{HTTPStatus(status).phrase}. {REASONS[status]}"}
    if status in RETRIED:
        described = {"description": "Seconds until the next try.", "schema": {"type": "integer", "minimum": 1}}
        answer["headers"] = {"Retry-After": described}
    return answer | {"content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}


def _form(service: str, summary: str, security: str | None, media: Sequence[str], field: str) -> Callable[[], Json]:
    """A form of a mail service. Its media types, and the field that has the raw mail."""
    properties = {"type": "object", "required": [field], "properties": {field: {"type": "string"}}}

    def made() -> Json:
        statuses = [status for status in REASONS if status != HTTPStatus.FORBIDDEN]
        return {
            "operationId": f"{service}Form",
            "summary": summary,
            "security": [{security: []}] if security else [],
            "parameters": [_inbox()],
            "requestBody": {"required": True, "content": {each: {"schema": properties} for each in media}},
            "responses": {"200": _taken(), **_refusals(*statuses)},
        }

    return made


FORMS: Final = ("multipart/form-data", "application/x-www-form-urlencoded")
_OPERATIONS: Final[Mapping[str, Callable[[], Json]]] = {
    "receive": _receive,
    "mailgun": _form(
        "mailgun", "A route of Mailgun that forwards raw mail; `signature`, `timestamp` and `token` prove it.",
        None, FORMS, "body-mime",
    ),
    "sendgrid": _form(
        "sendgrid", f"SendGrid's Inbound Parse with raw mail; the header `{SIGNATURE_HEADER}` proves it.",
        None, FORMS, "email",
    ),
    "postmark": _form(
        "postmark", "Postmark's inbound webhook with raw mail; a token is the password.",
        "password", ["application/json"], "RawEmail",
    ),
}  # fmt: skip
"""Name of an endpoint → what makes its description."""


def rendered() -> str:
    """`docs/openapi.yaml`, as text."""

    class Dumper(yaml.SafeDumper):
        """Nothing is an alias."""

        def ignore_aliases(self, _: object) -> bool:
            return True

    text = yaml.dump(document(), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=110)
    return f"# Made by `python -m services.openapi`; a test keeps it true.\n{text}"


if __name__ == "__main__":
    sys.stdout.write(rendered())
