"""A place on RabbitMQ for the tests that are about this broker alone; those of every broker have a `lane` of each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from shared.rabbitmq.broker import RabbitBroker
from tests.conformance.lanes import Lane
from tests.servers.rabbitmq import RabbitNode


@pytest.fixture
def lane(rabbit_node: RabbitNode, rabbit_vhost: str) -> Iterator[Lane]:
    """A fresh vhost on the node."""
    with closing(Lane("rabbitmq", rabbit_node.url(rabbit_vhost))) as lane:
        yield lane


@pytest.fixture
def broker(lane: Lane) -> RabbitBroker:
    """Declared, with the patience of a busy machine."""
    broker = lane.broker()
    broker.declare()
    assert isinstance(broker, RabbitBroker)
    return broker
