"""Log lines: one event a line, facts that can be distinguished."""

from __future__ import annotations

import json
import logging

import click
import pytest

from services.cli import logs
from shared.runtime.current_mail import current_mail


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


def test_a_json_line_is_one_object_with_its_facts() -> None:
    record = logging.makeLogRecord({"msg": "decided", "levelname": "INFO", "created": 0.0, "count": 3, "why": "a\nb"})
    line = logs.JsonLines().format(record)
    assert "\n" not in line
    facts = {"at": "1970-01-01T00:00:00.000Z", "level": "INFO", "event": "decided", "count": 3, "why": "a\nb"}
    assert json.loads(line) == facts


def test_what_uvicorn_colours_for_a_terminal_is_left_out() -> None:
    record = logging.makeLogRecord({"msg": "Started", "levelname": "INFO", "created": 0.0, "color_message": "\x1b[36m"})
    assert logs.Lines().format(record) == "1970-01-01T00:00:00.000Z INFO Started"


@pytest.mark.parametrize("form", [logs.Lines, logs.JsonLines])
def test_a_line_names_the_mail_that_is_worked_on(form: type[logging.Formatter]) -> None:
    token = current_mail.set("mail-1")
    try:
        line = form().format(logging.makeLogRecord({"msg": "pattern_timed_out"}))
        named = form().format(logging.makeLogRecord({"msg": "decided", "mail_id": "mail-2"}))
    finally:
        current_mail.reset(token)
    assert "mail-1" in line
    assert "mail-2" in named
    assert "mail-1" not in named


def test_a_json_line_says_what_was_raised_and_where() -> None:
    try:
        raise KeyError("gone")
    except KeyError as error:
        record = logging.makeLogRecord({"msg": "stage_failed", "exc_info": (KeyError, error, error.__traceback__)})
    assert json.loads(logs.JsonLines().format(record))["error"].startswith("KeyError: 'gone' at ")


@pytest.mark.parametrize(("variable", "value"), [(logs.LEVEL, "LOUD"), (logs.FORMAT, "xml")])
def test_an_unknown_level_or_format_is_refused(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(click.UsageError, match=f"{variable} is '{value}'; write one of"):
        logs.start()


def test_a_worker_that_ends_says_so_and_why(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with logs.ending("filter"):
        pass
    with pytest.raises(OSError, match="full"), logs.ending("parser"):
        raise OSError("full")
    found = [(each.message, each.levelname, vars(each)["stage"]) for each in caplog.records]
    assert found == [("worker_ended", "INFO", "filter"), ("worker_ended", "ERROR", "parser")]
