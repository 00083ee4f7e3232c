"""`try` against what is then written: mails of others, and random mails in random configurations."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import pytest

from services.operator.trial.dry_run import dry_run
from shared.config.model import (
    CommandPolicy,
    Configuration,
    Inbox,
    QuickAction,
    SenderPolicy,
    StatusMapping,
    Template,
)
from tests.builders import a_configuration, a_mail, a_person, an_analyst, an_inbox
from tests.desk import Desk
from tests.harness.dry_runs import compared, compared_with_what_is_written
from tests.harness.real import corpus

CONFIGURATIONS, MAILS_EACH = 20, 50
SENDERS: Final = ("Anna <anna@customer.example>", "bob@example.com", "ann@example.com", "Eve <eve@elsewhere.example>")
SUBJECTS: Final = ("Printer", "Incident#1", "Incident#2", "[Change - CHG1]", "Incident#77", "Re: Printer", "")
LINES: Final = (
    "Summary$A", "ChangeNumber$1", "ChangeNumber$77", "Status$Closed", "Status$Logged", "Priority$1", "Priority$x",
    "Owner$ann@example.com", "#", "Hello.", "> quoted", "", "[Incident - 1]",
)  # fmt: skip
HEADERS: Final = ({}, {}, {}, {"List_Id": "<l.example>"}, {"Cc": "bob@example.com"}, {"Auto_Submitted": "auto-replied"})


def check(desk: Desk, raw: bytes, inbox: str | None) -> None:
    """What is said of one mail is what is written for it."""
    said = compared(dry_run(desk.app, raw, inbox).as_json())
    assert said == compared_with_what_is_written(desk, raw, inbox)


def a_random_inbox(chance: random.Random, name: str) -> Inbox:
    """An inbox with each of its choices drawn."""
    processor = chance.choice(("incident", "incident", "change", "problem", "service_request"))
    yes = lambda: chance.random() < 0.4  # noqa: E731
    commands = CommandPolicy(
        update_anonymously=yes(),
        log_new_on_invalid_number=yes(),
        reopen_closed=yes(),
        update_closed=yes(),
        reply_on_update=yes(),
        use_linked_analyst=yes(),
        update_by=chance.choice(("participant", "recognised")),
    )
    inbox = an_inbox(
        name,
        processor=processor,
        commands=commands,
        sender=SenderPolicy(policy=chance.choice(("create", "without_creating", "existing_only"))),
        create_incident_on_error=yes(),
        email_when_no_target=yes(),
        update_only=processor == "service_request" or yes(),
    )
    if processor == "incident":
        mapping = (StatusMapping("Closed", "Park"),) if yes() else ()
        template = "t" if yes() else None
        return replace(inbox, update_only=False, task_for_every_email=yes(), status_mapping=mapping, template=template)
    return replace(inbox, record_marker="#", field_separator="$")


def a_random_configuration(chance: random.Random) -> Configuration:
    """Three inboxes, people known and unknown."""
    people = (a_person("anna", addresses=("anna@customer.example",)), a_person("bob"), an_analyst())
    return a_configuration(
        *(a_random_inbox(chance, f"i{n}") for n in range(3)),
        *people,
        templates=(Template("t", "incident", {"Impact": "High"}),),
        quick_actions=(QuickAction("Park", "incident", {"Status": "Waiting"}),),
    )


def random_mails(chance: random.Random, count: int) -> Iterator[tuple[bytes, str]]:
    """Mails with their inboxes; some answer one before."""
    for n in range(count):
        headers: dict[str, Any] = {"Message_ID": f"<{n}@r.example>", **chance.choice(HEADERS)}
        if n and chance.random() < 0.4:
            headers["In_Reply_To"] = f"<{chance.randrange(n)}@r.example>"
        text = "\n".join(chance.choices(LINES, k=chance.randint(1, 7))) + "\n"
        raw = a_mail(text, sender=chance.choice(SENDERS), subject=chance.choice(SUBJECTS), **headers)
        yield raw, f"i{chance.randrange(3)}"


def compare_random_mails(desk: Desk, seed: int, count: int) -> None:
    chance = random.Random(seed)
    desk.configure(a_random_configuration(chance))
    for raw, inbox in random_mails(chance, count):
        check(desk, raw, inbox)


@pytest.mark.parametrize("seed", range(4))
def test_random_mails_become_what_try_says(desk: Desk, seed: int) -> None:
    compare_random_mails(desk, seed, 10)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(CONFIGURATIONS))
def test_many_random_mails_become_what_try_says(desk: Desk, seed: int) -> None:
    compare_random_mails(desk, 1000 + seed, MAILS_EACH)


@pytest.mark.slow
@pytest.mark.parametrize("share", range(20))
def test_mails_of_others_become_what_try_says(desk: Desk, share: int) -> None:
    """Every twentieth, in a configuration of its own."""
    desk.configure(a_random_configuration(random.Random(share)))
    for sent in corpus()[share::20]:
        check(desk, sent.raw, "i0")
