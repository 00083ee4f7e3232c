"""Reports, automatic answers and receipts in the languages of their users, read from whole mails."""

from __future__ import annotations

import pytest

from services.parser import mime
from shared.contracts.mail import BouncedRecipient, ParsedMail

NOTICE = (
    "{opening}\n\nbob@example.net<mailto:bob@example.net>\n\n{diagnostics}\n\n{server} mx.example.com\n\n"
    "bob@example.net\n#550 5.1.1 RESOLVER.ADR.RecipNotFound; not found ##\n\n{original}\n\n"
    "Received: from a.example.com by b.example.com; Mon, 3 Feb 2020 10:00:00 +0100\n"
    "From: Desk <desk@example.com>\nTo: Carl <carl@example.net>\nSubject: Hello\n"
)


def read(text: str, subject: str, *head: str, sender: str = "postmaster@example.com") -> ParsedMail:
    """A mail to the desk, read."""
    fields = [f"From: {sender}", "To: desk@example.com", f"Subject: {subject}", *head]
    return mime.read("\r\n".join([*fields, "Content-Type: text/plain; charset=utf-8", "", text]).encode()).mail


def bounced(mail: ParsedMail) -> tuple[BouncedRecipient, ...]:
    """Those who did not get the mail that a report is about."""
    assert mail.kind == "bounce"
    assert mail.bounce is not None
    return mail.bounce.recipients


EXCHANGE = {
    "de": (
        "Unzustellbar: Hello",
        "Fehler bei der Nachrichtenzustellung an folgende Empfänger oder Verteilerlisten:",
        "Ursprüngliche Nachrichtenkopfzeilen:",
    ),
    "fr": (
        "Non remis : Hello",
        "Échec de la remise aux destinataires ou groupes suivants :",
        "En-têtes de message d'origine :",
    ),
    "es": (
        "No se puede entregar: Hello",
        "No se pudo entregar el mensaje a estos destinatarios o grupos:",
        "Encabezados de mensajes originales:",
    ),
    "it": (
        "Non recapitabile: Hello",
        "Impossibile recapitare il messaggio ai destinatari o gruppi seguenti:",
        "Intestazioni del messaggio originale:",
    ),
    "pt": (
        "Não é possível entregar: Hello",
        "Falha na entrega a estes destinatários ou grupos:",
        "Cabeçalhos de mensagens originais:",
    ),
    "nl": (
        "Onbestelbaar: Hello",
        "De bezorging is mislukt voor de volgende geadresseerden of groepen:",
        "Oorspronkelijke berichtkoppen:",
    ),
    "sv": (
        "Kan inte levereras: Hello",
        "Leveransen till de här mottagarna eller grupperna misslyckades:",
        "Ursprungliga brevhuvuden:",
    ),
    "da": (
        "Kan ikke leveres: Hello",
        "Levering mislykkedes til disse modtagere eller grupper:",
        "Oprindelige meddelelseshoveder:",
    ),
    "fi": (
        "Ei voi toimittaa: Hello",
        "Viestin toimitus seuraaville vastaanottajille epäonnistui:",
        "Alkuperäisen viestin otsikot:",
    ),
    "pl": (
        "Niedostarczalne: Hello",
        "Dostarczenie do następujących adresatów nie powiodło się:",
        "Oryginalne nagłówki wiadomości:",
    ),
    "cs": ("Nedoručitelné: Hello", "Zprávu se nepodařilo doručit následujícím příjemcům:", "Původní záhlaví zprávy:"),
    "hu": (
        "Kézbesíthetetlen: Hello",
        "A kézbesítés nem sikerült a következő címzetteknek:",
        "Eredeti üzenetfejlécek:",
    ),
    "ru": (
        "Не удается доставить: Hello",
        "Не удалось доставить сообщение следующим получателям:",
        "Исходные заголовки:",
    ),
    "uk": ("Не доставлено: Hello", "Не вдалося доставити повідомлення цим одержувачам:", "Вихідні заголовки:"),
    "tr": ("Teslim Edilemedi: Hello", "Bu alıcılara teslim başarısız oldu:", "Özgün ileti üst bilgileri:"),
    "ja": ("配信不能: Hello", "次の受信者への配信に失敗しました:", "元のメッセージ ヘッダー:"),
    "zh": ("未送达: Hello", "无法将邮件传递给下列收件人或组:", "原始邮件头:"),
    "ko": ("배달되지 않음: Hello", "다음 받는 사람에게 배달하지 못했습니다.", "원본 메시지 헤더:"),
}


@pytest.mark.parametrize(("subject", "opening", "original"), EXCHANGE.values(), ids=EXCHANGE.keys())
@pytest.mark.parametrize("head", ["Return-Path: <>", "X-MS-Exchange-Message-Is-Ndr:"])
def test_a_report_of_exchange_is_read_in_any_language(head: str, subject: str, opening: str, original: str) -> None:
    text = NOTICE.format(opening=opening, diagnostics="...", server="...", original=original)
    (one,) = bounced(read(text, subject, head))
    assert (one.address, one.status, one.smtp_code, one.permanent) == ("bob@example.net", "5.1.1", 550, True)


LABELS = [
    "收件人   bob@example.net",
    "收件人：bob@example.net",
    "宛先: bob@example.net",
    "Получатель: bob@example.net",
    "Mottagare: bob@example.net",
    "Destinatario: bob@example.net",
    "SMTP <bob@example.net>",
]


NOT_DELIVERED = [
    ("it", "Mancata consegna", "Non è stato possibile consegnare il messaggio a: bob@example.net\n550 sconosciuto"),
    ("fr", "Rapport", "Impossible de remettre le message à : bob@example.net\n550 inconnu"),
    ("es", "Correo devuelto", "No ha sido posible entregar el mensaje a: bob@example.net\n550 desconocido"),
    ("pt", "Mensagem não entregue", "Não foi possível entregar a mensagem a: bob@example.net\n550 desconhecido"),
    ("zh", "系统退信", "抱歉，您的邮件被退回来了\n收件人 bob@example.net\n退信原因 550 Mailbox not found"),
    ("zh, in brackets", "系统退信", "邮件无法送达\n收件人邮件地址（bob@example.net）不存在\n550 Mailbox not found"),
]


@pytest.mark.req("VF-02")
@pytest.mark.parametrize(("subject", "text"), [row[1:] for row in NOT_DELIVERED], ids=[row[0] for row in NOT_DELIVERED])
def test_a_report_says_in_the_infinitive_that_a_mail_was_not_delivered(subject: str, text: str) -> None:
    (failed,) = bounced(read(text, subject, "Return-Path: <>"))
    assert (failed.address, failed.smtp_code, failed.permanent) == ("bob@example.net", 550, True)


NAMED = [
    ("sk", "Nedoručiteľná správa", "Vašu správu sa nepodarilo doručiť na adresu bob@example.net."),
    ("ro", "Nelivrat: Salut", "Mesajul dvs. nu a putut fi livrat către bob@example.net."),
    ("bg", "Недоставено: Здравей", "Вашето съобщение до bob@example.net не можа да бъде доставено."),
    ("el", "Δεν παραδόθηκε: Γεια", "Το μήνυμά σας προς bob@example.net δεν ήταν δυνατό να παραδοθεί."),
    ("hr", "Neisporučeno: Bok", "Vaša poruka za bob@example.net nije mogla biti isporučena."),
    ("sl", "Ni dostavljeno", "Vašega sporočila ni bilo mogoče dostaviti: bob@example.net"),
    ("de", "Nachricht nicht zustellbar", "Die Nachricht an bob@example.net ist nicht zustellbar."),
    ("he", "לא נמסר: שלום", "לא ניתן למסור את ההודעה אל bob@example.net."),
    ("ar", "تعذر التسليم", "تعذر تسليم رسالتك إلى bob@example.net."),
    ("vi", "Không thể gửi", "Thư của bạn không thể gửi đến bob@example.net."),
    ("id", "Tidak terkirim", "Pesan Anda ke bob@example.net tidak dapat dikirim."),
    ("th", "ส่งไม่สำเร็จ", "ไม่สามารถส่งข้อความถึง bob@example.net ได้"),
    ("et", "Kättetoimetamata", "Teie sõnumit ei saanud kätte toimetada: bob@example.net"),
    ("lt", "Nepristatyta", "Jūsų laiško nepavyko pristatyti: bob@example.net"),
    ("lv", "Nav piegādāts", "Jūsu ziņojumu nevarēja piegādāt: bob@example.net"),
    ("of no table", "Ujumbe haujafika", "Ujumbe wako kwa bob@example.net haukufika."),
]


@pytest.mark.req("VF-02")
@pytest.mark.parametrize(("subject", "text"), [row[1:] for row in NAMED], ids=[row[0] for row in NAMED])
def test_a_mail_system_reports_in_any_language(subject: str, text: str) -> None:
    mail = read(f"{text}\n550 5.1.1 unknown\n", subject, "Return-Path: <>", sender="MAILER-DAEMON@mx.example.com")
    (failed,) = bounced(mail)
    assert (failed.address, failed.smtp_code, failed.permanent) == ("bob@example.net", 550, True)
    person = read(f"Hello,\n{text}\nWhat does it mean?\n", subject, sender="Ann <ann@example.org>")
    assert (person.kind, person.automatic) == ("message", False)


def test_a_delay_that_would_tell_of_a_failure_is_a_delay() -> None:
    text = (
        "There was a temporary problem delivering your message to bob@example.net. We will retry for 47 more hours.\n"
        "You'll be notified if the delivery fails permanently.\n"
    )
    (delayed,) = bounced(read(text, "Delivery Status Notification (Delay)", "Return-Path: <>"))
    assert (delayed.address, delayed.permanent) == ("bob@example.net", False)


TIMES = ["on 2/3/2020 10:00 AM", "am 03.02.2020 10:00", "le 03/02/2020 10:00", "el 03/02/2020 10:00", "il 03/02/2020"]


@pytest.mark.parametrize("time", TIMES)
def test_a_recipient_may_have_the_time_behind_it_in_any_language(time: str) -> None:
    text = (
        "Your message did not reach some or all of the intended recipients.\n\n"
        f"      bob@example.net {time}\n            <mx.example.net #5.1.1 smtp;550 5.1.1 unknown user>\n"
    )
    (failed,) = bounced(read(text, "Non remis : Hello", "Return-Path: <>"))
    assert (failed.address, failed.status, failed.smtp_code) == ("bob@example.net", "5.1.1", 550)


@pytest.mark.parametrize(
    ("escaped", "address"),
    [
        (r"jos\x{E9}@example.net", "josé@example.net"),
        (r"\x{1F5A8}@example.net", "\U0001f5a8@example.net"),
        (r"bo\x{7}b@example.net", r"bo\x{7}b@example.net"),
        (r"bob\x{FFFFFF}@example.net", r"bob\x{FFFFFF}@example.net"),
    ],
)
def test_an_internationalised_recipient_is_unescaped(escaped: str, address: str) -> None:
    fields = f"Reporting-MTA: dns; x\n\nFinal-Recipient: utf-8; {escaped}\nAction: failed\nStatus: 5.1.1"
    (failed,) = bounced(read(f"Failed.\n\n{fields}\n", "Undelivered mail", "Return-Path: <>"))
    assert failed.address == address


@pytest.mark.parametrize("line", LABELS)
def test_a_label_of_any_language_names_the_recipient(line: str) -> None:
    (one,) = bounced(read(f"Sorry.\n\n{line}\n550 unknown user\n", "Returned mail", "Return-Path: <>"))
    assert (one.address, one.smtp_code) == ("bob@example.net", 550)


DELAYS = [
    ("Zustellung verzögert", "Ihre Nachricht wurde noch nicht zugestellt."),
    ("Remise retardée", "Le message n'a pas pu être remis pour l'instant ; il est en file."),
    ("Demora en la entrega", "El mensaje aún no se ha entregado."),
    ("Leveransfördröjning", "Meddelandet har ännu inte levererats."),
    ("配信遅延", "メールの配信が遅れています。"),
    ("Отложенная доставка", "Сообщение ещё не доставлено, доставка задерживается."),
]


@pytest.mark.parametrize(("subject", "text"), DELAYS)
def test_a_delay_is_not_a_failure_in_any_language(subject: str, text: str) -> None:
    (one,) = bounced(read(f"{text}\n\nbob@example.net\n450 4.2.0 later\n", subject, "Return-Path: <>"))
    assert (one.address, one.action, one.permanent) == ("bob@example.net", "delayed", False)


def test_a_returned_mail_without_a_line_above_it_gives_no_recipients() -> None:
    text = (
        "Unable to deliver message to: <bob@example.net>\nServer mx.example.net failed with: 550 No such user here\n\n"
        "Received: from a by b; Mon, 3 Feb 2020 10:00:00 +0100\nMessage-ID: <1@example.com>\n"
        "From: Ann <ann@example.org>\nTo: <bob@example.net>, <dora@example.net>\n\nHello\n"
    )
    assert [one.address for one in bounced(read(text, "Message delivery has failed", "Return-Path: <>"))] == [
        "bob@example.net"
    ]


AUTOMATIC = {
    "hr": "Automatski odgovor: Pisač",
    "sr": "Аутоматски одговор: Штампач",
    "sl": "Samodejni odgovor: Tiskalnik",
    "bg": "Автоматичен отговор: Принтер",
    "lt": "Automatinis atsakymas: Spausdintuvas",
    "lv": "Automātiska atbilde: Printeris",
    "et": "Automaatvastus: Printer",
    "ca": "Resposta automàtica: Impressora",
    "he": "מענה אוטומטי: מדפסת",
    "ar": "رد تلقائي: طابعة",
    "th": "ตอบกลับอัตโนมัติ: เครื่องพิมพ์",
    "vi": "Trả lời tự động: Máy in",
    "id": "Balasan otomatis: Printer",
    "in brackets": "[Auto-Reply] Printer",
    "alone": "Yahoo! Auto Response",
}


@pytest.mark.parametrize("subject", AUTOMATIC.values(), ids=AUTOMATIC.keys())
def test_an_automatic_answer_is_known_by_its_subject_and_a_header(subject: str) -> None:
    mail = read("Back on Monday.", subject, "Auto-Submitted: auto-generated", sender="Ann <ann@example.org>")
    assert (mail.kind, mail.automatic) == ("auto-reply", True)
    assert read("Back on Monday.", subject, sender="Ann <ann@example.org>").kind == "message"


RECEIPTS = ["Gelesen: Drucker", "Read: Printer", "Lesebestätigung: Drucker", "Accusé de lecture: Imprimante"]


@pytest.mark.parametrize("subject", RECEIPTS)
def test_a_receipt_without_its_report_is_not_an_automatic_answer(subject: str) -> None:
    mail = read("Your mail was read.", subject, "Auto-Submitted: auto-replied", sender="Ann <ann@example.org>")
    assert (mail.kind, mail.automatic) == ("receipt", True)


PERSONS = [
    ("On leave: handover", "Hi, please take over my tickets."),
    ("On holiday: who stands in?", "Hello, who stands in for Bob?"),
    ("退信", "您好，我收到退信，怎么办？ bob@example.net"),
    ("退信", "您好，我给 bob@example.net 发信被退信，550 5.1.1，请帮忙。"),
    ("退信", "给 bob@example.net 发信被退信，550 5.1.1，我不知道为什么。"),
    ("Không thể gửi mail", "Xin chào, tôi không thể gửi mail cho bob@example.net. Lỗi 550 5.1.1."),
    ("Tidak dapat kirim email", "Halo, saya tidak dapat kirim email ke bob@example.net, error 550."),
    ("ไม่สามารถส่งอีเมล", "สวัสดี ไม่สามารถส่งอีเมลถึง bob@example.net 550"),
    ("Nije isporučena pošta", "Dobar dan, pošta za bob@example.net nije isporučena, 550 5.1.1."),
    ("Не доставлено", "Письмо для bob@example.net не доставлено, у меня ошибка 550 5.1.1"),
    ("Не доставлено", "Здравствуйте, посылка не доставлена. bob@example.net"),
    ("Niedostarczone", "Dzień dobry, nie dostarczono paczki. bob@example.net"),
    ("Kézbesítés nem sikerült", "Üdvözlöm, a csomag kézbesítése nem sikerült. bob@example.net"),
]


@pytest.mark.parametrize(("subject", "text"), PERSONS)
def test_a_person_who_writes_about_such_things_stays_a_person(subject: str, text: str) -> None:
    mail = read(text, subject, sender="Ann <ann@example.org>")
    assert (mail.kind, mail.automatic) == ("message", False)
