"""What holds for every command: exit codes, errors, options, help, quick starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from services.cli.base import Group, Problem, run
from services.cli.main import COMMANDS, cli
from services.cli.output import safe
from shared.contracts.errors import Misconfigured, Unavailable
from tests.servers.presence import PATIENCE_SECONDS
from tests.services.cli.conftest import Run

ROOT = Path(__file__).parents[3]


def postroom(*words: str, **options: object) -> subprocess.CompletedProcess[bytes]:
    """A real process."""
    command = [sys.executable, "-m", "services.cli.main", *words]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")}
    return subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, timeout=PATIENCE_SECONDS, check=False, **options
    )  # type: ignore[call-overload,no-any-return]


def leaves(command: click.Command, *path: str) -> list[tuple[str, ...]]:
    """Every command that does something."""
    if not isinstance(command, Group):
        return [path]
    context = click.Context(command)
    found = [(name, command.get_command(context, name)) for name in command.list_commands(context)]
    return [leaf for name, each in found if each for leaf in leaves(each, *path, name)]


LEAVES = leaves(cli)


def test_the_commands_are_those_of_the_design() -> None:
    assert set(LEAVES) == {
        ("up",), ("demo",), ("worker",), ("publish",), ("parse",), ("try",),
        ("mails", "list"), ("mails", "show"), ("mails", "source"), ("mails", "release"),
        ("mails", "replay"), ("mails", "discard"), ("jobs", "list"), ("jobs", "show"), ("jobs", "stop"),
        ("jobs", "run"),
        ("records", "list"), ("records", "show"), ("records", "create"), ("records", "set"),
        ("records", "attachment"), ("records", "delete"), ("records", "undelete"), ("records", "merge"), ("report",),
        ("people", "list"), ("people", "show"), ("queues", "pause"), ("queues", "resume"),
        ("backup",), ("restore",), ("config", "schema"),
        ("dead-letters", "causes"), ("dead-letters", "source"),
        ("dead-letters", "list"), ("dead-letters", "show"), ("dead-letters", "replay"), ("dead-letters", "discard"),
        ("import",), ("outbox", "list"), ("outbox", "show"), ("outbox", "send"),
        ("outbox", "hold"), ("outbox", "cancel"), ("inbox", "fetch"),
        ("inbox", "list"), ("inbox", "test"), ("inbox", "start"), ("inbox", "stop"),
        ("inbox", "peek"), ("inbox", "sample"),
        ("inbox", "setup", "microsoft365"), ("inbox", "setup", "google"), ("inbox", "setup", "imap"),
        ("mail-server", "list"), ("mail-server", "test"),
        ("token", "add"), ("token", "list"), ("token", "revoke"), ("token", "key"), ("token", "keys"), ("backtest",),
        ("console",), ("user", "list"), ("user", "add"), ("user", "remove"), ("user", "password"),
        ("config", "check"), ("config", "apply"), ("config", "export"), ("config", "history"), ("config", "show"),
        ("config", "diff"), ("config", "rollback"), ("doctor",),
    }  # fmt: skip


@pytest.mark.parametrize("leaf", LEAVES, ids=" ".join)
def test_every_command_takes_data_and_json_and_explains_itself(run: Run, leaf: tuple[str, ...]) -> None:
    done = run(*leaf, "--help")
    assert done.code == 0
    assert "--data DIR" in done.out
    assert "--json" in done.out
    assert len(done.out.splitlines()) > 4


def test_the_help_of_all_names_every_command(run: Run) -> None:
    done = run("--help")
    assert all(f"  {name} " in done.out for name in COMMANDS)


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (Problem("so it is"), 1, "Error: so it is\n"),
        (Misconfigured("settings.x: wrong"), 1, "Error: settings.x: wrong\n"),
        (Unavailable("the store does not answer"), 75, "Error: the store does not answer; try again later\n"),
        (click.exceptions.Exit(3), 3, ""),
        (OSError(28, "No space left on device", "/x"), 1, "Error: No space left on device: /x\n"),
        (
            ZeroDivisionError("oh"),
            1,
            "Error: unexpected error: ZeroDivisionError: oh (POSTROOM_DEBUG=1 shows the traceback)\n",
        ),
        (Misconfigured("with \x1b[31m colour"), 1, "Error: with \\x1b[31m colour\n"),
    ],
)
def test_every_ending_is_an_exit_code_and_one_sentence(
    error: Exception, code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def call() -> None:
        raise error

    assert run(call) == code
    assert capsys.readouterr().err == told


def test_a_usage_error_exits_with_2(run: Run) -> None:
    assert run("nonsense").code == 2
    assert run("mails", "list", "--limit", "0").code == 2
    assert run("worker", "nonsense").code == 2


def test_data_may_stand_before_or_behind_the_command(tmp_path: Path) -> None:
    first = postroom("--data", str(tmp_path / "a"), "inbox", "list", "--json")
    second = postroom("inbox", "--data", str(tmp_path / "b"), "list", "--json")
    assert json.loads(first.stdout)["name"] == json.loads(second.stdout)["name"] == "support"
    assert (tmp_path / "a").is_dir()
    assert (tmp_path / "b").is_dir()


def test_help_and_parse_load_nothing_that_they_do_not_need(tmp_path: Path) -> None:
    code = (
        "import sys, services.cli.main as m\n"
        "try: m.cli.main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "heavy = {'kombu', 'pika', 'pymongo', 'rich', 'yaml', 'sqlite3', 'mailparser', 'imapclient'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    for words in (["--help"], ["parse", str(tmp_path)]):
        done = subprocess.run(
            [sys.executable, "-c", code, *words], cwd=ROOT, capture_output=True, timeout=PATIENCE_SECONDS, check=False
        )
        assert done.stderr.decode().splitlines()[-1] == "[]"


def test_a_command_on_the_embedded_default_loads_no_server_library(tmp_path: Path) -> None:
    code = (
        "import sys, services.cli.main as m\n"
        "try: m.cli.main(['queues', '--data', sys.argv[1]])\n"
        "except SystemExit: pass\n"
        "print(sorted({'kombu', 'pika', 'pymongo', 'rich'} & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert done.stderr.decode().strip() == "[]"


def test_a_reader_that_closes_the_pipe_causes_no_error(tmp_path: Path) -> None:
    for number in range(200):
        (tmp_path / f"{number}.eml").write_bytes(b"Subject: x\n\n" + b"y" * 2000)
    command = f"{sys.executable} -m services.cli.main parse {tmp_path} | head -1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=ROOT, capture_output=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert done.stderr == b""
    assert done.returncode == 0


def test_output_is_utf8_whatever_the_locale(tmp_path: Path) -> None:
    (tmp_path / "a.eml").write_bytes("Subject: Grüße 漢字\n\n".encode())
    command = [sys.executable, "-m", "services.cli.main", "parse", str(tmp_path)]
    environ = {**os.environ, "LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, timeout=PATIENCE_SECONDS, check=False)
    assert json.loads(done.stdout.decode("utf-8"))["subject"] == "Grüße 漢字"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\nb\tc", "a b c"),
        ("\x1b]0;x\x07", "\\x1b]0;x\\x07"),
        ("a\u202eb\u200bc", "a\\u202eb\\u200bc"),
        ("\ud800", "\\ud800"),
        ("a\U000e0041b", "a\\U000e0041b"),
        ("pay\u00adpal \u180e\u034f\u115f\u3164\ufff9", "pay\\xadpal \\u180e\\u034f\\u115f\\u3164\\ufff9"),
        ("a\ufe0f \u2764\ufe0f", "a\\ufe0f \u2764\ufe0f"),
        ("漢字 é", "漢字 é"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("क\u094d\u200dष", "क\u094d\u200dष"),
        (
            "\U0001f468\u200d\U0001f469 \u2764\ufe0f\u200d\U0001f525",
            "\U0001f468\u200d\U0001f469 \u2764\ufe0f\u200d\U0001f525",
        ),
        ("pay\u200dpal Ан\u200cна", "pay\\u200dpal Ан\\u200cна"),
        ("می\u200c\u200cخ می\u200c", "می\\u200c\\u200cخ می\\u200c"),
    ],
)
def test_text_is_shown_and_not_obeyed(text: str, shown: str) -> None:
    assert safe(text) == shown


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("mials",), "there is no command 'mials'; did you mean 'mails'?"),
        (("mails", "lst"), "there is no command 'lst'; did you mean 'list'?"),
        (("zzzz",), "there is no command 'zzzz'\n"),
    ],
)
def test_a_mistyped_command_is_answered_with_the_nearest(run: Run, words: tuple[str, ...], told: str) -> None:
    done = run(*words)
    assert done.code == 2
    assert told in done.err


@pytest.mark.parametrize("group", ["mails", "records", "dead-letters", "outbox", "inbox", "config"])
def test_the_help_of_a_group_tells_each_command_in_a_whole_sentence(run: Run, group: str) -> None:
    assert "..." not in run(group, "--help").out.split("Commands:")[1]


@pytest.mark.parametrize(
    "words", [("mails", "show", "\udcff"), ("mails", "list", "--search", "\udcff"), ("mails", "release", "a", "\udcff")]
)
def test_arguments_that_are_not_valid_text_are_a_usage_error(run: Run, words: tuple[str, ...]) -> None:
    done = run(*words)
    assert done.code == 2
    assert "not UTF-8 text" in done.err


def test_names_of_files_may_be_any_bytes(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "m\udcff.eml"
    path.write_bytes(b"Subject: x\n\ny\n")
    assert run("parse", path).line["subject"] == "x"
    assert run("publish", path).code == 0


def test_a_command_whose_output_is_closed_does_its_work(tmp_path: Path) -> None:
    command = f"{sys.executable} -m services.cli.main --data {tmp_path / 'd'} mails list >&- 2>&-"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, timeout=PATIENCE_SECONDS, check=False)
    assert (done.returncode, (tmp_path / "d").is_dir()) == (0, True)


@pytest.mark.parametrize(
    ("words", "code"), [("publish -", 75), ("config check -", 1), ("user add anna", 1), ("parse -", 1)]
)
def test_closed_standard_input_is_an_error_and_no_empty_mail(tmp_path: Path, words: str, code: int) -> None:
    command = f"{sys.executable} -m services.cli.main --data {tmp_path / 'd'} {words} <&-"
    done = subprocess.run(
        ["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )
    assert done.returncode == code
    assert "standard input is closed\n" in done.stderr


def test_a_command_that_needs_no_input_runs_where_it_is_closed(tmp_path: Path) -> None:
    command = f"{sys.executable} -m services.cli.main --data {tmp_path / 'd'} inbox test support <&-"
    assert subprocess.run(["sh", "-c", command], cwd=ROOT, timeout=PATIENCE_SECONDS, check=False).returncode == 0


def test_a_data_folder_that_needs_a_person_is_not_to_be_tried_again_later(run: Run, data: Path) -> None:
    data.mkdir()
    (data / "postroom.sqlite").write_bytes(b"no database" * 100)
    done = run("mails", "list")
    assert done.code == 1
    assert done.err.endswith("; fix that, or name another folder with --data or POSTROOM_DATA\n")
    assert run("publish", "-", stdin=b"x").code == 75
    below = postroom("--data", "/dev/null/x", "mails", "list")
    assert (below.returncode, b"fix that" in below.stderr) == (1, True)


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("records", "show", "INC7"), 1, "there is no record 'INC7'"),
        (("records", "show", "nothing", "1"), 2, "there is no record type 'nothing'"),
        (("mails", "lisst"), 2, "there is no command 'lisst'; did you mean 'list'?"),
        (("publish", "nowhere.eml"), 2, "there is no file or folder 'nowhere.eml'"),
        (("inbox", "test", "nowhere"), 1, "there is no inbox 'nowhere'"),
    ],
)
def test_with_json_an_error_is_one_object_on_standard_error(
    run: Run, words: tuple[str, ...], code: int, sentence: str
) -> None:
    done = run(*words, "--json")
    found = json.loads(done.err)
    assert (done.code, done.out, found["code"]) == (code, "", code)
    assert found["error"].startswith(sentence)


def test_an_address_to_listen_on_is_for_http_intake_alone(run: Run) -> None:
    done = run("worker", "parser", "--listen", "127.0.0.1:1")
    assert (done.code, "--listen is for http-intake alone" in done.err) == (2, True)


def test_with_json_a_mail_that_cannot_be_stored_is_one_object_too(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTROOM_BROKER_URL", "amqp://guest:hidden@127.0.0.1:1/")
    done = run("publish", "-", "--json", stdin=b"x")
    assert (done.code, json.loads(done.err)["code"]) == (75, 75)
