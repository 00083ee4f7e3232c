"""Guards of the console that are taken out on purpose: the test that protects one has to fail without it.

A guard is taken out when something else is put in the place of one function or value of the product. Then the test that
everybody runs is called; it has to fail at the assertion that is about this guard, and not because something broke.
"""

from __future__ import annotations

import inspect
import logging
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

BROKEN = ("console_failed", "http_intake_failed")
"""Log lines about bugs: what breaks answers 500, which a test refuses too, and for the wrong reason."""


@dataclass(frozen=True, slots=True)
class Guard:
    """A guard, what is put in its place (dotted name → value), and the test that notices.

    `at`: a part of the line on which that test fails. `values`: parameters of the test, others are fixtures.
    """

    name: str
    instead: Mapping[str, Any]
    test: Callable[..., None]
    at: str
    values: Mapping[str, Any] = field(default_factory=dict)


def assert_missed(guard: Guard, request: pytest.FixtureRequest) -> None:
    """Take the guard out, and see its test fail on the line that is about it."""
    names = inspect.signature(guard.test).parameters
    given = {name: guard.values[name] if name in guard.values else request.getfixturevalue(name) for name in names}
    monkeypatch: pytest.MonkeyPatch = request.getfixturevalue("monkeypatch")
    caplog: pytest.LogCaptureFixture = request.getfixturevalue("caplog")
    for place, value in guard.instead.items():
        monkeypatch.setattr(place, value)
    with caplog.at_level(logging.ERROR), pytest.raises((AssertionError, pytest.fail.Exception)) as failed:
        guard.test(**given)
    lines = [each.line or "" for each in traceback.extract_tb(failed.tb) if "/tests/" in each.filename]
    assert guard.at in lines[-1], f"it failed for another reason: {lines[-1]}\n{failed.value}"
    assert [each.getMessage() for each in caplog.records if each.getMessage() in BROKEN] == []
