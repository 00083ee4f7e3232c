"""False labels, true labels and short texts without one, in many languages."""

from __future__ import annotations

import base64

import pytest

from services.parser import charset, mime
from services.parser.defects import Defects
from tests.services.parser.mails import attachment, multipart, part

WORDS = (
    "Größe ändern", "¿Dónde está la contraseña?", "Não funciona", "Problème réseau", "Zażółć gęślą jaźń",
    "Příliš žluťoučký", "Şifre değil", "Σφάλμα εκτυπωτή", "Привет", "בעיה במדפסת", "مشكلة في الطابعة",
    "プリンタの故障", "안녕하세요", "打印机故障", "印表機故障", "für", "тест",
)  # fmt: skip
LABELS = (
    "windows-1250", "windows-1251", "windows-1252", "windows-1253", "windows-1255", "windows-1256", "koi8-r",
    "iso-8859-2", "iso-8859-5", "gb2312", "big5", "shift_jis", "euc-jp", "euc-kr", "utf-16", "iso-2022-jp", "us-ascii",
)  # fmt: skip


@pytest.mark.parametrize("label", LABELS)
@pytest.mark.parametrize("text", WORDS)
def test_valid_utf8_is_read_as_utf8_whatever_its_label(text: str, label: str) -> None:
    body = part(text.encode(), b"Content-Type: text/plain; charset=" + label.encode())
    coded = f"=?{label}?B?{base64.b64encode(text.encode()).decode()}?="
    name = attachment(f'"{coded}"'.encode())
    mail = mime.read(multipart(body, name).replace(b"Subject: Printer", f"Subject: {coded}".encode())).mail
    assert (mail.text, mail.subject, mail.attachments[0].filename) == (text, text, text)
    assert "wrong-charset" in mail.defects


@pytest.mark.parametrize(
    ("label", "texts"),
    [
        ("gb2312", "您好|密码|中文|会议通知|设置"),
        ("big5", "您好|密碼|中文|會議通知"),
        ("shift_jis", "こんにちは|エラー|会議"),
        ("euc-jp", "こんにちは|お問い合わせ|東京"),
        ("euc-kr", "안녕하세요|문의"),
        ("windows-1251", "Привет|Мышь|Ё|В"),
        ("koi8-r", "Привет|ещё"),
        ("iso-8859-2", "Łódź|Dobrý den"),
        ("windows-1253", "Καλημέρα"),
        ("windows-1255", "שלום"),
        ("windows-1256", "مرحبا"),
        ("iso-2022-jp", "会議"),
    ],
)
def test_a_true_label_is_believed(label: str, texts: str) -> None:
    for text in texts.split("|"):
        assert charset.decode(text.encode(label), label, Defects()) == text


@pytest.mark.parametrize(
    ("codec", "texts"),
    [
        ("cp1252", "¿La contraseña?|¿Qué pasó?|¡Hola!|Año nuevo|reunión|Señor Muñoz|¿Dónde está la contraseña?"),
        ("cp1252", "Não funciona|Atenção|você|São Paulo|coração|limões"),
        ("cp1252", "Déjà vu|Problème réseau|à bientôt|Où est la clé|crème brûlée|Ça marche|téléphone"),
        ("cp1252", "äöüß ok|äöüß|ÄÖÜ|öäü|Größe|Straße|für|Öl|Übergröße|perché|città|smörgåsbord|Årsmøte"),
        ("cp1250", "Hasło|Zgłoszenie|Dziękuję|Nie działa drukarka|że|Cześć|wiadomość|Proszę o pomoc"),
        ("cp1250", "Děkuji|Přihlášení|účet|Chyba tiskárny|počítač|Gyűlés|Időpont"),
        ("iso8859_2", "Hasło|Zgłoszenie|Nie działa drukarka|Děkuji|Přihlášení"),
        ("cp1254", "Yazıcı çalışmıyor|değil|Teşekkürler|Günaydın|şifremi unuttum"),
        ("cp1251", "Привет|тест|Здравствуйте|Принтер не работает|Срочно|ошибка|Вопрос"),
        ("koi8_r", "Привет|тест|Здравствуйте|Принтер не работает|Срочно|ошибка"),
        ("cp1253", "Καλημέρα|Βοήθεια|Σφάλμα εκτυπωτή"),
        ("cp1255", "עזרה"),
        ("cp1256", "مرحبا|مساعدة|مشكلة في الطابعة"),
        ("cp932", "プリンタの故障|こんにちは|エラー|お問い合わせ"),
        ("euc_jp", "プリンタの故障|こんにちは|お問い合わせ"),
        ("cp949", "안녕하세요|프린터 고장"),
        ("gb18030", "您好|打印机故障|会议通知"),
        ("big5hkscs", "您好|印表機故障|密碼|會議通知"),
    ],
)
def test_short_texts_without_a_label_are_guessed(codec: str, texts: str) -> None:
    for text in texts.split("|"):
        assert charset.guess(text.encode(codec)) == text
