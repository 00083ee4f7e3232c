"""What kind of mail it is: by headers, structure and a machine's whole text, never by the subject or a phrase alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.parser import kind, tree
from services.parser.kind import Verdict


def verdict(raw: str) -> Verdict:
    """The verdict on a raw mail."""
    root = tree.parse(raw.encode())
    text = "\n".join(part.text or "" for part in tree.walk(root) if part.content_type == "text/plain")
    return kind.classify(root, subject=root.headers.get("subject") or "", text=text)


def a_mail(
    head: str = "",
    body: str = "The printer is out of paper.",
    sender: str = "Ann <ann@example.org>",
    subject: str = "Printer",
) -> str:
    """A person's mail, with `head` as further header lines."""
    return f"From: {sender}\nTo: desk@example.com\nSubject: {subject}\n{head}\n{body}\n"


BOUNCED = (
    "This is the mail system at host mx.example.org.\n\n"
    "I'm sorry to have to inform you that your message could not\nbe delivered.\n\n"
    "<bob@example.com>: host mx.example.com[192.0.2.7] said: 550 5.1.1 unknown user\n"
)
STATUS = "Final-Recipient: rfc822; bob@example.com\nAction: {action}\nStatus: {status}\n"


def a_report(
    report_type: str, part_type: str, part: str, head: str = "From: postmaster@mx.example.org\nReturn-Path: <>\n"
) -> str:
    """A multipart/report (RFC 6522)."""
    return (
        f'{head}Subject: A notice\nContent-Type: multipart/report; report-type={report_type}; boundary="b"\n\n'
        f"--b\nContent-Type: text/plain\n\nA notice about your mail.\n--b\nContent-Type: {part_type}\n\n{part}\n--b--\n"
    )


def an_invitation(
    method: str = "; method=REQUEST",
    body: str = "BEGIN:VCALENDAR\nMETHOD:REQUEST\nEND:VCALENDAR",
    disposition: str = "",
) -> str:
    """A meeting request as calendars send it."""
    return a_mail(
        'Content-Type: multipart/alternative; boundary="b"\n',
        (
            f"--b\nContent-Type: text/plain\n\nMeeting\n--b\nContent-Type: text/calendar{method}\n"
            f"{disposition}\n{body}\n--b--"
        ),
    )


KINDS = [
    pytest.param(a_mail(), "message", id="a person writes"),
    pytest.param(a_mail("In-Reply-To: <1@example.com>\n", subject="Re: Printer"), "message", id="a person answers"),
    pytest.param(
        a_mail(body="I get 550 5.1.1 user unknown when I write to bob@example.com"),
        "message",
        id="a person mentions 550",
    ),
    pytest.param(
        a_mail(body="Hello,\nmy mail was not delivered:\n\n" + BOUNCED, subject="Undelivered mail"),
        "message",
        id="a person quotes a bounce",
    ),
    pytest.param(
        a_mail(body=BOUNCED, subject="Fwd: Undelivered Mail Returned to Sender"),
        "message",
        id="a person forwards a bounce",
    ),
    pytest.param(
        a_mail(body=BOUNCED, subject="WG: Unzustellbar: Angebot"), "message", id="a person forwards a German bounce"
    ),
    pytest.param(
        a_mail(body="Your parcel could not be delivered, says the courier. Who ordered it?", subject="Undelivered"),
        "message",
        id="a parcel",
    ),
    pytest.param(
        a_mail(
            'Content-Type: multipart/mixed; boundary="o"\n',
            "--o\nContent-Type: text/plain\n\nWhat is this?\n--o\nContent-Type: message/rfc822\n\n"
            + a_report("delivery-status", "message/delivery-status", STATUS.format(action="failed", status="5.1.1"))
            + "\n--o--",
            subject="Fw: Delivery Status Notification (Failure)",
        ),
        "message",
        id="a person attaches a bounce",
    ),
    pytest.param(
        a_mail(
            'User-Agent: Mozilla Thunderbird\nContent-Type: multipart/mixed; boundary="o"\n',
            "--o\nContent-Type: text/plain\n\nWhat is this?\n--o\nContent-Type: message/delivery-status\n\n"
            + STATUS.format(action="failed", status="5.1.1")
            + "\n--o--",
            subject="Fwd: Undelivered Mail Returned to Sender",
        ),
        "message",
        id="a program forwards the parts of a bounce",
    ),
    pytest.param(
        a_mail(
            body="Hello,\nyour mail to bob@example.com could not be delivered, he has left us. I can help.\n\nJoe",
            sender="Postmaster <postmaster@example.com>",
            subject="Mail delivery problem",
        ),
        "message",
        id="a human postmaster",
    ),
    pytest.param(a_mail(subject="Out of office tomorrow"), "message", id="a person announces an absence"),
    pytest.param(
        a_mail(subject="Automatic replies do not work"), "message", id="a person writes about automatic replies"
    ),
    pytest.param(a_mail("Auto-Submitted: no\n"), "message", id="a mail that says it is not automatic"),
    pytest.param(
        a_mail("Return-Path: <>\n", BOUNCED, "MAILER-DAEMON@mx.example.org", "failure notice"),
        "bounce",
        id="a mail system's text",
    ),
    pytest.param(a_mail("", BOUNCED, "Mail Delivery System <>", "(none)"), "bounce", id="a null sender"),
    pytest.param(
        a_report("delivery-status", "message/delivery-status", STATUS.format(action="failed", status="5.1.1")),
        "bounce",
        id="a failure",
    ),
    pytest.param(
        a_report("delivery-status", "message/delivery-status", STATUS.format(action="delayed", status="4.4.1")),
        "bounce",
        id="a delay",
    ),
    pytest.param(
        a_report("delivery-status", "message/delivery-status", STATUS.format(action="delivered", status="2.1.5")),
        "report",
        id="delivered",
    ),
    pytest.param(
        a_report("delivery-status", "message/delivery-status", STATUS.format(action="relayed", status="2.1.9")),
        "report",
        id="relayed",
    ),
    pytest.param(
        a_report("delivery-status", "message/delivery-status", STATUS.format(action="expanded", status="2.1.5")),
        "report",
        id="expanded",
    ),
    pytest.param(
        a_report(
            "feedback-report",
            "message/feedback-report",
            "Feedback-Type: abuse\nUser-Agent: x/1\nVersion: 1",
            "From: fbl@example.net\n",
        ),
        "report",
        id="an abuse report",
    ),
    pytest.param(
        a_report(
            "disposition-notification",
            "message/disposition-notification",
            "Final-Recipient: rfc822; bob@example.com\nDisposition: manual-action/MDN-sent-manually; displayed",
            "From: Bob <bob@example.com>\n",
        ),
        "receipt",
        id="a read receipt",
    ),
    pytest.param(
        a_report(
            "disposition-notification",
            "message/disposition-notification",
            "Final-Recipient: rfc822; bob@example.com\nDisposition: automatic-action/MDN-sent-automatically; deleted",
            "From: Bob <bob@example.com>\nReturn-Path: <>\n",
        ),
        "receipt",
        id="a receipt for a mail deleted unread",
    ),
    pytest.param(
        a_report("tlsrpt", "application/tlsrpt+gzip", "x", "From: tls@example.net\n"),
        "report",
        id="a report of another type",
    ),
    pytest.param(
        a_mail(
            'Content-Type: multipart/mixed; boundary="b"\n',
            "--b\nContent-Type: text/plain\n\n\n"
            "--b\nContent-Type: message/rfc822\n\nFrom: Ann <ann@example.org>\n\nOffer\n--b--",
            "staff@provider.example",
            "complaint about message from 192.0.2.1",
        ),
        "report",
        id="a provider's complaint",
    ),
    pytest.param(
        a_mail(
            'In-Reply-To: <1@example.com>\nContent-Type: multipart/mixed; boundary="b"\n',
            "--b\nContent-Type: text/plain\n\nWho read this?\n--b\nContent-Type: message/disposition-notification\n\n"
            "Final-Recipient: rfc822; bob@example.com\n--b--",
            subject="Fwd: Read: Printer",
        ),
        "message",
        id="a person passes a receipt on",
    ),
    pytest.param(an_invitation(), "calendar", id="an invitation"),
    pytest.param(an_invitation(method=""), "calendar", id="an invitation whose method is in its body only"),
    pytest.param(
        an_invitation("; method=REPLY", "BEGIN:VCALENDAR\nEND:VCALENDAR"), "calendar", id="an answer to an invitation"
    ),
    pytest.param(an_invitation("", "BEGIN:VCALENDAR\nEND:VCALENDAR"), "message", id="a calendar file without a method"),
    pytest.param(
        an_invitation(disposition="Content-Disposition: attachment\n"),
        "message",
        id="a calendar file attached by a person",
    ),
    pytest.param(
        a_mail("Content-Type: text/calendar; method=CANCEL\n", "BEGIN:VCALENDAR\nMETHOD:CANCEL\nEND:VCALENDAR"),
        "calendar",
        id="nothing but calendar",
    ),
    pytest.param(a_mail("Auto-Submitted: auto-replied\n"), "auto-reply", id="RFC 3834"),
    pytest.param(
        a_mail("Auto-Submitted: auto-replied (vacation)\nReturn-Path: <>\n"), "auto-reply", id="RFC 3834 with a comment"
    ),
    pytest.param(a_mail("X-Autoreply: yes\n"), "auto-reply", id="X-Autoreply"),
    pytest.param(a_mail("X-Autorespond: Printer\n"), "auto-reply", id="X-Autorespond"),
    pytest.param(a_mail("Precedence: auto_reply\n"), "auto-reply", id="Precedence"),
    pytest.param(
        a_mail("Return-Path: <>\n", subject="Away until May 5"), "auto-reply", id="a null path and an absence"
    ),
    pytest.param(
        a_mail(
            "Auto-Submitted: auto-replied\nReturn-Path: <>\n",
            "I have left. Mail to me is not delivered any more, write to\n\ncarol@example.org\n",
            subject="Re: Printer",
        ),
        "auto-reply",
        id="an absence that speaks of delivery",
    ),
    pytest.param(a_mail("X-Apple-Action: VACATION\n"), "auto-reply", id="a vacation at Apple"),
    pytest.param(a_mail("Auto-Submitted: auto-generated\n"), "message", id="a monitoring system"),
    pytest.param(a_mail("X-TMDA-Confirm: x\n"), "challenge", id="a challenge by header"),
    pytest.param(
        a_mail("Auto-Submitted: auto-replied\n", subject="Please confirm your message"),
        "challenge",
        id="a challenge by subject, from a robot",
    ),
    pytest.param(a_mail(subject="Please confirm your message"), "message", id="a person asks for a confirmation"),
    pytest.param(
        a_mail("Return-Path: <>\n", subject="Message Status - opened", sender="noreply@example.org"),
        "receipt",
        id="GroupWise receipt",
    ),
]


@pytest.mark.req("TI-12")
@pytest.mark.parametrize(("raw", "expected"), KINDS)
def test_kind_of_a_mail(raw: str, expected: str) -> None:
    assert verdict(raw).kind == expected


AWAY = [
    ("en", "Automatic reply: Printer"),
    ("en, old Exchange", "Out of Office AutoReply: Printer"),
    ("en, short", "Out of office: Printer"),
    ("en, Gmail", "Auto-reply: Printer"),
    ("de", "Automatische Antwort: Drucker"),
    ("de, old", "Abwesenheitsnotiz: Drucker"),
    ("fr", "Réponse automatique : Imprimante"),
    ("fr, old", "Absence du bureau : Imprimante"),
    ("es", "Respuesta automática: Impresora"),
    ("es, old", "Fuera de la oficina: Impresora"),
    ("it", "Risposta automatica: Stampante"),
    ("it, old", "Fuori sede: Stampante"),
    ("pt", "Resposta automática: Impressora"),
    ("nl", "Automatisch antwoord: Printer"),
    ("nl, old", "Afwezigheidsbericht: Printer"),
    ("sv", "Autosvar: Skrivare"),
    ("sv, long", "Automatiskt svar: Skrivare"),
    ("no, da", "Automatisk svar: Printer"),
    ("da, old", "Fraværsbesked: Printer"),
    ("fi", "Automaattinen vastaus: Tulostin"),
    ("pl", "Automatyczna odpowiedź: Drukarka"),
    ("cs", "Automatická odpověď: Tiskárna"),
    ("ru", "Автоматический ответ: Принтер"),
    ("uk", "Автоматична відповідь: Принтер"),
    ("tr", "Otomatik yanıt: Yazıcı"),
    ("hu", "Automatikus válasz: Nyomtató"),
    ("el", "Αυτόματη απάντηση: Εκτυπωτής"),
    ("ja", "自動応答: プリンター"),
    ("zh", "自动答复: 打印机"),
    ("zh, Taiwan", "自動回覆: 印表機"),
    ("ko", "자동 회신: 프린터"),
]


@pytest.mark.req("PR-02")
@pytest.mark.parametrize("subject", [row[1] for row in AWAY], ids=[row[0] for row in AWAY])
def test_the_subject_of_an_absence_needs_a_header_of_a_machine(subject: str) -> None:
    got = verdict(a_mail("X-Auto-Response-Suppress: All\n", subject=subject))
    assert (got.kind, got.automatic, got.automatic_header) == ("auto-reply", True, "X-Auto-Response-Suppress")
    tagged = verdict(a_mail("X-Auto-Response-Suppress: All\n", subject=f"[EXTERNAL] {subject}"))
    assert tagged.kind == "auto-reply"
    for head in ("", "In-Reply-To: <1@example.com>\n", "List-Id: <staff.example.com>\nPrecedence: bulk\n"):
        assert verdict(a_mail(head, "Please set up such a note for her.\n", subject=subject)).kind == "message"


@pytest.mark.req("PR-02")
@pytest.mark.parametrize(
    ("head", "body", "expected"),
    [
        ("", "This is an automated response. We have got your mail.", "auto-reply"),
        ("", "Diese Nachricht wurde automatisch erzeugt. Danke.", "auto-reply"),
        ("In-Reply-To: <1@example.com>\n", "I will be out of the office until Monday.", "auto-reply"),
        ("In-Reply-To: <1@example.com>\n", "Ich bin bis Montag nicht im Büro.", "auto-reply"),
        ("In-Reply-To: <1@example.com>\n", "Hello, this is an automatic reply. I am back on Monday.", "auto-reply"),
        ("In-Reply-To: <1@example.com>\n", "您好，这是自动回复。", "auto-reply"),
        ("", "I will be out of the office next week. Please set up the note.", "message"),
        ("", "Hello, our text says: this is an automated response. Please change it.", "message"),
    ],
)
def test_the_subject_of_an_absence_needs_a_text_of_a_machine_otherwise(head: str, body: str, expected: str) -> None:
    assert verdict(a_mail(head, body, subject="Automatic reply: Printer")).kind == expected


ABSENT = [
    ("en, left", "Automatic reply: Printer", "Thank you. Bob is no longer with the company."),
    ("de, travel", "Automatische Antwort: Drucker", "Ich befinde mich bis Montag auf Dienstreise."),
    ("fr, left", "Réponse automatique : Imprimante", "Cette personne ne fait plus partie de la société."),
    ("sv", "Autosvar: Skrivare", "Hej! Jag är på semester till den 30 november."),
    ("da", "Automatisk svar: Printer", "Jeg er på ferie til mandag."),
    ("no", "Automatisk svar: Skriver", "Jeg har ferie og er tilbake på mandag."),
    ("fi", "Automaattinen vastaus: Tulostin", "Olen lomalla 30.11. asti."),
    ("pl", "Odpowiedź automatyczna: Drukarka", "Jestem na urlopie do 30.11."),
    ("cs", "Automatická odpověď: Tiskárna", "Jsem mimo kancelář do pondělí."),
    ("sk", "Automatická odpoveď: Tlačiareň", "Do pondelka som na dovolenke."),
    ("hu", "Automatikus válasz: Nyomtató", "Szabadságon vagyok november 30-ig."),
    ("ro", "Răspuns automat: Imprimantă", "Sunt în concediu până luni."),
    ("hr", "Automatski odgovor: Pisač", "Do ponedjeljka sam na godišnjem odmoru."),
    ("tr", "Otomatik Yanıt: Yazıcı", "Pazartesiye kadar yıllık iznimdeyim, İzindeyim."),
    ("ru", "Автоматический ответ: Принтер", "Я в отпуске до 30 ноября."),
    ("ru", "Автоответ: Принтер", "Меня нет в офисе до понедельника."),
    ("ar", "الرد التلقائي: الطابعة", "أنا خارج المكتب."),
    ("zh", "[自动回复] 打印机", "您的邮件已收到，谢谢。"),
    ("uk", "Автоматична відповідь: Принтер", "Я у відпустці до 30 листопада."),
    ("bg", "Автоматичен отговор: Принтер", "В отпуск съм до понеделник."),
    ("el", "Αυτόματη απάντηση: Εκτυπωτής", "Είμαι σε άδεια μέχρι τη Δευτέρα."),
    ("lt", "Automatinis atsakymas: Spausdintuvas", "Šiuo metu atostogauju."),
    ("ja", "自動応答: プリンター", "休暇中のため、メールを確認できません。"),
    ("zh", "自动答复: 打印机", "我正在休假，星期一回来。"),
    ("ko", "자동 회신: 프린터", "현재 부재 중입니다."),
    ("ko", "자동응답: 프린터", "부재중입니다."),
    ("vi", "Trả lời tự động: Máy in", "Tôi đang nghỉ phép đến thứ Hai."),
]


@pytest.mark.req("PR-02")
@pytest.mark.parametrize(("subject", "body"), [row[1:] for row in ABSENT], ids=[row[0] for row in ABSENT])
def test_an_absence_is_known_by_its_text_in_the_languages_of_its_subject(subject: str, body: str) -> None:
    answering = "In-Reply-To: <1@example.com>\n"
    assert verdict(a_mail(answering, body, subject=subject)).kind == "auto-reply"
    assert verdict(a_mail(answering, body, subject="Re: Printer")).kind == "message"
    assert verdict(a_mail("", body, subject="Printer")).kind == "message"


@pytest.mark.parametrize("subject", ["Absence: Ann", "Fravær: Printer", "Abwesend: Ann", "On leave: Ann", "不在: Ann"])
def test_a_word_of_absence_is_automatic_with_a_machines_header_only(subject: str) -> None:
    assert verdict(a_mail("Auto-Submitted: auto-generated\n", subject=subject)).kind == "auto-reply"
    assert verdict(a_mail("In-Reply-To: <1@example.com>\n", subject=subject)).kind == "message"
    assert verdict(a_mail(subject=subject)).kind == "message"


ANSWERING = [
    "Auto-Submitted: Auto-Replied",
    "Auto-Submitted: (vacation) auto-replied",
    'Auto-Submitted: auto-replied; owner-email="ann@example.org"',
    "Auto-Submitted: auto_reply",
    "X-Auto-Generated: yes",
    "X-Autogenerated: Reply",
    "X-FC-MachineGenerated: true",
    "X-AutoReply-From: ann@example.org",
    "X-MDAutoResponder: yes",
    "X-Kerio-AutoReply: yes",
    "X-Yahoo-Vacation: yes",
    "X-Autoresponder-Version: 2",
    "X-Auto-Reply: 1",
    "X-Mail-Autoreply: dtc-autoreply",
    "X-Autoresponder: on",
    "X-Vacation: yes",
    "X-HolidayReply: true",
    "Delivered-To: Autoresponder",
    "Delivered-To: desk@example.com\nDelivered-To: autoresponder",
    "X-POST-MessageClass: 9; Autoresponder",
    "Precedence: auto_reply",
    "Precedence: Auto-Reply",
    "X-Precedence: auto_reply",
    "Preference: auto_reply",
    "X-Mailer: vacation 1.2.7",
    "X-Mailer: PHP AutoResponder",
    "X-Loop: Postfix Admin Virtual Vacation",
]


@pytest.mark.req("PR-02")
@pytest.mark.parametrize("lines", ANSWERING)
def test_the_mark_of_an_autoresponder_is_enough(lines: str) -> None:
    got = verdict(a_mail(f"{lines}\n", subject="Re: Printer"))
    assert (got.kind, got.automatic, got.automatic_header) == (
        "auto-reply",
        True,
        lines.split(":", maxsplit=1)[0].title(),
    )


@pytest.mark.req("PR-02")
@pytest.mark.parametrize(
    ("head", "subject"),
    [
        ("X-Autoreply: no", "Printer"),
        ("X-Autogenerated: Forward", "Printer"),
        ("Delivered-To: autoresponder-owner@example.com", "Printer"),
        ("Auto-Submitted: auto-generated", "Vacation request of Ann was approved"),
        ("Auto-Submitted: auto-generated", "Read-only file system on db1"),
        ("Auto-Submitted: auto-generated", "Action required: a certificate expires"),
        ("Precedence: list\nList-Id: <staff.example.com>", "Verification required"),
        ("Precedence: bulk\nList-Id: <staff.example.com>", "Who is on holiday?"),
    ],
)
def test_words_in_a_subject_make_no_answer_of_a_notice_or_a_list_mail(head: str, subject: str) -> None:
    assert verdict(a_mail(f"{head}\n", subject=subject)).kind == "message"


def test_a_person_who_attaches_spam_reports_nothing_automatically() -> None:
    parts = (
        "--b\nContent-Type: text/plain\n\nIs this dangerous?\n"
        "--b\nContent-Type: message/rfc822\n\nFrom: Eve <eve@example.org>\n\nOffer\n--b--"
    )
    assert (
        verdict(a_mail('Content-Type: multipart/mixed; boundary="b"\n', parts, subject="Spam report")).kind == "message"
    )


AUTOMATIC = [
    ("List-Id: <news.example.org>", "List-Id"),
    ("List-Unsubscribe: <mailto:x@example.org>", "List-Unsubscribe"),
    ("Precedence: bulk", "Precedence"),
    ("Precedence: list", "Precedence"),
    ("Precedence: junk", "Precedence"),
    ("Auto-Submitted: auto-generated", "Auto-Submitted"),
    ("X-Auto-Response-Suppress: All", "X-Auto-Response-Suppress"),
    ("Feedback-ID: 1:example", "Feedback-ID"),
    ("Return-Path: <>", "Return-Path"),
]


@pytest.mark.req("PR-02")
@pytest.mark.parametrize(("line", "header"), AUTOMATIC, ids=[row[0] for row in AUTOMATIC])
def test_automatic_mail_names_the_header_that_says_so(line: str, header: str) -> None:
    got = verdict(a_mail(f"{line}\n"))
    assert (got.kind, got.automatic, got.automatic_header) == ("message", True, header)


@pytest.mark.parametrize(
    "line",
    [
        "X-Priority: 1",
        "Auto-Submitted: no",
        "X-Auto-Response-Suppress: None",
        "Precedence: first-class",
        "Return-Path: <ann@example.org>",
    ],
)
def test_a_persons_mail_is_not_automatic(line: str) -> None:
    got = verdict(a_mail(f"{line}\n"))
    assert (got.kind, got.automatic, got.automatic_header) == ("message", False, None)


def test_a_mail_from_an_address_that_takes_no_answers_is_automatic() -> None:
    got = verdict(a_mail(sender="Shop <no-reply@example.org>"))
    assert (got.kind, got.automatic, got.automatic_header) == ("message", True, "From")


@pytest.mark.parametrize("sender", ["System Administrator <admin@example.org>", "Ann Noreplyson <ann@example.org>"])
def test_a_person_with_the_name_of_a_role_is_not_automatic(sender: str) -> None:
    got = verdict(a_mail(sender=sender, subject="Undelivered toner"))
    assert (got.kind, got.automatic) == ("message", False)


ALARM = "The order confirmation could not be delivered to bob@example.com.\n550 5.1.1 user unknown\n"


@pytest.mark.parametrize("sender", ["Shop <no-reply@example.org>", "nagios@example.org"])
@pytest.mark.req("VF-02")
def test_an_alarm_about_mail_is_not_a_report(sender: str) -> None:
    got = verdict(a_mail("Auto-Submitted: auto-generated\n", ALARM, sender, "Mail delivery failed: order 12"))
    assert (got.kind, got.automatic_header) == ("message", "Auto-Submitted")


def test_a_report_from_a_no_reply_address_returns_the_mail() -> None:
    returned = f"{ALARM}\n----- Original message -----\n\nTo: bob@example.com\nMessage-ID: <1@example.com>\n"
    got = verdict(a_mail(body=returned, sender="no-reply@mx.example.org", subject="Mail delivery failed"))
    assert (got.kind, got.bounce and got.bounce.message_ids) == ("bounce", ("<1@example.com>",))


def test_a_report_from_any_address_is_known_by_how_its_author_introduces_itself() -> None:
    body = (
        "This is the Example Mail Agent v1 at mx.example.org.\n\n"
        "There was an error delivering your mail to <bob@example.com>.\n\nDNS lookup failure: host not found\n"
    )
    assert verdict(a_mail(body=body, subject="Mail delivery failed")).kind == "bounce"
    assert verdict(a_mail(body=f"Hi,\n\n{body}", subject="Mail delivery failed")).kind == "message"
    assert verdict(a_mail(body=body, subject="Printer")).kind == "message"


def test_every_report_is_automatic() -> None:
    got = verdict(a_mail("Return-Path: <ann@example.org>\n", BOUNCED, "MAILER-DAEMON@mx.example.org", "failure notice"))
    assert (got.kind, got.automatic, got.automatic_header) == ("bounce", True, "From")


def test_a_success_report_has_no_bounced_recipients() -> None:
    raw = a_report("delivery-status", "message/delivery-status", STATUS.format(action="delivered", status="2.1.5"))
    assert verdict(raw).bounce is None


def test_a_rejecting_mailbox_that_answers_with_a_receipt_is_a_bounce() -> None:
    raw = a_report(
        "disposition-notification",
        "message/disposition-notification",
        "Final-Recipient: rfc822; bob@example.com\nDisposition: automatic-action/MDN-sent-automatically; deleted",
    ).replace(
        "A notice about your mail.", "Your message to <bob@example.com> was automatically rejected:\nQuota exceeded"
    )
    got = verdict(raw.replace("Subject: A notice", "Subject: Automatically rejected mail"))
    assert got.kind == "bounce"
    assert got.bounce is not None
    assert [r.address for r in got.bounce.recipients] == ["bob@example.com"]


def test_a_very_long_subject_costs_little_and_decides_nothing() -> None:
    assert verdict(a_mail(subject="On " * 20_000)).kind == "message"


PIECES = [
    "\n",
    "From: ",
    "MAILER-DAEMON@a.example",
    "Subject: ",
    "failure notice",
    "Content-Type: ",
    "multipart/report; boundary=b",
    "--b",
    ": ",
]
PIECES += [
    "message/delivery-status",
    "Final-Recipient: rfc822; ",
    "a@b.example",
    "Action: failed",
    "550 5.1.1",
    "Return-Path: <>",
    "{",
    '"',
]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=6), max_size=60).map("".join))
def test_any_mail_has_a_kind(raw: str) -> None:
    got = verdict(raw)
    assert (got.bounce is not None) == (got.kind == "bounce")
    assert got.automatic or got.automatic_header is None
