"""Versions of the configuration: kept whole, compared, gone back to."""

from __future__ import annotations

import pytest

from services.operator.errors import NotAvailable
from services.operator.settings import configuration_versions as versions
from services.operator.settings.configuration import configuration_changes, stored_configuration
from shared.config.model import CommandPolicy, MailServer, Rule, Settings
from shared.config.problems import InvalidConfiguration
from shared.config.values import Secret
from shared.store import configuration as store
from shared.store.configuration import revision
from shared.store.configuration_versions import KEPT, VERSIONS
from tests.builders import a_configuration, a_mail, a_person, an_analyst, an_inbox
from tests.desk import Desk

SUPPORT = an_inbox(
    "support", protocol="imap", host="mail.example", username="bob", password=Secret("${MAIL_PASSWORD}"), enabled=False
)
RULE = Rule("no-offers", {"subject": "special offer"}, reason="no offers")


@pytest.mark.req("VS-12")
def test_going_back_makes_everything_what_it_was_and_people_stay(desk: Desk) -> None:
    servers = (MailServer("out", host="smtp.example"),)
    desk.configure(a_configuration(SUPPORT, a_person("jane"), mail_servers=servers, rules=(RULE,)))
    before, first = stored_configuration(desk.app), revision(desk.store)
    settings = Settings(timezone="Europe/Berlin")
    desk.configure(
        a_configuration(an_inbox("support"), an_inbox("sales"), a_person("tom"), settings=settings, rules=())
    )
    desk.receive(a_mail(sender="new@example.com"))
    people = desk.people()
    applied = versions.roll_back(desk.app, first, by="kim", reason="mail stopped")
    assert applied.deleted == ("inboxes/sales",)
    after = stored_configuration(desk.app)
    assert (after.inboxes, after.mail_servers, after.rules) == (before.inboxes, before.mail_servers, before.rules)
    assert after.settings == before.settings
    assert desk.people() == people
    assert desk.app.directory.current().inboxes == before.inboxes
    (change,) = [each for each in configuration_changes(desk.app, 0) if each.by == "kim"]
    assert change.reason == f"back to version {first}: mail stopped"
    assert change.revision == revision(desk.store) > first + 1


def test_a_version_is_shown_as_its_file_and_secrets_as_references(desk: Desk) -> None:
    desk.configure(a_configuration(SUPPORT))
    text = versions.version_text(desk.app, revision(desk.store))
    assert text == versions.current_text(desk.app)
    assert "${MAIL_PASSWORD}" in text


def test_a_difference_has_the_lines_of_both(desk: Desk) -> None:
    desk.configure(a_configuration(SUPPORT))
    first = revision(desk.store)
    desk.configure(a_configuration(an_inbox("support", protocol="none")))
    lines = versions.differences_of(desk.app, first, first + 1)
    assert any(line.startswith("-") and "mail.example" in line for line in lines)
    assert versions.differences_of(desk.app, first + 1, None) == []


def test_going_back_to_what_is_in_force_or_without_a_reason_is_refused(desk: Desk) -> None:
    desk.configure(a_configuration(SUPPORT, rules=(RULE,)))
    at = revision(desk.store)
    with pytest.raises(NotAvailable, match=f"is that of version {at} already"):
        versions.roll_back(desk.app, at, by="kim", reason="x")
    with pytest.raises(NotAvailable, match="say why"):
        versions.roll_back(desk.app, at, by="kim", reason=" ")
    with pytest.raises(NotAvailable, match="version 99 is not kept"):
        versions.roll_back(desk.app, 99, by="kim", reason="x")
    assert revision(desk.store) == at


def test_a_version_that_does_not_fit_any_more_changes_nothing(desk: Desk) -> None:
    """It names a person who is gone."""
    logged = an_inbox("support", commands=CommandPolicy(default_logging_analyst="tom"))
    desk.configure(a_configuration(logged, an_analyst("tom")))
    first = revision(desk.store)
    desk.configure(a_configuration(an_inbox("support")))
    desk.store.delete("people", {"_id": "tom"})
    at = revision(desk.store)
    with pytest.raises(InvalidConfiguration, match="tom"):
        versions.roll_back(desk.app, first, by="kim", reason="x")
    assert revision(desk.store) == at


def test_the_newest_versions_are_kept(desk: Desk) -> None:
    for number in range(KEPT + 5):
        store.switch(desk.store, "inboxes", "support", "enabled", number % 2 == 0)
    kept = {each["revision"] for each in desk.store.find(VERSIONS, {})}
    assert len(kept) == KEPT
    assert max(kept) == revision(desk.store)
