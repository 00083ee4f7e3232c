"""`postroom demo --scenario conversation`: one conversation from the first question to a summary, on screen.

A question, its acknowledgement, an analyst's answer from a mail program, the customer's reply, an approval, closing and
reopening by mail, a summary, and a second request whose service level is breached. Every mail goes through all stages;
hours pass because the demo moves its own clock.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import field
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Final

import click

from services.cli import output
from services.cli.base import as_json
from shared.clock import FixedClock
from shared.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from pathlib import Path

    from shared.app import App
    from shared.store.mails import StoredMail
    from shared.store.outbox import OutboxMail
    from shared.store.record import Record, StoredActivity

MARY: Final = "Mary Osei <mary.osei@example.com>"
KOFI: Final = "Kofi Mensah <kofi.mensah@example.com>"
ADA: Final = "Ada Novak <ada.novak@example.com>"
TOM: Final = "Tom Berg <tom.berg@example.com>"
DESK: Final = "support@example.com"
PRINTER: Final = "Printer on floor 3"
ASKED: Final = "The printer on floor 3 prints nothing since this morning.\n\nMary"
REPLIED: Final = (
    "Please switch it off and on again.\n\n-- \nKofi Mensah, at home\n\n"
    "On Friday, Mary Osei <mary.osei@example.com> wrote:\n> The printer on floor 3 prints nothing since this morning.\n"
)
BEGINS_BEFORE: Final = timedelta(days=2)
"""How long before the machine's time the conversation begins, so that it has ended by now."""


@dataclass(slots=True)
class ConversationStep:
    """One step of the conversation, and what the desk did because of it."""

    title: str
    at: datetime
    mail: StoredMail | None = None
    written: str = ""
    record: Record | None = None
    sent: tuple[OutboxMail, ...] = ()
    activities: tuple[StoredActivity, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """The step as `--json` prints it."""
        mail, record = self.mail, self.record
        return {
            "step": self.title,
            "at": self.at,
            "mail_id": mail.id if mail else None,
            "from": mail.from_.address if mail and mail.from_ else None,
            "subject": mail.subject if mail else None,
            "outcome": mail.outcome if mail else None,
            "reason": mail.reason if mail else None,
            "record": record.number if record else None,
            "status": record.status if record else None,
            "sent": [
                {"to": list(each.to), "cc": list(each.cc or ()), "subject": each.subject, "text": each.text,
                 "kind": each.kind}
                for each in self.sent
            ],
            "activities": [{"kind": each.kind, "by": each.by, "text": each.text} for each in self.activities],
        }  # fmt: skip


def clock() -> FixedClock:
    """The demo's clock."""
    return FixedClock(datetime.now(UTC).replace(microsecond=0) - BEGINS_BEFORE)


def show(app: App, time: FixedClock, samples: Path) -> None:
    """Hold the conversation and print each step as it happens."""
    from shared.config.reading import load
    from shared.store.configuration import apply

    apply(app.documents, load(samples / "conversation.yaml"), clock=app.clock, reason="demo")
    app.directory.renew()
    for number, step in enumerate(Conversation(app, time).steps(), start=1):
        if as_json():
            output.emit(step.as_json())
        else:
            _print(number, step)


@dataclass(slots=True)
class Conversation:
    """The conversation on a desk: hands mails in, lets all stages work, and looks at what is new."""

    app: App
    time: FixedClock
    seen: set[str] = field(default_factory=set)

    def steps(self) -> Iterator[ConversationStep]:
        """Every step, carried out when it is asked for."""
        self._new_mails()
        question = self._mail("Mary asks, with Tom in copy. She gets an acknowledgement.", MARY, PRINTER, ASKED, cc=TOM)
        yield question
        asked = question.mail
        assert asked is not None
        call = asked.records[0]
        first = asked.message_id
        yield self._mail(
            "Kofi, an analyst, replies from his mail program. His new text goes to Mary, with a copy to Tom.",
            KOFI, f"Re: {PRINTER}", REPLIED, answers=first, after=timedelta(minutes=20),
        )  # fmt: skip
        yield self._mail(
            "Mary replies to the answer. Kofi is notified.",
            MARY, f"Re: {PRINTER}", "I did, and it is still dead. May I order a new one?", answers=self._last_to(MARY),
            after=timedelta(minutes=30),
        )  # fmt: skip
        yield self._operator("An operator asks Ada for her approval.", lambda: self._ask_ada(call.id))
        yield self._mail(
            "Ada approves by mail. The call has a note of it.",
            ADA, f"[APPROVE#{self._approval()}]", "Yes.", after=timedelta(hours=1), about=call.id,
        )  # fmt: skip
        yield self._mail(
            "The printer is there: Mary closes her call.",
            MARY, f"[CLOSE#{call.number}]", "", after=timedelta(hours=4), about=call.id,
        )  # fmt: skip
        yield self._mail(
            "The next day Mary writes again. Her mail reopens the call.",
            MARY, f"Re: {PRINTER}", "The new one prints in red only.", answers=first, after=timedelta(hours=18),
        )  # fmt: skip
        yield self._mail("Kofi asks what is on his desk.", KOFI, "[MyCalls]", "", after=timedelta(minutes=5))
        yield self._mail(
            "Mary has another question, and nobody reads it.",
            MARY, "Screen", "My screen is black.", after=timedelta(minutes=5),
        )  # fmt: skip
        yield self._wait("An hour later the service level says that the response is late.", timedelta(minutes=61))

    def _mail(
        self,
        title: str,
        sender: str,
        subject: str,
        text: str,
        *,
        cc: str | None = None,
        answers: str | None = None,
        after: timedelta = timedelta(),
        about: str | None = None,
    ) -> ConversationStep:
        """One mail, and what became of it. `about`: the record that is shown, else the one that the mail names."""
        from shared.intake import RawMail

        self.time.advance(after)
        raw = self._raw(sender, subject, text, cc, answers)
        (mail_id,) = self.app.intake.hand_over([RawMail(raw, "support")])
        self._work()
        mail = self.app.mails.get(mail_id)
        named = about or next((each.id for each in mail.records), None) if mail else about
        return self._step(title, mail, text, named)

    def _raw(self, sender: str, subject: str, text: str, cc: str | None, answers: str | None) -> bytes:
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = sender, DESK, subject
        message["Date"] = format_datetime(self.time.now())
        message["Message-ID"] = f"<demo-{self.time.now():%Y%m%d%H%M%S}-{len(self.seen)}@example.com>"
        for name, value in (("Cc", cc), ("In-Reply-To", answers), ("References", answers)):
            if value:
                message[name] = value
        message.set_content(f"{text}\n")
        return message.as_bytes()

    def _work(self) -> None:
        from services.runner import run_all

        run_all(self.app, threading.Event(), once=True, sources=False)

    def _operator(self, title: str, act: Callable[[], str]) -> ConversationStep:
        self.time.advance(timedelta(minutes=10))
        record_id = act()
        self._work()
        return self._step(title, None, "", record_id)

    def _ask_ada(self, call: str) -> str:
        """Make an approval of Ada's below the call."""
        from services.operator.service_desk import manual_edits

        type_, parent = self.app.directory.type_named("approval"), self.app.records.get(call)
        assert type_ is not None
        new = manual_edits.NewRecord(subject="A new printer", parent=parent, values=(("Owner", "ada"),))
        return manual_edits.create(self.app, type_, new).id

    def _approval(self) -> int:
        """The number of the newest approval."""
        return self.app.records.peek_serial("approval") - 1

    def _wait(self, title: str, by: timedelta) -> ConversationStep:
        """Let time pass, and the schedule look."""
        from services.schedule.source import ScheduleSource

        self.time.advance(by)
        ScheduleSource(self.app).once()
        self._work()
        newest = self.app.records.numbered("incident", self.app.records.peek_serial("incident") - 1)
        return self._step(title, None, "", newest.id if newest else None)

    def _last_to(self, person: str) -> str | None:
        """The Message-ID of the newest mail of the desk to this person."""
        address = person.rpartition("<")[2].strip(">")
        return next((each.message_id for each in self.app.outbox.recent(None, 0) if address in each.to), None)

    def _step(self, title: str, mail: StoredMail | None, text: str, record_id: str | None) -> ConversationStep:
        record = self.app.records.get(record_id) if record_id else None
        activities = self.app.records.activities(record.id, 50) if record else []
        new = tuple(each for each in activities if each.id not in self.seen)
        self.seen |= {each.id for each in new}
        return ConversationStep(title, self.time.now(), mail, text, record, self._new_mails(), new)

    def _new_mails(self) -> tuple[OutboxMail, ...]:
        """What the desk wrote since the last step, the oldest first."""
        new = [each for each in self.app.outbox.recent(None, 0) if each.id not in self.seen]
        self.seen |= {each.id for each in new}
        return tuple(reversed(new))


def _print(number: int, step: ConversationStep) -> None:
    click.echo(f"\n{number}. {step.title}\n")
    mail, record = step.mail, step.record
    output.facts(
        (
            ("at", f"{step.at:%Y-%m-%d %H:%M} UTC"),
            ("from", str(mail.from_.address) if mail and mail.from_ else None),
            ("subject", mail.subject if mail else None),
            ("outcome", f"{mail.outcome}: {mail.reason}" if mail else None),
            ("record", f"{record.number}, {record.status}" if record else None),
        )
    )
    if step.written:
        click.echo(output.quoted(step.written))
    for each in step.activities:
        if each.kind not in {"email", "answer"}:
            click.echo(f"  {each.kind}: {output.safe(each.text.strip().splitlines()[0] if each.text.strip() else '')}")
    for sent in step.sent:
        copies = f", copy to {', '.join(sent.cc)}" if sent.cc else ""
        output.heading(f"  The desk writes to {', '.join(sent.to)}{copies}: {sent.subject}")
        click.echo(output.quoted(sent.text))
