"""Sequence sets name these mails and no others, in commands that every server reads."""

from __future__ import annotations

import random

import pytest

from services.fetcher.uid_sets import MAX_SET_BYTES, MAX_SET_MAILS, uid_sets


@pytest.mark.parametrize(
    ("uids", "sets"),
    [
        ([], []),
        ([7], [("7", 1)]),
        ([9, 7, 8, 3, 7], [("3,7:9", 4)]),
        (list(range(1, 1002)), [("1:1000", 1000), ("1001", 1)]),
        ([2, *range(4, 1004)], [("2", 1), ("4:1003", 1000)]),
    ],
    ids=["none", "one", "unordered and doubled", "more than one command may have", "a range that does not fit"],
)
def test_uids_become_sets(uids: list[int], sets: list[tuple[str, int]]) -> None:
    assert list(uid_sets(uids)) == sets


def test_sets_are_bounded_and_name_each_uid_once() -> None:
    chance = random.Random(20261127)
    uids = chance.sample(range(1, 1 << 32), 3000) + list(range(100, 2900))
    named: list[int] = []
    for text, mails in uid_sets(uids):
        assert len(text) <= MAX_SET_BYTES
        assert mails <= MAX_SET_MAILS
        ends = [part.split(":") for part in text.split(",")]
        found = [uid for each in ends for uid in range(int(each[0]), int(each[-1]) + 1)]
        assert len(found) == mails
        named += found
    assert sorted(named) == sorted(set(uids))
