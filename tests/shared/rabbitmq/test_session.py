"""Which deliveries a session acknowledges: only those whose publishes are all confirmed, whatever comes first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pika import spec

from services.queues import QUEUES
from shared.contracts.errors import PostroomError
from shared.rabbitmq import frames, session
from shared.rabbitmq.endpoint import Endpoint
from shared.rabbitmq.session import PendingSettlement, Post, Session, Tag, Timing
from shared.rabbitmq.topology import topology
from shared.runtime.broker import Delivery, Message

HELD = 6
PROPERTIES = spec.BasicProperties(message_id="m", headers={})


@dataclass
class Channel:
    """RabbitMQ's view of a channel: which deliveries it considers done."""

    sent: list[int] = field(default_factory=list)
    unacknowledged: set[int] = field(default_factory=set)
    acknowledgements: list[tuple[int, bool]] = field(default_factory=list)
    is_open = True
    channel_number = 1

    def publish(self, *_: object) -> None:
        """Numbered as RabbitMQ does."""
        self.sent.append(len(self.sent) + 1)

    def basic_ack(self, number: int, multiple: bool = False) -> None:
        """One, or all up to it."""
        assert number in self.unacknowledged  # anything else is an error that closes the channel
        self.acknowledgements.append((number, multiple))
        self.unacknowledged -= {each for each in self.unacknowledged if each == number or (multiple and each < number)}

    def __getattr__(self, _: str) -> Callable[..., None]:
        return lambda *_, **__: None


@dataclass
class Worker:
    """The owner of the session: what it was given, what it decided."""

    decided: list[PendingSettlement] = field(default_factory=list)
    came: list[Delivery] = field(default_factory=list)
    done: list[int] = field(default_factory=list)

    def arrived(self, deliveries: Sequence[Delivery]) -> None:
        """Keep them."""
        self.came += deliveries

    def finished(self, numbers: Iterable[int]) -> None:
        """Keep them."""
        self.done += numbers

    def outbox(self) -> Sequence[PendingSettlement]:
        """All that was decided."""
        taken, self.decided = self.decided, []
        return taken

    def failed(self, error: PostroomError) -> None:
        """Not here."""
        raise error

    def __getattr__(self, _: str) -> Callable[..., None]:
        return lambda *_, **__: None


@dataclass
class Scene:
    """A session that holds some deliveries, numbered from 1."""

    held: int = HELD
    channel: Channel = field(default_factory=Channel)
    worker: Worker = field(default_factory=Worker)
    waits_for: dict[int, set[int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Connected, prefetch wide open, everything delivered."""
        endpoint: Any = Endpoint.parse("amqp://127.0.0.1:1")
        self.session = Session(endpoint, topology(QUEUES), "filter", self.held, Timing(), self.worker, 1)
        self.session._link = SimpleNamespace(is_open=True, publish=self.channel.publish)  # type: ignore[assignment]
        self.session._channel = self.channel  # type: ignore[assignment]
        self.session._mode = session._Mode.WIDE
        for number in range(1, self.held + 1):
            self.channel.unacknowledged.add(number)
            self.session._on_deliver(frames.Delivered(number, False, PROPERTIES, b"body"))
        self.session._on_pause()

    def settle(self, number: int, publishes: int = 1) -> None:
        """With so many messages that follow."""
        delivery = Delivery(Message(f"m{number}", "filter", b""), "filter", 0, Tag(1, number))
        posts = [Post(Message(f"m{number}-{each}", "filter", b"")) for each in range(publishes)]
        sent = len(self.channel.sent)
        self.worker.decided.append(PendingSettlement(delivery, number, posts))
        self.session._drain()
        self.waits_for[number] = set(self.channel.sent[sent:])

    def confirm(self, *tags: int, multiple: bool = False) -> None:
        """RabbitMQ confirms, in one piece of what is read."""
        for tag in tags:
            self.session._on_confirm(SimpleNamespace(method=spec.Basic.Ack(tag, multiple)))
            for waiting in self.waits_for.values():
                waiting -= {each for each in waiting if each == tag or (multiple and each < tag)}
        self.session._on_pause()

    @property
    def too_early(self) -> set[int]:
        """Acknowledged, though not decided or not confirmed."""
        gone = set(range(1, self.held + 1)) - self.channel.unacknowledged
        return {number for number in gone if self.waits_for.get(number, {0})}


@pytest.fixture
def scene() -> Scene:
    """Six deliveries in hand."""
    return Scene()


def test_what_came_together_is_handed_over_together(scene: Scene) -> None:
    assert [each.tag for each in scene.worker.came] == [Tag(1, number) for number in range(1, HELD + 1)]


def test_a_range_without_a_gap_is_acknowledged_at_once(scene: Scene) -> None:
    for number in range(1, HELD + 1):
        scene.settle(number)
    scene.confirm(2, 1, 4, 3)
    assert scene.channel.acknowledgements == [(4, True)]
    assert scene.worker.done == [2, 1, 4, 3]


def test_beyond_a_gap_each_is_acknowledged_alone(scene: Scene) -> None:
    for number in (1, 2, 4, 5):
        scene.settle(number)
    scene.confirm(4, multiple=True)
    assert scene.channel.acknowledgements == [(2, True), (4, False), (5, False)]
    assert scene.channel.unacknowledged == {3, 6}


def test_a_settled_delivery_whose_confirm_is_outstanding_is_a_gap_too(scene: Scene) -> None:
    for number in (1, 2, 3):
        scene.settle(number)
    scene.confirm(2, 3)
    assert scene.channel.acknowledgements == [(2, False), (3, False)]
    scene.confirm(1)
    assert scene.channel.unacknowledged == {4, 5, 6}


def test_a_delivery_with_several_publishes_waits_for_all(scene: Scene) -> None:
    scene.settle(1, publishes=3)
    scene.confirm(1, 3)
    assert not scene.channel.acknowledgements
    scene.confirm(2)
    assert scene.channel.acknowledgements == [(1, False)]


def test_what_publishes_nothing_does_not_take_others_along(scene: Scene) -> None:
    scene.settle(1)
    scene.settle(2, publishes=0)
    assert scene.channel.acknowledgements == [(2, False)]


def played(steps: Sequence[tuple[int, int, bool]]) -> set[int]:
    """Settle and confirm in this order; what was acknowledged too early. Each step: a delivery, a confirm, multiple."""
    scene, early = Scene(), set[int]()
    for number, tag, multiple in steps:
        if number in scene.channel.unacknowledged and number not in scene.waits_for:
            scene.settle(number, publishes=number % 3)
        if tag <= len(scene.channel.sent):
            scene.confirm(tag, multiple=multiple)
        early |= scene.too_early
    return early


@given(st.lists(st.tuples(st.integers(1, HELD), st.integers(1, HELD), st.booleans()), max_size=20))
def test_nothing_is_acknowledged_before_its_confirms(steps: list[tuple[int, int, bool]]) -> None:
    assert not played(steps)


GAPS = [(4, 9, False), (5, 3, True)]
"""The first three are not decided."""


@pytest.mark.parametrize(
    "fault",
    [lambda numbers, _: (numbers, []), lambda numbers, first_left: ([*numbers, first_left or 1], [])],
    ids=["gaps are ignored", "the first that is left goes too"],
)
def test_a_planted_fault_is_caught(fault: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not played(GAPS)
    monkeypatch.setattr(session, "_split", fault)
    assert played(GAPS)
