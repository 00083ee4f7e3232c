"""Certificates for tests: a self-signed one for localhost, and an authority of one's own that issues others."""

from __future__ import annotations

import shutil
import ssl
import subprocess
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from tests.servers.presence import PATIENCE_SECONDS, missing


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files in PEM form. Clients that trust it set SSL_CERT_FILE to `certificate`.

    `clients`: the authority whose client certificates a server requires; None: it requires none.
    """

    certificate: Path
    key: Path
    clients: Path | None = None

    def server_context(self) -> ssl.SSLContext:
        """TLS of a server with this certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, self.key)
        if self.clients is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(cafile=self.clients)
        return context

    @property
    def together(self) -> Path:
        """A file with both."""
        file = self.certificate.with_suffix(".both.pem")
        file.write_bytes(self.key.read_bytes() + self.certificate.read_bytes())
        return file


def make_certificate(folder: Path, name: str = "localhost") -> Certificate:
    """Make one, or skip."""
    openssl = shutil.which("openssl")
    if openssl is None:
        missing("openssl")
    made = Certificate(folder / f"{name}.pem", folder / f"{name}.key")
    command = [
        *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"),
        *("-days", "30", "-subj", f"/CN={name}", "-addext", f"subjectAltName=DNS:{name},IP:127.0.0.1"),
        *("-keyout", str(made.key), "-out", str(made.certificate)),
    ]
    subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_SECONDS)
    return made


class Authority:
    """A certificate authority of one's own, which no system trusts. `certificate`: the file that clients trust."""

    def __init__(self, folder: Path, name: str = "Own CA") -> None:
        self._folder, self._key = folder, ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        builder = _begun(self._name, 30).issuer_name(self._name).public_key(self._key.public_key())
        usage = x509.KeyUsage(
            digital_signature=True,
            key_cert_sign=True,
            crl_sign=True,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            encipher_only=False,
            decipher_only=False,
        )
        extended = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        made = extended.add_extension(usage, critical=True).sign(self._key, hashes.SHA256())
        self.certificate = folder / f"{name.lower().replace(' ', '-')}.pem"
        self.certificate.write_bytes(made.public_bytes(Encoding.PEM))

    def issue(self, name: str, *, days: int = 30, passphrase: str = "") -> Certificate:
        """A certificate for a host or a client of this name, valid for `days` (negative: it has ended)."""
        key, builder = ec.generate_private_key(ec.SECP256R1()), _begun(_named(name), days)
        names: list[x509.GeneralName] = [x509.DNSName(name)]
        if name == "localhost":
            names.append(x509.IPAddress(ip_address("127.0.0.1")))
        with_names = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        made = with_names.issuer_name(self._name).public_key(key.public_key()).sign(self._key, hashes.SHA256())
        issued = Certificate(self._folder / f"{name}.pem", self._folder / f"{name}.key")
        issued.certificate.write_bytes(made.public_bytes(Encoding.PEM))
        encryption: KeySerializationEncryption = NoEncryption()
        if passphrase:
            encryption = BestAvailableEncryption(passphrase.encode())
        issued.key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
        return issued

    def for_server(self, name: str = "localhost") -> Certificate:
        """The certificate of a server that requires one of this authority from its clients."""
        return replace(self.issue(name), clients=self.certificate)


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])


def _begun(subject: x509.Name, days: int) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    begins, ends = now - timedelta(60), now + timedelta(days)
    builder = x509.CertificateBuilder().subject_name(subject).serial_number(x509.random_serial_number())
    return builder.not_valid_before(begins).not_valid_after(ends)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """One for `localhost` that only clients with its file trust."""
    return make_certificate(tmp_path_factory.mktemp("tls"))
