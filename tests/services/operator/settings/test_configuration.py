"""Checking, applying and exporting the configuration, as plain data."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from services.operator.errors import NotAvailable
from services.operator.settings.configuration import (
    apply_file,
    check_file,
    deletions_to_confirm,
    export_to,
    inboxes_to_test,
    read_file,
    stored_configuration,
)
from services.operator.settings.required_secrets import required_secrets
from shared.config.problems import InvalidConfiguration, Problem
from shared.config.reading import load
from tests.desk import Desk

INBOX = "inboxes:\n  - {name: box, address: box@example.com}\n"
SECRET = (
    "inboxes:\n  - {name: box, address: box@example.com, protocol: imap, host: mail.example,\n"
    '     username: box, password: "${NOT_SET_ANYWHERE}"}\n'
)
Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a configuration file and gives its path."""

    def write_file(text: str) -> Path:
        path = tmp_path / "postroom.yaml"
        path.write_text(text)
        return path

    return write_file


def test_a_good_file_has_counts_and_no_problems(write: Write) -> None:
    checked = check_file(write(INBOX))
    assert (checked.problems, checked.notes) == ((), ())
    assert checked.counts["inboxes"] == 1


def test_a_problem_has_its_line(write: Write) -> None:
    (problem,) = check_file(write("inboxes:\n  - {name: box}\n")).problems
    assert (problem.source, problem.line) == ("postroom.yaml", 2)


def test_a_secret_that_is_missing_in_the_environment_is_a_note(write: Write) -> None:
    checked = check_file(write(SECRET))
    assert checked.problems == ()
    assert [each.path for each in checked.notes] == ["inboxes[0].password"]


def test_a_setting_that_can_do_nothing_is_a_note(write: Write) -> None:
    assert check_file(write("rules:\n  - {name: r, match: {size: 5MB}, direction: outbound}\n")).notes == (
        Problem("rules[0].match", "never matches: size is known of incoming mail only", 2, "postroom.yaml"),
    )


def test_applying_twice_changes_nothing_the_second_time(desk: Desk, write: Write) -> None:
    file = read_file(write(INBOX))
    assert apply_file(desk.app, file).created == ("inboxes/box",)
    again = apply_file(desk.app, file)
    assert (again.changed, again.unchanged) == (False, ("inboxes/box",))


@pytest.mark.req("VS-13")
def test_a_refusal_has_the_lines_of_the_file_and_changes_nothing(desk: Desk, write: Write) -> None:
    file = read_file(write("inboxes:\n  - name: box\n    address: box@example.com\n    mail_server: nowhere\n"))
    with pytest.raises(InvalidConfiguration) as refused:
        apply_file(desk.app, file)
    assert [(each.line, each.path) for each in refused.value.problems] == [(4, "inboxes[0].mail_server")]
    assert desk.app.directory.renew().inbox("box") is None


@pytest.mark.req("IV-10")
def test_a_prune_names_the_inboxes_that_it_would_delete(desk: Desk, write: Write) -> None:
    apply_file(desk.app, read_file(write(INBOX)))
    other = read_file(write(INBOX.replace(" box", " another").replace("box@", "another@"))).stated
    assert "inboxes/box" in deletions_to_confirm(desk.app, other)
    assert "inboxes/another" not in deletions_to_confirm(desk.app, other)


@pytest.mark.req("VS-13")
def test_a_prune_names_the_mail_servers_that_it_would_delete(desk: Desk, write: Write) -> None:
    servers = "mail_servers:\n  - {{name: {}, host: smtp.example.com}}\n"
    apply_file(desk.app, read_file(write(INBOX + servers.format("out"))))
    other = read_file(write(INBOX + servers.format("another"))).stated
    confirmed = deletions_to_confirm(desk.app, other)
    assert "mail_servers/out" in confirmed
    assert "mail_servers/another" not in confirmed


@pytest.mark.req("TI-07")
def test_enabled_inboxes_with_a_mailbox_are_tested(write: Write) -> None:
    assert inboxes_to_test(read_file(write(INBOX)).stated) == ()
    assert inboxes_to_test(read_file(write(SECRET)).stated) == ("box",)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("rules:\n  - name: Ticket #12\n    match: {subject: xx}", [2]),
        ("settings:   #all of it\n  max_per_poll: 12 #a dozen\n  timezone: UTC # not ours\n", []),
        ("rules: [{name: 'a #1', match: {subject: xx}}] # one", []),
    ],
)
def test_a_text_that_a_comment_may_have_cut_is_noted(write: Write, text: str, lines: list[int]) -> None:
    notes = [each for each in check_file(write(text)).notes if "ends before the comment" in each.message]
    assert [each.line for each in notes] == lines


def test_a_missing_secret_prevents_a_start(desk: Desk, write: Write) -> None:
    assert required_secrets(desk.app).problem is None
    apply_file(desk.app, read_file(write(SECRET)))
    missing = required_secrets(desk.app)
    assert missing.problem is not None
    assert missing.problem.path.endswith("password")
    assert missing.notes == ()


def test_an_export_reads_back_as_it_was(desk: Desk, write: Write, tmp_path: Path) -> None:
    apply_file(desk.app, read_file(write(INBOX)))
    stored = stored_configuration(desk.app)
    export_to(tmp_path / "out.yaml", stored)
    assert load(tmp_path / "out.yaml").inboxes == stored.inboxes
    assert [each.name for each in tmp_path.glob("*out*")] == ["out.yaml"]


def test_an_export_that_cannot_be_written_says_where(desk: Desk, tmp_path: Path) -> None:
    with pytest.raises(NotAvailable, match=r"nowhere/out\.yaml cannot be written: No such file"):
        export_to(tmp_path / "nowhere" / "out.yaml", stored_configuration(desk.app))
