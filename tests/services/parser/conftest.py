"""What several tests of the parser need."""

from __future__ import annotations

import pytest

from services.parser.htmltree import size


@pytest.fixture
def every_tag_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small HTML is judged by counts of its tags: the step from there to following each tag is no growth."""
    monkeypatch.setattr(size, "_FEW_TAGS", 0)
