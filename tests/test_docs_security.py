"""The table of docs/security.md is true: every cell is a mail through the whole pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from shared.config.model import BUILT_IN_FIELDS, CommandPolicy, RecordType, SenderPolicy, Settings, Template
from tests.builders import ANNA, a_configuration, a_mail, a_person, an_analyst, an_inbox
from tests.desk import Desk
from tests.fields import fields_of

PAGE: Final = Path(__file__).parents[1] / "docs" / "security.md"
COLUMNS: Final = ["new record", "by number", "by reply", "by key", "protected"]
OURS, FIRST_ID = "mx.desk.example", "<first@customer.example>"
EVE, ANN = "eve@evil.example", "ann@example.com"
PROVEN = CommandPolicy(trust="authenticated")


@dataclass(frozen=True, slots=True)
class Shown:
    """What a row's mail shows: its From, more headers, and how the inbox differs. `claims`: it repeats the first id."""

    sender: str
    headers: tuple[tuple[str, str], ...] = ()
    commands: CommandPolicy = field(default_factory=CommandPolicy)
    claims: bool = False


NO_NAME = "an address that nobody knows"
AGAIN = "such an address, "
PROOF = "an analyst's address, `trust: authenticated`, "
OTHER = "the address of a known person who takes no part"
ANALYST_HEADERS = tuple((name, ANN) for name in ("Sender", "Return-Path", "X-Original-From", "Delivered-To"))
ROWS: Final[Mapping[str, tuple[Shown, ...]]] = {
    NO_NAME: (Shown(EVE),),
    f"{AGAIN}under the name of the customer, the owner or an analyst": (
        Shown(f"Anna Becker <{EVE}>"),
        Shown(f"olga <{EVE}>"),
        Shown(f'"{ANN}" <{EVE}>'),
    ),
    f"{AGAIN}with Sender, Return-Path, X-Original-From or Delivered-To of an analyst": tuple(
        Shown(EVE, (header,)) for header in ANALYST_HEADERS
    ),
    "an analyst's address, which a list or a form names": (
        Shown("users@lists.example", (("List-Post", "<mailto:users@lists.example>"), ("X-Original-From", ANN))),
        Shown("users@lists.example", (("List-Id", "<users.lists.example>"), ("Reply-To", ANN))),
    ),
    f"{AGAIN}with a Message-ID that a mail of the record has": (Shown(EVE, claims=True),),
    f"{AGAIN}and a trusted server states that it is genuine": (
        Shown(EVE, (("Authentication-Results", f"{OURS}; dmarc=pass header.from=evil.example"),), PROVEN),
    ),
    OTHER: (Shown("bob@example.com"),),
    "an address in To of the mail that is answered": (Shown("told@elsewhere.example"),),
    "an address in Cc of the mail that made the record": (Shown("copied@elsewhere.example"),),
    "an address in Reply-To of the mail that made the record": (Shown("partner@elsewhere.example"),),
    "the customer's address": (Shown(ANNA),),
    "the owner's address": (Shown("olga@example.com"),),
    "an analyst's address": (Shown(ANN),),
    "the customer's address, `trust: authenticated`, no statement": (Shown(ANNA, commands=PROVEN),),
    f"{PROOF}no statement": (Shown(ANN, commands=PROVEN),),
    f"{PROOF}a statement of another server": (
        Shown(ANN, (("Authentication-Results", "mx.evil.example; dmarc=pass header.from=example.com"),), PROVEN),
    ),
    f"{PROOF}a trusted server states `dmarc=pass`": (
        Shown(ANN, (("Authentication-Results", f"{OURS}; dmarc=pass header.from=example.com"),), PROVEN),
    ),
    f"{OTHER}, `update_by: recognised`": (Shown("bob@example.com", commands=CommandPolicy(update_by="recognised")),),
    f"{NO_NAME}, `update_anonymously: true`, where mail makes no people": (
        Shown(EVE, commands=CommandPolicy(update_anonymously=True)),
    ),
}


def _table() -> dict[str, list[str]]:
    """What the page says: row → its cells."""
    lines = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("|")]
    head, _, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert head[1:] == COLUMNS
    return {name: cells for name, *cells in rows}


def test_the_page_and_the_mails_have_the_same_rows() -> None:
    assert list(_table()) == list(ROWS)


@pytest.mark.req("VF-16", "VF-21", "IV-42")
@pytest.mark.parametrize(
    ("row", "shown"),
    [(row, shown) for row, several in ROWS.items() for shown in several],
)
def test_each_proof_opens_what_the_page_says(desk: Desk, row: str, shown: Shown) -> None:
    _configure(desk, shown)
    found = [_makes_a_record, _updates_by_number, _updates_by_reply, _updates_by_key, _sets_protected]
    assert ["yes" if opens(desk, shown) else "no" for opens in found] == _table()[row]


def _configure(desk: Desk, shown: Shown) -> None:
    policy = SenderPolicy(policy="without_creating" if shown.commands.update_anonymously else "create")
    keys = {"processor": "change", "field_separator": ":", "template": "t"}
    inbox = an_inbox(**keys, commands=shown.commands, sender=policy)
    change = RecordType("change", prefix="CHG", fields={**BUILT_IN_FIELDS, "Cost": "number"}, protected=("Cost",))
    people = (a_person("bob"), a_person("olga", name="Olga Owner"), an_analyst())
    template = Template("t", "change", {"Owner": "olga"})
    settings = Settings(trusted_authserv_ids=(OURS,))
    desk.configure(a_configuration(inbox, *people, record_types=(change,), templates=(template,), settings=settings))
    to = "support@example.com, told@elsewhere.example"
    more = {"Cc": "copied@elsewhere.example", "Reply_To": "partner@elsewhere.example", "Message_ID": FIRST_ID}
    desk.receive(a_mail("Summary: theirs\n", to=to, **more))


def _send(desk: Desk, shown: Shown, text: str, **keys: str) -> None:
    headers = {name.replace("-", "_"): value for name, value in shown.headers}
    desk.receive(a_mail(text, sender=shown.sender, **headers, **keys))


def _first(desk: Desk) -> int:
    """Activities of the customer's record."""
    return len(desk.activities(desk.records("change")[0]))


def _makes_a_record(desk: Desk, shown: Shown) -> bool:
    before = len(desk.records("change"))
    _send(desk, shown, "hello\n", **({"Message_ID": FIRST_ID} if shown.claims else {}))
    return len(desk.records("change")) == before + 1


def _updates_by_number(desk: Desk, shown: Shown) -> bool:
    before = _first(desk)
    _send(desk, shown, "by number\n", subject="[Change - 1]")
    return _first(desk) == before + 1


def _updates_by_reply(desk: Desk, shown: Shown) -> bool:
    before = _first(desk)
    _send(desk, shown, "by reply\n", In_Reply_To=FIRST_ID)
    return _first(desk) == before + 1


def _updates_by_key(desk: Desk, shown: Shown) -> bool:
    _send(desk, shown, "ChangeNumber: CHG1\nSummary: taken\n")
    return fields_of(desk.records("change")[0])["Summary"] == "taken"


def _sets_protected(desk: Desk, shown: Shown) -> bool:
    _send(desk, shown, "Status: Active\nOwner: bob\nOwnerTeam: Mine\nPriority: 1\nCost: 5\n", subject="own")
    made = next(record for record in desk.records("change") if record["subject"] == "own")
    taken = [made["status"] == "Active", made["owner"] == "bob", made["owner_team"] == "Mine"]
    taken += [name in fields_of(made) for name in ("Priority", "Cost")]
    assert len(set(taken)) == 1
    return taken[0]
