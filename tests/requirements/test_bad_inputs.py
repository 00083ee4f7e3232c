"""Bad inputs through the whole pipeline: each has exactly one outcome, its raw bytes are kept, and it harms no other.

The parser's own tests say what is read of each; here the row's outcome is what counts: a record, a rejection with
its reason, or a dead letter with the bound's name.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from shared.config.model import Settings
from shared.ids import mail_id
from shared.store.documents import Document
from tests.builders import a_configuration, a_mail, a_person
from tests.desk import Desk
from tests.services.parser.test_mime_bad_inputs import READ, REFUSED

REJECTED = {
    "09-zero-bytes": "empty",
    "14-delivery-status": "bounce",
    "29-subject-of-5-mb": "subject-length",
}
"""Rows whose outcome is a rejection, with the rule that objects."""


def outcomes_of(desk: Desk, raws: list[bytes]) -> list[Document]:
    """The mails' documents in the order in which they were handed in."""
    desk.receive(*raws)
    found = {mail["raw"]: mail for mail in desk.mails()}
    hashes = [desk.store.put_blob(raw) for raw in raws]
    assert all(mail_id("support", None, sha256) == found[sha256]["_id"] for sha256 in hashes)
    return [found[sha256] for sha256 in hashes]


@pytest.mark.req("PR-01", "PR-15")
def test_every_readable_row_is_a_record_or_is_rejected_by_the_rule_it_names(desk: Desk) -> None:
    mails = outcomes_of(desk, [raw for _, raw, _, _ in READ])
    for (row, raw, _, _), mail in zip(READ, mails, strict=True):
        expected = ("rejected", REJECTED[row]) if row in REJECTED else ("recorded", None)
        assert (mail["outcome"], mail.get("rule")) == expected, row
        assert desk.store.get_blob(mail["raw"]) == raw, row
    assert desk.dead_letters() == []


@pytest.mark.req("IV-37", "PR-12")
def test_every_refused_row_is_a_dead_letter_with_the_bounds_name_and_an_incident(desk: Desk) -> None:
    mails = outcomes_of(desk, [a_mail(), *(raw for _, raw, _ in REFUSED)])
    assert mails[0]["outcome"] == "recorded"
    for (row, raw, bound), mail in zip(REFUSED, mails[1:], strict=True):
        assert (mail["outcome"], bound in mail["reason"]) == ("dead", True), row
        assert len(mail["records"]) == 1, row
        assert desk.store.get_blob(mail["raw"]) == raw, row
    assert len(desk.dead_letters()) == len(REFUSED)


def test_row_28_the_receipt_time_rules_not_the_date_header(desk: Desk) -> None:
    desk.receive(a_mail(Date="Fri, 01 Jan 2050 00:00:00 +0000"), a_mail("b\n", Date="Thu, 01 Jan 1970 00:00:00 +0000"))
    assert {record["created_at"].year for record in desk.records()} == {2026}


def test_row_20_a_doubled_from_is_an_unknown_sender(desk: Desk) -> None:
    desk.configure(a_configuration(a_person("boss")))
    desk.receive(b"From: boss@example.com\r\nFrom: mallory@elsewhere.example\r\nSubject: pay\r\n\r\nnow\r\n")
    assert desk.record()["customer"] == "internal-services"


@pytest.mark.parametrize(
    "sender",
    [
        pytest.param('"boss@example.com" <mallory@elsewhere.example>', id="row-59-address-in-the-name"),
        pytest.param("boss@ex\u0430mple.com", id="row-60-homoglyph"),
        pytest.param("boss@evil-example.com", id="row-62-longer-domain"),
        pytest.param("boss@example.com.evil.example", id="row-62-subdomain"),
        pytest.param("boss@example.com <mallory@elsewhere.example>", id="row-63-cve-2023-27043"),
        pytest.param("<boss@example.com>mallory@elsewhere.example", id="row-63-address-behind"),
    ],
)
def test_a_lookalike_is_nobody_that_is_known(desk: Desk, sender: str) -> None:
    desk.configure(a_configuration(a_person("boss")))
    desk.receive(f"From: {sender}\r\nSubject: pay\r\n\r\nnow\r\n".encode())
    assert desk.record()["customer"] != "boss"


@pytest.mark.parametrize(("setting", "same"), [("ignore", True), ("keep", False)])
def test_row_65_plus_addresses_are_one_person_or_two_by_setting(desk: Desk, setting: str, same: bool) -> None:
    desk.configure(a_configuration(settings=Settings(plus_addressing=setting)))  # type: ignore[arg-type]
    desk.receive(a_mail("a\n", sender="jan@customer.example"), a_mail("b\n", sender="Jan+x@Customer.example"))
    first, second = desk.records()
    assert (first["customer"] == second["customer"]) is same


def test_row_52_a_mail_over_the_limit_is_rejected_and_kept(desk: Desk) -> None:
    desk.configure(a_configuration(settings=replace(Settings(), max_mail_size=10_000)))
    raw = a_mail("x" * 20_000)
    (mail,) = desk.receive(raw)
    assert (mail["outcome"], mail["rule"]) == ("rejected", "size")
    assert desk.store.get_blob(mail["raw"]) == raw


def test_row_94_a_template_in_a_subject_stays_what_it_is(desk: Desk) -> None:
    desk.receive(a_mail(subject="{{7*7}} ${PATH} {number} @Body"))
    assert desk.record()["subject"] == "{{7*7}} ${PATH} {number} @Body"


def test_row_87_a_virus_test_file_is_kept_as_bytes_like_any_other(desk: Desk) -> None:
    content = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR" + b"-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
    desk.receive(a_mail(files=(("eicar.com", "application/octet-stream", content),)))
    (activity,) = desk.activities(desk.record())
    assert desk.store.get_blob(activity["attachments"][0]["sha256"]) == content
