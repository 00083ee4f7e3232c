"""`postroom config`: check, apply, export."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from services.fetcher import mailbox
from shared.config.reading import load
from tests.servers.presence import closed_port
from tests.services.cli.conftest import Run
from tests.shared.config.example import EXAMPLE

Write = Callable[[str, str | bytes], Path]
INBOX = "inboxes:\n  - {name: support, address: support@example.com, owner_team: First Line}\n"


def test_a_right_file_passes_with_notes_about_missing_variables(run: Run, write: Write) -> None:
    write("secrets/support", "secret")
    write("google.pem", "key")
    done = run("config", "check", write("postroom.yaml", EXAMPLE))
    assert (done.code, done.out.split(" (")[0]) == (0, "postroom.yaml: no problems")
    line = next(n for n, line in enumerate(EXAMPLE.splitlines(), 1) if "TOKEN_KEY" in line)
    told = "settings.token_key: the environment variable TOKEN_KEY is not set"
    assert f"note: postroom.yaml:{line}: {told}" in done.err


@pytest.mark.req("IV-11")
def test_each_problem_is_on_a_line_of_its_own(run: Run, write: Write) -> None:
    done = run("config", "check", write("p.yaml", "settings: {max_per_poll: 0}\ninboxes:\n  - {nam: x}\n"))
    assert done.code == 1
    assert done.out.splitlines() == [
        'p.yaml:1: settings.max_per_poll: "0" is not a number from 1 to 9999',
        'p.yaml:3: inboxes[0].nam: unknown key; did you mean "name"?',
        "p.yaml:3: inboxes[0].name: missing, and it is needed",
        "p.yaml:3: inboxes[0].address: missing, and it is needed",
    ]


def test_problems_can_be_read_by_machines(run: Run, write: Write) -> None:
    done = run("config", "check", write("p.yaml", "colour: red\n"), "--json")
    assert done.line == {
        "source": "p.yaml",
        "line": 1,
        "path": "colour",
        "message": 'unknown key; the nearest known key is "calendars"',
    }


@pytest.mark.parametrize(
    ("secret", "finding"), [("file:gone", "the secret file"), ("${GONE}", "the environment variable GONE is not set")]
)
def test_a_missing_secret_is_a_note_wherever_it_should_be(run: Run, write: Write, secret: str, finding: str) -> None:
    inbox = f"inboxes: [{{name: a, address: a@example.com, protocol: imap, host: h, password: '{secret}'}}]"
    done = run("config", "check", write("p.yaml", inbox))
    assert (done.code, f"note: p.yaml:1: inboxes[0].password: {finding}" in done.err) == (0, True)


def test_standard_input_is_checked_and_applied_like_a_file(run: Run) -> None:
    wrong = run("config", "check", "-", stdin=b"colour: red\n")
    assert (wrong.code, wrong.out.partition(" colour")[0]) == (1, "standard input:1:")
    assert run("config", "check", "-", stdin=INBOX.encode()).out == "standard input: no problems (inboxes: 1)\n"
    assert run("config", "apply", "-", stdin=INBOX.encode()).out == "updated  inboxes/support\n"
    assert run("config", "apply", "-", stdin=b"inboxes: [{name: x}]").code == 1
    assert INBOX.partition("inboxes:\n  - ")[2] in run("config", "export").out


def test_a_file_that_is_not_there_is_a_usage_error(run: Run, tmp_path: Path) -> None:
    assert run("config", "check", tmp_path / "none.yaml").code == 2


def test_an_apply_is_reported_and_repeating_it_changes_nothing(run: Run, write: Write) -> None:
    path = write("p.yaml", INBOX)
    done = run("config", "apply", path)
    assert (done.code, done.out) == (0, "updated  inboxes/support\n")
    assert run("config", "apply", path, "--json").line == {
        "created": [],
        "updated": [],
        "deleted": [],
        "unchanged": ["inboxes/support"],
    }


def test_only_pruning_deletes(run: Run, write: Write) -> None:
    more = INBOX + "  - {name: sales, address: sales@example.com}\n"
    run("config", "apply", write("more.yaml", more))
    less = write("less.yaml", INBOX)
    assert "deleted" not in run("config", "apply", less).out
    assert "deleted  inboxes/sales" in run("config", "apply", less, "--prune", "--yes").out


def test_a_wrong_file_is_not_applied_at_all(run: Run, write: Write) -> None:
    wrong = INBOX.replace("First Line", "Second Line") + "templates: [{name: t, on: nothing}]\n"
    done = run("config", "apply", write("p.yaml", wrong))
    assert done.code == 1
    assert done.out.startswith('p.yaml:3: templates[0].on: there is no record type "nothing"; known are incident,')
    assert "Second Line" not in run("config", "export").out


def test_a_partial_file_may_refer_to_what_is_stored(run: Run, write: Write) -> None:
    run("config", "apply", write("a.yaml", "templates: [{name: t, on: incident}]\n"))
    part = write("b.yaml", "inboxes: [{name: support, address: support@example.com, template: t}]\n")
    assert run("config", "check", part).code == 1
    assert run("config", "apply", part).code == 0


@pytest.mark.req("TI-07")
def test_a_failed_connection_test_keeps_the_configuration_and_exits_with_1(
    run: Run, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PW", "secret")
    inbox = (
        "inboxes: [{name: box, address: b@example.com, protocol: imap, host: 'bad host.invalid', password: '${PW}'}]"
    )
    done = run("config", "apply", write("p.yaml", inbox.replace("bad host.invalid", "localhost.invalid")))
    assert done.code == 1
    assert "created  inboxes/box" in done.out
    assert "test  box: The request failed. The remote name could not be resolved" in done.out
    (kept,) = [each for each in run("inbox", "list", "--json").lines if each["name"] == "box"]
    assert kept["test"]["ok"] is False
    assert kept["test"]["step"] == "name"


@pytest.mark.req("VS-12")
def test_a_required_reason_has_to_be_given(run: Run, write: Write) -> None:
    run("config", "apply", write("a.yaml", "settings: {require_change_reason: true}\n"))
    done = run("config", "apply", write("b.yaml", INBOX))
    assert (done.code, done.err) == (1, "Error: settings.require_change_reason is on; say why, with --reason TEXT\n")
    assert run("config", "apply", write("b.yaml", INBOX), "--reason", "new team").code == 0


def test_an_export_loads_to_what_was_applied(run: Run, write: Write, tmp_path: Path) -> None:
    path = write("p.yaml", EXAMPLE)
    run("config", "apply", path, "--no-test", "--reason", "x")
    exported = tmp_path / "out.yaml"
    assert run("config", "export", exported).code == 0
    before, after = load(path), load(exported)
    assert after.settings == before.settings
    assert [inbox for inbox in after.inboxes if inbox in before.inboxes] == list(before.inboxes)
    assert "${SMTP_PASSWORD}" in exported.read_text()


def test_an_export_can_be_read_by_machines(run: Run) -> None:
    assert run("config", "export", "--json").line["inboxes"][0]["name"] == "support"


def test_a_check_notes_what_this_version_cannot_do_with_its_line(
    run: Run, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a version that reads mailboxes by IMAP alone."""
    monkeypatch.setattr(mailbox, "PROTOCOLS", {"imap": mailbox.PROTOCOLS["imap"]})
    text = "inboxes:\n  - name: a\n    address: a@example.com\n    protocol: ews\n    password: ${X}\n"
    path = write("p.yaml", text)
    done = run("config", "check", path)
    assert (done.code, done.out) == (0, "p.yaml: no problems (inboxes: 1)\n")
    assert "note: p.yaml:4: inboxes[0].protocol: ews is not available in this version; it has imap" in done.err
    assert "p.yaml:4: inboxes[0].protocol" in run("config", "apply", path, "--no-test").err
    assert "note     configuration  inboxes[0].protocol: ews is not available" in run("doctor").out


def test_what_the_configuration_documents_is_noted_only_where_it_is_ignored(run: Run, write: Write) -> None:
    imap = "inboxes: [{name: a, address: a@example.com, protocol: imap, host: h, password: '${PATH}'}]\n"
    assert run("config", "check", write("p.yaml", imap)).err == ""


def test_a_check_notes_a_rule_with_the_name_of_one_of_ours(run: Run, write: Write) -> None:
    """A note alone: a configuration that has one stays valid."""
    rules = "rules:\n  - {name: bird, match: {subject: [bird]}}\n  - {name: canary, match: {subject: [bird]}}\n"
    done = run("config", "check", write("p.yaml", rules))
    assert done.code == 0
    assert [line for line in done.err.splitlines() if ".name" in line] == [
        'note: p.yaml:3: rules[1].name: Postroom has a rule "canary" of its own; choose another name'
    ]


@pytest.mark.req("IV-10", "VS-13")
@pytest.mark.parametrize(("answer", "code"), [(b"n\n", 1), (b"\n", 1), (b"y\n", 0)])
def test_pruning_an_inbox_asks_on_a_terminal(run: Run, write: Write, data: Path, answer: bytes, code: int) -> None:
    run("config", "apply", write("more.yaml", INBOX + "  - {name: sales, address: sales@example.com}\n"))
    ours, theirs = pty.openpty()
    os.write(ours, answer)
    postroom, less = Path(sys.executable).with_name("postroom"), write("less.yaml", INBOX)
    command = (postroom, "config", "apply", less, "--prune", "--data", data)
    done = subprocess.run(command, stdin=theirs, capture_output=True, text=True, check=False)
    os.close(ours)
    os.close(theirs)
    assert done.returncode == code
    assert "Delete inboxes/sales? No stored mail is lost" in done.stderr
    assert ("nothing was changed" in done.stderr) == bool(code)
    assert ("sales" in run("inbox", "list").out) == bool(code)


@pytest.mark.req("IV-10")
def test_pruning_asks_no_script(run: Run, write: Write) -> None:
    run("config", "apply", write("more.yaml", INBOX + "  - {name: sales, address: sales@example.com}\n"))
    done = run("config", "apply", write("less.yaml", INBOX), "--prune")
    assert (done.code, done.err) == (0, "")
    assert "deleted  inboxes/sales" in done.out


def test_pruning_neither_inboxes_nor_mail_servers_asks_nothing(run: Run, write: Write) -> None:
    rule = "rules: [{name: n, match: {subject: xx}}]\n"
    assert run("config", "apply", write("more.yaml", INBOX + rule)).code == 0
    done = run("config", "apply", write("less.yaml", INBOX), "--prune")
    assert (done.code, done.out.splitlines()[0], done.err) == (0, "deleted  rules/n", "")


def test_an_export_that_cannot_be_written_names_the_file(run: Run, tmp_path: Path) -> None:
    done = run("config", "export", tmp_path / "gone" / "x.yaml")
    assert (done.code, done.err) == (
        1,
        f"Error: {tmp_path / 'gone' / 'x.yaml'} cannot be written: No such file or directory\n",
    )


def test_a_file_that_states_nothing_changes_nothing_and_says_so(run: Run, write: Write) -> None:
    assert run("config", "apply", write("p.yaml", "")).out == "unchanged  0\n"


@pytest.mark.req("NE-24")
def test_apply_tests_the_mail_servers_that_send(run: Run, write: Write) -> None:
    with closed_port() as port:
        host = f"host: 127.0.0.1, port: {port}, tls: none, from_address: support@example.com"
        servers = f"mail_servers: [{{name: out, {host}}}, {{name: in, {host}, block: true}}]\n"
        done = run("config", "apply", write("p.yaml", servers), "--json")
    (applied, test) = done.lines
    assert (done.code, applied["created"]) == (1, ["mail_servers/out", "mail_servers/in"])
    assert (test["mail_server"], test["test"]) == ("out", "failed")
    assert "The server could not be reached" in test["message"]
    assert run("config", "apply", write("p.yaml", servers), "--no-test").code == 0


@pytest.mark.req("VS-12")
def test_the_history_says_who_changed_what_and_why(run: Run, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "ann")
    inbox = "name: a, address: a@x.example, commands: {reopen_closed: %s}, password: '${OLD_PASSWORD}'"
    first = write("a.yaml", f"inboxes: [{{{inbox % 'false'}}}]")
    second = write("b.yaml", f"inboxes: [{{{inbox % 'true'}}}]".replace("OLD", "NEW"))
    assert run("config", "apply", first, "--no-test", "--reason", "begin").code == 0
    assert run("config", "apply", second, "--no-test", "--reason", "customers\x1b[31m asked").code == 0
    assert run("inbox", "stop", "--all", "--reason", "night").code == 0
    newest, middle, *_ = run("config", "history", "--json").lines
    assert (newest["by"], newest["reason"], newest["updated"]) == ("ann", "night", ["settings/settings"])
    assert newest["keys"] == [{"thing": "settings/settings", "key": "processing", "before": "true", "after": "false"}]
    assert {each["key"]: (each["before"], each["after"]) for each in middle["keys"]} == {
        "commands.reopen_closed": ("false", "true"),
        "password": ('"${OLD_PASSWORD}"', '"${NEW_PASSWORD}"'),
    }
    shown = run("config", "history", "inboxes/a", "--limit", "1").out.splitlines()
    assert shown[0].endswith("ann: customers\\x1b[31m asked")
    assert "    inboxes/a  commands.reopen_closed: false → true" in shown
    assert len(run("config", "history", "inboxes/a", "--json").lines) == 2
    assert run("config", "history", "inboxes/nothing").out == "no changes\n"


def test_a_version_is_shown_compared_and_gone_back_to(run: Run, write: Write) -> None:
    run("config", "apply", write("postroom.yaml", "inboxes:\n  - {name: support, address: a@example.com}\n"))
    first = run("config", "history", "--json").lines[0]["revision"]
    run("config", "apply", write("postroom.yaml", "inboxes:\n  - {name: support, address: b@example.com}\n"))
    assert "address: a@example.com" in run("config", "show", first).out
    assert "+- {name: support, address: b@example.com}" in run("config", "diff", first, first + 1).out
    assert run("config", "diff", first + 1).out.strip() == "no difference"
    assert run("config", "rollback", first).code == 2
    done = run("config", "rollback", first, "--reason", "wrong address", "--json")
    assert (done.code, done.line["updated"]) == (0, ["inboxes/support"])
    assert "a@example.com" in run("config", "export").out
    refused = run("config", "rollback", 99, "--reason", "x")
    assert (refused.code, "version 99 is not kept" in refused.err) == (1, True)
