"""The table of docs/commands.md: every combination has a row, and every row is what happens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product
from pathlib import Path
from typing import Final

import pytest

from services.record_writer.decide.commanded import PLANNERS, WITHOUT_RECORD
from shared.config.keys import COMMANDS
from shared.config.model import CommandPolicy, Settings
from tests.builders import a_configuration, a_mail, an_inbox
from tests.desk import Desk
from tests.requirements.test_commands import BOB, EVE, JANE, KIM, OURS, PASS, PAT, PEOPLE, TOM, create

PAGE: Final = Path(__file__).parents[1] / "docs" / "commands.md"
SENDERS: Final = {
    "Jane, the customer": JANE,
    "Bob, another user": BOB,
    "Tom, analyst, the owner": TOM,
    "Pat, another analyst": PAT,
    "Kim, analyst with `take_over`": KIM,
    "a stranger": EVE,
}
STATES: Final = {"open": "Active", "resolved": "Resolved", "closed": "Closed", "–": None}
SWITCHES: Final[dict[str, dict[str, object]]] = {
    "": {},
    "`close_anonymously`": {"close_anonymously": True},
    "`log_new_on_invalid_number` off": {"log_new_on_invalid_number": False},
    "`trust: authenticated`, no proof": {"trust": "authenticated"},
    "`trust: authenticated`, a proof": {"trust": "authenticated"},
    "`enabled` without close": {"enabled": ("approve",)},
}
Row = tuple[str, ...]


def rows() -> list[Row]:
    """The rows of the table, without its head."""
    table = PAGE.read_text("utf-8").partition("## What `[CLOSE#n]` does")[2]
    lines = re.findall(r"^\|.*\|$", table, re.MULTILINE)
    return [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in lines][2:]


def happening(desk: Desk, switches: str) -> Iterator[Row]:
    """What a desk with these switches does with each sender's command about a call of each state."""
    inbox = an_inbox(commands=CommandPolicy(**SWITCHES[switches]))  # type: ignore[arg-type]
    desk.configure(a_configuration(inbox, *PEOPLE, settings=Settings(trusted_authserv_ids=(OURS,))))
    for serial, status in enumerate(status for _ in SENDERS for status in STATES.values()):
        create(desk, Owner="tom", Status=status or "Active")
        if status is None:
            desk.store.delete("records", {"serial": serial + 1})
    proof = {"Authentication_Results": PASS} if "a proof" in switches else {}
    for number, (sender, state) in enumerate(product(SENDERS, STATES), start=1):
        last = len(desk.records())
        (mail,) = desk.receive(a_mail("", sender=SENDERS[sender], subject=f"[CLOSE#{number}]", **proof))
        record = desk.app.records.numbered("incident", number)
        made = [each["status"] for each in desk.records()[last:]]
        status = record.status if record else next(iter(made), "–")
        answer = next((each["text"].split("\n", 1)[0] for each in desk.outbox() if each["mail_id"] == mail["_id"]), "–")
        yield sender, state, switches, mail["outcome"], status, re.sub(r"(INC|#)\d+", r"\g<1>1", answer)


@pytest.mark.req("VF-13", "VF-15", "VF-17")
@pytest.mark.parametrize("switches", SWITCHES)
def test_what_the_table_says_happens(desk: Desk, switches: str) -> None:
    assert [row for row in rows() if row[2] == switches] == list(happening(desk, switches))


def test_every_combination_has_a_row() -> None:
    assert [row[:3] for row in rows()] == list(product(SENDERS, STATES, SWITCHES))


def test_every_command_is_carried_out() -> None:
    assert {*PLANNERS, *WITHOUT_RECORD} == set(COMMANDS)
