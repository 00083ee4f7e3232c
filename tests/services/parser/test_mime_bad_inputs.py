"""Bad inputs, row by row: each is read with the defect that it deserves, or refused by name."""

from __future__ import annotations

import base64
from collections.abc import Callable

import pytest

from services.parser import mime
from shared.contracts.errors import BoundExceeded
from shared.contracts.mail import Address, ParsedMail
from tests.services.parser import mails
from tests.services.parser.mails import HEAD, attachment, container, multipart, part, plain

Check = Callable[[ParsedMail], bool]
TEXT = part(b"hello", b"Content-Type: text/plain")


def nothing_special(mail: ParsedMail) -> bool:
    return not mail.defects


def text_is(text: str) -> Check:
    return lambda mail: mail.text.strip() == text


def subject_is(subject: str) -> Check:
    return lambda mail: mail.subject == subject


def names_are(*names: str) -> Check:
    return lambda mail: tuple(item.filename for item in mail.attachments) == names


def html_lacks(*words: str) -> Check:
    return lambda mail: mail.html is not None and not any(word in mail.html.lower() for word in words)


def html_mail(markup: bytes) -> bytes:
    return plain(markup, b"Content-Type: text/html; charset=utf-8")


def from_line(value: bytes) -> bytes:
    return b"From: " + value + b"\r\nMessage-ID: <1@x.example>\r\n\r\nhello"


READ: list[tuple[str, bytes, str | None, Check]] = [
    (
        "01-no-boundary-parameter",
        HEAD + b"Content-Type: multipart/mixed\r\n\r\n--x\r\nContent-Type: text/plain\r\n\r\nhello\r\n--x--\r\n",
        "no-boundary",
        text_is("hello"),
    ),
    ("01-no-boundary-at-all", plain(b"hello", b"Content-Type: multipart/mixed"), "no-boundary", text_is("hello")),
    (
        "02-boundary-never-appears",
        plain(b"hello", b"Content-Type: multipart/mixed; boundary=q"),
        "boundary-not-found",
        text_is("hello"),
    ),
    (
        "03-no-close-delimiter",
        HEAD + b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nhello\r\n--x\r\n" + attachment(b"a.bin"),
        "no-close-delimiter",
        lambda mail: text_is("hello")(mail) and names_are("a.bin")(mail) and mail.attachments[0].size == 4,
    ),
    (
        "04-boundary-prefix-of-another",
        multipart(container(TEXT, attachment(b"a.bin"), boundary=b"XXX"), attachment(b"b.bin"), boundary=b"XX"),
        None,
        lambda mail: text_is("hello")(mail) and names_are("a.bin", "b.bin")(mail),
    ),
    ("05-nesting-100-deep", mails.nested(100), "deep-nesting", text_is("deep down")),
    ("09-zero-bytes", b"", "empty", lambda mail: mail.text == "" and mail.from_ is None),
    ("10-headers-only", HEAD, None, lambda mail: mail.text == "" and mail.subject == "Printer"),
    ("11-body-only", b"just some words\r\nand more\r\n", "no-headers", text_is("just some words\nand more")),
    (
        "12-message-partial",
        plain(b"From: x@y.example\r\n\r\nhalf", b'Content-Type: message/partial; id="a"; number=1; total=2'),
        "partial-message",
        lambda mail: len(mail.attachments) == 1 and mail.text == "",
    ),
    (
        "13-external-body",
        plain(
            b"Content-Type: image/gif\r\n\r\n",
            b'Content-Type: message/external-body; access-type=URL; URL="http://x.example/"',
        ),
        "external-body",
        lambda mail: mail.html is None and len(mail.attachments) == 1,
    ),
    (
        "14-delivery-status",
        multipart(
            TEXT,
            part(
                b"Reporting-MTA: dns; mx.example\r\n\r\n"
                b"Final-Recipient: rfc822; gone@customer.example\r\nAction: failed\r\nStatus: 5.1.1\r\n",
                b"Content-Type: message/delivery-status",
            ),
            kind=b"report; report-type=delivery-status",
        ),
        None,
        lambda mail: mail.kind == "bounce" and mail.bounce is not None and mail.bounce.recipients[0].status == "5.1.1",
    ),
    (
        "16-smime-encrypted",
        plain(
            b"MIAGCSqGSIb3DQEHA6CAMIACAQAxgg==",
            b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m",
            b"Content-Transfer-Encoding: base64",
        ),
        "encrypted",
        names_are("smime.p7m"),
    ),
    (
        "16-pgp-signed",
        multipart(
            TEXT,
            part(b"-----BEGIN PGP SIGNATURE-----", b"Content-Type: application/pgp-signature; name=signature.asc"),
            kind=b"signed",
        ),
        "signed",
        lambda mail: text_is("hello")(mail) and names_are("signature.asc")(mail),
    ),
    (
        "17-alternatives-differ",
        multipart(TEXT, part(b"<p>other</p>", b"Content-Type: text/html"), kind=b"alternative"),
        None,
        lambda mail: text_is("hello")(mail) and mail.html == "<p>other</p>" and nothing_special(mail),
    ),
    (
        "18-unknown-transfer-encoding",
        plain(b"hello", b"Content-Transfer-Encoding: x-rot13"),
        "unknown-transfer-encoding",
        text_is("hello"),
    ),
    (
        "19-base64-on-a-multipart-not-encoded",
        HEAD + b"Content-Transfer-Encoding: base64\r\n" + container(TEXT),
        "encoded-multipart",
        text_is("hello"),
    ),
    (
        "19-base64-on-a-multipart-encoded",
        HEAD
        + b"Content-Type: multipart/mixed; boundary=x\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + b"LS14DQoNCmhlbGxvDQotLXgtLQ0K\r\n",
        "encoded-multipart",
        text_is("hello"),
    ),
    (
        "20-two-from",
        b"From: a@b.example\r\nFrom: c@d.example\r\n\r\nx",
        "several-from",
        lambda mail: mail.from_ is None,
    ),
    ("21-no-from", b"Subject: x\r\n\r\nx", "no-from", lambda mail: mail.from_ is None),
    ("22-empty-group", from_line(b"x:;"), "bad-from", lambda mail: mail.from_ is None),
    (
        "23-message-id-with-bracket",
        b"From: a@b.example\r\nMessage-ID: <abc@[>\r\n\r\nx",
        None,
        lambda mail: mail.message_id == "<abc@[>",
    ),
    (
        "24-no-message-id",
        b"From: a@b.example\r\n\r\nx",
        None,
        lambda mail: mail.message_id is None and nothing_special(mail),
    ),
    (
        "27-date-year-too-large",
        plain(b"x").replace(b"2026", b"99999999999"),
        "bad-date",
        lambda mail: mail.date is None,
    ),
    (
        "28-date-2050",
        plain(b"x").replace(b"2026", b"2050").replace(b"Fri, ", b""),
        None,
        lambda mail: mail.date == "2050-11-20T21:00:00Z",
    ),
    (
        "28-date-1970",
        plain(b"x").replace(b"20 Nov 2026", b"1 Jan 1970"),
        None,
        lambda mail: mail.date == "1970-01-01T21:00:00Z",
    ),
    (
        "29-subject-of-5-mb",
        b"From: a@b.example\r\nSubject: " + b"a" * 5_000_000 + b"\r\n\r\nx",
        "header-truncated",
        lambda mail: len(mail.subject) == 4_000,
    ),
    (
        "31-32k-recipients",
        b"From: a@b.example\r\nTo: "
        + b",\r\n ".join(b"U%d <u%d@x.example>" % (n, n) for n in range(32_000))
        + b"\r\n\r\nx",
        "addresses-capped",
        lambda mail: len(mail.to) == 1_000,
    ),
    (
        "32-nested-comments",
        from_line(b"(" * 1_000 + b")" * 1_000 + b" a@b.example"),
        "deep-comments",
        lambda mail: mail.from_ is not None and mail.from_.address == "a@b.example",
    ),
    (
        "33-8k-parameters",
        plain(b"hello", b"Content-Type: text/plain; charset=utf-8; " + b"; ".join(b"p%d=v" % n for n in range(8_000))),
        "parameters-capped",
        text_is("hello"),
    ),
    (
        "34-bare-cr",
        plain(b"hello\r\nworld").replace(b"\r\n", b"\r"),
        "bare-cr",
        lambda mail: mail.text == "hello\nworld" and mail.subject == "Printer",
    ),
    (
        "34-bare-lf",
        plain(b"hello").replace(b"\r\n", b"\n"),
        None,
        lambda mail: text_is("hello")(mail) and nothing_special(mail),
    ),
    ("34-nul", plain(b"he\0llo"), "nul-bytes", text_is("hello")),
    ("34-nul-in-subject", b"From: a@b.example\r\nSubject: a\0b\r\n\r\nx", "nul-bytes", subject_is("ab")),
    (
        "35-encoded-line-break-in-subject",
        b"From: a@b.example\r\nSubject: =?utf-8?q?a=0D=0ABcc=3A_x=40y.example?=\r\n\r\nx",
        None,
        subject_is("a Bcc: x@y.example"),
    ),
    (
        "36-10k-references",
        b"From: a@b.example\r\nReferences: " + b"\r\n ".join(b"<%d@x>" % n for n in range(10_000)) + b"\r\n\r\nx",
        "references-capped",
        lambda mail: (
            len(mail.references) == 200 and mail.references[0] == "<0@x>" and mail.references[-1] == "<9999@x>"
        ),
    ),
    (
        "39-charset-invented",
        plain("größe".encode(), b"Content-Type: text/plain; charset=x-foo"),
        "unknown-charset",
        text_is("größe"),
    ),
    *[
        (
            f"40-charset-{name}",
            plain("größe".encode(), b"Content-Type: text/plain; charset=" + name.encode()),
            "unknown-charset",
            text_is("größe"),
        )
        for name in ("rot13", "zlib", "idna", "punycode", "undefined", "unicode_escape", "base64", "hex", "bz2", "mbcs")
    ],
    (
        "41-nul-in-charset",
        plain("größe".encode(), b"Content-Type: text/plain; charset=ut\0f-8"),
        None,
        text_is("größe"),
    ),
    ("42-utf-7", plain(b"gr+APYA3w-e", b"Content-Type: text/plain; charset=utf-7"), "utf-7", text_is("größe")),
    (
        "43-utf-8-labelled-latin-1",
        plain("größe".encode(), b"Content-Type: text/plain; charset=iso-8859-1"),
        "wrong-charset",
        text_is("größe"),
    ),
    (
        "43-latin-1-labelled-utf-8",
        plain("größe".encode("latin-1"), b"Content-Type: text/plain; charset=utf-8"),
        "wrong-charset",
        text_is("größe"),
    ),
    ("44-raw-utf-8-subject", "From: a@b.example\r\nSubject: größe\r\n\r\nx".encode(), None, subject_is("größe")),
    (
        "44-raw-latin-1-subject",
        "From: a@b.example\r\nSubject: größe\r\n\r\nx".encode("latin-1"),
        "raw-8bit-header",
        subject_is("größe"),
    ),
    (
        "44-raw-koi8-subject",
        "From: a@b.example\r\nSubject: тест тест\r\n\r\nx".encode("koi8-r"),
        "raw-8bit-header",
        subject_is("тест тест"),
    ),
    (
        "44-raw-gbk-subject",
        "From: a@b.example\r\nSubject: 整体提升企业服务水平\r\n\r\nx".encode("gbk"),
        "raw-8bit-header",
        subject_is("整体提升企业服务水平"),
    ),
    (
        "45-lone-surrogate",
        plain(b"a+2D8-b", b"Content-Type: text/plain; charset=utf-7"),
        "lone-surrogate",
        text_is("a\ufffdb"),
    ),
    (
        "45-cesu",
        plain(b"a\xed\xa0\x80b \xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4", b"Content-Type: text/plain; charset=utf-8"),
        "wrong-charset",
        text_is("a\ufffdb ääää"),
    ),
    (
        "46-bidi-and-zero-width",
        "From: a@b.example\r\nSubject: a\u202eb\u200bc\r\n\r\nx".encode(),
        None,
        subject_is("a\u202eb\u200bc"),
    ),
    (
        "47-broken-base64",
        plain(b"aGVsbG8*gd29ybGQ=", b"Content-Transfer-Encoding: base64"),
        "broken-base64",
        text_is("hello world"),
    ),
    (
        "47-base64-without-padding",
        plain(b"aGVsbG8", b"Content-Transfer-Encoding: base64"),
        "broken-base64",
        text_is("hello"),
    ),
    (
        "47-base64-cut",
        plain(b"aGVsbG8gd29ybG", b"Content-Transfer-Encoding: base64"),
        "broken-base64",
        text_is("hello worl"),
    ),
    (
        "47-base64-joined",
        plain(b"aGVsbG8=\r\nIHdvcmxk", b"Content-Transfer-Encoding: base64"),
        "broken-base64",
        text_is("hello world"),
    ),
    (
        "47-not-base64",
        plain(b"This is simply text, is it not?", b"Content-Transfer-Encoding: base64"),
        "not-base64",
        text_is("This is simply text, is it not?"),
    ),
    (
        "47-broken-quoted-printable",
        plain(
            b"a=ZZb=C3=A4=", b"Content-Type: text/plain; charset=utf-8", b"Content-Transfer-Encoding: quoted-printable"
        ),
        "broken-quoted-printable",
        text_is("a=ZZbä"),
    ),
    (
        "48-utf-16-without-bom",
        plain("hello world".encode("utf-16-le"), b"Content-Type: text/plain; charset=utf-16"),
        None,
        text_is("hello world"),
    ),
    (
        "48-utf-16-unlabelled",
        plain("hello world".encode("utf-16-be"), b"Content-Type: text/plain"),
        None,
        text_is("hello world"),
    ),
    (
        "49-rfc2231-gap",
        multipart(TEXT, attachment(b'x; filename*0="a"; filename*2="c.txt"')),
        "broken-parameter",
        names_are("ac.txt"),
    ),
    (
        "49-rfc2231-gap-alone",
        multipart(
            TEXT,
            part(
                b"x",
                b"Content-Type: application/x-y",
                b'Content-Disposition: attachment; filename*0="a"; filename*2="c.txt"',
            ),
        ),
        "broken-parameter",
        names_are("ac.txt"),
    ),
    (
        "49-rfc2231-huge-index",
        multipart(
            TEXT,
            part(
                b"x", b"Content-Type: application/x-y", b'Content-Disposition: attachment; filename*99999999999="c.txt"'
            ),
        ),
        None,
        names_are("file.bin"),
    ),
    (
        "50-gb18030",
        plain("订单编号𠀀查询".encode("gb18030"), b"Content-Type: text/plain; charset=gb18030"),
        None,
        lambda mail: text_is("订单编号𠀀查询")(mail) and nothing_special(mail),
    ),
    (
        "50-iso-2022-jp",
        plain("注文番号の確認".encode("iso-2022-jp"), b"Content-Type: text/plain; charset=iso-2022-jp"),
        None,
        lambda mail: text_is("注文番号の確認")(mail) and nothing_special(mail),
    ),
    (
        "53-nested-zip-is-not-opened",
        multipart(TEXT, attachment(b"a.zip", b"PK\3\4", b"application/zip")),
        None,
        names_are("a.zip"),
    ),
    (
        "54-text-over-the-bound",
        plain(b"abc\r\n" * 3_400_000),
        "text-cut",
        lambda mail: 1_000_000 < len(mail.text) <= 2_097_152 and mail.attachments[0].size == 17_000_000,
    ),
    (
        "55-single-line-of-20-mb",
        plain(b"a" * 20_000_000),
        "text-cut",
        lambda mail: len(mail.text) == 2_097_152 and mail.attachments[0].size == 20_000_000,
    ),
    (
        "57-html-100k-deep",
        html_mail(b"<div>" * 100_000 + b"deep"),
        "deep-html",
        lambda mail: mail.html is None and mail.text == "deep",
    ),
    (
        "58-10k-attachments",
        multipart(TEXT, *[attachment(b"a%d.bin" % n) for n in range(10_000)]),
        "attachments-capped",
        lambda mail: len(mail.attachments) == 1_000,
    ),
    (
        "59-victim-in-display-name",
        from_line(b'"ceo@victim.example" <a@b.example>'),
        None,
        lambda mail: mail.from_ is not None and mail.from_.address == "a@b.example",
    ),
    (
        "60-homoglyph-domain",
        from_line("a@\u0441orp.example".encode()),
        None,
        lambda mail: mail.from_ is not None and mail.from_.address == "a@xn--orp-3ed.example",
    ),
    (
        "61-idn-domain",
        from_line("a@B\u00fccher.example".encode()),
        None,
        lambda mail: mail.from_ is not None and mail.from_.address == "a@xn--bcher-kva.example",
    ),
    (
        "61-punycode-domain",
        from_line(b"a@XN--bcher-kva.example"),
        None,
        lambda mail: mail.from_ is not None and mail.from_.address == "a@xn--bcher-kva.example",
    ),
    (
        "63-cve-2023-27043",
        from_line(b"alice@victim.example)<bob@b.example>"),
        "ambiguous-address",
        lambda mail: mail.from_ is None,
    ),
    (
        "64-encoded-word-in-local-part",
        from_line(b"=?utf-8?q?alice?=@b.example"),
        "encoded-word-in-address",
        lambda mail: mail.from_ is not None and mail.from_.address == "=?utf-8?q?alice?=@b.example",
    ),
    (
        "66-quoted-local-part",
        from_line(b'"a b"@c.example'),
        None,
        lambda mail: mail.from_ is not None and mail.from_.address == '"a b"@c.example',
    ),
    (
        "66-over-320-characters",
        from_line(b"a" * 330 + b"@c.example"),
        "address-too-long",
        lambda mail: mail.from_ is None,
    ),
    (
        "67-sender-differs",
        from_line(b"a@b.example\r\nSender: c@d.example"),
        "sender-differs",
        lambda mail: (mail.from_, mail.sender) == (Address("", "a@b.example"), Address("", "c@d.example")),
    ),
    ("69-null-path", from_line(b"a@b.example\r\nReturn-Path: <>"), None, lambda mail: mail.routing.return_path == ""),
    ("80-dot-dot", multipart(TEXT, attachment(b'"../../etc/passwd"')), "hostile-filename", names_are("passwd")),
    ("80-absolute", multipart(TEXT, attachment(b'"/etc/passwd"')), "hostile-filename", names_are("passwd")),
    ("80-drive", multipart(TEXT, attachment(b'"C:\\temp\\a.txt"')), "hostile-filename", names_are("a.txt")),
    (
        "81-zero-width-before-name",
        multipart(TEXT, attachment('"\u200b.htaccess"'.encode())),
        "hostile-filename",
        names_are(".htaccess"),
    ),
    ("82-nul-in-name", multipart(TEXT, attachment(b'"a\0.txt"')), "nul-bytes", names_are("a.txt")),
    (
        "82-line-break-in-name",
        multipart(TEXT, attachment(b'"=?utf-8?q?a=0D=0Ab.txt?="')),
        "hostile-filename",
        names_are("ab.txt"),
    ),
    (
        "83-300-bytes",
        multipart(TEXT, attachment(b'"' + b"a" * 300 + b'.txt"')),
        "filename-truncated",
        names_are("a" * 251 + ".txt"),
    ),
    (
        "83-emoji",
        multipart(TEXT, attachment(f'"{"🖨" * 80}.txt"'.encode())),
        "filename-truncated",
        names_are("🖨" * 62 + ".txt"),
    ),
    (
        "84-same-name-fifty-times",
        multipart(TEXT, *[attachment(b"a.txt", b"%d" % n) for n in range(50)]),
        None,
        lambda mail: len(mail.attachments) == 50,
    ),
    ("85-no-name", multipart(TEXT, part(b"x", b"Content-Type: image/png")), None, names_are("image.png")),
    (
        "86-type-and-extension-disagree",
        multipart(TEXT, attachment(b"a.exe", kind=b"image/png")),
        None,
        lambda mail: mail.attachments[0].content_type == "image/png",
    ),
    ("88-reserved-name", multipart(TEXT, attachment(b"CON.txt")), "hostile-filename", names_are("_CON.txt")),
    (
        "88-right-to-left-override",
        multipart(TEXT, attachment('"a\u202efdp.exe"'.encode())),
        "hostile-filename",
        names_are("afdp.exe"),
    ),
    ("88-double-extension", multipart(TEXT, attachment(b"a.pdf.exe")), None, names_are("a.pdf.exe")),
    (
        "89-script",
        html_mail(b"<p onclick='x()'>a</p><script>x()</script><a href='javascript:x()'>b</a>"),
        None,
        html_lacks("script", "onclick", "x()"),
    ),
    (
        "90-svg-mutation",
        html_mail(b"<svg><p><style><img src=1 onerror=alert(1)></style></p></svg><math><mtext></mtext></math>"),
        None,
        html_lacks("onerror", "<svg", "<math", "<style"),
    ),
    (
        "91-loading-markup",
        html_mail(
            b"<base href='http://x.example'><meta http-equiv=refresh content=0>"
            b"<p style='background:url(http://x.example)'>a</p><a href='data:text/html,x'>b</a>"
        ),
        None,
        html_lacks("base", "meta", "url(", "data:"),
    ),
    (
        "92-remote-image",
        html_mail(
            b"<img src='http://x.example/p.gif' alt=p><img srcset='http://x.example/q.gif'>"
            b"<table background='http://x.example/r.gif'><tr><td>a</td></tr></table>"
        ),
        None,
        html_lacks("x.example"),
    ),
    (
        "93-cid-cycle",
        multipart(
            part(b"<img src='cid:a'>", b"Content-Type: text/html", b"Content-ID: <a>"),
            part(b"<img src='cid:a'>", b"Content-Type: text/html", b"Content-ID: <b>"),
            kind=b"related",
        ),
        None,
        lambda mail: mail.html is not None and len(mail.attachments) == 1,
    ),
    ("94-template-in-subject", b"From: a@b.example\r\nSubject: {{7*7}}\r\n\r\nx", None, subject_is("{{7*7}}")),
]


@pytest.mark.parametrize(("raw", "defect", "check"), [row[1:] for row in READ], ids=[f"row-{row[0]}" for row in READ])
def test_a_bad_input_is_read_and_tagged(raw: bytes, defect: str | None, check: Check) -> None:
    mail = mime.read(raw).mail
    assert defect is None or defect in mail.defects, mail.defects
    assert check(mail), mail


REFUSED: list[tuple[str, bytes, str]] = [
    ("06-nesting-1000-deep", mails.nested(1_000), "nesting"),
    ("07-attached-mails-1000-deep", mails.forwarded(1_000), "nesting"),
    ("08-100k-parts", multipart(*[TEXT] * 100_000), "parts"),
    ("30-100k-headers", b"".join(b"X-%d: v\r\n" % n for n in range(100_000)) + b"\r\nx", "headers"),
]


@pytest.mark.parametrize(("raw", "bound"), [row[1:] for row in REFUSED], ids=[f"row-{row[0]}" for row in REFUSED])
def test_a_mail_beyond_a_limit_is_refused_by_the_name_of_the_limit(raw: bytes, bound: str) -> None:
    with pytest.raises(BoundExceeded) as refused:
        mime.read(raw)
    assert refused.value.bound == bound


def test_row_15_winmail_is_opened() -> None:
    from tests.services.parser.test_tnef import winmail

    data = winmail(files=[("plan.txt", b"the plan")])
    mail = mime.read(multipart(TEXT, attachment(b"winmail.dat", data, b"application/ms-tnef"))).mail
    assert [(item.filename, item.size) for item in mail.attachments] == [("plan.txt", 8)]
    assert "winmail" in mail.defects


def test_a_winmail_without_files_whose_type_says_text_is_read() -> None:
    from tests.services.parser.test_tnef import winmail

    data = base64.encodebytes(winmail(files=[]))
    named = part(data, b"Content-Type: text/plain; name=winmail.dat", b"Content-Transfer-Encoding: base64")
    assert mime.read(multipart(named)).mail.attachments == ()
