"""An analyst's reply from a mail program is an answer of the desk to the customer, where the inbox wants that."""

from __future__ import annotations

import email
from email.message import EmailMessage
from email.policy import default
from typing import Any, Final, cast

import pytest

from services.notifier import compose
from services.notifier.stage import as_outgoing, with_files
from services.operator.trial.dry_run import dry_run
from shared.config.model import CommandPolicy, Inbox, MailServer, Settings, Template
from shared.store.documents import Document
from tests.builders import a_configuration, a_mail, a_person, an_analyst, an_inbox
from tests.desk import Desk

JANE: Final = "Jane Doe <jane@example.com>"
ANN: Final = "Ann Private <ann@home.example>"
BOSS: Final = "boss@customer.example"
ASKED: Final = "<q1@customer.example>"
QUOTE: Final = "\n\nOn Friday, Jane Doe <jane@example.com> wrote:\n> The printer on floor 3 is on fire.\n"
PDF: Final = ("manual.pdf", "application/pdf", b"%PDF-1 manual")


def configure(desk: Desk, *, settings: Settings | None = None, trust: str = "address", **inbox: Any) -> Inbox:
    policy = CommandPolicy(trust=cast(Any, trust), reply_on_update=False)
    made = an_inbox(template="t", commands=policy, **{"answers_by_mail": True, **inbox})
    people = (
        a_person("jane"),
        a_person("bob"),
        an_analyst("ann", addresses=("ann@home.example",)),
        an_analyst("tom", name="Tom", addresses=("tom@example.com",)),
    )
    sections: dict[str, Any] = {
        "templates": (Template("t", "incident", {"Owner": "ann"}),),
    }
    desk.configure(a_configuration(made, *people, settings=settings or Settings(), **sections))
    return made


def ask(desk: Desk, **keys: Any) -> None:
    desk.receive(a_mail(sender=JANE, **{"Message_ID": ASKED, **keys}))


def a_reply(text: str = "Please try again.", sender: str = ANN, quote: str = QUOTE, **keys: Any) -> bytes:
    keys = {"subject": "Re: Printer", "In_Reply_To": ASKED, "References": ASKED, **keys}
    return a_mail(text + quote, sender=sender, **keys)


def answers(desk: Desk) -> list[Document]:
    return [mail for mail in desk.outbox() if mail["kind"] == "answer"]


def as_sent(desk: Desk) -> EmailMessage:
    """The only answer, as the customer's mail program reads it."""
    (mail,) = [each for each in desk.app.outbox.recent(None, 0) if each.kind == "answer"]
    server = MailServer("default", from_address="support@example.com")
    outgoing = with_files(as_outgoing(mail), mail, desk.store.get_blob)
    raw = compose.build(outgoing, server)
    assert raw == compose.build(outgoing, server)
    return cast(EmailMessage, email.message_from_bytes(raw, policy=cast(Any, default)))


def noted(desk: Desk) -> list[tuple[str, str]]:
    return [(each["kind"], each["text"].strip()) for each in desk.activities(desk.record())]


def test_an_analysts_reply_goes_to_the_customer_as_an_answer_of_the_desk(desk: Desk) -> None:
    configure(desk)
    ask(desk)
    desk.receive(a_reply())
    sent = as_sent(desk)
    assert (sent["From"], sent["To"]) == ("support@example.com", "Jane Doe <jane@example.com>")
    assert (sent["In-Reply-To"], sent["References"]) == (ASKED, ASKED)
    assert sent["Subject"] == "Re: [Call - INC1] Printer"
    assert sent["Auto-Submitted"] is None
    assert noted(desk)[1:] == [("answer", "Please try again."), ("note", "Answered to jane@example.com")]


def test_only_the_new_text_leaves_the_desk(desk: Desk) -> None:
    configure(desk)
    ask(desk)
    desk.receive(a_reply("Please try again.\n\n-- \nAnn Private\n+49 30 1234\nann@home.example", X_Mailer="Secret 1.0"))
    sent = as_sent(desk)
    body = sent.get_body()
    assert body is not None
    assert body.get_content().strip() == "Please try again."
    assert "home.example" not in sent.as_string()
    assert "Secret" not in sent.as_string()


def test_the_answer_is_in_reply_to_the_customers_last_mail(desk: Desk) -> None:
    configure(desk)
    ask(desk)
    thread = {"In_Reply_To": ASKED, "References": ASKED, "subject": "Re: Printer"}
    desk.receive(a_mail("It burns.\n", sender="jane+desk@example.com", Message_ID="<q2@customer.example>", **thread))
    desk.receive(a_reply("Use water.", quote=""))
    (sent,) = answers(desk)
    assert (sent["to"], sent["in_reply_to"]) == (["jane+desk@example.com"], "<q2@customer.example>")


def test_a_reply_to_what_the_desk_sent_the_analyst_repeats_nothing_of_it(desk: Desk) -> None:
    configure(desk)
    ask(desk)
    fields = "From: support@example.com\nSent: Friday\nTo: Ann\nSubject: Printer"
    original = f"\n\n-----Original Message-----\n{fields}\n\nThe printer on floor 3 is on fire.\n"
    desk.receive(a_reply(quote=original))
    assert [each["text"] for each in answers(desk)] == ["Please try again.\n"]


def test_files_go_with_the_answer_but_restricted_and_private_ones(desk: Desk) -> None:
    configure(desk, settings=Settings(restricted_attachments=("*.exe",), keep_full_message=True))
    ask(desk)
    files = (
        PDF,
        ("tool.exe", "application/x-msdownload", b"MZ"),
        ("smime.p7s", "application/pkcs7-signature", b"ann@"),
    )
    desk.receive(a_reply(files=(*files, ("ann.vcf", "text/vcard", b"ann@home.example"))))
    sent = as_sent(desk)
    assert [(each.get_filename(), each.get_content()) for each in sent.iter_attachments()] == [("manual.pdf", PDF[2])]
    assert ("note", "Answered to jane@example.com. With manual.pdf") in noted(desk)


def test_who_is_copied_gets_the_answer_where_the_inbox_wants_it(desk: Desk) -> None:
    configure(desk, copy_takes_part=True, copy_on_answers=True)
    ask(desk, Cc=f"{BOSS}, Bob <bob@example.com>, tom@example.com")
    desk.receive(a_reply(Cc="tom@example.com"))
    assert as_sent(desk)["Cc"] == "boss@customer.example, bob@example.com"
    assert ("note", "Answered to jane@example.com. Copies to boss@customer.example, bob@example.com") in noted(desk)


@pytest.mark.req("VF-17")
@pytest.mark.parametrize(("copied", "outcome"), [(True, "rejected"), (False, "commanded")])
def test_an_answer_with_copies_proves_nobody(desk: Desk, *, copied: bool, outcome: str) -> None:
    """Whoever got a copy knows its Message-ID, and could write in the customer's name."""
    trusting = Settings(trusted_authserv_ids=("mx.example.com",))
    configure(desk, trust="authenticated", settings=trusting, copy_takes_part=True, copy_on_answers=copied)
    ask(desk, Cc=BOSS)
    desk.receive(a_reply(Authentication_Results="mx.example.com; dmarc=pass header.from=home.example"))
    (answer,) = answers(desk)
    assert answer.get("cc") == ([BOSS] if copied else None)
    (mail,) = desk.receive(a_mail(sender=JANE, subject="[CLOSE#1]", In_Reply_To=answer["message_id"]))
    assert (mail["outcome"], desk.record()["status"] == "Closed") == (outcome, not copied)


def test_nobody_is_copied_otherwise(desk: Desk) -> None:
    configure(desk, copy_takes_part=True)
    ask(desk, Cc=BOSS)
    desk.receive(a_reply())
    assert as_sent(desk)["Cc"] is None


def test_a_customer_who_got_the_mail_itself_gets_no_other(desk: Desk) -> None:
    configure(desk)
    ask(desk)
    desk.receive(a_reply(to="support@example.com, jane@example.com"))
    assert answers(desk) == []
    assert [kind for kind, _ in noted(desk)] == ["email", "answer", "note"]


OTHERS: Final = {
    "a stranger": a_reply(sender="eve@evil.example"),
    "a stranger with the analyst's name": a_reply(sender='"Ann Private <ann@home.example>" <eve@evil.example>'),
    "a look-alike of the analyst": a_reply(sender="ann@h\u043eme.example"),
    "another customer": a_reply(sender="bob@example.com"),
    "the customer": a_reply(sender=JANE),
    "an automatic mail of the analyst": a_reply(Precedence="bulk"),
    "an absence notice of the analyst": a_reply(Auto_Submitted="auto-replied"),
    "an empty return path": a_reply(Return_Path="<>"),
    "a new mail of the analyst, no reply": a_mail("For us only.\n", sender=ANN, subject="[Incident - 1] Printer"),
    "a forward of the analyst": a_reply(subject="Fwd: Printer"),
    "a command of the analyst": a_reply(subject="Re: [CLOSE#1]"),
    "a list in the analyst's name": a_reply(
        sender="users@lists.example", X_Original_From=ANN, List_Id="<users.lists.example>"
    ),
    "a command to update": a_reply("[Update Ticket - 1]\nFor us only."),
    "several authors": a_reply(sender="Ann <ann@home.example>, Eve <eve@home.example>"),
}


@pytest.mark.parametrize("raw", OTHERS.values(), ids=OTHERS)
def test_no_other_mail_is_an_answer(desk: Desk, raw: bytes) -> None:
    configure(desk)
    ask(desk)
    desk.receive(raw)
    assert answers(desk) == []
    assert "answer" not in [kind for kind, _ in noted_on_first(desk)]


def noted_on_first(desk: Desk) -> list[tuple[str, str]]:
    return [(each["kind"], each["text"].strip()) for each in desk.activities(desk.records()[0])]


def test_without_the_key_a_reply_stays_in_the_desk(desk: Desk) -> None:
    configure(desk, answers_by_mail=False)
    ask(desk)
    desk.receive(a_reply())
    assert (answers(desk), [kind for kind, _ in noted(desk)]) == ([], ["email", "email"])


PASSES: Final = {"Authentication_Results": "mx.example.com; dmarc=pass header.from=home.example"}


@pytest.mark.parametrize(("headers", "sent"), [({}, 0), (PASSES, 1)])
def test_the_trust_of_commands_holds(desk: Desk, headers: dict[str, str], sent: int) -> None:
    configure(desk, trust="authenticated", settings=Settings(trusted_authserv_ids=("mx.example.com",)))
    ask(desk)
    desk.receive(a_reply(**headers))
    assert len(answers(desk)) == sent


def test_a_reply_without_new_text_is_not_sent_and_the_analyst_is_notified(desk: Desk) -> None:
    configure(desk)
    ask(desk)
    desk.receive(a_reply("", quote="> The printer on floor 3 is on fire.\n"))
    assert answers(desk) == []
    (told,) = desk.outbox()
    assert told["to"] == ["ann@home.example"]
    assert "was not sent to the customer: nothing in the mail is new text" in told["text"]
    assert ("note", "Not sent to the customer: nothing in the mail is new text") in noted(desk)


def test_a_text_that_repeats_itself_is_sent_twice_at_most(desk: Desk) -> None:
    configure(desk)
    ask(desk)
    for _ in range(4):
        desk.receive(a_reply("I am away until Monday."))
    assert len(answers(desk)) == 2
    assert ("note", "Not sent to the customer: the same text was sent 2 times within an hour") in noted(desk)


def test_an_answer_is_not_counted_among_automatic_mail(desk: Desk) -> None:
    configure(desk)
    ask(desk)
    for number in range(15):
        desk.receive(a_reply(f"Step {number}.", quote=""))
    assert len(answers(desk)) == 15


def test_a_customer_at_an_address_of_the_desk_is_not_answered(desk: Desk) -> None:
    configure(desk)
    ask(desk)
    record = desk.record()
    desk.store.update("people", {"_id": record["customer"]}, {"$set": {"addresses": ["support@example.com"]}})
    desk.receive(a_reply())
    assert answers(desk) == []


def test_one_answer_leaves_when_the_reply_comes_twice_and_try_shows_it(desk: Desk) -> None:
    configure(desk)
    ask(desk)
    raw = a_reply()
    tried = dry_run(desk.app, raw)
    desk.receive(raw)
    desk.receive(raw)
    (sent,) = answers(desk)
    assert [(list(each.to), each.text, each.kind) for each in tried.notices] == [(sent["to"], sent["text"], "answer")]
