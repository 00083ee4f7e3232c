"""The integrators' examples against a real RabbitMQ: what they publish becomes records, what fails they say."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from services.queues import QUEUES
from shared.embedded.documents import EmbeddedDocuments
from shared.rabbitmq.broker import RabbitBroker
from shared.store.arrivals import DUPLICATE, TAKEN
from shared.store.documents import Documents
from tests.builders import a_mail
from tests.conformance.lanes import eventually
from tests.servers import npm
from tests.servers.presence import PATIENCE_SECONDS, closed_port, missing
from tests.servers.rabbitmq import RabbitNode

pytestmark = pytest.mark.every_rabbitmq(often="newest")
EXAMPLES = Path(__file__).parents[1] / "examples"
NODE = EXAMPLES / "node"
RUNS = 120.0
"""Seconds that an example may take."""


@dataclass(frozen=True, slots=True)
class Place:
    """One vhost of the test node, as an integrator knows it."""

    url: str
    api: str
    vhost: str

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "POSTROOM_BROKER_URL": self.url,
            "RABBITMQ_API": self.api,
            "RABBITMQ_VHOST": self.vhost,
        }

    def run(self, *command: str | Path) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [str(part) for part in command],
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=RUNS,
            check=False,
        )


@pytest.fixture
def place(rabbit_node: RabbitNode, rabbit_vhost: str) -> Place:
    """A fresh vhost without any topology."""
    return Place(rabbit_node.url(rabbit_vhost), rabbit_node.management_url, rabbit_vhost)


@pytest.fixture
def declared(place: Place) -> Place:
    """A vhost on which Postroom was started once."""
    broker = RabbitBroker(place.url, QUEUES)
    broker.declare()
    broker.close()
    return place


@pytest.fixture
def running(declared: Place, tmp_path: Path) -> Iterator[Documents]:
    """Every stage at work on that vhost in a process of its own; the store that it fills."""
    environment = declared.environment() | {"POSTROOM_DATA": str(tmp_path / "data")}
    command = [sys.executable, "-m", "services.cli.main", "up"]
    with (tmp_path / "up.log").open("wb") as told:
        postroom = subprocess.Popen(command, cwd=EXAMPLES.parent, env=environment, stdout=told, stderr=told)
    store = EmbeddedDocuments(tmp_path / "data")
    yield store
    store.close()
    postroom.terminate()
    assert postroom.wait(PATIENCE_SECONDS) == 0, (tmp_path / "up.log").read_text()


Publish = Callable[..., subprocess.CompletedProcess[str]]


def with_python(place: Place, inbox: str, *mails: Path) -> subprocess.CompletedProcess[str]:
    return place.run(sys.executable, EXAMPLES / "publish.py", "--inbox", inbox, *mails)


def with_node(place: Place, inbox: str, *mails: Path, project: Path) -> subprocess.CompletedProcess[str]:
    return place.run("node", project / "publish.js", "--inbox", inbox, *mails)


@pytest.fixture(scope="module")
def node_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Node example with what it depends on."""
    return npm.install(NODE, tmp_path_factory.mktemp("npm") / "node")


def with_shell(place: Place, inbox: str, *mails: Path) -> subprocess.CompletedProcess[str]:
    if not shutil.which("curl"):
        missing("curl")
    return place.run("sh", EXAMPLES / "publish.sh", "-i", inbox, *mails)


PUBLISHERS = [with_python, with_node, with_shell]


@pytest.fixture(params=PUBLISHERS, ids=lambda publish: publish.__name__)
def publish(request: pytest.FixtureRequest) -> Any:
    """Each publisher example."""
    if request.param is with_node:
        return partial(with_node, project=request.getfixturevalue("node_project"))
    return request.param


@pytest.fixture
def mails(tmp_path: Path) -> list[Path]:
    """Two mails; one with every byte value and no line break at its end."""
    paths = [tmp_path / "one.eml", tmp_path / "two mails.eml"]
    paths[0].write_bytes(a_mail(subject="Printer"))
    binary = b"Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n" + bytes(range(256))
    paths[1].write_bytes(b"From: anna@customer.example\r\nSubject: Bytes\r\nMIME-Version: 1.0\r\n" + binary)
    return paths


@pytest.mark.req("PR-11")
def test_published_mails_become_records(
    publish: Publish, declared: Place, running: Documents, mails: list[Path]
) -> None:
    done = publish(declared, "support", *mails)
    assert (done.returncode, done.stderr) == (0, "")
    taken, ids = zip(*(line.rsplit("  ", 1) for line in done.stdout.splitlines()), strict=True)
    assert list(taken) == [f"taken: {path}" for path in mails]
    store = running
    eventually(lambda: store.count("mails", {"outcome": "recorded"}) == len(mails))
    assert {mail["arrival"] for mail in store.find("mails", {})} == set(ids)
    assert {record["subject"] for record in store.find("records", {})} == {"Printer", "Bytes"}
    raws = {store.get_blob(mail["raw"]) for mail in store.find("mails", {"inbox": "support"})}
    assert raws == {path.read_bytes() for path in mails}


def test_publishing_again_makes_no_second_record(
    publish: Publish, declared: Place, running: Documents, mails: list[Path]
) -> None:
    for _ in range(2):
        assert publish(declared, "support", mails[0]).returncode == 0
    eventually(lambda: [running.count("arrivals", {"state": state}) for state in (TAKEN, DUPLICATE)] == [1, 1])
    eventually(lambda: running.count("mails", {"outcome": "recorded"}) == 1)
    assert running.count("records", {}) == 1


def test_a_missing_exchange_is_a_temporary_failure(publish: Publish, place: Place, mails: list[Path]) -> None:
    done = publish(place, "support", mails[0])
    assert (done.returncode, done.stdout) == (75, "")
    assert "not taken: " in done.stderr
    assert "has no exchange 'postroom'" in done.stderr


def test_an_exchange_without_the_queue_is_a_temporary_failure(
    publish: Publish, declared: Place, rabbit_node: RabbitNode, mails: list[Path]
) -> None:
    """The publisher is confirmed, and the mail comes back all the same."""
    rabbit_node.delete_queue(declared.vhost, "postroom.intake")
    done = publish(declared, "support", mails[0])
    assert (done.returncode, done.stdout) == (75, "")
    assert "no queue for intake" in done.stderr


def test_an_unavailable_broker_is_a_temporary_failure(publish: Publish, mails: list[Path]) -> None:
    with closed_port() as port:
        nobody = Place(f"amqp://guest:guest@127.0.0.1:{port}/%2F", f"http://127.0.0.1:{port}", "/")
        done = publish(nobody, "support", mails[0])
    assert (done.returncode, done.stdout) == (75, "")
    assert "not taken: " in done.stderr


@pytest.mark.req("PR-11")
def test_a_broker_without_disk_space_is_a_temporary_failure(
    declared: Place, rabbit_node: RabbitNode, mails: list[Path], node_project: Path
) -> None:
    """It confirms nothing as long as the alarm lasts: a publisher without a limit would wait all that time."""
    rabbit_node.limit_free_disk("900000GB")
    try:
        for publish in (with_python, partial(with_node, project=node_project)):
            done = publish(declared, "support", mails[0])
            assert (done.returncode, done.stdout) == (75, "")
            assert done.stderr == "not taken: RabbitMQ takes no messages now: it is short of memory or disk space\n"
    finally:
        rabbit_node.limit_free_disk("1MB")


def test_a_wrong_password_is_reported_and_not_shown(declared: Place, mails: list[Path], node_project: Path) -> None:
    stranger = Place(declared.url.replace("guest:guest", "guest:s3cret"), declared.api, declared.vhost)
    for publish in (with_python, partial(with_node, project=node_project)):
        done = publish(stranger, "support", mails[0])
        assert (done.returncode, done.stdout) == (75, "")
        assert "not taken: " in done.stderr
        assert "s3cret" not in done.stderr


def test_without_a_mail_the_usage_is_shown(publish: Publish, place: Place) -> None:
    done = publish(place, "support")
    assert done.returncode == 2
    assert "usage: " in done.stderr


def test_a_missing_file_is_reported(publish: Publish, declared: Place, tmp_path: Path) -> None:
    done = publish(declared, "support", tmp_path / "nothing.eml")
    assert done.returncode == 75
    assert "nothing.eml" in done.stderr


def test_the_shell_example_lets_no_quotation_marks_into_its_json(place: Place, mails: list[Path]) -> None:
    done = with_shell(place, 'a","x":"b', mails[0])
    assert done.returncode == 2
    assert "quotation marks" in done.stderr


@pytest.mark.req("PR-11")
def test_a_listener_gets_the_event_of_the_record(declared: Place, running: Documents, mails: list[Path]) -> None:
    listening = subprocess.Popen(
        [sys.executable, str(EXAMPLES / "listen.py"), "--count", "1", "--seconds", str(PATIENCE_SECONDS)],
        env=declared.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert listening.stderr is not None
        assert listening.stderr.readline() == "listening\n"
        assert with_python(declared, "support", mails[0]).returncode == 0
        printed, _ = listening.communicate(timeout=RUNS)
    finally:
        listening.kill()
        listening.communicate()
    heard = json.loads(printed)
    (record,) = running.find("records", {})
    assert heard["event"] == "record.created"
    assert {heard["record_id"], heard["number"]} == {record["_id"], record["number"]}


def test_a_durable_queue_keeps_events_while_nobody_listens(
    declared: Place, running: Documents, mails: list[Path]
) -> None:
    listen: list[str | Path] = [sys.executable, EXAMPLES / "listen.py", "--queue", "my-crm", "--events", "record.*"]
    assert declared.run(*listen, "--seconds", "0.2").returncode == 0
    assert with_python(declared, "support", mails[0]).returncode == 0
    eventually(lambda: running.count("mails", {"outcome": "recorded"}) == 1)
    done = declared.run(*listen, "--count", "1", "--seconds", str(PATIENCE_SECONDS))
    assert (done.returncode, json.loads(done.stdout)["event"]) == (0, "record.created")


def test_the_readme_names_every_example() -> None:
    text = (EXAMPLES / "README.md").read_text("utf-8")
    scripts = [
        path.relative_to(EXAMPLES).as_posix() for path in EXAMPLES.rglob("*.*") if path.suffix in {".py", ".sh", ".js"}
    ]
    assert [name for name in scripts if "node_modules" not in name and name not in text] == []
