"""Mails that grow in their headers or in what is looked for in their text: one construction for each kind of work."""

from __future__ import annotations

from collections.abc import Callable

_START = b"From: Ann Brown <ann@example.com>\r\nSubject: Re: printer\r\nMIME-Version: 1.0\r\n"
_REPORT = (
    b"From: MAILER-DAEMON@example.com\r\nReturn-Path: <>\r\nSubject: Undelivered Mail Returned to Sender\r\n"
    b"To: support@example.net\r\nAuto-Submitted: auto-replied\r\n"
)

Construction = Callable[[int], bytes]


def _filled(unit: bytes, size: int) -> bytes:
    return unit * (size // len(unit) + 1)


def _numbered(unit: bytes, size: int) -> bytes:
    """`unit` with `%d` counted up, until the size is reached."""
    return b"".join(unit % number for number in range(size // (len(unit) + 3) + 1))


def _with_field(name: bytes, unit: bytes, *, before: bytes = b"", after: bytes = b"") -> Construction:
    return lambda size: (
        _START
        + b"%s: %s" % (name, before)
        + _filled(unit, size)
        + after
        + b"\r\nDate: Fri, 1 Jan 2021 10:00:00 +0000\r\n\r\nHello\r\n"
    )


def _with_fields(unit: bytes, *, start: bytes = _START, after: bytes = b"") -> Construction:
    """Many lines, but not more than are read: they are padded with blanks. `%d` in the unit counts them."""
    return lambda size: start + _lines(unit, size) + after + b"\r\nHello\r\n"


def _lines(unit: bytes, size: int) -> bytes:
    width = len(unit) + 4 * unit.count(b"%d")
    number = min(size // width, 18_000 // unit.count(b"\n"))
    padded = unit.removesuffix(b"\r\n") + b" " * (size // number - width) + b"\r\n"
    return b"".join(padded % ((n,) * padded.count(b"%d")) for n in range(number)) if b"%d" in unit else padded * number


def _with_text(unit: bytes, *, before: bytes = b"", after: bytes = b"", charset: bytes = b"utf-8") -> Construction:
    return lambda size: (
        _START
        + b"In-Reply-To: <1@example.com>\r\nContent-Type: text/plain; charset="
        + charset
        + b"\r\n\r\n"
        + before
        + (_numbered(unit, size) if b"%d" in unit else _filled(unit, size))
        + after
    )


def _forward(unit: bytes, *, before: bytes = b"") -> Construction:
    return lambda size: b"From: a@example.com\r\nSubject: Fwd: x\r\n\r\n" + before + _filled(unit, size)


def _report(unit: bytes, *, before: bytes = b"") -> Construction:
    return lambda size: _REPORT + b"\r\n" + before + (_numbered(unit, size) if b"%d" in unit else _filled(unit, size))


def _status_part(unit: bytes, type_: bytes = b"message/delivery-status") -> Construction:
    def built(size: int) -> bytes:
        return (
            _REPORT + b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
            b"--b\r\n\r\nCould not be delivered\r\n--b\r\nContent-Type: "
            + type_
            + b"\r\n\r\n"
            + (_numbered(unit, size) if b"%d" in unit else _filled(unit, size))
            + b"\r\n--b--\r\n"
        )

    return built


def _parameters(pieces: Callable[[int], bytes]) -> Construction:
    def built(size: int) -> bytes:
        joined = b"".join(pieces(number) for number in range(size // len(pieces(size // 10)) + 1))
        return _START + b"Content-Type: text/plain" + joined + b"\r\n\r\nHello\r\n"

    return built


def _words_in(charset: bytes, coded: bytes) -> Construction:
    return _with_field(b"To", b"=?%s?B?%s?= " % (charset, coded))


CONSTRUCTIONS: dict[str, Construction] = {
    "colons-in-to": _with_field(b"To", b":"),
    "named-colons-in-to": _with_field(b"To", b"a:"),
    "groups-in-to": _with_field(b"To", b"a:b@c.d;"),
    "words-in-to": _with_field(b"To", b"a "),
    "words-and-commas-in-to": _with_field(b"To", b"a,"),
    "words-before-an-address": _with_field(b"To", b"a,", after=b"b <c@d.e>"),
    "semicolons-in-to": _with_field(b"To", b";"),
    "open-parentheses-in-to": _with_field(b"To", b"("),
    "open-parentheses-with-at": _with_field(b"To", b"a@b.c (", after=b"@"),
    "closed-comments-in-to": _with_field(b"To", b"(a)"),
    "nested-comments-in-to": lambda size: _with_field(b"To", b"(", after=b")" * (size // 2))(size // 2),
    "closing-parentheses-in-to": _with_field(b"To", b")"),
    "closing-brackets-behind-an-address": _with_field(b"To", b"> ", before=b"a@b.c "),
    "quotes-in-to": _with_field(b"To", b'"'),
    "unclosed-quote-in-to": _with_field(b"To", b'"a" ', after=b'"'),
    "empty-quotes-and-at": _with_field(b"To", b'""@', after=b""),
    "escaped-quotes-in-to": _with_field(b"To", b'\\"', before=b'"'),
    "backslashes-in-to": _with_field(b"To", b"\\"),
    "open-angles-in-to": _with_field(b"To", b"<"),
    "open-angles-with-words": _with_field(b"To", b"<a"),
    "open-angles-with-quotes": _with_field(b"To", b'<"'),
    "angles-and-quotes": _with_field(b"To", b'<a"b'),
    "closing-angles-in-to": _with_field(b"To", b">"),
    "empty-angles-in-to": _with_field(b"To", b"<>"),
    "many-angles-in-one-member": _with_field(b"To", b"<a@b.c> "),
    "brackets-in-to": _with_field(b"To", b"["),
    "domain-literals-in-to": _with_field(b"To", b"a@[1.2.3.4],"),
    "routes-in-to": _with_field(b"To", b"@a,", before=b"<", after=b":b@c.d>"),
    "ats-in-to": _with_field(b"To", b"@"),
    "members-at-in-to": _with_field(b"To", b"a@b "),
    "mailto-in-to": _with_field(b"To", b"mailto:"),
    "blanks-in-to": _with_field(b"To", b" ", before=b"a", after=b"b"),
    "tabs-in-from": lambda size: b"From: a" + _filled(b"\t", size) + b"<a@b.c>\r\n\r\nHello",
    "names-of-65-in-from": lambda size: b"From: " + _filled(b'"a" ', size) + b"<a@b.c>\r\n\r\nHello",
    "short-froms": _with_fields(b"From: a b c d <a@b.c\r\n"),
    "long-tos": lambda size: _START + (b"To: " + b"a " * 30_000 + b"\r\n") * (size // 60_000 + 1) + b"\r\nHello",
    "tos-without-address": _with_fields(b"To: x\r\n"),
    "tos-of-one-address": _with_fields(b"To: a%d@example.com\r\n"),
    "tos-of-one-irregular-address": _with_fields(b"Cc: <<a%d@example.com>\r\n"),
    "addresses-in-to": lambda size: _START + b"To: " + _numbered(b"a%d@example.com, ", size) + b"\r\n\r\nHello",
    "broken-words-in-to": _with_field(b"To", b"=?utf-8?Q?a "),
    "words-of-no-base64-in-to": _with_field(b"To", b"=?utf-8?B?!!?"),
    "openings-of-words-in-to": _with_field(b"To", b"=?"),
    "openings-of-words-with-a-question-mark": _with_field(b"To", b"=?a?"),
    "words-without-end-in-to": _with_field(b"To", b"=?a?b?!"),
    "words-in-subject": _with_field(b"X-Subject", b"=?utf-8?Q?a?= "),
    "words-in-many-charsets": lambda size: (
        _START + b"To: " + _numbered(b"=?x-%d?Q?a?= ", size) + b" <a@b.c>\r\n\r\nHello"
    ),
    "words-in-utf-7": _words_in(b"utf-7", b"K0FHRS0="),
    "words-in-iso-2022": _words_in(b"iso-2022-jp", b"GyRCJCQ="),
    "words-in-hz": _words_in(b"hz-gb-2312", b"fntWUA=="),
    "words-in-iso-2022-kr": _words_in(b"iso-2022-kr", b"GyQpQw4="),
    "words-in-utf-16": _words_in(b"utf-16", b"3AA="),
    "words-and-words": _with_field(b"To", b"=?utf-8?Q?a?=, =?big5?Q?=a4?= "),
    "words-in-authentication-results": lambda size: (
        _START + (b"Authentication-Results: " + b"=?a?b?!" * 9_000 + b"\r\n") * (size // 63_000 + 1) + b"\r\nHello"
    ),
    "words-in-delivered-to": _with_fields(b"Delivered-To: =?a?b?!=?a?b?!\r\n"),
    "words-in-failed-recipients": lambda size: (
        _REPORT + (b"X-Failed-Recipients: " + b"=?a?b?!" * 9_000 + b"\r\n") * (size // 63_000 + 1) + b"\r\nHello"
    ),
    "failed-recipients": lambda size: (
        _REPORT + _numbered(b"X-Failed-Recipients: a%d@example.com\r\n", size)[:size] + b"\r\nHello"
    ),
    "pairs-of-garbage-and-fields": _with_fields(b"garbage\r\nX-Known: 1\r\n"),
    "garbage-before-few-fields": _with_fields(b"garbage\r\n" * 11 + b"To: 1\r\n"),
    "garbage-and-unknown-names": _with_fields(b"garbage\r\nUnknown-%d: 1\r\n"),
    "long-garbage-with-colon": lambda size: (
        _START + (b"gar bage" + b"x" * (size // 150) + b":\r\nTo: 1\r\n") * 150 + b"\r\nx"
    ),
    "lines-without-colon": _with_fields(b"garbage\r\n"),
    "garbage-and-from": _with_fields(b"garbage\r\nFrom: a\r\n"),
    "mbox-lines-between-fields": _with_fields(b"From a@b.c\r\n"),
    "mbox-lines-first": lambda size: _filled(b"From a@b.c Fri\r\n", size) + b"Subject: x\r\n\r\nHello",
    "names-with-blanks": _with_fields(b"Na me: x\r\n"),
    "blanks-before-colon": lambda size: _START + b"To" + _filled(b" ", size) + b": a@b.c\r\n\r\nHello",
    "long-name-without-colon": lambda size: _START + _filled(b"a", size) + b"\r\nTo: a@b.c\r\n\r\nHello",
    "long-line-of-colons": lambda size: _START + _filled(b":", size) + b"\r\nTo: a@b.c\r\n\r\nHello",
    "folded-lines": lambda size: _START + b"To: " + _filled(b"\r\n ", size) + b"\r\n\r\nHello",
    "folded-words": lambda size: _START + b"Subject: " + _filled(b"\r\n a", size) + b"\r\n\r\nHello",
    "folds-of-bare-lf": lambda size: _START + b"X: " + _filled(b"\n\t", size) + b"\r\n\r\nHello",
    "folds-then-garbage": lambda size: _START + b"X: " + _filled(b"\n\t", size) + b"\ngarbage",
    "carriage-returns-in-headers": lambda size: _START + b"X: " + _filled(b"\r", size) + b"\n\nHello\n" * 3,
    "carriage-returns-and-fields": lambda size: _START + _filled(b"\rX: a", size) + b"\n\nHello\n" * 3,
    "carriage-returns-and-more": lambda size: _START + _filled(b"\r\r\rx\n ", size) + b"\n\nHello",
    "nul-in-subject": _with_field(b"Thread-Topic", b"\x00"),
    "control-characters-in-subject": lambda size: b"Subject: " + _filled(b"a\x01", size) + b"\r\n\r\nHello",
    "8-bit-subject": lambda size: b"Subject: " + _filled(b"\xe4", size) + b"\r\n\r\nHello",
    "8-bit-names": _with_fields(b"X-\xe4: a\r\n"),
    "8-bit-fields": _with_fields(b"X-Field: \xe4\xf6 a\r\n"),
    "escapes-in-fields": _with_fields(b"X-Field: \x1b$B\xe4\r\n"),
    "escapes-in-subject": lambda size: b"Subject: " + _filled(b"\x1b$B", size) + b"\r\n\r\nHello",
    "escapes-in-from": lambda size: b"From: \xe4" + _filled(b"\x1b$B!!", size) + b"\r\n\r\nHello",
    "received-fields": _with_fields(b"Received: from a by b; Fri, 1 Jan 2021 10:00:00 +0000\r\n"),
    "few-long-received": lambda size: (
        _START + (b"Received: " + b"(" * 99_000 + b"\r\n") * (size // 99_000 + 1) + b"\r\nx"
    ),
    "message-ids": _with_fields(b"Message-ID: <%d@example.com>\r\n"),
    "message-ids-that-are-none": _with_fields(b"Message-ID:\r\n"),
    "message-id-of-open-angles": _with_field(b"Message-ID", b"<"),
    "message-id-of-open-words": _with_field(b"Message-ID", b"<a"),
    "message-id-of-closed-angles": _with_field(b"Message-ID", b"<>"),
    "message-id-of-blanks": _with_field(b"Message-ID", b"< >"),
    "message-ids-of-empty-angles": lambda size: (
        _START + (b"Message-ID: " + b"<>" * 9_000 + b"\r\n") * (size // 18_000 + 1) + b"\r\nx"
    ),
    "references": lambda size: _START + b"References: " + _numbered(b"<%d@example.com>\r\n ", size) + b"\r\n\r\nHello",
    "broken-references": _with_field(b"References", b"<a@b "),
    "references-without-brackets": _with_field(b"References", b"a@b "),
    "references-8-bit": _with_field(b"References", b"<\xe4@b> "),
    "references-fields": _with_fields(b"References: <%d@example.com>\r\n"),
    "in-reply-to-of-angles": _with_field(b"In-Reply-To", b"<" * 1999 + b" "),
    "content-types": _with_fields(b"Content-Type: text/plain; a%d=b\r\n"),
    "dates": _with_fields(b"Date: Fri, 1 Jan 2021 10:00:00 +0000\r\n"),
    "comments-in-date": _with_field(b"Date", b"("),
    "digits-in-date": lambda size: b"Date: " + _filled(b"1", size) + b"\r\n\r\nHello",
    "signatures": _with_fields(b"DKIM-Signature: v=1; a=rsa-sha256; d=b%d.c; b=abc\r\n"),
    "authentication-results": _with_fields(b"Authentication-Results: a; dkim=pass header.d=b%d.c\r\n"),
    "return-path-of-angles": _with_field(b"Return-Path", b"<"),
    "auto-submitted": _with_field(b"Auto-Submitted", b"a "),
    "subject-of-replies": lambda size: b"Subject: " + _filled(b"Re: ", size) + b"\r\n\r\nHello",
    "sender-of-noreply": lambda size: b"From: " + _filled(b"no-re ", size) + b"<a@b.c>\r\n\r\nHello",
    "continued-parameters-of-one-name": _parameters(lambda n: b"; name*%d=a" % n),
    "continued-encoded-parameters": _parameters(lambda n: b"; name*%d*=%%41" % n),
    "continued-parameters-backwards": _parameters(lambda n: b"; name*%d*=%%e4" % (9_999 - n % 9_999)),
    "parameters": _parameters(lambda n: b"; a%d=b" % n),
    "parameters-of-one-name": _parameters(lambda _: b"; a=b"),
    "parameters-with-quotes": _parameters(lambda _: b'; a="'),
    "parameters-with-escapes": _parameters(lambda _: b'; a="\\'),
    "parameters-without-equals": _parameters(lambda _: b"; a"),
    "parameters-of-words": _parameters(lambda _: b"; name==?a?b?!"),
    "long-parameter-name": _parameters(lambda _: b"a"),
    "blanks-in-content-type": _parameters(lambda _: b" "),
    "slashes-in-content-type": _parameters(lambda _: b"/"),
    "percents-in-name": _with_field(b"Content-Disposition", b"%41", before=b"attachment; filename*=utf-8''"),
    "broken-percents-in-name": _with_field(b"Content-Disposition", b"%", before=b"attachment; filename*=utf-8''"),
    "quotes-in-extended-name": _with_field(b"Content-Disposition", b"'", before=b"attachment; filename*="),
    "dots-in-name": _with_field(b"Content-Disposition", b". ", before=b'attachment; filename="a', after=b'x"'),
    "slashes-in-name": _with_field(b"Content-Disposition", b"/ ", before=b'attachment; filename="'),
    "location-of-slashes": _with_field(b"Content-Location", b"/"),
    "no-headers-one-line": lambda size: _filled(b"a", size),
    "blank-lines": lambda size: _filled(b"\r\n", size),
    "blank-lines-of-cr": lambda size: b"\n" + _filled(b"\r", size) + b"\n",
    "byte-order-marks": lambda size: _filled(b"\xef\xbb\xbf", size),
    "carriage-returns-far-in": lambda size: _START + b"X-A: b\n" * 400 + b"X: " + _filled(b"\r", size) + b"x\n\nHello",
    "carriage-returns-before-folds": lambda size: (
        _START + b"X-A: b\n" * 400 + b"X: " + _filled(b"\r\r\r\n ", size) + b"x\n\nHi"
    ),
    "8-bit-fields-of-many-charsets": _with_fields(b"X-Field: \xe4\xa4 a\r\nX-Other: \xff\xff\x81 \x30\xe0\r\n"),
    "words-of-unknown-charset": _with_field(b"Subject", b"=?x?Q?=e4?= =?y?Q?=e4?= "),
    "words-of-false-charset": _with_field(b"Reply-To", b"=?utf-8?Q?=e4?= =?x?Q?=e4?= <a@b>, "),
    "words-in-all-fields": lambda size: (
        b"".join(
            name + b": " + _filled(b"=?x?Q?=e4?= =?y?Q?=e4?= <a@b>, ", size // 25) + b"\r\n"
            for name in (
                b"From",
                b"Sender",
                b"Reply-To",
                b"To",
                b"Cc",
                b"Subject",
                b"Date",
                b"Message-ID",
                b"References",
                b"In-Reply-To",
                b"Delivered-To",
                b"Authentication-Results",
                b"Return-Path",
                b"Auto-Submitted",
                b"Precedence",
                b"X-Auto-Response-Suppress",
                b"X-Failed-Recipients",
                b"X-Mailer",
                b"List-Id",
                b"X-Autoreply",
                b"X-Apple-Action",
                b"Content-Type",
                b"Content-Disposition",
                b"Content-Transfer-Encoding",
                b"Content-ID",
            )
        )
        + b"\r\nHello"
    ),
    "idna-domains": lambda size: (
        _START + b"To: " + _numbered("a%d@b\u00fc\u00fc\u00fc\u00fc.example, ".encode(), size) + b"\r\n\r\nHi"
    ),
    "bad-idna-domains": lambda size: (
        _START + b"To: " + _numbered("a@\u0627%d\u0301.example, ".encode(), size) + b"\r\n\r\nHi"
    ),
    "combining-characters-in-name": _with_field(
        b"Content-Disposition", b"%CC%95%CC%80", before=b"attachment; filename*=utf-8''a"
    ),
    "combining-characters-in-subject": _with_field(b"X", "\u0315\u0300".encode(), before=b"a"),
    "plain-to-of-blanks": _with_fields(b"To: a" + b" " * 90 + b"b@\r\n"),
    "plain-to-of-dots": _with_fields(b"To: " + b"a." * 45 + b"\r\n"),
    "long-froms-of-words": lambda size: (
        b"From: " + b"a " * 2_000 + b"<a@b.c>\r\nX: " + _filled(b"a", size) + b"\r\n\r\nHi"
    ),
    "content-types-of-parts": lambda size: (
        _START
        + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        + (b"--b\r\nContent-Type: text/plain" + b"; a" * 20_000 + b"\r\n\r\nx\r\n") * (size // 60_000 + 1)
        + b"--b--"
    ),
    "names-of-parts": lambda size: (
        _START
        + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        + (b"--b\r\nContent-Disposition: attachment; filename*=utf-8''a" + b"%CC%95%CC%80" * 5_000 + b"\r\n\r\nx\r\n")
        * (size // 60_000 + 1)
        + b"--b--"
    ),
    "8-bit-parts": lambda size: (
        _START
        + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        + _filled(b"--b\r\n\r\nf\xfcr \xe4" + b"x" * 90 + b"\r\n", size)
        + b"--b--"
    ),
    "invitations": lambda size: (
        _START
        + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        + _filled(b"--b\r\nContent-Type: text/calendar\r\n\r\nMETHOD" + b"\n" * 90 + b"\r\n", size)
        + b"--b--"
    ),
    # Text that is searched for quotations, signatures and notices.
    "one-line": _with_text(b"a"),
    "one-line-of-words": _with_text(b"abc "),
    "one-line-of-links": _with_text(b"http://"),
    "one-line-of-ats": _with_text(b"a@"),
    "one-line-of-blanks": _with_text(b" ", before=b"a", after=b"b"),
    "lines-of-blanks": _with_text(b" " * 1_000 + b"x\r\n"),
    "one-line-8-bit": _with_text(b"\xe4"),
    "one-line-of-pairs": _with_text(b"\xa4\xa4"),
    "utf-16-without-mark": _with_text(b"\x00a"),
    "utf-7": _with_text(b"+AGE-", charset=b"utf-7"),
    "utf-7-unclosed": _with_text(b"+AGE", charset=b"utf-7"),
    "utf-7-halves": _with_text(b"+2AA- ", charset=b"utf-7"),
    "iso-2022-jp": _with_text(b"\x1b$B$$\x1b(B", charset=b"iso-2022-jp"),
    "iso-2022-jp-broken": _with_text(b"\x1b$B", charset=b"iso-2022-jp", after=b"\x1b$B\x7f"),
    "iso-2022-jp-unlabelled": _with_text(b"\x1b$B\x2d\x21\x1b(B", charset=b"x"),
    "iso-2022-kr": _with_text(b"\x0e\x21\x0f", charset=b"iso-2022-kr"),
    "hz": _with_text(b"~{VP~}", charset=b"hz-gb-2312"),
    "hz-broken": _with_text(b"~{\x01", charset=b"hz-gb-2312"),
    "big5-broken": _with_text(b"\xa4", charset=b"big5", after=b"\x00"),
    "gb18030-broken": _with_text(b"\x81\x30", charset=b"gb18030"),
    "utf-8-broken": _with_text(b"\xc3", charset=b"utf-8"),
    "euc-jp-broken": _with_text(b"\x8f", charset=b"euc-jp"),
    "ascii-8-bit": _with_text(b"\x81", charset=b"us-ascii"),
    "unknown-charset-8-bit": _with_text(b"word \xe9t\xe9 ", charset=b"x-invented"),
    "empty-lines": _with_text(b"\r\n", before=b"a", after=b"b"),
    "bare-carriage-returns": _with_text(b"a\r"),
    "nul-text": _with_text(b"\x00"),
    "vertical-tabs": _with_text(b"a\x0b\x0c\x1c"),
    "quote-marks": _with_text(b">\n"),
    "deep-quote-marks": _with_text(b"> "),
    "lines-of-deep-quote-marks": _with_text(b"> " * 200 + b"\n"),
    "quoted-long-lines": _with_text(b"> " + b"a" * 70 + b"\nb\n"),
    "bars": _with_text(b"|\n", before=b"On 1.1.2021 10:00, a@b.c wrote:\n"),
    "attributions": _with_text(b"On 1.1.2021 10:00, Ann <a@b.c> wrote:\n"),
    "attributions-quoted": _with_text(b"On 1.1.2021 10:00, Ann <a@b.c> wrote:\n> a\nb\n"),
    "attributions-of-nobody": _with_text(b"wrote:\n"),
    "attributions-and-bars": _with_text(b"On 1.1.2021 10:00, Ann <a@b.c> wrote:\n| a\n"),
    "attributions-and-blank-lines": _with_text(b"On 1.1.2021 10:00, Ann <a@b.c> wrote:\n|\n\n\n"),
    "long-attribution": _with_text(b"On ", after=b" wrote:"),
    "colons-in-text": _with_text(b":"),
    "lines-of-colons": _with_text(b":\n"),
    "numbers-with-colons": _with_text(b"1:\n"),
    "dashes": _with_text(b"-"),
    "lines-of-dashes": _with_text(b"-----\n"),
    "dashes-and-blanks": _with_text(b"- "),
    "original-messages": _with_text(b"-----Original Message-----\n"),
    "openings-of-original-messages": _with_text(b"-----Original\n"),
    "forwarded-messages": _with_text(b"> ---- Forwarded \n"),
    "forwarded-lines": _forward(b"From: a\n"),
    "forwarded-blocks": _forward(b"From: a\nTo: b\nCc: c\n"),
    "forwarded-long-line": _forward(b"From: ", before=b""),
    "header-blocks": _with_text(b"From: a@b.c\nSent: x\nTo: y\n\n"),
    "sent-fields": _with_text(b"Sent: x\n"),
    "to-fields-and-blank-lines": _with_text(b"To:\n\n\n"),
    "fields-below-blank-lines": _with_text(b"\n\n\n\n\n\n\n\n\n\n" * 3 + b"From: a\nTo: b\n"),
    "header-blocks-below-blank-lines": lambda size: _with_text(
        b"Subject: x\nFrom: a\nTo: b\n", before=b"\n" * (size // 2)
    )(size // 2),
    "quoted-and-own-lines": _with_text(b"> a\nb\n"),
    "quoted-and-own-paragraphs": _with_text(b"> a\n\nthis email\n\n"),
    "short-own-lines": _with_text(b"abcd\n"),
    "short-own-paragraphs": _with_text(b"\nab\n"),
    "long-lines-with-colons": _with_text(b"a" * 148 + b":\n"),
    "long-lines-with-at": _with_text(b"a" * 70 + b"@ " + b"a" * 70 + b" 1.1.2021:\n"),
    "long-lines-of-ideographs": _with_text("\u5199".encode() * 148 + b":\n"),
    "long-lines-of-dates": _with_text(b"on 1 " * 29 + b"10:00 a@b:\n"),
    "long-lines-of-verbs": _with_text(b"wrote 1.1.2021 10:00 a@b " * 5 + b":\n"),
    "long-lines-of-persons": _with_text(b"i wrote " * 18 + b":\n"),
    "long-lines-of-names": _with_text(b"<a@b.c> " * 18 + b" 1.1.2021 10:00:\n"),
    "forwarded-and-dashes": _with_text(b"forwarded" + b"-" * 100 + b"x-:\n"),
    "forwarded-of-blanks": _with_text(b"- forwarded" + b" " * 100 + b"x:\n"),
    "original-of-dashes": _with_text(b"-" * 40 + b"original" + b"-" * 60 + b"\n"),
    "rules-above-fields": _with_text(b"-" * 60 + b"\nFrom: a\nTo: b\n"),
    "rules-of-blanks": _with_text(b"- " * 90 + b"x\n\nSubject: x\nFrom: a\nTo: b\n"),
    "quoted-blocks": _with_text(b"> Subject: x\n> From: a\n> To: b\n"),
    "reply-above": _with_text("r\u00e9pondez x au".encode() * 12 + b":\n"),
    "groupwise": _with_text(b">>> Ann a@b.c 2/3/2020 10:00 AM >>>\n"),
    "signature-marks": _with_text(b"-- \n"),
    "signature-marks-and-quotes": _with_text(b"-- \n> a\n"),
    "phone-lines": _with_text(b"Sent from my iPhone\n"),
    "phone-openings": _with_text(b"sent via "),
    "phone-long-lines": _with_text(b"sent from " + b"a " * 74 + b"\n"),
    "notices": _with_text(b"\nthis email \n"),
    "notices-long": _with_text(b"\n" + b"this email " * 30 + b"\n"),
    "pgp": _with_text(b"-----BEGIN PGP MESSAGE-----\n"),
    "begin-lines": _with_text(b"begin 644 a\n"),
    "flowed": lambda size: _START + b"Content-Type: text/plain; format=flowed\r\n\r\n" + _filled(b"a \n", size),
    "flowed-quotes-in-lines": lambda size: (
        _START + b"Content-Type: text/plain; format=flowed\r\n\r\n" + _filled(b">" * 500 + b"\n", size)
    ),
    "direction-marks": _with_text("\u200e\u202a".encode()),
    "direction-marks-in-lines": _with_text("\u200ea\n".encode()),
    "field-lines": _with_text(b"Field: value\n"),
    "html-quotation": lambda size: (
        _START
        + b"In-Reply-To: <1@b>\r\nContent-Type: text/html\r\n\r\n<div class=gmail_quote>"
        + _filled(b"<style ", size)
    ),
    "html-classes": lambda size: (
        _START + b"In-Reply-To: <1@b>\r\nContent-Type: text/html\r\n\r\n" + _filled(b"<div class=x>a</div>", size)
    ),
    "html-long-classes": lambda size: (
        _START
        + b"In-Reply-To: <1@b>\r\nContent-Type: text/html\r\n\r\n"
        + _filled(b"<hr " + b"class=" * 90 + b">", size)
    ),
    "html-needle-in-lines": lambda size: (
        _START + b"In-Reply-To: <1@b>\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n"
        b"--b\r\n\r\n"
        + _filled(b"a\n", size)
        + b"\r\n--b\r\nContent-Type: text/html\r\n\r\n<div class=gmail_quote>"
        + b"a" * 60
        + b"b</div>\r\n--b--\r\n"
    ),
    "html-long-reference": lambda size: (
        _START
        + b"In-Reply-To: <1@b>\r\nContent-Type: text/html\r\n\r\n<div class=gmail_quote>&#"
        + _filled(b"1", size)
        + b"</div>"
    ),
    "html-names-outside-classes": lambda size: (
        _START
        + b"In-Reply-To: <1@b>\r\nContent-Type: text/html\r\n\r\n"
        + _filled(b"<hr " + b"class=xgmail_quote " * 30 + b">", size)
    ),
    # Delivery reports.
    "report-recipients-in-one-line": lambda size: (
        _REPORT + b"\r\n" + b" ".join(b"a%d@b" % n for n in range(size // 10))
    ),
    "report-recipients-with-fields": lambda size: (
        _REPORT
        + b'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n--b\r\n\r\n'
        + b"a@b delayed 5 " * (size // 40)
        + b"\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        + _numbered(
            b"Final-Recipient: rfc822; a@b\r\nFinal-Recipient: rfc822; a%d@b\r\nAction: failed\r\n\r\n", size // 2
        )
        + b"\r\n--b--\r\n"
    ),
    "report-many-lines-one-name": lambda size: _REPORT + b"\r\n" + _filled(b"to a@b: full\n", size),
    "report-names-and-blank-lines": lambda size: (
        _REPORT + b"\r\n" + _numbered(b"a%d@b\n", 30_000) + _filled(b"\n", size)
    ),
    "report-words-for-reasons": _status_part(
        b"Final-Recipient: rfc822; a%d@b\r\nAction: failed\r\nDiagnostic-Code: "
        + b"user mailbox delivery not exceed size " * 50
        + b"\r\n\r\n"
    ),
    "report-blanks-and-at": _report(b"to" + b" " * 900 + b"@\n"),
    "report-verbs-and-at": _report(b"to " * 300 + b"@ a@\n"),
    "report-quotes-and-at": _report(b'to "' + b'" ' * 300 + b"@\n"),
    "report-long-domains": _report(b"<a@" + b"b" * 250 + b" " * 100 + b"\n"),
    "report-unclosed-angles": _report(b"<a@b " * 100 + b">\n"),
    "report-dashes-and-phrases": _report(b"-" * 80 + b"original message" + b"." * 60 + b"x\n"),
    "report-parts": lambda size: (
        _REPORT
        + b"Content-Type: multipart/report; boundary=b\r\n\r\n"
        + _filled(b"--b\r\n\r\n" + b"<a@b> " * 500 + b"\r\n", size)
        + b"--b--"
    ),
    "report-parts-of-status": lambda size: (
        _REPORT
        + b"Content-Type: multipart/report; boundary=b\r\n\r\n"
        + _filled(b"--b\r\nContent-Type: message/delivery-status\r\n\r\nAction: failed\r\n\r\n", size)
        + b"--b--"
    ),
    "report-lines": _report(b"a@b.c: User unknown\n"),
    "report-recipients": _report(b"<a%d@example.com>: 550 User unknown\n"),
    "report-one-line": _report(b"a@b.c "),
    "report-ats": _report(b"@"),
    "report-angles": _report(b"<"),
    "report-angles-and-ats": _report(b"<a@b"),
    "report-codes": _report(b"550 "),
    "report-statuses": _report(b"5.1.1."),
    "report-status-versions": _report(b"version 5.1.1 "),
    "report-long-domain": _report(
        b"a",
        before=b"<x@",
    ),
    "report-words": _report(b"user mailbox delivery not "),
    "report-deliveries": _report(b"delivery ", before=b"a@b.c\n"),
    "report-to-lines": _report(b"to ", before=b"to a@b.c\n"),
    "report-empty-lines": _report(b"\n"),
    "report-blank-lines": _report(b"\n \n"),
    "report-field-lines": _report(b"Final-Recipient: rfc822; a%d@example.com\nAction: failed\nStatus: 5.1.1\n\n"),
    "report-returned-headers": _report(b"Received: from a@b.c\n", before=b"It failed: a@b.c\n"),
    "report-original-lines": _report(b"original message\n", before=b"a\n"),
    "report-dashes": _report(b"- ", before=b"a\n"),
    "report-aliases": _report(b"(generated from a@b.c)\n", before=b"x@y.z failed: 550\n"),
    "report-json": _report(b'{"notificationType":', before=b""),
    "report-json-nesting": lambda size: (
        _REPORT + b'x-amz-sns-message-id: 1\r\n\r\n{"notificationType":"Bounce","a":' + _filled(b"[", size)
    ),
    "status-recipients": _status_part(
        b"Final-Recipient: rfc822; a%d@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n"
    ),
    "status-fields-of-one": _status_part(b"Action: failed\r\n"),
    "status-folds": _status_part(b"\r\n a"),
    "status-long-line": _status_part(b"Diagnostic-Code: "),
    "status-blank-lines": _status_part(b"\r\n\r\n"),
    "status-ats": _status_part(b"Final-Recipient: @@@@@@@@@@@\r\nAction: failed\r\n\r\n"),
    "returned-to-lines": _status_part(b"To: \r\n", b"text/rfc822-headers"),
    "returned-to-folds": _status_part(b"To: a\r\n a", b"text/rfc822-headers"),
    "returned-mails": _status_part(b"Received: x\r\n\r\nFinal-Recipient: x\r\n", b"message/rfc822"),
    "calendar": lambda size: (
        _START + b"Content-Type: text/calendar; charset=utf-8\r\n\r\n" + _filled(b"METHOD\n", size)
    ),
    "calendar-methods": lambda size: _START + b"Content-Type: text/calendar\r\n\r\n" + _filled(b"\nMETHOD:\n", size),
}
