"""A power cut loses the end of the log. From whatever is left of it, nothing is lost and nothing is doubled."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared import processes
from shared.app import Location
from shared.embedded import write_ahead_log
from shared.embedded.file import FILE_NAME
from tests.builders import a_mail
from tests.desk import Desk

HEADER, FRAME = 32, 24
"""Bytes before the first frame of the log, and before the page of each; see "WAL-Mode File Format" of SQLite."""
MAILS = [
    a_mail(
        "It burns.\n", subject="Printer", Message_ID="<1@example.net>", files=(("a.bin", "image/png", b"\0" * 9000),)
    ),
    a_mail("No light.\n", subject="Lamp", Message_ID="<2@example.net>"),
    a_mail("It still burns.\n", subject="Re: Printer", In_Reply_To="<1@example.net>"),
    a_mail("x" * 90_000, subject="Long"),
]


def ends_of_commits(log: bytes) -> Iterator[int]:
    """How many bytes of the log there are behind each commit."""
    (page_size,) = struct.unpack(">I", log[8:12])
    for start in range(HEADER, len(log), FRAME + page_size):
        _, is_commit = struct.unpack(">II", log[start : start + 8])
        if is_commit:
            yield start + FRAME + page_size


def facts(desk: Desk) -> object:
    """What a desk has made of its mails."""
    records = {record["_id"]: record["subject"] for record in desk.records()}
    return (
        sorted((mail["subject"], mail["outcome"]) for mail in desk.mails()),
        sorted((each["serial"], each["subject"]) for each in desk.records()),
        sorted((records[each["record_id"]], each["text"]) for each in desk.store.find("activities", {})),
        len(desk.outbox()),
        desk.dead_letters(),
        desk.app.broker.in_flight(),
    )


@pytest.mark.req("PR-15")
def test_whatever_a_power_cut_leaves_of_the_log_nothing_is_lost_or_doubled(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every commit that was not synced may be missing, with all behind it (decision 0189)."""
    data = tmp_path / "data"
    log = data / f"{FILE_NAME}-wal"
    desk.app.broker.owner = f"{processes.name()}0/of a process that has ended"  # type: ignore[attr-defined]
    monkeypatch.setattr(write_ahead_log, "WORTH_COPYING", 1 << 40)  # the log is one piece from its beginning
    desk.hand_in(*MAILS)
    synced = log.stat().st_size
    desk.work()
    whole, expected = log.read_bytes(), facts(desk)
    left = [end for end in ends_of_commits(whole) if end >= synced]
    assert len(left) > 5
    for number, end in enumerate(left):
        copy = tmp_path / f"cut{number}"
        shutil.copytree(data, copy, ignore=shutil.ignore_patterns("*-shm"))
        (copy / log.name).write_bytes(whole[:end])
        after = Desk(Location(copy))
        after.work()
        assert facts(after) == expected, f"cut behind {end} of {len(whole)} bytes"
        after.close()
