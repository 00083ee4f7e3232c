"""What is believed about a sender (RFC 8601)."""

from __future__ import annotations

import sys

import pytest

from services.record_writer.decide.people.trust import is_authenticated
from shared.contracts.mail import Address, ParsedMail, Routing

OURS = "mx.desk.example"


def stated(*values: str, sender: str = "anna@customer.example", defects: tuple[str, ...] = ()) -> bool:
    routing = Routing(authentication_results=values)
    mail = ParsedMail("0", 1, from_=Address("", sender), routing=routing, defects=defects)
    return is_authenticated(mail, (OURS,))


@pytest.mark.parametrize(
    ("value", "genuine"),
    [
        (f"{OURS}; dmarc=pass header.from=customer.example", True),
        (f"{OURS} 1; spf=pass smtp.mailfrom=x@y.example; dmarc=pass (p=none) header.from=customer.example", True),
        (f"{OURS}; dkim=pass header.d=customer.example header.s=s1", True),
        (f"{OURS}; dkim=pass header.i=@customer.example", True),
        (f"{OURS.upper()}; DMARC=PASS header.from=Customer.Example", True),
        (f"{OURS}; dmarc=fail header.from=customer.example", False),
        (f"{OURS}; dmarc=pass header.from=evil.example", False),
        (f"{OURS}; dmarc=pass", False),
        (f"{OURS}; dkim=pass header.d=evil.example", False),
        (f"{OURS}; dkim=pass header.d=example", False),
        (f"{OURS}; dkim=fail header.d=customer.example; spf=pass smtp.mailfrom=customer.example", False),
        (f"{OURS}; none", False),
        (f"{OURS}; dmarc=none header.from=customer.example; dkim=pass header.d=customer.example", True),
        (f"{OURS}; dmarc=temperror header.from=customer.example; dkim=pass header.d=customer.example", False),
        (f"{OURS}; dmarc=fail header.from=customer.example; dkim=pass header.d=customer.example", False),
        (f"{OURS}; dmarc=pass header.from=customer.example; dmarc=fail header.from=customer.example", False),
        (f"{OURS}; dmarc=pass header.from=customer.example; dmarc=pass header.from=evil.example", False),
        (f"{OURS}; dmarc=pass header.from=customer.example header.from=customer.example", False),
        (f"{OURS}; x-dmarc=pass header.from=customer.example", False),
        (f"{OURS}; dmarc-x=pass header.from=customer.example", False),
        (f"{OURS}; dmarc=passed header.from=customer.example", False),
        (f"{OURS}; dmarc=pass policy.from=customer.example", False),
        (f"{OURS}; dmarc=pass header.from=customer.example.evil.example", False),
        (f"{OURS}; dmarc=pass header.from=notcustomer.example", False),
        (f"{OURS}; arc=pass header.from=customer.example; spf=pass smtp.mailfrom=customer.example", False),
        (f"{OURS}; dkim=pass header.d=customer.example header.i=@evil.example", False),
        (f"{OURS}; dkim=pass header.d=evil.example header.d=customer.example", False),
        (f"{OURS}; dkim=pass header.d=customer.example header.i=@mail.customer.example header.b=Ab/c+d=", True),
        (f"{OURS} (our (own) filter) ; dmarc (policy) = (fine) pass (p=none) header . from = Customer.Example.", True),
        (f'{OURS} 1 ; dmarc/1=pass reason="all is well; dmarc=fail" header.from="customer.example"', True),
        (f"{OURS};dkim=pass (2048-bit key) header.d=customer.example header.s=s x-bits=2048;dmarc=none", True),
        (f'"{OURS}"; dmarc=pass header.from=customer.example', True),
        (f"({OURS}) mx.evil.example; dmarc=pass header.from=customer.example", False),
        (f"mx.evil.example ({OURS}); dmarc=pass header.from=customer.example", False),
        (f"mx.evil.example {OURS}; dmarc=pass header.from=customer.example", False),
        (f"x{OURS}; dmarc=pass header.from=customer.example", False),
        (f"{OURS}.evil.example; dmarc=pass header.from=customer.example", False),
        (f"{OURS} 2; dmarc=pass header.from=customer.example", False),
        (f"{OURS}; dmarc/2=pass header.from=customer.example", False),
        (f"{OURS}; none; dmarc=pass header.from=customer.example", False),
        (f"{OURS}; dmarc=pass header.from=customer.example;", False),
        (f"{OURS}; dmarc=pass header.from=customer.example garbage", False),
        (f"{OURS}; dmarc=pass action=none header.from=customer.example", False),
        (f"{OURS}; dmarc=pass header.from=customer.example (open", False),
        (f"{OURS}; dmarc=pass header.from=customer.example ) (", False),
        (f'{OURS}; spf=pass smtp.mailfrom="x; dmarc=pass header.from=customer.example"@e.example', False),
        (f'{OURS}; spf=pass smtp.mailfrom="x\\"; dmarc=pass header.from=customer.example"@e.example', False),
        (f'{OURS}; spf=pass smtp.mailfrom="open; dmarc=pass header.from=customer.example', False),
        (f"{OURS}; spf=pass (a(b)c; dmarc=pass header.from=customer.example d) smtp.mailfrom=e.example", False),
        (f"{OURS}; spf=pass (a\\)c; dmarc=pass header.from=customer.example d) smtp.mailfrom=e.example", False),
        (f"{OURS}; spf=pass ({'A' * 600}; dmarc=pass header.from=customer.example) smtp.mailfrom=e.example", False),
        (f'{OURS}; spf=fail reason="x; dmarc=pass header.from=customer.example" smtp.mailfrom=e.example', False),
        (f"{OURS}; spf=fail smtp.helo=x\x00; dmarc=pass header.from=customer.example", False),
        (f'{OURS}; spf=fail smtp.helo=x"y"; dmarc=pass header.from=customer.example', False),
        (f"{OURS}; x=y (dmarc=pass header.from=customer.example)", False),
        ("mx.evil.example; dmarc=pass header.from=customer.example", False),
        ("", False),
    ],
)
def test_only_what_our_own_server_states_for_the_senders_domain_counts(value: str, genuine: bool) -> None:
    assert stated(value) is genuine


def test_a_subdomain_is_signed_for_by_the_domain_above_it() -> None:
    assert stated(f"{OURS}; dkim=pass header.d=customer.example", sender="a@mail.customer.example")
    assert not stated(f"{OURS}; dkim=pass header.d=mail.customer.example", sender="a@customer.example")


def test_names_of_servers_and_domains_are_compared_as_a_labels() -> None:
    routing = Routing(authentication_results=("xn--mx-via.example; dmarc=pass header.from=B\u00fccher.example",))
    mail = ParsedMail("0", 1, from_=Address("", "a@xn--bcher-kva.example"), routing=routing)
    assert is_authenticated(mail, ("M\u00e4X.example",))


def test_a_domain_that_only_looks_like_the_senders_states_nothing() -> None:
    assert not stated(f"{OURS}; dmarc=pass header.from=\u212aiwi.example", sender="a@kiwi.example")
    assert not stated(f"{OURS}; dmarc=pass header.from=kiwi.example", sender="a@\u212aiwi.example")


def test_an_address_without_a_domain_is_nobodys() -> None:
    assert not stated(f"{OURS}; dmarc=pass header.from=anna", sender="anna")


def test_a_foreign_header_above_ours_hides_nothing_and_ours_that_cannot_be_read_hides_what_is_below() -> None:
    genuine = f"{OURS}; dmarc=pass header.from=customer.example"
    assert stated("mx.other.example; dmarc=fail header.from=customer.example", genuine)
    assert stated("(never closed", genuine)
    assert not stated(f"{OURS}; dmarc=pass header.from=customer.example (", genuine)


@pytest.mark.parametrize("piece", ["(", "()", "\\(", '"', '\\"', "; a=b", " x.y=z", " ", "a=", "(a", '"a"'])
def test_the_work_for_a_value_grows_with_its_length_and_no_faster(piece: str) -> None:
    def steps(times: int) -> int:
        count = 0

        def step(*_: object) -> None:
            nonlocal count
            count += 1

        sys.setprofile(step)
        try:
            stated(f"{OURS}; spf=pass {piece * times}")
        finally:
            sys.setprofile(None)
        return count

    assert steps(2000) < 2.2 * steps(1000) + 100


def test_one_of_several_authors_is_never_genuine() -> None:
    said = f"{OURS}; dmarc=pass header.from=customer.example"
    assert stated(said)
    assert not stated(said, defects=("several-authors",))


def test_only_the_topmost_statement_of_our_server_counts() -> None:
    forged = f"{OURS}; dmarc=pass header.from=customer.example"
    assert not stated(f"{OURS}; dmarc=fail header.from=customer.example", forged)
    assert not stated()


def test_without_a_trusted_server_or_a_sender_nobody_is_genuine() -> None:
    routing = Routing(authentication_results=("; dmarc=pass header.from=customer.example",))
    assert not is_authenticated(ParsedMail("0", 1, from_=Address("", "a@customer.example"), routing=routing), ())
    assert not is_authenticated(ParsedMail("0", 1, routing=routing), (OURS,))
