"""Probes and Prometheus on the console's own port: what they may learn, and that they need no session."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from services.console.application import build
from services.console.options import Options
from services.figures.server import FiguresOfProcess, collected
from shared.contracts.errors import Unavailable
from tests.builders import a_mail
from tests.desk import Desk
from tests.services.console.conftest import Client

Ask = Callable[..., tuple[int, str]]
TOKEN = "a token of metrics"
OF_PROMETHEUS = {"Host": "10.1.2.3:8025", "Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def figures(desk: Desk) -> Iterator[FiguresOfProcess]:
    with collected(desk.app, reads_store=False) as found:
        yield found


@pytest.fixture
def ask(desk: Desk) -> Iterator[Ask]:
    """Status and text of a GET that has no session, of a console with these figures."""
    with ExitStack() as stack:

        def answer(
            path: str, found: FiguresOfProcess | None = None, token: str = TOKEN, **headers: str
        ) -> tuple[int, str]:
            client = Client(build(desk.app, Options(metrics_token=token), figures=found), base_url="http://localhost")
            got = stack.enter_context(client).get(path, headers=headers)
            return got.status_code, got.text

        yield answer


@pytest.mark.parametrize("path", ["/livez", "/readyz"])
def test_a_probe_calls_by_address_and_needs_no_session(ask: Ask, path: str) -> None:
    assert ask(path, Host="10.1.2.3:8025") == (200, "ok\n")


def test_a_console_whose_store_is_unavailable_is_live_and_not_ready_and_says_no_more(
    desk: Desk, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unavailable() -> None:
        raise Unavailable("the data file /secret/place cannot be used")

    monkeypatch.setattr(desk.app.documents, "ping", unavailable)
    assert ask("/livez") == (200, "ok\n")
    assert ask("/readyz") == (503, "not ready\n")


def test_a_loop_that_stands_still_is_not_live(
    ask: Ask, figures: FiguresOfProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask("/livez", figures) == (200, "ok\n")
    monkeypatch.setattr(figures.pulse, "problem", lambda: "no round for 900 s: parser")
    assert ask("/livez", figures) == (503, "not live\n")


def test_figures_are_for_whoever_has_the_token(desk: Desk, ask: Ask, figures: FiguresOfProcess) -> None:
    desk.receive(a_mail())
    status, text = ask("/metrics", figures, **OF_PROMETHEUS)
    assert status == 200
    assert "postroom_mails_seen_total" in text
    for headers in ({}, {"Authorization": "Bearer other"}, {"Authorization": TOKEN}, {"Authorization": "Bearer "}):
        assert ask("/metrics", figures, **headers)[0] == 401, headers


def test_without_a_token_or_without_figures_there_is_no_such_page(ask: Ask, figures: FiguresOfProcess) -> None:
    assert ask("/metrics", figures, "", Authorization="Bearer ")[0] == 404
    assert ask("/metrics", None, **OF_PROMETHEUS)[0] == 404
