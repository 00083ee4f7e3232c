"""HTTP to the services of mail providers: the certificates, the proxies and the deadlines of this machine.

`requests` trusts only its own list of certificates and waits without end. Here the server's certificate may be signed
by whom the system trusts too (`SSL_CERT_FILE` included), TLS is 1.2 or newer, and every request has a time-out. Errors
of the library become ours, with the `Step` of a connection test.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import requests

from shared.mail_network.connection import (
    TlsFailed,
    Unreachable,
    Unresolved,
    certificate_fault,
    client_certificate_fault,
)
from shared.mail_network.tls import SYSTEM, TlsOptions
from shared.mail_network.web import DeadlineAdapter

READ_SECONDS = 30.0


def session(tls: TlsOptions = SYSTEM) -> requests.Session:
    """A session for one thread. It follows proxies of the environment, and no login of a `.netrc` file."""
    made = requests.Session()
    made.mount("https://", DeadlineAdapter(tls, seconds=READ_SECONDS))
    made.verify = tls.verify
    made.auth = _keep_authorization
    return made


def _keep_authorization(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Leave the request as it is: without this, `requests` looks into `.netrc` for a login to send."""
    return request


@contextmanager
def translated_errors(url: str) -> Iterator[None]:
    """Turn what `requests` raises into `Unavailable` of the right kind."""
    parts = urlsplit(url)
    where = parts.netloc or url
    try:
        yield
    except requests.exceptions.SSLError as error:
        reason = _cause(error, ssl.SSLCertVerificationError)
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise TlsFailed(certificate_fault(where, reason)) from error
        fault = client_certificate_fault(_cause(error, ssl.SSLError))
        raise TlsFailed(f"{where} {fault}" if fault else f"no TLS with {where}") from error
    except requests.exceptions.ProxyError as error:
        raise Unreachable(f"{where} cannot be reached through the proxy") from error
    except requests.exceptions.Timeout as error:
        raise Unreachable(f"{where} did not answer in time") from error
    except requests.exceptions.HTTPError as error:
        status = error.response.status_code if error.response is not None else "unknown"
        raise Unreachable(f"{where} answers with the status {status}") from error
    except requests.exceptions.RequestException as error:
        if _cause(error, socket.gaierror) is not None:
            raise Unresolved(parts.hostname or where) from error
        raise Unreachable(f"{where} cannot be reached") from error


def _cause(error: BaseException, kind: type[BaseException]) -> BaseException | None:
    """The error of this kind that is behind another one, or None."""
    seen: set[int] = set()
    waiting: list[Any] = [error]
    while waiting:
        each = waiting.pop()
        if not isinstance(each, BaseException) or id(each) in seen:
            continue
        if isinstance(each, kind):
            return each
        seen.add(id(each))
        waiting += [each.__cause__, each.__context__, getattr(each, "reason", None), *each.args]
    return None
