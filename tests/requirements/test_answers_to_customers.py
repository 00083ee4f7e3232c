"""The answers that a customer gets: name, thread, subject, excerpt; the acknowledgement; an analyst's words."""

from __future__ import annotations

import email
from email.message import Message
from email.policy import default
from typing import Any, Final

import pytest

from services.notifier import compose
from services.notifier.stage import as_outgoing
from services.operator.trial.dry_run import dry_run
from shared.config.model import AutomaticMailCap, CommandPolicy, MailServer, MailTemplate, RecordType, Settings
from shared.store.documents import Document
from tests.builders import a_configuration, a_mail, a_person, an_analyst, an_inbox
from tests.desk import Desk

JANE: Final = "Jane Doe <jane@example.com>"
ASK: Final = {"Message_ID": "<a@x.example>", "subject": "The printer"}
TEMPLATE: Final = MailTemplate("ack", "Your request {number}", "{type} {number}: {subject}\n{response_url} {{other}}\n")


def configure(desk: Desk, settings: Settings | None = None, **commands: Any) -> None:
    inbox = an_inbox(commands=CommandPolicy(**commands))
    people = (a_person("jane"), an_analyst("tom", name="Tom Analyst"))
    sections: dict[str, Any] = {"mail_templates": (TEMPLATE,), **({"settings": settings} if settings else {})}
    desk.configure(a_configuration(inbox, *people, **sections))


def sent(desk: Desk, index: int = 0) -> Message:
    """A mail of the outbox, as a mail program reads it."""
    (mail,) = [each for each in desk.app.outbox.recent(None, 0) if each.id == desk.outbox()[index]["_id"]]
    server = MailServer("default", from_address="support@example.com")
    return email.message_from_bytes(compose.build(as_outgoing(mail), server), policy=default)


def numbers(mail: Document) -> list[str]:
    return [record["number"] for record in mail["records"]]


@pytest.mark.req("VF-20")
def test_an_answer_keeps_name_thread_and_subject(desk: Desk) -> None:
    configure(desk)
    desk.receive(a_mail(sender=JANE, **ASK))
    thread = {
        "In_Reply_To": "<b@x.example>",
        "References": "<a@x.example> <b@x.example>",
        "Message_ID": "<c@x.example>",
    }
    desk.receive(a_mail("It is\nstill broken.\n", sender=JANE, subject="Re: The printer", **thread))
    answer = sent(desk)
    assert answer["To"] == "Jane Doe <jane@example.com>"
    assert answer["Subject"] == "Re: [Call - INC1] The printer"
    assert answer["In-Reply-To"] == "<c@x.example>"
    assert answer["References"].split() == ["<a@x.example>", "<b@x.example>", "<c@x.example>"]
    text = desk.outbox()[0]["text"]
    assert text.startswith("Call INC1 has been updated.\n")
    assert text.endswith("You wrote:\n\n> It is\n> still broken.\n")


@pytest.mark.req("VF-22")
def test_an_answer_that_comes_back_without_its_thread_updates_its_record(desk: Desk) -> None:
    configure(desk, reply_on_create=True)
    desk.receive(a_mail(sender=JANE, **ASK))
    (mail,) = desk.receive(a_mail(sender=JANE, subject=f"AW: {desk.outbox()[0]['subject']}"))
    assert numbers(mail) == ["INC1"]
    assert [answer["subject"] for answer in desk.outbox()] == ["Re: [Call - INC1] The printer"] * 2


@pytest.mark.req("PR-02")
def test_an_answer_to_a_stranger_has_neither_name_nor_subject_nor_excerpt(desk: Desk) -> None:
    configure(desk, reply_on_create=True)
    desk.receive(
        a_mail("evil words\n", sender="Evil <eve@elsewhere.example>", subject="evil", References="<e@x.example>")
    )
    answer = sent(desk)
    assert (answer["To"], answer["Subject"]) == ("eve@elsewhere.example", "Call INC1 has been created")
    assert desk.outbox()[0]["text"] == "Call INC1 has been created.\n\nStatus: Logged\n"
    assert "e@x.example" not in answer["References"]


@pytest.mark.parametrize(("label", "word"), [("Störung", "Störung"), ("ticket", "Ticket")])
def test_an_answer_uses_the_word_of_the_desk_with_a_capital_letter(desk: Desk, label: str, word: str) -> None:
    inbox = an_inbox(commands=CommandPolicy(reply_on_create=True))
    types = (RecordType("incident", label=label, prefix="INC"),)
    desk.configure(a_configuration(inbox, a_person("jane"), record_types=types))
    desk.receive(a_mail(sender=JANE, **ASK))
    assert desk.outbox()[0]["text"].startswith(f"{word} INC1 has been created.")
    (mail,) = desk.receive(a_mail(sender=JANE, subject=desk.outbox()[0]["subject"]))
    assert numbers(mail) == ["INC1"]


def test_an_answer_about_what_is_missing_begins_with_a_capital_letter(desk: Desk) -> None:
    inbox = an_inbox(processor="change", field_separator="$", email_when_no_target=True)
    desk.configure(a_configuration(inbox, a_person("jane")))
    desk.receive(a_mail("ChangeNumber$77\n", sender=JANE, subject="About 77"))
    (answer,) = desk.outbox()
    assert (answer["subject"], "- There is no Change 77\n" in answer["text"]) == ("Re: About 77", True)


@pytest.mark.req("PR-20")
def test_a_new_record_is_acknowledged_once_where_the_inbox_says_so(desk: Desk) -> None:
    configure(desk)
    desk.receive(a_mail(sender=JANE, **ASK))
    assert desk.outbox() == []
    configure(desk, reply_on_create=True, reply_on_update=False)
    desk.receive(a_mail("Smoke\n", sender=JANE, subject="Fire"))
    desk.receive(a_mail("More\n", sender=JANE, subject="[Call - INC2]"))
    (answer,) = desk.outbox()
    assert (answer["kind"], answer["subject"], answer["record"]) == ("created", "Re: [Call - INC2] Fire", "INC2")
    assert answer["text"].startswith("Call INC2 has been created.\n\nSubject: Fire\nStatus: Logged\n")


@pytest.mark.req("PR-20")
def test_an_acknowledgement_in_the_words_of_a_template(desk: Desk) -> None:
    configure(desk, Settings(response_url="https://desk.example"), reply_on_create=True, reply_template="ack")
    desk.receive(a_mail(sender=JANE, **ASK), a_mail(sender="Eve <eve@elsewhere.example>", subject="evil"))
    first, second = desk.outbox()
    assert first["subject"] == "[Call - INC1] Your request INC1"
    assert first["text"].startswith("Call INC1: The printer\nhttps://desk.example/records/incident/INC1 {other}\n")
    assert second["text"] == "Call INC2: \nhttps://desk.example/records/incident/INC2 {other}\n"


@pytest.mark.req("PR-20", "PR-02")
@pytest.mark.parametrize("header", [{"Precedence": "bulk"}, {"List_Id": "<l.example>"}])
def test_an_automatic_mail_is_not_acknowledged(desk: Desk, header: dict[str, str]) -> None:
    configure(desk, reply_on_create=True)
    (mail,) = desk.receive(a_mail(sender=JANE, **ASK, **header))
    assert (mail["outcome"], desk.outbox()) == ("recorded", [])


@pytest.mark.req("PR-20", "PR-02")
def test_acknowledgements_count_towards_the_limits(desk: Desk) -> None:
    settings = Settings(automatic_mail_cap=AutomaticMailCap(per_address=1))
    configure(desk, settings, reply_on_create=True)
    mails = desk.receive(a_mail(sender=JANE, subject="One"), a_mail(sender=JANE, subject="Two"))
    assert (len(desk.outbox()), "automatic_mail_cap.per_address" in mails[1]["reason"]) == (1, True)


@pytest.mark.req("PR-20")
def test_a_dry_run_shows_the_acknowledgement_that_is_sent(desk: Desk) -> None:
    configure(desk, reply_on_create=True)
    raw = a_mail(sender=JANE, **ASK)
    shown = dry_run(desk.app, raw).as_json()["notifications"]
    desk.receive(raw)
    assert [(each["subject"], each["text"]) for each in shown] == [
        (each["subject"], each["text"]) for each in desk.outbox()
    ]


@pytest.mark.parametrize("wanted", [True, False])
def test_the_customer_hears_what_an_analyst_writes(desk: Desk, wanted: bool) -> None:
    configure(desk, notify_customer_on_update=wanted)
    desk.receive(a_mail(sender=JANE, **ASK))
    desk.receive(a_mail("We are on it.\n", sender="tom@example.com", subject="[Call - INC1]"))
    heard = [each for each in desk.outbox() if each["kind"] == "customer"]
    assert [(each["to"], each["in_reply_to"]) for each in heard] == [(["jane@example.com"], "<a@x.example>")] * wanted
    if wanted:
        assert heard[0]["subject"] == "Re: [Call - INC1] The printer"
        assert heard[0]["text"] == "Tom Analyst wrote about Call INC1:\n\nWe are on it.\n"
    assert [each["to"] for each in desk.outbox() if each["kind"] == "updated"] == [["tom@example.com"]]


@pytest.mark.parametrize(
    ("sender", "headers"), [(JANE, {}), ("tom@example.com", {"Cc": "jane@example.com"}), ("eve@elsewhere.example", {})]
)
def test_the_customer_is_notified_once_and_only_of_the_own_record(
    desk: Desk, sender: str, headers: dict[str, str]
) -> None:
    configure(desk, notify_customer_on_update=True, update_anonymously=True)
    desk.receive(a_mail(sender=JANE, **ASK))
    desk.receive(a_mail("Hello\n", sender=sender, subject="[Call - INC1]", **headers))
    assert [each["kind"] for each in desk.outbox()] == ["updated"]


TALKING: Final = (
    MailTemplate("updated", "News of {number}", "{sender}: {status}", languages={"de": {"text": "Stand: {status}"}}),
    MailTemplate("already-closed", "{reply_subject}", "Closed, {desk}"),
    MailTemplate("to-handler", "For you", "{customer} wrote: {text}"),
    MailTemplate("to-customer", "{subject}", html="<p>{sender} wrote:</p>{text}"),
    MailTemplate("summary", "{what}", "{lists}"),
)


def configure_with_templates(desk: Desk, *people: Any, language: str | None = None, **commands: Any) -> None:
    inbox = an_inbox(commands=CommandPolicy(**commands), language=language)
    desk.configure(a_configuration(inbox, *people, mail_templates=TALKING))


@pytest.mark.req("VF-20")
@pytest.mark.parametrize(
    ("of_person", "of_inbox", "text"),
    [
        (None, None, "Jane Doe: Logged\n\nYou wrote:"),
        ("de-at", None, "Stand: Logged\n\nSie schrieben:"),
        (None, "de", "Stand: Logged\n\nSie schrieben:"),
        ("en", "de", "Jane Doe: Logged\n\nYou wrote:"),
        ("fr-ca", "fr", "Jane Doe: Logged\n\nVous avez écrit :"),
    ],
)
def test_an_answer_is_in_the_language_of_the_person_else_of_the_inbox(
    desk: Desk, of_person: str | None, of_inbox: str | None, text: str
) -> None:
    configure_with_templates(desk, a_person("jane", language=of_person), language=of_inbox)
    desk.receive(a_mail(sender=JANE, **ASK))
    desk.receive(a_mail("More\n", sender=JANE, subject="[Call - INC1]"))
    (answer,) = desk.outbox()
    assert (answer["subject"], answer["text"].startswith(text)) == ("[Call - INC1] News of INC1", True)
    assert answer["template"] == "updated"


@pytest.mark.req("VF-13", "PR-02")
def test_a_template_tells_a_stranger_no_more_than_the_built_in_words(desk: Desk) -> None:
    configure_with_templates(desk, a_person("jane"), update_anonymously=True)
    desk.receive(a_mail(sender=JANE, **ASK))
    desk.receive(a_mail("evil\n", sender="Eve <eve@elsewhere.example>", subject="[Call - INC1] evil"))
    (answer,) = desk.outbox()
    assert (answer["subject"], answer["text"]) == ("[Call - INC1] News of INC1", ": Logged\n")


def test_messages_to_customer_and_handler_take_templates(desk: Desk) -> None:
    people = (a_person("jane"), an_analyst("tom", name="Tom Analyst"), an_analyst("ann"))
    configure_with_templates(desk, *people, notify_customer_on_update=True, notify_handler_on_update=True)
    desk.receive(a_mail(sender=JANE, **ASK))
    desk.app.records.documents.update("records", {}, {"$set": {"owner": "ann"}})
    desk.receive(a_mail("We are <on> it.\n", sender="tom@example.com", subject="[Call - INC1]"))
    by_kind = {each["kind"]: each for each in desk.outbox()}
    customer, handler = by_kind["customer"], by_kind["handler"]
    assert customer["subject"] == "[Call - INC1] The printer"
    assert (customer["text"], customer["html"]) == (
        "Tom Analyst wrote:\n\nWe are <on> it.\n",
        "<p>Tom Analyst wrote:</p>We are &lt;on&gt; it.",
    )
    assert (handler["subject"], handler["text"]) == ("[Call - INC1] For you", "Jane Doe wrote: We are <on> it.\n")


def test_parts_of_a_mail_are_answered_together_in_text_and_html(desk: Desk) -> None:
    template = MailTemplate("updated", "s", "{number} <is> updated", "<b>{number}</b>")
    inbox = an_inbox(processor="change", record_marker="%%", field_separator="$", unique_key="ChangeNumber")
    desk.configure(a_configuration(inbox, a_person("jane"), mail_templates=(template,)))
    desk.receive(a_mail("Summary$One\n%%\nSummary$Two\n", sender=JANE))
    desk.receive(a_mail("ChangeNumber$CHG1\n%%\nChangeNumber$CHG2\n", sender=JANE))
    (answer,) = desk.outbox()
    assert answer["text"].startswith("CHG1 <is> updated\n\nCHG2 <is> updated\n")
    assert answer["html"].startswith("<b>CHG1</b>\n<b>CHG2</b>\n<p>You wrote:</p>")
