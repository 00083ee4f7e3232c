"""The configuration in the store: apply, read, export."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.clock import FixedClock
from shared.config.model import DEFAULT, Configuration, Inbox, MailServer, Person, Rule, Settings
from shared.config.problems import InvalidConfiguration
from shared.config.reading import load_bytes
from shared.config.writing import to_yaml
from shared.contracts.errors import Misconfigured
from shared.embedded.documents import EmbeddedDocuments
from shared.store.configuration import apply, read, revision, switch
from shared.store.configuration_changes import CHANGES
from shared.store.configuration_documents import from_documents, to_documents
from shared.store.documents import Documents
from shared.store.settings import SETTINGS
from tests.shared.config.example import EXAMPLE

CLOCK = FixedClock(datetime(2024, 5, 1, 12, tzinfo=UTC))


@pytest.fixture
def documents(tmp_path: Path) -> Iterator[Documents]:
    store = EmbeddedDocuments(tmp_path)
    yield store
    store.close()


def stating(**sections: object) -> Configuration:
    """A configuration that states these sections."""
    return replace(Configuration(), sections=frozenset(sections), **sections)  # type: ignore[arg-type]


def test_documents_give_the_same_configuration_again() -> None:
    config = load_bytes(EXAMPLE.encode(), base=Path("/etc/postroom"))
    assert from_documents(to_documents(config)) == config


def test_a_written_file_loads_to_the_same_configuration() -> None:
    config = load_bytes(EXAMPLE.encode(), base=Path("/etc/postroom"))
    assert load_bytes(to_yaml(config).encode()) == config


@pytest.mark.req("IV-10")
def test_the_default_configuration_is_applied_to_an_empty_store(documents: Documents) -> None:
    applied = apply(documents, DEFAULT)
    assert applied.created == ("inboxes/support", "people/admin")
    assert read(documents, people=True) == DEFAULT


def test_applying_twice_changes_nothing(documents: Documents) -> None:
    config = load_bytes(EXAMPLE.encode(), base=Path("/etc/postroom"))
    assert apply(documents, config, reason="first").changed
    counted = revision(documents)
    again = apply(documents, config)
    assert not again.changed
    assert len(again.unchanged) == sum(map(len, to_documents(config).values()))
    assert revision(documents) == counted


def test_an_export_writes_a_size_with_its_unit() -> None:
    assert "max_mail_size: 25MB" in to_yaml(Configuration(settings=Settings(max_mail_size=25 << 20)))


def test_an_export_of_the_store_is_the_configuration_that_was_applied(documents: Documents) -> None:
    config = load_bytes(EXAMPLE.encode(), base=Path("/etc/postroom"))
    apply(documents, config, reason="first")
    exported = to_yaml(read(documents, people=True))
    assert load_bytes(exported.encode()) == config
    assert "${SMTP_PASSWORD}" in exported


def test_an_apply_leaves_what_the_file_does_not_state(documents: Documents) -> None:
    apply(documents, DEFAULT)
    apply(documents, stating(settings=Settings(max_per_poll=7)))
    applied = apply(documents, stating(inboxes=(Inbox("sales", "sales@example.com"),)))
    assert applied.created == ("inboxes/sales",)
    after = read(documents)
    assert {inbox.name for inbox in after.inboxes} == {"support", "sales"}
    assert after.settings.max_per_poll == 7


def test_a_file_that_states_the_default_puts_it_back(documents: Documents) -> None:
    apply(documents, stating(settings=Settings(processing=False)))
    applied = apply(documents, stating(settings=Settings()))
    assert applied.updated == ("settings/settings",)
    assert read(documents).settings.processing is True


def test_an_update_leaves_what_others_keep_in_the_document(documents: Documents) -> None:
    apply(documents, DEFAULT)
    documents.update("people", {"_id": "admin"}, {"$set": {"note": "kept"}})
    apply(documents, stating(people=(Person("admin", "Boss", ("boss@example.com",)),)))
    person = documents.get("people", "admin")
    assert person is not None
    assert (person["name"], person["addresses"], person["note"]) == ("Boss", ["boss@example.com"], "kept")


def test_only_pruning_deletes(documents: Documents) -> None:
    apply(documents, stating(rules=(Rule("a", {"sender": ("aa",)}), Rule("b", {"sender": ("bb",)}))))
    wanted = stating(rules=(Rule("b", {"sender": ("bb",)}),))
    assert apply(documents, wanted).deleted == ()
    assert apply(documents, wanted, prune=True).deleted == ("rules/a",)
    assert [rule.name for rule in read(documents).rules] == ["b"]


def test_pruning_leaves_inboxes_and_people_that_the_file_does_not_speak_of(documents: Documents) -> None:
    apply(documents, DEFAULT)
    documents.insert("people", {"_id": "by-mail", "name": "By Mail", "addresses": ["x@example.com"]})
    apply(documents, stating(rules=()), prune=True)
    assert [inbox.name for inbox in read(documents).inboxes] == ["support"]
    apply(documents, stating(people=(Person("boss", "Boss"),)), prune=True)
    assert {each["_id"] for each in documents.find("people", {})} == {"by-mail", "boss"}


@pytest.mark.req("VS-13")
def test_a_mail_server_that_an_inbox_uses_is_not_pruned(documents: Documents) -> None:
    servers = (MailServer("out", host="smtp.example.com"),)
    apply(documents, stating(mail_servers=servers, inboxes=(Inbox("a", "a@example.com", mail_server="out"),)))
    with pytest.raises(InvalidConfiguration, match=r'inboxes\[a\]\.mail_server: there is no mail server "out"'):
        apply(documents, stating(mail_servers=()), prune=True)
    assert [server.name for server in read(documents).mail_servers] == ["out"]


def test_a_file_may_refer_to_what_the_store_has(documents: Documents) -> None:
    apply(documents, stating(mail_servers=(MailServer("out", host="smtp.example.com"),)))
    assert apply(documents, stating(inboxes=(Inbox("a", "a@example.com", mail_server="out"),))).created == (
        "inboxes/a",
    )
    with pytest.raises(InvalidConfiguration, match="there is no mail server"):
        apply(documents, stating(inboxes=(Inbox("b", "b@example.com", mail_server="in"),)))


@pytest.mark.req("VS-12")
def test_a_reason_is_kept_and_can_be_required(documents: Documents) -> None:
    apply(documents, stating(settings=Settings(require_change_reason=True)), clock=CLOCK, by="ann", reason="audit")
    with pytest.raises(Misconfigured, match="say why, with --reason"):
        apply(documents, DEFAULT)
    apply(documents, DEFAULT, reason="a desk needs an inbox")
    kept = list(documents.find(CHANGES, {}, sort=(("revision", 1),)))
    assert [(each["revision"], each["reason"]) for each in kept] == [(1, "audit"), (2, "a desk needs an inbox")]
    assert (kept[0]["by"], kept[0]["at"]) == ("ann", CLOCK.at)


@pytest.mark.req("VS-03")
def test_of_several_people_with_one_address_the_first_of_the_file_is_the_oldest(documents: Documents) -> None:
    people = tuple(Person(name, name, ("shared@example.com",)) for name in ("zoe", "adam", "mia"))
    apply(documents, stating(people=people), clock=CLOCK)
    found = documents.find("people", {"addresses": "shared@example.com"}, sort=(("created_at", 1),))
    assert [each["_id"] for each in found] == ["zoe", "adam", "mia"]


def test_things_keep_the_order_of_the_file(documents: Documents) -> None:
    names = ("zulu", "alpha", "mike")
    apply(documents, stating(rules=tuple(Rule(name, {"sender": ("xx",)}) for name in names)))
    assert tuple(rule.name for rule in read(documents).rules) == names


def test_a_key_with_dots_and_dollars_survives_the_store(documents: Documents) -> None:
    inbox = Inbox("a", "a@example.com", field_mapping={"a.b": "x", "$set": "@Subject"})
    documents.replace("inboxes", to_documents(stating(inboxes=(inbox,)))["inboxes"][0])
    kept = documents.get("inboxes", "a")
    assert kept is not None
    assert kept["field_mapping"] == [["a.b", "x"], ["$set", "@Subject"]]


@pytest.mark.req("TI-11")
def test_a_switch_changes_one_key_and_the_revision(documents: Documents) -> None:
    apply(documents, DEFAULT)
    counted = revision(documents)
    assert switch(documents, "inboxes", "support", "enabled", False)
    assert not switch(documents, "inboxes", "nothing", "enabled", False)
    assert read(documents).inboxes[0].enabled is False
    assert revision(documents) == counted + 1


def test_a_stored_document_that_cannot_be_used_is_named(documents: Documents) -> None:
    apply(documents, DEFAULT)
    documents.update("inboxes", {"_id": "support"}, {"$set": {"protocol": "carrier pigeon"}})
    with pytest.raises(
        InvalidConfiguration, match=r'the stored configuration: inboxes\[0\]\.protocol: "carrier pigeon" is not one of'
    ):
        read(documents)


def test_the_settings_document_is_there_after_the_first_apply(documents: Documents) -> None:
    apply(documents, Configuration())
    assert documents.get(SETTINGS, SETTINGS) is not None
    assert revision(documents) == 1
