"""The commands on RabbitMQ with the embedded store: a supported form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builders import a_mail
from tests.servers.rabbitmq import RabbitNode
from tests.services.cli.conftest import Run

Write = Callable[[str, str | bytes], Path]


@pytest.fixture
def rabbit(rabbit_node: RabbitNode, rabbit_vhost: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> RabbitNode:
    """Commands use a vhost of their own on a real node, from here on."""
    del run
    monkeypatch.setenv("POSTROOM_BROKER_URL", rabbit_node.url(rabbit_vhost))
    return rabbit_node


@pytest.mark.req("PR-14")
def test_mail_goes_through_rabbitmq(rabbit: RabbitNode, run: Run) -> None:
    assert run("publish", "-", stdin=a_mail()).code == 0
    waiting = {line["name"]: line for line in run("queues", "--json").lines}
    assert (waiting["intake"]["ready"], waiting["intake"]["consumers"]) == (1, 0)
    assert waiting["intake"]["oldest_seconds"] is not None
    assert "no worker on intake: 1 message waits" in run("doctor").out
    assert run("up", "--once").out == "this run: taken 1, recorded 1\nin all: recorded 1\n"
    assert run("doctor").code == 0
    assert rabbit.pid > 0


@pytest.mark.req("PR-14")
def test_the_management_api_is_a_setting(
    rabbit: RabbitNode, run: Run, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheme, rest = rabbit.management_url.split("//")
    credentials, host = rest.split("@") if "@" in rest else ("guest:guest", rest)
    user, password = credentials.split(":")
    monkeypatch.setenv("RABBIT_PASSWORD", password)
    url = f"{scheme}//{user}:${{RABBIT_PASSWORD}}@{host}"
    run("config", "apply", write("p.yaml", f'settings: {{rabbitmq_management_url: "{url}"}}\n'))
    run("publish", "-", stdin=a_mail())
    waiting = {line["name"]: line for line in run("queues", "--json").lines}
    assert waiting["intake"]["unacked"] == 0
    assert "${RABBIT_PASSWORD}" in run("config", "export").out
