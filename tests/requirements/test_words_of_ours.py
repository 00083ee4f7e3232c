"""What mail of the desk says of other mail: no stranger's words to strangers, no placeholders filled in."""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.config.model import CommandPolicy, MailTemplate
from tests.builders import a_configuration, a_mail, an_inbox
from tests.desk import Desk
from tests.requirements import test_business_rules as rules
from tests.requirements.test_commands import JANE, PEOPLE, TOM, command, create

EVE = "Eve <eve@evil.example>"


@pytest.mark.req("PR-02", "TI-33")
def test_a_rule_repeats_the_subject_of_a_mail_to_nobody_whom_the_desk_does_not_know(desk: Desk) -> None:
    made = rules.configuration(rules.a_rule("incident.created", "@Sender"))
    desk.configure(replace(made, mail_templates=(MailTemplate("note", "{reply_subject}", "{reply_subject}"),)))
    desk.receive(a_mail(sender=EVE, subject="Buy pills"))
    (mail,) = desk.outbox()
    assert (mail["subject"], mail["text"]) == ("Re: [Call - INC1]", "Re: [Call - INC1]\n")


@pytest.mark.req("VF-20")
@pytest.mark.parametrize(
    ("sender", "subject"),
    [(JANE, "Re: [Call - INC1] Printer is down"), (EVE, "Re: [Call - INC1] New message")],
    ids=["a person of the configuration", "a stranger"],
)
def test_a_message_to_the_customer_may_keep_the_thread(desk: Desk, sender: str, subject: str) -> None:
    inbox = an_inbox(commands=CommandPolicy(notify_customer_on_update=True, reply_on_update=False))
    template = MailTemplate("to-customer", "{reply_subject}", "{text}")
    desk.configure(a_configuration(inbox, *PEOPLE, mail_templates=(template,)))
    desk.receive(a_mail(sender=sender))
    desk.receive(a_mail("Try again.\n", sender=TOM, subject="[Call - INC1] Printer is down"))
    (mail,) = desk.outbox()
    assert (mail["subject"], mail["text"]) == (subject, "Try again.\n")


@pytest.mark.req("TI-32", "VF-20")
def test_the_customer_hears_what_an_analyst_writes_and_not_the_command_above_it(desk: Desk) -> None:
    inbox = an_inbox(commands=CommandPolicy(notify_customer_on_update=True, reply_on_update=False))
    desk.configure(a_configuration(inbox, *PEOPLE))
    create(desk, Owner="tom")
    assert command(desk, "Printer", TOM, "[Update Ticket - 1]\nTry again.\n")["outcome"] == "commanded"
    (mail,) = desk.outbox()
    assert (mail["to"], mail["text"]) == (["jane@example.com"], "Tom wrote about Call INC1:\n\nTry again.\n")


@pytest.mark.req("VF-18")
def test_a_mail_that_names_the_reply_address_is_repeated_as_it_is(desk: Desk) -> None:
    inbox = an_inbox(commands=CommandPolicy(reply_on_create=True), reply_by_plus_address=True)
    desk.configure(a_configuration(inbox, *PEOPLE))
    desk.receive(a_mail("Write to {reply address}.\n", sender=JANE, subject="{reply address}"))
    (mail,) = desk.outbox()
    assert "Subject: {reply address}\n" in mail["text"]
    assert mail["text"].endswith("> Write to {reply address}.\n")


@pytest.mark.req("PR-02")
def test_only_the_answer_to_a_stranger_counts_as_mail_to_strangers(desk: Desk) -> None:
    switches = CommandPolicy(update_anonymously=True, reply_on_update=True, notify_handler_on_update=True)
    desk.configure(a_configuration(an_inbox(commands=switches), *PEOPLE))
    create(desk, Owner="tom")
    command(desk, "[Call - INC1] Printer", EVE, "It burns.\n")
    counted = {each["to"][0]: each.get("stranger_domain") for each in desk.outbox()}
    assert counted == {"eve@evil.example": "evil.example", "tom@example.com": None}
