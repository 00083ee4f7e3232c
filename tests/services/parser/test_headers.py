"""Header values as text: encoded words, parameters, ids and dates, broken in the ways of the world."""

from __future__ import annotations

import pytest

from services.parser import dates, ids
from services.parser.bounds import Bounds
from services.parser.defects import Defects
from services.parser.headers import decode_value, parameterised, parse_block


def decoded(value: bytes) -> str:
    return decode_value(value, Defects())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"plain", "plain"),
        (b"=?utf-8?q?gr=C3=B6=C3=9Fe?=", "größe"),
        (b"=?UTF-8?Q?gr=C3=B6=C3=9Fe?= und mehr", "größe und mehr"),
        (b"=?utf-8?b?Z3LDtsOfZQ==?=", "größe"),
        (b"=?utf-8?B?Z3LDtsOfZQ?=", "größe"),
        (b"=?utf-8*de?q?gr=C3=B6?=", "grö"),
        (b"=?utf-8?q?a?= =?utf-8?q?b?=", "ab"),
        (b"=?utf-8?q?a?=\t =?utf-8?q?b?=", "ab"),
        (b"=?utf-8?q?a?= c =?utf-8?q?b?=", "a c b"),
        (b"=?utf-8?q?gr=C3?= =?utf-8?q?=B6?=", "grö"),
        (b"=?utf-8?b?Z3LD?= =?utf-8?b?tg==?=", "grö"),
        (b"=?utf-8?q?a?= =?iso-8859-1?q?=E4?=", "aä"),
        (b"=?utf-8?q?a b?=", "a b"),
        (b"=?utf-8?q?a_b?=", "a b"),
        (b"=?utf-8?q?what?_?=", "what? "),
        (b"=?utf-8?q?unclosed", "unclosed"),
        (b"=?utf-8?q?unclosed word", "unclosed word"),
        (b"x=?utf-8?q?=C3=A4?=y", "xäy"),
        (b'"=?utf-8?q?=C3=A4?="', '"ä"'),
        (b"=?x-invented?q?gr=C3=B6?=", "grö"),
        (b"=??q?gr=C3=B6?=", "grö"),
        (b"=?utf-8?x?abc?=", "=?utf-8?x?abc?="),
        (b"=?utf-8?q?", ""),
        (b"=?", "=?"),
        (b"a =? b ?= c", "a =? b ?= c"),
        (b"=?utf-8?q?=ZZ?=", "=ZZ"),
        (b"=?utf-8?b?????=", "=?utf-8?b?????="),
        (b"=?gb2312?B?xOO6ww==?=", "你好"),
        (b"=?iso-2022-jp?B?GyRCRnxLXBsoQg==?=", "日本"),
        (b"=?iso-2022-jp?B?GyRCRnwbKEI=?= =?iso-2022-jp?B?GyRCS1wbKEI=?=", "日本"),
        (b"\x1b$BF|K\\\x1b(B", "日本"),
        (b"=?windows-1252?q?=80?=", "€"),
        (b"=?iso-8859-1?q?=80?=", "€"),
        (b"=?utf-7?q?+AOQ-?=", "ä"),
        (b"a\tb", "a b"),
        (b"=?utf-8?q?a=00b?=", "ab"),
        (b"=?utf-8?q?a=0D=0A=0D=0Ab?=", "a b"),
    ],
)
def test_encoded_words_are_read_as_they_are_written(value: bytes, text: str) -> None:
    assert decoded(value).strip() == text.strip()


def test_an_adversarial_value_costs_no_more_than_its_length() -> None:
    for token in (b"=?", b"=?a?q?", b"=?a?b?", b"?=", b"=?a?q?=?=", b"=?a?q? "):
        assert isinstance(decoded(token * 10_000), str)


@pytest.mark.parametrize(
    ("value", "main", "params"),
    [
        (b"text/plain", "text/plain", {}),
        (b"TEXT/Plain; Charset=UTF-8", "text/plain", {"charset": "UTF-8"}),
        (b"text/plain charset=utf-8", "text/plain", {"charset": "utf-8"}),
        (b"text / plain; charset = utf-8", "text/plain", {"charset": "utf-8"}),
        (b'text/plain; charset="utf-8', "text/plain", {"charset": "utf-8"}),
        (b"text/plain;;; charset=utf-8;", "text/plain", {"charset": "utf-8"}),
        (b"text/plain; charset=utf-8; charset=latin-1", "text/plain", {"charset": "utf-8"}),
        (b"text/plain; =x; charset=utf-8", "text/plain", {"charset": "utf-8"}),
        (b"text/plain; nonsense; charset=utf-8", "text/plain", {"charset": "utf-8"}),
        (b"charset=utf-8", "", {"charset": "utf-8"}),
        (b"; name=a.pdf", "", {"name": "a.pdf"}),
        (b'multipart/mixed; boundary="a;b=c"', "multipart/mixed", {"boundary": "a;b=c"}),
        (b"multipart/mixed; boundary=a=b", "multipart/mixed", {"boundary": "a=b"}),
        (b"", "", {}),
        (b";", "", {}),
    ],
)
def test_parameters_are_read_tolerantly(value: bytes, main: str, params: dict[str, str]) -> None:
    found = parameterised(value, Bounds())
    assert (found.value, dict(found.params)) == (main, params)


@pytest.mark.parametrize("token", [b";", b" ", b"a", b'a="', b"a=;", b"a*0=", b"=", b'"', b"a*0*=%"])
def test_adversarial_parameters_cost_no_more_than_their_length(token: bytes) -> None:
    assert parameterised(b"text/plain; " + token * 60_000, Bounds()).value.startswith("text/plain")


def test_folded_headers_are_one_value_and_names_have_no_case() -> None:
    headers, body_at = parse_block(b"SUBJECT: a\r\n b\r\n\tc\r\nX-Y : z\r\n", Bounds(), Defects())
    assert headers.get("subject") == "a b c"
    assert headers.get("x-y") == "z"
    assert headers.get("absent") is None
    assert body_at == -1


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"<a@b>", "<a@b>"),
        (b"a@b", "<a@b>"),
        (b"  <a@b>  (comment)", "<a@b>"),
        (b"<a@ b>", "<a@b>"),
        (b"<abc@[>", "<abc@[>"),
        (b"<a@b", "<a@b>"),
        (b"", None),
        (b"<>", None),
    ],
)
def test_a_message_id_always_has_the_same_form(value: bytes, found: str | None) -> None:
    assert ids.message_id([value], Defects()) == found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"<a@b> <c@d>", ("<a@b>", "<c@d>")),
        (b"<a@b>,<c@d>\t<a@b>", ("<a@b>", "<c@d>")),
        (b"a@b c@d", ("<a@b>", "<c@d>")),
        (b"Your message of Monday <a@b>", ("<a@b>",)),
        (b"nothing", ()),
        (b'Your message of "Tue, 3 Nov 2026 09:15:00 +0100." <a@b>', ("<a@b>",)),
        (b'Message from Nora Lind <nora@c.example> of "Tue, 3 Nov 2026" <a@b>', ("<a@b>",)),
        (b"Message by Nora <nora@c.example> of Tuesday <a@b>", ("<a@b>",)),
        (b"<a@b> (message from Nora <nora@c.example> on Tue, 3 Nov)", ("<a@b>",)),
        (b"<a@b>; from nora@c.example on Tue, Nov 03, 2026 at 09:15", ("<a@b>",)),
        (b"<a@b> from Nora <nora@c.example>", ("<a@b>",)),
        (b"Article <a@b> of Nora Lind <nora@c.example>", ("<a@b>",)),
        (b'"Nora Lind" <nora@c.example>, <a@b>', ("<a@b>",)),
        (b"Lind, Nora <nora@c.example>", ()),
        (b'Mail from "Nora Lind <nora@c.example>" dated Tue, 3 Nov', ()),
        (b'nora@c.example\'s message of "Tue, 3 Nov 2026"', ()),
        (b"Your mail of Monday to support@example.com <a@b>", ("<a@b>",)),
        (b"Ihre Nachricht vom Montag <a@b>", ("<a@b>",)),
        (b"a@b (Nora Lind)", ("<a@b>",)),
    ],
)
def test_references_are_found_in_prose(value: bytes, found: tuple[str, ...]) -> None:
    assert ids.all_ids([value], 100, Defects()) == found


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (b"=?utf-8?q?=3Cfirst=40c.example=3E?=", ("<first@c.example>",)),
        (b"=?utf-8?q?=3Cfirst=40c?=\r\n =?utf-8?q?=2Eexample=3E?=", ("<first@c.example>",)),
        (b"=?us-ascii?B?PGZpcnN0QGMuZXhhbXBsZT4=?=", ("<first@c.example>",)),
        (b"=?utf-8?q?=3Ca=40b=3E_=3Cc=40d=3E?=", ("<a@b>", "<c@d>")),
        (b"<a@b> =?utf-8?q?=3Cc=40d=3E?=", ("<a@b>", "<c@d>")),
        (b"=?utf-8?q?=3Ca=40b?=>", ("<a@b>",)),
        (b"=?utf-8?q?a=40b?=", ("<a@b>",)),
        (b"<=?utf-8?q?first=40c=2Eexample?=>", ("<first@c.example>",)),
        (b"<=?iso-8859-1?q?pr=fcf?=.1@c.example>", ("<=?iso-8859-1?q?pr=fcf?=.1@c.example>",)),
        (b"=?utf-8?q?Message_from_Nora_=3Cnora=40c=2Eexample=3E_of_3_Nov?= <a@b>", ("<a@b>",)),
    ],
)
def test_ids_in_encoded_words_have_the_form_that_they_have_without(value: bytes, found: tuple[str, ...]) -> None:
    assert ids.all_ids([value], 100, Defects()) == found
    assert ids.message_id([value], Defects()) == found[0]


@pytest.mark.parametrize("token", [b"<", b"(", b'"', b"a <", b"from <a>", b"A", b'" (', b"=?utf-8?q?<?= ", b"<a@b> A "])
def test_ids_among_words_cost_no_more_than_their_length(token: bytes) -> None:
    assert isinstance(ids.all_ids([b"x <a@b> " + token * (60_000 // len(token)) + b"."], 100, Defects()), tuple)


UNKNOWN_ZONES = (
    "A", "K", "IST", "XYZ", "PM", "PM +0100", "+2400", "+2500", "+0160", "+01:60", "+010000", "0100", "Europe/Berlin",
    "W. Europe Time", "GMT 2",
)  # fmt: skip
"""Letters and names of several offsets or none, and numbers that cannot be one."""


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("Fri, 20 Nov 2026 22:00:00 +0100", "2026-11-20T21:00:00Z"),
        ("20 Nov 2026 22:00 +0100", "2026-11-20T21:00:00Z"),
        ("Fri, 20 Nov 2026 22:00:00 GMT (UTC)", "2026-11-20T22:00:00Z"),
        ("Fri, 20 Nov 26 22:00:00 EST", "2026-11-21T03:00:00Z"),
        ("Fri Nov 20 22:00:00 2026", "2026-11-20T22:00:00Z"),
        ("Fri, 20-Nov-2026 22:00:00 +0000", "2026-11-20T22:00:00Z"),
        ("Thu, 31 Dec 2026 23:59:60 +0000", "2027-01-01T00:00:00Z"),
        ("Fri, 1 Jan 99999999999 00:00:00 +0000", None),
        ("Fri, 31 Feb 2026 00:00:00 +0000", None),
        ("yesterday", None),
        *(
            (f"Tue, 3 Nov 2026 09:15:00 {zone}", moment)
            for moment, zones in {
                "2026-11-03T08:15:00Z": "+01:00|+1|+01|+100|+1:00|UTC+1|UTC+0100|UTC +01:00|GMT+01|CET|MEZ|CET+1",
                "2026-11-03T03:45:00Z": "+0530|+05:30|+530|+5:30|+0530 (IST)|+05:30 IST|GMT+5:30|+0530 (India (IST))",
                "2026-11-03T14:15:00Z": "-5|-05|-05:00|\u22120500|EST|EST-0500|-0500 (EST)|GMT-5|CDT",
                "2026-11-03T09:15:00Z": 'Z|UT|UTC|GMT|+0|+00:00|-00:00|-0000|+0000 GMT|WET|"GMT"',
                "2026-11-03T00:15:00Z": "+9|JST|KST|UTC+9|+0900 (JST)",
            }.items()
            for zone in zones.split("|")
        ),
        *((f"Tue, 3 Nov 2026 09:15:00 {zone}", None) for zone in UNKNOWN_ZONES),
        ("Tue, 3 Nov 2026 +01:00 09:15:00", None),
        ("Tue Nov  3 09:15:00 CET 2026", "2026-11-03T08:15:00Z"),
        ("Tue Nov 03 2026 09:15:00 GMT+0100 (Central European Standard Time)", "2026-11-03T08:15:00Z"),
        ("Tue Nov 3 09:15:00 +01:00 2026", "2026-11-03T08:15:00Z"),
        ("2026-11-03T09:15:00+01:00", "2026-11-03T08:15:00Z"),
        ("2026-11-03 09:15:00Z", "2026-11-03T09:15:00Z"),
        ("2026-11-03 09:15:00", "2026-11-03T09:15:00Z"),
        ("1899-11-03 09:15:00", None),
        ("Mon, 3 Nov 2026 09:15:00 +0100", "2026-11-03T08:15:00Z"),
        ("31 Feb 2026 09:15:00 +0100", None),
        ("3 Nov 2026 09:15:00 +2500", None),
        ("Tue,\t3 Nov 2026 09:15:00.25\t+01:00", "2026-11-03T08:15:00Z"),
        ("3 Nov 2026 09.15.00 +01:00", "2026-11-03T08:15:00Z"),
        ("Fri, 31 Dec 9999 23:59:59 -2359", None),
        ("(" * 5_000, None),
    ],
)
def test_dates_are_moments_in_utc(value: str, moment: str | None) -> None:
    defects = Defects()
    assert dates.utc(value, defects) == moment
    assert (defects.words() == ("bad-date",)) is (moment is None)


def test_litter_between_fields_is_stepped_over_wherever_it_stands() -> None:
    block = b"".join(b"litter\r\nX-Field-%d: a\r\n" % number for number in range(2_000))
    defects = Defects()
    headers, stop = parse_block(block, Bounds(), defects)
    assert (len(headers.raw), stop) == (2_000, -1)
    assert defects.words() == ("garbage-in-headers",)


def test_fields_that_every_mail_has_are_looked_for_far_below_litter() -> None:
    unknown = b"".join(b"Unknown-%d: a\r\n" % number for number in range(100))
    for block, stop in (
        (b"From: a@b.example\r\nlitter\r\n" + unknown + b"To: c\r\nDate: d\r\n", -1),
        (b"From: a@b.example\r\nlitter\r\n" + unknown + b"From: c\r\nDate: d\r\n", 27 - 8),
    ):
        assert parse_block(block, Bounds(), Defects())[1] == stop


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r\r\r\n"])
def test_a_folded_value_is_one_line_whatever_ends_its_lines(end: bytes) -> None:
    headers, _ = parse_block(b"Subject: a" + end + b" b" + end + b"\tc" + end + b"X: d" + end, Bounds(), Defects())
    assert headers.raw == (("subject", b"a b\tc"), ("x", b"d"))


def test_fields_of_one_name_are_decoded_up_to_one_bound_together() -> None:
    defects = Defects()
    block = b"".join(b"X-Long: %d %s\r\n" % (number, b"a" * 30_000) for number in range(9))
    headers, _ = parse_block(block, Bounds(), defects)
    assert [value[:1] for value in headers.all("x-long")] == ["0", "1", "2"]
    assert sum(map(len, headers.all("x-long"))) == Bounds().value_bytes
    assert defects.words() == ("headers-capped",)


def test_parameters_without_a_value_count_as_parameters() -> None:
    assert "parameters-capped" in parameterised(b"text/plain" + b"; a" * 300 + b"; charset=utf-8", Bounds()).defects


def test_of_a_very_long_references_field_the_ends_are_read() -> None:
    defects = Defects()
    value = b" ".join(b"<%d@customer.example>" % number for number in range(10_000))
    found = ids.all_ids([value], 200, defects)
    assert (found[0], found[-1], len(found)) == ("<0@customer.example>", "<9999@customer.example>", 200)
    assert all(one.endswith("@customer.example>") and one.count("<") == 1 for one in found)
    assert defects.words() == ("references-capped",)
