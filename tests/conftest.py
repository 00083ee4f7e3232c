"""Fixtures that every test may use; servers are started by their own modules, when a test asks for one."""

from __future__ import annotations

import os
import signal

import pytest

pytest_plugins = [
    "tests.spread",
    "tests.temporary",
    "tests.servers.proxy",
    "tests.servers.tls",
    "tests.servers.microsoft",
    "tests.servers.rabbitmq",
    "tests.servers.mongodb",
    "tests.servers.documents",
    "tests.desk",
    "tests.harness.bench",
    "tests.harness.faulty",
    "tests.harness.remembered",
]

# A shell lets what it starts in the background ignore interrupts, and all that the tests start would ignore them too.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long tests run when asked for."""
    if os.environ.get("POSTROOM_FULL"):
        return
    for item in items:
        if item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="long: POSTROOM_FULL=1 runs it"))
