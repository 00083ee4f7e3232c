"""TLS of one inbox or mail server: whom it trusts, and the certificate with which it identifies itself (TI-05).

The same options hold for every connection that the inbox or mail server makes: to its host, to a mailbox on the web,
to Autodiscover, and to the endpoint that gives its access tokens.
"""

from __future__ import annotations

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from shared.config.model import Inbox, MailServer
from shared.config.values import Secret
from shared.contracts.errors import Misconfigured
from shared.lazy_dataclass import dataclass
from shared.mail_network import certificates
from shared.mail_network.certificates import ClientCertificate
from shared.mail_network.connection import TlsFailed, tls_context

KEY = "client_certificate"


class InvalidTlsFile(TlsFailed):
    """The file of authorities or the client certificate cannot be used. What needs it waits until it can."""


@dataclass(frozen=True, slots=True)
class TlsOptions:
    """`verify` off accepts any server; `ca_file` is trusted in addition to the authorities of the system."""

    verify: bool = True
    ca_file: str | None = None
    client_certificate: Secret | None = None
    passphrase: Secret | None = None

    def context(self) -> ssl.SSLContext:
        """A client context for TLS 1.2 or newer. Raises `InvalidTlsFile`."""
        context = tls_context(verify=self.verify)
        try:
            if self.ca_file is not None:
                certificates.add_authorities(context, Path(self.ca_file))
            if self.client_certificate is not None:
                _identify(context, self.client_certificate, self.passphrase)
        except Misconfigured as error:
            raise InvalidTlsFile(str(error)) from error
        return context


SYSTEM = TlsOptions()
"""The certificates of the system, and no client certificate."""


def tls_options(end: Inbox | MailServer) -> TlsOptions:
    """The options that an inbox or mail server states."""
    return TlsOptions(end.verify_certificate, end.ca_file, end.client_certificate, end.client_certificate_passphrase)


def _identify(context: ssl.SSLContext, secret: Secret, passphrase: Secret | None) -> None:
    password = passphrase.reveal() if passphrase else None
    found = certificates.read(secret.reveal(), KEY, password)
    if found.ends_at < datetime.now(UTC):
        raise Misconfigured(found.ended(KEY))
    with _readable_by_openssl(found) as path:
        try:
            context.load_cert_chain(path, password=password)
        except ssl.SSLError as error:
            raise Misconfigured(f"{KEY} cannot be used: {error.reason or error}") from error


@contextmanager
def _readable_by_openssl(found: ClientCertificate) -> Iterator[str]:
    """A file with certificate and key, because OpenSSL reads files only; in memory where the system can."""
    content = f"{found.private_key}\n{found.chain}".encode()
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("client-certificate"), "wb", buffering=0) as memory:
            memory.write(content)
            yield f"/proc/self/fd/{memory.fileno()}"
    else:
        with tempfile.NamedTemporaryFile() as file:  # only its owner may read it
            file.write(content)
            file.flush()
            yield file.name
