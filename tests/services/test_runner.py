"""All stages in one process: a part that breaks is not missed in silence."""

from __future__ import annotations

import threading

import pytest

from services import runner
from tests.desk import Desk


class Broken:
    """A fetcher with a bug."""

    def run(self, _: threading.Event) -> None:
        raise ZeroDivisionError("a bug")


def test_a_part_that_breaks_ends_the_process_with_its_error(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "build_fetcher", lambda _: Broken())
    with pytest.raises(ZeroDivisionError, match="a bug"):
        runner.run_all(desk.app, threading.Event())
