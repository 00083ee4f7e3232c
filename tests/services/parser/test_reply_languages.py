"""Replies in the rarer languages and of the rarer programs: one row each for what announces or ends something."""

from __future__ import annotations

import pytest

from services.parser import reply
from services.parser.quotes.announcements import Answered
from tests.services.parser.replies import NEW, OLD, QUOTED, new_text

DESK = "Help Desk <desk@example.com>"

ATTRIBUTIONS = {
    "Apple Mail, pl": f"Wiadomość napisana przez {DESK} w dniu 3 lut 2020, o godz. 10:00:",
    "Apple Mail, tr": f"{DESK} şunları yazdı (3 Şub 2020 10:00):",
    "Apple Mail, he": "\u202bב-3 בפבר׳ 2020, בשעה 10:00, \u200fHelp Desk \u200f<desk@example.com> כתב/ה:\u202c",
    "Apple Mail, th": f"เมื่อวันที่ 3 ก.พ. 2563 เวลา 10:00 {DESK} เขียนว่า:",
    "Gmail, hr": f"pon, 3. velj 2020. u 10:00 {DESK} napisao je:",
    "Gmail, sr": f"пон, 3. феб 2020. у 10:00 {DESK} је написао/ла:",
    "Gmail, sl": f"V V pon., 3. feb. 2020 ob 10:00 je oseba {DESK} napisala:",
    "Gmail, ca": f"Missatge de {DESK} del dia dl., 3 de febr. 2020 a les 10:00:",
    "Gmail, he": (
        "\u202bבתאריך יום ב׳, 3 בפבר׳ 2020 ב-10:00 מאת \u202aHelp Desk\u202c\u200f "
        "<\u202adesk@example.com\u202c\u200f>:\u202c"
    ),
    "Gmail, fa": "در تاریخ دوشنبه ۳ فوریه ۲۰۲۰،\u200f ۱۰:۰۰ Help Desk <desk@example.com> نوشت:",
    "Thunderbird, fi": "Help Desk kirjoitti 3.2.2020 klo 10.00:",
    "Thunderbird, ko": "2020-02-03 오전 10:00에 Help Desk 이(가) 쓴 글:",
    "Notes": f"{DESK} wrote on 02/03/2020 10:00:25 AM:",
    "Usenet": "On 2/3/20 10:00 AM, Help Desk said the following:",
    "Gmail, et": f"Kontakt {DESK} kirjutas kuupäeval E, 3. veebruar 2020 kell 10:00:",
    "the name above": "Help Desk of the Example Company\n<desk@example.com> wrote on\n02/03/2020 10:00:25 AM:",
    "Gmail, tr, wrapped": f"{DESK}, 3 Şub 2020 Pzt, 10:00 tarihinde şunu\nyazdı:",
    "the verb alone in its line": f"{DESK}, 3 Feb 2020 10:00\nwrote:",
    "Gmail, eu": f"{DESK} erabiltzaileak hau idatzi du (2020 ots. 3, al. (10:00)):",
    "Gmail, hi": f"सोम, 3 फ़र॰ 2020 को 10:00 am बजे को {DESK} ने लिखा:",
    "Zoho, de": f"---- {DESK} schrieb am Mo, 03 Feb. 2020 10:00:00 +0100 ----",
}  # fmt: skip


@pytest.mark.req("VF-12")
@pytest.mark.parametrize("line", ATTRIBUTIONS.values(), ids=ATTRIBUTIONS.keys())
@pytest.mark.parametrize("old", [QUOTED, OLD], ids=["marked", "unmarked"])
def test_an_attribution_ends_what_the_sender_wrote(line: str, old: str) -> None:
    assert new_text(f"{NEW}\n\n{line}\n\n{old}\n") == NEW


NAMED = [
    f"Quoting {DESK}:",
    f"Zitat von {DESK}:",
    f"Citando {DESK}:",
    f"Citeren {DESK}:",
    "* Help Desk <desk@example.com> [2020-02-03 10:00]:",
    "desk@example.com wrote:",
]


@pytest.mark.parametrize("line", NAMED)
def test_a_line_that_names_the_writer_belongs_to_the_marked_quotation_below(line: str) -> None:
    assert new_text(f"{NEW}\n\n{line}\n\n{QUOTED}\n") == NEW
    assert new_text(f"{line}\n\n{QUOTED}\n\n{NEW}\n") == NEW


GROUPWISE = [
    '>>> "Help Desk" <desk@example.com> 2/3/2020 10:00 AM >>>',
    f">>> On 2/3/2020 at 10:00 AM, in message <5E37F2C0.1234.00AB.0@example.com>, {DESK} wrote:",
]


@pytest.mark.parametrize("line", GROUPWISE)
def test_groupwise_marks_the_announcement_and_nothing_below_it(line: str) -> None:
    assert new_text(f"{NEW}\n\n{line}\n{OLD}\n") == NEW


FIELDS = [
    ("hr", "Od", "Poslano", "Prima", "Predmet"),
    ("sl", "Od", "Poslano", "Za", "Zadeva"),
    ("sr", "Šalje", "Poslato", "Prima", "Tema"),
    ("bg", "От", "Изпратено", "До", "Относно"),
    ("lt", "Nuo", "Išsiųsta", "Kam", "Tema"),
    ("et", "Saatja", "Saadetud", "Adressaat", "Teema"),
    ("ca", "De", "Enviat el", "Per a", "Tema"),
    ("ar", "من", "تم الإرسال", "إلى", "الموضوع"),
    ("th", "จาก", "ส่ง", "ถึง", "เรื่อง"),
    ("vi", "Từ", "Đã gửi", "Đến", "Chủ đề"),
    ("hu", "Feladó", "Küldve", "Címzett", "Tárgy"),
    ("el", "Από", "Στάλθηκε", "Προς", "Θέμα"),
    ("lv", "No", "Nosūtīts", "Kam", "Tēma"),
    ("is", "Frá", "Dagsetning", "Til", "Efni"),
    ("eu", "Nork", "Bidalia", "Nori", "Gaia"),
    ("kk", "Кімнен", "Жіберілді", "Кімге", "Тақырып"),
    ("mk", "Од", "Испратено", "За", "Наслов"),
    ("sq", "Nga", "Dërguar", "Për", "Subjekti"),
    ("hi", "प्रेषक", "भेजा गया", "प्रति", "विषय"),
    ("ms", "Daripada", "Dihantar", "Kepada", "Subjek"),
]


@pytest.mark.req("VF-12")
@pytest.mark.parametrize("names", [row[1:] for row in FIELDS], ids=[row[0] for row in FIELDS])
def test_a_header_block_ends_what_the_sender_wrote(names: tuple[str, str, str, str]) -> None:
    sender, sent, to, subject = names
    block = f"{sender}: {DESK}\n{sent}: 3.2.2020 10:00\n{to}: Ann\n{subject}: RE: Printer"
    assert new_text(f"{NEW}\n\n{block}\n\n{OLD}\n") == NEW


UNKNOWN = "Kutoka: {sender}\nImetumwa: 3.2.2020 10:00\nKwa: Ann\nMada: {subject}"
ANSWERED = Answered("Re: Printer", ("desk@example.com", "help desk"))


@pytest.mark.req("VF-12")
@pytest.mark.req("PR-19")
def test_a_header_block_in_a_language_of_no_table_is_known_by_its_sender_and_subject() -> None:
    def new(sender: str, subject: str) -> str:
        block = UNKNOWN.format(sender=sender, subject=subject)
        return reply.read(f"{NEW}\n\n{block}\n\n{OLD}\n", None, ANSWERED, is_reply=True).new_text

    assert new(DESK, "Printer") == NEW
    assert OLD in new("Bob <bob@example.org>", "Printer")
    assert OLD in new(DESK, "a list of the sender's own")


NOTES = [
    "Help Desk <desk@example.com>\n03.02.2020 10:00\n\nAn\nann@example.org\nKopie\n\nThema\nPrinter",
    "Help Desk <desk@example.com>\n\n03.02.2020 10:00:25\n\nAn | ann@example.org\nKopie |\nThema | Re: Printer",
    '"Help Desk" <desk@example.com>\n02/03/2020 10:00 AM\n\nTo\nAnn\ncc\n\nSubject\nPrinter',
]


@pytest.mark.req("VF-12")
@pytest.mark.req("PR-19")
@pytest.mark.parametrize("block", NOTES)
def test_a_header_block_of_notes_is_known_by_sender_time_and_subject(block: str) -> None:
    text = f"{NEW}\n\n{block}\n\n{OLD}\n"
    assert reply.read(text, None, ANSWERED, is_reply=True).new_text == NEW
    assert OLD in reply.read(text.replace("Printer", "Toner"), None, ANSWERED, is_reply=True).new_text
    assert OLD in reply.read(text.replace("03", "3rd"), None, ANSWERED, is_reply=True).new_text


@pytest.mark.req("PR-19")
def test_a_mark_of_outlook_announces_a_mail_whose_header_no_table_has() -> None:
    text = f"{NEW}\n\nKutoka: Bob\nMada: Printer\n\n{OLD}\n"
    for mark in (
        'id="mail-editor-reference-message-container"',
        'style="border-right:none; border-top:1pt solid rgb(225, 225, 225)"',
    ):
        html = f"<div>{NEW}</div><div {mark}>Kutoka: Bob<br>Mada: Printer</div><div>{OLD}</div>"
        assert new_text(text, html) == NEW


@pytest.mark.req("PR-19")
@pytest.mark.parametrize("steps", ["Steps:\n--\n1. on\n2. off", "Do\n--\n- this\n- that"])
def test_a_rule_of_two_hyphens_within_a_text_is_not_a_signature(steps: str) -> None:
    assert new_text(f"{steps}\n\n{ATTRIBUTIONS['Notes']}\n{QUOTED}") == steps
    assert new_text(f"{NEW}\n--\nAnn\n+49 30 123") == NEW
    assert new_text(f"{NEW}\n-- \n- Ann -\n* 123") == NEW


@pytest.mark.req("PR-19")
@pytest.mark.parametrize(
    "words",
    [
        "Since 3.2.2020 nobody can write to bob@example.com:\nit bounces.",
        "Am 3. Stock schrieb jemand an die Tür:\nAußer Betrieb",
    ],
)
def test_words_that_may_announce_a_quotation_stay_where_no_quotation_follows(words: str) -> None:
    assert new_text(words) == words


@pytest.mark.req("PR-19")
@pytest.mark.parametrize("ps", ["PS: The scanner too.", "P.S. The scanner too.", "Ps - the scanner too."])
def test_a_postscript_below_a_signature_stays(ps: str) -> None:
    text = f"{NEW}\n\n-- \nAnn\n+49 30 123\n\n{ps}\nAll of them.\n"
    assert new_text(text) == f"{NEW}\n\n{ps}\nAll of them."


MARKERS = [
    "----- Mail original -----",
    "-----E-mail d'origine-----",
    "----- Ursprüngliche Mail -----",
    "-----Ursprüngliche Mitteilung-----",
    "-----Original-Nachricht-----",
    "----- Original Nachricht ----",
    "------- Original Message (03-Feb-2020 10:00)",
    "-------- 원본 이메일 --------",
    "##- Please type your reply above this line -##",
    "--- Bitte antworten Sie oberhalb dieser Zeile ---",
]


@pytest.mark.parametrize("line", MARKERS)
def test_a_marker_alone_ends_what_the_sender_wrote(line: str) -> None:
    assert new_text(f"{NEW}\n\n{line}\n\n{OLD}\n") == NEW


@pytest.mark.parametrize(
    "line",
    [
        "Original Message",
        "---- in no language that we know ----",
        "____________",
        '"Desk" ---3.2.2020 10:00:00---Hello',
    ],
)
def test_a_marker_above_a_header_block_belongs_to_it(line: str) -> None:
    block = f"From: {DESK}\nSent: Monday, February 3, 2020 10:00\nTo: Ann\nSubject: Printer"
    assert new_text(f"{NEW}\n\n{line}\n{block}\n\n{OLD}\n") == NEW


PHONES = [
    "Sent from Front",
    "Sent via the Samsung Galaxy S20, an AT&T 5G smartphone",
    "Get BlueMail for Android",
    "Mobil gesendet",
    "Outlook für iOS beziehen",
    "Outlook für iOS beziehen<https://aka.ms/o0ukef>",
    "Outlook voor iOS downloaden<https://aka.ms/o0ukef>",
    "Hent Outlook til Android<https://aka.ms/AAb9ysg>",
    "Dapatkan Outlook untuk iOS",
    "Android için Outlook\u2019u edinin<https://aka.ms/AAb9ysg>",
    "Von Outlook gesendet",
    "Obtenir Outlook pour iOS",
    "Obter o Outlook para Android",
    "Hämta Outlook för iOS",
    "Pobierz aplikację Outlook dla systemu iOS",
    "Outlook for iOS を入手",
    "获取 Outlook for Android",
    "Android용 Outlook 다운로드",
    "iPhone-ról küldve",
    "Samsung cihazımdan gönderildi",
    "Εστάλη από το iPhone μου",
    "Изпратено от моя iPhone",
    "Poslano s mog iPhonea",
    "Enviat des del meu iPhone",
    "发送自 Windows 10 版邮件应用",
    "ส่งจาก iPhone ของฉัน",
]


@pytest.mark.parametrize("line", PHONES)
def test_the_line_of_a_phone_is_left_out(line: str) -> None:
    assert new_text(f"{NEW}\n\n{line}\n") == NEW


NOTICES = [
    "If you are not the intended recipient, please delete this e-mail.",
    "Please consider the environment before printing this email.",
    "This email has been checked for viruses by Avast antivirus software.\nwww.avast.com",
    "Hinweis: Diese Nachricht ist vertraulich und nur für den Empfänger bestimmt.",
    "AVISO LEGAL: Este mensaje contiene información confidencial.",
    "Ai sensi del Regolamento UE 2016/679 le informazioni contenute in questo messaggio sono riservate.",
    "De informatie in dit e-mailbericht is uitsluitend bestemd voor de geadresseerde.",
    "Treść tej wiadomości jest poufna i przeznaczona wyłącznie dla adresata.",
    "Ez az üzenet bizalmas információkat tartalmazhat.",
    "Bu e-posta ve ekleri gizlidir.",
    "このメールには機密情報が含まれている場合があります。",
    "本邮件及其附件含有保密信息。",
]


@pytest.mark.parametrize("notice", NOTICES)
def test_a_legal_notice_is_left_out(notice: str) -> None:
    assert new_text(f"{NEW}\n\n{notice}\n") == NEW


KEPT = [
    "I wrote bob@example.com on Monday, 3 February 2020 at 10:00:\nnothing came back.",
    "从昨天开始就不能打印。",
    "本社から送信しましたが届きません。",
    "Sent from Berlin the parcel arrived late.",
    "Sent from the warehouse on Monday, the printer never arrived.",
    "Outlook für iOS stürzt ab.",
    "We use Outlook for Android on all phones and it fails.",
    "Original message was lost.\nSend it again please.",
    "- original message\n- reply\nboth are gone",
    "The tray is stuck\n\nask\n<bob@example.com>",
    "Here is the log:\n----- begin -----\nerror 5\n----- end -----\nThanks",
    "Zitat von Goethe:\nEs irrt der Mensch.",
    "Name: Ann\nEmail: ann@example.org\nDate: 3.2.2020 10:00\nMessage: please call me.",
    "If you are not the intended person, please tell me who is.",
    "Hinweis: Diese Nachricht kam gestern nicht an.",
    "此邮件收到了，谢谢。",
]


@pytest.mark.parametrize("words", KEPT)
def test_the_senders_own_words_stay(words: str) -> None:
    assert new_text(f"Hello,\n\n{words}") == f"Hello,\n\n{words}"


def test_markup_tells_where_an_announcement_in_unknown_words_begins() -> None:
    html = f'<p>{NEW}</p><div class="gmail_quote"><div>Zzz 3 Xxx Desk yyy</div><blockquote>{OLD}</blockquote></div>'
    assert new_text(f"{NEW}\n\nZzz 3 Xxx Desk yyy\n\n{QUOTED}\n", html) == NEW


@pytest.mark.parametrize("subject", ["Vá: Nyomtató", "Odg: Pisač", "Ответ: Принтер", "回覆: 印表機", "Re(2): Printer"])
def test_a_subject_that_says_answered(subject: str) -> None:
    assert reply.answers(subject, "", threaded=False)


@pytest.mark.parametrize("subject", ["Továbbítás: Nyomtató", "ПЕР: Принтер", "İLT: Yazıcı", "Reenv: Impresora"])
def test_a_subject_that_says_forwarded(subject: str) -> None:
    assert not reply.answers(subject, "", threaded=True)
