"""A mail that an analyst forwards counts for who wrote it first, where the inbox wants that; nobody else's does."""

from __future__ import annotations

from typing import Any, Final

import pytest

from services.operator.trial.dry_run import dry_run
from shared.config.model import CommandPolicy, SenderPolicy, Settings
from shared.store.documents import Document
from tests.builders import a_configuration, a_mail, a_person, an_analyst, an_inbox
from tests.desk import Desk

ANN: Final = "Ann Analyst <ann@example.com>"
KIM: Final = "Kim Lee <kim@customer.example>"
WRITTEN: Final = "My screen is black.\nKim"
OUR_SERVER: Final = "mx.example.com"


def block(sender: str = KIM, subject: str = "Screen") -> str:
    return (
        f"From: {sender}\nSent: Friday, 20 November 2026 08:00\nTo: Ann Analyst <ann@example.com>\nSubject: {subject}"
    )


def a_forward(sender: str = ANN, above: str = "She is in room 3.", shown: str | None = None, **keys: Any) -> bytes:
    """A mail in which `sender` forwards what Kim wrote."""
    keys.setdefault("subject", "Fw: Screen")
    return a_mail(f"{above}\n\n{block() if shown is None else shown}\n\n{WRITTEN}\n", sender=sender, **keys)


def configure(
    desk: Desk, *people: Any, trusted: bool = False, commands: CommandPolicy | None = None, **inbox: Any
) -> None:
    policy = commands or CommandPolicy(reply_on_create=True, trust="authenticated" if trusted else "address")
    made = an_inbox(commands=policy, **{"forwarded_for_original_sender": True, **inbox})
    settings = Settings(trusted_authserv_ids=(OUR_SERVER,))
    desk.configure(a_configuration(made, an_analyst("ann"), a_person("jane"), *people, settings=settings))


def customer(desk: Desk, record: Document) -> list[str]:
    """The addresses of a record's customer."""
    (found,) = [each["addresses"] for each in desk.people() if each["_id"] == record["customer"]]
    return list(found)


@pytest.mark.req("VS-05")
def test_the_customer_is_who_wrote_first_and_the_forwarding_analyst_has_logged_it(desk: Desk) -> None:
    configure(desk)
    (mail,) = desk.receive(a_forward())
    record = desk.record()
    assert customer(desk, record) == ["kim@customer.example"]
    assert (record["logging_analyst"], record["subject"], record["description"]) == (
        "ann",
        "Screen",
        f"{WRITTEN}\n".strip(),
    )
    assert "forwarded by Ann Analyst for its original sender kim@customer.example" in mail["reason"]


def test_what_the_analyst_wrote_above_is_a_note_of_the_analyst(desk: Desk) -> None:
    configure(desk)
    desk.receive(a_forward())
    email, note = desk.activities(desk.record())
    assert (email["kind"], email["text"], email["by"]) == ("email", WRITTEN, "Kim Lee <kim@customer.example>")
    assert (note["kind"], note["by"]) == ("note", "Ann Analyst")
    assert note["text"] == (
        "Forwarded for Kim Lee <kim@customer.example>, who wrote it on Friday, 20 November 2026 08:00."
        "\n\nShe is in room 3."
    )


@pytest.mark.req("PR-20")
def test_the_acknowledgement_goes_to_who_wrote_first_without_the_analysts_words(desk: Desk) -> None:
    configure(desk, a_person("kim", addresses=("kim@customer.example",)))
    desk.receive(a_forward(Message_ID="<private@laptop.example>"))
    (sent,) = desk.outbox()
    assert sent["to"] == ["kim@customer.example"]
    assert sent["in_reply_to"] is None
    assert "room 3" not in sent["text"]
    assert "ann" not in f"{sent['subject']} {sent['text']}".lower()


def test_a_known_person_is_the_customer_and_has_the_mail_in_the_history(desk: Desk) -> None:
    configure(desk, a_person("kim", addresses=("kim@customer.example",)))
    desk.receive(a_forward())
    assert desk.record()["customer"] == "kim"
    assert [each.number for each in desk.app.people.history("kim", 5)] == ["INC1"]


def test_the_customer_can_answer(desk: Desk) -> None:
    configure(desk)
    desk.receive(a_forward())
    desk.receive(a_mail("It works again.\n", sender=KIM, subject="Incident#1"))
    assert [each["text"] for each in desk.activities(desk.record())][-1] == "It works again.\n"


def test_an_attached_mail_counts_with_its_own_header_and_text(desk: Desk) -> None:
    configure(desk)
    original = a_mail(f"{WRITTEN}\n", sender=KIM, subject="Screen", Message_ID="<k1@customer.example>")
    forward = a_mail("She is in room 3.\n", sender=ANN, subject="FW: Screen", files=())
    boundary = b"--B\nContent-Type: message/rfc822\nContent-Disposition: attachment\n\n" + original + b"\n--B--\n"
    head, _, text = forward.partition(b"\n\n")
    lines = [line for line in head.split(b"\n") if not line.startswith((b"Content-", b"MIME-"))]
    raw = b"\n".join(
        [*lines, b"MIME-Version: 1.0", b'Content-Type: multipart/mixed; boundary="B"', b"", b"--B", b"", text]
    )
    desk.receive(raw + b"\n" + boundary)
    record = desk.record()
    assert customer(desk, record) == ["kim@customer.example"]
    assert record["description"].strip() == WRITTEN
    assert [each["in_reply_to"] for each in desk.outbox()] == ["<k1@customer.example>"]
    assert [each["content_type"] for each in desk.activities(record)[0]["attachments"]] == ["message/rfc822"]


def test_a_forward_about_a_record_adds_the_customers_words_to_it(desk: Desk) -> None:
    configure(desk)
    desk.receive(a_mail(sender=KIM, subject="Screen", Message_ID="<k0@customer.example>"))
    desk.receive(a_forward(subject="Fw: [Incident - 1] Screen"))
    (record,) = desk.records()
    assert [(each["kind"], each["by"]) for each in desk.activities(record)][1:] == [
        ("email", "Kim Lee <kim@customer.example>"),
        ("note", "Ann Analyst"),
    ]


REASONS: Final = {
    "no address": (a_forward(shown=block("Kim Lee")), "cannot be read"),
    "no block": (a_mail("My screen is black.\n", sender=ANN, subject="Fw: Screen"), "cannot be read"),
    "the desk's own": (a_forward(shown=block("Support <Support@Example.com>")), "one of this desk's"),
    "the desk's own, tagged": (a_forward(shown=block("support+x@example.com")), "one of this desk's"),
    "a mail system": (a_forward(shown=block("Mail System <MAILER-DAEMON@mx.example>")), "sent automatically"),
    "a robot": (a_forward(shown=block("Shop <no-reply@shop.example>")), "sent automatically"),
    "the analyst's own": (a_forward(shown=block(ANN)), "by the same analyst"),
    "an automatic mail of the analyst": (a_forward(Precedence="bulk"), "it was sent automatically"),
}


@pytest.mark.parametrize(("raw", "why"), REASONS.values(), ids=REASONS)
def test_another_forward_stays_the_analysts_own_mail_and_says_why(desk: Desk, raw: bytes, why: str) -> None:
    configure(desk)
    tried = dry_run(desk.app, raw)
    (mail,) = desk.receive(raw)
    record = desk.record()
    assert record["customer"] == "ann"
    assert "a forward, kept as a mail of Ann Analyst: " in mail["reason"]
    assert why in mail["reason"]
    assert tried.reason == mail["reason"]


def test_where_mail_of_strangers_makes_no_record_their_forwarded_mail_is_the_analysts(desk: Desk) -> None:
    configure(desk, sender=SenderPolicy(policy="existing_only"))
    (mail,) = desk.receive(a_forward())
    assert desk.record()["customer"] == "ann"
    assert "takes mail of known people only" in mail["reason"]


@pytest.mark.parametrize(
    "sender", ["Jane Doe <jane@example.com>", "Eve <eve@elsewhere.example>", f'"{ANN}" <eve@x.example>']
)
def test_a_forward_of_anybody_else_is_a_mail_of_that_person(desk: Desk, sender: str) -> None:
    configure(desk)
    (mail,) = desk.receive(a_forward(sender=sender))
    assert customer(desk, desk.record()) == [sender.rpartition("<")[2].strip(">")]
    assert "forward" not in mail["reason"]


def test_a_forward_is_the_analysts_where_the_inbox_does_not_ask_for_more(desk: Desk) -> None:
    configure(desk, forwarded_for_original_sender=False)
    desk.receive(a_forward())
    assert desk.record()["customer"] == "ann"


PASSES: Final = {"Authentication_Results": f"{OUR_SERVER}; dmarc=pass header.from=example.com"}


@pytest.mark.parametrize(("headers", "expected"), [({}, "ann@example.com"), (PASSES, "kim@customer.example")])
def test_the_trust_of_commands_holds_for_the_analyst(desk: Desk, headers: dict[str, str], expected: str) -> None:
    configure(desk, trusted=True)
    desk.receive(a_forward(**headers))
    assert expected in customer(desk, desk.record())


def test_a_proof_of_the_analyst_is_none_of_the_forwarded_sender(desk: Desk) -> None:
    configure(desk, trusted=True)
    desk.receive(a_forward(shown=block("Pat <pat@example.com>"), **PASSES))
    (sent,) = desk.outbox()
    assert sent["to"] == ["pat@example.com"]
    assert "Screen" not in f"{sent['subject']} {sent['text']}"


@pytest.mark.parametrize("subject", ["Fw: [CLOSE#1]", "Fw: [Incident - 2] [CLOSE#1]"])
def test_a_forwarded_command_closes_nothing(desk: Desk, subject: str) -> None:
    configure(desk, a_person("kim", addresses=("kim@customer.example",)))
    desk.receive(a_mail(sender=KIM, subject="Screen"))
    (mail,) = desk.receive(a_forward(subject=subject, above="[CLOSE#1]", shown=block(subject="[CLOSE#1]")))
    assert [each["status"] for each in desk.records()] == ["Logged", "Logged"]
    assert mail["outcome"] == "recorded"


def test_a_forward_sets_no_field_that_analysts_alone_set(desk: Desk) -> None:
    configure(desk, processor="problem", field_separator="$")
    desk.receive(a_forward(shown=f"{block()}\n\nStatus$Closed\nOwner$ann\nSummary$Black"))
    record = desk.record("problem")
    assert (record["status"], record["owner"], record["fields"]["Summary"]) == ("Logged", None, "Black")


def test_a_forward_has_one_effect_when_it_is_delivered_twice(desk: Desk) -> None:
    configure(desk)
    raw = a_forward()
    desk.receive(raw)
    desk.receive(raw)
    assert (len(desk.records()), len(desk.activities(desk.record())), len(desk.outbox())) == (1, 2, 1)
