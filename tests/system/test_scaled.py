"""The scaled form as processes: the commands of docker-compose.yml on a real RabbitMQ, one stage doubled."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from services.pipeline import STAGES
from services.queues import QUEUES
from services.runner import SOURCES
from shared.rabbitmq.broker import RabbitBroker
from shared.store.documents import Documents
from tests.builders import a_mail
from tests.conformance.lanes import eventually
from tests.servers.documents import Place
from tests.servers.presence import PATIENCE_SECONDS
from tests.servers.rabbitmq import RabbitNode

ROOT = Path(__file__).parents[2]
MAILS, PAIRS = 100, 8
PATIENCE = 120.0

pytestmark = pytest.mark.timeout(1200)


class Cluster:
    """Environment and processes of one deployment."""

    def __init__(self, environment: dict[str, str], logs: Path) -> None:
        self.environment, self.logs = {**os.environ, **environment}, logs
        self.running: list[subprocess.Popen[bytes]] = []

    def postroom(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command to its end."""
        command = [sys.executable, "-m", "services.cli.main", *arguments]
        done = subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        assert done.returncode == 0, done.stderr
        return done

    def worker(self, stage: str) -> subprocess.Popen[bytes]:
        """A worker, as its container starts it."""
        with (self.logs / f"{stage}-{len(self.running)}.log").open("wb") as log:
            command = [sys.executable, "-m", "services.cli.main", "worker", stage]
            started = subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=log, stderr=log)
        self.running.append(started)
        return started

    def end(self) -> list[int]:
        """SIGTERM to all of them; their exit codes."""
        for process in self.running:
            process.send_signal(signal.SIGTERM)
        return [process.wait(PATIENCE_SECONDS) for process in self.running]

    def told(self) -> str:
        """The logs, for a failure."""
        return "\n".join(f"--- {path.name}\n{path.read_text()[-1500:]}" for path in sorted(self.logs.iterdir()))


@contextmanager
def deployed(environment: dict[str, str], logs: Path) -> Iterator[Cluster]:
    """Configured, with every worker of docker-compose.yml, the parser twice; whatever is left is killed."""
    logs.mkdir()
    cluster = Cluster(environment, logs)
    cluster.postroom("queues")  # as `configure` does: makes indexes, queues and the first configuration
    cluster.environment["POSTROOM_VERIFY_TOPOLOGY"] = "1"
    try:
        for stage in (*SOURCES, *STAGES, "parser"):
            cluster.worker(stage)
        yield cluster
    finally:
        for process in cluster.running:
            process.kill()
            process.wait()


def test_a_hundred_mails_are_a_hundred_records_with_a_stage_scaled(
    rabbit_node: RabbitNode, rabbit_vhost: str, place: Place, tmp_path: Path
) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    for number in range(MAILS):
        raw = a_mail(subject=f"Printer {number}", sender=f"c{number % 20}@customer.example")
        (spool / f"{number:03}.eml").write_bytes(raw)
    url = rabbit_node.url(rabbit_vhost)
    with deployed({"POSTROOM_BROKER_URL": url, **store_of(place)}, tmp_path / "logs") as cluster:
        cluster.postroom("publish", "--inbox", "support", str(spool))
        store = place.open()
        try:
            eventually(lambda: store.count("mails", {"outcome": {"$gte": ""}}) == MAILS, PATIENCE)
            assert_each_once(store)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{cluster.told()}") from error
        finally:
            store.close()
        assert_quiet(url)
        assert set(cluster.end()) == {0}, cluster.told()


@pytest.mark.req("PR-15", "VF-21")
def test_replies_join_the_large_mails_that_were_handed_in_before_them(
    rabbit_node: RabbitNode, rabbit_vhost: str, place: Place, tmp_path: Path
) -> None:
    """One of the parsers reads the reply while another one still reads the mail that it answers."""
    spool, large = tmp_path / "spool", (("a.bin", "application/octet-stream", bytes(4_000_000)),)
    spool.mkdir()
    for number in range(PAIRS):
        first, id_ = f"c{number}@customer.example", f"<m{number}@customer.example>"
        asked = a_mail(
            subject=f"Printer {number}", sender=first, Cc="bob@customer.example", Message_ID=id_, files=large
        )
        answered = a_mail("Me too.\n", subject=f"Re: Printer {number}", sender="bob@customer.example", In_Reply_To=id_)
        (spool / f"{number:03}a.eml").write_bytes(asked)
        (spool / f"{number:03}b.eml").write_bytes(answered)
    environment = {"POSTROOM_BROKER_URL": rabbit_node.url(rabbit_vhost), **store_of(place)}
    with deployed(environment, tmp_path / "logs") as cluster:
        cluster.postroom("publish", "--inbox", "support", str(spool))
        store = place.open()
        try:
            eventually(lambda: store.count("mails", {"outcome": {"$gte": ""}}) == 2 * PAIRS, PATIENCE)
            assert [store.count(each, {}) for each in ("records", "activities")] == [PAIRS, 2 * PAIRS]
        except AssertionError as error:
            raise AssertionError(f"{error}\n{cluster.told()}") from error
        finally:
            store.close()


def store_of(place: Place) -> dict[str, str]:
    """The environment that names a store."""
    if place.kind == "embedded":
        return {"POSTROOM_DATA": place.address}
    return {"POSTROOM_STORE_URL": urlsplit(place.address)._replace(path=f"/{place.database}").geturl()}


def assert_each_once(store: Documents) -> None:
    subjects = sorted(record["subject"] for record in store.find("records", {}))
    assert subjects == sorted(f"Printer {number}" for number in range(MAILS))
    assert store.count("mails", {"outcome": "recorded"}) == MAILS
    assert store.count("dead_letters", {}) == 0


def assert_quiet(url: str) -> None:
    broker = RabbitBroker(url, QUEUES, verify_only=True)
    try:
        assert broker.join(PATIENCE)
        assert {depth.name: depth.ready for depth in broker.depths() if depth.ready} == {}
    finally:
        broker.close()
