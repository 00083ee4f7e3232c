"""Mails whose structure or body grows: markup, parts, transfer encodings, winmail.dat, S/MIME."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from typing import Final

HEAD: Final = (
    b"From: Anna Becker <anna@customer.example>\r\nTo: support@example.com\r\nSubject: Re: Printer\r\n"
    b"Message-ID: <1@customer.example>\r\nIn-Reply-To: <0@example.com>\r\nMIME-Version: 1.0\r\n"
)
CONSTRUCTIONS: Final[dict[str, Callable[[int], bytes]]] = {}


def _plain(body: bytes, headers: bytes = b"Content-Type: text/plain\r\n") -> bytes:
    return HEAD + headers + b"\r\n" + body


def _html(body: bytes) -> bytes:
    return _plain(body, b"Content-Type: text/html; charset=utf-8\r\n")


def _mixed(body: bytes, boundary: bytes = b"x", kind: bytes = b"mixed") -> bytes:
    return _plain(body, b"Content-Type: multipart/%s; boundary=%s\r\n" % (kind, boundary))


def _encoded(data: bytes, content_type: bytes, encoding: bytes = b"base64") -> bytes:
    headers = b"Content-Type: %s\r\nContent-Transfer-Encoding: %s\r\n" % (content_type, encoding)
    return _plain(base64.encodebytes(data) if encoding == b"base64" else data, headers)


def _times(unit: bytes, size: int) -> bytes:
    return unit * (size // len(unit))


def _numbered(unit: bytes, size: int) -> bytes:
    """`unit` with a number in it, over and over."""
    return b"".join(unit % number for number in range(size // (len(unit) + 3)))


def _nested(opening: bytes, closing: bytes, levels: int, size: int, inner: bytes = b"x") -> bytes:
    """So many levels inside each other, and so many of these side by side that the size is reached."""
    return _times(opening * levels + inner + closing * levels, size) or opening * levels + inner + closing * levels


def _markup(units: dict[str, bytes], wrap: Callable[[bytes], bytes]) -> None:
    """One construction for each unit that is repeated."""
    for name, unit in units.items():
        CONSTRUCTIONS[name] = lambda size, unit=unit: wrap(_times(unit, size))  # type: ignore[misc]


_REPEATED_MARKUP: Final = {
    "html-paragraphs": b"<p>some <b>words</b></p>",
    "html-unclosed-formatting": b"<b><i><u><p>x",
    "html-unclosed-font": b"<font color=red><p>x",
    "html-fonts": b"<font><p>",
    "html-same-formatting": b"<b>x<p>",
    "html-misnested-formatting": b"<b><p>x</b>",
    "html-adoption-agency": b"<a><div><b><div>x</a></b>",
    "html-links-in-blocks": b"<a href=x><div>x",
    "html-nobr": b"<nobr><p>x",
    "html-closes-nothing": b"</b></i></font></p>",
    "html-end-tags-and-divs": b"</x></y><div>",
    "html-end-tags-close-nothing": b"<div></span>",
    "html-paragraph-ends": b"</p>",
    "html-deep-divs": b"<div>",
    "html-deep-formatting": b"<b>",
    "html-deep-tables": b"<table><tr><td>",
    "html-foster-parenting": b"<table>x<b>",
    "html-fostered-text": b"<table>x",
    "html-fostered-tables": b"<table><b><table>",
    "html-fostered-blocks": b"<table><div>x</div>",
    "html-row-ends": b"<table><tr></table><td>",
    "html-cells": b"<td>x",
    "html-rows": b"<tr><td>x",
    "html-closed-tables": b"<table><tr><td>a</td><td>b</td></tr></table>",
    "html-select": b"<select><option>x",
    "html-options": b"<option><optgroup>",
    "html-templates": b"<template>",
    "html-templates-with-cells": b"<template><td>x",
    "html-svg": b"<svg>",
    "html-svg-with-html": b"<svg><foreignObject><div>",
    "html-math": b"<math><mi><b>",
    "html-framesets": b"<frameset><frame>",
    "html-plaintext": b"<plaintext>",
    "html-forms": b"<form><div>",
    "html-buttons": b"<button><p>x",
    "html-marquees": b"<marquee><b>",
    "html-headings": b"<h1><b>x",
    "html-rubies": b"<ruby><rt>x",
    "html-bodies": b"<html a=1><body b=2>",
    "html-less-than": b"<",
    "html-no-break-spaces": b"\xc2\xa0",
    "html-signs-and-controls": b"\xc2\xa9\xc2\x85",
    "html-open-tags": b"<a ",
    "html-open-comments": b"<!--",
    "html-short-comments": b"<!---->",
    "html-bogus-comments": b"<!x><?y></ z>",
    "html-cdata": b"<![CDATA[x]]>",
    "html-open-scripts": b"<script>",
    "html-escaped-scripts": b"<script><!--<script>",
    "html-styles": b"<style>p{}</style>",
    "html-open-styles": b"<style>",
    "html-open-titles": b"<title><textarea>",
    "html-entities": b"&amp;&#x41;",
    "html-open-entities": b"&notanentity",
    "html-long-entities": b"&CounterClockwiseContourIntegral;",
    "html-open-numbers": b"&#9999999999",
    "html-nul": b"\0<p\0>",
    "html-br": b"<br>",
    "html-hr": b"<hr>",
    "html-images": b"<img alt=xx src=cid:a>",
    "html-empty-links": b"<a href=http://></a>",
    "html-links-in-a-line": b"<a href=http://x.y/z>w</a> ",
    "html-links-without-text": b"<a href='mailto:'>x</a>",
    "html-lists": b"<ul><li>x</ul>",
    "html-items": b"<li>x",
    "html-definitions": b"<dd><dt>x",
    "html-pre": b"<pre>x\n",
    "html-blanks": b" \t\n",
    "html-cell-of-lines": b"<tr><td>a<br>b<td>",
    "html-hidden": b"<p style='display:none'>x</p>",
    "html-quote-marks": b"<div class=gmail_quote>x</div>",
    "html-mso": b"<p class=MsoNormal>x<o:p></o:p></p>",
    "html-inputs": b"<input><keygen>",
    "html-objects": b"<object><b>",
    "html-open-quotes": b'<p a="',
    "html-unquoted": b"<p a=b/c>",
}
_markup(_REPEATED_MARKUP, _html)

_REPEATED_TEXT: Final = {
    "text-one-line": b"a",
    "text-lines": b"x\n",
    "text-begins": b"begin 644 a\n",
    "text-begins-with-lines": b"begin 644 a\n#86%A\n",
    "text-uuencoded-files": b"begin 644 a\n#86%A\n`\nend\n",
    "text-quotes": b"> a\n",
    "text-deep-quotes": b">",
    "text-own-quotes": b"x:\n> a\n",
    "text-pasted-mails": b"log:\n\nFrom: a@b.c\nSent: 1\nTo: b\nSubject: c\n\n",
    "text-wrapped-brackets": b"<a\n> wrote:\n",
    "text-answers": b"my answers are red below in red\n",
    "text-mailto": b"From: a [mailto:b@c.d]\n",
}
_markup(_REPEATED_TEXT, _plain)
_markup(
    {
        "flowed-lines": b"a \n",
        "flowed-deep": b">>>>>>>>>>>>>>>> a \n> b \n",
        "flowed-quotes": b"> \n>> \n",
    },
    lambda body: _plain(body, b"Content-Type: text/plain; format=flowed; delsp=yes\r\n"),
)
_markup(
    {
        "enriched-commands": b"<bold>",
        "enriched-params": b"<param>",
        "enriched-less-than": b"<<",
    },
    lambda body: _plain(body, b"Content-Type: text/enriched\r\n"),
)
_markup(
    {
        "qp-soft-breaks": b"=\r\n",
        "qp-blanks": b"= ",
        "qp-blanks-and-breaks": b"=" + b" " * 78 + b"\r\n",
        "qp-equals": b"=",
        "qp-invalid": b"=XY",
        "qp-trailing-blanks": b" \t",
    },
    lambda body: _encoded(body, b"text/plain", b"quoted-printable"),
)
_markup(
    {
        "base64-padded": b"AA==\r\n",
        "base64-equals": b"=",
        "base64-lone": b"A=",
        "base64-junk": b"AAAA!",
        "base64-lines": b"QUJD\r\n",
        "base64-blank-lines": b"QUJD\r\n\r\n\r\n",
        "base64-blanks": b" \r\n",
    },
    lambda body: _plain(body, b"Content-Type: application/x-a\r\nContent-Transfer-Encoding: base64\r\n"),
)
_markup(
    {
        "uu-begins": b"begin 644 a\n",
        "uu-lines": b"M" + b"A" * 60 + b"\n",
        "uu-empty-lines": b"`\n",
        "uu-short-lines": b"#86%A\n",
    },
    lambda body: _plain(
        b"begin 644 a\n" + body, b"Content-Type: application/x-a\r\nContent-Transfer-Encoding: x-uuencode\r\n"
    ),
)
_markup(
    {"yenc-escapes": b"=", "yenc-escaped": b"=a", "yenc-begins": b"=ybegin \n"},
    lambda body: _plain(
        b"=ybegin line=128\n" + body, b"Content-Type: application/x-a\r\nContent-Transfer-Encoding: x-yenc\r\n"
    ),
)


def _named(function: Callable[[int], bytes]) -> Callable[[int], bytes]:
    CONSTRUCTIONS[function.__name__.replace("_", "-")] = function
    return function


@_named
def html_many_attributes(size: int) -> bytes:
    return _html(b"<p " + _numbered(b"a%d=b ", size) + b">x")


@_named
def html_same_attribute(size: int) -> bytes:
    return _html(b"<p " + _times(b"a=b ", size) + b">x")


@_named
def html_attributes_of_body(size: int) -> bytes:
    return _html(_numbered(b"<body a%d=b>", size))


@_named
def html_long_attribute(size: int) -> bytes:
    return _html(b"<p title='" + _times(b"a", size) + b"'>x")


@_named
def html_data_uri(size: int) -> bytes:
    return _html(b"<img src='data:image/png;base64," + _times(b"A", size) + b"'>")


@_named
def html_long_style(size: int) -> bytes:
    return _html(b"<p style='" + _times(b"display : x;", size) + b"'>x")


@_named
def html_blank_style(size: int) -> bytes:
    return _html(_times(b"<p style='display         '>", size))


@_named
def html_long_class(size: int) -> bytes:
    return _html(_times(b"<div class='" + b"a " * 200 + b"'>x</div>", size))


@_named
def html_different_formatting(size: int) -> bytes:
    return _html(_numbered(b"<font size=%d><p>", size))


@_named
def html_formatting_before_blocks(size: int) -> bytes:
    return _html(_numbered(b"<font a=%d>", size // 2) + _times(b"<p>x", size // 2))


@_named
def html_formatting_before_table(size: int) -> bytes:
    return _html(b"<table>" + _numbered(b"<font a=%d>", size // 2) + _times(b"<tr>x", size // 2))


@_named
def html_formatting_before_ends(size: int) -> bytes:
    return _html(_numbered(b"<font a=%d>", size // 2) + _times(b"</p>x", size // 2))


@_named
def html_deep_adoption(size: int) -> bytes:
    return _html(b"<b>" + b"<div>" * 390 + _times(b"</b><b>", size))


@_named
def html_deep_closes_nothing(size: int) -> bytes:
    return _html(b"<div>" * 390 + _times(b"</span>", size))


@_named
def html_deep_headings(size: int) -> bytes:
    return _html(b"<div>" * 390 + _times(b"<p></h1>", size))


@_named
def html_deep_items(size: int) -> bytes:
    return _html(b"<span>" * 390 + _times(b"<li>x", size))


@_named
def html_lists_399(size: int) -> bytes:
    return _html(_nested(b"<ul>", b"</ul>", 390, size, b"<li>x" * 500))


@_named
def html_quotes_399(size: int) -> bytes:
    return _html(_nested(b"<blockquote>", b"</blockquote>", 390, size, b"x<br>" * 500))


@_named
def html_one_quote_399(size: int) -> bytes:
    return _html(b"<blockquote>" * 390 + _times(b"x<br>", size))


@_named
def html_one_list_399(size: int) -> bytes:
    return _html(b"<ul>" * 390 + _times(b"<li>x", size))


@_named
def html_pre_in_quotes(size: int) -> bytes:
    return _html(b"<blockquote>" * 390 + b"<pre>" + _times(b"x\n", size))


@_named
def html_cell_in_quotes(size: int) -> bytes:
    return _html(b"<blockquote>" * 100 + b"<table><tr>" + _times(b"<td>x<br>y", size))


@_named
def html_cells_in_a_row(size: int) -> bytes:
    return _html(b"<table><tr><td>a<br>b" + _times(b"<td>x<p>y", size))


@_named
def html_rows_in_a_cell(size: int) -> bytes:
    return _html(b"<table><tr><td>" + _times(b"x<br>", size // 2) + _times(b"<table><td></table>", size // 2))


@_named
def html_tables_in_a_cell(size: int) -> bytes:
    return _html(_nested(b"<table><tr><td>", b"</td></tr></table>", 120, size))


@_named
def html_links_within_blocks(size: int) -> bytes:
    return _html(_nested(b"<div><a href=http://a.b/c>", b"</div>", 100, size))


@_named
def html_long_links(size: int) -> bytes:
    return _html(_times(b"<a href=http://a.b/" + b"c" * 1900 + b">x</a> ", size))


@_named
def html_alternatives(size: int) -> bytes:
    return _mixed(_times(b"--x\r\nContent-Type: text/html\r\n\r\n<p>x\r\n", size), kind=b"alternative")


@_named
def html_parts(size: int) -> bytes:
    return _mixed(_times(b"--x\r\nContent-Type: text/html\r\n\r\n<p>x\r\n", size))


@_named
def plain_alternatives(size: int) -> bytes:
    return _mixed(_numbered(b"--x\r\n\r\n%d\r\n", size), kind=b"alternative")


@_named
def mixed_alternatives(size: int) -> bytes:
    pair = b"--x\r\n\r\n%d\r\n--x\r\nContent-Type: text/html\r\n\r\n<p>x\r\n"
    return _mixed(_numbered(pair, size), kind=b"alternative")


@_named
def related_parts(size: int) -> bytes:
    unit = b"--x\r\nContent-Type: image/png\r\nContent-ID: <%d>\r\n\r\nx\r\n"
    return _mixed(_numbered(unit, size), kind=b"related")


@_named
def inline_files(size: int) -> bytes:
    unit = b"--x\r\nContent-Type: image/png\r\nContent-ID: <%d>\r\nContent-Disposition: inline\r\n\r\nx\r\n"
    page = b"--x\r\nContent-Type: text/html\r\n\r\n" + _times(b"cid:", size // 2) + b"\r\n"
    return _mixed(page + _numbered(unit, size // 2))


@_named
def unnamed_files(size: int) -> bytes:
    return _mixed(_times(b"--x\r\nContent-Type: image/png\r\n\r\nx\r\n", size))


@_named
def files_of_one_name(size: int) -> bytes:
    return _mixed(_times(b"--x\r\nContent-Type: a/b; name=a.txt\r\n\r\nx\r\n", size))


@_named
def empty_parts(size: int) -> bytes:
    return _mixed(_times(b"--x\n", size))


@_named
def small_parts(size: int) -> bytes:
    return _mixed(_times(b"--x\n\na\n", size))


@_named
def near_delimiters(size: int) -> bytes:
    return _mixed(_times(b"--xa\n", size))


@_named
def delimiters_with_blanks(size: int) -> bytes:
    return _mixed(_times(b"--x" + b" " * 190 + b"a\n", size))


@_named
def long_delimiters_with_blanks(size: int) -> bytes:
    return _mixed(_times(b"--xa\n", size // 2) + b"--x" + _times(b" ", size // 2))


@_named
def boundaries_that_are_prefixes(size: int) -> bytes:
    """Each level's boundary begins with the one above, and looks through all below."""
    levels = 140
    opened = b"".join(
        b"--%s\r\nContent-Type: multipart/mixed; boundary=%s\r\n\r\n" % (b"x" * level, b"x" * (level + 1))
        for level in range(1, levels)
    )
    return _mixed(opened + _times(b"--" + b"x" * levels + b"\r\n\r\na\r\n", size))


@_named
def multiparts_within_each_other(size: int) -> bytes:
    levels = 140
    opened = b"".join(
        b"--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (level, level + 1) for level in range(levels)
    )
    return _mixed(opened + _times(b"text\r\n", size), boundary=b"b0")


@_named
def multiparts_without_boundary(size: int) -> bytes:
    """Each level has to look for what a delimiter looks like, and finds it at the end."""
    levels = 140
    opened = b"".join(b"--b%d\r\nContent-Type: multipart/mixed\r\n\r\n" % level for level in range(levels))
    return _plain(opened + _times(b"--\n", size), b"Content-Type: multipart/mixed\r\n")


@_named
def deep_multiparts(size: int) -> bytes:
    return _mixed(_times(b"--x\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n", size))


@_named
def encoded_multiparts(size: int) -> bytes:
    """Each level is base64 of the next."""
    inner = _times(b"text\r\n", size // 8)
    while len(inner) < size * 3 // 4:
        head = b"Content-Type: multipart/mixed; boundary=x\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        inner = head + base64.encodebytes(b"--x\r\n" + inner + b"\r\n--x--\r\n")
    return HEAD + inner


@_named
def attached_mails(size: int) -> bytes:
    return _nested_mails(140, size)


@_named
def attached_mails_with_bare_cr(size: int) -> bytes:
    return _nested_mails(140, size).replace(b"\r\n", b"\r")


def _nested_mails(levels: int, size: int) -> bytes:
    return HEAD + (b"Content-Type: message/rfc822\r\n\r\n" + HEAD) * levels + b"\r\n" + _times(b"text\r\n", size)


@_named
def too_many_attached_mails(size: int) -> bytes:
    return HEAD + _times(b"Content-Type: message/rfc822\r\n\r\n", size)


@_named
def mails_side_by_side(size: int) -> bytes:
    return _mixed(_times(b"--x\r\nContent-Type: message/rfc822\r\n\r\nSubject: a\r\n\r\nb\r\n", size))


@_named
def digests(size: int) -> bytes:
    return _mixed(_times(b"--x\r\n\r\nSubject: a\r\n\r\nb\r\n", size), kind=b"digest")


@_named
def mbox_lines(size: int) -> bytes:
    return _times(b"From \n", size) + HEAD + b"\r\nx"


@_named
def parameters_of_a_part(size: int) -> bytes:
    return _plain(b"x", b"Content-Type: text/plain" + _times(b"; a=b", size) + b"\r\n")


@_named
def continued_parameters(size: int) -> bytes:
    parameters = _numbered(b";\r\n filename*%d*=%%41", size)
    return _plain(b"x", b"Content-Type: a/b\r\nContent-Disposition: attachment" + parameters + b"\r\n")


@_named
def parts_with_continued_parameters(size: int) -> bytes:
    parameters = b"".join(b";\r\n filename*%d*=%%41" % number for number in range(150))
    unit = b"--x\r\nContent-Type: a/b\r\nContent-Disposition: attachment" + parameters + b"\r\n\r\nx\r\n"
    return _mixed(_times(unit, size))


@_named
def parts_with_encoded_names(size: int) -> bytes:
    return _mixed(_times(b'--x\r\nContent-Type: a/b; name="' + b"=?utf-8?q?a?= " * 50 + b'"\r\n\r\nx\r\n', size))


@_named
def descriptions(size: int) -> bytes:
    return _mixed(_times(b"--x\r\nContent-Type: a/b\r\nContent-Description: " + b"a" * 1000 + b"\r\n\r\nx\r\n", size))


# S/MIME


def _element(tag: int, content: bytes) -> bytes:
    """One element of DER (X.690) with a length of four bytes."""
    return bytes((tag, 0x84)) + len(content).to_bytes(4, "big") + content


def _signed(entity: bytes) -> bytes:
    """`entity` in an opaque signature without signers."""
    data_type, signed_data = bytes.fromhex("06092a864886f70d010701"), bytes.fromhex("06092a864886f70d010702")
    inner = _element(0x30, data_type + _element(0xA0, _element(0x04, entity)))
    return _element(0x30, signed_data + _element(0xA0, _element(0x30, b"\x02\x01\x01" + _element(0x31, b"") + inner)))


_PKCS7: Final = b"application/pkcs7-mime; smime-type=signed-data"


@_named
def smime_within_smime(size: int) -> bytes:
    inner = b"Content-Type: text/plain\r\n\r\n" + _times(b"text\r\n", size // 8)
    while len(inner) < size * 3 // 4:
        head = b"Content-Type: %s\r\nContent-Transfer-Encoding: base64\r\n\r\n" % _PKCS7
        inner = head + base64.encodebytes(_signed(inner))
    return HEAD + inner


@_named
def multiparts_within_smime(size: int) -> bytes:
    """Four signatures, each around as many levels as a mail of its own may have."""
    inner = b"Content-Type: text/plain\r\n\r\n" + _times(b"text\r\n", size // 4)
    for _ in range(4):
        opened = b"".join(
            b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (level, level) for level in range(148)
        )
        head = b"Content-Type: %s\r\nContent-Transfer-Encoding: base64\r\n\r\n" % _PKCS7
        inner = opened + head + base64.encodebytes(_signed(inner))
    return HEAD + inner


@_named
def smime_parts(size: int) -> bytes:
    one = base64.encodebytes(_signed(b"Content-Type: text/plain\r\n\r\nx"))
    head = b"--x\r\nContent-Type: %s\r\nContent-Transfer-Encoding: base64\r\n\r\n" % _PKCS7
    return _mixed(_times(head + one, size))


@_named
def smime_open_elements(size: int) -> bytes:
    start = bytes.fromhex("308006092a864886f70d010702a0803080")
    return _encoded(start + _times(b"\x30\x80", size * 3 // 4), _PKCS7)


@_named
def smime_pieces(size: int) -> bytes:
    signed_data = bytes.fromhex("308006092a864886f70d010702a0803080020101310030800609") + bytes.fromhex(
        "2a864886f70d010701a0802480"
    )
    return _encoded(signed_data + _times(b"\x04\x01a", size * 3 // 4), _PKCS7)


# winmail.dat


def _attribute(number: int, value: bytes, level: int = 1) -> bytes:
    return struct.pack("<BHHI", level, number, 6, len(value)) + value + b"\0\0"


def _tnef(body: bytes) -> bytes:
    return b"\x78\x9f\x3e\x22\0\0" + body


def _winmail(body: bytes) -> bytes:
    return _encoded(_tnef(body), b"application/ms-tnef; name=winmail.dat")


def _property_block(properties: bytes, count: int) -> bytes:
    return _attribute(0x9003, struct.pack("<I", count) + properties)


@_named
def tnef_values_without_size(size: int) -> bytes:
    one = struct.pack("<HHI", 0x1001, 0x1234, 0xFFFF_FFFF)
    count = size * 3 // 4 // len(one)
    return _winmail(_property_block(one * count, count))


@_named
def tnef_small_values(size: int) -> bytes:
    return _winmail(
        _property_block(struct.pack("<HHI", 0x1003, 0x1234, size * 3 // 16) + b"abcd" * (size * 3 // 16), 1)
    )


@_named
def tnef_empty_strings(size: int) -> bytes:
    return _winmail(_property_block(struct.pack("<HHI", 0x101F, 0x1234, size * 3 // 16) + b"\0" * (size * 3 // 4), 1))


@_named
def tnef_properties(size: int) -> bytes:
    one = struct.pack("<HHI", 0x3, 0x1234, 1)
    count = size * 3 // 4 // len(one)
    return _winmail(_property_block(one * count, count))


@_named
def tnef_properties_without_size(size: int) -> bytes:
    one = struct.pack("<HH", 0x1, 0x1234)
    count = size * 3 // 4 // len(one)
    return _winmail(_property_block(one * count, count))


@_named
def tnef_named_properties(size: int) -> bytes:
    one = struct.pack("<HH", 0x1, 0x8000) + b"g" * 16 + struct.pack("<II", 0, 1)
    count = size * 3 // 4 // len(one)
    return _winmail(_property_block(one * count, count))


@_named
def tnef_repeated_text(size: int) -> bytes:
    """Each text overwrites the one before; only the last is of use."""
    one = struct.pack("<HHII", 0x1F, 0x1000, 1, 4) + b"a\0b\0"
    count = size * 3 // 4 // len(one)
    return _winmail(_property_block(one * count, count))


@_named
def tnef_attributes(size: int) -> bytes:
    return _winmail(_times(_attribute(0x1234, b""), size * 3 // 4))


@_named
def tnef_bodies(size: int) -> bytes:
    return _winmail(_times(_attribute(0x800C, b"\xe9\xe8 text\0"), size * 3 // 4))


@_named
def tnef_files(size: int) -> bytes:
    return _winmail(_times(_attribute(0x9002, b"", 2) + _attribute(0x8010, b"a.txt\0", 2), size * 3 // 4))


@_named
def tnef_titles(size: int) -> bytes:
    """One file whose title is given over and over."""
    return _winmail(_attribute(0x9002, b"", 2) + _times(_attribute(0x8010, b"\xe9a.txt\0", 2), size * 3 // 4))


@_named
def tnef_parts(size: int) -> bytes:
    one = base64.encodebytes(_tnef(_attribute(0x800C, b"text\0")))
    head = b"--x\r\nContent-Type: application/ms-tnef\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return _mixed(_times(head + one, size))


@_named
def tnef_parts_of_files(size: int) -> bytes:
    """Each part claims as many files as are read of one."""
    many = (_attribute(0x9002, b"", 2) + _attribute(0x8010, b"a\0", 2)) * 1_000
    one = base64.encodebytes(_tnef(many))
    head = b"--x\r\nContent-Type: application/ms-tnef\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return _mixed(_times(head + one, size) or head + one)


@_named
def tnef_html(size: int) -> bytes:
    markup = _times(b"<b><i><u><p>x", size * 3 // 4)
    return _winmail(_property_block(struct.pack("<HHII", 0x102, 0x1013, 1, len(markup)) + markup, 1))


def _rtf(data: bytes, magic: bytes = b"MELA", size: int | None = None) -> bytes:
    packed = struct.pack("<II4sI", len(data) + 12, len(data) if size is None else size, magic, 0) + data
    return _winmail(_property_block(struct.pack("<HHII", 0x102, 0x1009, 1, len(packed)) + packed, 1))


@_named
def rtf_groups(size: int) -> bytes:
    return _rtf(_times(b"{", size * 3 // 4))


@_named
def rtf_words(size: int) -> bytes:
    return _rtf(_times(b"\\u8364?", size * 3 // 4))


@_named
def rtf_codepages(size: int) -> bytes:
    return _rtf(_times(b"\\ansicpg1251 \\'e9", size * 3 // 4))


@_named
def rtf_paragraphs(size: int) -> bytes:
    return _rtf(_times(b"\\par ", size * 3 // 4))


@_named
def rtf_backslashes(size: int) -> bytes:
    return _rtf(_times(b"\\", size * 3 // 4))


@_named
def rtf_compressed(size: int) -> bytes:
    """References of the greatest length: each two bytes are 17."""
    return _rtf(_times(b"\xff" + b"\x0d\x0f" * 8, size * 3 // 4), b"LZFu", 0xFFFF_FFFF)


@_named
def rtf_parts(size: int) -> bytes:
    """Each part inflates to the most that is read."""
    body = b"\xff" + b"\x0d\x0f" * 8
    data = body * 1_000
    packed = struct.pack("<II4sI", len(data) + 12, 0xFFFF_FFFF, b"LZFu", 0) + data
    one = base64.encodebytes(_tnef(_property_block(struct.pack("<HHII", 0x102, 0x1009, 1, len(packed)) + packed, 1)))
    head = b"--x\r\nContent-Type: application/ms-tnef\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return _mixed(_times(head + one, size) or head + one)


# Below the bounds of one piece, many times


def _pages(page: bytes, size: int) -> bytes:
    return _mixed(_times(b"--x\r\nContent-Type: text/html\r\n\r\n" + page + b"\r\n", size))


@_named
def pages_of_formatting(size: int) -> bytes:
    """Each so small that it is not looked through, and as bad as can be."""
    fonts = b"".join(b"<font a=%d>" % number for number in range(190))
    return _pages(b"<p>" + fonts + b"<p>x" * 190, size)


@_named
def pages_of_quotes(size: int) -> bytes:
    return _pages(b"<blockquote>" * 190 + b"x<br>" * 190, size)


@_named
def pages_of_one_word(size: int) -> bytes:
    return _pages(b"<p>some <b>word</b> " + b"a" * 45, size)


@_named
def pages_of_attributes(size: int) -> bytes:
    return _html(_times(b"<p " + b"".join(b"a%d " % number for number in range(290)) + b">x", size))


@_named
def html_marks_in_a_tag(size: int) -> bytes:
    """Where a quotation begins is looked for in each tag."""
    return _html(_times(b"<div " + b"id=class=" * 60 + b">x</div>", size))


@_named
def html_rows_outside_of_cells(size: int) -> bytes:
    return _html(_times(b"<br>", size // 2) + b"<table>" + _times(b"<tr>x</tr>", size // 2))


@_named
def html_formatting_and_blocks(size: int) -> bytes:
    return _html(_times(b"<p><b><i><u><s>x</p>", size))


@_named
def html_ampersands(size: int) -> bytes:
    return _html(_times(b"a&b ", size))


@_named
def html_links_in_cells(size: int) -> bytes:
    return _html(b"<table>" + _times(b"<tr><td><a href=http://x.y/z>w</a><td>b</tr>", size) + b"</table>")


@_named
def text_begin_and_blanks(size: int) -> bytes:
    return _plain(b"begin 644" + _times(b" ", size) + b"\n")


@_named
def delimiter_and_blanks(size: int) -> bytes:
    return _plain(b"\n--" + _times(b" ", size) + b"\n", b"Content-Type: multipart/mixed\r\n")


@_named
def mails_quoted_within_each_other(size: int) -> bytes:
    """Each level is decoded, and as large as the one around it."""
    head = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    return HEAD + head * 140 + b"\r\n" + _times(b"text\r\n", size)


@_named
def rtf_compressed_groups(size: int) -> bytes:
    """A few bytes are many groups."""
    return _rtf(b"\x00{{{{{{{{" + _times(b"\xff" + b"\x0d\x0f" * 8, size * 3 // 4), b"LZFu", 0xFFFF_FFFF)


@_named
def signed_parts_with_many_parts(size: int) -> bytes:
    entity = b"Content-Type: multipart/mixed; boundary=z\r\n\r\n" + _times(b"--z\r\n\r\na\r\n", size // 6)
    one = base64.encodebytes(_signed(entity))
    head = b"--x\r\nContent-Type: %s\r\nContent-Transfer-Encoding: base64\r\n\r\n" % _PKCS7
    return _mixed((head + one) * 4)
