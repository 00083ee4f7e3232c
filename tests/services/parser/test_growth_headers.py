"""Headers, and what is looked for in texts, cost in proportion to their size: 300 constructions of large mails."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.growth.headers import CONSTRUCTIONS
from tests.growth.work import cpu_seconds, steps

ROOT = Path(__file__).resolve().parents[3]
SMALL, LARGE = 32_000, 256_000
LEAST_SECONDS = 0.02
"""What takes less for the small mail counts as this much: no machine measures less without noise."""
ATTEMPTS = 3


pytestmark = pytest.mark.usefixtures("every_tag_followed")


@pytest.fixture(scope="module", autouse=True)
def _everything_is_imported() -> None:
    steps(CONSTRUCTIONS["report-lines"](1_000))
    steps(CONSTRUCTIONS["bad-idna-domains"](1_000))


@pytest.mark.parametrize("name", CONSTRUCTIONS)
def test_twice_the_size_takes_at_most_twice_the_steps(name: str) -> None:
    once, twice = (steps(CONSTRUCTIONS[name](size)) for size in (10_000, 20_000))
    assert twice < 2.3 * once + 3_000


@pytest.mark.slow
@pytest.mark.parametrize("name", CONSTRUCTIONS)
def test_eight_times_the_size_takes_nowhere_near_sixty_four_times_the_processor(name: str) -> None:
    """For what regular expressions and searches do: linear work takes 8 times as long, the best of three counts."""
    small, large = CONSTRUCTIONS[name](SMALL), CONSTRUCTIONS[name](LARGE)
    bound = 24 * max(cpu_seconds(small), LEAST_SECONDS)
    assert any(cpu_seconds(large) < bound for _ in range(ATTEMPTS))


@pytest.mark.slow
@pytest.mark.parametrize("name", CONSTRUCTIONS)
def test_two_megabytes_are_read_or_refused_within_three_seconds_and_300_megabytes(name: str) -> None:
    command = [sys.executable, "-m", "tests.growth.work", name, "2000000"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    figures = json.loads(done.stdout)
    assert figures["seconds"] < 3
    assert figures["mb"] < 300
