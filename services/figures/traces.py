"""Traces: a span for each message that a stage handled, in the one trace of its mail (OpenTelemetry, an extra).

Every message carries `traceparent` (W3C Trace Context), with or without this. A span has the id that the messages
caused by it carry, so the spans of one mail form one tree, in however many processes they were made. Attributes are
names of stages and queues, the mail's id and a result: nothing of the content of a mail.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from opentelemetry.context import Context
from opentelemetry.sdk.resources import SERVICE_NAME, OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from shared.runtime.envelope import span_id, trace_of
from shared.runtime.hooks import Answer, Decided, Failed, Hook, Retried, Settled, Taken
from shared.version import version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.app import App
    from shared.runtime.broker import Message

SCHEMA: Final = "https://opentelemetry.io/schemas/1.44.0"
"""The semantic conventions whose names are used here; they change only together."""
SYSTEM, DESTINATION = "messaging.system", "messaging.destination.name"
OPERATION_TYPE, OPERATION_NAME = "messaging.operation.type", "messaging.operation.name"
CONVERSATION: Final = "messaging.message.conversation_id"
RESULT: Final = "postroom.result"


class _GivenIds(RandomIdGenerator):
    """Gives the span that this thread starts next the ids that its messages carry."""

    def __init__(self) -> None:
        self.next = threading.local()

    def generate_trace_id(self) -> int:
        """The trace of a root span: that of its message."""
        given: int | None = getattr(self.next, "trace", None)
        self.next.trace = None
        return given or super().generate_trace_id()

    def generate_span_id(self) -> int:
        """The id that was set, once; else a random one."""
        given: int | None = getattr(self.next, "id", None)
        self.next.id = None
        return given or super().generate_span_id()


class Traces(Hook):
    """Makes spans of settled messages. Thread-safe: each part works in one thread."""

    def __init__(self, system: str, processor: SpanProcessor) -> None:
        self._system, self._ids = system, _GivenIds()
        named = Resource({SERVICE_NAME: "postroom"}).merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=named, id_generator=self._ids)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("postroom", version(), SCHEMA)
        self._pending: dict[str, dict[str, tuple[Answer, int]]] = {}

    def close(self) -> None:
        """Export what is left."""
        self._provider.shutdown()

    def handed_over(self, messages: Sequence[Message]) -> None:
        """The root span of each mail that was handed to intake."""
        for message in messages:
            trace, span = trace_of(message)
            if span is not None:
                attributes = {DESTINATION: message.to, OPERATION_TYPE: "send", OPERATION_NAME: "send"}
                self._begin(f"send {message.to}", SpanKind.PRODUCER, (trace, None), span, attributes).end()

    def taken(self, details: Taken) -> None:
        """Forget what was decided and never settled: it comes again."""
        self._pending.pop(details.part, None)

    def decided(self, details: Decided) -> None:
        """Keep the decisions until they are settled."""
        now, pending = time.time_ns(), self._pending.setdefault(details.part, {})
        for answer in details.answers:
            pending[answer.delivery.message.id] = answer, now

    def settled(self, details: Settled) -> None:
        """Make the span of a message that is done."""
        self._end(details.part, details.id, "done")

    def retried(self, details: Retried) -> None:
        """Make the span of a message that comes again."""
        self._end(details.part, details.id, "retry" if details.counted else "wait")

    def failed(self, details: Failed) -> None:
        """Make the span of a message that went to the dead letters."""
        self._end(details.part, details.id, "failed")

    def _end(self, stage: str, id_: str, result: str) -> None:
        found = self._pending.get(stage, {}).pop(id_, None)
        if found is None:
            return
        answer, at = found
        message = answer.delivery.message
        attributes = {
            DESTINATION: answer.delivery.queue,
            OPERATION_TYPE: "process",
            OPERATION_NAME: "process",
            RESULT: result,
            CONVERSATION: answer.mail_id,
        }
        began, id_ = at - round(answer.seconds * 1e9), span_id(message, stage)
        span = self._begin(f"process {stage}", SpanKind.CONSUMER, trace_of(message), id_, attributes, began)
        if result == "failed":
            span.set_status(Status(StatusCode.ERROR))
        span.end(at)

    def _begin(
        self,
        name: str,
        kind: SpanKind,
        parent: tuple[str, str | None],
        id_: str,
        attributes: dict[str, str],
        at: int | None = None,
    ) -> Span:
        trace, span = parent
        self._ids.next.trace, self._ids.next.id = int(trace, 16), int(id_, 16)
        context = Context() if span is None else _remote(trace, span)
        return self._tracer.start_span(name, context, kind, {SYSTEM: self._system, **attributes}, start_time=at)


def _remote(trace: str, span: str) -> Context:
    context = SpanContext(int(trace, 16), int(span, 16), is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED))
    return set_span_in_context(NonRecordingSpan(context))


def traces(app: App, exporter: SpanExporter) -> Traces:
    """The traces of a process, on an app whose intake makes the roots."""
    made = Traces("rabbitmq" if app.location.broker_url else "postroom", BatchSpanProcessor(exporter))
    app.intake.observers.append(made.handed_over)
    return made


def otlp_traces(app: App) -> Traces:
    """The same, exported as the standard variables `OTEL_*` say."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    return traces(app, OTLPSpanExporter())
