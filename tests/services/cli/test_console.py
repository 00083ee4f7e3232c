"""The console beside `postroom up`: an addition, never a reason not to start."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import nullcontext

import pytest

from services.cli import console, up
from services.cli.figures import Observed
from services.console.options import Options
from tests.desk import Desk
from tests.services.cli.conftest import Run

WEB = ("starlette", "uvicorn", "jinja2", "argon2", "multipart")


def test_without_the_extra_the_workers_run_alone(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "LIBRARIES", ("no_such_package",))
    with up._console(desk.app, Observed((), None)):
        pass
    assert isinstance(up._console(desk.app, Observed((), None)), nullcontext)


def test_a_port_that_is_taken_is_a_note(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("POSTROOM_CONSOLE_PORT", str(taken.getsockname()[1]))
        assert isinstance(up._console(desk.app, Observed((), None)), nullcontext)
    assert "note: the console cannot listen on 127.0.0.1:" in capsys.readouterr().err


def test_the_commands_of_mail_import_nothing_of_the_web() -> None:
    script = (
        "import sys; import services.cli.up, services.runner, services.cli.console, services.cli.user;"
        f"print([name for name in {WEB!r} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("port", ["²", "http", "70000", "-1"])
def test_an_invalid_port_is_an_error(port: str) -> None:
    from shared.contracts.errors import Misconfigured

    with pytest.raises(Misconfigured, match="POSTROOM_CONSOLE_PORT"):
        Options.from_environment({"POSTROOM_CONSOLE_PORT": port})


@pytest.mark.parametrize("networks", ["proxy", "10.0.0.0/8, proxy.example", "10.0.0.0/99"])
def test_a_proxy_that_is_not_a_network_is_an_error_at_the_start(networks: str) -> None:
    """Each request would end in an error otherwise."""
    from shared.contracts.errors import Misconfigured

    with pytest.raises(Misconfigured, match=r"POSTROOM_CONSOLE_TRUSTED_PROXIES has .*; write addresses or networks"):
        Options.from_environment({"POSTROOM_CONSOLE_TRUSTED_PROXIES": networks})


@pytest.mark.parametrize(
    ("written", "secure"), [("1", True), ("yes", True), ("0", False), ("off", False), ("No", False)]
)
def test_https_is_switched_off_by_the_usual_words(written: str, secure: bool) -> None:
    assert Options.from_environment({"POSTROOM_CONSOLE_HTTPS": written}).secure is secure


def test_an_invalid_port_of_metrics_names_its_variable(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTROOM_METRICS_PORT", "http")
    done = run("up", "--once")
    assert (done.code, "POSTROOM_METRICS_PORT" in done.err) == (2, True)
