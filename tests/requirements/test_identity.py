"""Requirements VF-16, VF-21: who reaches a record. A name opens nothing, a Message-ID only what one took part in."""

from __future__ import annotations

from typing import Any

import pytest

from shared.config.model import (
    BUILT_IN_FIELDS,
    CommandPolicy,
    Inbox,
    ObjectMatch,
    RecordType,
    SenderPolicy,
    Settings,
    Template,
)
from shared.contracts.mail import Address
from shared.store.mails import FIRST_CLAIMS, MANY_CLAIMS, RecordLabel
from tests.builders import a_configuration, a_mail, a_person, a_stored_mail, an_analyst, an_inbox
from tests.desk import Desk
from tests.fields import fields_of

VICTIM, EVE = "victim@x.example", "eve@evil.example"
ID = "<M1@x.example>"
CLAIM: dict[str, Any] = {"message_key": "m1@x.example", "from_": Address("", EVE), "sender_key": EVE}
OURS = "mx.desk.example"


@pytest.fixture
def nocreate(desk: Desk) -> Desk:
    """A desk whose inbox makes no people: only addresses can take part."""
    desk.configure(a_configuration(an_inbox(sender=SenderPolicy(policy="without_creating")), an_analyst()))
    return desk


def counts(desk: Desk) -> list[int]:
    """Activities of each record, the oldest record first."""
    return [len(desk.activities(record)) for record in desk.records()]


def answering(*ids: str, sender: str = VICTIM, text: str = "more\n", **keys: Any) -> bytes:
    return a_mail(text, sender=sender, subject=keys.pop("subject", "Re: Printer"), References=" ".join(ids), **keys)


@pytest.mark.req("VF-21")
@pytest.mark.parametrize("name", ["ann", "Ann Analyst", "ANN", "ann@example.com"])
def test_a_display_name_makes_nobody_take_part(desk: Desk, name: str) -> None:
    template = Template("t", "incident", {"Owner": "ann"})
    desk.configure(a_configuration(an_inbox(template="t"), a_person("bob"), an_analyst(), templates=(template,)))
    stranger = f'"{name}" <{EVE}>'
    desk.receive(a_mail("help\n", sender="bob@example.com"))
    desk.receive(a_mail("hello\n", sender=stranger), a_mail("reset\n", sender=stranger, subject="[incident - INC1]"))
    assert counts(desk) == [1, 1, 1]


@pytest.mark.req("VF-21")
def test_an_owner_that_is_only_a_name_opens_nothing_to_whoever_bears_it(desk: Desk) -> None:
    template = Template("t", "incident", {"Owner": "eve"})
    desk.configure(a_configuration(an_inbox(template="t"), a_person("eve", addresses=()), templates=(template,)))
    desk.receive(a_mail(), a_mail("hello\n", sender=f"eve <{EVE}>"))
    desk.receive(a_mail("mine\n", sender=f"eve <{EVE}>", subject="[incident - 1]"))
    assert counts(desk) == [1, 1, 1]


@pytest.mark.req("VF-21")
@pytest.mark.parametrize("first", [True, False], ids=["claimed before", "claimed after"])
def test_who_claims_a_message_id_neither_joins_its_record_nor_catches_its_replies(nocreate: Desk, first: bool) -> None:
    genuine = a_mail("help\n", sender=VICTIM, Message_ID=ID)
    claim = a_mail("claim\n", sender=EVE, Message_ID=ID, Cc=VICTIM)
    nocreate.receive(claim if first else genuine)
    nocreate.receive(genuine if first else claim)
    nocreate.receive(answering(ID, sender=EVE, text="join\n"), answering(ID, text="secret\n"))
    texts = {
        str(mail["from"]["address"]): [label["number"] for label in mail["records"]]
        for mail in nocreate.mails()
        if mail["subject"].startswith("Re:")
    }
    of_victim, of_eve = ("INC2", "INC1") if first else ("INC1", "INC2")
    assert texts == {VICTIM: [of_victim], EVE: [of_eve]}


@pytest.mark.req("VF-21")
def test_a_stranger_who_claims_nothing_gets_a_record_of_his_own(nocreate: Desk) -> None:
    nocreate.receive(a_mail("help\n", sender=VICTIM, Message_ID=ID))
    nocreate.receive(answering(ID, sender=EVE), a_mail("x\n", sender=EVE), answering(ID, sender=EVE, text="again\n"))
    assert counts(nocreate) == [1, 1, 1, 1]
    assert nocreate.outbox() == []


@pytest.mark.req("VF-21")
@pytest.mark.parametrize("inbox", ["support", "sales"])
def test_one_who_was_copied_reaches_the_first_record_of_an_id_in_whichever_inbox(nocreate: Desk, inbox: str) -> None:
    policy = SenderPolicy(policy="without_creating")
    nocreate.configure(a_configuration(an_inbox(sender=policy), an_inbox("sales", sender=policy)))
    nocreate.receive(a_mail("help\n", sender=VICTIM, Cc="colleague@x.example", Message_ID=ID))
    nocreate.receive(a_mail("claim\n", sender=EVE, Cc="colleague@x.example", Message_ID=ID), inbox=inbox)
    nocreate.receive(answering(ID, sender="colleague@x.example"), inbox=inbox)
    assert counts(nocreate) == [2, 1]


@pytest.mark.req("VF-21")
def test_a_nearer_id_that_a_stranger_claims_leads_nobody_away_from_the_own_record(nocreate: Desk) -> None:
    nocreate.receive(a_mail("help\n", sender=VICTIM, Message_ID=ID))
    nocreate.receive(a_mail("claim\n", sender=EVE, Cc=VICTIM, Message_ID="<private@x.example>"))
    nocreate.receive(answering(ID, "<private@x.example>"))
    assert counts(nocreate) == [2, 1]


@pytest.mark.req("VF-21")
@pytest.mark.parametrize("sender", [VICTIM, "colleague@x.example"])
def test_a_flood_of_one_id_pushes_out_neither_the_own_mail_nor_the_first(nocreate: Desk, sender: str) -> None:
    nocreate.receive(a_mail("help\n", sender=VICTIM, Cc="colleague@x.example", Message_ID=ID))
    flood = MANY_CLAIMS + 10
    for n in range(flood):
        records, to = (RecordLabel(f"r{n}", "x", f"X{n}"),), (VICTIM, "colleague@x.example")
        facts = {"outcome": "recorded", "records": records, "received_at": nocreate.clock.now(), "to": to}
        nocreate.app.mails.receive(a_stored_mail(f"{n:032}", **CLAIM, **facts))
        nocreate.store.insert("records", {"_id": f"r{n}", "type": "x", "serial": n, "number": f"X{n}", "version": 1})
    nocreate.receive(answering(ID, sender=sender))
    assert len(nocreate.activities(nocreate.records("incident")[0])) == 2


def test_of_an_id_that_is_claimed_often_few_mails_are_read(nocreate: Desk) -> None:
    for n in range(MANY_CLAIMS * 2):
        sender, at = EVE if n else VICTIM, nocreate.clock.now()
        nocreate.app.mails.receive(a_stored_mail(f"{n:032}", message_key="k", sender_key=sender, received_at=at))
    found = nocreate.app.mails.with_message_ids(["k"], VICTIM)
    assert [int(mail.id) for mail in found] == list(range(FIRST_CLAIMS))
    found = nocreate.app.mails.with_message_ids(["k"], EVE)
    assert sorted(int(mail.id) for mail in found) == list(range(FIRST_CLAIMS + 1))


@pytest.mark.req("VF-21")
def test_the_id_of_a_mail_of_ours_is_ours(desk: Desk) -> None:
    desk.configure(a_configuration(an_analyst()))
    desk.receive(a_mail())
    desk.receive(a_mail("more\n", subject="Incident#1"))
    (told,) = desk.outbox()
    desk.receive(a_mail("claim\n", sender=EVE, Cc="anna@customer.example", Message_ID=told["message_id"]))
    desk.receive(answering(told["message_id"], sender=EVE, text="join\n"))
    desk.receive(answering(told["message_id"], sender="anna@customer.example"))
    assert counts(desk) == [3, 1, 1]


@pytest.mark.req("VF-21")
def test_a_stranger_delays_no_reply_by_a_claim_that_has_no_outcome(nocreate: Desk) -> None:
    nocreate.receive(a_mail("help\n", sender=VICTIM, Message_ID=ID))
    nocreate.app.mails.receive(a_stored_mail("x", **CLAIM, to=(VICTIM,), received_at=nocreate.clock.now()))
    nocreate.receive(answering(ID))
    assert counts(nocreate) == [2]


@pytest.mark.req("VF-21")
def test_who_is_recognised_joins_nothing_by_a_message_id(desk: Desk) -> None:
    desk.configure(a_configuration(a_person("bob"), an_analyst()))
    desk.receive(a_mail(Message_ID=ID))
    desk.receive(answering(ID, sender="bob@example.com"))
    old, new = desk.records()
    assert counts(desk) == [1, 1]
    assert [link.to_id for link in desk.app.records.links(new["_id"])] == [old["_id"]]
    assert desk.outbox() == []
    desk.receive(answering(ID, sender="ann@example.com"))
    assert counts(desk) == [2, 1]


@pytest.mark.req("VF-21")
def test_any_recognised_sender_joins_by_a_message_id_where_the_inbox_says_so(desk: Desk) -> None:
    desk.configure(a_configuration(an_inbox(commands=CommandPolicy(update_by="recognised")), a_person("bob")))
    desk.receive(a_mail(Message_ID=ID))
    desk.receive(answering(ID, sender="bob@example.com"), answering(ID, sender=EVE))
    assert counts(desk) == [2, 1]


@pytest.mark.req("VF-21")
@pytest.mark.parametrize("subject", ["Re: Printer", "[incident - 1]"])
def test_who_is_named_in_reply_to_takes_part(desk: Desk, subject: str) -> None:
    desk.configure(a_configuration(a_person("bob")))
    desk.receive(a_mail(Message_ID=ID, Reply_To="bob@example.com"))
    desk.receive(answering(ID, sender="bob@example.com", subject=subject))
    assert counts(desk) == [2]


@pytest.mark.req("VF-21")
def test_an_inbox_that_wants_a_proof_wants_it_for_replies_too(desk: Desk) -> None:
    inbox = an_inbox(commands=CommandPolicy(trust="authenticated"))
    desk.configure(a_configuration(inbox, settings=Settings(trusted_authserv_ids=(OURS,))))
    desk.receive(a_mail(Message_ID=ID))
    desk.receive(answering(ID, sender="anna@customer.example"))
    assert counts(desk) == [1, 1]
    proof = f"{OURS}; dmarc=pass header.from=customer.example"
    desk.receive(answering(ID, sender="anna@customer.example", text="proven\n", Authentication_Results=proof))
    assert counts(desk) == [2, 1]


@pytest.mark.req("VF-21")
def test_a_mail_that_addressed_nobody_has_no_participants(desk: Desk) -> None:
    desk.receive(a_mail(Message_ID=ID, to='"" <>'))
    desk.receive(answering(ID, sender=""))
    assert counts(desk) == [1, 1]


@pytest.fixture
def strict(desk: Desk) -> Desk:
    """A desk that wants a proof, with one record of Anna's."""
    inbox = an_inbox(commands=CommandPolicy(trust="authenticated"))
    desk.configure(a_configuration(inbox, settings=Settings(trusted_authserv_ids=(OURS,))))
    desk.receive(a_mail())
    return desk


CHANGE = RecordType("change", prefix="CHG", fields={**BUILT_IN_FIELDS, "Cost": "number"}, protected=("Cost",))
STATED = "Summary: New\nStatus: Closed\nOwner: admin\nCost: 5\nOwnerTeam: Mine\nPriority: 1\nCategory: Net\n"
HELD = "Status, Owner, Cost, OwnerTeam, Priority"


def changes(**keys: Any) -> Inbox:
    return an_inbox(processor="change", field_separator=":", **keys)


@pytest.mark.req("IV-42")
@pytest.mark.parametrize("update", [False, True], ids=["new record", "update"])
def test_protected_fields_of_anybody_but_an_analyst_stay_text_and_a_note_says_so(desk: Desk, update: bool) -> None:
    desk.configure(a_configuration(changes(), record_types=(CHANGE,)))
    if update:
        desk.receive(a_mail("Summary: Old\n"))
    desk.receive(a_mail(f"ChangeNumber: 1\n{STATED}" if update else STATED))
    record = desk.record("change")
    assert fields_of(record) == {"Summary": "New", "Category": "Net"}
    assert (record["status"], record["owner"], record["owner_team"]) == ("Logged", None, None)
    note = desk.activities(record)[-1]["text"]
    assert note == f"Kept as text, because this sender may not set it by mail: {HELD}"
    assert "Owner: admin" in (desk.activities(record)[-2]["text"] if update else record["description"])


@pytest.mark.req("IV-42")
def test_an_analyst_sets_protected_fields(desk: Desk) -> None:
    desk.configure(a_configuration(changes(), an_analyst(), record_types=(CHANGE,)))
    desk.receive(a_mail(STATED, sender="ann@example.com"))
    record = desk.record("change")
    assert fields_of(record) == {"Summary": "New", "Cost": 5, "Priority": 1, "Category": "Net"}
    assert (record["status"], record["owner"], record["owner_team"]) == ("Closed", "admin", "Mine")


@pytest.mark.req("IV-42")
def test_an_analyst_whom_the_inbox_wants_proven_sets_none_without_the_proof(desk: Desk) -> None:
    inbox = changes(commands=CommandPolicy(trust="authenticated"))
    settings = Settings(trusted_authserv_ids=(OURS,))
    desk.configure(a_configuration(inbox, an_analyst(), record_types=(CHANGE,), settings=settings))
    desk.receive(a_mail("Status: Closed\n", sender="ann@example.com"))
    proof = f"{OURS}; dmarc=pass header.from=example.com"
    desk.receive(a_mail("Status: Closed\n", sender="ann@example.com", Authentication_Results=proof))
    assert [record["status"] for record in desk.records("change")] == ["Logged", "Closed"]


@pytest.mark.req("IV-42", "VF-18")
@pytest.mark.parametrize("reopen", [False, True])
def test_no_mail_sets_or_reopens_the_outcome_of_an_approval(desk: Desk, reopen: bool) -> None:
    inbox = an_inbox(processor="approval", field_separator=":", commands=CommandPolicy(reopen_closed=reopen))
    desk.configure(a_configuration(inbox, an_analyst()))
    desk.receive(a_mail("Status: Approved\n", sender="ann@example.com"))
    approval = desk.record("approval")
    assert approval["status"] == "Pending"
    desk.store.update("records", {"_id": approval["_id"]}, {"$set": {"status": "Rejected"}, "$inc": {"version": 1}})
    desk.receive(a_mail("please\n", sender="ann@example.com", subject="Approval#1"))
    assert desk.record("approval")["status"] == "Rejected"


@pytest.mark.req("IV-23", "IV-42")
def test_nobody_but_an_analyst_sets_the_field_by_which_senders_are_recognised(desk: Desk) -> None:
    location = RecordType("location", fields={"Email": "text", "Title": "text"})
    place = ObjectMatch("location", "reported_from", match_from_field="Email")
    reports = an_inbox("reports", sender=SenderPolicy("object", "create", object=place))
    places = an_inbox("places", processor="location", field_separator=":")
    desk.configure(a_configuration(reports, places, record_types=(location,)))
    desk.receive(a_mail(f"Title: Trap\nEmail: {VICTIM}\n", sender=EVE), inbox="places")
    desk.receive(a_mail("help\n", sender=VICTIM), inbox="reports")
    desk.receive(a_mail(f"LocationNumber: 1\nEmail: {EVE}\n", sender=EVE), inbox="places")
    desk.receive(a_mail("mine now\n", sender=EVE, subject="Incident#1"), inbox="reports")
    assert [len(desk.activities(record)) for record in desk.records("incident")] == [1, 1]


FAILED = "dmarc=fail header.from=customer.example"
PASSED = "dmarc=pass header.from=customer.example"


@pytest.mark.req("VF-16")
@pytest.mark.parametrize(
    "stated",
    [
        f'{OURS}; spf=pass smtp.mailfrom="x; {PASSED}"@evil.example; {FAILED}',
        f"{OURS}; spf=pass smtp.helo==?utf-8?q?x=3B_dmarc=3Dpass_header=2Efrom=3Dcustomer=2Eexample?=",
        f"{OURS}; spf=pass (=?utf-8?q?=29=3B?= {PASSED} (x)) smtp.mailfrom=evil.example",
        f"{OURS}; {PASSED}; spf=pass ({'a' * 70_000}); {FAILED}",
        f"{OURS}; {PASSED}\x00; {FAILED}",
    ],
    ids=["quoted", "encoded word", "encoded parenthesis", "longer than what is read", "nul"],
)
def test_what_our_server_quotes_of_a_mail_proves_nothing(strict: Desk, stated: str) -> None:
    raw = a_mail("spoof\n", subject="Incident#1")
    strict.receive(b"Authentication-Results: " + stated.encode() + b"\n" + raw)
    assert counts(strict) == [1]


@pytest.mark.req("VF-16")
def test_what_our_server_states_proves_it_however_the_header_is_folded(strict: Desk) -> None:
    folded = f"{OURS.upper()}\n (our filter) ;\n\tdmarc=pass (p=none)\n header.from=customer.example\n"
    strict.receive(b"Authentication-Results: " + folded.encode() + a_mail("genuine\n", subject="Incident#1"))
    assert counts(strict) == [2]
