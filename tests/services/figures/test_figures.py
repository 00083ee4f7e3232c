"""Figures: what a desk does is counted, what its store holds is read by one process, and no label names a mail."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from typing import Any
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families

from services import runner
from services.figures.counting import Counting
from services.figures.declarations import FIGURES, UNKNOWN
from services.figures.gauges import StoreGauges, samples
from services.figures.health import STILL_SECONDS, Pulse, unready
from services.figures.server import FiguresOfProcess
from services.operator.health import conservation
from shared.config.model import Rule
from shared.contracts.errors import Unavailable
from shared.runtime import worker as worker_module
from shared.runtime.broker import Delivery, Message
from shared.runtime.hooks import Answer, Decided, Paused, Resumed, Retried, Round, Settled, Taken
from shared.runtime.outcome import Emit, MailEnded
from shared.runtime.worker import Worker
from tests.builders import a_configuration, a_mail
from tests.desk import Desk
from tests.servers.presence import PATIENCE_SECONDS


def values(registry: CollectorRegistry) -> dict[tuple[str, ...], float]:
    """Every sample of Postroom as (name without prefix, label values in the order of the declaration) → value."""
    from prometheus_client import generate_latest

    order = {each.name: each.labels for each in FIGURES}
    found: dict[tuple[str, ...], float] = {}
    for family in text_string_to_metric_families(generate_latest(registry).decode()):
        for sample in family.samples:
            if sample.name in order:
                labels = tuple(sample.labels[label] for label in order[sample.name])
                found[(sample.name.removeprefix("postroom_"), *labels)] = sample.value
    return found


class Watched:
    """A desk whose work is counted."""

    def __init__(self, desk: Desk) -> None:
        self.desk, self.figures = desk, FiguresOfProcess(desk.app, reads_store=True)

    def work(self) -> None:
        """Let every stage work."""
        runner.run_all(self.desk.app, threading.Event(), once=True, sources=False, hooks=self.figures.hooks)

    def values(self) -> dict[tuple[str, ...], float]:
        """All samples, with the gauges read anew."""
        assert self.figures.gauges
        self.figures.gauges.read()
        return values(self.figures.registry)


@pytest.fixture
def watched(desk: Desk) -> Watched:
    """A desk with one inbox, `support`."""
    desk.configure(a_configuration())
    return Watched(desk)


@pytest.mark.req("PR-14")
def test_a_mail_is_counted_from_intake_to_its_outcome(watched: Watched) -> None:
    watched.desk.hand_in(a_mail("Printer"), inbox="support")
    watched.work()
    found = watched.values()
    assert found["mails_seen_total", "support", "queue"] == 1
    assert found["mails_finished_total", "support", "recorded"] == 1
    for stage in ("parser", "filter", "sender-matcher", "record-writer"):
        assert found["stage_messages_total", stage, "done"] == 1
    assert watched.figures.registry.get_sample_value("postroom_mail_duration_seconds_count", {"inbox": "support"}) == 1
    stage = {"stage": "parser"}
    assert watched.figures.registry.get_sample_value("postroom_stage_duration_seconds_count", stage) == 1


def test_a_rejected_mail_is_counted_with_its_rule(watched: Watched) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "mailer-daemon@example.com", "support@example.com", "Out of office"
    mail["Auto-Submitted"] = "auto-replied"
    mail.set_content("I am away")
    watched.desk.hand_in(mail.as_bytes(), inbox="support")
    watched.work()
    found = watched.values()
    (rejected,) = [labels for name, *labels in found if name == "mails_rejected_total"]
    assert found["mails_finished_total", "support", "rejected"] == 1
    assert found["rule_matches_total", rejected[1]] == 1


def test_a_mail_that_cannot_be_handled_is_counted_as_dead(watched: Watched) -> None:
    watched.desk.hand_in(a_mail("Where"), inbox="mallory@example.com")
    watched.work()
    found = watched.values()
    assert found["stage_messages_total", "parser", "failed"] == 1
    assert found["mails_finished_total", UNKNOWN, "dead"] == 1
    assert found["dead_letters_open", "parser"] == 1
    assert not any("mallory" in part for key in found for part in key)


def test_gauges_say_what_the_store_holds(watched: Watched) -> None:
    watched.desk.hand_in(a_mail("One"), a_mail("Two"), inbox="support")
    before = watched.values()
    assert before["queue_messages", "intake", "ready"] == 2
    watched.work()
    found = watched.values()
    assert found["queue_messages", "intake", "ready"] == 0
    assert found["mails_in_flight",] == 0
    assert found["conservation_difference",] == 0
    assert found["config_last_apply_success",] == 1


@pytest.mark.req("PR-14")
def test_a_lost_message_is_a_difference(watched: Watched, monkeypatch: pytest.MonkeyPatch) -> None:
    watched.desk.hand_in(a_mail("Lost"), inbox="support")
    broker = watched.desk.app.broker
    monkeypatch.setattr(broker, "depths", lambda: [replace(each, ready=0) for each in type(broker).depths(broker)])
    assert conservation.check(watched.desk.app, patience=0).difference == 1


def test_every_figure_has_the_declared_labels(watched: Watched) -> None:
    for labels in (("login",), ("throttled",), ("own",)):
        retried = Retried("fetcher", "support", "", "", "no", 30.0, counted=True, kind=labels[0])
        watched.figures.hooks[0].retried(retried)
    watched.figures.hooks[0].paused(Paused("filter", "filter", "no store", "unavailable"))
    found = watched.values()
    assert found["inbox_visit_errors_total", "support", "login"] == 1
    assert found["inbox_throttled_seconds_total", "support"] == 30
    assert found["publish_failures_total", "filter", "unavailable"] == 1
    assert found["publish_failures_total", "intake", "unavailable"] == 1
    assert found["worker_paused", "filter"] == 1
    watched.figures.hooks[0].resumed(Resumed("filter", "filter", 1.0))
    assert watched.values()["worker_paused", "filter"] == 0


def test_only_declared_figures_are_served(watched: Watched) -> None:
    watched.desk.hand_in(a_mail("Printer"), inbox="support")
    watched.work()
    text = watched.figures.metrics_response().decode()
    declared = {each.name + end for each in FIGURES for end in ("", "_bucket", "_sum", "_count")}
    served = {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}
    assert {name for name in served if name.startswith("postroom_")} <= declared


def test_gauges_of_the_store_come_from_one_process(desk: Desk) -> None:
    desk.configure(a_configuration())
    first, second = (StoreGauges(desk.app, CollectorRegistry()) for _ in range(2))
    stop = threading.Event()
    threads = [threading.Thread(target=each.run, args=(stop,)) for each in (first, second)]
    threads[0].start()
    wait_for(lambda: bool(list(first.collect())))
    threads[1].start()
    try:
        assert list(first.collect())
        assert not list(second.collect())
    finally:
        stop.set()
        for each in threads:
            each.join()
    assert not list(first.collect())


def test_an_unavailable_store_has_no_gauges(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> Any:
        raise Unavailable("no broker")

    monkeypatch.setattr(desk.app.broker, "depths", away)
    with pytest.raises(Unavailable):
        list(samples(desk.app))
    assert unready(desk.app) == "broker: no broker"


def test_a_process_whose_broker_takes_no_messages_is_not_ready(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def blocked() -> None:
        raise Unavailable("RabbitMQ takes no messages now")

    monkeypatch.setattr(desk.app.broker, "ping", blocked)
    assert unready(desk.app) == "broker: RabbitMQ takes no messages now"


def test_a_loop_that_stands_still_is_not_live() -> None:
    now = [0.0]
    pulse = Pulse(lambda: now[0])
    pulse.round(Round("filter"))
    pulse.round(Round("parser"))
    now[0] += STILL_SECONDS / 2
    pulse.round(Round("filter"))
    now[0] += STILL_SECONDS / 2 + 1
    assert pulse.problem() is None  # one thread, in which both take turns
    in_a_thread(lambda: pulse.round(Round("parser")))
    now[0] += STILL_SECONDS / 2
    pulse.round(Round("filter"))
    now[0] += STILL_SECONDS / 2 + 1
    assert pulse.problem() == "no progress for 180 s: parser"
    pulse.round(Round(""))  # this thread waits for a dependency, and the other one stands still
    assert pulse.problem() == "no progress for 180 s: parser"
    pulse.round(Round("parser"))
    assert pulse.problem() is None


def test_a_loop_that_talks_to_slow_servers_is_given_longer() -> None:
    now = [0.0]
    pulse = Pulse(lambda: now[0])
    for part in ("notifier", "exporter", "schedule"):
        pulse.round(Round(part))
    now[0] += STILL_SECONDS + 1
    assert pulse.problem() is None
    now[0] = 901.0
    assert pulse.problem() == "no progress for 900 s: exporter, notifier, schedule"


def test_a_batch_that_takes_long_goes_on_message_by_message(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The notifier: a slow server, and several mails in one batch."""
    monkeypatch.setattr(worker_module, "ROUND_SECONDS", 0.0)
    pulse = Pulse()
    handled = list[float]()

    def handle(_: object) -> Emit:
        handled.append(pulse._at["notifier"])
        return Emit()

    stage = replace(runner.STAGES["notifier"](desk.app), handle=handle, decode=lambda message: message)
    worker = Worker(stage, runner.worker_dependencies(desk.app, pulse))
    deliveries = [Delivery(Message(str(each), "notifier", b"{}"), "notifier", 0, None) for each in range(3)]
    answers, _ = worker.decide_all([worker.prepare(each) for each in deliveries])
    assert len(answers) == 3
    assert len(set(handled)) == 3
    worker.consumer.close()


def in_a_thread(work: Callable[[], None]) -> None:
    """Do it in a thread of its own."""
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


def test_a_decision_that_was_not_settled_is_not_counted(desk: Desk) -> None:
    counting, registry = _counting(desk)
    delivery = Delivery(Message("one", "filter", b""), "filter", 0, None)
    counting.decided(Decided("filter", "filter", [Answer(delivery, Emit(ended=MailEnded("rejected", "support")))]))
    counting.taken(Taken("filter", "filter", 1, 0.0))
    counting.settled(Settled("filter", "filter", "one", "", 0.1))
    assert not [key for key in values(registry) if key[0] == "mails_finished_total"]


def test_a_configured_rule_with_the_name_of_one_of_ours_is_counted_as_configured(desk: Desk) -> None:
    """What is subtracted as probes of canaries is these alone."""
    desk.configure(a_configuration(rules=(Rule("canary", {"subject": ["bird"]}), Rule("size", {"subject": ["big"]}))))
    counting, registry = _counting(desk)
    for part, rule in (("filter", "canary"), ("record-writer", "canary"), ("filter", "size"), ("filter", "bounce")):
        counting._count_mail(MailEnded("rejected", "support", rule=rule), part)
    rejected = {key[2]: value for key, value in values(registry).items() if key[0] == "mails_rejected_total"}
    assert rejected == {"configured-rule": 1.0, "canary": 1.0, "size": 1.0, "bounce": 1.0}


def _counting(desk: Desk) -> tuple[Counting, CollectorRegistry]:
    registry = CollectorRegistry()
    return Counting(desk.app, registry), registry


def test_the_duration_is_from_receipt_to_outcome(watched: Watched) -> None:
    counting = watched.figures.hooks[0]
    assert isinstance(counting, Counting)
    received = watched.desk.clock.at - timedelta(seconds=90)
    counting._count_mail(MailEnded("recorded", "support", received), "record-writer")
    found = watched.figures.registry.get_sample_value("postroom_mail_duration_seconds_sum", {"inbox": "support"})
    assert found == pytest.approx(90, abs=1)


@pytest.fixture
def served(watched: Watched) -> Iterator[str]:
    """The address of the figures of a process."""
    from services.figures import server

    with server.served(watched.desk.app, "127.0.0.1", 0, reads_store=True) as figures:
        yield figures.address


def test_the_port_serves_metrics_and_health(served: str) -> None:
    with urlopen(f"http://{served}/metrics", timeout=PATIENCE_SECONDS) as answer:
        assert b"postroom_build_info" in answer.read()
    for path in ("livez", "readyz"):
        with urlopen(f"http://{served}/{path}", timeout=PATIENCE_SECONDS) as answer:
            assert answer.read() == b"ok\n"
    with pytest.raises(HTTPError, match="404"):
        urlopen(f"http://{served}/", timeout=PATIENCE_SECONDS)


def test_a_process_that_cannot_work_is_not_ready(
    watched: Watched, served: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> Any:
        raise Unavailable("no broker")

    monkeypatch.setattr(watched.desk.app.broker, "depths", away)
    with pytest.raises(HTTPError, match="503") as refused:
        urlopen(f"http://{served}/readyz", timeout=PATIENCE_SECONDS)
    assert refused.value.read() == b"broker: no broker\n"


def wait_for(holds: Any, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until something holds."""
    import time

    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, "it never happened"
        threading.Event().wait(0.02)
