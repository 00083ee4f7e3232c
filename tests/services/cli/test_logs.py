"""Log lines: one event a line, facts that can be told apart."""

from __future__ import annotations

import logging

import pytest

from services.cli import logs


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("parser", "parser"),
        (3, "3"),
        ("", '""'),
        ("two words", '"two words"'),
        ('it said "no" to us', '"it said \\"no\\" to us"'),
        ("a\nb\x1b[31m", '"a b\\\\x1b[31m"'),
        ('x"y', '"x\\"y"'),
    ],
)
def test_a_fact_is_one_value_whatever_is_in_it(value: object, shown: str) -> None:
    record = logging.makeLogRecord({"msg": "decided", "levelname": "INFO", "created": 0.0, "reason": value})
    assert logs.Lines().format(record) == f"1970-01-01T00:00:00.000Z INFO decided reason={shown}"


def test_what_the_library_says_of_a_lost_connection_is_said_by_us_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", list(root.handlers))
    before = root.level
    try:
        logs.start()
        assert not logging.getLogger("pika.adapters.utils").isEnabledFor(logging.ERROR)
    finally:
        root.setLevel(before)
        logging.captureWarnings(capture=False)
