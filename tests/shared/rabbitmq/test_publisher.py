"""How long a publisher waits for a broker that answers, and for one that does not."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest

from shared.contracts.errors import Unavailable
from shared.rabbitmq import frames
from shared.rabbitmq import publisher as amqp_publisher
from shared.rabbitmq.endpoint import Endpoint
from shared.rabbitmq.publisher import PooledConnection
from shared.runtime.broker import Message


class SlowBroker:
    """Connection, channel and transport at once: each sending and each answer takes its time."""

    frame_max, channel_id, bytes_sent = 131_072, 1, 0

    def __init__(self, sending: float, answers: list[float]) -> None:
        self.now, self._sending, self._answers = 0.0, sending, answers
        self.connection = self.transport = self
        self.written: list[bytes] = []
        self.transport_options: dict[str, Any] = {}
        self._tag = 0
        self.pooled = PooledConnection(self, Endpoint.parse("amqp://h"), confirm_seconds=1.0)  # type: ignore[arg-type]
        self.pooled._channel = self

    def monotonic(self) -> float:
        """The time."""
        return self.now

    def having_timeout(self, _: float) -> AbstractContextManager[None]:
        """It has none."""
        return nullcontext()

    def write(self, data: bytes) -> None:
        """Into the socket."""
        self.written.append(bytes(data))
        self.now += self._sending

    def drain_events(self, timeout: float) -> None:
        """The next answer, when it comes in time."""
        if not self._answers or self._answers[0] > timeout:
            self.now += timeout
            raise TimeoutError
        self.now += self._answers.pop(0)
        self._tag += 1
        self.pooled._answered(self._tag, multiple=False, ok=True)

    def answer_all(self, timeout: float) -> None:
        """Confirm everything when it is waited for."""
        if not timeout:
            raise TimeoutError
        self.pooled._answered(1 << 20, multiple=True, ok=True)


def publish(monkeypatch: pytest.MonkeyPatch, sending: float, answers: list[float]) -> float:
    """Ten messages; how long it took."""
    broker = SlowBroker(sending, answers)
    monkeypatch.setattr(amqp_publisher, "time", broker)
    monkeypatch.setattr(broker.pooled._confirms, "_now", broker.monotonic)
    broker.pooled.publish([Message(f"m{n}", "intake", b"") for n in range(10)], "postroom", mandatory=True)
    return broker.now


def test_a_batch_that_takes_long_to_send_does_not_count_as_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    assert publish(monkeypatch, sending=5.5, answers=[0.01] * 10) > 5


def test_a_broker_that_goes_on_answering_may_take_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert publish(monkeypatch, sending=0.0, answers=[0.9] * 10) > 8


def test_a_broker_that_falls_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unavailable, match="confirmed nothing within 1 s"):
        publish(monkeypatch, sending=0.0, answers=[0.1] * 9)


@pytest.mark.parametrize(("size", "writes"), [(4096, 1), (100_000, 4), (1_500_000, 20)])
def test_the_messages_of_a_batch_are_written_together(size: int, writes: int) -> None:
    broker = SlowBroker(sending=0.0, answers=[])
    broker.drain_events = broker.answer_all  # type: ignore[method-assign]
    messages = [Message(f"m{n}", "intake", bytes([n]) * size) for n in range(10)]
    broker.pooled.publish(messages, "postroom", mandatory=True)
    assert len(broker.written) == writes
    expected = [
        frames.published(1, "postroom", "intake", frames.properties_of(each), each.body, 131_064) for each in messages
    ]
    assert b"".join(broker.written) == b"".join(expected)
