"""The same promises on RabbitMQ with the embedded store: a real node, killed, and its workers killed.

Sampled, to keep it short: `POSTROOM_FULL=1` takes every boundary.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import replace

import pytest

from services import pipeline
from services.queues import QUEUES
from shared.runtime.broker import DEAD_LETTER, INTAKE, Message
from tests.builders import a_mail
from tests.conformance.lanes import BROKERS, depth, url_of
from tests.harness.bench import Bench, Scene
from tests.harness.ledger import Effects
from tests.harness.mails import Sent, many, mixed
from tests.servers.presence import PATIENCE_SECONDS
from tests.servers.rabbitmq import RabbitNode, RabbitNodes
from tests.system.test_crash_points import FULL, sampled, undisturbed
from tests.system.test_faults import end, eventually, stopped_at, watching

__all__ = ["undisturbed"]
pytestmark = [pytest.mark.timeout(1200), pytest.mark.every_rabbitmq(often="newest")]
"""Seconds: many runs, and a machine may be busy."""
MOST_KILLS = 14


@pytest.fixture
def broker_url(rabbit_node: RabbitNode, rabbit_vhost: str) -> str:
    """A vhost of one's own on the node."""
    return rabbit_node.url(rabbit_vhost)


def test_a_kill_at_a_boundary_does_no_harm(bench: Bench, undisturbed: Effects, broker_url: str) -> None:
    boundaries = bench.scene(broker_url=broker_url).boundaries()
    chosen = sampled(boundaries, 2)
    harmed = {}
    for crash in chosen if FULL else _evenly(chosen, MOST_KILLS):
        scene = bench.scene(broker_url=broker_url)
        scene.run(crash)
        scene.run()
        if found := scene.breaches(undisturbed):
            harmed[crash] = found
        scene.remove()
    assert harmed == {}


def _evenly(chosen: list[str], most: int) -> list[str]:
    step = max(1, -(-len(chosen) // most))
    return chosen[::step]


def test_the_boundaries_of_rabbitmq_are_met(bench: Bench, broker_url: str) -> None:
    met = {each.split(":")[0] for each in bench.scene(broker_url=broker_url).boundaries()}
    assert {"broker.published", "broker.confirmed", "broker.acked", "worker.settled", "store.committed"} <= met


def test_a_node_that_crashes_in_the_middle_loses_nothing_that_it_confirmed(
    bench: Bench, broker_url: str, rabbit_node: RabbitNode
) -> None:
    scene = bench.scene(many(200), seeded=False, broker_url=broker_url)
    scene.run(until="handed in")
    with watching(scene) as seen:
        pid = stopped_at(scene, "worker.settled:300", until="stopped")
        rabbit_node.kill9()
        before = seen.finished()
        os.kill(pid, signal.SIGCONT)
        rabbit_node.start()
        eventually(lambda: seen.finished() == 200)
        end(scene, pid)
    assert before < 200
    scene.run()
    assert scene.breaches() == []


def test_a_mail_that_kills_its_worker_dies_alone(bench: Bench, broker_url: str) -> None:
    """Each stage's worker is a process of its own, as in the scaled form."""
    scene = bench.scene(many(100, poison=frozenset({40})), seeded=False, broker_url=broker_url, plants=("poison",))
    scene.run(until="handed in")
    others = scene.start(until="stopped", stages=[name for name in pipeline.STAGES if name != "parser"])
    with watching(scene) as seen:
        for _ in range(5):
            assert scene.run(until="stopped", stages=["parser"]) == -signal.SIGKILL
        parser = scene.start(until="stopped", stages=["parser"])
        eventually(lambda: seen.finished() == 100)
        end(scene, parser)
        end(scene, others)
    assert scene.breaches() == []


def test_a_mail_that_kills_all_stages_at_once_dies_alone(bench: Bench, broker_url: str) -> None:
    """One process with every stage, as `postroom up`: what its neighbours hold at each death is not buried with it."""
    *good, poison = many(21, poison=frozenset({20}))
    scene = bench.scene(good, seeded=False, broker_url=broker_url, plants=("poison",))
    scene.run(until="handed in")
    parser = scene.start(until="stopped", stages=["parser"])
    with scene.app() as app:
        eventually(lambda: depth(app.broker, "filter") == len(good))
    end(scene, parser)
    scene.hand_in_later(poison)
    ends = [scene.run()]
    while ends[-1] and len(ends) < 9:
        ends.append(scene.run())
    assert ends == [*[-signal.SIGKILL] * 5, 0]
    assert scene.breaches() == []


GARBAGE = (
    Message("g1", "", b"\x00\xff\xfe", "MailParsed"),
    Message("g2", "", b"{", "SenderMatched"),
    Message("g3", "", b"[[[]]]", "NoSuchEvent", correlation_id="nobody"),
    Message("g4", "", b"{}", "MailAccepted", headers={"version": 99}),
    Message("g5", "", b"cos\nsystem\n", "MailParsed", content_type="application/x-python-serialize"),
    Message("", "", b"", ""),
)


@pytest.fixture(params=BROKERS)
def any_broker_url(request: pytest.FixtureRequest, rabbit_nodes: RabbitNodes) -> Iterator[str | None]:
    """On every broker, each version of RabbitMQ among them."""
    with url_of(request.param, rabbit_nodes) as url:
        yield url


def test_garbage_on_every_work_queue_ends_in_the_dead_letters_with_a_reason(
    bench: Bench, any_broker_url: str | None
) -> None:
    scene = bench.scene([], seeded=False, broker_url=any_broker_url)
    with scene.app() as app:
        app.broker.publish(
            [replace(each, to=queue) for queue in QUEUES.names for each in GARBAGE if _is_garbage(each, queue)]
        )
    scene.run()
    with scene.app() as app:
        letters = list(app.documents.find("dead_letters", {}))
        assert app.broker.join(PATIENCE_SECONDS)
    for queue in QUEUES.names:
        kept = [letter for letter in letters if letter["queue"] == ("" if queue == DEAD_LETTER else queue)]
        assert len(kept) == sum(_is_garbage(each, queue) for each in GARBAGE), queue
        assert all(letter["reason"] for letter in kept)


def _is_garbage(message: Message, queue: str) -> bool:
    """Intake takes any bytes of a content type that mails have."""
    return queue != INTAKE or message.content_type not in ("", "message/rfc822")


def test_a_mail_of_thirty_megabytes_goes_through_whole(bench: Bench, broker_url: str) -> None:
    big = a_mail(
        "See.\n", Message_ID="<film@customer.example>", files=(("film.mp4", "video/mp4", os.urandom(22_000_000)),)
    )
    scene = bench.scene([Sent("film", big, "recorded")], seeded=False, broker_url=broker_url)
    scene.run()
    assert scene.breaches() == []
    scene.remove()


@pytest.fixture
def without_a_binding(bench: Bench, broker_url: str) -> Scene:
    """Somebody deletes the filter's binding while the desk runs."""
    return bench.scene(mixed()[:3], broker_url=broker_url, plants=("binding-deleted",))


def test_a_binding_that_is_deleted_loses_nothing(without_a_binding: Scene) -> None:
    without_a_binding.run()
    assert without_a_binding.breaches() == []


def test_publishing_without_mandatory_is_caught(without_a_binding: Scene) -> None:
    without_a_binding.plants += ("publish-without-mandatory",)
    without_a_binding.run(patience=5)
    assert "lost" in {breach.invariant for breach in without_a_binding.breaches()}
