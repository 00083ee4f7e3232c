"""The back-test in the console: from a changed configuration to mails side by side, without writing to the desk."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from services.console.application import build
from services.console.options import Options
from services.console.screens import backtest as screen
from services.operator.trial import backtest_runs
from shared.config.model import Rule
from shared.store.mails import MailQuery
from tests.builders import a_configuration, a_mail, an_analyst, an_inbox
from tests.desk import Desk
from tests.servers.presence import PATIENCE_SECONDS
from tests.services.console.conftest import Client, Clients, TestClient

if TYPE_CHECKING:
    from playwright.sync_api import Browser

CHANGED = "rules: [{name: coffee, match: {subject: [coffee]}, action: reject, reason: not about coffee}]"


@pytest.fixture
def archive(desk: Desk) -> Desk:
    """A desk with two mails."""
    desk.configure(a_configuration(an_inbox(), an_analyst("ann")))
    desk.receive(a_mail(subject="Printer"), a_mail(subject="<b>Coffee</b> is out"))
    return desk


def begun(client: Client, configuration: str = CHANGED) -> str:
    """The path of a new back-test."""
    answer = client.submit("/try/backtest", configuration=configuration, days="30")
    assert answer.status_code == 303
    return str(answer.headers["location"])


def ended(desk: Desk, client: Client, path: str) -> str:
    """The page of a back-test at its end."""
    run = screen.runs_of(desk.app).get(path.rpartition("/")[2])
    assert run is not None
    run.thread.join(PATIENCE_SECONDS)
    return str(client.get(path).text)


def test_what_would_differ_is_shown_side_by_side(archive: Desk, clients: Clients) -> None:
    client = clients("administrator")
    page = ended(archive, client, begun(client))
    assert "1 of 2 mails would differ" in page
    assert "not about coffee" in page
    assert "&lt;b&gt;Coffee&lt;/b&gt; is out" in page
    assert "<b>Coffee" not in page
    assert "Printer" not in page
    assert archive.app.directory.renew().rules == ()


def test_the_form_has_the_configuration_in_force(archive: Desk, clients: Clients) -> None:
    rule = Rule("tea", {"subject": ("tea",)}, reason="</textarea><script>")
    archive.configure(replace(a_configuration(an_inbox(), an_analyst("ann")), rules=(rule,)))
    page = clients("administrator").get("/try/backtest").text
    assert "name: support" in page
    assert "</textarea><script>" not in page


def test_a_mistake_is_shown_with_its_line_and_what_was_written_stays(archive: Desk, clients: Clients) -> None:
    client = clients("administrator")
    answer = client.submit("/try/backtest", configuration="settings:\n  nonsense: 1\n")
    assert answer.status_code == 422
    assert "nonsense" in answer.text
    assert re.search(r"<textarea[^>]*>settings:\s+nonsense: 1", answer.text)


def test_one_runs_at_a_time_and_can_be_stopped(
    archive: Desk, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = clients("administrator")
    path = begun(client)
    run = screen.runs_of(archive.app).get(path.rpartition("/")[2])
    assert run is not None
    run.thread.join(PATIENCE_SECONDS)
    run.state = "running"
    assert "a back-test is running" in client.submit("/try/backtest", configuration=CHANGED).text
    assert "Stop" in client.get(path).text
    client.submit(f"{path}/stop")
    assert run.stop.is_set()


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_only_administrators_see_it(archive: Desk, clients: Clients, role: str) -> None:
    client = clients(role)
    assert client.get("/try/backtest").status_code == 403
    assert client.submit("/try/backtest", configuration=CHANGED).status_code == 403


def test_a_run_ends_with_the_console_before_the_store_is_closed(archive: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def endless(*_: object) -> Iterator[None]:
        while True:
            yield time.sleep(0.001)

    monkeypatch.setattr(backtest_runs, "compare_all", endless)
    with TestClient(build(archive.app, Options()), base_url="http://localhost"):
        configuration, query = archive.app.directory.current(), MailQuery()
        run = screen.runs_of(archive.app).start(archive.app, configuration, query, "olga", "all")
        assert run.thread.is_alive()
    assert not run.thread.is_alive()
    assert run.state == "stopped"


def test_a_run_that_does_not_exist_is_not_found(archive: Desk, clients: Clients) -> None:
    assert clients("administrator").get("/try/backtest/nothing").status_code == 404


def test_it_works_in_a_browser_without_javascript(archive: Desk, served: str, chromium: Browser) -> None:
    from services.operator.permissions import access

    access.add_user(archive.app, "olga", "administrator", "correct horse battery")
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{served}sign-in")
    page.fill("input[name=name]", "olga")
    page.fill("input[name=password]", "correct horse battery")
    page.click("main button")
    page.goto(f"{served}try/backtest")
    page.fill("textarea", CHANGED)
    with page.expect_navigation():
        page.click("text=Compare")
    run = screen.runs_of(archive.app).every()[0]
    run.thread.join(PATIENCE_SECONDS)
    page.reload()
    assert "1 of 2 mails would differ" in page.inner_text("main")
    context.close()


def test_a_configuration_from_a_browser_reads_no_file_of_the_machine(
    archive: Desk, clients: Clients, tmp_path: Path
) -> None:
    file = tmp_path / "logo.png"
    file.write_bytes(b"x")
    images = f"{{logo: {file}}}"
    written = f"mail_templates: [{{name: created, subject: x, text: x, html: x, images: {images}}}]"
    answer = clients("administrator").submit("/try/backtest", configuration=written)
    assert answer.status_code == 422
    assert "no file can be read here" in answer.text
