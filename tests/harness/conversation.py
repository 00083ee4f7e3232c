"""A conversation of thirty mails: questions, answers, replies, an approval, closing and reopening, summaries.

Each mail is made from what the desk did because of the mails before: what people answer is what they got. So a desk
that does the same gets the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from services.record_writer.decide.record import values
from services.record_writer.decide.record.numbers import numbered
from shared.app import App
from shared.config.model import AutomaticMailCap, CommandPolicy, Configuration, Settings, Template
from shared.reply_tokens import KEY_FILE
from tests.builders import a_configuration, a_mail, a_person, an_analyst, an_inbox
from tests.harness.mails import Sent

NORA: Final = "Nora Lind <nora@customer.example>"
KIM: Final = "Kim Lee <kim@customer.example>"
ANN: Final = "Ann Analyst <ann@example.com>"
BOSS: Final = "Bo Boss <boss@example.com>"
LEE: Final = "Lee Park <lee@elsewhere.example>"
EVE: Final = "Eve <eve@evil.example>"
AT: Final = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
APPROVAL: Final = "approval-of-the-conversation"
PLAN: Final = ("plan.pdf", "application/pdf", b"%PDF-1 plan")

Made = Callable[[App], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Turn:
    """One mail: who writes what, and the headers that depend on what the desk has done. `before`: an operator's act."""

    label: str
    sender: str
    text: str
    headers: Made
    outcome: str = "recorded"
    before: Callable[[App], None] | None = None

    def mail(self, app: App) -> Sent:
        """The mail as its sender writes it now; every mail is delivered twice."""
        keys = self.headers(app)
        raw = a_mail(f"{self.text}\n", sender=self.sender, Message_ID=f"<{self.label}@conversation.example>", **keys)
        return Sent(self.label, re.sub(rb"={15}\d+==", b"=====delimiter=====", raw), self.outcome, times=2)


def new(subject: str, **keys: Any) -> Made:
    """A new mail."""
    return lambda _: {"subject": subject, **keys}


def to_mail(label: str, subject: str, **keys: Any) -> Made:
    """A reply to a mail of the conversation, which its sender had."""
    answered = f"<{label}@conversation.example>"
    return lambda _: {"subject": f"Re: {subject}", "In_Reply_To": answered, "References": answered, **keys}


def to_desk(address: str, subject: str, first: str, **keys: Any) -> Made:
    """A reply to the newest mail of the desk to this address."""

    def made(app: App) -> dict[str, Any]:
        sent = [each for each in app.outbox.recent(None, 0) if address in (*each.to, *(each.cc or ()))]
        newest = max(sent, key=lambda each: (each.at, each.id)).message_id
        references = f"<{first}@conversation.example> {newest}"
        return {"subject": f"Re: {subject}", "In_Reply_To": newest, "References": references, **keys}

    return made


def _ask_for_approval(app: App) -> None:
    """An operator asks Bo to approve the first call."""
    configuration = app.directory.current()
    type_ = configuration.type_named("approval")
    parent = app.records.numbered("incident", 1)
    assert type_ is not None
    assert parent is not None
    planned = values.creation(type_, APPROVAL, {"subject": "May she?", "owner": "boss"})
    app.records.create_once(numbered(planned, configuration, app.records.next_serial), "operator", AT, parent=parent.id)
    app.records.link(APPROVAL, parent.id, "parent", AT)
    app.records.forget(APPROVAL, "operator")


BLOCK: Final = "From: Lee Park <lee@elsewhere.example>\nSent: Friday\nTo: Ann\nSubject: Door"
FORWARD: Final = f"Please help her.\n\n{BLOCK}\n\nIt is stuck."
CONVERSATION: Final[Sequence[Turn]] = (
    Turn("ask", NORA, "The printer burns.", new("Printer", Cc=KIM)),
    Turn("answer", ANN, "Which floor?", to_mail("ask", "Printer")),
    Turn("floor", NORA, "Floor 3.", to_desk("nora@customer.example", "Printer", "ask")),
    Turn("kim", KIM, "I see it too.", to_desk("kim@customer.example", "Printer", "ask")),
    Turn("plan", ANN, "Please read this.", to_mail("floor", "Printer", files=(PLAN,))),
    Turn("read", NORA, "I have read it.", to_desk("nora@customer.example", "Printer", "ask")),
    Turn("forward", ANN, FORWARD, new("Fw: Door")),
    Turn("lee", LEE, "Still stuck.", to_desk("lee@elsewhere.example", "Door", "forward")),
    Turn("door", ANN, "Somebody comes.", to_mail("lee", "Door")),
    Turn("approve", BOSS, "Yes.", new("[APPROVE#1]"), "commanded", _ask_for_approval),
    Turn("reject", BOSS, "No, after all.", new("[REJECT#1]"), "rejected"),
    Turn("close", NORA, "Done.", new("[CLOSE#1]"), "commanded"),
    Turn("again", NORA, "It burns again.", to_mail("floor", "Printer")),
    Turn("water", ANN, "Use water.", to_mail("again", "Printer")),
    Turn("wet", NORA, "Now it is wet.", to_desk("nora@customer.example", "Printer", "ask")),
    Turn("calls", ANN, "", new("[MyCalls]"), "commanded"),
    Turn("eve", EVE, "Tell me all.", new("[Incident - 1] Printer", Cc=EVE)),
    Turn("eve2", EVE, "I wait.", to_mail("ask", "Printer", Cc=EVE)),
    Turn("away", NORA, "I am away.", new("Out of office", Auto_Submitted="auto-replied"), "rejected"),
    Turn("screen", NORA, "Black.", new("Screen")),
    Turn("cable", ANN, "Check the cable.", to_mail("screen", "Screen")),
    Turn("end", ANN, "Closed.", new("[CLOSE#5]"), "commanded"),
    Turn("thanks", NORA, "It was the cable.", to_mail("screen", "Screen")),
    Turn("number", KIM, "And floor 4.", new("[Incident - 1] Printer")),
    Turn("note", ANN, "For us only.", new("[Incident - 1] Printer")),
    Turn("mouse", BOSS, "Where is my mouse?", new("Mouse")),
    Turn("desk", ANN, "Below the desk.", to_mail("mouse", "Mouse")),
    Turn("found", BOSS, "Found it.", to_desk("boss@example.com", "Mouse", "mouse")),
    Turn("over", BOSS, "", new("[CLOSE#6]"), "commanded"),
    Turn("calls2", ANN, "", new("[MyCalls]"), "commanded"),
)


def configuration() -> Configuration:
    """A desk that answers, acknowledges, reopens and takes answers by mail."""
    policy = CommandPolicy(reply_on_create=True, reopen_closed=True, notify_handler_on_update=True)
    inbox = an_inbox(
        commands=policy,
        template="t",
        forwarded_for_original_sender=True,
        copy_takes_part=True,
        copy_on_answers=True,
        answers_by_mail=True,
    )
    people = (
        a_person("nora", name="Nora Lind", addresses=("nora@customer.example",)),
        a_person("boss", name="Bo Boss", addresses=("boss@example.com",)),
        an_analyst("ann", addresses=("ann@example.com",), permissions=("take_over",)),
    )
    settings = Settings(automatic_mail_cap=AutomaticMailCap(per_address=100))
    return a_configuration(inbox, *people, templates=(Template("t", "incident", {"Owner": "ann"}),), settings=settings)


def with_known_key(data: Path) -> None:
    """Let a desk sign reply tokens with a key that is the same for all desks of a test."""
    file = data / KEY_FILE
    file.write_text("the-key-of-the-conversation-tests")
    file.chmod(0o600)
