"""How long a publisher waits for a broker that answers, and for one that does not."""

from __future__ import annotations

from typing import Any

import pytest

from shared.contracts.errors import Unavailable
from shared.rabbitmq import publisher as amqp_publisher
from shared.rabbitmq.endpoint import Endpoint
from shared.rabbitmq.publisher import PooledConnection
from shared.runtime.broker import Message


class SlowBroker:
    """A connection and a producer: each sending and each answer takes its time."""

    def __init__(self, sending: float, answers: list[float]) -> None:
        self.now, self._sending, self._answers = 0.0, sending, answers
        self.transport_options: dict[str, Any] = {}
        self._tag = 0
        self.pooled = PooledConnection(self, Endpoint.parse("amqp://h"), confirm_seconds=1.0)  # type: ignore[arg-type]
        self.pooled._producer = self  # type: ignore[assignment]

    def monotonic(self) -> float:
        """The time."""
        return self.now

    def publish(self, *_: Any, **__: Any) -> None:
        """Into the socket."""
        self.now += self._sending

    def drain_events(self, timeout: float) -> None:
        """The next answer, when it comes in time."""
        if not self._answers or self._answers[0] > timeout:
            self.now += timeout
            raise TimeoutError
        self.now += self._answers.pop(0)
        self._tag += 1
        self.pooled._answered(self._tag, multiple=False, ok=True)


def publish(monkeypatch: pytest.MonkeyPatch, sending: float, answers: list[float]) -> float:
    """Ten messages; how long it took."""
    broker = SlowBroker(sending, answers)
    monkeypatch.setattr(amqp_publisher, "time", broker)
    monkeypatch.setattr(broker.pooled._confirms, "_now", broker.monotonic)
    broker.pooled.publish([Message(f"m{n}", "intake", b"") for n in range(10)], "postroom", mandatory=True)
    return broker.now


def test_a_batch_that_takes_long_to_send_is_no_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    assert publish(monkeypatch, sending=0.5, answers=[0.01] * 10) > 5


def test_a_broker_that_goes_on_answering_may_take_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    assert publish(monkeypatch, sending=0.0, answers=[0.9] * 10) > 8


def test_a_broker_that_falls_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Unavailable, match="confirmed nothing within 1 s"):
        publish(monkeypatch, sending=0.0, answers=[0.1] * 9)
