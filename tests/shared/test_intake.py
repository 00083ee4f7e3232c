"""Handing mails to intake where queues and store are one file: all of it is durable, or nothing."""

from __future__ import annotations

import pytest

from shared.contracts.errors import Unavailable
from tests.builders import a_mail
from tests.desk import Desk


def test_mails_their_bytes_and_their_count_are_written_together(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def handed_in(_: object) -> None:
        raise Unavailable("the disk is full")

    large = a_mail("x" * 100_000)
    with monkeypatch.context() as patch:
        patch.setattr(desk.app.intake.arrivals, "handed_in", handed_in)
        with pytest.raises(Unavailable):
            desk.hand_in(a_mail(), large)
    db = desk.app.broker.file.connection  # type: ignore[attr-defined]
    assert [db.execute(f"SELECT count(*) FROM {table}").fetchone() for table in ("queue", "blobs")] == [(0,), (0,)]
    desk.hand_in(a_mail(), large)
    desk.work()
    assert [mail["outcome"] for mail in desk.mails()] == ["recorded", "recorded"]


def test_on_one_file_no_message_carries_its_mail(desk: Desk) -> None:
    """It would be written again when the message is taken, and once more as a blob."""
    desk.hand_in(a_mail("x" * 10_000), b"")
    db = desk.app.broker.file.connection  # type: ignore[attr-defined]
    assert db.execute("SELECT length(body) < 100 FROM queue").fetchall() == [(1,), (1,)]
