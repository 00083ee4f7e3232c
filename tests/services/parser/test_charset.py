"""Bytes to text: labels that lie, labels nobody knows, no labels at all."""

from __future__ import annotations

import encodings

import pytest

from services.parser import charset, detect
from services.parser.defects import MAX_GUESSES, Defects


@pytest.mark.parametrize(
    ("label", "codec"),
    [
        ("utf-8", "utf-8"),
        ("UTF8", "utf-8"),
        ('"utf-8"', "utf-8"),
        ("us-ascii", "cp1252"),
        ("iso-8859-1", "cp1252"),
        ("gb2312", "gb18030"),
        ("ks_c_5601-1987", "cp949"),
        ("x-sjis", "cp932"),
        ("windows-1251", "cp1251"),
        ("cp-850", "cp850"),
        ("iso-8859-8-i", "iso8859-8"),
        ("unicode-1-1-utf-7", "utf-7"),
        ("utf-8 (comment)", "utf-8"),
        ("x-foo", None),
        ("rot13", None),
        ("base64", None),
        ("idna", None),
        ("undefined", None),
        ("raw_unicode_escape", None),
        ("../../etc/passwd", None),
        ("a\0b", None),
        ("", None),
        ("x" * 10_000, None),
    ],
)
def test_labels_name_codecs_or_nothing(label: str, codec: str | None) -> None:
    assert charset.codec_name(label) == codec


@pytest.mark.parametrize(
    ("text", "codec"),
    [
        ("тест тест", "koi8_r"),
        ("Здравствуйте, заказ не доставлен", "cp1251"),
        ("Здравствуйте, заказ не доставлен", "koi8_r"),
        ("Здравствуйте, заказ не доставлен", "iso8859_5"),
        ("Καλημέρα σας, στέλνω το τιμολόγιο", "cp1253"),
        ("שלום, אני שולח את החשבונית", "cp1255"),
        ("مرحبا، أرسل لكم الفاتورة", "cp1256"),
        ("您好 订单 尚未 收到", "gb18030"),
        ("机房环境法规", "gb18030"),
        ("您好，訂單尚未收到", "big5hkscs"),
        ("本日注文した商品がまだ届いていません", "cp932"),
        ("本日注文した商品がまだ届いていません", "euc_jp"),
        ("안녕하세요 주문이 아직 도착하지 않았습니다", "cp949"),
        ("Größe ändern für Müller", "cp1252"),
        ("“quoted” text – here", "cp1252"),
        ("Déjà vu à Noël", "cp1252"),
        ("smörgåsbord på Åland", "cp1252"),
        ("ø", "cp1252"),
        ("Příliš žluťoučký kůň", "cp1250"),
        ("Zażółć gęślą jaźń", "iso8859_2"),
        ("Şikayet için başvuru yapıldı mı", "cp1254"),
    ],
)
def test_a_few_words_tell_their_charset(text: str, codec: str) -> None:
    data = text.encode(codec)
    assert data.decode(detect.codec(data), "replace") == text


@pytest.mark.parametrize(
    ("data", "label", "text", "defect"),
    [
        ("größe".encode(), "utf-8", "größe", None),
        (b"plain", None, "plain", None),
        ("größe".encode(), None, "größe", "no-charset"),
        ("größe".encode(), "iso-8859-1", "größe", "wrong-charset"),
        ("größe".encode("latin-1"), "utf-8", "größe", "wrong-charset"),
        ("größe".encode("latin-1"), "us-ascii", "größe", None),
        ("größe".encode("utf-16"), "utf-16", "größe", None),
        ("größe".encode("utf-16-le"), "utf-16", "größe", None),
        ("größe".encode("utf-16-be"), None, "größe", "no-charset"),
        ("größe".encode("utf-32"), "utf-32", "größe", None),
        (b"\xef\xbb\xbfgr", "utf-8", "gr", None),
        (b"\x1b$BF|K\\\x1b(B", "us-ascii", "日本", "wrong-charset"),
        (b"\x1b$BF|K\\\x1b(B", "utf-8", "日本", "wrong-charset"),
        (b"a\xff" + "größe und länge".encode(), "utf-8", "a\ufffdgröße und länge", "wrong-charset"),
        ("größe gr".encode() + b"\xc3", "utf-8", "größe gr\ufffd", "wrong-charset"),
        (b"\x1b$BF|K\\-!\x1b(B!", "iso-2022-jp", "日本①!", None),
        (
            "注文した商品がまだ届いていません".encode("cp932"),
            "iso-2022-jp",
            "注文した商品がまだ届いていません",
            "wrong-charset",
        ),
        (b"\x1b(I1\x1b(B", "iso-2022-jp", "ｱ", None),
        ("Káva „žádná“ – šťáva".encode("cp1250"), "iso-8859-2", "Káva „žádná“ – šťáva", "wrong-charset"),
        ("Ένα “νέο” έργο".encode("cp1253"), "iso-8859-7", "Ένα “νέο” έργο", "wrong-charset"),
        ("שלום – “עולם”".encode("cp1255"), "iso-8859-8-i", "שלום – “עולם”", "wrong-charset"),
        ("„Ačiū“ – labas".encode("cp1257"), "iso-8859-13", "„Ačiū“ – labas", "wrong-charset"),
        ("c’est “prêt”".encode("cp1252"), "iso-8859-15", "c’est “prêt”", "wrong-charset"),
        ("šťáva".encode("iso8859-2"), "iso-8859-2", "šťáva", None),
        ("5 € für Šárka".encode("iso8859-15"), "iso-8859-15", "5 € für Šárka", None),
        ("größe gr".encode() + b"\xc3", "iso-8859-15", "größe gr\ufffd", "wrong-charset"),
        ("šťáva\x85".encode("iso8859-2"), "iso-8859-2", "šťáva\x85", None),
        (b"", "utf-8", "", None),
        (b"", "x-foo", "", "unknown-charset"),
    ],
)
def test_text_is_decoded_by_what_it_is(data: bytes, label: str | None, text: str, defect: str | None) -> None:
    defects = Defects()
    assert charset.decode(data, label, defects) == text
    assert defects.words() == ((defect,) if defect else ())


def test_html_may_name_its_charset_itself() -> None:
    markup = '<meta charset="koi8-r"><p>тест</p>'.encode("koi8-r")
    assert "тест" in charset.decode(markup, None, Defects(), is_html=True)


@pytest.mark.parametrize(
    "label", ["utf-7", "utf-16", "utf-16-le", "utf-32", "utf-8", "gb18030", "hz", "iso-2022-kr", "big5", None]
)
def test_no_lone_surrogate_ever_comes_out(label: str | None) -> None:
    for data in (b"+2D8-", b"\x3f\xd8a\x00", b"\xed\xa0\x80", b"\x00\xd8\x00\x00", bytes(range(256)) * 4):
        charset.decode(data, label, Defects()).encode("utf-8")


def test_a_charset_that_nobody_has_leaves_no_trace_in_the_interpreter() -> None:
    before = len(encodings._cache)  # type: ignore[attr-defined]
    assert [charset.codec_name(f"no-such-{number}") for number in range(50)] == [None] * 50
    assert len(encodings._cache) == before  # type: ignore[attr-defined]


def test_a_charset_is_detected_in_a_bounded_number_of_texts() -> None:
    noted = Defects()
    texts = [charset.decode(b"caf\xe9", "x-invented", noted) for _ in range(MAX_GUESSES + 1)]
    assert (texts[-2], texts[-1]) == ("café", "caf\ufffd")
    assert "charset-guesses-capped" in noted
    assert charset.decode("café".encode(), "x-invented", noted) == "café"


def test_pairs_of_surrogates_in_utf_8_are_one_character() -> None:
    cesu = "\U0001f600".encode("utf-16-be")
    halves = "".join(chr(int.from_bytes(cesu[n : n + 2], "big")) for n in (0, 2)).encode("utf-8", "surrogatepass")
    for before in ("", "Grüße "):
        assert charset.decode(before.encode() + halves, "utf-8", Defects()) == f"{before}\U0001f600"
    defects = Defects()
    assert charset.decode(b"Hello world " + halves[:3], "utf-8", defects) == "Hello world \ufffd"
    assert "lone-surrogate" in defects
