"""What the crash tests send: one mail for each outcome, and a desk that gives them these outcomes.

The seed is a desk with history: two records of Anna's, one of them closed. Everything after it is compared.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from shared.config.model import CommandPolicy, Configuration
from tests.builders import a_configuration, a_mail, an_analyst, an_inbox

PROBLEMS = an_inbox("problems", processor="problem", record_marker="#####", field_separator=":")
TASKS = an_inbox("tasks", task_for_every_email=True, task_subject="Look at it")


@dataclass(frozen=True, slots=True)
class Sent:
    """One mail of the sender's own list, and what must become of it; "": any outcome.

    `times`: how often it is handed in.
    """

    label: str
    raw: bytes
    outcome: str
    inbox: str | None = None
    times: int = 1


ANALYST = "Ann Analyst <ann@example.com>"
"""Who may state a priority by mail, and so may state a bad one (IV-42)."""


def configuration() -> Configuration:
    """Incidents, problems by the body language, tasks for every mail."""
    support = an_inbox("support", owner_team="Service Desk", commands=CommandPolicy(reply_on_update=True))
    return a_configuration(support, PROBLEMS, TASKS, an_analyst())


def seed() -> list[Sent]:
    """The history: the second one's record is closed afterwards."""
    return [
        Sent("parent", a_mail("It smokes.\n", subject="Printer", Message_ID="<parent@customer.example>"), "recorded"),
        Sent("closed", a_mail("It stank.\n", subject="Drains", Message_ID="<closed@customer.example>"), "recorded"),
    ]


def mixed() -> list[Sent]:
    """One for each outcome."""
    files = (("plan.pdf", "application/pdf", b"%PDF-1.4 plan"), ("list.csv", "text/csv", b"a;b\n1;2\n"))
    parts = "Summary: disk one\nPriority: 1\n#####\nSummary: disk two\n#####\nPriority: soon\n"
    return [
        Sent("new", _mail("new", "It burns.\n", subject="Fire", files=files), "recorded", times=2),
        Sent("stranger", _mail("stranger", "Hello.\n", sender="Carl <carl@elsewhere.example>"), "recorded"),
        Sent(
            "reply",
            _mail("reply", "Still smoking.\n", subject="Re: Printer", In_Reply_To="<parent@customer.example>"),
            "recorded",
        ),
        Sent("late", _mail("late", "More.\n", subject="Re: Fire", In_Reply_To="<new@customer.example>"), "recorded"),
        Sent(
            "reopen",
            _mail("reopen", "Again.\n", subject="Re: Drains", In_Reply_To="<closed@customer.example>"),
            "rejected",
        ),
        Sent("robot", _mail("robot", "I am away.\n", subject="Out of office"), "rejected"),
        Sent("astray", _mail("astray", "Where am I?\n", subject="Lost"), "dead", inbox="nowhere"),
        Sent(
            "wrong",
            _mail("wrong", "Summary: x\nPriority: soon\n", subject="Wrong", sender=ANALYST),
            "dead",
            inbox="problems",
        ),
        Sent("parts", _mail("parts", parts, subject="Disks", sender=ANALYST), "recorded", inbox="problems"),
        Sent("task", _mail("task", "Please look.\n", subject="Look"), "recorded", inbox="tasks"),
        Sent(
            "large",
            _mail(
                "large", "x" * 70 + "\n", subject="Large", files=(("b.bin", "application/octet-stream", bytes(90_000)),)
            ),
            "recorded",
        ),
    ]


def _mail(label: str, text: str, **keys: object) -> bytes:
    """The same bytes each time: the delimiters of parts are chance otherwise."""
    raw = a_mail(text, Message_ID=f"<{label}@customer.example>", **keys)  # type: ignore[arg-type]
    return re.sub(rb"={15}\d+==", b"=====delimiter=====", raw)


def many(count: int, *, poison: frozenset[int] = frozenset()) -> list[Sent]:
    """Plain mails, each a record of its own; a poison kills its worker (see `plants.poison`)."""
    plain = [n for n in range(count) if n not in poison]
    good = [Sent(f"m{n}", _mail(f"m{n}", f"Number {n}.\n", subject=f"Mail {n}"), "recorded") for n in plain]
    bad = [Sent(f"m{n}", _mail(f"m{n}", "poison\n", subject=f"Mail {n}"), "dead") for n in sorted(poison)]
    return sorted([*good, *bad], key=lambda sent: int(sent.label[1:]))


def replies(count: int) -> list[Sent]:
    """All to the same record, Anna's first."""
    keys = {"subject": "Re: Printer", "In_Reply_To": "<parent@customer.example>"}
    return [Sent(f"r{n}", _mail(f"r{n}", f"Reply {n}.\n", **keys), "recorded") for n in range(count)]
