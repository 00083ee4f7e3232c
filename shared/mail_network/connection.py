"""Connections to mail servers, incoming and outgoing: TLS, a deadline for each operation, one error for each failure.

A socket time-out alone does not bound an operation: a server that sends one byte a second never times out.
`DeadlineReader` bounds the whole of it. Errors of libraries become ours here, by one table, each with the `Step`
of a connection test at which it happens, so that a test and a poll report the same failure in the same words.
"""

from __future__ import annotations

import io
import ipaddress
import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import StrEnum
from typing import Final

import idna

from shared.contracts.errors import PostroomError, Unavailable
from shared.lazy_pattern import lazy_compile

CONNECT_SECONDS = 15.0
GREETING_SECONDS = 5.0
"""Wait for a greeting before asking whether the server begins with TLS: such a server sends nothing first."""
HANDSHAKE_SECONDS = 8.0
LOOK_SECONDS = 1.0
"""How often a read that waits looks whether its deadline was cancelled."""
_PROBE_SECONDS = 2.0
_WITHOUT_TLS = ("WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE", "UNEXPECTED_EOF")
"""Beginnings of the reasons that OpenSSL gives when the other side does not speak TLS."""
_UNKNOWN_ISSUER = frozenset({18, 19, 20, 21})
"""OpenSSL's codes for a certificate whose authority is not known, from X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT on."""
_NAMES_CERTIFICATE = lazy_compile(r"client.{0,40}certificate", re.IGNORECASE)
_LABEL = lazy_compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)


class Step(StrEnum):
    """The steps of a connection test in order of priority: the first that fails is the one reported (IV-08)."""

    URL = "url"
    NAME = "name"
    CONNECT = "connect"
    TLS = "tls"
    LOGIN = "login"
    INBOX = "inbox-folder"
    ARCHIVE = "archive-folder"
    SEND = "send"
    DONE = "done"


class Refusal(PostroomError):
    """A failure with the step of the connection test that it belongs to."""

    step = Step.CONNECT


class InvalidHost(Refusal, Unavailable):
    """The configured host is neither a host name nor an IP address."""

    step = Step.URL


class Unresolved(Refusal, Unavailable):
    """No address is known for the host name."""

    step = Step.NAME

    def __init__(self, host: str) -> None:
        super().__init__(f"the host name {host!r} cannot be resolved")
        self.host = host


class Unreachable(Refusal, Unavailable):
    """The server does not answer, the connection broke, or the deadline passed."""


class TlsFailed(Refusal, Unavailable):
    """No encrypted connection could be made as configured. It never falls back to clear text."""

    step = Step.TLS


class CleartextRefused(TlsFailed):
    """The server takes no login without encryption, as a web server answers 403 to plain HTTP."""


class NotHttps(CleartextRefused):
    """A web address of a mailbox is not https: no login is sent to it."""


class Throttled(Unreachable):
    """The server limits requests. `retry_after`: seconds that it asks to wait; None: it does not say."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class AuthenticationRefused(Refusal):
    """The server knows the method and refuses the credentials. Counts towards TI-10, unlike `Unavailable`."""

    step = Step.LOGIN


def host_name(host: str | None) -> str:
    """The host as the network wants it (RFC 5890: A-labels), or `InvalidHost`."""
    text = (host or "").strip().rstrip(".")
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        pass
    try:
        ascii_name = text.lower() if text.isascii() else idna.encode(text, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError) as error:
        raise InvalidHost(f"{text!r} is not a host name") from error
    if not text or len(ascii_name) > 253 or not all(_LABEL.fullmatch(label) for label in ascii_name.split(".")):
        raise InvalidHost(f"{text!r} is not a host name")
    return ascii_name


def tls_context(*, verify: bool) -> ssl.SSLContext:
    """A client context for TLS 1.2 or newer (TI-05). `verify` off is a conscious setting of one connection."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def begin_tls(sock: socket.socket, context: ssl.SSLContext, where: tuple[str, int], seconds: float) -> ssl.SSLSocket:
    """Encrypt a new connection (implicit TLS). Raises `TlsFailed` when the server does not begin with TLS."""
    sock.settimeout(min(HANDSHAKE_SECONDS, seconds))
    try:
        return context.wrap_socket(sock, server_hostname=where[0])
    except OSError as error:
        sock.close()
        if isinstance(error, TimeoutError | ConnectionResetError) or _is_without_tls(error):
            raise TlsFailed(
                f"{where[0]}:{where[1]} does not begin with TLS: set tls to starttls, "
                "or use the port for implicit TLS (IMAP 993, POP3 995, SMTP 465)"
            ) from error
        raise


def _is_without_tls(error: OSError) -> bool:
    return isinstance(error, ssl.SSLError) and (error.reason or "").startswith(_WITHOUT_TLS)


def await_greeting(sock: socket.socket, where: tuple[str, int], seconds: float) -> None:
    """Wait a while for the server to speak first. Raises `TlsFailed` when it waits for TLS instead.

    A slow server is left to the deadline of the caller. Closes the socket when it raises.
    """
    sock.settimeout(min(GREETING_SECONDS, seconds))
    try:
        sock.recv(1, socket.MSG_PEEK)
    except TimeoutError:
        if _begins_with_tls(where):
            sock.close()
            raise TlsFailed(
                f"{where[0]}:{where[1]} begins with TLS: set tls to implicit, "
                "or use the port for STARTTLS (IMAP 143, SMTP 587)"
            ) from None
    except OSError:
        sock.close()
        raise


def _begins_with_tls(where: tuple[str, int]) -> bool:
    """Whether a second connection gets a TLS handshake, whatever the certificate."""
    try:
        with socket.create_connection(where, _PROBE_SECONDS) as sock, tls_context(verify=False).wrap_socket(sock):
            return True
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")
    except OSError:
        return False


class Deadline:
    """A moment on the monotonic clock by which the operation under way must end. Any thread may cancel it, once and
    permanently.
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self._at = time.monotonic() + seconds
        self._cancelled = False

    def restart(self, seconds: float) -> None:
        """The next operation has `seconds` from now."""
        self._at = time.monotonic() + seconds

    def cancel(self) -> None:
        """No operation has any time left, neither the one under way nor a later one."""
        self._cancelled = True

    def remaining(self) -> float:
        """Seconds left; `TimeoutError` when there are none."""
        left = self._at - time.monotonic()
        if left <= 0 or self._cancelled:
            raise TimeoutError("the server did not finish in time")
        return left


class DeadlineReader(io.RawIOBase):
    """The reading side of a socket; every read may take what is left until the deadline, not a second more."""

    def __init__(self, sock: socket.socket, deadline: Deadline) -> None:
        super().__init__()
        self._sock, self._deadline = sock, deadline

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]  # typeshed's Buffer is newer
        """Read some bytes, within the deadline."""
        while True:
            self._sock.settimeout(min(self._deadline.remaining(), LOOK_SECONDS))
            with suppress(TimeoutError):  # then there may be time left
                return self._sock.recv_into(buffer)


_REFUSALS: Final = (
    "UNKNOWN_CA",
    "BAD_CERTIFICATE",
    "CERTIFICATE_EXPIRED",
    "CERTIFICATE_REVOKED",
    "CERTIFICATE_UNKNOWN",
)
"""Ends of the reasons that OpenSSL gives when the server refuses our certificate (alerts of RFC 8446, 6.2)."""


def certificate_fault(where: str, error: ssl.SSLCertVerificationError) -> str:
    """What is wrong with the certificate of a server, and for an unknown authority the key that names it."""
    remedy = "; if the server is yours, name its authority in ca_file" if error.verify_code in _UNKNOWN_ISSUER else ""
    return f"the certificate of {where} is not valid: {error.verify_message}{remedy}"


def client_certificate_fault(error: BaseException | None) -> str | None:
    """What a server says of our certificate by an alert of TLS; None for every other error.

    With TLS 1.3 the alert arrives after the handshake, when the first answer is read.
    """
    reason = (error.reason or "") if isinstance(error, ssl.SSLError) else ""
    if reason.endswith("ALERT_CERTIFICATE_REQUIRED"):
        return "requires a client certificate, and none was sent: write client_certificate"
    if "_ALERT_" in reason and reason.endswith(_REFUSALS):
        return f"refuses the client certificate ({reason.partition('_ALERT_')[2].lower().replace('_', ' ')})"
    return None


def names_client_certificate(words: str) -> bool:
    """Whether a server that takes no login or no mail says that a client certificate is missing or unknown to it.

    Dovecot says `Client didn't present valid SSL certificate`, Postfix `No client certificate presented`.
    """
    return _NAMES_CERTIFICATE.search(words) is not None


@contextmanager
def connecting(host: str, port: int) -> Iterator[None]:
    """Turn what sockets and TLS raise into `Unavailable` of the right kind."""
    where = f"{host}:{port}"
    try:
        yield
    except PostroomError:
        raise
    except socket.gaierror as error:
        raise Unresolved(host) from error
    except ssl.SSLCertVerificationError as error:
        raise TlsFailed(certificate_fault(where, error)) from error
    except ssl.SSLError as error:
        if why := client_certificate_fault(error):
            raise TlsFailed(f"{where} {why}") from error
        raise TlsFailed(f"no TLS with {where}: {error.reason or error}") from error
    except TimeoutError as error:
        raise Unreachable(f"{where} did not answer in time") from error
    except OSError as error:
        raise Unreachable(f"{where}: {error.strerror or error}") from error
