"""Attempts on identity, one by one: each hands in mails of a stranger, and nothing may open.

After each attempt the victim answers her own mail; the answer has to reach her record, and no other one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pytest

from shared.config.model import BUILT_IN_FIELDS, CommandPolicy, RecordType, SenderPolicy, Settings, Template
from shared.config.reading import load_bytes
from tests.builders import a_configuration, a_person, an_analyst, an_inbox
from tests.desk import Desk, a_copy
from tests.fields import texts
from tests.harness.real import FOLDER

OURS, EVE, ALICE, VICTIM = "mx.corp.example", "eve@evil.example", "alice@corp.example", "victim@x.example"
FIRST_ID = "<M1@x.example>"
NAMED = "[incident - INC1] mine"
PASS, FAIL = "dmarc=pass header.from=corp.example", "dmarc=fail header.from=corp.example"
ENCODED: Final = PASS.replace("=", "=3D").replace(" ", "_")
CHANGE = RecordType("change", prefix="CHG", fields={**BUILT_IN_FIELDS, "Cost": "number"}, protected=("Cost",))

Step = tuple[str, bytes, Mapping[str, Any]]
"""Inbox, mail, and what the envelope says."""
Attempt = Callable[[Desk], list[Step]]


def raw(sender: str = EVE, *, subject: str = NAMED, text: str = "taken", headers: str = "") -> bytes:
    """A mail that names the victim's record, and answers her mail unless `headers` say something else."""
    thread = "" if "Message-ID:" in headers or "References:" in headers else f"References: {FIRST_ID}\n"
    start = headers if "From:" in headers.split("\n", 1)[0] else f"From: {sender}\n{headers}"
    return f"{start}To: support@corp.example\nSubject: {subject}\n{thread}\n{text}\n".encode()


def _raw_of(keys: Mapping[str, str]) -> bytes:
    return raw(keys.get("sender", EVE), **{name: value for name, value in keys.items() if name != "sender"})


def mails(*made: bytes, inbox: str = "support", **envelope: Any) -> Attempt:
    return lambda _: [(inbox, each, envelope) for each in made]


def strict(results: str, *, sender: str = ALICE, headers: str = "") -> Attempt:
    """A forged mail of an analyst to the inbox that wants a proof; `results` is what our server wrote."""
    stated = f"Authentication-Results: {results}\n" if results else ""
    return lambda _: [("strict", (stated + headers).encode() + raw(sender), {})]


def claiming_ours(desk: Desk) -> list[Step]:
    """The id of a mail of ours, claimed by a mail that copies the victim, and then answered."""
    ours = desk.outbox()[0]["message_id"]
    claim, answer = f"Message-ID: {ours}\nCc: {VICTIM}\n", f"References: {ours}\n"
    return [("support", raw(headers=each, subject="Re: x"), {}) for each in (claim, answer)]


NAMES: Final = {
    "the owner's id as a name": f"alice <{EVE}>",
    "the owner's name": f'"Alice Analyst" <{EVE}>',
    "the owner's id in capitals": f"ALICE <{EVE}>",
    "the owner's address as a name": f'"{ALICE}" <{EVE}>',
    "the customer's address as a name": f'"{VICTIM}" <{EVE}>',
    "the customer's name": f"Vera Victim <{EVE}>",
    "the name as an encoded word": f"=?utf-8?q?alice?= <{EVE}>",
    "the address as an encoded word": f"=?utf-8?q?{ALICE.replace('@', '=40')}?= <{EVE}>",
    "an address in a comment": f"{EVE} ({ALICE})",
    "an address without quotes before another": f"{ALICE} <{EVE}>",
    "an address in brackets that do not close": f"{ALICE}> <{EVE}",
    "the name of a group": f"alice: {EVE};",
    "the name of an inbox": f"support <{EVE}>",
    "a name that turns its letters around": f"\u202ealice\u202c <{EVE}>",
}
ADDRESSES: Final = {
    "two addresses": f"{ALICE}, {EVE}",
    "a domain that goes on": "alice@corp.example.evil.example",
    "the local part at another domain": "alice@evil.example",
    "two at signs": f"{ALICE}@evil.example",
    "the address in quotes as a local part": f'"{ALICE}"@evil.example',
    "a percent for the at sign": "alice%corp.example@evil.example",
    "the domain as a literal": "alice@[corp.example]",
    "a Cyrillic letter in the domain": "alice@\u0441orp.example",
    "a full stop of another script": "alice@corp\u3002example",
    "a soft hyphen in the local part": "al\u00adice@corp.example",
    "a letter of full width": "\uff41lice@corp.example",
    "the Kelvin sign": "\u212aim@corp.example",
    "a subdomain": "alice@mail.corp.example",
    "a domain above": "alice@example",
    "a local part alone": "alice",
    "a comma in place of a dot": "alice@corp,example",
    "a source route": f"@corp.example:{EVE}",
    "a control character": f"alice\x01@corp.example <{EVE}>",
}
HEADERS: Final = {
    "Sender names the owner": f"Sender: {ALICE}\n",
    "Reply-To names the owner": f"Reply-To: {ALICE}\n",
    "Return-Path names the owner": f"Return-Path: <{ALICE}>\n",
    "X-Original-From names the owner": f"X-Original-From: {ALICE}\nX-Original-Sender: {ALICE}\n",
    "Resent-From names the owner": f"Resent-From: {ALICE}\nResent-Sender: {ALICE}\n",
    "a list is said to be the owner's": f"List-Id: <alice.corp.example>\nList-Post: <mailto:{ALICE}>\n",
    "Delivered-To names the owner": f"Delivered-To: {ALICE}\nX-Envelope-From: {ALICE}\n",
    "our loop header": "X-Postroom-Loop: support\n",
    "an automatic mail": "Auto-Submitted: auto-generated\n",
    "a proof for the stranger's own domain": f"Authentication-Results: {OURS}; dmarc=pass header.from=evil.example\n",
    "the owner in Cc": f"Cc: {ALICE}, {VICTIM}\n",
    "a second From below": f"From: {EVE}\nFrom: {ALICE}\n",
    "a second From above": f"From: {ALICE}\nFrom: {EVE}\n",
    "a folded From": f"From: {EVE}\n\t({ALICE})\n",
    "the id in a hundred references": f"References: {' '.join(f'<r{n}@x.example>' for n in range(99))} {FIRST_ID}\n",
    "the id without brackets": f"References: {FIRST_ID.strip('<>')}\n",
    "the id in In-Reply-To": f"References: <other@x.example>\nIn-Reply-To: {FIRST_ID.upper()}\n",
}
CLAIMS: Final = {
    "the id, claimed": f"Message-ID: {FIRST_ID}\n",
    "the id, claimed with the victim copied": f"Message-ID: {FIRST_ID}\nCc: {VICTIM}\nReply-To: {VICTIM}\n",
    "the id in other capitals": f"Message-ID: {FIRST_ID.swapcase()}\nCc: {VICTIM}\n",
    "the id without brackets, claimed": f"Message-ID: {FIRST_ID.strip('<>')}\nCc: {VICTIM}\n",
    "two message ids": f"Message-ID: {FIRST_ID}\nMessage-ID: <own@evil.example>\nCc: {VICTIM}\n",
    "the id between blanks": f"Message-ID:  < M1 @x.example >\nCc: {VICTIM}\n",
}
RESULTS: Final = {
    "no statement": "",
    "a statement of another server": f"mx.evil.example; {PASS}",
    "our name in a comment": f"mx.evil.example ({OURS}); {PASS}",
    "a pass in a quoted string": f'{OURS}; spf=pass smtp.mailfrom="x; {PASS}"@evil.example; {FAIL}',
    "a pass in a nested comment": f"{OURS}; spf=pass (helo a(b)c; {PASS} d) smtp.mailfrom=evil.example; {FAIL}",
    "a pass in a long comment": f"{OURS}; spf=pass ({'A' * 600}; {PASS}) smtp.mailfrom=evil.example; {FAIL}",
    "a pass in a reason": f'{OURS}; dmarc=fail reason="x dmarc=pass" header.from=corp.example',
    "a pass of x-dmarc": f"{OURS}; x-dmarc=pass header.from=corp.example; {FAIL}",
    "a pass and a fail": f"{OURS}; {PASS}; {FAIL}",
    "a pass for another domain": f"{OURS}; dmarc=pass header.from=evil.example",
    "a pass in a header of ours further down": f"{OURS}; {FAIL}\nAuthentication-Results: {OURS}; {PASS}",
    "a signature of a top-level domain": f"{OURS}; dkim=pass header.d=example header.i=@example; {FAIL}",
    "a signature beside a fail": f"{OURS}; dkim=pass header.d=corp.example; {FAIL}",
    "a pass in an encoded word": f"{OURS}; spf=pass smtp.helo==?utf-8?q?=3B_{ENCODED}?=",
    "a pass and a comment that does not close": f"{OURS}; {PASS} (",
    "a pass of another version": f"{OURS} 2; {PASS}",
    "SPF and ARC alone": f"{OURS}; spf=pass smtp.mailfrom=corp.example; arc=pass header.from=corp.example",
}
BODIES: Final = {
    "a keyword in the new text": {"subject": "hello", "text": "see [incident - INC1] please"},
    "a number that stands loosely": {"subject": "Incident#1"},
    "many numbers": {"subject": " ".join(f"[incident - {n}]" for n in range(9, 0, -1))},
    "the victim's mail, quoted": {"subject": "Fwd: x", "text": f"From: {VICTIM}\nSubject: [incident - 1]\n\n> mine"},
    "an owner in the body": {"text": "Owner: eve\nStatus: Closed"},
}
FORWARDED: Final = f"see below\n\nFrom: {VICTIM}\nSent: Friday\nTo: Alice\nSubject: SECRET\n\ntaken"
CONVERSATIONS: Final = {
    "a stranger forwards the victim's mail": {"subject": f"Fwd: {NAMED}", "text": FORWARDED},
    "a stranger forwards in the owner's name": {
        "sender": f'"Alice Analyst" <{EVE}>',
        "subject": "Fwd: SECRET",
        "text": FORWARDED,
    },
    "a stranger attaches the victim's mail": {
        "headers": "MIME-Version: 1.0\nContent-Type: message/rfc822\n",
        "subject": "Fwd: SECRET",
        "text": f"From: {VICTIM}\nSubject: {NAMED}\n\nx",
    },
    "a stranger copies himself into the thread": {"headers": f"Cc: {EVE}\nReferences: {FIRST_ID}\n"},
    "a stranger copies himself by number": {"headers": f"Cc: {EVE}\nReply-To: {EVE}\nReferences: <n@x.example>\n"},
    "a stranger answers the victim as the desk would": {"subject": "Re: SECRET", "text": "ANSWER of a stranger"},
    "the victim's name, copied to a stranger": {
        "sender": f'"{VICTIM}" <{EVE}>',
        "headers": f"Cc: {EVE}\nReferences: {FIRST_ID}\n",
    },
    "a list in the victim's name copies a stranger": {
        "sender": "users@lists.example",
        "headers": f"X-Original-From: {EVE}\nReply-To: {EVE}\nCc: {EVE}\nReferences: {FIRST_ID}\n",
    },
}
STATED = "Summary: x\nOwner: eve\nStatus: Closed\nCost: 9\nPriority: 1\n"
ATTEMPTS: Final[Mapping[str, Attempt]] = {
    **{name: mails(raw(sender)) for name, sender in {**NAMES, **ADDRESSES}.items()},
    **{name: mails(raw(headers=headers)) for name, headers in HEADERS.items()},
    **{name: mails(raw(headers=claim), raw()) for name, claim in CLAIMS.items()},
    **{f"{name}, in another inbox": mails(raw(headers=claim), raw(), inbox="sales") for name, claim in CLAIMS.items()},
    **{f"forged: {name}": strict(results) for name, results in RESULTS.items()},
    **{name: mails(raw(**keys)) for name, keys in BODIES.items()},
    **{name: mails(_raw_of(keys)) for name, keys in CONVERSATIONS.items()},
    "forged: one of several authors": strict(f"{OURS}; {PASS}", sender=f"A <{ALICE}>, B <eve@corp.example>"),
    "forged: a local part that the desk completes": strict(f"{OURS}; dmarc=pass header.from=alice", sender="alice"),
    "an id of ours, claimed": claiming_ours,
    "a nearer id, claimed with the victim copied": mails(raw(headers=f"Message-ID: <near@x.example>\nCc: {VICTIM}\n")),
    "the owner as envelope sender": mails(raw(), envelope_from=ALICE, envelope_to=("alice@corp.example",)),
    "an envelope without sender": mails(raw(), envelope_from=""),
    "a source id of somebody else": mails(raw(), source_id="victims"),
    "an attached mail of the owner": mails(
        raw(headers="MIME-Version: 1.0\nContent-Type: message/rfc822\n", text=f"From: {ALICE}\nSubject: {NAMED}\n\nx")
    ),
    "a key out of reach": mails(raw(text="IncidentNumber: 1\nSummary: taken"), inbox="changes"),
    "protected fields": mails(raw(subject="x", text=STATED, headers="References: <n@x.example>\n"), inbox="changes"),
}


@pytest.fixture(scope="module")
def attacked_data(tmp_path_factory: pytest.TempPathFactory, first_data: Path) -> tuple[Path, datetime]:
    """The data folder of a desk with one record of the victim's, which the analyst Alice owns; and the time on it."""
    desk = a_copy(first_data, tmp_path_factory.mktemp("attacked") / "data")
    commands = CommandPolicy(trust="authenticated")
    inboxes = (
        an_inbox(
            template="t",
            forwarded_for_original_sender=True,
            copy_takes_part=True,
            copy_on_answers=True,
            answers_by_mail=True,
        ),
        an_inbox("sales", sender=SenderPolicy(policy="without_creating")),
        an_inbox("strict", commands=commands, default_domain="corp.example"),
        an_inbox("changes", processor="change", field_separator=":", email_when_no_target=True),
    )
    people = (
        an_analyst("alice", name="Alice Analyst", addresses=(ALICE,)),
        an_analyst("kim", name="Kim", addresses=("kim@corp.example",)),
        a_person("vera", name="Vera Victim", addresses=(VICTIM,)),
    )
    sections = {
        "templates": (Template("t", "incident", {"Owner": "alice"}),),
        "settings": Settings(trusted_authserv_ids=(OURS,)),
        "record_types": (CHANGE,),
    }
    desk.configure(a_configuration(*inboxes, *people, **sections))
    first = raw(VICTIM, subject="SECRET", text="first", headers=f"Message-ID: {FIRST_ID}\n")
    desk.receive(first, inbox="support", source_id="victims")
    desk.receive(raw(VICTIM, text="second"), inbox="support")
    desk.close()
    return desk.app.location.data, desk.clock.at


@pytest.fixture
def attacked(attacked_data: tuple[Path, datetime], tmp_path: Path) -> Iterator[Desk]:
    """A copy of it."""
    prepared, at = attacked_data
    desk = a_copy(prepared, tmp_path / "data")
    desk.clock.at = at
    yield desk
    desk.close()


def test_there_are_sixty_attempts_and_more() -> None:
    assert len(ATTEMPTS) >= 60


@pytest.mark.req("VF-16", "VF-21", "IV-42")
@pytest.mark.parametrize("name", ATTEMPTS)
def test_an_attempt_opens_nothing(attacked: Desk, name: str) -> None:
    for inbox, mail, envelope in ATTEMPTS[name](attacked):
        attacked.receive(mail, inbox=inbox, **envelope)
    attacked.receive(raw(VICTIM, subject="Re: SECRET", text="third"), inbox="support")
    victims, *others = attacked.records()
    assert [text.strip() for text in texts(attacked.activities(victims))] == ["first", "second", "third"]
    assert (victims["status"], victims["owner"], victims["subject"]) == ("Logged", "alice", "SECRET")
    assert not [other for other in others if "third" in str(texts(attacked.activities(other)))]
    assert not [other for other in others if other["status"] == "Closed" or other["fields"].get("Cost")]
    told = [mail for mail in attacked.outbox() if mail["to"] != [VICTIM]]
    assert not [mail for mail in told if {"SECRET", "INC1"} & set(f"{mail['subject']} {mail['text']}".split())]
    analysts = {person["_id"] for person in attacked.people() if "analyst" in person["roles"]}
    assert analysts == {"alice", "kim", "admin"}


@pytest.mark.req("VF-21")
@pytest.mark.parametrize("name", ATTEMPTS)
def test_an_attempt_gets_no_copy_of_an_answer(attacked: Desk, name: str) -> None:
    for inbox, mail, envelope in ATTEMPTS[name](attacked):
        attacked.receive(mail, inbox=inbox, **envelope)
    answer = raw(
        ALICE, subject="Re: SECRET", text="ANSWER", headers=f"In-Reply-To: {FIRST_ID}\nReferences: {FIRST_ID}\n"
    )
    attacked.receive(answer, inbox="support")
    (sent,) = [mail for mail in attacked.outbox() if mail["kind"] == "answer"]
    assert (sent["to"], sent.get("cc"), sent["text"]) == ([VICTIM], None, "ANSWER\n")
    assert not [
        mail for mail in attacked.outbox() if "ANSWER\n" in mail["text"] and mail["to"] not in ([VICTIM], [ALICE])
    ]


CASES: Final = {
    "01": ("support", [["help"], ["hi"], ["please reset"], ["hi"], ["please reset"]]),
    "02": ("nocreate", [["help", "my secret followup"], ["claim", "join", "join"]]),
    "05": ("nocreate", [["help", "secret for the desk only"], ["claim 1584"]]),
}


@pytest.mark.req("VF-21")
@pytest.mark.parametrize("case", CASES)
def test_mails_that_once_opened_a_record_of_somebody_else_open_none(desk: Desk, case: str) -> None:
    inbox, expected = CASES[case]
    for mail in _given(desk, case):
        desk.receive(mail, inbox=inbox)
    assert [_words(desk, record) for record in desk.records("incident")] == expected


@pytest.mark.req("VF-16")
def test_mails_that_once_passed_for_authenticated_change_nothing(desk: Desk) -> None:
    forged = _given(desk, "03")
    desk.receive(b"From: bob@corp.com\nTo: support@corp.com\nSubject: x\n\nhelp\n", inbox="support")
    for mail in forged:
        desk.receive(mail, inbox="strict")
    assert [_words(desk, record) for record in desk.records("incident")] == [["help"]]


def _given(desk: Desk, case: str) -> list[bytes]:
    """The mails of a case of others, with their desk. Skips where the folder is not there."""
    folder = FOLDER / "identity-faults"
    if not folder.is_dir():
        pytest.skip(f"there are no mails of others at {folder}")
    desk.configure(load_bytes((folder / "desk.yaml").read_bytes()))
    return [path.read_bytes() for path in sorted((folder / case).glob("*.eml"))]


def _words(desk: Desk, record: dict[str, Any]) -> list[str]:
    return [text.rpartition("\n\n")[2].strip() for text in texts(desk.activities(record))]
