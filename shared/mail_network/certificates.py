"""Client certificates and files of certificate authorities, in PEM form, and what is wrong with one.

A client certificate is one text with the certificate, those of the authorities between it and the root, and the private
key, which may be encrypted (RFC 7468).
"""

from __future__ import annotations

import re
import ssl
from dataclasses import field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from shared.contracts.errors import Misconfigured
from shared.lazy_dataclass import dataclass
from shared.lazy_pattern import lazy_compile

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

_PRIVATE = lazy_compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL)
_PUBLIC = lazy_compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ClientCertificate:
    """A certificate and its private key, as PEM texts. `ends_at`: the last moment at which it is valid.

    `chain`: the certificate and those of its authorities that the text holds. An encrypted key stays encrypted.
    """

    certificate: str
    private_key: str = field(repr=False)
    ends_at: datetime
    chain: str

    def ended(self, key: str) -> str:
        """The sentence about one that is not valid any more."""
        return f"{key} ended on {self.ends_at.date()}; renew it"


def read(pem: str, key: str, passphrase: str | None = None) -> ClientCertificate:
    """Read the text that a configuration refers to; `key` is the name of the setting, for messages.

    Raises `Misconfigured` when certificate or key are missing or cannot be read, or do not belong together.
    """
    text = pem.replace("\\n", "\n")  # in an environment variable
    private, public = _PRIVATE.search(text), _PUBLIC.findall(text)
    if private is None or not public:
        missing = "private key" if private is None else "certificate"
        raise Misconfigured(f"{key} has no {missing}; it takes PEM text with both")
    certificate = _certificate(public[0], key)
    if _public_key(private[0], key, passphrase) != _encoded(certificate.public_key()):
        raise Misconfigured(f"{key}: the private key does not belong to the first certificate of the text")
    return ClientCertificate(public[0], private[0], certificate.not_valid_after_utc, "\n".join(public) + "\n")


def _certificate(pem: str, key: str) -> Certificate:
    from cryptography import x509

    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except ValueError as error:
        raise Misconfigured(f"{key} has a certificate that cannot be read") from error


def _public_key(private: str, key: str, passphrase: str | None) -> bytes:
    """The public half of a private key. `cryptography` raises `TypeError` when a passphrase is missing or too many."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    password = passphrase.encode() if passphrase else None
    try:
        return _encoded(load_pem_private_key(private.encode(), password).public_key())
    except TypeError as error:
        if password is None:
            why = "has an encrypted private key, and its passphrase is missing"
        else:
            why = "has a private key that is not encrypted; remove the passphrase"
        raise Misconfigured(f"{key} {why}") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        wrong = ", or the passphrase is wrong" if password else ""
        raise Misconfigured(f"{key} has a private key that cannot be read{wrong}") from error


def _encoded(public_key: object) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return public_key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined, no-any-return]


def add_authorities(context: ssl.SSLContext, file: Path) -> None:
    """Trust the certificate authorities of a file too. Raises `Misconfigured` when there are none."""
    try:
        context.load_verify_locations(cafile=str(file))
    except ssl.SSLError as error:
        raise Misconfigured(f"ca_file {file} has no certificate in PEM form") from error
    except OSError as error:
        raise Misconfigured(f"ca_file {file} cannot be read: {error.strerror}") from error
