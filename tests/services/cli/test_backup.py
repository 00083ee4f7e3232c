"""`backup` while `up` runs, and `restore`: nothing that was handed in is missing afterwards."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
from click.testing import CliRunner

from services.cli.main import cli
from tests.builders import a_mail
from tests.servers.presence import PATIENCE_SECONDS
from tests.services.cli.conftest import Run
from tests.services.cli.test_running import start, wait_for

MAILS = 20


def test_a_backup_of_a_running_desk_restores_to_a_whole_one(run: Run, data: Path, tmp_path: Path) -> None:
    run("inbox", "list")
    process = start("up", "--data", data)
    try:
        for number in range(MAILS):
            run("publish", "-", stdin=a_mail(f"Number {number}"))
        wait_for(lambda: bool(run("records", "list", "--json").out))
        done = run("backup", tmp_path / "copy", "--json")
        in_use = run("restore", tmp_path / "copy", "--replace")
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=PATIENCE_SECONDS) == 0
    finally:
        process.kill()
        process.communicate()
    assert done.code == 0
    assert (in_use.code, in_use.err) == (1, f"Error: Postroom is running on {data}; stop it first\n")
    assert run("restore", tmp_path / "copy", "--replace").code == 0
    restored = [str(tmp_path / "copy"), "--data", str(tmp_path / "new"), "--json"]
    assert CliRunner().invoke(cli, ["restore", *restored]).exit_code == 0
    assert CliRunner().invoke(cli, ["up", "--once", "--data", str(tmp_path / "new")]).exit_code == 0
    doctor = CliRunner().invoke(cli, ["doctor", "--data", str(tmp_path / "new")])
    assert doctor.exit_code == 0
    assert f"{MAILS} arrivals, {MAILS} with an outcome" in doctor.stdout


def test_a_backup_says_what_it_holds(run: Run, tmp_path: Path) -> None:
    run("publish", "-", stdin=a_mail())
    done = run("backup", tmp_path / "copy")
    assert done.out == f"backed up {tmp_path / 'copy'}: mails 0, records 0, people 1, outgoing 0, messages 1\n"


def test_a_backup_into_a_folder_that_is_missing_is_not_for_later(run: Run, tmp_path: Path) -> None:
    run("publish", "-", stdin=a_mail())
    done = run("backup", tmp_path / "missing" / "copy")
    what = f"Error: there is no folder {tmp_path / 'missing'}; make it, or name a file elsewhere\n"
    assert (done.code, done.err) == (1, what)


def test_a_restore_into_a_folder_with_something_needs_a_word(run: Run, tmp_path: Path) -> None:
    run("publish", "-", stdin=a_mail())
    run("backup", tmp_path / "copy")
    refused = run("restore", tmp_path / "copy")
    assert refused.code == 1
    assert "not empty" in refused.err
    assert run("restore", tmp_path / "copy", "--replace").code == 0


@pytest.mark.parametrize("command", ["backup", "restore"])
def test_a_backup_is_for_the_embedded_default(
    run: Run, tmp_path: Path, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "copy").touch()
    monkeypatch.setenv("POSTROOM_STORE_URL", "mongodb://db/")
    done = run(command, tmp_path / "copy")
    assert done.code == 2
    assert "docs/operations.md" in done.err
