"""Hands an exported mail to its data import connection: a file in a directory, or a POST (IV-40).

The file's name is the mail's id, so that a repeated export writes the same file again; a POST carries the
id as `Idempotency-Key`.
"""

from __future__ import annotations

import errno
import os
import urllib.error
import urllib.request
import uuid
from contextlib import suppress
from http.client import HTTPException, InvalidURL
from pathlib import Path
from typing import Any, Final

from shared.config.model import Connection
from shared.contracts.errors import Misconfigured, PostroomError, Unavailable

TIMEOUT_SECONDS: Final = 30
_PASSES: Final = {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EAGAIN}
"""Trouble with a folder that may pass by itself; any other needs a person."""
_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Refuses redirects: a redirected POST becomes a GET without the mail and may send the token to another host."""

    def redirect_request(self, *_: Any) -> None:
        """Return None, so that the redirect is an error that names its status code."""


_OPENER: Final = urllib.request.build_opener(_NoRedirects)


def write(connection: Connection, mail_id: str, document: bytes) -> None:
    """Write durably. Raises `Unavailable`, `Misconfigured`, or `PostroomError` when the connection refuses it."""
    if connection.kind == "directory":
        write_file(connection, f"{mail_id}.xml", document)
    else:
        _post(connection, mail_id, document)


def write_file(connection: Connection, name: str, document: bytes) -> None:
    """Write a file of a directory connection durably. Raises like `write`."""
    if not connection.path:
        raise Misconfigured(f"connection {connection.name}: path is missing")
    folder = Path(connection.path)
    target, partial = folder / name, folder / f".{name}.{uuid.uuid4().hex[:12]}.part"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            file.write(document)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
        _sync(folder)
    except OSError as error:
        with suppress(OSError):
            partial.unlink()
        sentence = f"connection {connection.name}: cannot write to {folder}: {error.strerror}"
        raise (Unavailable if error.errno in _PASSES else PostroomError)(sentence) from error


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _post(connection: Connection, mail_id: str, document: bytes) -> None:
    url = connection.url or ""
    if not url.startswith(("http://", "https://")):
        raise Misconfigured(f"connection {connection.name}: url is missing, or is not http(s)")
    headers = {"Content-Type": "application/xml; charset=utf-8", "Idempotency-Key": mail_id}
    if connection.token:
        headers["Authorization"] = f"Bearer {connection.token.reveal()}"
    request = urllib.request.Request(url, data=document, headers=headers, method="POST")  # noqa: S310 - checked above
    try:
        with _OPENER.open(request, timeout=TIMEOUT_SECONDS):
            return
    except urllib.error.HTTPError as error:
        if error.code == _TOO_MANY or error.code >= _SERVER_ERROR:
            raise Unavailable(f"connection {connection.name}: the server answers {error.code}") from error
        raise PostroomError(f"connection {connection.name}: the server refuses with {error.code}") from error
    except InvalidURL as error:
        raise Misconfigured(f"connection {connection.name}: {error}") from error
    except (OSError, HTTPException) as error:
        raise Unavailable(f"connection {connection.name}: {error}") from error
