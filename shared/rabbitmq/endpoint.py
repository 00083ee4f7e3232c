"""The address of the RabbitMQ broker, and its errors as clear sentences.

Reads an AMQP URL; emits connection settings for kombu and for pika, and one clear sentence per kind of
failure that names host and port and never the password. Separate, because both libraries must agree on
user, vhost and TLS, and each reads a URL in its own way.
"""

from __future__ import annotations

import logging
import socket
import ssl
from dataclasses import field
from urllib.parse import parse_qsl, unquote, urlsplit

import amqp
import kombu
import pika
from pika import exceptions as pika_errors
from pika.adapters.utils.connection_workflow import AMQPConnectorStackTimeout

from shared.contracts.errors import Misconfigured, PostroomError, Unavailable
from shared.lazy_dataclass import dataclass

_PORTS = {"amqp": 5672, "amqps": 5671}
_NAME = {"connection_name": "postroom"}
_FILES = frozenset({"cacertfile", "certfile", "keyfile"})
_KEEPALIVE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3}
LIBRARY_LOGGERS = ("pika", "amqp", "kombu")
"""Loggers of the libraries: at INFO and below they show frames and connection parameters."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One broker. `ca_file` replaces the system's certificate authorities for `amqps`.

    `certificate_file`, `key_file`: the client certificate, for a broker that requires one. All are PEM files.
    """

    host: str
    port: int
    vhost: str
    user: str
    password: str = field(repr=False)
    tls: bool = False
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None

    @classmethod
    def parse(cls, url: str, ca_file: str | None = None) -> Endpoint:
        """`amqp://user:password@host:port/vhost` (RabbitMQ URI specification); raises Misconfigured.

        Options are those of "URI Query Parameters" that name files: `cacertfile` (instead of `ca_file`), `certfile`,
        `keyfile`. An option that is not known is refused, because it might ask for a connection without a check.
        """
        try:
            parts = urlsplit(url)
            scheme, port = parts.scheme, parts.port
        except ValueError:
            scheme, port = "", None
        if scheme not in _PORTS:
            raise Misconfigured("the broker's URL must look like amqp://user:password@host:5672/vhost (or amqps://)")
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        if unknown := sorted(options.keys() - _FILES):
            raise Misconfigured(f"the broker's URL has the option {unknown[0]}; known are {', '.join(sorted(_FILES))}")
        return cls(
            host=parts.hostname or "localhost",
            port=port or _PORTS[scheme],
            vhost=unquote(parts.path.strip("/")) or "/",
            user=unquote(parts.username or "guest"),
            password=unquote(parts.password if parts.password is not None else "guest"),
            tls=scheme == "amqps",
            ca_file=options.get("cacertfile") or ca_file,
            certificate_file=options.get("certfile"),
            key_file=options.get("keyfile"),
        )

    def __str__(self) -> str:
        """For people and logs."""
        return f"{'amqps' if self.tls else 'amqp'}://{self.user}:***@{self.host}:{self.port}/{self.vhost.strip('/')}"

    def alarm(self, reason: str) -> Unavailable:
        """The error while RabbitMQ blocks publishers. Its own `reason` names memory or disk up to version 3 only."""
        why = f"{reason}; its server is short of memory or disk space: `rabbitmqctl status` lists the alarm"
        return Unavailable(f"RabbitMQ at {self.host}:{self.port} takes no messages now: {why}")

    def tls_context(self) -> ssl.SSLContext:
        """Certificate and host name are verified, always. TLS 1.2 or newer."""
        try:
            context = ssl.create_default_context(cafile=self.ca_file)
        except OSError as error:
            raise Misconfigured(f"the certificate authorities file {self.ca_file} cannot be read: {error}") from error
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self.certificate_file is not None:
            try:
                context.load_cert_chain(self.certificate_file, self.key_file, _no_passphrase)
            except OSError as error:
                files = f"{self.certificate_file} and {self.key_file or 'the key in it'}"
                raise Misconfigured(f"the client certificate of the broker cannot be used: {files}: {error}") from error
        return context

    def for_kombu(self, *, connect_timeout: float, write_timeout: float) -> kombu.Connection:
        """An unconnected kombu connection; cloned by pools."""
        return kombu.Connection(
            hostname=self.host,
            port=self.port,
            virtual_host=self.vhost,
            userid=self.user,
            password=self.password,
            transport="pyamqp",
            connect_timeout=connect_timeout,
            ssl=self._kombu_tls() if self.tls else False,
            transport_options={
                "client_properties": _NAME,
                "write_timeout": write_timeout,
                "socket_settings": {getattr(socket, name): value for name, value in _KEEPALIVE.items()},
            },
        )

    def _kombu_tls(self) -> dict[str, object]:
        self.tls_context()  # which names a file that cannot be used
        return {
            "server_hostname": self.host,
            "ca_certs": self.ca_file,
            "certfile": self.certificate_file,
            "keyfile": self.key_file,
            "cert_reqs": ssl.CERT_REQUIRED,
            "tls_minimum_version": ssl.TLSVersion.TLSv1_2,
        }

    def for_pika(self, *, connect_timeout: float, heartbeat: int) -> pika.ConnectionParameters:
        """Parameters of one attempt; attempts are repeated elsewhere, with jitter."""
        return pika.ConnectionParameters(
            host=self.host,
            port=self.port,
            virtual_host=self.vhost,
            credentials=pika.PlainCredentials(self.user, self.password, erase_on_connect=False),
            heartbeat=heartbeat,
            connection_attempts=1,
            socket_timeout=connect_timeout,
            stack_timeout=connect_timeout,
            client_properties=_NAME,
            ssl_options=pika.SSLOptions(self.tls_context(), self.host) if self.tls else None,
            tcp_options=_KEEPALIVE,
        )

    def explain(self, error: BaseException) -> PostroomError:
        """Translate a library's error: what is wrong, where, and what to do about it."""
        place = f"{self.host}:{self.port}"
        cause = _innermost(error)
        if isinstance(cause, PostroomError):
            return cause
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Misconfigured(f"the certificate of RabbitMQ at {place} is not trusted: {cause.verify_message}")
        if isinstance(cause, ssl.SSLError):
            hint = (
                "the client certificate"
                if self.certificate_file
                else "that it speaks TLS there, and whether it requires a client certificate"
            )
            return Unavailable(f"no TLS with RabbitMQ at {place}: {_short(cause)}; verify {hint}")
        if _code(cause) == _ACCESS_REFUSED and "Login was refused" not in str(cause):
            return Misconfigured(f"RabbitMQ at {place} does not permit this to the user {self.user!r}: {_short(cause)}")
        if isinstance(cause, _REFUSED_LOGIN):
            return Misconfigured(f"RabbitMQ at {place} refuses the user {self.user!r}: wrong name or password")
        if isinstance(cause, _REFUSED_VHOST) or _code(cause) == _NOT_ALLOWED:
            return Misconfigured(f"RabbitMQ at {place} has no virtual host {self.vhost!r} for the user {self.user!r}")
        if isinstance(cause, socket.gaierror):
            return Unavailable(f"the host name of RabbitMQ at {place} cannot be resolved")
        if isinstance(cause, ConnectionRefusedError):
            return Unavailable(f"nothing listens at {place}: RabbitMQ is not running there")
        if isinstance(cause, _TIMEOUTS):
            return Unavailable(f"RabbitMQ at {place} does not answer in time")
        return Unavailable(f"the connection to RabbitMQ at {place} failed: {_short(cause)}")


_ACCESS_REFUSED, _NOT_ALLOWED = 403, 530
_TIMEOUTS = (TimeoutError, AMQPConnectorStackTimeout, pika_errors.ConnectionOpenAborted)
"""Of kombu's socket; of pika while it connects; of pika while it waits for RabbitMQ to open the connection."""
_REFUSED_LOGIN = (
    amqp.AccessRefused,
    pika_errors.AuthenticationError,
    pika_errors.ProbableAuthenticationError,
)
_REFUSED_VHOST = (amqp.NotAllowed, pika_errors.ProbableAccessDeniedError)


def _no_passphrase() -> str:
    """Without it OpenSSL would ask at the terminal for the passphrase of an encrypted key."""
    return ""


def quiet_libraries() -> None:
    """Keep the libraries' own log lines to warnings; Postroom logs the important events itself."""
    for name in LIBRARY_LOGGERS:
        logger = logging.getLogger(name)
        if logger.level == logging.NOTSET:
            logger.setLevel(logging.CRITICAL if name == "pika" else logging.WARNING)


def _innermost(error: BaseException) -> BaseException:
    """Pika wraps the reason of a failed connect in several layers of `exceptions` and `exception`."""
    inner = getattr(error, "exceptions", None) or [getattr(error, "exception", None)]
    last = inner[-1] if isinstance(inner, list | tuple) else None
    if isinstance(last, BaseException) and last is not error:
        return _innermost(last)
    if isinstance(error, pika_errors.AMQPConnectionError) and error.args and isinstance(error.args[-1], BaseException):
        return _innermost(error.args[-1])
    return error


def _code(error: BaseException) -> object:
    """The AMQP reply code, which each library keeps under a name of its own."""
    return getattr(error, "reply_code", None) or getattr(error, "code", None)


def _short(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text[:200]
