"""What of a mail is its body and what hangs on it."""

from __future__ import annotations

import pytest

from services.parser import mime
from services.parser.bounds import Bounds
from shared.contracts.errors import BoundExceeded
from shared.contracts.mail import Address, ParsedMail
from tests.services.parser import mails
from tests.services.parser.mails import HEAD, attachment, container, multipart, part, plain

TEXT = part(b"hello", b"Content-Type: text/plain")
MARKUP = part(b"<p>hello <b>you</b></p>", b"Content-Type: text/html")


def read(raw: bytes) -> ParsedMail:
    return mime.read(raw).mail


def names(mail: ParsedMail) -> list[str]:
    return [item.filename for item in mail.attachments]


def test_html_alone_becomes_text_too() -> None:
    mail = read(plain(b"<p>hello <b>you</b></p>", b"Content-Type: text/html"))
    assert (mail.text, mail.html) == ("hello you", "<p>hello <b>you</b></p>")


def test_of_alternatives_the_text_is_text_and_the_markup_is_html() -> None:
    mail = read(multipart(TEXT, MARKUP, kind=b"alternative"))
    assert (mail.text, mail.html) == ("hello", "<p>hello <b>you</b></p>")


def test_an_empty_text_alternative_gives_way_to_the_html() -> None:
    mail = read(multipart(part(b" \r\n", b"Content-Type: text/plain"), MARKUP, kind=b"alternative"))
    assert mail.text == "hello you"


def test_several_text_parts_are_one_text() -> None:
    mail = read(multipart(TEXT, part(b"footer", b"Content-Type: text/plain")))
    assert mail.text == "hello\n\nfooter\n"
    assert mail.html is None


def test_a_text_footer_behind_html_is_in_both() -> None:
    mail = read(multipart(MARKUP, part(b"foo <ter>", b"Content-Type: text/plain")))
    assert mail.text == "hello you\n\nfoo <ter>\n"
    assert mail.html == "<p>hello <b>you</b></p>\n<pre>foo &lt;ter&gt;</pre>"


def test_a_named_or_attached_text_is_a_file() -> None:
    log = part(b"log", b"Content-Type: text/plain; name=log.txt")
    attached = part(b"csv", b"Content-Type: text/plain", b"Content-Disposition: attachment")
    mail = read(multipart(TEXT, log, attached))
    assert mail.text == "hello"
    assert names(mail) == ["log.txt", "document.txt"]


def test_inline_pictures_are_known_by_their_content_id() -> None:
    picture = part(b"GIF", b"Content-Type: image/gif; name=a.gif", b"Content-ID: <a@x>")
    loose = part(b"GIF2", b"Content-Type: image/gif; name=b.gif", b"Content-ID: <b@x>")
    body = part(b"<img src='cid:a@x'>", b"Content-Type: text/html")
    mail = read(multipart(body, picture, loose, kind=b"related"))
    assert [(item.filename, item.inline, item.content_id) for item in mail.attachments] == [
        ("a.gif", True, "a@x"),
        ("b.gif", False, "b@x"),
    ]


@pytest.mark.parametrize(
    ("source", "content_id"),
    [
        ("CID:a@x", "a@x"),
        ("Cid:a@x", "a@x"),
        ("cid:a%40x", "a@x"),
        ("CID:a%40x", "a@x"),
        ("cid:image%20one@x", "image one@x"),
        ("cid:a%2Bb@x", "a+b@x"),
        ("cid:a&amp;b@x", "a&b@x"),
        ("cid:a&#64;x", "a@x"),
        ("cid:a%40x", "a%40x"),
        ("cid:gr%C3%B6%C3%9Fe@x", "größe@x"),
    ],
)
def test_a_picture_is_inline_however_html_writes_its_content_id(source: str, content_id: str) -> None:
    picture = part(b"GIF", b"Content-Type: image/gif; name=a.gif", b"Content-ID: <" + content_id.encode() + b">")
    mail = read(multipart(part(f'<img src="{source}">'.encode(), b"Content-Type: text/html"), picture, kind=b"related"))
    assert [(item.inline, item.content_id) for item in mail.attachments] == [(True, content_id)]


def test_the_root_of_related_is_where_start_says() -> None:
    picture = part(b"GIF", b"Content-Type: image/gif; name=a.gif", b"Content-ID: <a@x>")
    body = part(b"<p>body</p>", b"Content-Type: text/html", b"Content-ID: <root@x>")
    mail = read(multipart(picture, body, kind=b'related; start="<root@x>"'))
    assert mail.text == "body"


def test_an_attached_mail_is_one_attachment_and_never_the_body() -> None:
    inner = mails.multipart(part(b"secret", b"Content-Type: text/plain"), attachment(b"inner.pdf"), boundary=b"YY")
    mail = read(multipart(TEXT, part(inner, b"Content-Type: message/rfc822")))
    assert mail.text == "hello"
    assert names(mail) == ["Printer.eml"]
    assert mail.attachments[0].content_type == "message/rfc822"


def test_the_bytes_of_an_attached_mail_are_those_that_came() -> None:
    inner = HEAD + b"\r\ninner\r\n"
    reading = mime.read(multipart(part(inner, b"Content-Type: message/rfc822")))
    assert list(reading.contents.values()) == [inner]


def test_a_calendar_part_is_a_file_and_tells_the_kind() -> None:
    invitation = part(b"BEGIN:VCALENDAR\r\nEND:VCALENDAR", b"Content-Type: text/calendar; method=REQUEST")
    mail = read(multipart(TEXT, invitation, kind=b"alternative"))
    assert names(mail) == ["document.ics"]
    assert mail.text == "hello"
    assert mail.kind == "calendar"


def test_equal_contents_are_kept_once_and_listed_twice() -> None:
    reading = mime.read(multipart(attachment(b"a.bin"), attachment(b"a.bin")))
    assert names(reading.mail) == ["a.bin", "a.bin"]
    assert list(reading.contents.values()) == [b"data"]


def test_flowed_text_is_joined() -> None:
    mail = read(
        plain(b"a soft \r\nbreak\r\n> quoted \r\n> more\r\n-- \r\nme", b"Content-Type: text/plain; format=flowed")
    )
    assert mail.text == "a soft break\n> quoted more\n-- \nme"


def test_flowed_text_with_delsp_loses_the_blank() -> None:
    mail = read(plain(b"\xe6\x97 \r\n\xa5", b"Content-Type: text/plain; charset=latin-1; format=flowed; delsp=yes"))
    assert mail.text == "æ\x97¥" or mail.text == "æ—¥"


def test_uuencoded_files_in_the_text_become_attachments() -> None:
    mail = read(plain(b"see this\r\nbegin 644 cat.txt\r\n#0V%T\r\n`\r\nend\r\nbye\r\n"))
    assert names(mail) == ["cat.txt"]
    assert mail.attachments[0].size == 3
    assert "begin" not in mail.text
    assert "bye" in mail.text
    assert "inline-uuencode" in mail.defects


def test_a_sentence_that_begins_with_begin_stays_text() -> None:
    text = b"begin 644 times if you like\r\nend of story\r\n"
    mail = read(plain(text))
    assert mail.text.splitlines() == text.decode().splitlines()
    assert names(mail) == []


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        (b"x-uuencode", b"begin 644 a.txt\r\n#0V%T\r\n`\r\nend\r\n"),
        (b"x-yenc", b"=ybegin line=128 size=3 name=a.txt\r\n\x6d\x8b\x9e\r\n=yend size=3\r\n"),
        (b"base64", b"Q2F0"),
        (b"Quoted-Printable", b"C=61t"),
        (b"BASE64 (comment)", b"Q2F0"),
        (b"8bit", b"Cat"),
        (b"binary", b"Cat"),
        (b"7 bit", b"Cat"),
    ],
)
def test_transfer_encodings_are_undone(encoding: bytes, body: bytes) -> None:
    kind = (b"Content-Type: application/octet-stream; name=a", b"Content-Transfer-Encoding: " + encoding)
    reading = mime.read(multipart(part(body, *kind)))
    assert list(reading.contents.values()) == [b"Cat"]


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (b'attachment; filename="a b.txt"', "a b.txt"),
        (b"attachment; filename=a b.txt", "a b.txt"),
        (b"attachment; filename=Invoice_(1).txt; size=3", "Invoice_(1).txt"),
        (b"attachment; filename*=UTF-8''%C3%A4.txt", "ä.txt"),
        (b"attachment; filename*=iso-8859-1'de'%E4.txt", "ä.txt"),
        (b"attachment; filename*0*=utf-8''%C3; filename*1*=%A4.txt", "ä.txt"),
        (b'attachment; filename*0="a"; filename*1="b.txt"', "ab.txt"),
        (b'attachment; filename*1="b.txt"; filename*0="a"', "ab.txt"),
        (b'attachment; filename*="b.txt"', "b.txt"),
        (b'attachment; filename="=?utf-8?q?=C3=A4.txt?="', "ä.txt"),
        (b"attachment; filename==?utf-8?B?w6QudHh0?=", "ä.txt"),
        (b'attachment; filename="=?utf-8?q?=C3?= =?utf-8?q?=A4.txt?="', "ä.txt"),
        ("attachment; filename=ä.txt".encode(), "ä.txt"),
        ("attachment; filename=ä.txt".encode("latin-1"), "ä.txt"),
        ("attachment; filename=管理.doc".encode("gbk"), "管理.doc"),
        (b'attachment; filename="a\\"b.txt"', 'a"b.txt'),
        (b'attachment; filename="a.txt', "a.txt"),
        (b'attachment; filename="a.txt"; filename="b.txt"', "a.txt"),
        (b"attachment;; filename=a.txt;", "a.txt"),
        (b"ATTACHMENT; FILENAME=a.txt", "a.txt"),
        (b"attachment; name=a.txt", "a.txt"),
        (b"attachment ; filename = a.txt", "a.txt"),
        (b"attachment\r\n\t; filename=a.txt", "a.txt"),
    ],
)
def test_file_names_are_read_as_they_are_written(header: bytes, name: str) -> None:
    mail = read(multipart(part(b"x", b"Content-Type: application/x-y", b"Content-Disposition: " + header)))
    assert names(mail) == [name]


@pytest.mark.parametrize(
    ("headers", "name"),
    [
        ([b"Content-Type: image/png"], "image.png"),
        ([b"Content-Type: application/pdf"], "file.pdf"),
        ([b"Content-Type: application/x-nobody-knows"], "file.bin"),
        ([b'Content-Type: application/octet-stream; file="A.EXE"'], "A.EXE"),
        ([b"Content-Type: image/png", b"Content-ID: <logo.png@x.example>"], "logo.png"),
        ([b"Content-Type: image/png", b"Content-Location: http://x.example/pics/logo.png?x=1"], "logo.png"),
        ([b"Content-Type: application/pdf", b"Content-Description: Invoice"], "Invoice.pdf"),
        ([b"Content-Type: message/delivery-status"], "delivery-status.txt"),
    ],
)
def test_a_part_without_a_name_gets_one(headers: list[bytes], name: str) -> None:
    assert names(read(multipart(part(b"x", *headers)))) == [name]


def test_generated_names_are_counted() -> None:
    mail = read(multipart(*[part(b"%d" % number, b"Content-Type: image/png") for number in range(3)]))
    assert names(mail) == ["image.png", "image1.png", "image2.png"]


def test_a_boundary_that_is_used_twice_still_gives_every_part() -> None:
    inner = container(TEXT, attachment(b"a.bin"), boundary=b"XX")
    mail = read(multipart(inner, boundary=b"XX"))
    assert mail.text.strip() == "hello"
    assert names(mail) == ["a.bin"]


def test_garbage_between_headers_is_stepped_over() -> None:
    raw = b"From: a@b.example\r\nthis is no header\r\nSubject: x\r\nDate: Fri, 20 Nov 2026 22:00:00 +0000\r\n\r\nbody"
    mail = read(raw)
    assert (mail.subject, mail.text, mail.defects) == ("x", "body", ("garbage-in-headers",))


def test_a_body_that_follows_without_an_empty_line_is_a_body() -> None:
    mail = read(b"From: a@b.example\r\nSubject: x\r\nHello there,\r\nthis is it.\r\n\r\nbye")
    assert mail.subject == "x"
    assert mail.text == "Hello there,\nthis is it.\n\nbye"
    assert "missing-header-separator" in mail.defects


@pytest.mark.parametrize("line", [b"From someone Mon Jan  1 00:00:00 2026", b">From someone Mon Jan  1 00:00:00 2026"])
def test_an_mbox_line_is_stepped_over(line: bytes) -> None:
    mail = read(line + b"\n" + plain(b"hello"))
    assert mail.subject == "Printer"
    assert "mbox-from-line" in mail.defects


@pytest.mark.parametrize("blanks", [b" ", b"\t", b"  \t"])
def test_blanks_before_the_colon_of_the_first_field_make_no_mbox_line(blanks: bytes) -> None:
    mail = read(b"From" + blanks + b": Anna <a@b.example>\r\nSubject" + blanks + b": Printer\r\n\r\nhello")
    assert (mail.from_, mail.subject, mail.defects) == (Address("Anna", "a@b.example"), "Printer", ())


def test_every_line_end_gives_the_same_mail() -> None:
    raw = multipart(TEXT, attachment(b"a.bin"))
    forms = [raw, raw.replace(b"\r\n", b"\n"), raw.replace(b"\r\n", b"\r")]
    seen = {(mail.subject, mail.text.strip(), tuple(names(mail)), mail.from_) for mail in map(read, forms)}
    assert len(seen) == 1


def test_text_and_html_never_exceed_their_bound() -> None:
    bounds = Bounds(text=1_000)
    for body, kind in (
        (b"word " * 5_000, b"text/plain"),
        (b"<p>word</p>" * 5_000, b"text/html"),
        (b"&" * 900, b"text/html"),
    ):
        mail = mime.read(plain(body, b"Content-Type: " + kind), bounds=bounds).mail
        assert len(mail.text) <= 1_000
        assert len(mail.html or "") <= 1_000
        assert "text-cut" in mail.defects


@pytest.mark.parametrize(
    ("bounds", "raw", "name"),
    [
        (Bounds(nesting=3), mails.nested(5), "nesting"),
        (Bounds(parts=3), multipart(TEXT, TEXT, TEXT, TEXT), "parts"),
        (Bounds(headers=3), HEAD, "headers"),
        (Bounds(header_bytes=100), HEAD, "header-bytes"),
    ],
)
def test_limits_are_configured_and_named(bounds: Bounds, raw: bytes, name: str) -> None:
    with pytest.raises(BoundExceeded) as refused:
        mime.read(raw, bounds=bounds)
    assert refused.value.bound == name


def test_routing_facts_are_read() -> None:
    mail = read(
        plain(
            b"x",
            b"Return-Path: <bounce@x.example>",
            b"Auto-Submitted: auto-replied",
            b"Delivered-To: support@example.com",
            b"Authentication-Results: mx.example; dkim=pass",
            b"X-Postroom-Loop: one",
            b"X-Postroom-Loop: two",
        )
    )
    assert mail.routing.return_path == "bounce@x.example"
    assert mail.routing.auto_submitted == "auto-replied"
    assert mail.routing.delivered_to == ("support@example.com",)
    assert mail.routing.authentication_results == ("mx.example; dkim=pass",)
    assert mail.routing.loop == ("one", "two")
    assert mail.automatic


def test_a_plain_mail_is_read_whole() -> None:
    reading = mime.read(plain(b"The printer is on fire.\r\n"))
    mail = reading.mail
    assert mail.from_ is not None
    assert (mail.from_.name, mail.from_.address) == ("Anna Becker", "anna@customer.example")
    assert [person.address for person in mail.to] == ["support@example.com"]
    assert mail.date == "2026-11-20T21:00:00Z"
    assert mail.message_id == "<1@customer.example>"
    assert mail.subject == "Printer"
    assert mail.text == "The printer is on fire.\n"
    assert (mail.html, mail.attachments, mail.defects, reading.contents) == (None, (), (), {})
    assert mail.kind == "message"
    assert not mail.automatic


PICTURE = part(b"GIF", b"Content-Type: image/gif; name=a.gif", b"Content-ID: <a@x>")


@pytest.mark.parametrize(
    "raw",
    [
        multipart(TEXT, container(MARKUP, PICTURE, kind=b"related", boundary=b"YY"), kind=b"alternative"),
        multipart(container(TEXT, MARKUP, kind=b"alternative", boundary=b"YY"), PICTURE, kind=b"related"),
        multipart(container(TEXT, MARKUP, kind=b"alternative", boundary=b"YY"), PICTURE),
        multipart(TEXT, container(MARKUP, PICTURE, boundary=b"YY"), kind=b"alternative"),
        multipart(
            container(
                TEXT, container(MARKUP, PICTURE, kind=b"related", boundary=b"ZZ"), kind=b"alternative", boundary=b"YY"
            ),
        ),
    ],
    ids=[
        "related-in-alternative",
        "alternative-in-related",
        "alternative-in-mixed",
        "mixed-in-alternative",
        "three-deep",
    ],
)
def test_text_and_html_of_nested_alternatives_are_not_doubled(raw: bytes) -> None:
    mail = read(raw)
    assert (mail.text.strip(), (mail.html or "").strip()) == ("hello", "<p>hello <b>you</b></p>")
    assert names(mail) == ["a.gif"]


def test_a_text_with_a_file_name_is_the_body_when_there_is_no_other() -> None:
    alone = read(plain(b"hello", b"Content-Type: text/plain; name=body.txt"))
    assert (alone.text, names(alone)) == ("hello", [])
    attached = read(plain(b"hello", b"Content-Type: text/plain", b"Content-Disposition: attachment; filename=a.txt"))
    assert (attached.text, names(attached)) == ("", ["a.txt"])


@pytest.mark.parametrize(
    ("headers", "body", "word"),
    [
        ([b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data"], b"x", "encrypted"),
        ([b"Content-Type: application/pkcs7-mime; smime-type=signed-data"], b"x", "signed"),
        ([b"Content-Type: application/x-pkcs7-signature"], b"x", "signed"),
        ([b"Content-Type: application/pgp-encrypted"], b"Version: 1", "encrypted"),
        ([], b"-----BEGIN PGP MESSAGE-----\r\n", "encrypted"),
        ([], b"-----BEGIN PGP SIGNED MESSAGE-----\r\nhello\r\n", "signed"),
    ],
)
def test_secured_mails_say_so(headers: list[bytes], body: bytes, word: str) -> None:
    assert word in read(plain(body, *headers)).defects


@pytest.mark.parametrize(
    ("kind", "content", "text"),
    [
        (b"text/markdown", b"# Printer\r\n\r\nNo *ink*.", "# Printer\n\nNo *ink*."),
        (b"text/enriched", b"<color><param>red</param>No</color> ink, 5 <<6.", "No ink, 5 <6."),
        (b"text/rtf", rb"{\rtf1\ansi{\fonttbl{\f0 Arial;}}\f0 No \b ink\b0\par R\'fccken}", "No ink\nR\u00fccken"),
        (b"text/rtf", b"{\\*no such mark", "{\\*no such mark"),
        (b"text/richtext", b"<bold>No</bold> ink<nl>5 <lt>6", "No ink\n5 <6"),
    ],
)
def test_a_text_of_another_kind_is_the_body_when_there_is_no_other(kind: bytes, content: bytes, text: str) -> None:
    mail = mime.read(plain(content, b"Content-Type: " + kind)).mail
    assert (mail.text, mail.attachments) == (text, ())
    beside = mime.read(multipart(part(b"See below."), part(content, b"Content-Type: " + kind))).mail
    assert (beside.text, len(beside.attachments)) == ("See below.", 1)


def test_a_text_for_programs_is_never_the_body() -> None:
    mail = mime.read(plain(b"BEGIN:VCARD", b"Content-Type: text/vcard")).mail
    assert (mail.text, mail.attachments[0].filename) == ("", "document.vcf")


def test_pictures_before_the_root_of_related_parts_do_not_hide_it() -> None:
    picture = attachment(b"a.png", kind=b"image/png")
    mail = mime.read(multipart(picture, part(b"<p>Hello", b"Content-Type: text/html"), kind=b"related")).mail
    assert (mail.text, [one.filename for one in mail.attachments]) == ("Hello", ["a.png"])


def test_a_footer_that_a_list_has_put_below_base64_is_read_as_text() -> None:
    body = b"SGVsbG8gd29ybGQ=\r\n\r\n______________\r\nUsers mailing list, see https://lists.example.org\r\n"
    mail = mime.read(plain(body, b"Content-Transfer-Encoding: base64")).mail
    assert mail.text.split() == [
        "Hello",
        "world",
        "______________",
        "Users",
        "mailing",
        "list,",
        "see",
        "https://lists.example.org",
    ]
    assert mail.defects == ("broken-base64",)


def test_a_footer_below_an_encoded_file_is_not_part_of_it() -> None:
    body = b"AAEC\r\n\r\nUsers mailing list, see https://lists.example.org\r\n"
    head = (b"Content-Type: application/octet-stream", b"Content-Transfer-Encoding: base64")
    reading = mime.read(plain(body, *head))
    assert [*reading.contents.values()] == [bytes([0, 1, 2])]


def test_html_beyond_bounds_is_kept_as_text() -> None:
    fonts = b"".join(b"<font a=%d>" % number for number in range(390))
    mail = mime.read(plain(b"<p>" + fonts + b"<p>words" * 1_000, b"Content-Type: text/html")).mail
    assert mail.html is None
    assert "words" in mail.text
    assert "complex-html" in mail.defects


def test_elements_are_counted_over_all_html_of_a_mail() -> None:
    page = part(b"<p>a<br>b</p>" * 60, b"Content-Type: text/html")
    mail = mime.read(multipart(page, page, page), bounds=Bounds(html_elements=300)).mail
    assert "complex-html" in mail.defects
    assert (mail.html or "").count("<br>") == 120
    assert mail.text.count("a") == 180


def test_containers_encoded_within_each_other_are_bounded() -> None:
    head = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    with pytest.raises(BoundExceeded, match="encoded-containers"):
        mime.read(head * 40 + b"\r\n" + b"text\r\n" * 10_000)
    assert mime.read(head * 3 + b"Subject: x\r\n\r\ntext").mail.attachments


def test_many_alternatives_are_weighed_once() -> None:
    both = [part(b"%d" % number) for number in range(3)] + [part(b"<p>x</p>", b"Content-Type: text/html")] * 2
    mail = mime.read(multipart(*both, kind=b"alternative")).mail
    assert mail.text == "0\n1\n2"
    assert mail.html == "<p>x</p>"


def test_markup_of_more_elements_than_can_be_read_in_time_is_read_as_text() -> None:
    mail = read(plain(b"<p>a" * 150_000, b"Content-Type: text/html"))
    assert (mail.html, mail.text[:3]) == (None, "a a")
    assert "complex-html" in mail.defects


PLACEHOLDERS = [
    "Your mail program cannot display HTML. Please use one that can.",
    "This is an HTML email.",
    "Please view this message in an HTML-capable mail program.",
    "Diese Nachricht ist im HTML-Format.",
    "Ihr E-Mail-Programm unterstützt leider kein HTML.",
    "Votre messagerie ne prend pas en charge le HTML.",
    "Este mensaje está en formato HTML.",
    "このメールはHTML形式です。",
]


def alternatives(plain_text: str, markup: str) -> bytes:
    """A mail with a plain and an HTML alternative."""
    charset = b"; charset=utf-8"
    texts = (part(plain_text.encode(), b"Content-Type: text/plain" + charset),)
    return multipart(*texts, part(markup.encode(), b"Content-Type: text/html" + charset), kind=b"alternative")


@pytest.mark.req("PR-19")
@pytest.mark.parametrize("sentence", PLACEHOLDERS)
def test_the_html_is_read_where_the_plain_text_only_says_that_there_is_html(sentence: str) -> None:
    assert read(alternatives(sentence, "<p>The printer in room 5 is on fire.</p>")).text.strip() == (
        "The printer in room 5 is on fire."
    )


def test_a_plain_text_about_html_stays_when_the_html_says_the_same() -> None:
    sentence = "Outlook cannot display HTML since Monday."
    assert read(alternatives(sentence, f"<p>{sentence}</p><p>Advertisement</p>")).text.strip() == sentence
    assert (
        read(alternatives("The printer is on fire.", "<p>Something else</p>")).text.strip() == "The printer is on fire."
    )
