"""The harness is no better than what it catches: faults planted on purpose, each caught, each by its invariant."""

from __future__ import annotations

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


WITHIN = 15.0
"""Seconds: a planted fault may keep a desk from ever coming to rest."""


@dataclass(frozen=True, slots=True)
class Plant:
    """A fault, where a kill lays it bare, and the invariants that it may break."""

    name: str
    boundary: str
    broken: frozenset[str]
    unbatched: bool = False
    batched: bool = False


CAUGHT = (
    Plant("let-go-before-the-relay", "planted", frozenset({"lost"})),
    Plant("ack-before-publish", "planted", frozenset({"lost"})),
    Plant("random-ids", "writer.carried-out", frozenset({"activities"}), unbatched=True),
    Plant("plan-again", "writer.committed", frozenset({"records"}), unbatched=True),
    Plant("outcome-before-effects", "planted", frozenset({"activities"}), unbatched=True),
    Plant("settle-before-commit", "planted", frozenset({"lost"})),
    Plant("half-a-batch", "store.phase", frozenset({"activities"}), batched=True),
    Plant("barrier-left-out", "write.history", frozenset({"activities"}), batched=True),
    Plant("no-duplicate-check", "broker.settling", frozenset({"doubled"})),
)


@pytest.mark.parametrize("plant", CAUGHT, ids=lambda plant: plant.name)
def test_a_planted_fault_is_caught(bench: Bench, undisturbed: Effects, plant: Plant) -> None:
    found = harvest(bench, undisturbed, plant, (plant.name,))
    assert plant.broken <= {breach.invariant for breach in found}


@pytest.mark.parametrize("plant", CAUGHT, ids=lambda plant: plant.name)
def test_without_the_plant_the_same_kills_break_nothing(bench: Bench, undisturbed: Effects, plant: Plant) -> None:
    boundary = plant.boundary if plant.boundary != "planted" else "store.committed"
    assert harvest(bench, undisturbed, replace(plant, boundary=boundary), ()) == []


def harvest(bench: Bench, undisturbed: Effects, plant: Plant, plants: tuple[str, ...]) -> list[Breach]:
    """Kill at some passages of the boundary; everything that was broken by it."""
    found: list[Breach] = []
    for occurrence in (1, 2, 3, 5, 8, 11):
        scene: Scene = bench.scene(unbatched=plant.unbatched, batched=plant.batched, plants=plants)
        scene.run(f"{plant.boundary}:{occurrence}", within=WITHIN if plants else DEADLINE)
        scene.run(within=WITHIN if plants else DEADLINE)
        found += scene.breaches(undisturbed)
        scene.remove()
        if plants and plant.broken <= {breach.invariant for breach in found}:
            break
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
