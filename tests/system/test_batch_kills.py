"""A desk is killed behind every single write of a batch, in the process of the test.

`test_crash_points.py` kills processes, at some of many boundaries; here a few mails are met at every write.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from services.schedule.source import ScheduleSource
from tests.desk import NOW
from tests.harness import ledger, neighbours
from tests.harness.batch_plants import BATCH_PLANTS
from tests.harness.ledger import Breach
from tests.harness.neighbours import desk, killed, one_after_the_other, replies, with_others, work_elsewhere
from tests.system import test_clock_kills

FREE = ("notifications", "journal")
"""What depends on which of several mails is first: the limits on automatic mail look at what was sent before."""
LATER = NOW + timedelta(hours=2)
Kills = Callable[[Path, pytest.MonkeyPatch], Iterator[list[Breach]]]
"""Kills behind each write in turn, and says what is wrong once the desk has started again."""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For folders that several tests copy."""
    return tmp_path_factory.mktemp("kills")


@pytest.fixture(scope="module")
def replies_killed(place: Path) -> Kills:
    """Two replies; before the desk starts again, the mail comes that one of them answers.

    It is a record of its own, or an update, but only one of it.
    """
    sent, others = [neighbours.late(), *replies("One")], neighbours.new("Fire")
    ready = with_others(place / "replies", sent, others)
    reply_first = one_after_the_other(place / "reply first", sent, others)
    mail_first = one_after_the_other(place / "mail first", others, sent)

    def run(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[list[Breach]]:
        everything = [*neighbours.earlier(), *sent, *others]
        for data in killed(ready, folder, patch):
            work_elsewhere(data)
            with desk(data) as again:
                again.take_over()
                again.work()
                of_each = [ledger.breaches(again.app, everything, order) for order in (reply_first, mail_first)]
            yield min(([each for each in found if each.invariant not in FREE] for found in of_each), key=len)

    return run


@pytest.fixture(scope="module")
def targets_killed(place: Path) -> Kills:
    """Two records whose targets have passed, with a rule that mails and changes them."""
    sent = neighbours.new("Fire", "Flood")
    with desk(place / "targets") as early:
        early.declare(test_clock_kills.CONFIGURATION)
        early.hand_in(sent)
        early.work()
    with desk(place / "targets", at=LATER) as late:
        ScheduleSource(late.app).once()
    ready = place / "targets"
    with desk(neighbours.copied(ready, place / "targets undisturbed"), at=LATER) as alone:
        alone.work()
        undisturbed = ledger.effects(alone.app.documents)
    assert len(undisturbed["notifications"]) == len(sent) * 2

    def run(folder: Path, patch: pytest.MonkeyPatch) -> Iterator[list[Breach]]:
        for data in killed(ready, folder, patch, at=LATER):
            with desk(data, at=LATER) as again:
                again.take_over()
                again.work()
                yield ledger.breaches(again.app, sent, undisturbed)

    return run


@pytest.mark.parametrize("kills", ["replies_killed", "targets_killed"])
def test_a_kill_behind_any_write_of_a_batch_does_no_harm(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, kills: str
) -> None:
    run: Kills = request.getfixturevalue(kills)
    found = list(run(tmp_path, monkeypatch))
    assert len(found) > 10
    assert [breaches for breaches in found if breaches] == []


@pytest.mark.parametrize(
    ("plant", "kills", "broken"),
    [
        ("phases-in-reverse", "replies_killed", "records"),
        ("no-barrier-before-the-commit", "replies_killed", "records"),
        ("no-barrier-before-effects", "replies_killed", "numbers"),
        ("no-barrier-before-the-outcome", "replies_killed", "activities"),
        ("no-barrier-before-pending-goes", "replies_killed", "records"),
        ("no-barrier-before-the-firing", "targets_killed", "activities"),
        ("no-barrier-before-pending-goes", "targets_killed", "firings"),
    ],
)
def test_a_batch_written_in_another_order_is_caught(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, plant: str, kills: str, broken: str
) -> None:
    run: Kills = request.getfixturevalue(kills)
    BATCH_PLANTS[plant](monkeypatch.setattr)
    assert any(broken in {breach.invariant for breach in found} for found in run(tmp_path, monkeypatch))
