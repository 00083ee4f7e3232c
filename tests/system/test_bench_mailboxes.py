"""The small form of `python -m bench.mailboxes`: a fetcher process that is killed on the way takes each mail once."""

from __future__ import annotations

import pytest

from bench import mailboxes


@pytest.mark.req("PR-15", "IV-04", "TI-09")
@pytest.mark.parametrize("protocol", ["imap", pytest.param("pop3", marks=pytest.mark.slow)])
def test_a_mailbox_is_taken_in_once_though_the_fetcher_is_killed(protocol: str) -> None:
    found = mailboxes.large(300, 2, seed=7, protocol=protocol)
    assert (found["distinct"], found["left"]) == (300, 0), found
    assert found["ok"]
    assert found["peak_mb"] < 150  # type: ignore[operator]
