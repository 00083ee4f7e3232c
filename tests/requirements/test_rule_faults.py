"""Configurations and mails that desks decided wrongly, each in a folder of the shared corpus with the right outcome."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.operator.configuration import check_file

FAULTS = Path(__file__).resolve().parents[3] / "shared" / "corpus" / "desk-faults"
pytestmark = pytest.mark.skipif(not FAULTS.is_dir(), reason="the shared corpus is not here")


@pytest.mark.req("IV-32", "IV-37")
@pytest.mark.parametrize(
    ("number", "refused"),
    [
        ("05", ["inboxes[0].field_mapping.Priority", "inboxes[0].field_mapping.Status"]),
        ("11", ["inboxes[0].commands.default_logging_analyst", "templates[0].set.Owner"]),
    ],
)
def test_a_value_that_every_mail_would_fail_on_is_a_problem(number: str, refused: list[str]) -> None:
    assert [each.path for each in check_file(FAULTS / number / "desk.yaml").problems] == refused


@pytest.mark.req("IV-36", "IV-38", "IV-39", "IV-42")
def test_settings_that_can_do_nothing_are_notes() -> None:
    checked = check_file(FAULTS / "15" / "desk.yaml")
    idle = (
        "unique_key",
        "email_when_no_target",
        "task_for_every_email",
        "include_source_mailbox_name",
        "status_mapping",
    )
    assert checked.problems == ()
    assert [each.path for each in checked.notes] == [f"inboxes[0].{name}" for name in idle]
