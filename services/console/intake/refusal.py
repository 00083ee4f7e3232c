"""Answers of HTTP intake that are not 202: problem details (RFC 9457), which never say what inboxes exist."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from starlette.responses import Response

PROBLEM: Final = "application/problem+json"
UNAVAILABLE_RETRY_SECONDS: Final = 10
"""Seconds after which a client tries again when store or broker do not answer."""


class Refusal(Exception):
    """A request that is not taken: the HTTP status, a sentence for the client's operator, and headers."""

    def __init__(self, status: HTTPStatus, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers = status, detail, dict(headers or {})

    def response(self) -> Response:
        """The answer, with problem details as its body."""
        problem = {"title": self.status.phrase, "status": self.status.value, "detail": self.detail}
        return Response(json.dumps(problem), self.status, self.headers, PROBLEM)


def unauthorised(scheme: str = "Bearer") -> Refusal:
    """401 (RFC 9110, 11.6.1): the same for no token, a wrong one, a revoked one and an inbox that does not exist."""
    return Refusal(
        HTTPStatus.UNAUTHORIZED,
        "the credentials are missing or not valid",
        {"WWW-Authenticate": f'{scheme} realm="postroom"'},
    )


def too_large(most: int) -> Refusal:
    """413: more than `most` bytes. The connection is closed, because its body is not read."""
    return Refusal(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {most} bytes are not taken", {"Connection": "close"}
    )


def too_many(seconds: int) -> Refusal:
    """429 (RFC 6585, 4)."""
    return Refusal(
        HTTPStatus.TOO_MANY_REQUESTS, "more mails than this token may hand in", {"Retry-After": f"{seconds}"}
    )


def unavailable(detail: str, seconds: int = UNAVAILABLE_RETRY_SECONDS) -> Refusal:
    """503: the mail may or may not be stored; the same request again is harmless."""
    return Refusal(HTTPStatus.SERVICE_UNAVAILABLE, detail, {"Retry-After": f"{seconds}"})


def bad_request(detail: str) -> Refusal:
    """400: the request is not what the contract says."""
    return Refusal(HTTPStatus.BAD_REQUEST, detail)
