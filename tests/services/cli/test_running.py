"""`up`, `worker`, `demo`: real processes that start, work and stop."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from services.cli.main import cli
from shared.embedded.documents import EmbeddedDocuments
from tests.builders import a_mail
from tests.servers.presence import PATIENCE_SECONDS, closed_port
from tests.services.cli.conftest import Run

ROOT = Path(__file__).parents[3]
Write = Callable[[str, str | bytes], Path]


def start(*words: str | Path) -> subprocess.Popen[bytes]:
    """A process that runs on."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")}
    command = [sys.executable, "-m", "services.cli.main", *map(str, words)]
    return subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@contextmanager
def terminal_closing(handler: signal.Handlers) -> Iterator[None]:
    """What a process that is started inside does at SIGHUP; `nohup`, which may have started the tests, ignores it."""
    before = signal.signal(signal.SIGHUP, handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


def wait_for(holds: Callable[[], bool], seconds: float = 120) -> None:
    """Poll until something holds."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_up_works_while_others_publish_and_leaves_in_order(run: Run, data: Path, number: signal.Signals) -> None:
    run("inbox", "list")
    with terminal_closing(signal.SIG_DFL):
        process = start("up", "--data", data)
    try:
        run("publish", "-", stdin=a_mail())
        wait_for(lambda: bool(run("records", "list", "--json").out))
        process.send_signal(number)
        assert process.wait(timeout=PATIENCE_SECONDS) == 0
    finally:
        process.kill()
        _, err = process.communicate()
    assert b"Traceback" not in err
    assert b"decided" in err


def test_up_that_was_started_by_nohup_works_on_when_the_terminal_is_closed(run: Run, data: Path) -> None:
    run("inbox", "list")
    with terminal_closing(signal.SIG_IGN):
        process = start("up", "--data", data)
    try:
        run("publish", "-", stdin=a_mail())
        wait_for(lambda: bool(run("records", "list", "--json").out))
        process.send_signal(signal.SIGHUP)
        run("publish", "-", stdin=a_mail(subject="Another"))
        wait_for(lambda: len(run("records", "list", "--json").lines) == 2)
        process.terminate()
        assert process.wait(timeout=PATIENCE_SECONDS) == 0
    finally:
        process.kill()
        process.communicate()


def test_a_named_pipe_in_a_folder_is_named_and_not_waited_for(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "mails"
    folder.mkdir()
    (folder / "a.eml").write_bytes(a_mail())
    os.mkfifo(folder / "b.eml")
    published = run("publish", str(folder))
    assert published.code == 1
    assert "published 1, not published 1" in published.err
    assert f"{folder / 'b.eml'}: cannot be read: it is not a file" in published.err


def test_up_applies_a_configuration_first(run: Run, write: Write) -> None:
    path = write("p.yaml", "inboxes: [{name: sales, address: sales@example.com}]\n")
    run("publish", "--inbox", "sales", "-", stdin=a_mail(to="sales@example.com"))
    assert run("up", "--once", "--config", path).out == "this run: taken 1, recorded 1\nin all: recorded 1\n"


def test_up_does_not_start_with_a_wrong_configuration(run: Run, write: Write) -> None:
    done = run("up", "--once", "--config", write("p.yaml", "inboxes: [{name: x}]\n"))
    assert done.code == 1
    assert "p.yaml:1: inboxes[0].address: missing" in done.err


def test_up_does_not_start_without_a_secret_that_it_needs(run: Run, write: Write) -> None:
    inbox = "inboxes: [{name: a, address: a@example.com, protocol: imap, host: h, password: 'file:gone'}]"
    done = run("up", "--once", "--config", write("p.yaml", inbox))
    assert done.code == 1
    assert "Error: not started: inboxes[0].password: the secret file" in done.err


def test_up_once_on_an_empty_desk_is_done_at_once(run: Run) -> None:
    assert run("up", "--once").out == "this run: nothing\nin all: no mail\n"
    assert run("up", "--once", "--json").line["in_flight"] == 0


def test_a_run_says_what_it_did_and_no_other(run: Run) -> None:
    auto_reply = a_mail(subject="Away", Auto_Submitted="auto-replied")
    for raw in (a_mail(subject="one"), auto_reply, auto_reply):
        run("publish", "-", stdin=raw)
    assert run("up", "--once").out == "this run: taken 3, recorded 1, rejected 1\nin all: recorded 1, rejected 1\n"
    run("publish", "-", stdin=a_mail(subject="two"))
    done = run("up", "--once", "--json")
    assert (done.code, done.line["recorded"], done.line["problems"]) == (0, 2, [])
    assert {name: count for name, count in done.line["this_run"].items() if count} == {"taken": 1, "recorded": 1}


def test_a_run_that_leaves_outgoing_mail_waiting_is_a_problem(run: Run, write: Write) -> None:
    with closed_port() as port:
        server = f"{{name: out, host: 127.0.0.1, port: {port}, tls: none, from_address: support@example.com}}"
        run("config", "apply", write("p.yaml", f"mail_servers: [{server}]\n"), "--no-test")
        run("publish", "-", stdin=a_mail(Message_ID="<one@customer.example>"))
        run("up", "--once")
        run("publish", "-", stdin=a_mail("and?\n", subject="Re: Printer", In_Reply_To="<one@customer.example>"))
        done = run("up", "--once")
    assert done.code == 1
    assert "outgoing waiting 1" in done.out
    assert "problem: 1 outgoing mail waits for the mail server out" in done.err
    assert "anna@" not in done.err


def test_workers_of_all_stages_do_what_up_does(run: Run, data: Path) -> None:
    run("publish", "-", stdin=a_mail())
    stages = ("parser", "filter", "sender-matcher", "record-writer")
    workers = [start("worker", stage, "--concurrency", "2", "--data", data) for stage in stages]
    try:
        wait_for(lambda: run("mails", "list", "--outcome", "recorded", "--json").out != "")
        for each in workers:
            each.send_signal(signal.SIGTERM)
        assert [each.wait(timeout=PATIENCE_SECONDS) for each in workers] == [0] * len(workers)
    finally:
        for each in workers:
            each.kill()
            each.communicate()


def test_the_demo_tours_a_desk_and_leaves_it_to_be_asked(run: Run) -> None:
    done = run("demo")
    assert done.code == 0
    assert "INC1" in done.out
    assert "無線LANに接続できません" in done.out
    assert "postroom mails list --data" in done.out
    outcomes = [line["outcome"] for line in run("mails", "list", "--json").lines]
    assert sorted(set(outcomes)) == ["dead", "recorded", "rejected"]
    assert run("doctor").code == 0


def test_the_demo_may_be_run_again(run: Run) -> None:
    first = run("demo", "--json").lines
    assert [line["mail_id"] for line in run("demo", "--json").lines] == [line["mail_id"] for line in first]
    assert len(run("mails", "list", "--json").lines) == len(first)


def test_the_demo_leaves_a_real_desk_alone(run: Run) -> None:
    run("publish", "-", stdin=a_mail())
    run("up", "--once")
    done = run("demo")
    assert done.code == 1
    assert "holds another desk" in done.err


def test_the_demo_leaves_a_desk_without_mail_alone(run: Run, write: Write) -> None:
    run("config", "apply", write("p.yaml", "inboxes: [{name: sales, address: sales@example.com}]\n"))
    before = run("inbox", "list", "--json").out
    assert run("demo").code == 1
    assert "sales" in before
    assert run("inbox", "list", "--json").out == before


def test_the_demo_has_its_own_folder_and_says_where(
    run: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("publish", "-", stdin=a_mail())
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POSTROOM_DATA", str(data))
    monkeypatch.setenv("POSTROOM_STORE_URL", "mongodb://nowhere.invalid/desk")
    done = CliRunner().invoke(cli, ["demo"])
    assert done.exit_code == 0, done.stderr
    assert "its own desk in postroom-demo" in done.stdout
    assert "env -u POSTROOM_STORE_URL postroom mails list --data postroom-demo" in done.stdout
    assert (tmp_path / "postroom-demo").is_dir()
    assert not (tmp_path / "postroom-data").exists()
    monkeypatch.delenv("POSTROOM_STORE_URL")
    assert run("records", "list", "--json").out == ""


def test_the_demo_shows_what_it_promises(run: Run) -> None:
    seen = {line["sample"]: line for line in run("demo", "--json").lines}
    assert seen["07-out-of-office.eml"]["outcome"] == "rejected"
    assert seen["08-undeliverable.eml"]["kind"] == "bounce"
    assert seen["11-problem-with-a-wrong-value.eml"]["outcome"] == "dead"
    assert seen["11-problem-with-a-wrong-value.eml"]["records"][0]["type"] == "incident"
    assert seen["12-reply.eml"]["records"] == seen["01-printer-english.eml"]["records"]
    assert seen["13-stranger-with-a-number.eml"]["outcome"] == "rejected"
    assert json.dumps(seen, ensure_ascii=False).count("recorded") >= 8


def test_the_demo_holds_a_conversation(run: Run) -> None:
    steps = run("demo", "--scenario", "conversation", "--json").lines
    kinds = [[each["kind"] for each in step["sent"]] for step in steps]
    assert [step["status"] for step in steps] == [
        *("Logged", "Logged", "Logged", "Pending", "Logged", "Closed", "Active", None, "Logged", "Logged"),
    ]
    assert (kinds[0], kinds[1][0], kinds[7]) == (["created"], "answer", ["summary"])
    assert steps[1]["sent"][0]["cc"] == ["tom.berg@example.com"]
    assert "at home" not in json.dumps(steps[1]["sent"])
    assert "approved" in json.dumps(steps[4]["activities"])
    assert [each["kind"] for each in steps[-1]["activities"]] == ["service-level"]
    assert "is late" in steps[-1]["activities"][0]["text"]
    assert run("doctor").code == 0


def test_the_conversation_is_shown_on_screen_and_may_be_held_again(run: Run) -> None:
    assert "10. An hour later the service level says" in run("demo", "--scenario", "conversation").out
    assert len(run("demo", "--scenario", "conversation", "--json").lines) == 10


def test_a_worker_does_not_start_on_a_configuration_that_it_cannot_read(run: Run, data: Path) -> None:
    run("mails", "list")
    store = EmbeddedDocuments(data)
    store.update("inboxes", {"_id": "support"}, {"$set": {"protocol": "pigeon"}})
    store.close()
    done = run("worker", "parser")
    assert (done.code, "pigeon" in done.err) == (1, True)
