"""What a mail costs grows with its size and not faster, whatever it repeats or nests."""

from __future__ import annotations

import pytest

from tests.growth import CONSTRUCTIONS


@pytest.mark.parametrize("name", CONSTRUCTIONS)
def test_a_construction_is_about_as_large_as_asked(name: str) -> None:
    assert 0.6 * 400_000 < len(CONSTRUCTIONS[name](400_000)) < 1.6 * 400_000
