"""Inboxes, queues, dead letters, outbox, records and people: what each shows, and who may do what."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest

from services.operator.health.stages import pause_stage
from services.operator.mail.outbox import find_outgoing
from services.operator.permissions import access
from services.queues import QUEUES
from shared.config.model import Canary, CommandPolicy, Inbox, MailServer, Settings
from shared.config.values import Secret
from shared.runtime.broker import Message
from shared.store.configuration import Made, revision, switch
from shared.store.configuration_changes import ConfigurationChanges
from shared.store.inbox_states import InboxStates
from tests.builders import a_configuration, a_mail, an_inbox
from tests.desk import Desk
from tests.services.console.conftest import Clients
from tests.services.operator.settings.test_settings_form import filled_as
from tests.services.schedule.test_canaries import hand_in_a_probe

SUPPORT = an_inbox("support", commands=CommandPolicy(reply_on_create=True))
SALES = an_inbox("sales", protocol="imap", host="127.0.0.1", port=9, username="bob", password=Secret("${NOT_SET_HERE}"))
NEW = {
    "protocol": "imap",
    "name": "help",
    "address": "help@example.com",
    "host": "127.0.0.1",
    "port": "9",
    "username": "bob",
    "password": "a typed password",
    "enabled": "true",
}


@pytest.fixture
def full(desk: Desk) -> Desk:
    """A desk with two inboxes, a record, an answer, and a dead letter of each inbox."""
    desk.configure(a_configuration(SUPPORT, SALES))
    desk.receive(a_mail(subject="<b>Printer</b>"), inbox="support")
    for inbox in ("support", "sales"):
        headers = {"reason": f"the template of {inbox}@x is gone", "stage": "filter", "queue": "filter"}
        message = Message(inbox, "filter", b'{"secret": "of a mail"}', headers=headers)
        desk.app.dead_letters.keep(message, mail_id=None, inbox=inbox, at=desk.clock.now())
    return desk


def hidden_and_typed(inbox: Inbox) -> dict[str, str | list[str]]:
    """What a browser sends when the form of an inbox is saved as it is."""
    return {name: each if len(each) > 1 else each[0] for name, each in filled_as(inbox).items() if each}


def letters(desk: Desk) -> dict[str | None, str]:
    """Inbox → its dead letter."""
    return {each["inbox"]: each["_id"] for each in desk.dead_letters()}


def outgoing(desk: Desk) -> str:
    """The only answer."""
    return desk.outbox()[0]["_id"]


def test_inboxes_show_their_canary(desk: Desk, clients: Clients) -> None:
    desk.configure(a_configuration(replace(SUPPORT, canary=Canary(timedelta(minutes=15))), SALES))
    client = clients("viewer")
    for path in ("/inboxes", "/inboxes/support"):
        assert "no probe has come back yet; none is sent: no mail server is configured" in client.get(path).text
    assert "probe" not in client.get("/inboxes/sales").text


def test_an_inbox_says_what_config_check_notes_about_it_to_who_may_change_it(desk: Desk, clients: Clients) -> None:
    """Two canaries for one address, of which one is always lost."""
    watched = replace(SUPPORT, canary=Canary(timedelta(minutes=15)))
    desk.configure(a_configuration(watched, replace(watched, name="again")))
    client, note = clients("administrator"), "canary: the inbox again has this address and a canary too"
    for path in ("/inboxes/support", "/inboxes/support/settings"):
        assert note in client.get(path).text
    assert "canary: the inbox support has" in client.get("/inboxes/again/settings").text
    assert note not in clients("viewer").get("/inboxes/support").text
    desk.configure(a_configuration(SUPPORT, SALES))
    assert "What to know about these settings" not in client.get("/inboxes/support").text


def test_a_probe_is_a_group_of_rejected_mail_without_release(desk: Desk, clients: Clients) -> None:
    server = MailServer("out", host="localhost", port=9, tls="none", auth="none")
    desk.configure(a_configuration(replace(SUPPORT, canary=Canary(timedelta(minutes=10))), mail_servers=(server,)))
    hand_in_a_probe(desk)
    desk.work()
    client = clients("operator")
    rejected, mail = client.get("/rejected").text, client.get(f"/mails/{desk.mails()[0]['_id']}").text
    for page in (rejected, mail):
        assert "a probe of the canary of this inbox, back after" in page
        assert "Release" not in page
        assert "Always allow" not in page


def test_every_screen_shows_what_there_is(full: Desk, clients: Clients) -> None:
    client = clients("administrator")
    number = full.record()["number"]
    person = full.record()["customer"]
    for path, words in {
        "/inboxes": ["support@example.com", "takes mail from intake", "has not been visited yet"],
        "/inboxes/support": ["Event log", "record-writer", "&lt;b&gt;Printer&lt;/b&gt;"],
        "/inboxes/sales": ["NOT_SET_HERE is not set", "has not been tested yet"],
        "/inboxes/sales/settings": ["127.0.0.1", "folder to read", "NOT_SET_HERE is not set"],
        "/inboxes/new": ["Microsoft 365 (Graph)"],
        "/inboxes/new?protocol=graph": ["application id"],
        "/inboxes/support/sample": ["To: support@example.com"],
        "/inboxes/sales/delete": ["Type <code>sales</code>"],
        "/queues": ["intake", "record-writer", "parked", "schedule"],
        "/dead-letters": ["the template of … is gone"],
        f"/dead-letters/{letters(full)['sales']}": ["sales@x is gone", "of a mail"],
        "/outbox": ["unsent", "anna@customer.example"],
        f"/outbox/{outgoing(full)}": ["Send now", "Hold"],
        "/records": [number, "&lt;b&gt;Printer&lt;/b&gt;"],
        f"/records/incident/{number}": ["Anna Becker", "The printer on floor 3 is on fire."],
        f"/records/call/{number.lower()}": ["Anna Becker"],
        "/people": ["Administrator"],
        f"/people/{person}": ["Anna Becker", number],
    }.items():
        page = client.get(path)
        assert page.status_code == 200, path
        for word in words:
            assert word in page.text, (path, word)
        assert "a typed password" not in page.text
        assert page.text.count("<h1") == 1, path


@pytest.mark.req("VS-11")
def test_email_settings_are_seen_and_changed_by_administrators_alone(full: Desk, clients: Clients) -> None:
    paths = ("/inboxes/new", "/inboxes/new?protocol=imap", "/inboxes/sales/settings", "/inboxes/sales/delete")
    writes = ("/inboxes/new", "/inboxes/sales/settings", "/inboxes/sales/delete", "/inboxes/sales/test-mail")
    for role, inboxes in (("viewer", ()), ("operator", ()), ("administrator", ("sales",))):
        client = clients(role, inboxes=inboxes)
        assert {client.get(path).status_code for path in paths} == {403}, role
        assert {client.submit(path, **NEW, confirm="sales").status_code for path in writes} == {403}, role  # type: ignore[attr-defined]
        assert "/inboxes/new" not in client.get("/inboxes").text
        assert "127.0.0.1" not in client.get("/inboxes/sales").text
    assert [each.name for each in full.app.directory.renew().inboxes] == ["support", "sales"]
    administrator = clients("administrator")
    assert {administrator.get(path).status_code for path in paths} == {200}
    assert administrator.submit("/inboxes/new", **NEW).status_code == 303  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/inboxes/{inbox}/test", {}),
        ("/inboxes/{inbox}/clear-test", {}),
        ("/inboxes/{inbox}/fetch", {}),
        ("/inboxes/{inbox}/stop", {}),
        ("/inboxes/{inbox}/start", {}),
        ("/dead-letters/{letter}/replay", {}),
        ("/dead-letters/{letter}/discard", {"reason": "old"}),
    ],
)
def test_an_operator_of_one_inbox_acts_on_that_alone(
    full: Desk, clients: Clients, path: str, fields: dict[str, str]
) -> None:
    def status(role: str, inbox: str, **rights: object) -> int:
        where = path.format(inbox=inbox, letter=letters(full)[inbox])
        return clients(role, **rights).submit(where, **fields).status_code  # type: ignore[attr-defined, no-any-return]

    assert status("viewer", "sales") == 403
    assert status("operator", "sales", inboxes=["support"]) == 404
    assert status("operator", "sales", inboxes=["sales"]) == 303
    done = {each.who for each in full.app.access.audit.recent(20)}
    assert done == {"operator-3"}


def test_who_is_limited_to_an_inbox_sees_nothing_of_another(full: Desk, clients: Clients) -> None:
    client = clients("operator", inboxes=["sales"])
    record = full.record()
    pages = (
        "/inboxes/support", "/inboxes/support/sample", "/inboxes/support/waiting", f"/outbox/{outgoing(full)}",
        f"/dead-letters/{letters(full)['support']}", f"/records/incident/{record['number']}",
        f"/people/{record['customer']}",
    )  # fmt: skip
    assert {client.get(path).status_code for path in pages} == {404}
    for path in ("/inboxes", "/outbox", "/records", "/dead-letters", "/people"):
        page = client.get(path)
        assert page.status_code == 200
        assert "support" not in page.text.replace("support@example.com", "")
        assert "Printer" not in page.text


def test_what_belongs_to_another_inbox_is_as_what_does_not_exist(full: Desk, clients: Clients) -> None:
    client, record = clients("operator", inboxes=["sales"]), full.record()
    absent, there = "f" * 32, {"letter": letters(full)["support"], "outgoing": outgoing(full)}
    for path, id_ in (
        ("/dead-letters/{}/replay", there["letter"]),
        ("/dead-letters/{}/discard", there["letter"]),
        ("/outbox/{}/send", there["outgoing"]),
        ("/outbox/{}/hold", there["outgoing"]),
        ("/outbox/{}/cancel", there["outgoing"]),
    ):
        answers = {client.submit(path.format(each), reason="x").status_code for each in (id_, absent)}  # type: ignore[attr-defined]
        assert answers == {404}, path
    for path, names in (
        ("/records?number={}", (record["number"], "INC999")),
        ("/people?named={}", (record["customer"], "nobody@example.com")),
    ):
        first, second = (client.get(path.format(name), follow_redirects=False) for name in names)
        assert first.status_code == second.status_code == 409, path
        assert names[0] in first.text


def test_many_rows_of_another_inbox_hide_none_of_a_visible_one(desk: Desk, clients: Clients) -> None:
    desk.configure(a_configuration(SUPPORT, SALES))
    desk.receive(a_mail(subject="Offer"), inbox="sales")
    desk.receive(a_mail(subject="Printer"), inbox="support")
    record, answer, entry = (
        next(desk.store.find(collection, {"inbox": "support"})) for collection in ("records", "outbox", "history")
    )
    desk.store.insert("outbox", {**answer, "_id": "own", "inbox": "sales", "subject": "About the offer"})
    for collection, row, time in (
        ("records", record, "created_at"),
        ("outbox", answer, "at"),
        ("history", entry, "at"),
    ):
        newer = [(number, desk.clock.now() + timedelta(seconds=number)) for number in range(10_050)]
        rows = [{**row, "_id": f"{number}", "serial": 10 + number, time: at} for number, at in newer]
        desk.store.insert_many(collection, rows)
    client = clients("operator", inboxes=["sales"])
    for path, word in (
        ("/records", "Offer"),
        ("/outbox", "About the offer"),
        (f"/people/{record['customer']}", "Offer"),
    ):
        page = client.get(path).text
        assert word in page, path
        assert "Printer" not in page, path


def test_related_records_of_another_inbox_are_left_out(desk: Desk, clients: Clients) -> None:
    desk.configure(a_configuration(SUPPORT, SALES))
    desk.receive(a_mail(subject="Printer"), inbox="support")
    desk.receive(a_mail(subject="Offer", sender="tom@example.com"), inbox="sales")
    support, sales = sorted(desk.records(), key=lambda each: str(each["inbox"]), reverse=True)
    for relationship in ("parent", "related"):
        desk.app.records.link(support["_id"], sales["_id"], relationship, desk.clock.now())
    path = f"/records/incident/{sales['number']}"
    whole, limited = clients("operator").get(path).text, clients("operator", inboxes=["sales"]).get(path).text
    assert whole.count(f"/records/incident/{support['number']}") == 2
    assert support["number"] not in limited
    assert "tom@example.com" in clients("operator", inboxes=["sales"]).get(f"/people/{sales['customer']}").text


def test_what_a_mail_says_is_for_those_who_may_read_mail(full: Desk, clients: Clients) -> None:
    record = f"/records/incident/{full.record()['number']}"
    paths = (record, f"/outbox/{outgoing(full)}", f"/dead-letters/{letters(full)['support']}")
    viewer, reader = clients("viewer"), clients("viewer", read_mail=True)
    assert viewer.get("/inboxes/sales/waiting").status_code == 403
    for path, word in zip(paths, ("on fire", "Your", "of a mail"), strict=True):
        assert word not in viewer.get(path).text, path
        assert word in reader.get(path).text or word == "Your", path


def test_a_new_inbox_is_saved_and_tested_and_shows_the_sentence(full: Desk, clients: Clients) -> None:
    client = clients("administrator")
    wrong = client.submit("/inboxes/new", **{**NEW, "port": "many", "address": ""})
    assert wrong.status_code == 409  # type: ignore[attr-defined]
    assert "is not a number from 1 to 65535" in wrong.text  # type: ignore[attr-defined]
    assert 'value="bob"' in wrong.text  # type: ignore[attr-defined]
    assert "a typed password" not in wrong.text  # type: ignore[attr-defined]
    saved = client.submit("/inboxes/new", **NEW)
    assert saved.headers["location"] == "/inboxes/help"  # type: ignore[attr-defined]
    page = client.get("/inboxes/help").text
    assert "Saved. The request failed. The server could not be reached" in page
    assert InboxStates(full.app.documents, full.clock).get("help").test is not None
    assert [each.what for each in full.app.access.audit.recent(9)] == ["made an inbox"]


@pytest.mark.req("VS-12")
def test_a_reason_is_kept_with_a_change_of_settings(full: Desk, clients: Clients) -> None:
    full.configure(a_configuration(SUPPORT, SALES, settings=Settings(require_change_reason=True)))
    client = clients("administrator")
    assert "say why" in client.submit("/inboxes/new", **NEW).text  # type: ignore[attr-defined]
    assert client.submit("/inboxes/new", **NEW, reason="a new team").status_code == 303  # type: ignore[attr-defined]
    reasons = [(each.by, each.reason) for each in ConfigurationChanges(full.app.documents).recent(0)]
    assert ("administrator-1", "a new team") in reasons


def test_another_method_shows_its_fields_and_saves_nothing(full: Desk, clients: Clients) -> None:
    client = clients("administrator")
    page = client.submit("/inboxes/new", **{**NEW, "protocol": "graph"}, method="show").text  # type: ignore[attr-defined]
    assert 'name="oauth.client_id"' in page
    assert 'name="host"' not in page
    assert 'value="help@example.com"' in page
    assert full.app.directory.renew().inbox("help") is None


@pytest.mark.req("VS-12")
def test_a_form_that_somebody_overtook_says_who_what_and_when_and_keeps_what_was_typed(
    full: Desk, clients: Clients
) -> None:
    client, path = clients("administrator"), "/inboxes/support/settings"
    page = client.get(path).text
    assert f'name="revision" value="{revision(full.store)}"' in page
    opened = {"revision": revision(full.store), **hidden_and_typed(SUPPORT)}
    made = Made(full.clock.now(), "ben", "a new <b>team</b>")
    switch(full.store, "inboxes", "support", "owner_team", "First", made)
    mine = client.submit(path, **{**opened, "owner_team": "Second", "signature": "Regards"}, reason="mine")
    assert mine.status_code == 409  # type: ignore[attr-defined]
    page = mine.text  # type: ignore[attr-defined]
    for words in ("ben", "a new &lt;b&gt;team&lt;/b&gt;", "owner_team: null → &#34;First&#34;", 'value="Second"'):
        assert words in page
    assert re.search(r"ben, 2026-11-20 12:00", page)
    assert "Regards" in page
    assert 'value="mine"' in page
    assert full.app.directory.renew().inbox("support").owner_team == "First"  # type: ignore[union-attr]
    again = {**opened, "owner_team": "Second", "signature": "Regards", "revision": revision(full.store)}
    assert client.submit(path, **again).status_code == 303  # type: ignore[attr-defined]
    assert full.app.directory.renew().inbox("support").owner_team == "Second"  # type: ignore[union-attr]


def test_a_form_without_its_revision_overwrites_nothing_that_was_changed(full: Desk, clients: Clients) -> None:
    switch(full.store, "inboxes", "support", "owner_team", "First")
    mine = {**hidden_and_typed(SUPPORT), "owner_team": "Second"}
    assert clients("administrator").submit("/inboxes/support/settings", **mine).status_code == 409  # type: ignore[attr-defined]


@pytest.mark.req("IV-10")
def test_an_inbox_is_deleted_after_its_name_was_typed(full: Desk, clients: Clients) -> None:
    client = clients("administrator")
    seen = revision(full.store)
    client.submit("/inboxes/support/delete", confirm="suport", revision=seen)
    assert full.app.directory.renew().inbox("support") is not None
    client.submit("/inboxes/support/delete", confirm="support", reason="closed", revision=seen)
    assert full.app.directory.renew().inbox("support") is None
    assert len(full.mails()) == 1


def test_a_stage_is_paused_with_a_reason_and_resumed(full: Desk, clients: Clients) -> None:
    client = clients("operator")
    assert client.submit("/queues/filter/pause").status_code == 409  # type: ignore[attr-defined]
    assert client.submit("/queues/filter/pause", reason="new rules").status_code == 303  # type: ignore[attr-defined]
    assert "paused by operator-1: new rules" in client.get("/queues").text
    assert client.submit("/queues/filter/resume").status_code == 303  # type: ignore[attr-defined]
    assert full.app.pauses.current() == {}
    assert client.submit("/queues/printer/pause", reason="x").status_code == 404  # type: ignore[attr-defined]
    pause_stage(full.app, "parser", by="anna", reason="")
    assert clients("viewer").submit("/queues/parser/resume").status_code == 403  # type: ignore[attr-defined]
    assert clients("operator", inboxes=["sales"]).submit("/queues/parser/resume").status_code == 403  # type: ignore[attr-defined]


def test_a_queue_that_no_worker_reads_is_not_said_to_work(full: Desk, clients: Clients) -> None:
    client = clients("operator")
    assert client.get("/queues").text.count("no worker") == len(QUEUES.names)
    consumer = full.app.broker.consumer("filter", 1)
    consumer.take(0)
    page = client.get("/queues").text
    assert (page.count("no worker"), page.count(">works<")) == (len(QUEUES.names) - 1, 1)
    consumer.close()


def test_outgoing_mail_is_held_and_cancelled(full: Desk, clients: Clients) -> None:
    client, id_ = clients("operator"), outgoing(full)
    assert clients("viewer").submit(f"/outbox/{id_}/hold").status_code == 403  # type: ignore[attr-defined]
    assert clients("operator", inboxes=["sales"]).submit(f"/outbox/{id_}/hold").status_code == 404  # type: ignore[attr-defined]
    client.submit(f"/outbox/{id_}/hold", reason="wrong words")
    assert find_outgoing(full.app, id_).state == "held"
    assert "held by operator-1: wrong words" in client.get(f"/outbox/{id_}").text
    client.submit(f"/outbox/{id_}/cancel")
    assert find_outgoing(full.app, id_).state == "cancelled"


def test_sending_now_is_kept_with_the_mail(full: Desk, clients: Clients) -> None:
    id_ = outgoing(full)
    full.configure(a_configuration(SUPPORT, SALES, mail_servers=(MailServer("out", host="127.0.0.1", port=9),)))
    clients("operator").submit(f"/outbox/{id_}/send", reason="she waits")  # type: ignore[attr-defined]
    mail_id = find_outgoing(full.app, id_).mail_id or ""
    said = [(each.decision, each.why) for each in full.app.journal.of_mail(mail_id)]
    assert ("answer to be sent now", "asked for by operator-1: she waits") in said


def test_a_cause_is_replayed_as_a_job_with_a_rate(full: Desk, clients: Clients) -> None:
    client = clients("operator")
    (path,) = set(re.findall(r"/dead-letters/causes/\w+", client.get("/dead-letters").text))
    page = client.get(path).text
    token = re.findall(r'name="token" value="(\w+)"', page)[0]
    assert clients("viewer").submit(path, verb="replay").status_code == 403  # type: ignore[attr-defined]
    assert client.submit(path, verb="discard").status_code == 409  # type: ignore[attr-defined]
    for _ in range(2):
        client.submit(path, verb="replay", per_minute="30", token=token, reason="mended")
    (job,) = full.app.jobs.recent(9)
    assert (job.verb, job.total, job.per_minute, job.by, job.reason) == ("replay", 2, 30, "operator-1", "mended")
    limited = clients("operator", inboxes=["sales"])
    limited.submit(path, verb="discard", reason="old")
    assert sorted(each.total for each in full.app.jobs.recent(9)) == [1, 2]


def test_causes_are_those_of_letters_that_the_person_sees(full: Desk, clients: Clients) -> None:
    every, own = clients("operator"), clients("operator", inboxes=["sales"])
    (path,) = set(re.findall(r"/dead-letters/causes/\w+", every.get("/dead-letters").text))
    counts = [re.findall(r'data-label="letters">(\d+)<', each.get("/dead-letters").text) for each in (every, own)]
    assert counts == [["2"], ["1"]]
    of_cause = own.get(path).text
    assert f"/dead-letters/{letters(full)['sales']}" in of_cause
    assert f"/dead-letters/{letters(full)['support']}" not in of_cause


def test_the_overview_has_the_causes_of_letters_that_the_person_sees(full: Desk, clients: Clients) -> None:
    """Two letters whose reasons differ in a name have one cause."""
    every, own = clients("operator"), clients("operator", inboxes=["sales"])
    counts = [
        re.findall(r"<strong>(\d+)</strong> [\w-]+: <a href=./dead-letters/causes/", each.get("/").text)
        for each in (every, own)
    ]
    assert counts == [["2"], ["1"]]


def test_only_an_administrator_starts_an_inbox_that_is_switched_off(full: Desk, clients: Clients) -> None:
    full.configure(a_configuration(SUPPORT, an_inbox("sales", enabled=False)))
    clients("operator").submit("/inboxes/sales/start")
    assert not full.app.directory.renew().inbox("sales").enabled  # type: ignore[union-attr]
    clients("administrator").submit("/inboxes/sales/start")
    assert full.app.directory.renew().inbox("sales").enabled  # type: ignore[union-attr]
    assert access.Role.OPERATOR == "operator"
