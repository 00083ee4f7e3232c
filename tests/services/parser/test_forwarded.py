"""The mail that a forward passes on: who wrote it, its text, and what the forwarding person wrote above it."""

from __future__ import annotations

from email.message import EmailMessage

import pytest

from services.parser.mime import read
from shared.contracts.mail import Address, Forwarded
from tests.builders import a_mail

BOB = Address("Bob Brown", "bob@example.net")
TEXT = "The toner is empty.\n\nDate: tomorrow would do.\nBob"
ABOVE = "Please have a look."
BLOCKS = {
    "Gmail": (
        "---------- Forwarded message ---------\nFrom: Bob Brown <bob@Example.NET>\nDate: Mon, Feb 3, 2020\n"
        "Subject: Toner\nTo: Ann <ann@example.com>\nCc: Kim <kim@example.com>,\n  Lee <lee@example.com>\n"
    ),
    "Gmail, fr": "---------- Message transféré ---------\nDe : Bob Brown <bob@example.net>\nDate: lun.\nSubject: Toner",
    "Gmail, zh": "---------- 转发的邮件 ---------\n发件人： Bob Brown <bob@example.net>\n日期： 2020\n主题： Toner",
    "Outlook": (
        "From: Bob Brown <bob@example.net>\nSent: Monday, February 3, 2020 10:00 AM\n"
        "To: Ann Analyst <ann@example.com>\nSubject: Toner"
    ),
    "Outlook, de": "Von: Bob Brown [mailto:bob@example.net]\nGesendet: Montag\nAn: Ann\nBetreff: Toner",
    "Outlook, es": "De: Bob Brown <bob@example.net>\nEnviado el: lunes\nPara: Ann\nAsunto: Toner",
    "Outlook, bold": "*From:* Bob Brown <bob@example.net>\n*Sent:* Monday\n*To:* Ann\n*Subject:* Toner",
    "Outlook, a rule": "____________________\nFrom: Bob Brown <bob@example.net>\nSent: Monday\nTo: Ann\nSubject: Toner",
    "Outlook, blank lines between": "From: Bob Brown <bob@example.net>\n\nSent: Monday\n\nTo: Ann\n\nSubject: Toner",
    "Exchange": (
        "-----Original Message-----\nFrom: Bob Brown <bob@example.net>\nSent: Monday\nTo: Ann; Kim Lee;\n"
        "    Lee Ann <lee@example.com>\nSubject: Toner"
    ),
    "Thunderbird": (
        "-------- Forwarded Message --------\nSubject: \tToner\nDate: \tMon\nFrom: \tBob Brown <bob@example.net>\n"
        "Reply-To: \tx@example.net\nTo: \tAnn\n\n"
    ),
    "Thunderbird, de": (
        "-------- Weitergeleitete Nachricht --------\nBetreff: \tToner\nDatum: \tMo.\n"
        "Von: \tBob Brown <bob@example.net>\nAn: \tAnn"
    ),
    "Apple Mail": (
        "Begin forwarded message:\n\nFrom: Bob Brown <bob@example.net>\nSubject: Toner\nDate: 3 February 2020\nTo: Ann"
    ),
    "Apple Mail, de": (
        "Anfang der weitergeleiteten Nachricht:\n\nVon: Bob Brown <bob@example.net>\nBetreff: Toner\nDatum: Mo."
    ),
    "Lotus Notes": (
        "----- Forwarded by Ann Analyst/ACME on 03.02.2020 -----\n\nFrom:\tBob Brown <bob@example.net>\nTo:\tAnn\n"
        "Cc:\t\nDate:\t03.02.2020 10:00\nSubject:\tToner"
    ),
    "Lotus Notes, old": (
        "----- Forwarded by Ann Analyst/ACME on 03.02.2020 -----\n\nBob Brown <bob@example.net>\n03.02.2020 10:00\n\n"
        "To:\tAnn\ncc:\t\nSubject:\tToner"
    ),
    "Gmail, he": (
        "---------- Forwarded message ---------\nמאת: \u202aBob Brown\u202c\u200f <\u202abob@example.net\u202c\u200f>\n"
        "\u202aDate: \u202a2020\u202c\u200f\nSubject: Toner\nTo: \u202aAnn\u202c\u200f"
    ),
    "NetEase": (
        "---- Forwarded Message ----\n| From | Bob Brown<bob@example.net> |\n| Date | 02/3/2020 10:00 |\n"
        "| To | <ann@example.com> |\n| Subject | Toner |"
    ),
    "eM Client": (
        '------ Forwarded Message ------\nFrom "Bob Brown" <bob@example.net>\nTo "Ann" <ann@example.com>\n'
        "Date 2/3/2020 10:00:00 AM\nSubject Toner"
    ),
    "Yandex": '-------- Пересылаемое сообщение --------\n03.02.2020, 10:00, "Bob Brown" <bob@example.net>:',
    "Mail.ru": (
        "-------- Пересылаемое сообщение --------\nОт кого: Bob Brown <bob@example.net>\nКому: Ann\n"
        "Дата: Понедельник, 3 февраля 2020\nТема: Toner"
    ),
    "an attribution": "-------- Forwarded Message --------\nOn Mon, Feb 3, 2020, Bob Brown <bob@example.net> wrote:",
    "words behind an address": "From: Bob Brown <bob@example.net> for Kim\nSent: Monday\nTo: Ann\nSubject: Toner",
    "a subject on two lines": (
        "---------- Forwarded message ----------\nFrom: Bob Brown <bob@example.net>\nDate: Mon\nSubject: Toner that\n"
        "is empty\nTo: Ann"
    ),
}


def forwarded(text: str, subject: str = "Fwd: Toner") -> Forwarded | None:
    return read(a_mail(text, subject=subject)).mail.forwarded


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
def test_sender_text_and_comment_are_found(block: str) -> None:
    found = forwarded(f"{ABOVE}\n\n-- \nAnn, Service Desk\n+49 30 1234\n\n{block}\n\n{TEXT}\n")
    assert found is not None
    assert (found.sender, found.subject, found.comment, found.text) == (BOB, "Toner", ABOVE, TEXT)


def test_a_quoted_block_has_its_text_quoted_and_a_comment_below() -> None:
    block = "\n".join(
        f"> {line}" for line in f"From: Bob <bob@example.net>\nSubject: Toner\nDate: Mon\n\n{TEXT}".split("\n")
    )
    found = forwarded(f"{ABOVE}\n\nBegin forwarded message:\n\n{block}\n\nWhat shall we do?\n")
    assert found is not None
    assert (found.text, found.comment) == (TEXT, f"{ABOVE}\nWhat shall we do?")


def test_the_outermost_of_several_blocks_counts() -> None:
    inner = (
        "---------- Forwarded message ----------\nFrom: Eve <eve@evil.example>\nDate: Sun\nSubject: x\nTo: Bob\n\nold"
    )
    found = forwarded(f"{ABOVE}\n\n{BLOCKS['Outlook']}\n\nSee below.\n\n{inner}\n", "FW: Toner")
    assert found is not None
    assert found.sender == BOB
    assert found.text == f"See below.\n\n{inner}"


def test_a_block_without_an_address_does_not_give_its_place_to_an_inner_one() -> None:
    outer = "From: Bob Brown\nSent: Monday\nTo: Ann\nSubject: Toner"
    found = forwarded(f"{outer}\n\nhello\n\n{BLOCKS['Gmail']}\n\nold\n", "FW: Toner")
    assert found is not None
    assert found.sender is None


@pytest.mark.parametrize("subject", ["[EXTERNAL] FW: Toner", "***SPAM*** Fwd: Toner"])
def test_the_tag_of_a_gateway_hides_no_forward(subject: str) -> None:
    raw = a_mail(f"{ABOVE}\n\n{BLOCKS['Outlook']}\n\n{TEXT}\n", subject=subject, References="<1@example.net>")
    mail = read(raw).mail
    assert mail.forwarded is not None
    assert (mail.forwarded.sender, mail.forwarded.subject) == (BOB, "Toner")
    assert TEXT in mail.new_text


@pytest.mark.parametrize("subject", ["RE: Toner", "Re: Fwd: Toner", "AW: Toner", "VS: Toner"])
def test_an_answer_is_not_a_forward(subject: str) -> None:
    assert forwarded(f"{ABOVE}\n\n{BLOCKS['Outlook']}\n\n{TEXT}\n", subject) is None


def test_the_sender_of_a_mail_that_an_answer_quotes_as_forwarded_is_named() -> None:
    mail = read(a_mail(f"{ABOVE}\n\n{BLOCKS['Gmail']}\n\n{TEXT}\n", subject="Re: Toner")).mail
    assert (mail.forwarded_from, mail.forwarded) == (BOB, None)


@pytest.mark.parametrize("subject", ["Toner", "VS: Toner"])
def test_a_marker_is_enough_without_a_subject_that_says_so(subject: str) -> None:
    found = forwarded(f"{BLOCKS['Gmail']}\n\n{TEXT}\n", subject)
    assert found is not None
    assert (found.sender, found.subject) == (BOB, "Toner")


def test_a_subject_alone_has_no_sender() -> None:
    assert forwarded("See the toner.\n") == Forwarded(None, "Toner", comment="See the toner.")


def test_a_mail_that_forwards_nothing_has_none() -> None:
    assert forwarded(f"{ABOVE}\n\nFrom: Berlin\nTo: Paris\n", "Tickets") is None


def attaching(*mails: bytes, subject: str = "Fwd: Toner") -> Forwarded | None:
    message = EmailMessage()
    message["From"], message["Subject"] = "ann@example.com", subject
    message.set_content(f"{ABOVE}\n-- \nAnn\n")
    message.make_mixed()
    for raw in mails:
        part = EmailMessage()
        part["Content-Type"] = "message/rfc822"
        part.set_payload(raw.decode())
        message.attach(part)
    return read(message.as_bytes()).mail.forwarded


def test_an_attached_mail_is_read_with_its_own_header() -> None:
    original = a_mail(TEXT, sender="Bob Brown <bob@example.net>", subject="Toner", Message_ID="<t1@example.net>")
    found = attaching(original, subject="Fwd:")
    assert found == Forwarded(
        BOB, "Toner", "Fri, 20 Nov 2026 09:00:00 +0000", ABOVE, f"{TEXT}\n", "<t1@example.net>", automatic=False
    )


def test_an_attached_mail_of_a_robot_is_marked() -> None:
    found = attaching(a_mail(sender="x@example.net", Auto_Submitted="auto-generated"))
    assert found is not None
    assert found.automatic


def test_attached_mails_of_several_people_are_nobodys() -> None:
    one, other = a_mail(sender="one@example.net"), a_mail(sender="other@example.net")
    several, same = attaching(one, other), attaching(one, one)
    assert several is not None
    assert several.sender is None
    assert same is not None
    assert same.sender == Address("", "one@example.net")


def test_what_a_list_added_names_its_address() -> None:
    raw = a_mail(List_Id="Users <users.lists.example>", List_Post="<mailto:users@lists.example>")
    assert read(raw).mail.lists == ("users@lists.example",)
