"""What a mail does to the life of its record, for every state and switch."""

from __future__ import annotations

import pytest

from services.record_writer.decide.record.life import step_of
from shared.config.model import CommandPolicy, QuickAction, StatusMapping
from tests.builders import an_inbox
from tests.plain import a_record, facts

SWITCHES = {
    "": CommandPolicy(),
    "update": CommandPolicy(update_closed=True),
    "reopen": CommandPolicy(reopen_closed=True),
    "both": CommandPolicy(update_closed=True, reopen_closed=True),
}
STEPS = {
    "Logged": dict.fromkeys(SWITCHES, "note"),
    "Waiting": dict.fromkeys(SWITCHES, "note"),
    "Resolved": dict.fromkeys(SWITCHES, "work-again"),
    "of no group": dict.fromkeys(SWITCHES, "work-again"),
    "Closed": {"": "refuse-closed", "update": "note-on-closed", "reopen": "reopen", "both": "reopen"},
}


@pytest.mark.req("VF-13", "VF-14", "IV-39")
@pytest.mark.parametrize("switch", SWITCHES)
@pytest.mark.parametrize("status", STEPS)
def test_the_step_depends_on_the_state_and_the_switches(status: str, switch: str) -> None:
    given = facts(an_inbox(commands=SWITCHES[switch]))
    type_ = given.configuration.type_named("incident")
    assert type_ is not None
    assert step_of(given, type_, a_record(status=status)) == STEPS[status][switch]
    assert step_of(given, type_, a_record(status=status, deleted=True)) == "refuse-deleted"


@pytest.mark.req("VF-18", "PR-01")
def test_a_decided_approval_is_never_reopened_and_a_released_mail_is_added() -> None:
    given = facts(an_inbox(commands=SWITCHES["reopen"]))
    type_ = given.configuration.type_named("approval")
    assert type_ is not None
    decided = a_record(1, "approval", "APR", status="Approved")
    assert step_of(given, type_, decided) == "refuse-closed"
    released = facts(an_inbox(), released=True)
    assert step_of(released, type_, decided) == "note-on-closed"


@pytest.mark.req("IV-39")
@pytest.mark.parametrize(("enabled", "step"), [(True, "quick-action"), (False, "refuse-closed")])
def test_a_quick_action_for_the_status_replaces_the_table(enabled: bool, step: str) -> None:
    inbox = an_inbox(status_mapping=(StatusMapping("closed", "Reopen", enabled),))
    given = facts(inbox, quick_actions=(QuickAction("Reopen", "incident", {"Status": "Active"}),))
    type_ = given.configuration.type_named("incident")
    assert type_ is not None
    assert step_of(given, type_, a_record(status="Closed")) == step
