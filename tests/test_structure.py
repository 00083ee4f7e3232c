"""Which module may import which: a stage knows no other stage."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STAGES = sorted(path.parent.name for path in ROOT.glob("services/*/stage.py"))
ALLOWED: dict[str, frozenset[str]] = {"record_writer": frozenset({"services.pipeline.world"})}
"""Manual edits hand their events to the pipeline's readers."""


def imported(file: Path) -> Iterator[str]:
    """The modules that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_imports_another_service(stage: str) -> None:
    files = (ROOT / "services" / stage).rglob("*.py")
    found = {name for file in files for name in imported(file) if name.startswith("services.")}
    others = {name for name in found if name.split(".")[1] != stage}
    assert others == ALLOWED.get(stage, frozenset())


def test_there_are_stages_to_look_at() -> None:
    assert len(STAGES) == 7
