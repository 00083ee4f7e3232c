"""What a test says when a server that it needs is not installed, and ports that nobody uses."""

from __future__ import annotations

import os
import socket
from typing import NoReturn

import pytest


def missing(program: str) -> NoReturn:
    """Skip on a laptop, fail in CI: there a test that did not run is a test that failed."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{program} is not installed, and CI=true wants every test to run")
    pytest.skip(f"{program} is not installed")


def free_port() -> int:
    """A port of the loopback interface that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
