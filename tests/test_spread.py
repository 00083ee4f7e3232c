"""The longest tests come first, and those of whole desks one by one."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests import spread

ROOT = Path(__file__).parents[1]


def test_what_was_measured_exists() -> None:
    files = {name.split("::")[0] for name in spread.MEASURED}
    assert [name for name in files if not (ROOT / name).is_file()] == []


def test_what_takes_longest_comes_first(request: pytest.FixtureRequest) -> None:
    order = [spread.seconds(item.nodeid) for item in request.session.items]
    assert order == sorted(order, reverse=True)
    assert spread.seconds("tests/conformance/test_broker_faults.py::test_a[1]") > 0
    assert spread.seconds("tests/test_spread.py::test_a") == 0


@pytest.mark.parametrize(
    ("nodeid", "together"),
    [
        ("tests/system/test_forms.py::test_a[1]", "tests/system/test_forms.py::test_a[1]"),
        ("tests/conformance/test_broker.py::test_a[1::2]", "tests/conformance/test_broker.py"),
    ],
)
def test_a_test_of_a_whole_desk_goes_alone_and_others_by_file(nodeid: str, together: str) -> None:
    assert spread.Spread.__new__(spread.Spread)._split_scope(nodeid) == together


class Process:
    """One of those that run tests."""

    def __init__(self) -> None:
        self.places = list[int]()

    def send_runtest_some(self, places: Sequence[int]) -> None:
        self.places += places


def test_tests_on_rabbitmq_go_to_two_processes_while_there_is_other_work() -> None:
    tests = ["a.py::b[3.10]", "b.py::c[4.0-x]", "c.py::d[rabbitmq]", "d.py::a[3]", "test_rabbitmq.py::a"]
    processes = first, second, third = Process(), Process(), Process()
    scheduler = spread.Spread.__new__(spread.Spread)
    scheduler._with_nodes = set()
    scheduler.workqueue = OrderedDict((spread.unit(each), {each: False}) for each in tests)
    scheduler.assigned_work = {each: {} for each in processes}
    scheduler.registered_collections = dict.fromkeys(processes, tests)
    for process in (first, second, third, first, third):
        scheduler._assign_work_unit(process)
    assert [each.places for each in processes] == [[0, 2], [1], [3, 4]]


def test_what_a_run_takes_is_written_down(tmp_path: Path) -> None:
    stopwatch = spread.Stopwatch(tmp_path / "seconds.json")
    for nodeid, duration in [("tests/a.py::a", 3.0), ("tests/a.py::b[1]", 4.4), ("tests/b.py::c", 3.9)]:
        stopwatch.pytest_runtest_logreport(a_report(nodeid, duration))
    stopwatch.pytest_sessionfinish()
    assert json.loads((tmp_path / "seconds.json").read_text()) == {"tests/a.py": 7}


def a_report(nodeid: str, duration: float) -> pytest.TestReport:
    return pytest.TestReport(nodeid, ("", 0, ""), {}, "passed", None, "call", duration=duration)
