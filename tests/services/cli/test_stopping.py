"""What a signal does to a run."""

from __future__ import annotations

import os
import signal

import pytest

from services.cli.up import stopping
from tests.servers.presence import PATIENCE_SECONDS


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_run_whatever_its_main_thread_holds(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stopping() as stop:
        with stop._cond:  # type: ignore[attr-defined]  # as in the middle of stop.wait()
            os.kill(os.getpid(), number)
            assert not stop._flag  # type: ignore[attr-defined]
        assert stop.wait(PATIENCE_SECONDS)
    assert signal.getsignal(number) == before


def test_a_run_that_ends_by_itself_was_not_stopped() -> None:
    with stopping() as stop:
        pass
    assert not stop.is_set()
