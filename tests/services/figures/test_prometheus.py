"""Alert rules and dashboards fit what Postroom exposes, and a real Prometheus scrapes a running desk."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from services import runner
from services.figures import server
from services.figures.declarations import FIGURES
from shared.config.model import Canary, CommandPolicy, OAuth
from shared.config.values import Secret
from shared.runtime.broker import PARKED, Message
from shared.runtime.hooks import Paused, Retried
from tests.builders import a_configuration, a_mail, an_inbox
from tests.desk import Desk
from tests.servers import prometheus
from tests.servers.presence import PATIENCE_SECONDS

ROOT: Final = Path(__file__).parents[3]
RULES: Final = ROOT / "deploy" / "prometheus" / "alerts.yml"
RULE_TESTS: Final = RULES.with_name("alerts_test.yml")
DASHBOARDS: Final = sorted((ROOT / "deploy" / "grafana").glob("*.json"))
METRIC: Final = re.compile(r"\bpostroom_\w+(?:\{([^}]*)\})?")
SAMPLES: Final = {
    each.name + end: {*each.labels, *({"le"} if end else ())}
    for each in FIGURES
    for end in (("_bucket", "_sum", "_count") if each.kind == "histogram" else ("",))
}
"""Name of a sample → its labels."""
LABELS: Final = {"le", "job", "instance", *(label for each in FIGURES for label in each.labels)}


def rules() -> list[dict[str, Any]]:
    """The alert rules."""
    found: list[dict[str, Any]] = yaml.safe_load(RULES.read_text("utf-8"))["groups"][0]["rules"]
    return found


def expressions() -> Iterator[str]:
    """Every expression of rules and dashboards."""
    yield from (each["expr"] for each in rules())
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text("utf-8"))["panels"]:
            yield from (each["expr"] for each in panel["targets"])


def test_rules_and_dashboards_name_metrics_and_labels_that_exist() -> None:
    named = set[str]()
    for expression in expressions():
        for found in METRIC.finditer(expression):
            name = found[0].partition("{")[0]
            named.add(name)
            assert name in SAMPLES, f"{name} of {expression}"
            assert set(re.findall(r"(\w+)\s*[=!]~?", found[1] or "")) <= SAMPLES[name], expression
        for labels in re.findall(r"\b(?:by|on) \(([^)]*)\)", expression):
            assert {each.strip() for each in labels.split(",") if each.strip()} <= LABELS, expression
    unused = {name.removesuffix("_bucket") for name in named} ^ {each.name for each in FIGURES}
    assert unused == {"postroom_build_info"}, "every metric is in a rule or on a dashboard"


def test_a_legend_names_labels_that_its_expression_keeps() -> None:
    for path in DASHBOARDS:
        for panel in json.loads(path.read_text("utf-8"))["panels"]:
            for target in panel["targets"]:
                kept = {label for group in re.findall(r"by \(([^)]*)\)", target["expr"]) for label in group.split(", ")}
                assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) <= kept, panel["title"]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_each_alert_links_to_its_paragraph(rule: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    titles = re.findall(r"^### (.*)$", page, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-"): title for title in titles}
    path, _, anchor = rule["annotations"]["runbook_url"].partition("#")
    assert path.endswith("docs/operations.md")
    assert f"### {anchors[anchor]}\n\n`{rule['alert']}`. " in page


def test_each_alert_has_a_planted_situation() -> None:
    cases = [
        each for test in yaml.safe_load(RULE_TESTS.read_text("utf-8"))["tests"] for each in test["alert_rule_test"]
    ]
    for rule in rules():
        fired = [bool(each["exp_alerts"]) for each in cases if each["alertname"] == rule["alert"]]
        assert sorted(fired) == [False, True], rule["alert"]


@pytest.mark.parametrize("words", [["check", "rules", RULES.name], ["test", "rules", RULE_TESTS.name]])
def test_promtool_accepts_the_rules_and_their_tests(words: list[str]) -> None:
    command = [prometheus.program("promtool"), *words]
    done = subprocess.run(
        command, cwd=RULES.parent, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_accepts_the_example_of_a_configuration() -> None:
    command = [prometheus.program("promtool"), "check", "config", "prometheus.yml"]
    done = subprocess.run(
        command, cwd=RULES.parent, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.req("PR-14")
def test_prometheus_scrapes_a_running_desk_and_its_alerts_fire(desk: Desk, tmp_path: Path) -> None:
    desk.configure(a_configuration())
    desk.hand_in(a_mail("Printer"), inbox="support")
    desk.hand_in(a_mail("Nowhere"), inbox="no such inbox")
    stop = threading.Event()
    immediate = tmp_path / "alerts.yml"
    immediate.write_text(re.sub(r"for: \w+", "for: 0s", RULES.read_text("utf-8")))
    with server.served(desk.app, "127.0.0.1", 0, reads_store=True) as figures:
        up = threading.Thread(
            target=runner.run_all, args=(desk.app, stop), kwargs={"hooks": figures.hooks, "sources": False}
        )
        up.start()
        try:
            with prometheus.running(tmp_path, figures.address, immediate) as running:
                finished = 'postroom_mails_finished_total{outcome="recorded"}'
                wait_for(lambda: list(running.values(finished).values()) == [1.0])
                assert figures.gauges
                figures.gauges.read()
                wait_for(lambda: "DeadLettersOpen" in firing(running))
                assert "MailsUnaccountedFor" not in firing(running)
                assert list(running.values('up{job="postroom"}').values()) == [1.0]
                assert list(running.values("sum(postroom_dead_letters_open)").values()) == [1.0]
        finally:
            stop.set()
            up.join()


@pytest.mark.req("PR-14")
def test_every_alert_fires_when_its_situation_is_scraped(desk: Desk, tmp_path: Path) -> None:
    """On a desk that no worker works at: what the store holds is planted, hooks get what a worker notices."""
    secret = OAuth("tenant", "client", client_secret=Secret("${X}"), client_secret_ends="2026-11-25")
    closed = an_inbox("closed", protocol="imap", host="127.0.0.1", port=9, username="bob", oauth=secret)
    commands, canary = CommandPolicy(reply_on_create=True), Canary(timedelta(minutes=5))
    desk.configure(a_configuration(closed, an_inbox("support", commands=commands, canary=canary)))
    desk.app.canaries.begin("support", desk.clock.now())
    desk.receive(a_mail("Printer"))
    desk.store.update("outbox", {"state": "unsent"}, {"$set": {"state": "waiting"}})
    desk.hand_in(a_mail("Lost"), a_mail("Waits"))
    db = desk.store.file.connection  # type: ignore[attr-defined]
    db.execute("DELETE FROM queue WHERE seq = (SELECT min(seq) FROM queue)")
    db.execute("UPDATE queue SET at = at - 1200")
    desk.app.broker.publish([Message("parked", PARKED, b"{}")])
    letter = Message("dead", "filter", b"{}", headers={"reason": "x", "stage": "filter", "queue": "filter"})
    desk.app.dead_letters.keep(letter, mail_id=None, inbox="support", at=desk.clock.now())
    desk.clock.advance(timedelta(minutes=20))
    immediate = tmp_path / "alerts.yml"
    immediate.write_text(re.sub(r"for: \w+", "for: 0s", RULES.read_text("utf-8")))
    with server.served(desk.app, "127.0.0.1", 0, reads_store=True) as figures:
        (counting, _), seen = figures.hooks, set[str]()
        refused = Retried("fetcher", "closed", "", "", "the login is refused", 60.0, counted=False, kind="login")
        counting.paused(Paused("filter", "filter", "paused by anna"))
        counting.retried(refused)
        assert figures.gauges
        figures.gauges.read()
        with prometheus.running(tmp_path, figures.address, immediate) as running:

            def all_of_the_store_fire() -> bool:
                seen.update(firing(running))
                return seen >= {each["alert"] for each in rules()} - {"ApplyFailed", "FiguresMissing"}

            wait_for(all_of_the_store_fire, what=lambda: seen)
            desk.store.update("settings", {"_id": "settings"}, {"$set": {"timezone": 5}})
            desk.store.upsert("settings", "settings", {"$inc": {"revision": 1}})
            desk.app.directory.renew()
            figures.gauges.read()
            wait_for(lambda: "ApplyFailed" in firing(running))


@pytest.mark.req("PR-14")
def test_an_alert_says_that_nobody_reads_store_and_queues(desk: Desk, tmp_path: Path) -> None:
    """Without a schedule the other alerts have nothing to fire on."""
    immediate = tmp_path / "alerts.yml"
    immediate.write_text(re.sub(r"for: \w+", "for: 0s", RULES.read_text("utf-8")))
    with (
        server.served(desk.app, "127.0.0.1", 0, reads_store=False) as figures,
        prometheus.running(tmp_path, figures.address, immediate) as running,
    ):
        wait_for(lambda: firing(running) == {"FiguresMissing"})


def firing(running: prometheus.Prometheus) -> set[str]:
    """The names of the alerts that fire."""
    return {each["labels"]["alertname"] for each in running.ask("alerts")["alerts"] if each["state"] == "firing"}


def wait_for(
    holds: Callable[[], bool], seconds: float = PATIENCE_SECONDS, what: Callable[[], object] = lambda: ""
) -> None:
    """Wait until something holds; `what` says how far it came."""
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, f"it never happened: {what()}"
        time.sleep(0.1)
