"""Requirement PR-02: automatic mail: how much there is, and that it repeats nothing that a stranger wrote."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from services.notifier import compose
from services.notifier.stage import as_outgoing
from shared.config.model import (
    AutomaticMailCap,
    CommandPolicy,
    Configuration,
    Inbox,
    MailServer,
    RecordType,
    Settings,
    Statuses,
)
from shared.config.reading import load
from tests.builders import a_configuration, a_mail, a_person, an_inbox
from tests.desk import Desk

FAULTS = Path(__file__).resolve().parents[3] / "shared" / "corpus" / "identity-faults"
WORDS = "buy-now at evil.example"
CHANGE = RecordType(
    "change",
    "Change",
    "ChangeNumber",
    "CHG",
    {"Summary": "text", "Category": "text"},
    Statuses(("Logged", "Active"), (), ("Closed",)),
)
ANYBODY = CommandPolicy(update_anonymously=True, update_by="recognised")
GENUINE = {"Authentication_Results": "mx.example.com; dmarc=pass header.from=victim.example"}


def calls(**keys: object) -> Inbox:
    """An incident inbox that lets anybody update and answers each."""
    return an_inbox(commands=ANYBODY, **keys)


def changes(**keys: object) -> Inbox:
    """An inbox for changes with the body language, which answers what it cannot find."""
    return an_inbox(
        "changes",
        processor="change",
        record_marker="#####",
        field_separator="$",
        unique_key="ChangeNumber",
        email_when_no_target=True,
        commands=ANYBODY,
        **keys,
    )


def configured(*parts: object, cap: AutomaticMailCap | None = None) -> Configuration:
    settings = Settings(trusted_authserv_ids=("mx.example.com",), automatic_mail_cap=cap or AutomaticMailCap())
    return a_configuration(calls(), changes(), *parts, record_types=(CHANGE,), settings=settings)  # type: ignore[arg-type]


def written(sender: str, text: str = "more\n", **headers: str) -> bytes:
    """A mail whose From is written as given, whatever it looks like."""
    headers.setdefault("subject", "Incident#1")
    raw = a_mail(text, sender="placeholder@firm.example", **headers)
    return raw.replace(b"placeholder@firm.example", sender.encode())


def shown(desk: Desk) -> str:
    """All that a reader sees of the mails sent: headers without those that only programs read, and texts."""
    server = MailServer("default", from_address="support@example.com")
    seen = []
    for mail in desk.app.outbox.recent(None, 0):
        raw = compose.build(as_outgoing(mail), server).decode().replace("\r\n ", " ")
        lines = [
            line for line in raw.split("\r\n") if not line.startswith(("In-Reply-To:", "References:", "Message-ID:"))
        ]
        seen += [*lines, mail.subject, mail.text]
    return "\n".join(seen)


# How much of it


@dataclass(frozen=True)
class Flood:
    """Mails of strangers that try to cause more automatic mail than one mailbox, one domain or the desk may send."""

    name: str
    senders: list[str]
    most: int
    cap: AutomaticMailCap = field(default_factory=AutomaticMailCap)


SPELLINGS = [
    "v@victim.example",
    "V@victim.example",
    "v@VICTIM.example",
    "v@victim.example.",
    '"v"@victim.example',
    '"V"@Victim.Example.',
    "v+a@victim.example",
    "v+b@victim.example",
    "V+c+d@victim.example",
    '"v+q"@victim.example',
    "v+@victim.example",
    "\uff56@victim.example",
    "Victor <v@victim.example>",
    "v@victim.example (comment)",
    "<v+e@victim.example>",
]
DOTS = [f"{'.' * (n % 2)}v{'.' * (n % 3)}w+{n}@victim.example".lstrip(".") for n in range(12)]
FLOODS = [
    Flood("one mailbox in every spelling", SPELLINGS, 10),
    Flood("one mailbox with ever new tags", [f"v+{n}@victim.example" for n in range(15)], 10),
    Flood("one mailbox with dots here and there", [each.replace("..", ".") for each in DOTS], 10),
    Flood("one mailbox, alternately quoted", ["v@victim.example", '"v"@victim.example'] * 7, 10),
    Flood("mailboxes of one domain", [f"v{n}@victim.example" for n in range(9)], 5, AutomaticMailCap(per_domain=5)),
    Flood(
        "mailboxes of one domain in two spellings",
        [f"v{n}@{domain}" for n in range(5) for domain in ("mün.example", "xn--mn-xka.example", "MÜN.example")],
        5,
        AutomaticMailCap(per_domain=5),
    ),
    Flood(
        "mailboxes of one domain with a dot at its end",
        [f"v{n}@victim.example{'.' * (n % 2)}" for n in range(9)],
        5,
        AutomaticMailCap(per_domain=5),
    ),
    Flood("ever new domains", [f"v@v{n}.example" for n in range(9)], 5, AutomaticMailCap(all_strangers=5)),
    Flood("domains that look alike", [f"v@\u212a{n}.example" for n in range(3)], 0),
    Flood("the default limit of a domain", [f"v{n}@victim.example" for n in range(104)], 100),
]


@pytest.mark.req("PR-02")
@pytest.mark.parametrize("flood", FLOODS, ids=lambda each: each.name)
def test_no_flood_of_strangers_causes_more_automatic_mail_than_its_limit(desk: Desk, flood: Flood) -> None:
    desk.configure(configured(cap=flood.cap))
    desk.receive(a_mail())
    mails = desk.receive(*(written(sender) for sender in flood.senders))
    assert len(desk.outbox()) == flood.most
    kept_back = [mail for mail in mails if "automatic_mail_cap" in (mail["reason"] or "")]
    assert len(kept_back) == (len(flood.senders) - flood.most if flood.most else 0)


@pytest.mark.req("PR-02")
def test_strangers_who_use_up_their_limits_take_no_answer_from_those_who_are_known(desk: Desk) -> None:
    jane = a_person("jane", addresses=("jane@victim.example",))
    desk.configure(configured(jane, cap=AutomaticMailCap(per_domain=1, all_strangers=1)))
    desk.receive(a_mail())
    desk.receive(*(written(f"v{n}@victim.example") for n in range(3)))
    desk.receive(written("jane@victim.example"), written("v9@victim.example", **GENUINE))
    assert [mail["to"] for mail in desk.outbox()[1:]] == [["jane@victim.example"], ["v9@victim.example"]]


@pytest.mark.req("PR-02")
@pytest.mark.parametrize("inboxes", [("support",), ("support", "changes")])
def test_the_limit_of_a_mailbox_holds_for_all_inboxes_and_kinds_together(desk: Desk, inboxes: tuple[str, ...]) -> None:
    desk.configure(configured())
    desk.receive(a_mail())
    for n in range(14):
        inbox = inboxes[n % len(inboxes)]
        desk.receive(written("v@victim.example", "ChangeNumber$77\n", subject=f"Incident#1 {n}"), inbox=inbox)
    assert len(desk.outbox()) == 10


BLOCKS = {
    "200 records that do not exist": "#####\n".join(f"ChangeNumber$CHG{n}\n{WORDS}\n" for n in range(1000, 1200)),
    "one record 200 times": "#####\n".join(f"ChangeNumber$CHG1\nmore {n}\n" for n in range(200)),
    "three records": "#####\n".join(f"ChangeNumber$CHG{n}\nmore\n" for n in (1, 2, 3)),
    "records that exist and others": "#####\n".join(f"ChangeNumber$CHG{n}\nmore\n" for n in (1, 77, 2, 78)),
    "closed and open ones": "#####\n".join(f"ChangeNumber$CHG{n}\nmore\n" for n in (1, 4, 2)),
}


@pytest.mark.req("PR-02", "IV-36")
@pytest.mark.parametrize("blocks", BLOCKS.values(), ids=BLOCKS)
@pytest.mark.parametrize("known", [True, False])
def test_a_mail_causes_one_automatic_mail_whatever_it_names(desk: Desk, blocks: str, known: bool) -> None:
    people = [a_person("v", addresses=("v@victim.example",))] if known else []
    desk.configure(configured(*people))
    made = "#####\n".join(f"Summary$Change {n}\nStatus${'Closed' if n == 4 else 'Logged'}\n" for n in (1, 2, 3, 4))
    desk.receive(a_mail(made), inbox="changes")
    desk.receive(written("v@victim.example", blocks, subject="About changes"), inbox="changes")
    (sent,) = desk.outbox()
    told = sent["text"].partition("You wrote:")[0]
    assert (WORDS in told, "CHG77" in told) == (False, known and "CHG77" in blocks)


@pytest.mark.req("PR-02")
def test_one_answer_says_what_became_of_each_part(desk: Desk) -> None:
    desk.configure(configured(a_person("v", addresses=("v@victim.example",))))
    desk.receive(a_mail("Summary$One\n#####\nSummary$Two\n"), inbox="changes")
    parts = "#####\n".join(f"ChangeNumber$CHG{n}\nmore\n" for n in (1, 2, 77))
    desk.receive(written("v@victim.example", parts, subject="More", Message_ID="<asked@x.example>"), inbox="changes")
    (sent,) = desk.outbox()
    assert sent["subject"] == "Re: [Change - CHG1] More"
    assert all(each in sent["text"] for each in ("CHG1 has been updated", "CHG2 has been updated", "no Change CHG77"))
    assert (sent["record"], sent["in_reply_to"], sent["kind"]) == ("CHG1", "<asked@x.example>", "several")


# What it says


@dataclass(frozen=True)
class Attempt:
    """Where a stranger puts words for somebody else to read. `before` is a mail that makes the record."""

    name: str
    mail: bytes
    before: bytes = field(default_factory=a_mail)
    inbox: str = "support"


V = "v@victim.example"
AS_FIELD = "ChangeNumber$1\n"
ATTEMPTS = [
    Attempt("subject", written(V, subject=f"Incident#1 {WORDS}")),
    Attempt("subject before the number", written(V, subject=f"{WORDS} [incident - 1]")),
    Attempt("subject in encoded words", written(V, subject=f"Incident#1 {WORDS} ö")),
    Attempt("subject of the record", written(V), before=a_mail(subject=WORDS, sender=V)),
    Attempt("subject of somebody else's record", written(V), before=a_mail(subject=WORDS)),
    Attempt("display name", written(f'"{WORDS}" <{V}>')),
    Attempt("display name of the person made", written(V), before=written(f'"{WORDS}" <{V}>', subject="New")),
    Attempt("comment behind the address", written(f"{V} ({WORDS})")),
    Attempt("name of the recipient", written(V, to=f'"{WORDS}" <support@example.com>')),
    Attempt("name of a copy", written(V, Cc=f'"{WORDS}" <other@victim.example>')),
    Attempt("Reply-To", written(V, Reply_To=f'"{WORDS}" <other@victim.example>')),
    Attempt("Sender", written(V, Sender=f'"{WORDS}" <other@victim.example>')),
    Attempt("text", written(V, WORDS)),
    Attempt("HTML", a_mail("x", html=f"<b>{WORDS}</b>", sender=V, subject="Incident#1")),
    Attempt("file name", a_mail(sender=V, subject="Incident#1", files=((WORDS, "text/plain", b"x"),))),
    Attempt("Message-ID", written(V, Message_ID=f"<{WORDS.replace(' ', '.')}@x.example>")),
    Attempt("References", written(V, References=f"<{WORDS.replace(' ', '.')}@x.example>")),
    Attempt("In-Reply-To", written(V, In_Reply_To=f"<{WORDS.replace(' ', '.')}@x.example>")),
    Attempt("other headers", written(V, Comments=WORDS, Organization=WORDS, X_Mailer=WORDS)),
    Attempt("subject with line ends", written(V, subject="Incident#1 =?utf-8?q?=0D=0ABcc:_evil.example?=")),
    Attempt("a number that does not exist", written(V, f"ChangeNumber$CHG77 {WORDS}\n", subject="x"), inbox="changes"),
    Attempt("a number in the subject", written(V, subject=f"[Change - 900123456] {WORDS}"), inbox="changes"),
    Attempt("a field", written(V, f"{AS_FIELD}Summary${WORDS}\n", subject="x"), inbox="changes"),
    Attempt("a status", written(V, f"{AS_FIELD}Status${WORDS}\n", subject="x"), inbox="changes"),
    Attempt("the status of a record", written(V, AS_FIELD, subject="x"), written(V, f"Status${WORDS}\n"), "changes"),
    Attempt("the subject field", written(V, f"{AS_FIELD}Subject${WORDS}\n", subject="x"), inbox="changes"),
    Attempt("the owner", written(V, f"{AS_FIELD}Owner${WORDS}\n", subject="x"), inbox="changes"),
    Attempt("several numbers", written(V, f"{AS_FIELD}ChangeNumber${WORDS}\n", subject="x"), inbox="changes"),
    Attempt(
        "several missing ones", written(V, f"{AS_FIELD}#####\nChangeNumber${WORDS}\n", subject="x"), inbox="changes"
    ),
    Attempt("a template's token", written(f'"@Subject {WORDS}" <{V}>', subject=f"Incident#1 @FirstName {WORDS}")),
]
UNANSWERED = {"several numbers"}
"""A part that cannot be written makes an incident, and the sender gets no answer."""


@pytest.mark.req("PR-02")
@pytest.mark.parametrize("attempt", ATTEMPTS, ids=lambda each: each.name)
def test_an_answer_repeats_nothing_that_a_stranger_wrote(desk: Desk, attempt: Attempt) -> None:
    desk.configure(configured())
    desk.receive(attempt.before, inbox=attempt.inbox)
    already = len(desk.outbox())
    desk.receive(attempt.mail, inbox=attempt.inbox)
    assert len(desk.outbox()) - already == (attempt.name not in UNANSWERED)
    seen = shown(desk)
    assert "evil" not in seen
    assert "buy-now" not in seen
    assert "900123456" not in seen


@pytest.mark.req("PR-02")
def test_an_answer_to_a_stranger_says_number_and_status_and_keeps_the_thread(desk: Desk) -> None:
    desk.configure(configured())
    desk.receive(a_mail(subject=WORDS))
    desk.receive(written(V, WORDS, subject=f"Incident#1 {WORDS}", Message_ID="<second@victim.example>"))
    (sent,) = desk.outbox()
    assert (sent["subject"], sent["in_reply_to"]) == ("Call INC1 has been updated", "<second@victim.example>")
    assert sent["text"] == "Call INC1 has been updated.\n\nStatus: Logged\n"


@pytest.mark.req("PR-02")
@pytest.mark.parametrize("way", ["configured", "authenticated"])
def test_who_is_known_reads_the_subject_of_the_record(desk: Desk, way: str) -> None:
    desk.configure(configured(*([a_person("v", addresses=(V,))] if way == "configured" else [])))
    desk.receive(a_mail(subject="The printer"))
    desk.receive(written(V, **(GENUINE if way == "authenticated" else {})))
    (sent,) = desk.outbox()
    assert "Subject: The printer" in sent["text"]


@pytest.mark.req("PR-02")
@pytest.mark.parametrize(
    "header",
    ["mx.example.com; dmarc=fail header.from=victim.example", "mx.evil.example; dmarc=pass header.from=victim.example"],
)
def test_a_stranger_is_not_known_by_a_header_that_proves_nothing(desk: Desk, header: str) -> None:
    desk.configure(configured())
    desk.receive(a_mail(subject="The printer"))
    desk.receive(written(V, Authentication_Results=header))
    (sent,) = desk.outbox()
    assert "The printer" not in sent["text"]


@pytest.mark.req("PR-20", "IV-06")
@pytest.mark.parametrize("sender", ["jsmith", "bounce@shop.example", "not-reply@shop.example"])
def test_what_nobody_reads_or_no_mail_reaches_is_not_answered(desk: Desk, sender: str) -> None:
    desk.configure(a_configuration(an_inbox(commands=CommandPolicy(reply_on_create=True)), rules=()))
    (mail,) = desk.receive(a_mail(sender=sender))
    desk.receive(a_mail(sender="jane@shop.example"))
    assert (mail["outcome"], len(desk.outbox())) == ("recorded", 1)


def test_answers_are_made_in_one_place() -> None:
    """Whatever writes to a sender goes through the module that says how much and what. Reports and canaries do not."""
    folder = Path(__file__).parents[2] / "services"
    makers = {
        path.name
        for path in folder.rglob("*.py")
        if " Notification(" in path.read_text() or "(Notification(" in path.read_text()
    }
    assert makers == {"automatic_mail.py", "reports.py", "canaries.py"}


# The given cases


def given(case: str) -> list[bytes]:
    if not (FAULTS / case).exists():
        pytest.skip(f"there are no mails of others at {FAULTS}")
    return [path.read_bytes() for path in sorted((FAULTS / case).glob("*.eml"))]


@pytest.mark.req("PR-02")
def test_the_given_mailbox_in_25_spellings_gets_ten_mails_without_words_of_the_attacker(desk: Desk) -> None:
    mails = given("06")
    desk.configure(load(FAULTS / "desk.yaml"))
    for raw in mails:
        desk.receive(raw, inbox="support")
    assert 0 < len(desk.outbox()) <= 10
    assert "won" not in shown(desk).lower()
    assert "evil" not in shown(desk)


@pytest.mark.req("PR-02")
def test_the_given_mail_of_200_blocks_causes_one_mail(desk: Desk) -> None:
    mails = given("50")
    desk.configure(load(FAULTS / "50" / "p.yaml"))
    for raw in mails:
        desk.receive(raw, inbox="prob")
    assert len(desk.outbox()) == 1
    assert "evil" not in shown(desk)


@pytest.mark.req("VS-03")
def test_the_given_address_with_the_kelvin_sign_does_not_match_an_analyst(desk: Desk) -> None:
    mails = given("71")
    desk.configure(load(FAULTS / "71" / "p.yaml"))
    for raw in mails:
        desk.receive(raw, inbox="support")
    first = desk.records()[0]
    assert (first["number"], first["updated_by_mail"]) == ("INC1", False)
    assert "kim" not in [record["customer"] for record in desk.records()]
