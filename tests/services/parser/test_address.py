"""Whom a field names, and when nobody can tell."""

from __future__ import annotations

from typing import SupportsIndex

import pytest

from services.parser import mime
from services.parser.address import addresses, sender
from services.parser.defects import Defects
from services.parser.scanner import Scanner
from shared.contracts.mail import Address


def read_from(*values: str) -> tuple[Address | None, tuple[str, ...]]:
    defects = Defects()
    return sender([value.encode("utf-8") for value in values], defects), defects.words()


def read_list(value: str, cap: int = 100) -> list[tuple[str, str]]:
    return [(person.name, person.address) for person in addresses([value.encode("utf-8")], cap, Defects())]


@pytest.mark.parametrize(
    ("value", "name", "address"),
    [
        ("anna@customer.example", "", "anna@customer.example"),
        ("<anna@customer.example>", "", "anna@customer.example"),
        ("Anna Becker <anna@customer.example>", "Anna Becker", "anna@customer.example"),
        ('"Becker, Anna" <anna@customer.example>', "Becker, Anna", "anna@customer.example"),
        ('"Anna \\"A\\" B" <anna@customer.example>', 'Anna "A" B', "anna@customer.example"),
        ("Becker, Anna <anna@customer.example>", "Becker, Anna", "anna@customer.example"),
        ("anna@customer.example (Anna Becker)", "Anna Becker", "anna@customer.example"),
        ("=?utf-8?q?J=C3=B6rg?= <j@customer.example>", "Jörg", "j@customer.example"),
        ('"=?utf-8?q?J=C3=B6rg?=" <j@customer.example>', "Jörg", "j@customer.example"),
        ("=?utf-8?q?Evil=2C?= <a@b.example>", "Evil,", "a@b.example"),
        ("Anna <ANNA@Customer.EXAMPLE>", "Anna", "ANNA@customer.example"),
        ("Anna <@relay.example,@two.example:anna@customer.example>", "Anna", "anna@customer.example"),
        ("<mailto:anna@customer.example>", "", "anna@customer.example"),
        ("mailto:anna@customer.example", "", "anna@customer.example"),
        ("anna@customer.example <anna@customer.example>", "anna@customer.example", "anna@customer.example"),
        ("anna@customer.example<anna@customer.example>", "anna@customer.example", "anna@customer.example"),
        ("Anna Becker anna@customer.example", "Anna Becker", "anna@customer.example"),
        ("anna@[192.0.2.1]", "", "anna@[192.0.2.1]"),
        ("Anna <anna@[IPv6:2001:db8::1]>", "Anna", "anna@[ipv6:2001:db8::1]"),
        ('"john smith"@customer.example', "", '"john smith"@customer.example'),
        ('<"john smith"@customer.example>', "", '"john smith"@customer.example'),
        ("jsmith", "", "jsmith"),
        ("J. Smith <jsmith>", "J. Smith", "jsmith"),
        ("Team: anna@customer.example;", "", "anna@customer.example"),
        ("'Anna' <anna+tag@customer.example>", "'Anna'", "anna+tag@customer.example"),
        ("Anna<anna@customer.example>", "Anna", "anna@customer.example"),
        ("Anna <anna@customer.example> (at home)", "Anna", "anna@customer.example"),
        ("'anna@customer.example'", "", "anna@customer.example"),
        ("'Anna' <'anna@customer.example'>", "'Anna'", "anna@customer.example"),
        ("<<anna@customer.example>>", "", "anna@customer.example"),
        ("Anna <anna@customer.example>>", "Anna", "anna@customer.example"),
        ("anna@customer.example (at home", "at home", "anna@customer.example"),
        ('"unclosed <anna@customer.example>', "unclosed", "anna@customer.example"),
        ("Jörg <j@customer.example>", "Jörg", "j@customer.example"),
        ("Anna <SMTP:anna@customer.example>", "Anna", "anna@customer.example"),
        ("Anna <smtp: anna@customer.example>", "Anna", "anna@customer.example"),
        ("Anna <EX:anna@customer.example>", "Anna", "anna@customer.example"),
        ("Anna <Mailto:anna@customer.example?subject=Printer>", "Anna", "anna@customer.example"),
        ("Anna <rfc822;anna@customer.example>", "Anna", "anna@customer.example"),
        ("Anna [mailto:anna@customer.example]", "Anna", "anna@customer.example"),
        ("Anna Becker [anna@customer.example]", "Anna Becker", "anna@customer.example"),
        ("Anna <anna@customer.example.>", "Anna", "anna@customer.example."),
        ("anna@customer.example.", "", "anna@customer.example."),
        ("Anna <anna@customer.example.;>", "Anna", "anna@customer.example."),
        ("Anna <anna@customer.example'>", "Anna", "anna@customer.example"),
        ('Anna <"anna@customer.example">', "Anna", "anna@customer.example"),
        ("\u201canna@customer.example\u201d", "", "anna@customer.example"),
        ("anna@customer.example>", "", "anna@customer.example"),
        ("Anna anna@customer.example>", "Anna", "anna@customer.example"),
        ("Anna <anna@customer.example> <anna@customer.example>", "Anna", "anna@customer.example"),
        ("<anna@customer.example><anna@customer.example>", "", "anna@customer.example"),
        ("Anna <anna@customer.example> anna@customer.example", "Anna", "anna@customer.example"),
        ("anna@customer.example, Anna@Customer.example", "", "anna@customer.example"),
        ("anna@customer.example <Anna Becker>", "Anna Becker", "anna@customer.example"),
        ("Anna <=?utf-8?q?anna=40customer.example?=>", "Anna", "anna@customer.example"),
        ("a@bücher.example", "", "a@xn--bcher-kva.example"),
        ("a@BÜCHER.example", "", "a@xn--bcher-kva.example"),
    ],
)
def test_one_author_is_read(value: str, name: str, address: str) -> None:
    found, _ = read_from(value)
    assert found == Address(name, address)


ALICE, BOB = "alice@victim.example", "bob@attacker.example"


@pytest.mark.parametrize("separator", ["(", ")", "<", ">", "@", ",", ";", ":", ".", '"', "[", "]"])
def test_cve_2023_27043_never_names_the_victim(separator: str) -> None:
    found, defects = read_from(f"{ALICE}{separator}<{BOB}>")
    assert found is None
    assert defects


@pytest.mark.parametrize(
    "value",
    [
        f'"{ALICE}"',
        f'"{ALICE}" (Alice)',
        f'"Alice <{ALICE}>"',
        f"'{ALICE}' {BOB}",
        f"{ALICE}, {BOB}",
        f"{ALICE};{BOB}",
        f"<{ALICE}> <{BOB}>",
        f"<{ALICE}><{BOB}>",
        f"Bob <{BOB}> {ALICE}",
        f"{ALICE} {BOB}",
        "alice@victim.example@attacker.example",
        f"<{ALICE}@attacker.example>",
        f"<{ALICE}",
        f"Alice <{ALICE} <{BOB}>",
        f"({ALICE}",
        "undisclosed-recipients:;",
        f"{ALICE}\x00@attacker.example",
        "",
        "<>",
        "@",
        "a@",
        "@b.example",
        "a b c",
        "x:;",
        f"a@{'b' * 330}.example",
        f"{'a' * 330}@b.example",
        "a@b..example",
        "a@b,c@d",
    ],
)
def test_a_from_that_can_be_read_twice_or_not_at_all_names_nobody(value: str) -> None:
    found, defects = read_from(value)
    assert found is None or (found.address == ALICE and value == f"<{ALICE}")
    assert defects


@pytest.mark.parametrize(
    ("values", "address"),
    [
        (["[unset]", "anna@customer.example"], "anna@customer.example"),
        (["Anna <anna@customer.example>", ""], "anna@customer.example"),
        (["Nobody", "SMTP:anna@customer.example", "<>"], "anna@customer.example"),
        ([ALICE, BOB], None),
        ([f'"{ALICE}', BOB], None),
        (["=?utf-8?q?alice=40victim.example?=", BOB], None),
        (["[unset]", "nobody"], None),
    ],
)
def test_of_several_from_fields_the_only_one_with_an_address_counts(values: list[str], address: str | None) -> None:
    found, defects = read_from(*values)
    assert (found.address if found else None) == address
    assert "several-from" in defects


@pytest.mark.parametrize("value", ["[unset]", "<http://customer.example>", "a/b"])
def test_a_word_with_signs_is_no_user_without_a_domain(value: str) -> None:
    assert read_from(value)[0] is None


ANNA, CARL = Address("Anna Becker", "anna@customer.example"), Address("Carl", "carl@customer.example")


@pytest.mark.parametrize(
    ("value", "transmitter", "author"),
    [
        ("Anna Becker <anna@customer.example>, Carl <carl@customer.example>", None, ANNA),
        ("Anna Becker <anna@customer.example>,Carl <carl@CUSTOMER.example>", CARL.address, CARL),
        ('"Anna Becker" <anna@customer.example>, "Carl" <carl@customer.example>', "Carl@Customer.example", CARL),
        ("Anna Becker <anna@customer.example>, Carl <carl@customer.example>", "boss@customer.example", ANNA),
        ("Anna Becker <anna@customer.example>, Carl <carl@customer.example>", "carl@elsewhere.example", ANNA),
        (
            '"=?utf-8?q?J=C3=B6rg?=" <j@customer.example> , K. "Elk" L. <k@customer.example>,\tC<c@customer.example>',
            None,
            Address("J\xf6rg", "j@customer.example"),
        ),
    ],
)
def test_authors_of_one_domain_are_one_organisation(value: str, transmitter: str | None, author: Address) -> None:
    defects = Defects()
    named = Address("", transmitter) if transmitter else None
    assert sender([value.encode()], defects, transmitter=named) == author
    assert defects.words() == ("several-authors",)


@pytest.mark.parametrize(
    ("senders", "author", "defects"),
    [
        (["carl@customer.example"], CARL, ("several-authors",)),
        (["Office <office@customer.example>"], ANNA, ("several-authors", "sender-differs")),
        (["carl@customer.example", "anna@customer.example"], ANNA, ("several-authors", "sender-differs")),
        ([], ANNA, ("several-authors",)),
    ],
    ids=["author", "another", "twice", "none"],
)
def test_sender_says_which_author_sent_it(senders: list[str], author: Address, defects: tuple[str, ...]) -> None:
    fields = ["From: Anna Becker <anna@customer.example>, Carl <carl@customer.example>"]
    raw = "\r\n".join([*fields, *(f"Sender: {one}" for one in senders), "", "Hello"])
    mail = mime.read(raw.encode()).mail
    assert (mail.from_, mail.defects) == (author, defects)


@pytest.mark.parametrize(
    "value",
    [
        "Anna <anna@customer.example>, Bob <bob@attacker.example>",
        "Anna <anna@customer.example>, Bob <bob@mail.customer.example>",
        "Anna <anna@customer.example>, bob@customer.example",
        "anna@customer.example, Bob <bob@customer.example>",
        "anna@customer.example,<bob@customer.example>",
        "<anna@customer.example>, <bob@customer.example>",
        '"" <anna@customer.example>, Bob <bob@customer.example>',
        "Anna <anna@customer.example>, Bob <bob@customer.example>,",
        "Anna <anna@customer.example>,, Bob <bob@customer.example>",
        ",Anna <anna@customer.example>, Bob <bob@customer.example>",
        "Anna <anna@customer.example>; Bob <bob@customer.example>",
        "Anna <anna@customer.example> Bob <bob@customer.example>",
        "Team: Anna <anna@customer.example>, Bob <bob@customer.example>;",
        "Anna (at home) <anna@customer.example>, Bob <bob@customer.example>",
        "Becker, Anna <anna@customer.example>, Bob <bob@customer.example>",
        '"anna@victim.example" <anna@customer.example>, Bob <bob@customer.example>',
        "=?utf-8?q?anna=40victim.example?= <anna@customer.example>, Bob <bob@customer.example>",
        "=?utf-8?b?broken!?= <anna@customer.example>, Bob <bob@customer.example>",
        "Anna <=?utf-8?q?anna?=@customer.example>, Bob <bob@customer.example>",
        "Anna <anna@[192.0.2.1]>, Bob <bob@[192.0.2.1]>",
        "Anna <anna>, Bob <bob>",
        "J\xf6rg <anna@customer.example>, Bob <bob@customer.example>",
        '"Anna\\" <x@victim.example>, \\"" <anna@customer.example>, Bob <bob@customer.example>',
        "Anna <anna@customer.example>, " * 200 + "Bob <bob@customer.example>",
    ],
)
def test_several_mailboxes_in_any_doubt_name_nobody(value: str) -> None:
    found, defects = read_from(value)
    assert found is None
    assert "ambiguous-from" in defects
    assert "several-authors" not in defects


def test_two_from_fields_name_nobody_even_when_they_agree() -> None:
    assert read_from("a@b.example", "a@b.example") == (None, ("several-from",))
    assert read_from("a@b.example", "c@d.example") == (None, ("several-from",))


def test_no_from_is_noted() -> None:
    assert read_from() == (None, ("no-from",))


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (f'"{ALICE}" <{BOB}>', ALICE),
        (f"{ALICE} <{BOB}>", ALICE),
        (f"=?utf-8?q?=3C{ALICE.replace('@', '=40')}=3E?= <{BOB}>", f"<{ALICE}>"),
    ],
)
def test_a_display_name_that_looks_like_an_address_stays_a_name(value: str, name: str) -> None:
    found, _ = read_from(value)
    assert found == Address(name, BOB)


@pytest.mark.parametrize(
    "domain",
    [
        "сorp.example",  # Cyrillic es
        "corp\u200b.example",
        "\u212aorp.example",  # Kelvin sign
        "ｃorp.example",  # fullwidth
        "corp\u3002example",
        "corp\u00ad.example",
    ],
)
def test_a_look_alike_domain_never_becomes_the_real_one(domain: str) -> None:
    found, _ = read_from(f"a@{domain}")
    assert found is None or found.address not in ("a@corp.example", "a@korp.example")


def test_an_encoded_word_inside_an_address_is_not_decoded() -> None:
    found, defects = read_from("=?utf-8?q?alice=40victim.example?=@attacker.example")
    assert found is None or found.address.endswith("@attacker.example")
    assert "encoded-word-in-address" in defects


def test_a_wholly_encoded_field_is_read_and_noted() -> None:
    found, defects = read_from("=?utf-8?q?Anna_=3Canna=40customer=2Eexample=3E?=")
    assert found == Address("Anna", "anna@customer.example")
    assert "encoded-address" in defects


def test_a_thousand_nested_comments_are_stepped_over() -> None:
    found, defects = read_from("(" * 1000 + "x" + ")" * 1000 + " anna@customer.example")
    assert found == Address("", "anna@customer.example")
    assert "deep-comments" in defects


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a@b.example, C <c@d.example>", [("", "a@b.example"), ("C", "c@d.example")]),
        ("a@b.example; c@d.example", [("", "a@b.example"), ("", "c@d.example")]),
        (
            "Team: a@b.example, c@d.example;, e@f.example",
            [("", "a@b.example"), ("", "c@d.example"), ("", "e@f.example")],
        ),
        ("undisclosed-recipients:;", []),
        (",,a@b.example,,", [("", "a@b.example")]),
        ('"a, b" <a@b.example>, "c" <c@d.example>', [("a, b", "a@b.example"), ("c", "c@d.example")]),
        ('"X" <>, "LTD" <l@b.example>', [("LTD", "l@b.example")]),
        (
            "Becker, Anna <a@b.example>, Smith, Bob <b@b.example>",
            [("Becker, Anna", "a@b.example"), ("Smith, Bob", "b@b.example")],
        ),
        ("jsmith, anna@b.example", [("", "jsmith"), ("", "anna@b.example")]),
        ("broken <a@b@c>, good <g@b.example>", [("good", "g@b.example")]),
    ],
)
def test_lists_are_cut_at_structure_only(value: str, expected: list[tuple[str, str]]) -> None:
    assert read_list(value) == expected


def test_a_long_list_is_capped_with_a_defect() -> None:
    defects = Defects()
    value = ", ".join(f"u{number}@b.example" for number in range(32_000)).encode()
    assert len(addresses([value], 1_000, defects)) == 1_000
    assert defects.words() == ("addresses-capped",)


def test_plain_fields_beyond_the_cap_are_noted() -> None:
    defects = Defects()
    assert len(addresses([b"a%d@b.example" % number for number in range(9)], 5, defects)) == 5
    assert defects.words() == ("addresses-capped",)


@pytest.mark.parametrize("hidden", [" " * 300_000, "word," * 20_000])
def test_an_author_behind_what_is_read_of_from_leaves_no_sender(hidden: str) -> None:
    sender, defects = read_from(f"Anna <anna@customer.example>, {hidden} <eve@evil.example>")
    assert sender is None
    assert {"addresses-capped", "ambiguous-from"} <= set(defects)


def test_what_is_read_is_bounded_over_all_fields_of_a_name() -> None:
    defects = Defects()
    values = [b"word " * 12_000, *[b"word " * 12_000] * 9, b"Anna <<anna@customer.example>"]
    assert addresses(values, 100, defects) == ()
    assert "addresses-capped" in defects


def test_a_scheme_in_a_group_is_not_part_of_the_name() -> None:
    assert read_list("Team: mailto:anna@customer.example;") == [("", "anna@customer.example")]


class _Counted(str):
    """A text that counts the characters of the pieces that are taken out of it."""

    __slots__ = ("copied",)
    copied: int

    def __getitem__(self, place: SupportsIndex | slice) -> str:
        piece = super().__getitem__(place)
        self.copied += len(piece)
        return piece


@pytest.mark.parametrize("unit", ["> ", ">", "<a", "<a>", "[a", "[a]", "(a", "(a)", '"a', "\\a", "a:", "a,", "a;"])
def test_of_an_address_field_each_character_is_copied_a_few_times_at_most(unit: str) -> None:
    text = _Counted("a@b.example " + unit * 2_000)
    text.copied = 0
    Scanner(text, quotes=True).run()
    assert text.copied <= 3 * len(text)
