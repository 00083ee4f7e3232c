"""Traces: one trace for each mail, from its hand-over to record and answer, without anything of its content."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from services import runner
from services.cli.figures import figures
from services.figures.traces import SCHEMA, Traces
from shared.config.model import MailServer
from shared.runtime.broker import INTAKE, RFC822, Message
from tests.builders import a_configuration, a_mail
from tests.desk import Desk
from tests.servers.otlp import collector
from tests.servers.smtp import SmtpServer

SECRET = "a word that nobody else may read"


def spans_of(desk: Desk, *, raw: bytes | None = None, message: Message | None = None) -> Sequence[ReadableSpan]:
    """The spans of a mail that goes the whole way, handed in, or published by an integrator."""
    exporter = InMemorySpanExporter()
    traces = Traces("postroom", SimpleSpanProcessor(exporter))
    with SmtpServer() as smtp:
        server = MailServer(
            "main", host="127.0.0.1", port=smtp.port, tls="none", auth="none", from_address="support@example.com"
        )
        desk.configure(a_configuration(mail_servers=(server,)))
        desk.receive(a_mail())
        desk.app.intake.observers.append(traces.handed_over)
        if raw is not None:
            desk.hand_in(raw, inbox="support")
        if message is not None:
            desk.app.broker.publish([message])
        runner.run_all(desk.app, threading.Event(), once=True, sources=False, hooks=[traces])
    return exporter.get_finished_spans()


@pytest.mark.req("TI-06")
def test_a_mail_is_one_trace_from_its_hand_over_to_its_answer(desk: Desk) -> None:
    spans = spans_of(desk, raw=a_mail(SECRET, subject="Incident#1"))
    names = ["send intake", *(f"process {each}" for each in ("parser", "filter", "sender-matcher", "record-writer"))]
    found = {span.name: span for span in spans}
    assert {*names, "process notifier"} <= found.keys()
    assert len({span.context.trace_id for span in spans}) == 1
    assert found["send intake"].parent is None
    for before, after in zip([*names], [*names[1:], "process notifier"], strict=True):
        parent = found[after].parent
        assert parent
        assert parent.span_id == found[before].context.span_id
    assert {span.instrumentation_scope.schema_url for span in spans if span.instrumentation_scope} == {SCHEMA}


def test_no_attribute_has_content_of_the_mail(desk: Desk) -> None:
    spans = spans_of(desk, raw=a_mail(SECRET, subject="Incident#1"))
    assert len(spans) == 6
    for span in spans:
        assert SECRET not in span.to_json()
        assert "@" not in span.to_json()
        assert set(span.attributes or {}) <= {
            "messaging.system",
            "messaging.destination.name",
            "messaging.operation.type",
            "messaging.operation.name",
            "messaging.message.conversation_id",
            "postroom.result",
        }


@pytest.mark.parametrize(
    ("stated", "trace"),
    [
        ("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "4bf92f3577b34da6a3ce929d0e0e4736"),
        ("00-zzzz", None),
        ("00-00000000000000000000000000000000-00f067aa0ba902b7-01", None),
        (None, None),
    ],
    ids=["valid", "odd", "zero", "none"],
)
def test_a_mail_of_an_integrator_keeps_its_trace_or_begins_one(
    desk: Desk, stated: str | None, trace: str | None
) -> None:
    headers: dict[str, str | int] = {"inbox": "support"} | ({"traceparent": stated} if stated else {})
    spans = spans_of(desk, message=Message("one", INTAKE, a_mail("Printer"), content_type=RFC822, headers=headers))
    (found,) = {f"{span.context.trace_id:032x}" for span in spans}
    assert trace in {found, None}


def test_a_failed_message_is_an_error(desk: Desk) -> None:
    message = Message("one", INTAKE, a_mail("Printer"), content_type=RFC822, headers={"inbox": "no such inbox"})
    spans = {span.name: span for span in spans_of(desk, message=message)}
    assert not spans["process parser"].status.is_ok


def test_traces_go_to_the_endpoint_of_the_environment(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.configure(a_configuration())
    with collector() as collected:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collected.endpoint)
        with figures(desk.app, None) as observed:
            desk.hand_in(a_mail("Printer"), inbox="support")
            runner.run_all(desk.app, threading.Event(), once=True, sources=False, hooks=observed.hooks)
    names = {
        span.name
        for request in collected.requests
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    }
    assert {"send intake", "process parser", "process record-writer"} <= names


def test_without_an_endpoint_nothing_is_traced(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    with figures(desk.app, None) as observed:
        assert (observed.hooks, observed.figures) == ((), None)
