"""What others do to RabbitMQ: garbage in headers, missing properties, TLS, definitions, the management API."""

from __future__ import annotations

import datetime as dt
import decimal
import json
import re
import socket
import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pika
import pytest

from services import definitions
from services.queues import QUEUES
from shared.contracts.errors import Misconfigured, Unavailable
from shared.rabbitmq import topology
from shared.rabbitmq.broker import RabbitBroker
from shared.rabbitmq.session import Timing
from shared.runtime.broker import MAX_DELIVERIES, Unroutable
from tests.conformance.lanes import (
    PATIENT,
    Lane,
    a_message,
    another_client,
    depth,
    eventually,
    fails,
    messages,
    refuse_five_times,
    take_all,
    take_one,
    take_within,
)
from tests.servers.rabbitmq import RabbitNode
from tests.servers.tls import Authority

pytestmark = pytest.mark.every_rabbitmq
ROOT = Path(__file__).resolve().parents[2]
DEFINITIONS = ROOT / "deploy/rabbitmq/definitions.json"


class Raw(pika.BasicProperties):
    """Properties whose header table is given as bytes."""

    def __init__(self, table: bytes) -> None:
        super().__init__(delivery_mode=2)
        self.table = table

    def encode(self) -> list[bytes]:
        """Only headers and delivery mode."""
        flags = self.FLAG_HEADERS | self.FLAG_DELIVERY_MODE
        return [struct.pack(">H", flags), struct.pack(">I", len(self.table)), self.table, b"\x02"]


def entry(name: bytes, kind: bytes, value: bytes) -> bytes:
    """One entry of a header table."""
    return bytes([len(name)]) + name + kind + value


def long_string(value: bytes) -> bytes:
    """With its length."""
    return struct.pack(">I", len(value)) + value


INBOX = entry(b"inbox", b"S", long_string(b"support"))
NESTED = entry(b"n", b"F", long_string(entry(b"deep", b"A", long_string(b"S" + long_string(b"x")))))
DEEP = b"V"
for _ in range(2000):
    DEEP = b"A" + long_string(DEEP)


@pytest.mark.parametrize(
    ("table", "headers"),
    [
        (b"", {}),
        (NESTED, {}),
        (entry(b"t", b"T", struct.pack(">Q", 2**63)), {}),
        (entry(b"\xff\xfe", b"S", long_string(b"v")), {"\ufffd\ufffd": "v"}),
        (entry(b"bad", b"S", long_string(b"caf\xe9 \xff")), {"bad": "caf\ufffd \ufffd"}),
        (entry(b"bytes", b"x", long_string(b"\x00\x01")), {"bytes": "\x00\x01"}),
        (entry(b"dec", b"D", struct.pack(">Bi", 255, -1)), None),
        (entry(b"void", b"V", b""), {}),
        (entry(b"yes", b"t", b"\x01"), {"yes": 1}),
        (entry(b"float", b"d", struct.pack(">d", 1e308)), None),
        (entry(b"big", b"l", struct.pack(">q", -(2**63))), {"big": -(2**63)}),
        (entry(b"attempt", b"S", long_string(b"many")), {"attempt": "many"}),
        (entry(b"deep", b"A", long_string(DEEP)), None),
        (entry(b"x-delivery-count", b"S", long_string(b"-3")) + entry(b"x-death", b"I", struct.pack(">i", 1)), {}),
    ],
    ids=[
        "nothing", "nested", "time after the end of time", "name in no charset", "text in no charset", "bytes",
        "tiny decimal", "void", "truth", "huge float", "smallest integer", "attempt in words", "deep nesting",
        "forged history",
    ],
)  # fmt: skip
def test_no_header_table_of_any_client_harms_a_consumer(
    lane: Lane, broker: RabbitBroker, table: bytes, headers: dict[str, object] | None
) -> None:
    publish_raw(lane, table + INBOX)
    consumer = broker.consumer("intake", 1)
    delivery = take_one(consumer)
    assert delivery.message.headers["inbox"] == "support"
    if headers is not None:
        assert delivery.message.headers == {**headers, "inbox": "support"}
    assert all(isinstance(value, str | int) for value in delivery.message.headers.values())
    consumer.redeliver(delivery, 5)
    again = take_one(consumer)
    assert again.message.attempt == 1
    consumer.bury(again, "no use", "parser")
    consumer.close()
    assert take_one(broker.consumer("dead-letter", 1)).message.headers["inbox"] == "support"


def publish_raw(lane: Lane, table: bytes, to: str = "intake") -> None:
    """As a client with its own encoder does."""
    with another_client(lane.place) as channel:
        channel.basic_publish("postroom", to, b"raw", Raw(table))


def test_a_header_given_twice_has_one_of_its_values(lane: Lane, broker: RabbitBroker) -> None:
    """The last on RabbitMQ 3, the first on RabbitMQ 4."""
    publish_raw(lane, entry(b"twice", b"S", long_string(b"1")) + entry(b"twice", b"S", long_string(b"2")))
    assert take_one(broker.consumer("intake", 1)).message.headers["twice"] in {"1", "2"}


COUNTS = b"".join(
    entry(name, b"l", struct.pack(">q", 9)) for name in (b"x-delivery-count", b"x-acquired-count", b"x-handed-out")
)


@pytest.mark.parametrize("queue", ["intake", "dead-letter"])
def test_forged_counts_bury_nothing(lane: Lane, broker: RabbitBroker, queue: str) -> None:
    publish_raw(lane, COUNTS, queue)
    consumer = broker.consumer(queue, 1)
    delivery = take_one(consumer)
    assert delivery.message.body == b"raw"
    consumer.settle(delivery)
    consumer.flush()
    assert broker.in_flight() == depth(broker, "parked") == 0


def test_a_forged_count_of_the_broker_is_overruled_by_its_own(lane: Lane, broker: RabbitBroker) -> None:
    publish_raw(lane, entry(b"x-delivery-count", b"l", struct.pack(">q", 9)))
    child = lane.child("take_and_crash", "intake")
    assert child.report() == [["", 0]]
    child.wait()
    assert take_one(broker.consumer("intake", 1)).count == 1


def test_a_letter_that_the_broker_moved_is_handed_out_and_counted_like_any_other(
    lane: Lane, broker: RabbitBroker
) -> None:
    """RabbitMQ 4 hands it out with the count of the queue that it comes from."""
    broker.publish([a_message(to="filter")])
    refuse_five_times(lane.place)
    counts = []
    for _ in range(MAX_DELIVERIES):
        child = lane.child("take_and_crash", "dead-letter")
        counts.append(child.report()[0][1])
        child.wait()
    assert counts == list(range(MAX_DELIVERIES))
    consumer = broker.consumer("dead-letter", 1)
    eventually(lambda: depth(broker, "parked") == 1)
    assert not take_within(consumer, 0.1)


def test_headers_that_fill_a_frame_leave_room_for_ours(lane: Lane, broker: RabbitBroker) -> None:
    headers = {"inbox": "support", "x-debug": "d" * 130_000}
    with another_client(lane.place) as channel:
        channel.basic_publish("postroom", "intake", b"raw", pika.BasicProperties(headers=headers))
    consumer = broker.consumer("intake", 1)
    consumer.redeliver(take_one(consumer), 5)
    again = take_one(consumer)
    assert again.message.headers == {"inbox": "support", "attempt": 1}
    consumer.bury(again, "no use " * 250, "parser")
    consumer.flush()
    assert take_one(broker.consumer("dead-letter", 1)).message.headers["stage"] == "parser"


def test_garbage_that_the_broker_buries_still_has_a_reason(lane: Lane, broker: RabbitBroker) -> None:
    garbage = entry(b"t", b"T", struct.pack(">Q", 2**63)) + entry(b"reason", b"S", long_string(b"forged"))
    publish_raw(lane, garbage)
    refuse_five_times_raw(lane.place)
    letter = take_one(broker.consumer("dead-letter", 1)).message
    assert (letter.body, letter.headers["queue"]) == (b"raw", "intake")
    assert letter.headers["reason"] == "handed out 5 times and never settled"


def refuse_five_times_raw(url: str) -> None:
    """A client that reads headers well enough: ours, ended before it settles."""
    for _ in range(5):
        broker = RabbitBroker(url, QUEUES, timing=Timing(**PATIENT))
        consumer = broker.consumer("intake", 1)
        take_one(consumer)
        consumer._with_session(lambda session: session.drop("test"))
        eventually(lambda consumer=consumer: fails(consumer.flush))
        consumer.close()
        broker.close()


def test_a_foreign_message_needs_no_properties(lane: Lane, broker: RabbitBroker) -> None:
    with another_client(lane.place) as channel:
        channel.basic_publish("postroom", "intake", b"\x1f\x8b gzip?", pika.BasicProperties(content_encoding="gzip"))
        channel.basic_publish("", "postroom.intake", b"straight to the queue")
    first, second = take_all(broker.consumer("intake", 5), 2)
    message = first.message
    assert (message.id, message.type, message.content_type, message.correlation_id) == ("", "", "", "")
    assert (message.to, message.body, message.headers) == ("intake", b"\x1f\x8b gzip?", {"content-encoding": "gzip"})
    assert (second.message.to, second.message.body) == ("intake", b"straight to the queue")


def test_a_foreign_message_without_id_is_given_back_and_buried_like_any_other(lane: Lane, broker: RabbitBroker) -> None:
    headers = {"when": dt.datetime(2026, 1, 2, tzinfo=dt.UTC), "price": decimal.Decimal("1.5"), "l": [1]}
    with another_client(lane.place) as channel:
        channel.basic_publish("postroom", "intake", b"raw", pika.BasicProperties(headers=headers))
    consumer = broker.consumer("intake", 1)
    delivery = take_one(consumer)
    assert delivery.message.headers == {"when": "2026-01-02 00:00:00+00:00", "price": "1.5"}
    consumer.give_back(delivery)
    again = take_one(consumer)
    assert (again.message, again.count) == (delivery.message, 0)
    consumer.bury(again, "no use", "parser")
    consumer.flush()
    assert take_one(broker.consumer("dead-letter", 1)).message.body == b"raw"


def test_letters_that_another_hand_put_among_the_dead_have_a_reason(lane: Lane, broker: RabbitBroker) -> None:
    with another_client(lane.place) as channel:
        channel.basic_publish("postroom", "dead-letter", b"raw")
    headers = take_one(broker.consumer("dead-letter", 1)).message.headers
    assert headers == {"reason": "dead-lettered by the broker, which does not say why", "stage": "", "queue": ""}


def test_an_integrator_hears_announced_events(lane: Lane, broker: RabbitBroker) -> None:
    with another_client(lane.place) as channel:
        queue = channel.queue_declare("", exclusive=True).method.queue
        channel.queue_bind(queue, "postroom.events", "record.*")
        broker.announce([a_message(1, "record.created"), a_message(2, "mail.rejected"), a_message(3, "record.updated")])
        keys = [eventually(lambda: _got(channel, queue)) for _ in range(2)]
    assert keys == ["record.created", "record.updated"]


def _got(channel: Any, queue: str) -> str | None:
    method, _, _ = channel.basic_get(queue, auto_ack=True)
    return method.routing_key if method else None


def test_announcing_is_best_effort() -> None:
    broker = RabbitBroker("amqp://guest:guest@127.0.0.1:1/", QUEUES, timing=Timing(connect=0.5))
    broker.announce([a_message(1, "record.created")])
    with pytest.raises(Unavailable):
        broker.publish([a_message()])
    broker.close()


def test_two_prefixes_do_not_meet(lane: Lane, broker: RabbitBroker) -> None:
    other = lane.broker(prefix="second")
    other.declare()
    other.publish([a_message()])
    assert broker.in_flight() == 0
    assert take_one(other.consumer("intake", 1)).message.id == "id-1"


@pytest.fixture
def clerk(rabbit_node: RabbitNode, rabbit_vhost: str) -> str:
    """URL of a user who may write and read, and create nothing."""
    rabbit_node.api("PUT", "users/clerk", {"password": "clerk", "tags": ""})
    rights = {"configure": "^$", "write": ".*", "read": ".*"}
    rabbit_node.api("PUT", f"permissions/{rabbit_vhost}/clerk", rights)
    return rabbit_node.url(rabbit_vhost).replace("guest:guest", "clerk:clerk")


def test_a_worker_without_the_right_to_create_verifies_and_works(clerk: str, broker: RabbitBroker) -> None:
    careful = RabbitBroker(clerk, QUEUES, verify_only=True, timing=Timing(**PATIENT))
    careful.declare()
    careful.publish([a_message()])
    consumer = careful.consumer("intake", 1)
    consumer.settle(take_one(consumer), [a_message(2, "filter")])
    consumer.flush()
    careful.close()
    assert take_one(broker.consumer("filter", 1)).message.id == "id-2"


def test_a_missing_right_is_distinguished_from_a_wrong_password(clerk: str) -> None:
    broker = RabbitBroker(clerk, QUEUES, timing=Timing(**PATIENT))
    with pytest.raises(Misconfigured, match=r"does not permit this to the user 'clerk'.*exchange 'postroom'"):
        broker.declare()
    broker.close()


def test_publishing_before_anything_is_declared_is_unroutable(lane: Lane) -> None:
    with pytest.raises(Unroutable, match=r"topology is incomplete: no exchange 'postroom'"):
        lane.broker().publish([a_message()])


# -- the management API


def test_unacknowledged_messages_are_counted_with_the_management_api(
    lane: Lane, rabbit_node: RabbitNode, broker: RabbitBroker
) -> None:
    watched = lane.broker(management_url=rabbit_node.management_url)
    assert {each.unacked for each in broker.depths()} == {None}
    broker.publish(messages(3))
    held = take_one(broker.consumer("intake", 1))
    assert held
    assert eventually(lambda: next(each for each in watched.depths() if each.name == "intake").unacked) == 1
    eventually(lambda: watched.in_flight() == 3)  # the management API may be late with its answer
    assert next(each for each in watched.depths() if each.name == "intake").consumers == 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://guest:wrong@127.0.0.1:{port}"])
def test_a_management_api_that_cannot_answer_causes_no_error(
    lane: Lane, rabbit_node: RabbitNode, broker: RabbitBroker, url: str
) -> None:
    assert broker.in_flight() == 0
    watched = lane.broker(management_url=url.format(port=rabbit_node.management_port))
    assert {each.unacked for each in watched.depths()} == {None}


def test_an_invalid_management_url_is_named(lane: Lane, broker: RabbitBroker) -> None:
    assert broker.in_flight() == 0
    with pytest.raises(Misconfigured, match="management URL"):
        lane.broker(management_url="file:///etc/passwd").depths()


# -- TLS


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Whose certificates the node has, and knows."""
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def tls_node(
    rabbit_node: RabbitNode, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RabbitNode]:
    """A node of its own with a TLS listener, on the configuration that we ship."""
    config = (ROOT / "deploy/rabbitmq/rabbitmq.conf").read_text().replace("= 2GB", "= 1MB")
    folder = tmp_path_factory.mktemp("rabbitmq-tls")
    certificate = replace(authority.issue("rabbit.example"), clients=authority.certificate)
    node = RabbitNode(folder, version=rabbit_node.version, tls=certificate, extra_config=config)
    try:
        node.start()
        yield node
    finally:
        node.kill9()
        node.stop()


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name of the certificate leads to this machine."""
    real = socket.getaddrinfo

    def resolve(host: Any, *args: Any, **options: Any) -> Any:
        return real("127.0.0.1" if host == "rabbit.example" else host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)


def amqps(node: RabbitNode, host: str = "rabbit.example", options: str = "") -> str:
    return f"amqps://guest:guest@{host}:{node.tls_port}/{options}"


@pytest.mark.usefixtures("named")
def test_amqps_verifies_and_works(tls_node: RabbitNode, authority: Authority) -> None:
    broker = RabbitBroker(amqps(tls_node), QUEUES, ca_file=str(authority.certificate), timing=Timing(**PATIENT))
    broker.declare()
    broker.publish([a_message(body=b"x" * 100_000)])
    consumer = broker.consumer("intake", 1)
    consumer.settle(take_one(consumer), [a_message(2, "filter")])
    consumer.flush()
    assert take_one(broker.consumer("filter", 1)).message.id == "id-2"
    broker.close()


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize(
    ("host", "trusted", "why"),
    [
        ("rabbit.example", False, "self-signed certificate in certificate chain"),
        ("localhost", True, "certificate is not valid for 'localhost'"),
    ],
    ids=["issuer", "name"],
)
def test_amqps_refuses_an_untrusted_certificate(
    tls_node: RabbitNode, authority: Authority, host: str, trusted: bool, why: str
) -> None:
    ca_file = str(authority.certificate) if trusted else None
    broker = RabbitBroker(amqps(tls_node, host), QUEUES, ca_file=ca_file, timing=Timing(**PATIENT))
    said = f"the certificate of RabbitMQ at {host}:{tls_node.tls_port} is not trusted: .*{why}"
    with pytest.raises(Misconfigured, match=said):
        broker.declare()
    consumer = broker.consumer("intake", 1)
    error = eventually(lambda: fails(lambda: consumer.take(0.3), Misconfigured))
    assert re.search(said, str(error))
    broker.close()


@pytest.mark.usefixtures("named")
def test_a_client_certificate_of_the_url_is_shown_to_the_broker(
    tls_node: RabbitNode, authority: Authority, tmp_path: Path
) -> None:
    client, stranger = authority.issue("desk"), Authority(tmp_path, "Other CA").issue("stranger")
    options = f"?cacertfile={authority.certificate}&certfile={client.certificate}&keyfile={client.key}"
    broker = RabbitBroker(amqps(tls_node, options=options), QUEUES, timing=Timing(**PATIENT))
    broker.declare()
    assert not take_within(broker.consumer("intake", 1), 0.1)
    broker.close()
    options = f"?certfile={stranger.certificate}&keyfile={stranger.key}"
    unknown = RabbitBroker(
        amqps(tls_node, options=options), QUEUES, ca_file=str(authority.certificate), timing=Timing(**PATIENT)
    )
    with pytest.raises(Unavailable, match=r"no TLS with RabbitMQ at .*; verify the client certificate"):
        unknown.declare()
    unknown.close()


# -- definitions


def test_the_definitions_file_is_what_the_code_declares() -> None:
    assert DEFINITIONS.read_text() == definitions.rendered(), "run: python -m services.definitions"


def test_imported_definitions_are_all_that_a_verifying_worker_needs(
    lane: Lane, rabbit_node: RabbitNode, rabbit_vhost: str, tmp_path: Path
) -> None:
    table = topology.topology(QUEUES, tier_scale=0.04)
    file = tmp_path / "definitions.json"
    file.write_text(json.dumps(topology.definitions(table, rabbit_vhost)))
    rabbit_node.ctl("import_definitions", str(file))
    broker = lane.broker(verify_only=True)
    broker.declare()
    broker.publish([a_message()])
    consumer = broker.consumer("intake", 1)
    consumer.wait(take_one(consumer), 5)
    assert take_one(consumer).message == a_message()
    lane.broker().declare()


def test_poison_is_found_on_a_node_that_took_the_definitions_file(lane: Lane, broker: RabbitBroker) -> None:
    broker.publish([a_message(to="filter")])
    refuse_five_times(lane.place)
    assert take_one(broker.consumer("dead-letter", 1)).message.headers["stage"] == "filter"
