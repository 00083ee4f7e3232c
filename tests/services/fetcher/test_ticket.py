"""The ticket about an inbox whose logins a real Dovecot refused (TI-10): one a stop, with a note when it is over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from services.fetcher.source import FetcherSource
from services.operator.inbox.inbox_ticket import make_ticket, note_recovery
from services.record_writer.decide.inbox_ticket import StoppedInbox, plan_ticket
from services.record_writer.stage import stores_of
from services.record_writer.store_lookups import StoreLookups
from services.runner import build_fetcher
from shared.app import Location
from shared.config.model import AuthFailureTicket, Configuration, Inbox, Partition, Settings, Template
from shared.contracts.errors import Unavailable
from tests.builders import a_configuration, an_analyst, an_inbox
from tests.desk import Desk
from tests.servers.dovecot import Dovecot
from tests.services.fetcher.conftest import an_inbox as a_mailbox

MAIL_DOWN = Template("mail-down", "incident", {"OwnerTeam": "Mail Team", "Impact": "High", "Urgency": "High"})


@pytest.fixture
def whole(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(Location(tmp_path / "whole"))
    yield made
    made.close()


def configured(inbox: Inbox, **ticket: Any) -> Configuration:
    return a_configuration(
        inbox,
        an_analyst(),
        templates=(MAIL_DOWN,),
        partitions=(Partition("it", {"High/High": 1}),),
        settings=Settings(auth_failure_ticket=AuthFailureTicket(**{"enabled": True, "template": "mail-down"} | ticket)),
    )


def locked_out(whole: Desk, inbox: Inbox, fetchers: list[FetcherSource], monkeypatch: pytest.MonkeyPatch) -> None:
    """Refuse three logins in a row, tried by these fetchers in turn."""
    monkeypatch.setenv("BOB_PASSWORD", "wrong")
    for index in range(3):
        assert fetchers[index % len(fetchers)].poll(inbox).failures
        assert whole.records() == []


@pytest.mark.req("TI-10")
def test_three_refused_logins_make_one_ticket_from_the_template(
    whole: Desk, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = a_mailbox(dovecot.port, partition="it", owner_team="Nobody")
    whole.configure(configured(inbox))
    fetchers = [build_fetcher(whole.app), build_fetcher(whole.app)]
    locked_out(whole, inbox, fetchers, monkeypatch)
    for fetcher in (*fetchers, build_fetcher(whole.app)):  # the last one as after a restart
        assert fetcher.due() == []
    record = whole.record()
    assert (record["type"], record["number"], record["source"]) == ("incident", "INC1", "System - Email Monitor")
    assert (record["owner_team"], record["partition"], record["status"]) == ("Mail Team", "it", "Logged")
    assert (record["fields"]["Source"], record["fields"]["Priority"]) == ("System - Email Monitor", 1)
    assert "support" in record["subject"]
    for part in ("support@example.com", "refused", "postroom inbox start support"):
        assert part in record["description"]
    assert [each["text"] for each in whole.activities(record)] == [record["description"]]
    assert record["pending"] == []


@pytest.mark.req("TI-10")
def test_the_ticket_says_when_the_inbox_is_read_again_and_a_new_stop_has_a_new_ticket(
    whole: Desk, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = a_mailbox(dovecot.port)
    whole.configure(configured(inbox))
    fetcher = build_fetcher(whole.app)
    locked_out(whole, inbox, [fetcher], monkeypatch)
    fetcher.due()
    fetcher.states.start("support")
    monkeypatch.setenv("BOB_PASSWORD", "secret")
    for _ in range(2):
        assert fetcher.poll(inbox).failures == []
    activities = whole.activities(whole.record())
    assert [each["text"] for each in activities[1:]] == ["The inbox support is read again."]
    monkeypatch.setenv("BOB_PASSWORD", "wrong")
    for _ in range(3):
        fetcher.poll(inbox)
    fetcher.due()
    assert [record["number"] for record in whole.records()] == ["INC1", "INC2"]


@pytest.mark.req("TI-10")
@pytest.mark.parametrize(
    ("templates", "type_", "said"),
    [
        ((), "incident", 'The template "mail-down" does not exist any more.'),
        (
            (replace(MAIL_DOWN, set={"Status": "Gone"}),),
            "incident",
            'The template "mail-down" could not be used: the field Status takes',
        ),
        ((replace(MAIL_DOWN, on="problem"),), "problem", ""),
    ],
    ids=["deleted", "unusable", "of-another-type"],
)
def test_a_ticket_is_made_whatever_became_of_its_template(
    whole: Desk, templates: tuple[Template, ...], type_: str, said: str
) -> None:
    lookups = StoreLookups(stores_of(whole.app), "ignore")
    inbox = an_inbox(owner_team="Desk")
    planned = plan_ticket(
        StoppedInbox(inbox, "refused", "support:1"), replace(configured(inbox), templates=templates), lookups
    )
    found = {each.name: each.value for each in planned.set}
    assert (planned.type, found["source"]) == (type_, "System - Email Monitor")
    assert found["owner_team"] == ("Desk" if type_ == "incident" else "Mail Team")
    assert said in found["description"]
    assert "postroom inbox start support" in found["description"]


@pytest.mark.req("TI-10")
@pytest.mark.parametrize("enabled", [True, False])
def test_an_inbox_stops_with_or_without_a_ticket(
    whole: Desk, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch, enabled: bool
) -> None:
    inbox = a_mailbox(dovecot.port)
    whole.configure(configured(inbox, enabled=enabled))
    fetcher = build_fetcher(whole.app)
    locked_out(whole, inbox, [fetcher], monkeypatch)
    assert fetcher.due() == []
    assert len(whole.records()) == enabled


@pytest.mark.req("TI-10")
def test_a_ticket_is_written_once_however_often_it_is_asked_for(whole: Desk) -> None:
    inbox = an_inbox()
    whole.configure(configured(inbox))
    for reason in ("refused", "refused again"):
        make_ticket(whole.app, inbox, reason, "support:1")
        note_recovery(whole.app, inbox, "support:1")
    assert len(whole.activities(whole.record())) == 2
    note_recovery(whole.app, inbox, "support:2")
    make_ticket(whole.app, inbox, "refused", "support:2")
    assert [record["number"] for record in whole.records()] == ["INC1", "INC3"]


@pytest.mark.req("TI-10")
def test_a_note_that_could_not_be_written_is_written_after_the_next_visit(
    whole: Desk, dovecot: Dovecot, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox = a_mailbox(dovecot.port)
    whole.configure(configured(inbox))
    fetcher = build_fetcher(whole.app)
    locked_out(whole, inbox, [fetcher], monkeypatch)
    fetcher.due()
    fetcher.states.start("support")
    monkeypatch.setenv("BOB_PASSWORD", "secret")
    with monkeypatch.context() as unavailable:
        unavailable.setattr(type(whole.app.records), "commit", lambda *_: False)
        with pytest.raises(Unavailable, match="is being changed"):
            note_recovery(whole.app, inbox, whole.store.get("inbox_state", "support")["ticket"])  # type: ignore[index]
        assert fetcher.poll(inbox).failures == []
    assert len(whole.activities(whole.record())) == 1
    fetcher.poll(inbox)
    assert len(whole.activities(whole.record())) == 2
