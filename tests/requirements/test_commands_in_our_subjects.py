"""Mail of the desk repeats no command in its subject: whoever answers it would give that command (VF-17, VF-18)."""

from __future__ import annotations

import pytest

from shared.config.model import CommandPolicy, MailTemplate, Template
from shared.mail_text.no_commands import without_commands
from tests.builders import a_configuration, a_mail, an_inbox
from tests.desk import Desk
from tests.requirements import test_forwards as forwards
from tests.requirements.test_commands import JANE, PEOPLE, TOM, create


def configure(desk: Desk, processor: str, *templates: MailTemplate) -> None:
    """Tom has each record, and gets mail about its updates; the approval APR1 is his."""
    inbox = an_inbox(
        processor=processor,
        field_separator=None if processor == "incident" else "%",
        commands=CommandPolicy(notify_handler_on_update=True),
        forwarded_for_original_sender=True,
        template="t",
    )
    of_tom = Template("t", processor, {"Owner": "tom"})
    desk.configure(a_configuration(inbox, *PEOPLE, templates=(of_tom,), mail_templates=templates))
    create(desk, "approval", Owner="tom")


def answer_of_tom(desk: Desk) -> None:
    """Tom answers the mail that he got last."""
    ours = [each for each in desk.outbox() if each["to"] == [TOM]][-1]
    desk.receive(a_mail("I will look.\n", sender=TOM, subject=f"Re: {ours['subject']}", In_Reply_To=ours["message_id"]))


@pytest.mark.req("VF-18")
@pytest.mark.parametrize(
    "subject", ["[APPROVE#1] Screen", "Screen [Approve#APR1]", "[ Approve 1", "[\u2003\u2003\u2003\u2003approve#1]"]
)
def test_an_answer_about_a_record_gives_no_command_of_its_customer(desk: Desk, subject: str) -> None:
    configure(desk, "problem")
    desk.receive(a_mail(f"Subject%{subject}\n\nIt is hot.\n", sender=JANE))
    assert desk.record("problem")["subject"] == " ".join(subject.split())
    desk.receive(a_mail("Still hot.\n", sender=JANE, subject="[Problem - 1] Screen"))
    answer_of_tom(desk)
    assert desk.record("approval")["status"] == "Pending"
    assert desk.activities(desk.record("problem"))[-1]["text"].strip() == "I will look."


@pytest.mark.req("VF-18", "VS-05")
def test_nor_one_of_a_stranger_whose_mail_was_forwarded(desk: Desk) -> None:
    configure(desk, "incident")
    desk.receive(forwards.a_forward(TOM, shown=forwards.block(subject="[APPROVE#1] Screen")))
    desk.receive(a_mail("Still hot.\n", sender=forwards.KIM, subject="[Call - 1] Screen"))
    answer_of_tom(desk)
    assert desk.record("approval")["status"] == "Pending"


@pytest.mark.req("VF-18")
def test_nor_one_that_two_values_of_a_template_make_together(desk: Desk) -> None:
    configure(desk, "problem", MailTemplate("to-handler", "{field.Category}{subject}", "{text}"))
    desk.receive(a_mail("Subject%APPROVE#1]\nCategory%[\n", sender=JANE))
    desk.receive(a_mail("Still hot.\n", sender=JANE, subject="[Problem - 1] Screen"))
    answer_of_tom(desk)
    assert desk.record("approval")["status"] == "Pending"


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("Re: [Call - INC1] Printer", "Re: [Call - INC1] Printer"),
        ("[Approval - APR1] Please decide", "[Approval - APR1] Please decide"),
        ("[Updates] Printer", "[Updates] Printer"),
        ("[CLOSE#1] and [close#2]", "(CLOSE#1) and (close#2)"),
        ("[[APPROVE#1]]", "[(APPROVE#1)]"),
        ("[My Calls", "(My Calls)"),
        ("[Create Announcement] Cake", "(Create Announcement) Cake"),
        ("[Delete Ticket - 12 [x]", "(Delete Ticket - 12 [x]"),
        ("[\x00update Ticket - 12]", "(\x00update Ticket - 12)"),
    ],
)
def test_commands_stand_in_round_brackets(subject: str, expected: str) -> None:
    assert without_commands(subject) == expected
