"""Killed at every boundary, started again: the desk ends as if nothing had happened.

The embedded store is run three times: as it is, where a batch commits together; with each write durable by itself; and
in phases of many writes, each durable by itself, as batches are on MongoDB. `POSTROOM_FULL=1` kills at every boundary;
otherwise a sample of each kind is taken.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations

import pytest

from shared.runtime.crash_points import BOUNDARIES
from tests.harness import mails
from tests.harness.bench import FORMS, ROOT, Bench, Scene
from tests.harness.ledger import Effects

pytestmark = pytest.mark.timeout(1200)
"""Seconds: many runs, and a machine may be busy."""
FULL = bool(os.environ.get("POSTROOM_FULL"))
REACHED = 0.9
"""How many of the boundaries must be reached again: what the first mails meet differs from run to run."""


def sampled(boundaries: Sequence[str], of_each: int) -> list[str]:
    """Some of each name, first and last among them; all of them when asked for."""
    if FULL:
        return list(boundaries)
    by_name: dict[str, list[str]] = defaultdict(list)
    for each in boundaries:
        by_name[each.split(":")[0]].append(each)
    chosen = [each for group in by_name.values() for each in _spread(group, of_each)]
    return sorted(chosen, key=boundaries.index)


def _spread(group: Sequence[str], count: int) -> Sequence[str]:
    if len(group) <= count:
        return group
    return [group[round(place * (len(group) - 1) / max(1, count - 1))] for place in range(count)]


def killed(scene: Scene, *crashes: str) -> int:
    """Kill at each of these in turn, then let it work until quiet; how many were reached."""
    reached = sum(scene.run(crash) == -signal.SIGKILL for crash in crashes)
    assert scene.run() == 0
    return reached


def survives(bench: Bench, undisturbed: Effects, crashes: Sequence[Sequence[str]], **keys: object) -> None:
    """Each of these crashes, on a desk of its own, does no harm.

    One that was not reached is tried again at an earlier time: a busy machine forms smaller groups of mails, and the
    last of many boundaries that it counted is not met by a run that forms larger ones.
    """
    harmed, reached = {}, 0
    for crash in crashes:
        for tried in (crash, [earlier(each) for each in crash]):
            scene = bench.scene(**keys)  # type: ignore[arg-type]
            met = killed(scene, *tried)
            if found := scene.breaches(undisturbed):
                harmed[tuple(tried)] = found
            scene.remove()
            if met == len(tried):
                break
        reached += met
    assert harmed == {}
    assert reached >= REACHED * sum(map(len, crashes))


def earlier(boundary: str) -> str:
    """The same boundary, met half as often."""
    name, times = boundary.split(":")
    return f"{name}:{max(1, int(times) // 2)}"


@pytest.fixture(scope="module")
def undisturbed(bench: Bench) -> Effects:
    """What the mixed set does when nothing goes wrong."""
    scene = bench.scene()
    assert scene.run() == 0
    assert scene.breaches() == []
    return scene.effects()


def test_the_mixed_set_meets_every_boundary_that_has_a_name(bench: Bench) -> None:
    met = {each.split(":")[0] for each in bench.scene().boundaries()}
    elsewhere = {"broker.published", "broker.confirmed", "broker.acked", "store.phase"}
    assert met == set(BOUNDARIES) - elsewhere
    assert "store.phase:1" in bench.scene(batched=True).boundaries()


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_kill_at_any_boundary_does_no_harm(bench: Bench, undisturbed: Effects, form: dict[str, bool]) -> None:
    boundaries = bench.scene(**form).boundaries()
    crashes = [(each,) for each in sampled(boundaries, 2)]
    survives(bench, undisturbed, crashes, **form)


def test_a_kill_of_the_command_as_a_user_starts_it_does_no_harm(bench: Bench) -> None:
    """A process that nothing has prepared, other than those that `bench` forks."""
    scene = bench.scene(mails.many(3))
    assert scene.run(until="handed in") == 0
    command = [sys.executable, "-m", "services.cli.main", "up", "--once", "--data", str(scene.folder / "data")]
    for environment, code in (({"POSTROOM_CRASH_AT": "writer.committed:2"}, -signal.SIGKILL), ({}, 0)):
        ended = subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, check=False)
        assert ended.returncode == code, ended.stderr
    assert scene.breaches() == []
    scene.remove()


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_two_kills_do_no_harm(bench: Bench, undisturbed: Effects, form: dict[str, bool]) -> None:
    boundaries = bench.scene(**form).boundaries()
    chance = random.Random(7)
    pairs = [(first, chance.choice(boundaries).split(":")[0] + ":1") for first in sampled(boundaries, 1)]
    if FULL:
        pairs += chance.sample(list(combinations(boundaries, 2)), 200)
    survives_often(bench, undisturbed, pairs, **form)


def survives_often(bench: Bench, undisturbed: Effects, crashes: Sequence[Sequence[str]], **keys: object) -> None:
    """As `survives`; a second boundary may lie behind what the first one left to do."""
    harmed = {}
    for crash in crashes:
        scene = bench.scene(**keys)  # type: ignore[arg-type]
        killed(scene, *crash)
        if found := scene.breaches(undisturbed):
            harmed[crash] = found
        scene.remove()
    assert harmed == {}
