"""What the sender wrote now: replies as the world's mail programs write them, in the languages of their users."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.parser import reply, tree
from services.parser.bounds import Bounds
from services.parser.quotes import forwarded
from tests.services.parser.replies import NEW, OLD, QUOTED, new_text

ATTRIBUTIONS = [
    ("Gmail, en", "On Mon, 3 Feb 2020 at 10:00, Help Desk <desk@example.com> wrote:"),
    ("Gmail, en-US", "On Mon, Feb 3, 2020 at 10:00 AM Help Desk <desk@example.com> wrote:"),
    ("Gmail, en, wrapped", (
        "On Mon, Feb 3, 2020 at 10:00 AM Help Desk of the Example Company <\n"
        "desk@example.com> wrote:"
    )),
    ("Gmail, en, wrapped twice", "On Mon, Feb 3, 2020 at 10:00 AM Help Desk of Example\n<desk@example.com>\nwrote:"),
    ("Apple Mail, en", "On 3. Feb 2020, at 10:00, Help Desk <desk@example.com> wrote:"),
    ("Apple Mail, en-US", "On Feb 3, 2020, at 10:00 AM, Help Desk <desk@example.com> wrote:"),
    ("Thunderbird, en", "On 03.02.20 10:00, Help Desk wrote:"),
    ("Thunderbird, en-US", "On 2/3/2020 10:00 AM, Help Desk wrote:"),
    ("Evolution", "On Mon, 2020-02-03 at 10:00 +0100, Help Desk wrote:"),
    ("mutt", "On Mon, Feb 03, 2020 at 10:00:00AM +0100, Help Desk wrote:"),
    ("KMail", "On Monday, 3 February 2020 10:00:00 CET Help Desk wrote:"),
    ("Proton", "On Monday, February 3rd, 2020 at 10:00 AM, Help Desk <desk@example.com> wrote:"),
    ("Proton, older", (
        "‐‐‐‐‐‐‐ Original Message ‐‐‐‐‐‐‐\nOn Monday, February 3, 2020 10:00 AM, Help Desk "
        "<desk@example.com> wrote:"
    )),
    ("Zoho", "---- On Mon, 03 Feb 2020 10:00:00 +0100 Help Desk <desk@example.com> wrote ----"),
    ("Yahoo, en", "On Monday, 3 February 2020, 10:00:00 GMT, Help Desk <desk@example.com> wrote:"),
    ("Outlook mobile", 'On Mon, Feb 3, 2020 at 10:00 AM +0100, "Help Desk" <desk@example.com> wrote:'),
    ("name first", "Help Desk <desk@example.com> wrote:"),
    ("Gmail, old", "2020-02-03 10:00 GMT+01:00 Help Desk <desk@example.com>:"),
    ("Gmail, very old", "2020/2/3 Help Desk <desk@example.com>"),
    ("Gmail, de", "Am Mo., 3. Feb. 2020 um 10:00 Uhr schrieb Help Desk <desk@example.com>:"),
    ("Gmail, de, wrapped", (
        "Am Mo., 3. Feb. 2020 um 10:00 Uhr schrieb Help Desk der Beispiel GmbH <\n"
        "desk@example.com>:"
    )),
    ("Apple Mail, de", "Am 03.02.2020 um 10:00 schrieb Help Desk <desk@example.com>:"),
    ("Thunderbird, de", "Am 03.02.20 um 10:00 schrieb Help Desk:"),
    ("name first, de", "Help Desk <desk@example.com> schrieb am Mo., 3. Feb.\n2020 um 10:00 Uhr:"),
    ("Gmail, fr", "Le lun. 3 févr. 2020 à 10:00, Help Desk <desk@example.com> a écrit :"),
    ("Gmail, fr, wrapped", "Le lun. 3 févr. 2020 à 10:00, Help Desk <desk@example.com>\na écrit :"),
    ("Thunderbird, fr", "Le 03/02/2020 à 10:00, Help Desk a écrit :"),
    ("Gmail, es", "El lun, 3 feb 2020 a las 10:00, Help Desk (<desk@example.com>) escribió:"),
    ("Thunderbird, es", "El 3/2/20 a las 10:00, Help Desk escribió:"),
    ("Gmail, it", "Il giorno lun 3 feb 2020 alle ore 10:00 Help Desk <desk@example.com> ha scritto:"),
    ("Thunderbird, it", "Il 03/02/2020 10:00, Help Desk ha scritto:"),
    ("Gmail, pt", "Em seg., 3 de fev. de 2020 às 10:00, Help Desk <desk@example.com> escreveu:"),
    ("Gmail, pt-PT", "Help Desk <desk@example.com> escreveu no dia segunda, 3/02/2020 à(s) 10:00:"),
    ("Gmail, nl", "Op ma 3 feb. 2020 om 10:00 schreef Help Desk <desk@example.com>:"),
    ("Apple Mail, nl", "Op 3 feb. 2020, om 10:00 heeft Help Desk <desk@example.com> het volgende geschreven:"),
    ("Gmail, sv", "Den mån 3 feb. 2020 kl 10:00 skrev Help Desk <desk@example.com>:"),
    ("Apple Mail, sv", "3 feb. 2020 kl. 10:00 skrev Help Desk <desk@example.com>:"),
    ("Gmail, da", "Den man. 3. feb. 2020 kl. 10.00 skrev Help Desk <desk@example.com>:"),
    ("Gmail, no", "man. 3. feb. 2020 kl. 10:00 skrev Help Desk <desk@example.com>:"),
    ("Gmail, fi", "ma 3. helmik. 2020 klo 10.00 Help Desk (desk@example.com) kirjoitti:"),
    ("Gmail, pl", "pon., 3 lut 2020 o 10:00 Help Desk <desk@example.com> napisał(a):"),
    ("Thunderbird, pl", "W dniu 03.02.2020 o 10:00, Help Desk pisze:"),
    ("Gmail, cs", "po 3. 2. 2020 v 10:00 odesílatel Help Desk <desk@example.com> napsal:"),
    ("Thunderbird, cs", "Dne 03. 02. 20 v 10:00 Help Desk napsal(a):"),
    ("Gmail, sk", "po 3. 2. 2020 o 10:00 Help Desk <desk@example.com> napísal(a):"),
    ("Gmail, ru", "пн, 3 февр. 2020 г. в 10:00, Help Desk <desk@example.com>:"),
    ("Thunderbird, ru", "03.02.2020 10:00, Help Desk пишет:"),
    ("Apple Mail, ru", "3 февр. 2020 г., в 10:00, Help Desk <desk@example.com> написал(а):"),
    ("Mail.ru", "Понедельник, 3 февраля 2020, 10:00 +03:00 от Help Desk <desk@example.com>:"),
    ("Yandex", '03.02.2020, 10:00, "Help Desk" <desk@example.com>:'),
    ("Gmail, uk", "пн, 3 лют. 2020 р. о 10:00 Help Desk <desk@example.com> пише:"),
    ("Gmail, tr", "Help Desk <desk@example.com>, 3 Şub 2020 Pzt, 10:00 tarihinde şunu yazdı:"),
    ("Gmail, hu", "Help Desk <desk@example.com> ezt írta (időpont: 2020. febr. 3., H, 10:00):"),
    ("Thunderbird, hu", "2020. 02. 03. 10:00 keltezéssel, Help Desk írta:"),
    ("Gmail, ro", "În lun., 3 feb. 2020 la 10:00, Help Desk <desk@example.com> a scris:"),
    ("Gmail, el", "Στις Δευ 3 Φεβ 2020 στις 10:00 π.μ., ο/η Help Desk <desk@example.com> έγραψε:"),
    ("Gmail, ja", "2020年2月3日(月) 10:00 Help Desk <desk@example.com>:"),
    ("Apple Mail, ja", "2020/02/03 10:00、Help Desk <desk@example.com>のメール:"),
    ("Gmail, zh", "Help Desk <desk@example.com> 于2020年2月3日周一 上午10:00写道："),
    ("Apple Mail, zh", "在 2020年2月3日，上午10:00，Help Desk <desk@example.com> 写道："),
    ("Gmail, zh-TW", "Help Desk <desk@example.com> 於 2020年2月3日 週一 上午10:00寫道："),
    ("Gmail, ko", "2020년 2월 3일 (월) 오전 10:00, Help Desk <desk@example.com>님이 작성:"),
]  # fmt: skip


@pytest.mark.req("VF-12")
@pytest.mark.parametrize("line", [row[1] for row in ATTRIBUTIONS], ids=[row[0] for row in ATTRIBUTIONS])
@pytest.mark.parametrize("old", [QUOTED, OLD], ids=["marked", "unmarked"])
def test_an_attribution_ends_what_the_sender_wrote(line: str, old: str) -> None:
    assert new_text(f"{NEW}\n\n{line}\n\n{old}\n") == NEW


@pytest.mark.parametrize("line", [row[1] for row in ATTRIBUTIONS], ids=[row[0] for row in ATTRIBUTIONS])
def test_below_a_quotation_the_sender_goes_on(line: str) -> None:
    assert new_text(f"{line}\n{QUOTED}\n\n{NEW}\n") == NEW


BLOCKS = [
    (
        "Outlook, en",
        """\
From: Help Desk <desk@example.com>
Sent: Monday, February 3, 2020 10:00 AM
To: Ann <ann@example.org>
Subject: RE: Printer""",
    ),
    (
        "Outlook, bold",
        """\
*From:* Help Desk <desk@example.com>
*Sent:* Monday, February 3, 2020
*To:* Ann
*Subject:* RE: Printer""",
    ),
    (
        "Outlook, mailto",
        """\
From: Help Desk [mailto:desk@example.com]
Sent: Monday
To: Ann
Cc: Bob
Subject: Printer""",
    ),
    (
        "Outlook, rule above",
        """\
________________________________
From: Help Desk <desk@example.com>
Sent: Monday
To: Ann
Subject: Printer""",
    ),
    (
        "Outlook, dashes above",
        """\
-----Original Message-----
From: Help Desk <desk@example.com>
Sent: Monday
To: Ann
Subject: Printer""",
    ),
    (
        "Outlook for Mac",
        """\
From: Help Desk <desk@example.com>
Date: Monday, 3 February 2020 at 10:00
To: Ann <ann@example.org>
Subject: Printer""",
    ),
    (
        "Hotmail",
        """\
Date: Mon, 3 Feb 2020 10:00:00 +0100
Subject: Printer
From: desk@example.com
To: ann@example.org""",
    ),
    (
        "wrapped sender",
        """\
From: Help Desk of the whole Example Company
<desk@example.com>
Sent: Monday
To: Ann
Subject: Printer""",
    ),
    (
        "quoted only by a marker",
        """\
----- Original Message -----""",
    ),
    (
        "Outlook, de",
        """\
Von: Help Desk <desk@example.com>
Gesendet: Montag, 3. Februar 2020 10:00
An: Ann
Betreff: AW: Drucker""",
    ),
    (
        "Outlook, de, marker",
        """\
-----Ursprüngliche Nachricht-----
Von: Help Desk <desk@example.com>
Gesendet: Montag
An: Ann
Betreff: Drucker""",
    ),
    (
        "GMX, de",
        """\
Gesendet: Montag, 03. Februar 2020 um 10:00 Uhr
Von: "Help Desk" <desk@example.com>
An: ann@example.org
Betreff: Drucker""",
    ),
    (
        "Outlook, fr",
        """\
De : Help Desk <desk@example.com>
Envoyé : lundi 3 février 2020 10:00
À : Ann
Objet : RE: Imprimante""",
    ),
    (
        "Yahoo, fr",
        """\
      De : Help Desk <desk@example.com>
 À : Ann <ann@example.org>
 Envoyé le : Lundi 3 février 2020 10h00
 Objet : Re: Imprimante""",
    ),
    (
        "Outlook, es",
        """\
De: Help Desk <desk@example.com>
Enviado el: lunes, 3 de febrero de 2020 10:00
Para: Ann
Asunto: RE: Impresora""",
    ),
    (
        "Outlook, it",
        """\
Da: Help Desk <desk@example.com>
Inviato: lunedì 3 febbraio 2020 10:00
A: Ann
Oggetto: R: Stampante""",
    ),
    (
        "Outlook, pt",
        """\
De: Help Desk <desk@example.com>
Enviado: segunda-feira, 3 de fevereiro de 2020 10:00
Para: Ann
Assunto: RE: Impressora""",
    ),
    (
        "Outlook, nl",
        """\
Van: Help Desk <desk@example.com>
Verzonden: maandag 3 februari 2020 10:00
Aan: Ann
Onderwerp: RE: Printer""",
    ),
    (
        "Outlook, sv",
        """\
Från: Help Desk <desk@example.com>
Skickat: den 3 februari 2020 10:00
Till: Ann
Ämne: Sv: Skrivare""",
    ),
    (
        "Outlook, da",
        """\
Fra: Help Desk <desk@example.com>
Sendt: 3. februar 2020 10:00
Til: Ann
Emne: SV: Printer""",
    ),
    (
        "Samsung, da",
        """\
-------- Oprindelig besked --------
Fra: Help Desk <desk@example.com>
Dato: 03.02.2020  10.00  (GMT+01:00)
Til: Ann
Emne: Printer""",
    ),
    (
        "Outlook, fi",
        """\
Lähettäjä: Help Desk <desk@example.com>
Lähetetty: maanantai 3. helmikuuta 2020 10.00
Vastaanottaja: Ann
Aihe: VS: Tulostin""",
    ),
    (
        "Outlook, pl",
        """\
Od: Help Desk <desk@example.com>
Wysłano: poniedziałek, 3 lutego 2020 10:00
Do: Ann
Temat: ODP: Drukarka""",
    ),
    (
        "Outlook, cs",
        """\
Od: Help Desk <desk@example.com>
Odesláno: pondělí 3. února 2020 10:00
Komu: Ann
Předmět: RE: Tiskárna""",
    ),
    (
        "Outlook, ru",
        """\
От: Help Desk <desk@example.com>
Отправлено: 3 февраля 2020 г. 10:00
Кому: Ann
Тема: RE: Принтер""",
    ),
    (
        "Outlook, uk",
        """\
Від: Help Desk <desk@example.com>
Надіслано: 3 лютого 2020 р. 10:00
Кому: Ann
Тема: RE: Принтер""",
    ),
    (
        "Outlook, tr",
        """\
Kimden: Help Desk <desk@example.com>
Gönderildi: 3 Şubat 2020 Pazartesi 10:00
Kime: Ann
Konu: YNT: Yazıcı""",
    ),
    (
        "Outlook, hu",
        """\
Feladó: Help Desk <desk@example.com>
Elküldve: 2020. február 3. 10:00
Címzett: Ann
Tárgy: RE: Nyomtató""",
    ),
    (
        "Outlook, ja",
        """\
差出人: Help Desk <desk@example.com>
送信日時: 2020年2月3日 10:00
宛先: Ann
件名: RE: プリンター""",
    ),
    (
        "Outlook, zh",
        """\
发件人: Help Desk <desk@example.com>
发送时间: 2020年2月3日 10:00
收件人: Ann
主题: 答复: 打印机""",
    ),
    (
        "QQ",
        """\
------------------ 原始邮件 ------------------
发件人: "Help Desk" <desk@example.com>
发送时间: 2020年2月3日 10:00
收件人: Ann
主题: 打印机""",
    ),
    (
        "NetEase",
        """\
---- Replied Message ----
| From | Help Desk<desk@example.com> |
| Date | 02/3/2020 10:00 |
| To | Ann<ann@example.org> |
| Subject | Printer |""",
    ),
    (
        "NetEase, zh",
        """\
---- 回复的原邮件 ----
| 发件人 | Help Desk<desk@example.com> |
| 发送日期 | 2020年2月3日 10:00 |
| 收件人 | <ann@example.org> |
| 主题 | 打印机 |""",
    ),
    (
        "Yandex",
        """\
----------------
Кому: Ann (ann@example.org);
Тема: Принтер;
03.02.2020, 10:00, "Help Desk" <desk@example.com>:""",
    ),
    (
        "Outlook, zh-TW",
        """\
寄件者: Help Desk <desk@example.com>
寄件日期: 2020年2月3日 10:00
收件者: Ann
主旨: 回覆: 印表機""",
    ),
    (
        "Outlook, ko",
        """\
보낸 사람: Help Desk <desk@example.com>
보낸 날짜: 2020년 2월 3일 월요일 10:00
받는 사람: Ann
제목: RE: 프린터""",
    ),
    (
        "Notes",
        """\
From:   Help Desk <desk@example.com>
To:     Ann <ann@example.org>
Date:   03.02.2020 10:00
Subject:        Printer""",
    ),
    (
        "Notes, de",
        """\
Von:    Help Desk <desk@example.com>
An:     Ann <ann@example.org>
Datum:  03.02.2020 10:00
Betreff:        Drucker""",
    ),
    (
        "BlackBerry",
        """\
-----Original Message-----
From: Help Desk <desk@example.com>
Date: Mon, 3 Feb 2020 10:00:00
To: <ann@example.org>
Subject: Printer""",
    ),
]


@pytest.mark.req("VF-12")
@pytest.mark.parametrize("block", [row[1] for row in BLOCKS], ids=[row[0] for row in BLOCKS])
def test_a_header_block_ends_what_the_sender_wrote(block: str) -> None:
    assert new_text(f"{NEW}\n\n{block}\n\n{OLD}\n") == NEW


@pytest.mark.req("VF-12")
@pytest.mark.parametrize(
    ("above", "mark"),
    [
        ("Monday, February 3, 2020, 10:00:00 AM, you wrote:", "HD> "),
        ("Понедельник, 3 февраля 2020 г., 10:00:00, вы писали:", "ИП> "),
        ("On Mon, Feb 3, 2020, Help Desk writes:", "    hd> "),
    ],
    ids=["The Bat!", "The Bat!, ru", "small and indented"],
)
def test_initials_mark_quoted_lines_below_an_attribution(above: str, mark: str) -> None:
    first, second = (f"{mark}{line}" for line in OLD.split("\n"))
    text = f"{above}\n\n{first}\n\nI have.\n\n{second}\n{mark.rstrip()}\n\nIt does not.\n"
    found = reply.read(text, None, is_reply=True)
    assert (found.new_text, found.passages) == ("I have.\n\nIt does not.", ())


def test_the_prompt_of_a_program_is_not_a_mark() -> None:
    text = "It says this:\nSQL> select 1;\nSQL> commit;\nWhat now?"
    assert new_text(text) == text


SIGNED = {
    "Outlook": '<div id="Signature"><div>Ann Example<br>{link}</div></div>',
    "Outlook, forwarded on": '<div id="x_Signature"><p>Ann Example</p><div>{link}</div></div>',
    "Gmail": '<div dir="ltr" class="gmail_signature" data-smartmail="gmail_signature">Ann Example<br>{link}</div>',
    "Spark": '<div name="messageSignatureSection">Ann Example<br>{link}</div>',
}
LINK = '<a href="https://example.org/">Example Inc.</a>'


@pytest.mark.req("VF-12")
@pytest.mark.parametrize("element", SIGNED.values(), ids=SIGNED)
def test_a_signature_that_the_html_marks_is_left_out(element: str) -> None:
    old = '<div class="gmail_quote">Old<div id="Signature">Help Desk</div></div>'
    html = f"<div>Thanks.</div>{element.format(link=LINK)}<div>One more thing.</div>{old}"
    text = "Thanks.\n\nAnn Example\nExample Inc. <https://example.org/>\n\nOne more thing.\n\nOld\nHelp Desk\n"
    assert new_text(text, html) == "Thanks.\n\nOne more thing."
    assert "Ann Example" in reply.read(text, html, is_reply=False).new_text


@pytest.mark.req("PR-19")
def test_a_signature_that_is_all_of_the_text_stays() -> None:
    html = '<div id="Signature">It works.</div><div class="gmail_quote">On Friday Help Desk wrote: Old</div>'
    text = "It works.\n\nOn Friday, 3 Feb 2020, Help Desk <desk@example.com> wrote:\n\n> Old\n"
    assert new_text(text, html) == "It works."


@pytest.mark.req("PR-19")
@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("All of it is in the signature.", "All of it is in the signature."),
        ("Thanks.\n\nNot the same text.", "Thanks.\n\nNot the same text."),
        ("Thanks. All of it is in the signature.", "Thanks. All of it is in the signature."),
    ],
)
def test_what_is_not_the_whole_signature_stays(text: str, kept: str) -> None:
    html = '<p>Thanks.</p><div id="Signature">All of it is in the signature.</div>'
    assert new_text(text, html) == kept


PHONES = [
    "Sent from my iPhone",
    "Sent from my Samsung Galaxy smartphone.",
    "Get Outlook for iOS<https://aka.ms/o0ukef>",
    "\u2063Get BlueMail for Android \u200b",
    "Sent from Yahoo Mail on Android",
    "Sent from Mail for Windows 10",
    "Sent via BlackBerry",
    "Von meinem iPhone gesendet",
    "Gesendet von Outlook für Android",
    "Gesendet mit der GMX Mail App",
    "Diese Nachricht wurde von meinem Android-Gerät mit K-9 Mail gesendet.",
    "Envoyé de mon iPhone",
    "Envoyé à partir de Outlook pour iOS",
    "Enviado desde mi iPhone",
    "Enviado do meu iPhone",
    "Inviato da iPhone",
    "Verstuurd vanaf mijn iPhone",
    "Skickat från min iPhone",
    "Sendt fra min iPhone",
    "Lähetetty iPhonesta",
    "Wysłane z iPhone'a",
    "Odesláno z iPhonu",
    "Отправлено с iPhone",
    "Надіслано з iPhone",
    "iPhone'umdan gönderildi",
    "iPhoneから送信",
    "发自我的iPhone",
    "從我的 iPhone 傳送",
    "나의 iPhone에서 보냄",
    "Az iPhone készülékemről küldve",
    "Dihantar dari iPhone saya",
    "मेरे iPhone से भेजा गया",
    "iOS 版 Outlookを入手<https://aka.ms/o0ukef>",
    "Λήψη του Outlook για iOS<https://aka.ms/o0ukef>",
    "الحصول على Outlook لـ iOS<https://aka.ms/o0ukef>",
    "Az iOS Outlook beszerzése <https://aka.ms/o0ukef>",
]


@pytest.mark.parametrize("line", PHONES)
def test_the_line_of_a_phone_is_left_out(line: str) -> None:
    text = f"{NEW}\n\n{line}\n\nOn 3 Feb 2020, at 10:00, Desk <desk@example.com> wrote:\n\n{QUOTED}\n"
    assert new_text(text) == NEW


KEPT = [
    pytest.param("One outstanding question I had:\n\nLocally, when I run it...", id="a line that ends in a colon"),
    pytest.param(
        "On this day\n\nI wrote something\n\nwhich was very interesting.", id="words of an attribution in a text"
    ),
    pytest.param(
        "Please call bob@example.org before 12:00 on 3 Feb 2020, he knows:\n\n- the tray\n- the toner",
        id="an address, a date, a colon",
    ),
    pytest.param("2024-01-15 14:30:25\n2024/01/15 14:30:25\n15.01.2024 14:30\n\nThese are the times.", id="dates"),
    pytest.param("From: Berlin\nTo: Paris\nDate: 12 May\n\nIs that trip approved?", id="a trip from and to"),
    pytest.param("I have these wishes:\n-- a new tray\n-- more toner\n\nThanks!", id="a list with dashes"),
    pytest.param("The notice was sent from my iPhone app to all users.", id="sent from, in a sentence"),
    pytest.param(
        "Sent from my desk, which is much easier than my phone.", id="a sentence that begins like a phone's line"
    ),
    pytest.param("Sent via DHL, number 123.", id="how a parcel was sent"),
    pytest.param("Sent from the shop in Bern:\n\n3 boxes", id="where a parcel was sent from"),
    pytest.param("On 3 Feb 2020 I wrote:\n\nThe tray is broken.", id="the sender tells what he wrote himself"),
    pytest.param("Am 3.2.2020 schrieb ich an bob@example.org:\n\nDas Fach klemmt.", id="the same in German"),
    pytest.param("Step one\n---\nStep two", id="a rule between paragraphs"),
    pytest.param("Fine by me 🎉\n\n—\nAnn Smith\nCEO", id="a dash and a name"),
    pytest.param("It fails when x > 3:\nif x > 3:\n    fail()", id="code"),
    pytest.param("Regards,\n\nAnn", id="a sign-off"),
    pytest.param("Subject: wrong invoice\nAmount: 12", id="fields of a form"),
    pytest.param("| tray | pages |\n| 1 | 20 |", id="a table drawn with bars"),
]


@pytest.mark.parametrize("text", KEPT)
def test_the_senders_own_words_stay(text: str) -> None:
    assert new_text(text) == text


CUTS = [
    pytest.param(f"{NEW}\n\n-- \nAnn Smith\nExample Inc.\n", NEW, id="a signature"),
    pytest.param(f"{NEW}\n--\nAnn Smith\n\n{QUOTED}", NEW, id="a signature above a bare quotation"),
    pytest.param(
        (
            f"{NEW}\n\nThis email and any attachments are confidential and intended only for the "
            f"addressee.\nPlease delete it."
        ),
        NEW,
        id="a notice",
    ),
    pytest.param(
        f"{NEW}\n\nDiese E-Mail enthält vertrauliche Informationen.\nBitte löschen.", NEW, id="a German notice"
    ),
    pytest.param(f"{NEW}\n\nCe message est confidentiel et destiné au seul destinataire.", NEW, id="a French notice"),
    pytest.param(
        (
            f"{NEW}\n\n_______________________________________________\n"
            f"Desk mailing list\nhttps://example.com/mailman/listinfo/desk"
        ),
        NEW,
        id="a list's footer",
    ),
    pytest.param(
        f"{NEW}\n\n> On 3 Feb 2020, at 10:00, Desk <desk@example.com> wrote:\n> \n{QUOTED}",
        NEW,
        id="the attribution is quoted too",
    ),
    pytest.param(
        "On 3 Feb 2020, Desk <desk@example.com> wrote:\n> Another tray?\n\nTried it.\n\n> The lower one?\n\nThat too.",
        "Tried it.\n\nThat too.",
        id="inline answers",
    ),
    pytest.param(
        (
            "Yes.\nOn 3 Feb 2020, Desk <desk@example.com> wrote:\n"
            "> Did you read what I have written to all of you about the trays of the\n"
            "printer?\n> Thanks"
        ),
        "Yes.",
        id="a quoted line torn in two",
    ),
    pytest.param(f"{NEW}\r\n\r\nOn 3 Feb 2020, Desk <desk@example.com> wrote:\r\n\r\n> x\r\n", NEW, id="CRLF"),
    pytest.param(f"\n\n\n{NEW}\n\n\n", NEW, id="blank lines around"),
    pytest.param(
        (
            f"{NEW}\n\nOn 3 Feb 2020, Desk <desk@example.com> wrote:\n\n"
            f"Hello\n\nOn 2 Feb 2020, Ann <ann@example.org> wrote:\n\n"
            f"Old"
        ),
        NEW,
        id="a chain",
    ),
    pytest.param(
        f"{NEW}\n\n2020/2/3 Desk <desk@example.com>\n\n| Another tray?\n| Yes", NEW, id="bars below an attribution"
    ),
]


@pytest.mark.parametrize(("text", "expected"), CUTS)
def test_what_is_not_new_is_cut(text: str, expected: str) -> None:
    assert new_text(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "> Only a quotation.",
        "-- \nAnn",
        "Sent from my iPhone",
        "From: A <a@example.com>\nSent: Monday\nTo: B\nSubject: C\n\nText",
    ],
)
def test_when_nothing_would_remain_everything_remains(text: str) -> None:
    assert new_text(text) == text


def test_a_new_mail_stays_whole() -> None:
    text = f"{NEW}\n\n-- \nAnn\n\nFrom: A <a@example.com>\nSent: Monday\nTo: B\nSubject: C\n\nText"
    assert reply.read(text, None, is_reply=False).new_text == text


def test_a_marked_quotation_at_the_end_is_cut_even_when_no_header_says_reply() -> None:
    assert (
        reply.read(f"{NEW}\n\nOn 3 Feb 2020, Desk <desk@example.com> wrote:\n{QUOTED}\n", None, is_reply=False).new_text
        == NEW
    )


def test_a_forwarded_mail_stays_in_the_text() -> None:
    text = (
        f"{NEW}\n\n---------- Forwarded message ----------\nFrom: Bob <bob@example.net>\n"
        f"Date: Mon\nSubject: Toner\nTo: Ann\n\n{OLD}"
    )
    assert new_text(text) == text


def test_a_forwarded_mail_stays_even_when_it_is_marked_like_a_quotation() -> None:
    forward = (
        "Begin forwarded message:\n\n> From: Bob <bob@example.net>\n> Subject: Toner\n>\n> No toner.\n> -- \n> Bob"
    )
    assert new_text(f"{NEW}\n\n-- \nAnn\n\n{forward}") == f"{NEW}\n\n{forward}"


SUBJECTS = [
    ("Re: Printer", False, True),
    ("AW: Drucker", False, True),
    ("SV: Skrivare", False, True),
    ("Odp: Drukarka", False, True),
    ("回复: 打印机", False, True),
    ("Printer", True, True),
    ("Printer", False, False),
    ("Fwd: Printer", True, False),
    ("WG: Drucker", True, False),
    ("Re: Fwd: Printer", True, True),
]


@pytest.mark.parametrize(("subject", "threaded", "expected"), SUBJECTS)
def test_whether_a_mail_is_a_reply(subject: str, threaded: bool, expected: bool) -> None:
    assert reply.answers(subject, "", threaded=threaded) is expected


HINTS = [
    pytest.param('<div>{new}</div><div class="gmail_quote"><div dir="ltr">{old}</div></div>', id="Gmail"),
    pytest.param(
        '<p>{new}</p><div id="appendonsend"></div><hr><div id="divRplyFwdMsg">{old}</div>', id="Outlook on the web"
    ),
    pytest.param(
        "<p>{new}</p><div style='border:none;border-top:solid #E1E1E1 1.0pt'><p>{old}</p></div>", id="Outlook"
    ),
    pytest.param(
        "<p>{new}</p><div style='border:none;border-top:solid #B5C4DF 1.0pt'><p>{old}</p></div>", id="Outlook 2007"
    ),
    pytest.param('<p>{new}</p><span id="OLK_SRC_BODY_SECTION">{old}</span>', id="Outlook for Mac"),
    pytest.param('<p>{new}</p><div class="yahoo_quoted" id="yahoo_quoted_1">{old}</div>', id="Yahoo"),
    pytest.param('<p>{new}</p><div class="moz-cite-prefix">{old}</div>', id="Thunderbird"),
    pytest.param('<p>{new}</p><blockquote type="cite">{old}</blockquote>', id="Apple Mail"),
    pytest.param('<p>{new}</p><div class="protonmail_quote">{old}</div>', id="Proton"),
    pytest.param('<p>{new}</p><div class="zmail_extra">{old}</div>', id="Zoho"),
    pytest.param('<p>{new}</p><hr id="stopSpelling">{old}', id="Hotmail"),
]


@pytest.mark.parametrize("markup", HINTS)
def test_markup_shows_a_quotation_that_no_word_announces(markup: str) -> None:
    html = markup.format(new=NEW, old=OLD)
    assert new_text(f"{NEW}\n\n{OLD}\n", html) == NEW


HOSTILE = {
    "quote marks": ">" * 1_000_000,
    "lines of quote marks": ">\n" * 500_000,
    "on": "On " * 300_000,
    "lines of on": "On \n" * 250_000,
    "blanks": " " * 1_000_000,
    "colons": "a:\n" * 300_000,
    "headers": "From: a@b.example\nTo: x\nDate: 1\n" * 30_000,
    "dashes": "-" * 1_000_000,
    "wrote": "1 wrote:\n" * 100_000,
    "groupwise": f">>> a@b {' ' * 400}:\n" * 2_000,
    "dashes and words": "--- original message x " * 40_000,
    "sent from": "Sent from my " * 80_000,
    "addresses": "a@" * 500_000,
    "dates": "On 1 2 3 4 5 6 7 wrote " * 40_000,
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_text_makes_it_slow_or_lose_everything(text: str) -> None:
    assert new_text(text).strip() or not text.strip()


@pytest.mark.timeout(60)
@pytest.mark.parametrize("tag", ["<div ", '<div class="', "<blockquote type=cite><style>", "<!--", "&lt;"])
def test_no_markup_makes_it_slow(tag: str) -> None:
    assert new_text(NEW, tag * 100_000) == NEW


def test_beyond_the_prefix_text_is_kept_and_marked_quotations_are_not() -> None:
    long = "word " * 250_000
    got = new_text(f"{long}\n{NEW}\n{QUOTED}\nlast words")
    assert got.endswith(f"{NEW}\nlast words")


PIECES = [
    "\n",
    "> ",
    "| ",
    "On ",
    "3 Feb 2020",
    " wrote:",
    "From: ",
    "a@example.com",
    "Subject: ",
    "-- ",
    "-----Original Message-----",
    "_" * 9,
]
PIECES += [
    "Sent from my iPhone",
    "---------- Forwarded message ----------",
    "<b>",
    "\u200e",
    "\x85",
    "\r\n",
    "写道：",
    "text ",
]


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=60).map("".join), st.booleans())
def test_any_text_gives_some_of_itself(text: str, is_reply: bool) -> None:
    got = reply.read(text, text, is_reply=is_reply).new_text
    assert bool(got) == bool(text.strip())
    left = "".join(text.split())
    assert all(word in left for word in got.split())
    forwarded.read(tree.parse(b""), "Fwd: x", text, Bounds())


def test_a_reference_to_a_character_with_thousands_of_digits_causes_no_error() -> None:
    html = f"<p>New</p><div class='gmail_quote'>&#{'1' * 5_000};Old words of another person</div>"
    text = "New\nOld words of another person"
    assert new_text(text, html) == "New"


@pytest.mark.parametrize("mark", ["class=gmail_quote", 'id = "x_divRplyFwdMsg"', "class='a b m_12yahoo_quoted'"])
def test_a_class_marks_a_quotation_only_as_a_class(mark: str) -> None:
    text = "New\nOld words of another person"
    for tag, new in ((f"<div {mark}>", "New"), (f"<div title={mark.partition('=')[2]}>", text)):
        assert new_text(text, f"New{tag}Old words of another person</div>") == new


def test_a_header_block_far_below_blank_lines_has_nothing_above_it() -> None:
    text = "\n" * 1_000 + "From: Ann <ann@example.com>\nTo: Bob\nSubject: Printer\n\nOld" * 100
    assert new_text(text) == text.strip()
