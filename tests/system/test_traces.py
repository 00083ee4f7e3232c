"""One trace from a mailbox to record and answer, over RabbitMQ and MongoDB, each stage apart from all others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from services.figures.traces import Traces
from services.pipeline import STAGES
from services.queues import QUEUES
from services.runner import SOURCES, worker_dependencies
from shared.app import App, Location
from shared.config.model import CommandPolicy, Configuration, MailServer, Settings
from shared.config.values import Secret
from shared.lazy_dataclass import dataclass
from shared.runtime.worker import Worker
from shared.store import configuration
from tests.builders import a_configuration, a_mail, an_inbox
from tests.conformance.lanes import eventually
from tests.servers.documents import Place
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.otlp import collector
from tests.servers.presence import PATIENCE_SECONDS
from tests.servers.rabbitmq import RabbitNode
from tests.servers.smtp import SmtpServer
from tests.system.test_scaled import Cluster, store_of

FETCHER: Final = "fetcher"
STEPS: Final = ("parser", "filter", "sender-matcher", "record-writer", "notifier")
"""The stages that a mail goes through, up to its answer."""
WITHIN: Final = 120.0
"""Seconds: the machine may be busy."""


@dataclass(frozen=True, slots=True)
class Spanned:
    """A span as a collector sees it; ids in hex, `parent` empty at the root. `part`: where it was made."""

    part: str
    name: str
    trace: str
    id: str
    parent: str
    result: str = ""


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    with Dovecot() as running:
        yield running


@pytest.fixture(params=["mongodb"])
def place(request: pytest.FixtureRequest) -> Place:
    """The store of several machines."""
    server = request.getfixturevalue("mongodb")
    return Place("mongodb", server.url, request.getfixturevalue("mongodb_database"), server)


@dataclass(frozen=True, slots=True)
class Scene:
    """A desk whose inbox is a mailbox of Dovecot and whose answers go to `smtp`."""

    location: Location
    dovecot: Dovecot
    smtp: SmtpServer

    def configuration(self) -> Configuration:
        """The inbox, and the server for its answers."""
        mailbox = {"protocol": "imap", "host": "localhost", "port": self.dovecot.port, "tls": "none"}
        login = {"username": "bob", "password": Secret("${MAILBOX_PASSWORD}")}
        inbox = an_inbox("support", **mailbox, **login, commands=CommandPolicy(reply_on_create=True))
        server = MailServer(
            "main", host="127.0.0.1", port=self.smtp.port, tls="none", auth="none", from_address="support@example.com"
        )
        return a_configuration(inbox, mail_servers=(server,), settings=Settings(allow_cleartext_auth=True))


@pytest.fixture
def scene(
    rabbit_node: RabbitNode,
    rabbit_vhost: str,
    place: Place,
    dovecot: Dovecot,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Scene]:
    monkeypatch.setenv("MAILBOX_PASSWORD", PASSWORD)
    dovecot.clear("bob")
    location = Location(tmp_path / "data", rabbit_node.url(rabbit_vhost), store_of(place)["POSTROOM_STORE_URL"])
    with SmtpServer() as smtp:
        made = Scene(location, dovecot, smtp)
        app = App.open(location, QUEUES)
        configuration.apply(app.documents, made.configuration(), prune=True)
        app.close()
        yield made


@contextmanager
def apart(scene: Scene, part: str) -> Iterator[InMemorySpanExporter]:
    """A source or a stage on connections of its own, with traces of its own, at work in a thread."""
    exporter, stop, app = InMemorySpanExporter(), threading.Event(), App.open(scene.location, QUEUES)
    traces = Traces("rabbitmq", SimpleSpanProcessor(exporter))
    app.intake.observers.append(traces.handed_over)
    source = SOURCES.get(part)
    works = source(app, traces) if source else Worker(STAGES[part](app), worker_dependencies(app, traces))
    thread = threading.Thread(target=works.run, args=(stop,), name=part)
    thread.start()
    try:
        yield exporter
    finally:
        stop.set()
        thread.join(PATIENCE_SECONDS)
        traces.close()
        app.close()


def of_one_process(scene: Scene, answered: Callable[[], bool]) -> list[Spanned]:
    """The spans of stages that share nothing but the broker and the store."""
    with ExitStack() as stack:
        exporters = {part: stack.enter_context(apart(scene, part)) for part in (FETCHER, *STEPS)}
        eventually(answered, WITHIN)
    return [
        Spanned(
            part,
            span.name,
            f"{span.context.trace_id:032x}",
            f"{span.context.span_id:016x}",
            f"{span.parent.span_id:016x}" if span.parent else "",
            str((span.attributes or {}).get("postroom.result", "")),
        )
        for part, exporter in exporters.items()
        for span in exporter.get_finished_spans()
    ]


def of_processes(scene: Scene, answered: Callable[[], bool], logs: Path) -> list[Spanned]:
    """The spans that the commands of `docker-compose.yml` export."""
    logs.mkdir()
    with collector() as collected:
        environment = {
            "POSTROOM_BROKER_URL": scene.location.broker_url or "",
            "POSTROOM_STORE_URL": scene.location.store_url or "",
            "OTEL_EXPORTER_OTLP_ENDPOINT": collected.endpoint,
        }
        cluster = Cluster(environment, logs)
        try:
            for part in (FETCHER, *STEPS):
                cluster.worker(part)
            eventually(answered, WITHIN)
            assert set(cluster.end()) == {0}, cluster.told()
        finally:
            for process in cluster.running:
                process.kill()
                process.wait()
    return [each for request in collected.requests for each in _spans(request)]


def _spans(request: Any) -> Iterator[Spanned]:
    for number, resource in enumerate(request.resource_spans):
        for span in (span for scope in resource.scope_spans for span in scope.spans):
            result = next((each.value.string_value for each in span.attributes if each.key == "postroom.result"), "")
            ids = (each.hex() for each in (span.trace_id, span.span_id, span.parent_span_id))
            yield Spanned(str(number), span.name, *ids, result)


@pytest.mark.req("TI-06")
@pytest.mark.parametrize("form", [of_one_process, pytest.param(of_processes, marks=pytest.mark.slow)])
def test_over_rabbitmq_a_mail_is_one_trace_from_its_mailbox_to_its_record_and_answer(
    scene: Scene, tmp_path: Path, form: Callable[..., Sequence[Spanned]]
) -> None:
    scene.dovecot.deliver("bob", a_mail(subject="Printer"), a_mail(subject="Chairs", sender="tom@customer.example"))
    more = (tmp_path / "logs",) if form is of_processes else ()
    spans = form(scene, lambda: len(scene.smtp.received) == 2, *more)
    traces = {each.trace for each in spans}
    assert len(traces) == 2, "one for each mail"
    for trace in traces:
        found = {each.name: each for each in spans if each.trace == trace}
        assert len(found) == len([each for each in spans if each.trace == trace]), "each step once"
        way = ["send intake", *(f"process {each}" for each in STEPS)]
        assert set(way) == set(found)
        assert found["send intake"].parent == "", "the fetcher begins the trace"
        for before, after in pairwise(way):
            assert found[after].parent == found[before].id, (before, after)
        assert {found[each].result for each in way[1:]} == {"done"}
        if form is of_one_process:
            assert [found[each].part for each in way] == [FETCHER, *STEPS]
