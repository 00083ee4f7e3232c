"""What several tests of the parser need."""

from __future__ import annotations

import pytest

from services.parser.htmltree import size


@pytest.fixture
def every_tag_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Follow every tag of small HTML too, which counts of tags are enough for: the step between both is not growth."""
    monkeypatch.setattr(size, "_FEW_TAGS", 0)
