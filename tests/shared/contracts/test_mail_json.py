"""A parsed mail over the wire and back, unchanged; anything else is refused."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts import codec
from shared.contracts.errors import Undecodable
from shared.contracts.mail import Address, Attachment, Bounce, BouncedRecipient, Forwarded, Kind, ParsedMail, Routing

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
MAYBE = st.none() | TEXT
ADDRESS = st.builds(Address, TEXT, TEXT)
ATTACHMENT = st.builds(Attachment, TEXT, TEXT, st.integers(0, 1 << 40), TEXT, st.booleans(), MAYBE)
RECIPIENT = st.builds(
    BouncedRecipient, TEXT, MAYBE, MAYBE, st.none() | st.integers(0, 999), st.none() | st.booleans(), MAYBE, MAYBE
)
TUPLE = st.lists(TEXT, max_size=3).map(tuple)
MAIL = st.builds(
    ParsedMail,
    sha256=TEXT,
    size=st.integers(0, 1 << 40),
    message_id=MAYBE,
    in_reply_to=MAYBE,
    references=TUPLE,
    date=MAYBE,
    from_=st.none() | ADDRESS,
    sender=st.none() | ADDRESS,
    reply_to=st.lists(ADDRESS, max_size=2).map(tuple),
    to=st.lists(ADDRESS, max_size=2).map(tuple),
    cc=st.lists(ADDRESS, max_size=2).map(tuple),
    subject=TEXT,
    text=TEXT,
    html=MAYBE,
    new_text=TEXT,
    attachments=st.lists(ATTACHMENT, max_size=2).map(tuple),
    kind=st.sampled_from(Kind.__args__),  # type: ignore[attr-defined]
    bounce=st.none() | st.builds(Bounce, st.lists(RECIPIENT, max_size=2).map(tuple)),
    automatic=st.booleans(),
    automatic_header=MAYBE,
    forwarded_from=st.none() | ADDRESS,
    routing=st.builds(Routing, MAYBE, MAYBE, TUPLE, TUPLE, TUPLE),
    defects=TUPLE,
    forwarded=st.none() | st.builds(Forwarded, st.none() | ADDRESS, TEXT, TEXT, TEXT, TEXT, MAYBE, st.booleans()),
    lists=TUPLE,
)


def a_message(**changes: Any) -> dict[str, Any]:
    return {**codec.mail_to_json(ParsedMail(sha256="0", size=1)), **changes}


@given(MAIL)
def test_a_mail_survives_the_wire(mail: ParsedMail) -> None:
    said = json.dumps(codec.mail_to_json(mail), ensure_ascii=False).encode("utf-8")
    assert codec.mail_from_json(json.loads(said)) == mail


def test_every_field_of_the_contract_travels() -> None:
    names = {field.name.rstrip("_") for field in fields(ParsedMail)}
    assert set(codec.mail_to_json(ParsedMail(sha256="0", size=1))) == names


def test_unknown_fields_are_ignored_and_absent_lists_are_empty() -> None:
    message = a_message(future="x")
    del message["to"], message["routing"]
    assert codec.mail_from_json(message) == ParsedMail(sha256="0", size=1)


@pytest.mark.parametrize(
    "changes",
    [
        {"size": "1"},
        {"size": True},
        {"size": -1},
        {"size": 10**400},
        {"size": 1.0},
        {"sha256": None},
        {"subject": 1},
        {"subject": "\ud800"},
        {"from": "a@b.example"},
        {"from": {"$gt": ""}},
        {"from": {"name": "x"}},
        {"from": {"name": "x", "address": {"$ne": 1}}},
        {"to": {}},
        {"to": [None]},
        {"references": "x"},
        {"references": [1]},
        {"references": ["\udfff"]},
        {"kind": "joke"},
        {"automatic": 1},
        {"attachments": [{}]},
        {"bounce": []},
        {"bounce": {"recipients": [{"address": "x", "permanent": "no"}]}},
        {"routing": []},
        {"defects": [None]},
    ],
    ids=repr,
)
def test_what_has_another_type_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Undecodable):
        codec.mail_from_json(a_message(**changes))


@pytest.mark.parametrize("data", [None, [], "x", 1, {}, {"size": 1}], ids=repr)
def test_what_is_not_a_mail_is_refused(data: object) -> None:
    with pytest.raises(Undecodable):
        codec.mail_from_json(data)
