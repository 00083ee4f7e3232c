"""A self-signed certificate for localhost, made anew for each test run."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.servers.presence import missing


@dataclass(frozen=True, slots=True)
class Certificate:
    """Files in PEM form. Clients that trust it set SSL_CERT_FILE to `certificate`."""

    certificate: Path
    key: Path


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
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    return made


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    """One for `localhost` that nobody trusts but who is told of it."""
    return make_certificate(tmp_path_factory.mktemp("tls"))
