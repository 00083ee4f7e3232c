"""The commands on RabbitMQ with the embedded store: a supported form."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.builders import a_mail
from tests.servers.presence import closed_port
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


def place_of(mail_id: str) -> dict[str, tuple[str, ...]]:
    """The commands that ask the store alone, each with a text that it prints."""
    return {
        "outcome     recorded": ("mails", "show", mail_id),
        "Printer": ("mails", "list"),
        "Subject: Printer": ("mails", "source", mail_id),
        "number      INC1": ("records", "show", "INC1"),
        "INC1": ("records", "list"),
        "no dead letter is open": ("dead-letters", "list"),
        "no dead letter": ("dead-letters", "causes"),
        "no outgoing mail": ("outbox", "list"),
        "anna@customer.example": ("people", "list"),
        "no jobs yet": ("jobs", "list"),
        "no reports": ("report",),
        "inboxes:": ("config", "export", "-"),
        "support": ("inbox", "list"),
        "stopped  support": ("inbox", "stop", "support"),
        "no mail servers": ("mail-server", "list"),
        "no tokens": ("token", "list"),
        "no users": ("user", "list"),
    }


@pytest.mark.req("PR-14")
def test_what_needs_the_store_alone_works_while_rabbitmq_is_unavailable(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    mail_id = run("publish", "-", "--json", stdin=a_mail()).lines[0]["mail_id"]
    run("up", "--once")
    monkeypatch.setattr("shared.rabbitmq.publisher._RETRY_SECONDS", 0.0)
    with closed_port() as port:
        monkeypatch.setenv("POSTROOM_BROKER_URL", f"amqp://guest:guest@127.0.0.1:{port}/%2F")
        for text, command in place_of(mail_id).items():
            ran = run(*command)
            assert (ran.code, text in ran.out + ran.err) == (0, True), (command, ran)
        doctor = {line["check"]: line["status"] for line in run("doctor", "--json").lines}
        assert (doctor["store"], doctor["broker"], doctor["configuration"]) == ("ok", "problem", "note")
        assert run("mails", "replay", mail_id).code == 75


@pytest.mark.req("PR-14")
def test_doctor_names_a_queue_that_it_may_not_make(
    rabbit: RabbitNode, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And one that has other settings, which counting does not notice."""
    monkeypatch.setenv("POSTROOM_VERIFY_TOPOLOGY", "1")
    found = {line["check"]: line for line in run("doctor", "--json").lines}
    what = "the exchange postroom does not exist on RabbitMQ: import deploy/rabbitmq/definitions.json"
    assert (found["broker"]["status"], found["broker"]["message"]) == ("problem", what)
    assert found["store"]["status"] == "ok"
    assert "start a worker that may make it, or import" in found["standstill"]["message"]
    assert rabbit.pid > 0


def test_a_warning_beside_the_result_of_a_command_is_a_line_of_the_log(
    rabbit: RabbitNode, rabbit_vhost: str, tmp_path: Path
) -> None:
    """Python alone would print the bare name of the event."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")}
    environ |= {"POSTROOM_BROKER_URL": rabbit.url(rabbit_vhost), "POSTROOM_MANAGEMENT_URL": "http://127.0.0.1:1"}
    command = [sys.executable, "-m", "services.cli.main", "queues", "--data", str(tmp_path / "data")]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=True)
    line = r"\d{4}-\d\d-\d\dT[\d:.]+Z WARNING management_api_failed reason=URLError\n"
    assert re.fullmatch(line, done.stderr)


@pytest.mark.every_rabbitmq
def test_exported_definitions_make_a_broker_that_workers_accept(
    rabbit: RabbitNode, rabbit_vhost: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As docs/operations.md restores it; the other vhost stands for another server."""
    assert run("queues").code == 0
    file = tmp_path / "definitions.json"
    rabbit.ctl("export_definitions", str(file))
    exported = json.loads(file.read_text())
    assert "guest" in {user["name"] for user in exported["users"]}
    with rabbit.fresh_vhost() as other:
        parts = ("queues", "exchanges", "bindings", "policies", "permissions")
        ours = {part: [each for each in exported[part] if each.get("vhost") == rabbit_vhost] for part in parts}
        file.write_text(json.dumps(ours).replace(rabbit_vhost, other))
        monkeypatch.setenv("POSTROOM_BROKER_URL", rabbit.url(other))
        monkeypatch.setenv("POSTROOM_VERIFY_TOPOLOGY", "1")
        assert "the exchange postroom does not exist on RabbitMQ" in run("publish", "-", stdin=a_mail()).err
        rabbit.ctl("import_definitions", str(file))
        assert run("publish", "-", stdin=a_mail()).code == 0
        assert run("up", "--once").out == "this run: taken 1, recorded 1\nin all: recorded 1\n"
        assert run("doctor").code == 0
        monkeypatch.delenv("POSTROOM_VERIFY_TOPOLOGY")
        assert run("queues").code == 0  # declares all again, which fails where a setting differs
