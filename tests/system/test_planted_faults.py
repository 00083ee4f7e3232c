"""The harness is no better than what it catches: faults planted on purpose, each caught, each by its invariant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from services.queues import QUEUES
from shared.embedded.broker import EmbeddedBroker, EmbeddedConsumer
from shared.runtime.broker import Message
from tests.harness.bench import DEADLINE, Bench, Scene
from tests.harness.ledger import Breach, Effects
from tests.harness.mails import many
from tests.harness.plants import every_row_that_it_settled
from tests.system.test_crash_points import undisturbed

__all__ = ["undisturbed"]
pytestmark = pytest.mark.timeout(1200)
"""Seconds: many runs, and a machine may be busy."""


WITHIN = 60.0
"""Seconds: a planted fault may keep a desk from ever coming to rest, and a machine may be busy."""
OUTGROWN = "stage_failed"
"""Is logged where a handler is broken, and not only wrong: that would be caught too, and prove nothing."""


@dataclass(frozen=True, slots=True)
class Plant:
    """A fault, where a kill lays it bare, and the invariants that it may break.

    `at`: which passages of the boundary are tried, until all of `broken` are. Boundary "": no kill is needed.
    """

    name: str
    boundary: str
    broken: frozenset[str]
    form: str = ""
    at: Sequence[int] = (1, 2, 3, 5, 8, 11)


CAUGHT = (
    Plant("let-go-before-the-relay", "planted", frozenset({"lost"}), at=(2, 3, 1)),
    Plant("ack-before-publish", "planted", frozenset({"lost"}), at=(2, 1, 3, 5)),
    Plant("random-ids", "writer.carried-out", frozenset({"activities"}), "unbatched"),
    Plant("plan-again", "writer.committed", frozenset({"records"}), "unbatched", (3, 4, 5, 2)),
    Plant("outcome-before-effects", "planted", frozenset({"activities"}), "unbatched"),
    Plant("settle-before-commit", "planted", frozenset({"lost"})),
    Plant("half-a-batch", "store.phase", frozenset({"activities"}), "batched"),
    Plant("settled-before-the-last-phase", "planted", frozenset({"lost"}), "batched"),
    Plant("barrier-left-out", "write.history", frozenset({"activities"}), "batched"),
    Plant("error-takes-others-along", "", frozenset({"records"}), "batched"),
    Plant("commit-left-out", "", frozenset({"letters", "conservation"})),
    Plant("relay-drops-what-is-left", "", frozenset({"records", "conservation"})),
    Plant("no-duplicate-check", "", frozenset({"doubled"})),
)


@pytest.mark.parametrize("plant", CAUGHT, ids=lambda plant: plant.name)
def test_a_planted_fault_is_caught_and_without_it_the_same_kills_break_nothing(
    bench: Bench, undisturbed: Effects, plant: Plant
) -> None:
    found, kills = set[str](), list[int]()
    for kill in plant.at if plant.boundary else (0,):
        kills.append(kill)
        found |= {breach.invariant for breach in broken(bench, undisturbed, plant, kill)}
        if plant.broken <= found:
            break
    assert plant.broken <= found
    boundary = plant.boundary if plant.boundary != "planted" else "store.committed"
    without = replace(plant, name="", boundary=boundary)
    assert [breach for kill in kills if kill for breach in broken(bench, undisturbed, without, kill)] == []


def broken(bench: Bench, undisturbed: Effects, plant: Plant, kill: int) -> list[Breach]:
    """Kill at one passage of the boundary, start again, and look; without a boundary one run is all."""
    plants = (plant.name,) if plant.name else ()
    forms = {plant.form: True} if plant.form else {}
    scene: Scene = bench.scene(plants=plants, **forms)
    within = WITHIN if plants else DEADLINE
    if plant.boundary:
        scene.run(f"{plant.boundary}:{kill}", within=within)
    scene.run(within=within)
    found = scene.breaches(undisturbed)
    assert OUTGROWN not in scene.log(), "the plant does not fit the product any more"
    scene.remove()
    return found


def test_a_desk_that_loses_a_plain_mail_is_caught_without_any_kill(bench: Bench) -> None:
    scene = bench.scene(many(3), seeded=False)
    scene.run(until="handed in")
    with scene.app() as app:
        app.broker.file.connection.execute("DELETE FROM queue WHERE seq = 2")  # type: ignore[attr-defined]
    scene.run()
    assert {breach.invariant for breach in scene.breaches()} == {"lost", "conservation"}


@pytest.mark.parametrize("fenced", [True, False])
def test_a_late_settlement_moves_nothing_and_without_fencing_is_caught(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, fenced: bool
) -> None:
    """Downstream would forgive a message that comes twice, so the broker's own promise is looked at."""
    if not fenced:
        monkeypatch.setattr(EmbeddedConsumer, "_still_ours", every_row_that_it_settled)
    sleeper, waker = (EmbeddedBroker(tmp_path, QUEUES, lease_seconds=0.1) for _ in range(2))
    sleeper.declare()
    sleeper._stop.set()  # it renews no lease
    sleeper.publish([Message("cause", "intake", b"")])
    late, early = sleeper.consumer("intake", 1), waker.consumer("intake", 1)
    (behind,), (ahead,) = late.take(1), early.take(5)
    late.settle(behind, [Message("late", "filter", b"")])
    early.settle(ahead, [Message("early", "filter", b"")])
    left = [row[0] for row in waker._rows("SELECT id FROM queue")]
    assert left == (["early"] if fenced else ["late"])
    sleeper.close()
    waker.close()
