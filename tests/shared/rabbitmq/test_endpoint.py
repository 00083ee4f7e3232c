"""AMQP URLs, and the libraries' errors in our words."""

from __future__ import annotations

import socket
import ssl
from contextlib import closing
from pathlib import Path

import amqp
import pytest
from pika import exceptions as pika_errors
from pika.adapters.utils.connection_workflow import AMQPConnectorSocketConnectError, AMQPConnectorStackTimeout

from services.queues import QUEUES
from shared.app import Location, _broker
from shared.contracts.errors import Misconfigured, PostroomError, Unavailable
from shared.embedded.documents import EmbeddedDocuments
from shared.rabbitmq.broker import RabbitBroker
from shared.rabbitmq.endpoint import Endpoint
from tests.servers.tls import Authority
from tests.servers.web import Reply, Request, WebStub

HERE = Endpoint("rabbit", 5672, "/", "desk", "s3cr3t")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("amqp://", Endpoint("localhost", 5672, "/", "guest", "guest")),
        ("amqp://h", Endpoint("h", 5672, "/", "guest", "guest")),
        ("amqp://h/", Endpoint("h", 5672, "/", "guest", "guest")),
        ("amqp://h//", Endpoint("h", 5672, "/", "guest", "guest")),
        ("amqp://h/%2F", Endpoint("h", 5672, "/", "guest", "guest")),
        ("amqp://h:99/desk", Endpoint("h", 99, "desk", "guest", "guest")),
        ("amqp://u:p%40s%2Fs@h/a%2Fb", Endpoint("h", 5672, "a/b", "u", "p@s/s")),
        ("amqp://u:@h", Endpoint("h", 5672, "/", "u", "")),
        ("amqps://u:p@h/v", Endpoint("h", 5671, "v", "u", "p", tls=True)),
        ("amqp://[::1]:5673/", Endpoint("::1", 5673, "/", "guest", "guest")),
    ],
)
def test_a_url_is_read_in_one_way(url: str, expected: Endpoint) -> None:
    assert Endpoint.parse(url) == expected


@pytest.mark.parametrize("url", ["amqp://u:s3cr3t@h:5672/v", "amqps://u:s3cr3t@h/"])
def test_an_endpoint_never_shows_its_password(url: str) -> None:
    endpoint = Endpoint.parse(url)
    assert "s3cr3t" not in f"{endpoint} {endpoint!r}"
    assert "u:***@h" in str(endpoint)


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (ConnectionRefusedError(111, "refused"), Unavailable, "nothing listens at rabbit:5672"),
        (socket.gaierror(-2, "unknown"), Unavailable, "host name"),
        (TimeoutError("timed out"), Unavailable, "does not answer in time"),
        (
            AMQPConnectorSocketConnectError(AMQPConnectorStackTimeout("Timeout while connecting socket")),
            Unavailable,
            "does not answer in time",
        ),
        (
            amqp.AccessRefused("ACCESS_REFUSED - Login was refused using PLAIN"),
            Misconfigured,
            "refuses the user 'desk'",
        ),
        (amqp.AccessRefused("ACCESS_REFUSED - access to queue 'q'"), Misconfigured, "does not permit this"),
        (pika_errors.ChannelClosedByBroker(403, "access to queue 'q'"), Misconfigured, "does not permit this"),
        (pika_errors.ProbableAuthenticationError("x"), Misconfigured, "wrong name or password"),
        (amqp.NotAllowed("vhost", (10, 40)), Misconfigured, "no virtual host '/'"),
        (pika_errors.ConnectionClosedByBroker(530, "NOT_ALLOWED"), Misconfigured, "no virtual host"),
        (pika_errors.AMQPConnectionError(ConnectionRefusedError(111, "x")), Unavailable, "nothing listens"),
        (ssl.SSLError(1, "[SSL] wrong version number"), Unavailable, "verify that it speaks TLS there"),
        (OSError("no\nroute " * 100), Unavailable, "no route"),
        (Unavailable("as it is"), Unavailable, "as it is"),
    ],
)
def test_every_failure_is_one_sentence(error: BaseException, kind: type[PostroomError], words: str) -> None:
    explained = HERE.explain(error)
    assert type(explained) is kind
    assert words in str(explained)
    assert "\n" not in str(explained)
    assert len(str(explained)) < 300
    assert "s3cr3t" not in str(explained)


def test_an_unreadable_file_of_authorities_is_named() -> None:
    endpoint = Endpoint.parse("amqps://h", ca_file="/nowhere/ca.pem")
    with pytest.raises(Misconfigured, match=r"/nowhere/ca\.pem"):
        endpoint.tls_context()


@pytest.mark.parametrize("option", ["verify=verify_none", "heartbeat=5", "server_name_indication=other"])
def test_an_unknown_option_of_the_url_is_refused(option: str) -> None:
    with pytest.raises(Misconfigured, match=rf"has the option {option.partition('=')[0]}; known are cacertfile"):
        Endpoint.parse(f"amqps://h/?{option}")


def test_files_of_the_url_win_over_those_of_the_environment() -> None:
    endpoint = Endpoint.parse("amqps://h/?cacertfile=/own.pem&certfile=/desk.pem&keyfile=/desk.key", "/other.pem")
    assert (endpoint.ca_file, endpoint.certificate_file, endpoint.key_file) == ("/own.pem", "/desk.pem", "/desk.key")
    with pytest.raises(Misconfigured, match=r"/own\.pem cannot be read"):
        endpoint.tls_context()


def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_a_passphrase(tmp_path: Path) -> None:
    locked = Authority(tmp_path).issue("desk", passphrase="secret")
    endpoint = Endpoint.parse(f"amqps://h/?certfile={locked.certificate}&keyfile={locked.key}")
    with pytest.raises(Misconfigured, match=r"client certificate of the broker cannot be used: .*desk\.key"):
        endpoint.tls_context()


def test_the_file_of_the_environment_reaches_the_broker(tmp_path: Path) -> None:
    environ = {"POSTROOM_BROKER_URL": "amqps://h/", "POSTROOM_CA_FILE": "/own.pem"}
    location = Location.from_environment(environ, tmp_path)
    with closing(EmbeddedDocuments(tmp_path)) as documents:
        broker = _broker(location, QUEUES, documents)
    assert isinstance(broker, RabbitBroker)
    assert broker.endpoint.ca_file == "/own.pem"
    broker.close()


class Management(WebStub):
    """The list of queues of RabbitMQ's management API."""

    def answer(self, request: Request) -> Reply:
        assert request.path == "/api/queues/%2F"
        return Reply(body=[{"name": "intake", "messages_unacknowledged": 3}])


@pytest.mark.parametrize(("trusted", "found"), [(True, {"intake": 3}), (False, None)])
def test_the_management_api_is_asked_with_the_same_authorities(
    tmp_path: Path, trusted: bool, found: dict[str, int] | None
) -> None:
    authority = Authority(tmp_path)
    with Management(authority.issue("localhost")) as stub:
        ca_file = str(authority.certificate) if trusted else None
        broker = RabbitBroker("amqp://h/", QUEUES, management_url=stub.url, ca_file=ca_file)
        assert broker._unacked() == found
        broker.close()
