"""What is believed about a sender (RFC 8601)."""

from __future__ import annotations

import pytest

from services.record_writer.decide.trust import is_authenticated
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
