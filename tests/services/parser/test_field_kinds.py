"""Mails after public bug reports of other systems: what kind they are, and who did not get his mail."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from services.parser import mime
from shared.contracts.mail import BouncedRecipient, ParsedMail

FIELD: Final = Path(__file__).resolve().parents[4] / "shared" / "corpus" / "field"
pytestmark = pytest.mark.skipif(not FIELD.is_dir(), reason="the shared corpus is not beside this checkout")


def read(name: str) -> ParsedMail:
    return mime.read((FIELD / f"{name}.eml").read_bytes()).mail


def failed(name: str) -> BouncedRecipient:
    """The one recipient that did not get the mail."""
    mail = read(name)
    assert mail.kind == "bounce"
    assert mail.bounce is not None
    (one,) = mail.bounce.recipients
    return one


@pytest.mark.req("PR-02")
def test_a_person_who_asks_about_absence_notes_is_heard() -> None:
    mail = read("person-asks-about-absence-notes")
    assert (mail.kind, mail.automatic) == ("message", False)


@pytest.mark.req("VF-02")
@pytest.mark.parametrize(
    ("name", "address", "status", "code"),
    [
        ("report-inside-scanner-wrap", "gone@example.edu", "5.1.1", 550),
        ("quoted-server-reply", "full@example.edu", "5.2.2", 550),
        ("status-of-a-path-recipient", "alias%example.edu@mx.example.edu", "5.0.0", None),
        ("postmaster-plain-report", "gone@example.edu", "5.4.14", 554),
    ],
)
def test_a_report_names_who_failed_and_why(name: str, address: str, status: str, code: int | None) -> None:
    one = failed(name)
    assert (one.address, one.status, one.smtp_code, one.permanent) == (address, status, code, True)


def test_the_reason_of_a_quoted_reply_is_that_of_the_server() -> None:
    assert failed("quoted-server-reply").reason == "mailbox-full"


@pytest.mark.parametrize(
    ("name", "address", "defect"),
    [
        ("smtp-prefix-in-from", "nora@customer.example", "malformed-address"),
        ("one-usable-from-of-two", "person@example.org", "several-from"),
    ],
)
def test_an_odd_from_names_its_only_address(name: str, address: str, defect: str) -> None:
    mail = read(name)
    assert mail.from_ is not None
    assert mail.from_.address == address
    assert defect in mail.defects
