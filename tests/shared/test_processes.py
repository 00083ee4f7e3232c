"""Which process holds something: judged only where its number means something."""

from __future__ import annotations

import subprocess
import sys

import pytest

from shared import processes


def test_a_process_that_runs_is_not_gone() -> None:
    assert not processes.is_gone(processes.name())


def test_a_process_that_has_ended_is_gone() -> None:
    code = "from shared import processes; print(processes.name())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert processes.is_gone(done.stdout.strip())


def test_a_number_that_another_process_has_now_is_gone() -> None:
    place, pid, _ = processes.name().rsplit("/", 2)
    assert processes.is_gone(f"{place}/{pid}/1")


@pytest.mark.parametrize("holder", ["another machine/1/1", "1:4711:of an older version", "", "a/b"])
def test_nobody_is_judged_from_elsewhere(holder: str) -> None:
    assert not processes.is_gone(holder)
