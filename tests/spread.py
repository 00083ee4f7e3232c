"""How several processes share the tests of a run (`./test`): the longest first, so that the processes end together.

The tests of a file go to one process, because they share fixtures. Tests of whole desks take up to minutes each: they
are handed out one by one.
"""

from __future__ import annotations

from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

ONE_BY_ONE = "tests/system/"
FIRST = (
    *("tests/system/test_one_mail.py", "tests/system/test_crash_points.py", ONE_BY_ONE),
    *("tests/conformance/", "tests/services/parser/test_growth", "tests/requirements/", "tests/test_docs_"),
)
"""What takes longest, by the start of its path. `testpaths` cannot: pytest drops what lies within another one."""


class Spread(LoadFileScheduling):
    """`--dist loadfile`, but in the order of collection: xdist takes files of many tests first, however short."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)

    def _split_scope(self, nodeid: str) -> str:
        return nodeid if nodeid.startswith(ONE_BY_ONE) else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Spread | None:
    """Whoever asks for another way of spreading gets it."""
    return Spread(config, log) if config.option.dist == "loadfile" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """After pytest has put tests of the same server next to each other."""
    items.sort(key=lambda item: place(item.nodeid))


def place(nodeid: str) -> int:
    return next((place for place, start in enumerate(FIRST) if nodeid.startswith(start)), len(FIRST))
