"""Canaries: a probe leaves when it is due, one at a time, and only a genuine one that comes back counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final

import pytest

from services.notifier import stage as notifier
from services.notifier.compose import build
from services.notifier.stage import as_outgoing
from services.operator.health.conservation import check
from services.operator.inbox.inboxes import start_inbox, stop_inbox
from services.operator.mail.mails import journal_of
from services.operator.trial.dry_run import dry_run
from services.schedule.canaries import GIVEN_UP, CanaryRun, hindrance, is_due, unread_reason
from services.schedule.source import ScheduleSource
from shared.app import Location
from shared.config.model import Canary, Configuration, Inbox, MailServer, Rule, Settings
from shared.config.values import Secret
from shared.contracts.errors import Misconfigured
from shared.contracts.events import NotificationQueued
from shared.reply_tokens import ReplyTokens
from shared.store.canaries import CanaryState
from tests.builders import a_configuration, an_inbox, an_outgoing_mail
from tests.desk import NOW, Desk
from tests.servers.documents import Place
from tests.servers.presence import closed_port
from tests.servers.smtp import SmtpServer
from tests.system.test_scaled import store_of

pytestmark = pytest.mark.req("PR-14")

EVERY: Final = timedelta(minutes=10)
NOWHERE: Final = 9
"""A port that no test connects to."""
WATCHED: Final = an_inbox(canary=Canary(EVERY))


@pytest.fixture
def sink() -> Iterator[SmtpServer]:
    with SmtpServer() as running:
        yield running


def a_server(port: int, name: str = "main", **keys: Any) -> MailServer:
    return MailServer(name, host="localhost", port=port, tls="none", auth="none", **keys)


def desk_with(port: int, *inboxes: Inbox, **keys: Any) -> Configuration:
    keys.setdefault("mail_servers", (a_server(port),))
    return a_configuration(*(inboxes or (WATCHED,)), **keys)


def look(desk: Desk, after: timedelta = timedelta(0)) -> None:
    """Let the schedule look, and the notifier send what is due."""
    desk.clock.advance(after)
    ScheduleSource(desk.app).once()
    desk.work()


def state(desk: Desk, inbox: str = "support") -> CanaryState:
    found = desk.app.canaries.get(inbox)
    assert found
    return found


def read(raw: bytes) -> EmailMessage:
    return message_from_bytes(raw, policy=policy.default)  # type: ignore[return-value]


def watched_desk(place: Place, folder: Path) -> Desk:
    """A desk with a canary, and with a key of its own, because a store of several machines has none."""
    key = folder / "key"
    key.write_text("0123456789abcdef0123456789abcdef")
    desk = Desk(Location(folder / "data", store_url=store_of(place).get("POSTROOM_STORE_URL")))
    desk.configure(desk_with(NOWHERE, settings=Settings(token_key=Secret(f"file:{key}"))))
    return desk


def hand_in_a_probe(desk: Desk, *, head: bytes = b"") -> str:
    """Queue the probe that is due, and hand the latest one in as if it had come back; its id."""
    CanaryRun(desk.app).work(desk.clock.now(), lambda: True)
    probe = state(desk).probe
    desk.store.update("outbox", {"_id": probe}, {"$set": {"state": "sent", "claimed_at": desk.clock.now()}})
    mail = desk.app.outbox.get(probe)
    assert mail
    desk.hand_in(head + build(as_outgoing(mail), a_server(NOWHERE)))
    return probe


def test_every_store_counts_a_probe_once(place: Place, tmp_path: Path) -> None:
    desk = watched_desk(place, tmp_path)
    for _ in range(2):
        desk.clock.advance(EVERY)
        probe = hand_in_a_probe(desk)
        desk.work()
        first = state(desk)
        assert (first.back, first.is_open) == (probe, False)
        hand_in_a_probe(desk, head=b"Received: from elsewhere\r\n")
        desk.work()
        assert state(desk) == first
    assert [mail["rule"] for mail in desk.mails()] == ["canary"] * 4
    desk.close()


def test_a_probe_leaves_and_what_comes_back_counts_and_makes_nothing(desk: Desk, sink: SmtpServer) -> None:
    desk.configure(desk_with(sink.port))
    look(desk)
    (left,) = sink.received
    probe = read(left.content)
    assert left.recipients == ["support@example.com"]
    assert (probe["From"], probe["Auto-Submitted"]) == ("support@example.com", "auto-generated")
    assert probe["X-Postroom-Loop"] == "support"
    desk.clock.advance(timedelta(seconds=12))
    people = desk.people()
    (mail,) = desk.receive(left.content)
    assert (mail["outcome"], mail["rule"]) == ("rejected", "canary")
    assert mail["reason"] == "a probe of the canary of this inbox, back after 12 seconds"
    assert (desk.records(), desk.people(), desk.dead_letters(), len(desk.outbox())) == ([], people, [], 1)
    assert not mail.get("emitted")
    found = state(desk)
    assert (found.back, found.back_by, found.is_open) == (desk.outbox()[0]["_id"], mail["_id"], False)
    assert found.took
    assert round(found.took.total_seconds()) == 12
    assert check(desk.app, patience=0).problems == ()


def test_the_journey_of_a_probe_names_every_stage(desk: Desk, sink: SmtpServer) -> None:
    desk.configure(desk_with(sink.port))
    look(desk)
    (mail,) = desk.receive(sink.received[0].content)
    stages = [each.stage for each in journal_of(desk.app, mail["_id"])]
    assert stages == ["parser", "filter", "sender-matcher", "record-writer"]


def test_the_next_probe_follows_when_it_is_due_and_never_two_at_once(desk: Desk, sink: SmtpServer) -> None:
    desk.configure(desk_with(sink.port))
    look(desk)
    look(desk)
    assert len(sink.received) == 1
    desk.receive(sink.received[0].content)
    look(desk, EVERY - timedelta(minutes=1))
    assert len(sink.received) == 1
    look(desk, timedelta(minutes=1))
    assert len(sink.received) == 2
    look(desk, EVERY)
    assert len(sink.received) == 2, "the second one is under way"
    look(desk, 2 * EVERY)
    assert len(sink.received) == 3, "it is lost"
    desk.receive(sink.received[2].content)
    assert state(desk).back == state(desk).probe


def test_while_the_mail_server_is_unavailable_one_probe_waits(desk: Desk, sink: SmtpServer) -> None:
    with closed_port() as port:
        desk.configure(desk_with(port))
        for _ in range(10):
            look(desk, EVERY)
    assert [each["state"] for each in desk.outbox()] == ["waiting"]
    desk.configure(desk_with(sink.port))
    desk.clock.advance(timedelta(hours=1))
    notifier.build(desk.app).handle(NotificationQueued("", desk.outbox()[0]["_id"]))
    (left,) = sink.received
    (mail,) = desk.receive(left.content)
    assert state(desk).back_by == mail["_id"], "it counts, though it had waited for long"
    look(desk, EVERY)
    assert len(sink.received) == 2


def test_a_schedule_that_ends_between_queue_and_state_sends_the_same_probe(desk: Desk, sink: SmtpServer) -> None:
    desk.configure(desk_with(sink.port))
    begun = desk.app.canaries.begin("support", desk.clock.now())
    look(desk)
    desk.store.update("canaries", {"_id": "support"}, {"$set": {"probe": "", "queued_at": None}})
    assert state(desk).since == begun.since
    desk.receive(sink.received[0].content)
    look(desk)
    assert (len(sink.received), len(desk.outbox())) == (1, 1)
    assert not state(desk).is_open, "it came back before the schedule had noted that it left"


def test_a_replayed_probe_counts_once_and_makes_no_record(desk: Desk, sink: SmtpServer) -> None:
    desk.configure(desk_with(sink.port))
    look(desk)
    probe = sink.received[0].content
    desk.receive(probe)
    first = state(desk)
    desk.clock.advance(timedelta(minutes=5))
    (again,) = desk.receive(b"Received: from elsewhere\r\n" + probe)
    assert (again["rule"], state(desk), desk.records()) == ("canary", first, [])
    assert again["reason"].endswith("which does not count: it has come back before")


def test_a_probe_that_took_too_long_does_not_count(desk: Desk, sink: SmtpServer) -> None:
    desk.configure(desk_with(sink.port))
    look(desk)
    desk.clock.advance(3 * EVERY + timedelta(seconds=1))
    (late,) = desk.receive(sink.received[0].content)
    assert (late["rule"], state(desk).back_at, desk.records()) == ("canary", None, [])


@pytest.mark.parametrize("what", ["token", "inbox", "kind", "key"])
def test_a_forged_probe_is_a_mail_like_any_other(
    desk: Desk, sink: SmtpServer, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.configure(desk_with(sink.port))
    look(desk)
    raw = sink.received[0].content
    token = str(read(raw)["Message-ID"])[1:43].encode()
    if what == "token":
        raw = raw.replace(token, token[:-1] + (b"a" if token[-1:] != b"a" else b"b"))
    elif what == "kind":
        desk.store.update("outbox", {}, {"$set": {"kind": "updated"}})
    elif what == "inbox":
        desk.store.update("outbox", {}, {"$set": {"inbox": "sales"}})
    else:
        monkeypatch.setattr(desk.app.outbox, "tokens", ReplyTokens(lambda: (b"another key of the desk",)))
    (as_ours,) = desk.receive(raw)
    assert as_ours["rule"] == "own-loop-header"
    stranger = raw.replace(b"From: support@example.com", b"From: eve@elsewhere.example")
    lines = [line for line in stranger.split(b"\r\n") if not line.startswith((b"X-Postroom-Loop", b"Auto-Submitted"))]
    (as_request,) = desk.receive(b"\r\n".join(lines))
    assert as_request["outcome"] == "recorded"
    assert state(desk).back_at is None


def test_each_of_two_inboxes_has_its_own_probe(desk: Desk, sink: SmtpServer) -> None:
    other = an_inbox("sales", canary=Canary(timedelta(hours=1)))
    desk.configure(desk_with(sink.port, WATCHED, other, an_inbox("silent")))
    look(desk)
    by_inbox = {each.recipients[0].partition("@")[0]: each.content for each in sink.received}
    assert by_inbox.keys() == {"support", "sales"}
    (astray,) = desk.receive(by_inbox["sales"], inbox="support")
    assert astray["rule"] == "own-loop-header", "a probe of one inbox says nothing of another"
    desk.receive(by_inbox["support"], inbox="support")
    assert (state(desk).is_open, state(desk, "sales").is_open) == (False, True)
    look(desk, EVERY)
    assert [each.recipients for each in sink.received[2:]] == [["support@example.com"]]


def test_rules_of_the_desk_do_not_keep_a_probe_back(desk: Desk, sink: SmtpServer) -> None:
    everything = Rule("everything", {"subject": ("canary",)}, direction="both")
    desk.configure(desk_with(sink.port, rules=(everything,)))
    look(desk)
    (mail,) = desk.receive(sink.received[0].content)
    assert mail["rule"] == "canary"


def test_a_probe_goes_through_the_server_of_its_canary(desk: Desk, sink: SmtpServer) -> None:
    watched = an_inbox(canary=Canary(EVERY, "relay"), signature="Your desk")
    servers = (a_server(NOWHERE), a_server(sink.port, "relay"))
    desk.configure(desk_with(0, watched, mail_servers=servers))
    look(desk)
    (left,) = sink.received
    assert "Your desk" not in read(left.content).as_string()


@pytest.mark.parametrize(
    ("keys", "why"),
    [
        ({"block": True}, "mail server main is blocked: it receives only"),
        (
            {"override_recipient": "test@example.org"},
            "mail server main sends all mail to test@example.org (override_recipient)",
        ),
        (None, "no mail server is configured"),
    ],
    ids=["blocked", "all to one recipient", "no server"],
)
def test_no_probe_is_queued_that_could_not_come_back(desk: Desk, keys: dict[str, Any] | None, why: str) -> None:
    servers = () if keys is None else (a_server(NOWHERE, **keys),)
    desk.configure(desk_with(0, mail_servers=servers))
    look(desk)
    look(desk, EVERY)
    assert (desk.outbox(), state(desk).probe) == ([], "")
    assert hindrance(desk.app, WATCHED) == why


def test_no_probe_is_sent_to_an_inbox_that_is_stopped(desk: Desk, sink: SmtpServer) -> None:
    desk.configure(desk_with(sink.port))
    stop_inbox(desk.app, "support", "the mailbox moves")
    look(desk)
    assert (desk.outbox(), unread_reason(desk.app, WATCHED)) == ([], "the inbox is stopped: the mailbox moves")
    start_inbox(desk.app, "support")
    look(desk)
    assert len(sink.received) == 1
    desk.configure(desk_with(sink.port, settings=Settings(processing=False)))
    assert unread_reason(desk.app, replace(WATCHED, protocol="imap")) == "processing is off"
    assert unread_reason(desk.app, WATCHED) is None, "it takes mail from intake, which goes on"


def test_without_a_key_no_probe_is_sent(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.configure(desk_with(NOWHERE))
    monkeypatch.setattr(desk.app, "reply_tokens", ReplyTokens(lambda: ()))
    look(desk)
    assert desk.outbox() == []

    def unreadable() -> tuple[bytes, ...]:
        raise Misconfigured("token-key cannot be used")

    monkeypatch.setattr(desk.app, "reply_tokens", ReplyTokens(unreadable))
    assert hindrance(desk.app, WATCHED) == "token-key cannot be used"


def test_a_dry_run_shows_that_a_mail_is_a_probe(desk: Desk, sink: SmtpServer) -> None:
    desk.configure(desk_with(sink.port))
    look(desk)
    found = dry_run(desk.app, sink.received[0].content)
    assert (found.outcome, state(desk).back_at) == ("rejected", None)
    assert found.reason
    assert found.reason.startswith("a probe of the canary")


@pytest.mark.parametrize(
    ("outbox", "waited", "due"),
    [
        ("sent", EVERY, False),
        ("sent", 3 * EVERY, True),
        ("waiting", 3 * EVERY, False),
        ("held", 3 * EVERY, False),
        ("waiting", GIVEN_UP, True),
        ("failed", EVERY, True),
        ("failed", EVERY - timedelta(seconds=1), False),
        ("cancelled", EVERY, True),
        (None, EVERY, True),
        (None, EVERY - timedelta(seconds=1), False),
    ],
)
def test_when_the_next_probe_is_due(outbox: Any, waited: timedelta, due: bool) -> None:
    sent_at = NOW - waited
    before = CanaryState("support", NOW - timedelta(days=9), probe="p1", queued_at=sent_at)
    probe = an_outgoing_mail("p1", state=outbox, at=sent_at) if outbox else None
    assert is_due(Canary(EVERY), before, probe, NOW) == due


def test_the_first_probe_is_due_at_once() -> None:
    assert is_due(Canary(EVERY), CanaryState("support", NOW), None, NOW)
