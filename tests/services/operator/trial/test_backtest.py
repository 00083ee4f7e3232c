"""Back-test: which outcomes, records and answers a changed configuration would change, without writing anything."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import timedelta

import pytest

from services.operator.trial.backtest import Backtest, changed_configuration, compare_all, new_backtest
from shared.config.model import CommandPolicy, Configuration, Rule
from shared.config.problems import InvalidConfiguration
from shared.store.mails import MailQuery
from tests.builders import a_configuration, a_mail, an_analyst, an_inbox
from tests.desk import Desk

INBOX = an_inbox(commands=CommandPolicy(reply_on_create=True))
NO_COFFEE = Rule("coffee", {"subject": ("coffee",)}, reason="not about coffee")


def stated(*things: object) -> Configuration:
    """A file that states these."""
    made = a_configuration(*things)  # type: ignore[arg-type]
    return replace(made, sections=frozenset({"inboxes", "rules"}))


def compared(desk: Desk, changed: Configuration, query: MailQuery | None = None, listed: int = 10) -> Backtest:
    """The back-test at its end."""
    return run(desk, changed_configuration(desk.app, changed), query or MailQuery(), listed)


def run(desk: Desk, changed: Configuration, query: MailQuery, listed: int = 10) -> Backtest:
    """The back-test of a whole configuration at its end."""
    found = new_backtest(desk.app, query)
    assert len(list(compare_all(desk.app, changed, query, found, listed))) == found.done == found.total
    return found


def everything(desk: Desk) -> list[str]:
    """All that is in the store and in the queues."""
    with sqlite3.connect(desk.app.location.data / "postroom.sqlite") as connection:
        return list(connection.iterdump())


@pytest.fixture
def archive(desk: Desk) -> Desk:
    """A desk that has five mails, one of them about coffee."""
    desk.configure(a_configuration(INBOX, an_analyst("ann")))
    desk.receive(*(a_mail(subject=f"Printer {number}") for number in range(4)))
    desk.receive(a_mail(subject="Coffee is out"))
    return desk


def test_the_same_configuration_changes_nothing(archive: Desk) -> None:
    found = compared(archive, stated(INBOX))
    assert (found.done, found.total, found.differing, found.failed) == (5, 5, 0, 0)
    assert found.sentence == "0 of 5 mails would differ"


def test_a_new_rule_changes_outcomes_records_and_answers(archive: Desk) -> None:
    found = compared(archive, replace(stated(INBOX), rules=(NO_COFFEE,)))
    (difference,) = found.differences
    assert difference.mail.subject == "Coffee is out"
    assert (difference.before.outcome, difference.after.outcome) == ("recorded", "rejected")
    assert difference.after.reason is not None
    assert "coffee" in difference.after.reason
    assert difference.before.records
    assert difference.after.records == ()
    assert difference.kinds == ("outcome", "records", "answers")
    assert dict(found.outcomes) == {("recorded", "rejected"): 1}


def test_a_rejected_mail_that_would_become_a_record_is_found_too(archive: Desk) -> None:
    archive.configure(replace(a_configuration(INBOX, an_analyst("ann")), rules=(NO_COFFEE,)))
    archive.receive(a_mail(subject="More coffee"))
    off = replace(NO_COFFEE, enabled=False)
    found = compared(archive, replace(stated(INBOX), rules=(off,)))
    assert dict(found.outcomes) == {("rejected", "recorded"): 2}


def test_changed_fields_of_a_record_are_a_difference(archive: Desk) -> None:
    found = compared(archive, stated(replace(INBOX, owner_team="Printers")))
    assert found.differing == 5
    assert found.kinds["outcome"] == 0
    assert found.kinds["records"] == 5
    (value,) = found.differences[0].values
    assert value.what.startswith("create incident INC")
    assert value.what.endswith("set.owner_team")
    assert (value.before, value.after) == ("nothing", "Printers")


def test_an_inbox_that_would_be_gone_makes_dead_letters(archive: Desk) -> None:
    archive.configure(a_configuration(INBOX, an_inbox("sales"), an_analyst("ann")))
    archive.receive(a_mail(), inbox="sales")
    changed = changed_configuration(archive.app, stated(INBOX), prune=True)
    found = run(archive, changed, MailQuery(inbox="sales"))
    assert dict(found.outcomes) == {("recorded", "dead"): 1}


def test_nothing_is_written(archive: Desk) -> None:
    before = everything(archive)
    assert compared(archive, replace(stated(replace(INBOX, owner_team="Printers")), rules=(NO_COFFEE,))).differing == 5
    assert everything(archive) == before


def test_a_configuration_that_does_not_fit_is_refused(archive: Desk) -> None:
    with pytest.raises(InvalidConfiguration, match="mail server"):
        changed_configuration(archive.app, stated(replace(INBOX, mail_server="nowhere")))


def test_only_the_mail_that_is_asked_for_is_compared(archive: Desk) -> None:
    archive.clock.advance(timedelta(days=40))
    archive.receive(a_mail(subject="Coffee again"))
    since = archive.clock.now() - timedelta(days=30)
    changed = replace(stated(INBOX), rules=(NO_COFFEE,))
    assert compared(archive, changed, MailQuery(since=since)).done == 1
    assert compared(archive, changed, MailQuery()).done == 6


def test_all_are_counted_and_few_are_kept(archive: Desk) -> None:
    found = compared(archive, stated(replace(INBOX, owner_team="Printers")), listed=2)
    assert (found.differing, len(found.differences)) == (5, 2)
    assert found.as_json()["records"] == 5


def test_a_mail_whose_source_is_gone_is_named_and_delays_no_other(
    archive: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = archive.mails()[0]["raw"]
    get_blob = archive.store.get_blob

    def without(sha256: str) -> bytes:
        if sha256 == gone:
            raise LookupError("no such blob")
        return get_blob(sha256)

    monkeypatch.setattr(archive.store, "get_blob", without)
    found = compared(archive, stated(INBOX))
    assert (found.done, found.failed) == (5, 1)
    assert found.failures == [(archive.mails()[0]["_id"], "no such blob")]
