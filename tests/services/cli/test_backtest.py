"""`postroom backtest`: counted, listed, for people and for machines."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.builders import a_mail
from tests.services.cli.conftest import Run

CHANGED = """
rules:
- name: coffee
  match: {subject: [coffee]}
  action: reject
  reason: not about coffee
"""


@pytest.fixture
def changed(run: Run, tmp_path: Path) -> Path:
    """A changed configuration, and an archive of three mails."""
    for subject in ("Printer", "Coffee is out", "Coffee again"):
        assert run("publish", "-", stdin=a_mail(subject=subject)).code == 0
    assert run("up", "--once").code == 0
    file = tmp_path / "postroom.yaml"
    file.write_text(CHANGED)
    return file


def test_differences_and_counts_are_printed(run: Run, changed: Path) -> None:
    done = run("backtest", changed)
    assert done.code == 0
    assert "Coffee is out" in done.out
    assert "Printer" not in done.out
    assert "2 of 3 mails would differ: 2 in their outcome" in done.out


def test_machines_get_one_object_for_each_difference_and_a_summary(run: Run, changed: Path) -> None:
    *differences, summary = run("backtest", changed, "--json", "--limit", "1").lines
    (one,) = differences
    assert (one["before"]["outcome"], one["after"]["outcome"]) == ("recorded", "rejected")
    assert (summary["mails"], summary["differing"], summary["listed"]) == (3, 2, 1)
    assert summary["outcomes"] == [{"before": "recorded", "after": "rejected", "count": 2}]


def test_the_configuration_in_force_stays_as_it_is(run: Run, changed: Path) -> None:
    before = run("config", "export").out
    assert run("backtest", changed, "--since", "1h", "--inbox", "support").code == 0
    assert run("config", "export").out == before


def test_a_file_with_a_mistake_is_refused(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "wrong.yaml"
    file.write_text("inboxes: [{name: x, protocoll: imap}]")
    refused = run("backtest", file)
    assert refused.code == 1
    assert "protocoll" in refused.err
