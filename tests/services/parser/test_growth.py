"""What a mail costs grows with its size and not faster, whatever its bodies and parts repeat or nest."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from services.parser import mime
from shared.contracts.errors import BoundExceeded
from tests.growth import CONSTRUCTIONS
from tests.growth.bodies import CONSTRUCTIONS as BODIES
from tests.growth.work import steps

ROOT = Path(__file__).resolve().parents[3]
SIZE = 12_000
pytestmark = pytest.mark.usefixtures("every_tag_followed")


@pytest.fixture(scope="module", autouse=True)
def _everything_is_imported() -> None:
    for name in ("html-paragraphs", "tnef-files", "smime-parts", "text-lines", "rtf-words"):
        steps(BODIES[name](1_000))


@pytest.mark.parametrize("name", CONSTRUCTIONS)
def test_a_construction_is_about_as_large_as_asked(name: str) -> None:
    assert 0.6 * 400_000 < len(CONSTRUCTIONS[name](400_000)) < 1.6 * 400_000


@pytest.mark.parametrize("name", BODIES)
def test_twice_the_size_takes_at_most_twice_the_steps(name: str) -> None:
    once, twice = BODIES[name](SIZE), BODIES[name](2 * SIZE)
    with suppress(BoundExceeded):
        mime.read(once)  # compiles the patterns that it uses
    assert steps(twice) < 1.3 * steps(once) * max(2.0, len(twice) / len(once)) + 4_000


@pytest.mark.slow
@pytest.mark.parametrize("name", BODIES)
def test_two_megabytes_are_read_or_refused_within_three_seconds_and_300_megabytes(name: str) -> None:
    """For what libraries in C do, which no count of steps sees: each in a process of its own."""
    command = [sys.executable, "-m", "tests.growth.work", name, "2000000"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    figures = json.loads(done.stdout)
    assert figures["seconds"] < 3
    assert figures["mb"] < 300
