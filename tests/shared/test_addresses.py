"""One form for every comparison of addresses, and what has none."""

from __future__ import annotations

import pytest

from shared.addresses import address_key, address_keys, ascii_domain, domain_of, mailbox_key, spellings, written_address

KELVIN = "\u212a"


@pytest.mark.parametrize(
    "spelling",
    [
        "anna@firm.example",
        "ANNA@FIRM.example",
        " anna@firm.example ",
        '"anna"@firm.example',
        '"\\anna"@firm.example',
        '"a\\n\\na"@firm.example',
        "anna@firm.example.",
    ],
)
def test_spellings_of_one_address_have_one_form(spelling: str) -> None:
    assert address_key(spelling) == "anna@firm.example"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (f"{KELVIN}im@firm.example", "kim@firm.example"),
        ("İris@firm.example", "iris@firm.example"),
        ("ANNÄ@firm.example", "annä@firm.example"),
        ("straße@firm.example", "strasse@firm.example"),
        ("anna@firm.example", "anna@firm.example.org"),
        ('"an na"@firm.example', "anna@firm.example"),
        ("\uff41nna@firm.example", "anna@firm.example"),
    ],
)
def test_what_only_looks_alike_has_another_form(one: str, other: str) -> None:
    assert address_key(one) != address_key(other)


@pytest.mark.parametrize(
    "domain",
    [
        f"{KELVIN}iwi.example",
        "\uff46irm.example",
        "fi\u00adrm.example",
        "\ufb01rm.example",
        "firm\u3002example",
        "firm.example\u200b",
        "fi\u180erm.example",
        "firm\U000e0041.example",
        "f\u2800irm.example",
        f"{KELVIN}ürbis.example",
        "ü" * 300 + ".example",
    ],
    ids=ascii,
)
def test_a_domain_that_looks_like_another_matches_nobody(domain: str) -> None:
    assert ascii_domain(domain) is None
    assert address_key(f"kim@{domain}") is None
    assert mailbox_key(f"kim@{domain}") is None
    assert address_keys(f"kim@{domain}") == []
    assert spellings(f"kim@{domain}") == [f"kim@{domain}"]


def test_a_domain_is_compared_in_ascii() -> None:
    forms = {"MÜNCHEN.example", "münchen.example", "mu\u0308nchen.example", "XN--mnchen-3ya.example"}
    assert {address_key(f"a@{each}") for each in forms} == {"a@xn--mnchen-3ya.example"}
    assert spellings("A@xn--mnchen-3ya.example")[-1] == "a@münchen.example"


def test_an_address_literal_keeps_its_brackets() -> None:
    assert address_key("Anna@[127.0.0.1]") == "anna@[127.0.0.1]"


def test_without_a_domain_the_local_part_is_compared() -> None:
    assert (address_key("JSmith"), address_key("@firm.example"), address_key("jsmith@")) == ("jsmith", None, None)


def test_a_tag_is_a_second_form_unless_tags_are_kept() -> None:
    assert address_keys("Anna+Desk@firm.example") == ["anna+desk@firm.example", "anna@firm.example"]
    assert address_keys('"anna+desk"@firm.example') == ["anna+desk@firm.example", "anna@firm.example"]
    assert address_keys("anna+desk@firm.example", plus_addressing="keep") == ["anna+desk@firm.example"]
    assert address_keys("+desk@firm.example") == ["+desk@firm.example"]


@pytest.mark.parametrize(
    "spelling",
    [
        "v@firm.example",
        "V+1@Firm.Example.",
        '"v+q"@firm.example',
        "v+a+b@firm.example",
        '"v"@firm.example',
        "\uff36@firm.example",
    ],
)
def test_a_mailbox_is_counted_whatever_its_spelling(spelling: str) -> None:
    assert mailbox_key(spelling) == "v@firm.example"


def test_dots_in_the_local_part_are_one_mailbox_for_limits_alone() -> None:
    assert mailbox_key("a.nn.a@firm.example") == mailbox_key("anna@firm.example")
    assert address_key("a.nn.a@firm.example") != address_key("anna@firm.example")


def test_the_domain_of_what_has_none() -> None:
    assert (domain_of("A@Firm.example"), domain_of("jsmith"), domain_of(f"k@{KELVIN}.example")) == (
        "firm.example",
        None,
        None,
    )


def test_a_part_in_quotes_is_read_like_the_rest() -> None:
    assert address_key('anna."b"@firm.example') == "anna.b@firm.example"
    assert address_key('"an\\"na"@firm.example') == '"an\\"na"@firm.example'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("anna@firm.example", "anna@firm.example"),
        (" Anna Lee <anna@firm.example> ", "anna@firm.example"),
        ("<anna@firm.example>", "anna@firm.example"),
        ("anna@firm.example<mailto:anna@firm.example>", "anna@firm.example"),
        ("Anna@firm.example <mailto:anna@FIRM.example>", "Anna@firm.example"),
        ("mailto:anna@firm.example", "anna@firm.example"),
        ("anna@firm.example<mailto:bob@firm.example>", None),
        ("anna@firm.example, bob@firm.example", None),
        ("anna@firm.example; bob@firm.example", None),
        ("bob@firm.example <anna@firm.example>", None),
        ("anna@firm.example (work)", None),
        ("anna lee@firm.example", None),
        ("anna", None),
        ("", None),
    ],
)
def test_the_address_that_a_person_writes_in_a_line(text: str, expected: str | None) -> None:
    assert written_address(text) == expected
