"""Thirty mails, one after another: the same, whatever is delivered twice and whoever is killed meanwhile."""

from __future__ import annotations

import random
import shutil
import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from shared.runtime.crash_points import BOUNDARIES
from shared.store import configuration as configuration_store
from shared.store.documents import Document
from tests.conformance.lanes import BROKERS, url_of
from tests.harness import conversation
from tests.harness.bench import Bench, Scene
from tests.harness.conversation import CONVERSATION
from tests.harness.ledger import Effects
from tests.harness.mails import Sent
from tests.servers.rabbitmq import RabbitNodes

pytestmark = pytest.mark.timeout(1800)
"""Seconds: some hundred processes, and a machine may be busy."""
KILLS: tuple[str, ...] = tuple(sorted(set(BOUNDARIES) - {"store.phase"}))


OTHERS = tuple(pytest.param(each, marks=pytest.mark.slow) for each in BROKERS[1:])
"""The conversation takes more than a minute on RabbitMQ: there it is one of the long tests."""


@pytest.fixture(params=(BROKERS[0], *OTHERS))
def broker_url(request: pytest.FixtureRequest, rabbit_nodes: RabbitNodes) -> Iterator[str | None]:
    """None: the embedded broker."""
    with url_of(request.param, rabbit_nodes) as url:
        yield url


def a_scene(bench: Bench, broker_url: str | None = None) -> Scene:
    """A desk before its first mail."""
    scene = bench.scene([], seeded=False, broker_url=broker_url)
    with scene.app() as app:
        configuration_store.apply(app.documents, conversation.configuration(), prune=True)
    conversation.with_known_key(scene.folder / "data")
    return scene


def converse(scene: Scene, chance: random.Random | None = None) -> int:
    """Each mail after the outcome of the one before, with a kill somewhere now and then; how many kills there were."""
    kills = 0
    for turn in CONVERSATION:
        with scene.app() as app:
            if turn.before:
                turn.before(app)
            sent = turn.mail(app)
        scene.hand_in_later(sent)
        crash = f"{chance.choice(KILLS)}:{chance.randint(1, 3)}" if chance else None
        while scene.run(crash) == -signal.SIGKILL:
            kills, crash = kills + 1, None
    return kills


@dataclass(frozen=True)
class Outcome:
    """What one clean run of the conversation did."""

    effects: Effects
    message_ids: frozenset[str]
    sent: tuple[Sent, ...]


def message_ids(scene: Scene) -> list[str]:
    with scene.app() as app:
        return [each.message_id for each in app.outbox.recent(None, 0)]


@pytest.fixture(scope="module")
def clean(bench: Bench) -> Outcome:
    """One run without a kill."""
    scene = a_scene(bench)
    converse(scene)
    assert scene.breaches() == []
    ids = message_ids(scene)
    assert len(set(ids)) == len(ids)
    found = Outcome(scene.effects(), frozenset(ids), tuple(scene.sent))
    scene.remove()
    return found


@pytest.mark.req("PR-15")
def test_a_conversation_does_the_same_with_every_mail_twice_and_workers_killed(
    bench: Bench, clean: Outcome, broker_url: str | None
) -> None:
    scene = a_scene(bench, broker_url)
    kills = converse(scene, random.Random(11))
    assert scene.breaches(clean.effects) == []
    assert sorted(message_ids(scene)) == sorted(clean.message_ids)
    assert kills >= len(CONVERSATION) // 3
    shutil.rmtree(scene.folder)


@pytest.mark.req("PR-15")
@pytest.mark.parametrize("order", ["as written", "the last first"])
def test_fed_all_at_once_replies_wait_for_their_parents_and_none_is_lost(
    bench: Bench, clean: Outcome, order: str
) -> None:
    mails = [replace(each, outcome="") for each in clean.sent]
    scene = a_scene(bench)
    scene.hand_in_later(*(mails if order == "as written" else reversed(mails)))
    assert scene.run() == 0
    assert scene.breaches() == []
    with scene.app() as app:
        found = by_label(app.documents.find("mails", {}))
    assert not [label for label, mail in found.items() if mail["outcome"] == "dead"]
    thread = {numbers(found[label]) for label in ("ask", "answer", "floor", "plan", "again", "water")}
    assert len(thread) == 1
    assert numbers(found["lee"]) == numbers(found["forward"]) == numbers(found["door"])


def by_label(mails: Iterator[Document]) -> dict[str, Document]:
    return {str(mail["message_id"]).strip("<>").partition("@")[0]: mail for mail in mails}


def numbers(mail: Document) -> tuple[str, ...]:
    return tuple(label["number"] for label in mail["records"])
