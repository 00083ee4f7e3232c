"""The longest tests come first, and those of whole desks one by one."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import spread

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("start", [spread.ONE_BY_ONE, *spread.FIRST])
def test_what_is_named_there_exists(start: str) -> None:
    assert list(ROOT.glob(f"{start}*"))


def test_what_takes_longest_comes_first(request: pytest.FixtureRequest) -> None:
    places = [spread.place(item.nodeid) for item in request.session.items]
    assert places == sorted(places)
    assert spread.place("tests/system/test_one_mail.py::test_a") < spread.place("tests/system/test_forms.py::test_a")


@pytest.mark.parametrize(
    ("nodeid", "together"),
    [
        ("tests/system/test_forms.py::test_a[1]", "tests/system/test_forms.py::test_a[1]"),
        ("tests/conformance/test_broker.py::test_a[1]", "tests/conformance/test_broker.py"),
    ],
)
def test_a_test_of_a_whole_desk_goes_alone_and_others_by_file(nodeid: str, together: str) -> None:
    assert spread.Spread.__new__(spread.Spread)._split_scope(nodeid) == together
