"""Addresses in other spellings, through the whole pipeline: none gains access, none evades a rule."""

from __future__ import annotations

import pytest

from shared.config.model import ObjectMatch, RecordType, Rule, SenderPolicy, Statuses
from tests.builders import a_configuration, a_mail, a_person, an_analyst, an_inbox
from tests.desk import Desk

KELVIN = "\u212a"


def _written(sender: str, **headers: str) -> bytes:
    """A mail whose From is written as given, in UTF-8 (RFC 6532)."""
    return a_mail(sender="placeholder@firm.example", **headers).replace(b"placeholder@firm.example", sender.encode())


@pytest.mark.req("VS-03")
@pytest.mark.parametrize("domain", [f"{KELVIN}iwi.example", "\uff4biwi.example", "ki\u00adwi.example"], ids=ascii)
def test_an_address_that_looks_like_an_analysts_is_nobodys(desk: Desk, domain: str) -> None:
    desk.configure(a_configuration(an_analyst("kim", addresses=("kim@kiwi.example",))))
    desk.receive(a_mail())
    desk.receive(_written(f"kim@{domain}", subject="[incident - INC1] now mine"))
    desk.receive(_written(f"kim@{domain}"))
    first, *_, last = desk.records()
    assert (first["updated_by_mail"], last["customer"]) == (False, "internal-services")


def test_a_local_part_that_looks_like_another_is_somebody_else(desk: Desk) -> None:
    desk.configure(a_configuration(an_analyst("kim", addresses=("kim@kiwi.example",))))
    desk.receive(_written(f"{KELVIN}im@kiwi.example"))
    assert desk.record()["customer"] not in (None, "kim")


def test_a_person_is_found_under_a_domain_that_the_configuration_writes_in_letters(desk: Desk) -> None:
    desk.configure(a_configuration(a_person("jana", addresses=("jana@xn--mnchen-3ya.example",))))
    desk.receive(_written("Jana@MÜNCHEN.example"))
    assert desk.record()["customer"] == "jana"


@pytest.mark.req("PR-02")
@pytest.mark.parametrize(
    "sender",
    [
        "support@example.com",
        "Support@EXAMPLE.com",
        '"support"@example.com',
        "support+desk@example.com",
        "support@example.com.",
    ],
)
def test_our_own_address_is_a_loop_in_every_spelling(desk: Desk, sender: str) -> None:
    (mail,) = desk.receive(_written(sender))
    assert (mail["outcome"], mail.get("rule")) == ("rejected", "own-address")


@pytest.mark.req("TI-20")
@pytest.mark.parametrize("wanted", ["spam@münchen.example", "spam@xn--mnchen-3ya.example", "@MÜNCHEN.example"])
@pytest.mark.parametrize(
    "sender", ["spam@xn--mnchen-3ya.example", '"spam"@münchen.example', "SPAM@mu\u0308nchen.example."]
)
def test_a_rule_meets_an_address_in_every_spelling(desk: Desk, wanted: str, sender: str) -> None:
    desk.configure(a_configuration(rules=(Rule("no-spam", {"sender": (wanted,)}),)))
    (mail,) = desk.receive(_written(sender))
    assert (mail["outcome"], mail.get("rule")) == ("rejected", "no-spam")


@pytest.mark.req("IV-24")
def test_an_object_is_not_found_by_an_address_that_looks_alike(desk: Desk) -> None:
    policy = SenderPolicy("object", object=ObjectMatch("location", "reported_from", "Email"))
    fields = {"Email": "text"}
    location = RecordType("location", "Location", "LocationNumber", "LOC", fields, Statuses(("Active",), (), ("Gone",)))
    desk.configure(a_configuration(an_inbox(sender=policy), record_types=(location,)))
    alike = f"{KELVIN}im@kiwi.example"
    desk.receive(_written("Kim@kiwi.example"))
    desk.receive(_written(alike))
    desk.receive(_written("KIM@kiwi.example"))
    assert [each["fields"]["Email"] for each in desk.records("location")] == ["kim@kiwi.example", alike]
