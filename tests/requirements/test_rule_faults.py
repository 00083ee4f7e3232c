"""Configurations and mails that desks decided wrongly, each in a folder of the shared corpus with the right outcome."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.operator.settings.configuration import check_file, stored_configuration
from shared.config.reading import load
from shared.config.writing import to_yaml
from tests.desk import Desk

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


def outcomes(desk: Desk, number: str) -> list[str]:
    desk.configure(load(FAULTS / number / "desk.yaml"))
    mails = [desk.receive(path.read_bytes())[0] for path in sorted((FAULTS / number).glob("*.eml"))]
    return [mail["outcome"] for mail in mails]


@pytest.mark.req("IV-05", "IV-21", "PR-02")
def test_an_international_domain_is_one_in_both_spellings(desk: Desk) -> None:
    """The first mails are from a known person to the inbox, in one spelling each; the last is a stranger's."""
    assert outcomes(desk, "04") == ["recorded", "recorded", "rejected"]
    assert {record["customer"] for record in desk.records()} == {"x"}


@pytest.mark.req("IV-20", "VS-06", "TI-20")
def test_people_and_rules_with_an_international_domain_match(desk: Desk) -> None:
    assert outcomes(desk, "19") == ["recorded", "rejected"]
    assert (desk.record()["customer"], desk.mails()[1]["rule"]) == ("x", "r")


@pytest.mark.req("TI-21", "TI-22")
def test_preconfigured_rules_are_in_the_list_of_rules(desk: Desk) -> None:
    assert outcomes(desk, "13") == ["recorded", "rejected"]
    written = to_yaml(stored_configuration(desk.app))
    assert all(text in written for text in ("barred-sender", "mailer-daemon", "barred-subject", "out of office"))
