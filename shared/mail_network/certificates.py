"""The certificate with which an application identifies itself: one PEM text with certificate and private key."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime

from shared.contracts.errors import Misconfigured
from shared.lazy_pattern import lazy_compile

_PRIVATE = lazy_compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL)
_PUBLIC = lazy_compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate and its private key, as PEM texts. `ends_at`: the last moment at which it is valid."""

    certificate: str
    private_key: str = field(repr=False)
    ends_at: datetime


def read(pem: str, key: str) -> ClientCertificate:
    """Read the text that a configuration refers to; `key` is the name of the setting, for messages."""
    from cryptography import x509

    text = pem.replace("\\n", "\n")  # in an environment variable
    private, public = _PRIVATE.search(text), _PUBLIC.search(text)
    if private is None or public is None:
        missing = "private key" if private is None else "certificate"
        raise Misconfigured(f"{key} has no {missing}; it takes PEM text with both")
    try:
        certificate = x509.load_pem_x509_certificate(public[0].encode())
    except ValueError as error:
        raise Misconfigured(f"{key} has a certificate that cannot be read") from error
    return ClientCertificate(public[0], private[0], certificate.not_valid_after_utc)
