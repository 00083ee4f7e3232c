"""Whose mail it is when From is the address of a list, a form or the desk itself (PR-18)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

from services.parser import mime
from shared.config.model import CommandPolicy, SenderPolicy, Settings
from shared.config.reading import load_bytes
from shared.contracts.mail import Address
from shared.store.documents import Document
from tests.builders import a_configuration, a_mail, a_person, an_inbox
from tests.desk import Desk

FIELD: Final = Path(__file__).resolve().parents[3] / "shared" / "corpus" / "field"
NORA: Final = "Nora Lind <nora@customer.example>"
OURS: Final = "'Nora Lind' via Support <support@example.com>"


def customer(desk: Desk) -> tuple[str, str]:
    """Name and address of the only record's customer."""
    (record,) = desk.records("incident")
    (person,) = desk.store.find("people", {"_id": record["customer"]})
    return person["name"], person["addresses"][0]


def read(**headers: Any) -> tuple[Address | None, Address | None]:
    """Who wrote a mail, and its From as it stands when that is somebody else's."""
    mail = mime.read(a_mail(**headers)).mail
    return mail.from_, mail.rewritten_from


def received(desk: Desk, *mails: bytes, **inbox: Any) -> list[Document]:
    desk.configure(a_configuration(an_inbox(**inbox)))
    return desk.receive(*mails)


@pytest.mark.req("PR-18")
@pytest.mark.parametrize(
    "headers",
    [
        {"X_Original_From": NORA},
        {"X_Original_Sender": "nora@customer.example"},
        {"Reply_To": NORA},
        {"Reply_To": f"{NORA}, Support <support@example.com>"},
        {"X_Original_Sender": "nora@customer.example", "Reply_To": "Carl <carl@example.net>"},
    ],
)
def test_the_sender_is_who_a_mail_from_our_own_address_names(desk: Desk, headers: dict[str, str]) -> None:
    (mail,) = received(desk, a_mail(sender=OURS, **headers))
    assert mail["outcome"] == "recorded"
    assert customer(desk) == ("Nora Lind", "nora@customer.example")
    assert "from-rewritten" in mail["defects"]


@pytest.mark.req("PR-18")
@pytest.mark.parametrize(
    "headers",
    [{}, {"Reply_To": "support@example.com"}, {"Reply_To": f"{NORA}, Carl <carl@example.net>"}],
    ids=["nobody", "ourselves", "two"],
)
def test_a_mail_from_our_own_address_that_names_no_single_sender_is_a_loop(desk: Desk, headers: dict[str, str]) -> None:
    (mail,) = received(desk, a_mail(sender=OURS, **headers))
    assert (mail["outcome"], mail["rule"]) == ("rejected", "own-address")


LISTS: Final = {
    "List-Post": {"List_Post": "<https://lists.example/post>, <mailto:users@lists.example>"},
    "List-Id": {"List_Id": "The users <users.lists.example>"},
    "Mailing-list": {"Mailing_list": "list users@lists.example; contact users+owners@lists.example"},
    "Mailman": {"X_BeenThere": "users@lists.example"},
}


@pytest.mark.req("PR-18")
@pytest.mark.parametrize("headers", LISTS.values(), ids=LISTS.keys())
def test_a_list_that_rewrote_from_is_seen_through(headers: dict[str, str]) -> None:
    shown = "Nora Lind via Users <users@lists.example>"
    expected = (Address("Nora Lind", "nora@customer.example"), Address("Nora Lind via Users", "users@lists.example"))
    assert read(sender=shown, Reply_To="nora@customer.example", **headers) == expected
    assert read(sender=shown, X_Original_From=NORA, **headers) == expected


@pytest.mark.req("PR-18")
@pytest.mark.parametrize("local", ["nora=customer.example", "nora=40customer.example"])
def test_an_address_that_a_list_wrote_into_its_own_is_the_author(local: str) -> None:
    author, shown = read(sender=f"Nora Lind <{local}@dmarc.lists.example>", X_Original_From=NORA)
    assert author == Address("Nora Lind", "nora@customer.example")
    assert shown is not None


@pytest.mark.req("PR-18")
@pytest.mark.parametrize(
    "headers",
    [
        {"X_Original_From": NORA},
        {"Reply_To": NORA},
        {"Reply_To": NORA, "List_Post": "<mailto:users@lists.example>"},
        {"X_Original_From": NORA, "List_Id": "<users.lists.example>"},
    ],
)
def test_an_author_with_an_address_of_his_own_stays_the_sender(headers: dict[str, str]) -> None:
    assert read(sender="Eve <eve@example.net>", **headers) == (Address("Eve", "eve@example.net"), None)


@pytest.mark.req("PR-18")
def test_who_a_list_names_is_not_authenticated(desk: Desk) -> None:
    nora = a_person("nora", addresses=("nora@customer.example",))
    proof = "mx.example.com; dmarc=pass header.from=customer.example"
    inbox = an_inbox(commands=CommandPolicy(trust="authenticated"))
    desk.configure(a_configuration(inbox, nora, settings=Settings(trusted_authserv_ids=("mx.example.com",))))
    desk.receive(a_mail(sender=NORA, Authentication_Results=proof))
    (proven,) = desk.receive(a_mail(sender=NORA, subject="[Incident - 1]", Authentication_Results=proof))
    rewritten = a_mail(sender=OURS, Reply_To=NORA, subject="[Incident - 1]", Authentication_Results=proof)
    (unproven,) = desk.receive(rewritten)
    assert [each["number"] for each in proven["records"]] == ["INC1"]
    assert "INC1" not in [each["number"] for each in unproven["records"]]


@pytest.mark.req("PR-18")
def test_the_customer_of_a_listed_form_is_who_its_reply_to_names(desk: Desk) -> None:
    form = a_mail(sender="Web Form <form@web.example>", Reply_To=NORA)
    (mail,) = received(desk, form, sender=SenderPolicy(forms=("Form@web.example",)))
    assert mail["outcome"] == "recorded"
    assert customer(desk) == ("Nora Lind", "nora@customer.example")


@pytest.mark.req("PR-18")
def test_forms_are_read_from_the_configuration() -> None:
    found = load_bytes(
        b"inboxes:\n  - {name: support, address: support@example.com, sender: {forms: [form@web.example]}}\n"
    )
    inbox = found.inbox("support")
    assert inbox is not None
    assert inbox.sender.forms == ("form@web.example",)


@pytest.mark.req("VF-21")
def test_who_is_named_in_reply_to_takes_part(desk: Desk) -> None:
    if not FIELD.is_dir():
        pytest.skip("the shared corpus is not beside this checkout")
    mails = [(FIELD / f"contact-form-reply-to-{number}.eml").read_bytes() for number in (1, 2)]
    desk.configure(a_configuration(an_inbox()))
    assert [mail["records"][0]["number"] for raw in mails for mail in desk.receive(raw)] == ["INC1", "INC1"]
