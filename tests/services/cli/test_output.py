"""What is printed for machines."""

from __future__ import annotations

import json

import pytest

from services.cli.output import emit

TRICKY = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\x9bh\nGr\u00f6\u00dfe"


def test_one_object_is_one_line_whatever_a_reader_takes_for_the_end_of_a_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    emit({"text": TRICKY})
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line) == {"text": TRICKY}
    assert "Gr\u00f6\u00dfe" in line
