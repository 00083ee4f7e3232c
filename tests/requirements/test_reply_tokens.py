"""Reply tokens: what answers a mail of ours joins its record and proves its sender, for the recipient alone."""

from __future__ import annotations

import stat
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from services.notifier.compose import build
from services.notifier.stage import as_outgoing
from services.operator.trial.dry_run import dry_run
from services.record_writer.decide.recognition.token import LIFETIME
from shared.config.model import CommandPolicy, MailServer, Settings
from shared.config.values import Secret
from shared.contracts.errors import Misconfigured
from shared.reply_tokens import ReplyTokens, Signed, keys_of, outbox_id_in, own_keys, tokens_in, with_tag
from shared.store.documents import Document
from tests.builders import a_configuration, a_mail, a_person, an_analyst, an_inbox
from tests.desk import Desk

JANE, BOB, EVE = "jane@example.com", "bob@example.com", "eve@evil.example"
PEOPLE: Final = (
    a_person("jane", addresses=(JANE, "jane.doe@home.example")),
    a_person("bob", name="Bob Roe"),
    an_analyst("tom", name="Tom"),
)


def configure(desk: Desk, *, settings: Settings | None = None, **keys: Any) -> None:
    """An inbox that acknowledges new records, and takes commands of proven senders only."""
    tagged = keys.pop("reply_by_plus_address", False)
    policy = CommandPolicy(**{"trust": "authenticated", "reply_on_create": True, **keys})
    inbox = an_inbox(commands=policy, reply_by_plus_address=tagged)
    desk.configure(a_configuration(inbox, *PEOPLE, settings=settings or Settings()))


@pytest.fixture
def asked(desk: Desk) -> Desk:
    """A desk with the call INC1 of Jane's, which she got a mail about, and INC2 of Bob's."""
    configure(desk)
    desk.receive(a_mail("help\n", sender=JANE), a_mail("me too\n", sender=BOB, subject="Screen"))
    return desk


def our_mail(desk: Desk, to: str = JANE) -> Document:
    """Our first mail to this address."""
    return next(each for each in desk.outbox() if each["to"] == [to])


def answer(desk: Desk, *ids: str, sender: str = JANE, subject: str = "Re: Printer", **headers: str) -> Document:
    """A mail that answers these."""
    threaded = {"In_Reply_To": ids[0]} if ids else {}
    (mail,) = desk.receive(a_mail("It burns.\n", sender=sender, subject=subject, **threaded, **headers))
    return mail


def joined(desk: Desk, mail: Document) -> str | None:
    """The number of the record that the mail went to."""
    return next((each["number"] for each in mail["records"]), None)


def test_the_message_id_of_our_mail_is_a_token_and_its_record_a_secret_of_ours(asked: Desk) -> None:
    sent = our_mail(asked)
    left, _, domain = sent["message_id"].strip("<>").partition("@")
    assert (len(left), domain) == (42, "example.com")
    assert outbox_id_in(left) == sent["_id"]
    key = asked.app.location.data / "token-key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert key.read_text().strip() not in str([*asked.outbox(), *asked.mails(), *asked.records()])


@pytest.mark.req("VF-21", "TI-31")
@pytest.mark.parametrize("change", [str, str.upper, str.title], ids=["as sent", "in capitals", "in mixed case"])
def test_an_answer_with_a_token_joins_the_record_and_is_proven(asked: Desk, change: Any) -> None:
    mail = answer(asked, change(our_mail(asked)["message_id"]), subject="without a word of it")
    assert (mail["outcome"], joined(asked, mail)) == ("recorded", "INC1")
    assert "reply token" in mail["reason"]


@pytest.mark.req("VF-21")
def test_the_token_is_looked_at_before_a_number_in_the_subject(asked: Desk) -> None:
    configure(asked, trust="address", update_by="recognised")
    mail = answer(asked, our_mail(asked)["message_id"], subject="[Call - 2] printer")
    assert joined(asked, mail) == "INC1"


@pytest.mark.req("VF-17")
def test_a_token_proves_who_closes_the_call_that_it_is_about(asked: Desk) -> None:
    assert answer(asked, subject="[CLOSE#1]")["outcome"] == "rejected"
    mail = answer(asked, our_mail(asked)["message_id"], subject="Re: [CLOSE#1]")
    assert (mail["outcome"], asked.records()[0]["status"]) == ("commanded", "Closed")


@pytest.mark.req("VF-12")
def test_of_an_answer_with_a_token_only_the_new_part_is_kept(asked: Desk) -> None:
    quoting = "It burns.\n\nOn Friday the desk wrote:\n> Call INC1 has been created.\n"
    asked.receive(a_mail(quoting, sender=JANE, subject="x", In_Reply_To=our_mail(asked)["message_id"]))
    assert [each["text"].strip() for each in asked.activities(asked.records()[0])][-1] == "It burns."


@pytest.mark.req("VF-21")
def test_another_address_of_the_same_person_holds_the_token_too(asked: Desk) -> None:
    mail = answer(asked, our_mail(asked)["message_id"], sender="jane.doe@home.example")
    assert joined(asked, mail) == "INC1"


def test_the_last_reference_counts_when_nothing_is_answered(asked: Desk) -> None:
    sent = our_mail(asked)["message_id"]
    assert joined(asked, answer(asked, References=f"<x@y.example> {sent}")) == "INC1"
    assert asked.app.mails.get(answer(asked, References=f"{sent} <x@y.example>")["_id"]).outcome == "recorded"  # type: ignore[union-attr]


BAD: Final[dict[str, Any]] = {
    "of another record": lambda desk: our_mail(desk, BOB)["message_id"],
    "cut": lambda desk: our_mail(desk)["message_id"][:-20] + "@example.com>",
    "with another letter": lambda desk: _with_another_letter(our_mail(desk)["message_id"]),
    "with another id": lambda desk: _with_the_id_of(our_mail(desk), our_mail(desk, BOB)),
    "in another place": lambda desk: f"<x@{our_mail(desk)['message_id'].strip('<>').partition('@')[0]}>",
    "of the id alone": lambda desk: f"<{our_mail(desk)['_id']}@example.com>",
    "twice": lambda desk: f"<{2 * our_mail(desk)['message_id'].strip('<>').partition('@')[0]}@example.com>",
    "of no mail": lambda desk: f"<{'a' * 42}@example.com>",
}
"""Attempts at a token, for a command that the sender may give."""


def _with_another_letter(message_id: str) -> str:
    left, _, domain = message_id.partition("@")
    return f"{left[:-1]}{'a' if left[-1] != 'a' else 'b'}@{domain}"


def _with_the_id_of(mail: Document, other: Document) -> str:
    return str(other["message_id"][:27] + mail["message_id"][27:])


@pytest.mark.req("VF-17")
@pytest.mark.parametrize("name", BAD)
def test_row_76_a_bad_token_is_ignored_as_if_there_was_none(asked: Desk, name: str) -> None:
    mail = answer(asked, BAD[name](asked), subject="[CLOSE#1]")
    assert (mail["outcome"], mail["rule"], asked.records()[0]["status"]) == ("rejected", "command", "Logged")
    assert "no trusted server states that the sender is genuine" in mail["reason"]


STOLEN: Final[dict[str, dict[str, str]]] = {
    "a stranger's": {"sender": EVE},
    "a stranger's who bears the name": {"sender": f'"Jane Doe" <{EVE}>'},
    "a stranger's who shows the address": {"sender": f'"{JANE}" <{EVE}>'},
    "a user's": {"sender": BOB},
    "an analyst's": {"sender": "tom@example.com"},
    "with Reply-To": {"sender": EVE, "Reply_To": JANE},
    "with Sender": {"sender": EVE, "Sender": JANE},
    "of two authors": {"sender": f"{JANE}, {EVE}", "Sender": JANE},
    "named by a list": {"sender": "support@example.com", "X_Original_From": JANE},
    "from a domain that looks alike": {"sender": "jane@examp1e.com"},
    "from a domain below": {"sender": "jane@example.com.evil.example"},
}
"""Mails of others with the token of Jane's mail."""


@pytest.mark.req("VF-17", "VF-21")
@pytest.mark.parametrize("name", STOLEN)
def test_a_token_of_somebody_else_opens_nothing(asked: Desk, name: str) -> None:
    before = len(asked.activities(asked.records()[0]))
    keys, sent = STOLEN[name], our_mail(asked)["message_id"]
    answer(asked, sent, subject="[CLOSE#1]", **keys)
    answer(asked, sent, **keys)
    first = asked.records()[0]
    assert (first["status"], len(asked.activities(first))) == ("Logged", before)


@pytest.mark.req("VF-17")
def test_a_token_proves_nothing_about_other_records(asked: Desk) -> None:
    configure(asked, close_anonymously=True)
    mail = answer(asked, our_mail(asked, BOB)["message_id"], sender=BOB, subject="[CLOSE#1]")
    assert (mail["outcome"], asked.records()[0]["status"]) == ("rejected", "Logged")
    assert answer(asked, our_mail(asked)["message_id"], subject="[MyCalls]")["outcome"] == "rejected"


@pytest.mark.req("VF-17")
@pytest.mark.parametrize(("age", "outcome"), [(LIFETIME - timedelta(days=1), "commanded"), (LIFETIME, "rejected")])
def test_a_token_expires(asked: Desk, age: timedelta, outcome: str) -> None:
    asked.clock.advance(age)
    assert answer(asked, our_mail(asked)["message_id"], subject="[CLOSE#1]")["outcome"] == outcome


@pytest.mark.req("PR-15", "VF-18")
def test_row_77_the_same_mail_is_a_duplicate_and_another_with_the_token_joins(asked: Desk) -> None:
    sent = our_mail(asked)["message_id"]
    given = a_mail("It burns.\n", sender=JANE, subject="Re: Printer", In_Reply_To=sent)
    asked.receive(given, given)
    asked.receive(a_mail("It still burns.\n", sender=JANE, subject="Re: Printer", In_Reply_To=sent))
    texts = [each["text"].strip() for each in asked.activities(asked.records()[0]) if each["kind"] == "email"]
    assert texts == ["help", "It burns.", "It still burns."]


@pytest.mark.req("VF-17")
def test_an_older_key_is_accepted_and_a_key_that_is_gone_is_not(asked: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = Settings(token_key=Secret("${REPLY_KEY}"))
    monkeypatch.setenv("REPLY_KEY", "the-first-key-of-all")
    configure(asked, settings=secret)
    asked.receive(a_mail("again\n", sender=JANE, subject="Fan"), a_mail("more\n", sender=JANE, subject="Fax"))
    fan, fax = (each["message_id"] for each in asked.outbox()[-2:])
    monkeypatch.setenv("REPLY_KEY", "the-second-key-of-all\nthe-first-key-of-all")
    assert answer(asked, fan, subject="[CLOSE#3]")["outcome"] == "commanded"
    monkeypatch.setenv("REPLY_KEY", "the-second-key-of-all")
    assert answer(asked, fax, subject="[CLOSE#4]")["outcome"] == "rejected"


@pytest.mark.req("VF-21")
def test_an_answer_to_the_plus_address_needs_no_thread(asked: Desk) -> None:
    configure(asked, reply_by_plus_address=True)
    asked.receive(a_mail("again\n", sender=JANE, subject="Fan"))
    (sent,) = (each for each in asked.outbox() if each.get("reply_to"))
    outgoing = asked.app.outbox.get(sent["_id"])
    assert outgoing is not None
    written = build(as_outgoing(outgoing), MailServer("default", from_address="support@example.com"))
    assert f"Reply-To:\r\n {sent['reply_to']}\r\n".encode() in written.replace(b"Reply-To: ", b"Reply-To:\r\n ")
    mail = answer(asked, subject="no thread", to=sent["reply_to"].upper())
    assert joined(asked, mail) == "INC3"
    assert joined(asked, answer(asked, sender=EVE, to=sent["reply_to"])) == "INC4"


@pytest.mark.req("VF-21")
@pytest.mark.parametrize("settings", [Settings(plus_addressing="keep"), None], ids=["tags are kept", "off"])
def test_no_answer_is_asked_to_a_plus_address_that_no_server_may_know(desk: Desk, settings: Settings | None) -> None:
    configure(desk, settings=settings, reply_by_plus_address=settings is not None)
    desk.receive(a_mail("help\n", sender=JANE))
    assert "reply_to" not in our_mail(desk)


def test_a_dry_run_shows_that_the_token_decides(asked: Desk) -> None:
    raw = a_mail("It burns.\n", sender=JANE, subject="x", In_Reply_To=our_mail(asked)["message_id"])
    shown = dry_run(asked.app, raw).as_json()
    assert ("record-writer", "token") in [(each["stage"], each["step"]) for each in shown["trace"]]


def test_without_a_key_message_ids_are_plain_and_nothing_is_a_token() -> None:
    tokens = ReplyTokens(tuple)
    signed = Signed("0" * 32, "r1", (JANE,))
    assert tokens.token(signed) is None
    assert not tokens.is_valid("a" * 42, signed)


def test_a_token_depends_on_the_record_and_the_recipients() -> None:
    tokens = ReplyTokens(lambda: keys_of("a-key-of-some-length"))
    signed = Signed("0" * 31 + "1", "r1", (JANE,))
    token = tokens.token(signed)
    assert token
    assert tokens.is_valid(token, signed)
    assert not tokens.is_valid(token, Signed(signed.outbox_id, "r2", signed.to))
    assert not tokens.is_valid(token, Signed(signed.outbox_id, "r1", (BOB,)))
    assert outbox_id_in(token) == signed.outbox_id
    assert tokens_in([f"<{token.upper()}@x>"], [f"support+{token}@x"]) == [token]


def test_short_keys_are_none_and_long_addresses_get_no_tag() -> None:
    assert keys_of("short a-key-of-some-length") == (b"a-key-of-some-length",)
    assert with_tag("support@example.com", "a" * 42) == f"support+{'a' * 42}@example.com"
    assert with_tag(f"{'s' * 22}@example.com", "a" * 42) is None
    assert with_tag("support+x@example.com", "a" * 42) is None


def test_a_file_of_keys_without_a_key_is_an_error_that_names_it(tmp_path: Path) -> None:
    (tmp_path / "token-key").write_text("short\n")
    with pytest.raises(Misconfigured, match=r"token-key cannot be used: it has no key of 16 characters"):
        own_keys(tmp_path)


def test_the_key_of_a_folder_is_made_once(tmp_path: Path) -> None:
    first = own_keys(tmp_path)
    assert (own_keys(tmp_path), len(first[0]), [each.name for each in tmp_path.iterdir()]) == (first, 64, ["token-key"])
