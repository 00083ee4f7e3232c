"""How several processes share the tests of a run (`./test`): the longest first, so that the processes end together.

The tests of a file go to one process, because they share fixtures. Tests of whole desks take up to minutes each: they
are handed out one by one. Tests on RabbitMQ go to few processes, because each process starts nodes of its own, with ten
seconds of processor time each. What takes how long is in `seconds.json`, as measured by a run of its own:

    POSTROOM_TEST_SECONDS=tests/seconds.json ./test
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import pytest
from xdist.scheduler import LoadFileScheduling

ONE_BY_ONE: Final = "tests/system/"
MEASURED: Final[dict[str, int]] = json.loads(Path(__file__).with_name("seconds.json").read_text("utf-8"))
"""Seconds by file, or by test where they go one by one; what is not in it takes less than `LEAST_SECONDS`."""
LEAST_SECONDS: Final = 4
WRITE_TO: Final = "POSTROOM_TEST_SECONDS"
ON_RABBITMQ: Final = re.compile(r"rabbit|\b(3\.10|4\.0)\b")
"""In the name of a test: it asks for a node."""
WITH_NODES: Final = 2
"""As many processes start nodes, as long as there is other work for the others."""


class Spread(LoadFileScheduling):
    """`--dist loadfile`, but in the order of collection: xdist takes files of many tests first, however short."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)
        self._with_nodes = set[object]()

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)

    def _assign_work_unit(self, node: Any) -> None:
        """The first unit of the queue that suits a process; the first one when none does."""
        chosen = next((name for name, tests in self.workqueue.items() if self._suits(node, tests)), None)
        if chosen is not None:
            self.workqueue.move_to_end(chosen, last=False)
        if on_rabbitmq(next(iter(self.workqueue.values()))):
            self._with_nodes.add(node)
        super()._assign_work_unit(node)

    def _suits(self, node: object, tests: Iterable[str]) -> bool:
        return node in self._with_nodes or len(self._with_nodes) < WITH_NODES or not on_rabbitmq(tests)


def unit(nodeid: str) -> str:
    """What goes to a process as a whole: the file of a test, or the test itself."""
    return nodeid if nodeid.startswith(ONE_BY_ONE) else nodeid.partition("::")[0]


def on_rabbitmq(tests: Iterable[str]) -> bool:
    """Whether one of these tests asks for a node."""
    return any(ON_RABBITMQ.search(nodeid) for nodeid in tests)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Spread | None:
    """Whoever asks for another way of spreading gets it."""
    return Spread(config, log) if config.option.dist == "loadfile" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """After pytest has put tests of the same server next to each other."""
    items.sort(key=lambda item: -seconds(item.nodeid))


def seconds(nodeid: str) -> int:
    """How long the unit of this test takes."""
    return MEASURED.get(unit(nodeid), 0)


class Stopwatch:
    """Adds up what each unit takes, and writes a new `seconds.json`."""

    def __init__(self, file: Path) -> None:
        self._file, self._spent = file, Counter[str]()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Set-up, test, and clean-up count."""
        self._spent[unit(report.nodeid)] += report.duration

    def pytest_sessionfinish(self) -> None:
        """The longest first."""
        found = {name: round(spent) for name, spent in self._spent.most_common() if spent >= LEAST_SECONDS}
        self._file.write_text(json.dumps(found, indent=0, ensure_ascii=False) + "\n", "utf-8")


def pytest_configure(config: pytest.Config) -> None:
    """Measure when asked to; the reports of all processes come to the first one."""
    if (file := os.environ.get(WRITE_TO)) and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Stopwatch(Path(file)))
