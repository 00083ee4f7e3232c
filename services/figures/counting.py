"""Counters and histograms of one process, fed by hooks. Separate from the gauges, which one process alone reads.

A decision is counted when its message is settled: one that the store or the broker did not take comes again, and is
counted then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from services.figures import declarations as figures
from services.filter.rules import OWN_NAMES
from shared.contracts.errors import PostroomError
from shared.intake import SOURCE, SOURCES
from shared.runtime.broker import INTAKE
from shared.runtime.hooks import Answer, Decided, Failed, Hook, Paused, Resumed, Retried, Settled, Taken
from shared.runtime.outcome import Emit, MailEnded, OutgoingEnded
from shared.store.canaries import PROBE
from shared.version import version

if TYPE_CHECKING:
    from services.figures.declarations import Figure
    from shared.app import App

FETCHER: Final = "fetcher"
OWN_RULES: Final = {"filter": OWN_NAMES, "record-writer": frozenset({PROBE})}
"""Postroom's own rules by the stage that applies them: a rule of the configuration may have the name of one."""


class Counting(Hook):
    """Counts what stages and the fetcher do. Thread-safe: each part works in one thread, and has its own answers."""

    def __init__(self, app: App, registry: CollectorRegistry) -> None:
        self._app = app
        self._pending: dict[str, dict[str, Answer]] = {}
        self._count = {
            each.short: _made(each, registry)
            for each in figures.FIGURES
            if not each.from_store and each.kind == "counter"
        }
        self._paused = _gauge(figures.WORKER_PAUSED, registry)
        self._mail_seconds, self._stage_seconds = (
            _histogram(each, registry) for each in (figures.MAIL_DURATION, figures.STAGE_DURATION)
        )
        _gauge(figures.BUILD_INFO, registry).labels(version()).set(1)
        self._add = _remembered(self._count)
        self._mail_timer = _remembered_timer(self._mail_seconds)
        self._stage_timer = _remembered_timer(self._stage_seconds)

    def taken(self, details: Taken) -> None:
        """Forget what was decided and never settled: it comes again."""
        self._pending.pop(details.part, None)

    def decided(self, details: Decided) -> None:
        """Keep the decisions until they are settled."""
        pending = self._pending.setdefault(details.part, {})
        for answer in details.answers:
            pending[answer.delivery.message.id] = answer

    def settled(self, details: Settled) -> None:
        """Count a message that is done; the fetcher's mails are counted when intake has them."""
        if details.part != FETCHER and (answer := self._finished(details.part, details.id, "done")):
            self._count_answer(answer, details.part)

    def retried(self, details: Retried) -> None:
        """Count a message that comes again, or a failed visit."""
        if details.part != FETCHER:
            self._finished(details.part, details.id, "retry" if details.counted else "wait")
        elif not details.id:
            self._count_visit(details)

    def failed(self, details: Failed) -> None:
        """Count a message that went to the dead letters."""
        if details.part != FETCHER and (answer := self._finished(details.part, details.id, "failed")):
            self._count_arrival(answer)

    def paused(self, details: Paused) -> None:
        """Note that a stage waits."""
        self._paused.labels(details.part).set(1)
        if details.kind:
            self._add(figures.PUBLISH_FAILURES, (details.source or details.part, details.kind))

    def resumed(self, details: Resumed) -> None:
        """Note that it works again."""
        self._paused.labels(details.part).set(0)

    def _finished(self, part: str, id_: str, result: str) -> Answer | None:
        self._add(figures.STAGE_MESSAGES, (part, result))
        answer = self._pending.get(part, {}).pop(id_, None)
        if answer:
            self._stage_timer((part,)).observe(answer.seconds)
        return answer

    def _count_visit(self, failed: Retried) -> None:
        self._add(figures.VISIT_ERRORS, (failed.source, failed.kind))
        if failed.kind == "throttled":
            self._add(figures.THROTTLED, (failed.source,), failed.after_seconds or 0.0)
        if failed.kind == "own":
            self._add(figures.PUBLISH_FAILURES, (INTAKE, "unavailable"))

    def _count_answer(self, answer: Answer, part: str) -> None:
        self._count_arrival(answer)
        match answer.outcome.ended if isinstance(answer.outcome, Emit) else None:
            case MailEnded() as ended:
                self._count_mail(ended, part)
            case OutgoingEnded(server, result):
                self._add(figures.OUTBOX_SENT, (server, result))

    def _count_arrival(self, answer: Answer) -> None:
        if answer.delivery.queue == INTAKE:
            headers = answer.delivery.message.headers
            source = str(headers.get(SOURCE, ""))
            inbox = self._inbox(str(headers.get("inbox", "")))
            self._add(figures.MAILS_SEEN, (inbox, source if source in SOURCES else "queue"))

    def _inbox(self, name: str) -> str:
        """The label of an inbox: only names of the configuration; the default one where a message names none."""
        try:
            current = self._app.directory.current()
        except PostroomError:
            return figures.UNKNOWN
        found = current.inbox(name) if name else current.default_inbox
        return found.name if found else figures.UNKNOWN

    def _count_mail(self, ended: MailEnded, part: str) -> None:
        inbox = self._inbox(ended.inbox)
        self._add(figures.MAILS_FINISHED, (inbox, ended.outcome))
        if ended.received_at is not None:
            self._mail_timer((inbox,)).observe((self._app.clock.now() - ended.received_at).total_seconds())
        if ended.outcome == "rejected":
            self._add(figures.MAILS_REJECTED, (inbox, self._reason(ended.rule, part)))
            self._add(figures.RULE_MATCHES, (ended.rule,))

    def _reason(self, rule: str, part: str) -> str:
        """One of a closed list: Postroom's own rules by name, those of the configuration together."""
        if rule in OWN_RULES.get(part, ()):
            return rule
        rules = self._app.directory.current().all_rules
        return "configured-rule" if any(each.name == rule for each in rules) else "record-writer"


def _made(figure: Figure, registry: CollectorRegistry) -> Counter:
    return Counter(figure.name.removesuffix("_total"), figure.help, figure.labels, registry=registry)


def _gauge(figure: Figure, registry: CollectorRegistry) -> Gauge:
    return Gauge(figure.name, figure.help, figure.labels, registry=registry)


def _histogram(figure: Figure, registry: CollectorRegistry) -> Histogram:
    return Histogram(figure.name, figure.help, figure.labels, buckets=figure.buckets, registry=registry)


def _remembered(counters: dict[str, Counter]) -> Callable[..., None]:
    """What adds to a counter; looking up a child in the library costs more than counting, so children are kept."""
    children: dict[tuple[str, tuple[str, ...]], Counter] = {}

    def add(figure: Figure, labels: tuple[str, ...], amount: float = 1) -> None:
        child = children.get((figure.short, labels))
        if child is None:
            child = children[figure.short, labels] = counters[figure.short].labels(*labels)
        child.inc(amount)

    return add


def _remembered_timer(histogram: Histogram) -> Callable[[tuple[str, ...]], Histogram]:
    children: dict[tuple[str, ...], Histogram] = {}

    def child(labels: tuple[str, ...]) -> Histogram:
        if labels not in children:
            children[labels] = histogram.labels(*labels)
        return children[labels]

    return child
