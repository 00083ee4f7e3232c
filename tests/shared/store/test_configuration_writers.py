"""Several who change the configuration at once: no change is lost, on either store."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from shared.config.model import DEFAULT, Configuration
from shared.config.problems import InvalidConfiguration
from shared.contracts.errors import Unavailable
from shared.store import configuration, configuration_lock
from shared.store.configuration import INTERRUPTED, UNKNOWN, Made, apply, change, read, revision, seed_defaults, switch
from shared.store.configuration_changes import ConfigurationChange, ConfigurationChanges
from shared.store.configuration_lock import LEASE, sole_writer
from shared.store.configuration_versions import ConfigurationVersions
from shared.store.documents import Documents
from shared.store.leases import LEASES
from tests.desk import NOW
from tests.servers.documents import Place
from tests.servers.presence import PATIENCE_SECONDS
from tests.shared.store.configuration_writer import RULE, add_sender

ROOT = Path(__file__).resolve().parents[3]
EACH = 6


@pytest.fixture
def seeded(documents: Documents) -> Documents:
    """A store with an inbox and a rule."""
    seed_defaults(documents)
    apply(documents, Configuration(rules=(RULE,), sections=frozenset({"rules"})))
    return documents


def senders(documents: Documents) -> set[str]:
    """The senders of the rule."""
    (rule,) = read(documents).rules
    assert len(rule.match["sender"]) == len(set(rule.match["sender"]))
    return set(rule.match["sender"]) - {"a@example.com"}


@pytest.mark.req("VS-12")
def test_of_two_processes_that_change_one_rule_neither_loses_a_change(place: Place, seeded: Documents) -> None:
    before = revision(seeded)
    argv = [sys.executable, "-m", "tests.shared.store.configuration_writer"]
    argv += [place.kind, place.address, place.database]
    pipe = subprocess.PIPE
    writers = [
        subprocess.Popen([*argv, name, str(EACH)], cwd=ROOT, stdin=pipe, stdout=pipe, text=True) for name in "xy"
    ]
    for each in writers:
        assert each.stdout is not None
        each.stdout.readline()
    for each in writers:
        each.communicate("go\n", timeout=PATIENCE_SECONDS)
    assert [each.returncode for each in writers] == [0, 0]
    wanted = {f"{name}-{number}@example.com" for name in "xy" for number in range(EACH)}
    assert senders(seeded) == wanted
    assert revision(seeded) == before + 2 * EACH
    kept = list(ConfigurationChanges(seeded).since(before, 0))
    assert [each.revision for each in kept] == list(range(before + 2 * EACH, before, -1))
    newest = ConfigurationVersions(seeded).get(before + 2 * EACH)
    assert newest is not None
    assert newest.rules == read(seeded).rules


def test_of_eight_threads_none_loses_a_change(place: Place, seeded: Documents) -> None:
    """Threads of one process, as those of the console; one of them switches, one applies a file."""

    def write(thread: int) -> None:
        store = place.open()
        match thread:
            case 0:
                switch(store, "inboxes", "support", "enabled", value=False)
            case 1:
                apply(store, Configuration(settings=DEFAULT.settings, sections=frozenset({"settings"})))
            case _:
                add_sender(store, f"{thread}@example.com", str(thread))
        store.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert senders(seeded) == {f"{thread}@example.com" for thread in range(2, 8)}
    inbox = read(seeded).inbox("support")
    assert inbox is not None
    assert not inbox.enabled


def test_a_writer_that_stood_still_for_too_long_plans_again(place: Place, seeded: Documents) -> None:
    """Its lease is taken over between its reading and its writing."""
    runs = []

    def edit(stored: Configuration) -> Configuration:
        runs.append(stored)
        if len(runs) == 1:
            seeded.delete(LEASES, {"_id": LEASE})
            other = place.open()
            add_sender(other, "fast@example.com", "fast")
            other.close()
        rule = stored.rules[0]
        match = {"sender": (*rule.match["sender"], "slow@example.com")}
        return Configuration(rules=(type(rule)(rule.name, match, action="allow"),), sections=frozenset({"rules"}))

    change(seeded, edit)
    assert len(runs) == 2
    assert senders(seeded) == {"fast@example.com", "slow@example.com"}


def test_a_writer_that_stood_still_behind_its_writing_is_in_the_history_all_the_same(
    place: Place, seeded: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lease is taken over between its writing and its note: another one notes what it finds, and its own change."""
    before, write, writes = revision(seeded), configuration._write, list[int]()

    def standing_still(documents: Documents, plan: Any, deleted: Any, revised: int) -> None:
        write(documents, plan, deleted, revised)
        writes.append(revised)
        if len(writes) % 2:
            seeded.delete(LEASES, {"_id": LEASE})
            other = place.open()
            switch(other, "inboxes", "support", "owner_team", str(revised), Made(NOW, "fast"))
            other.close()

    monkeypatch.setattr(configuration, "_write", standing_still)
    add_sender(seeded, "slow@example.com", "slow")
    assert switch(seeded, "inboxes", "support", "signature", "Regards", Made(NOW, "ann"))
    made = [(each.by, each.updated, [key.key for key in each.keys]) for each in changes_since(seeded, before)]
    rule, inbox = ("rules/allowed",), ("inboxes/support",)
    assert made == [
        (UNKNOWN, rule, []),
        ("fast", inbox, ["owner_team"]),
        ("slow", rule, ["match"]),
        (UNKNOWN, inbox, []),
        ("fast", inbox, ["owner_team"]),
        ("ann", inbox, ["signature"]),
    ]
    assert len(writes) == 4, "what is written is not written again"
    assert senders(seeded) == {"slow@example.com"}


@pytest.mark.parametrize("next_one", ["form", "switch"])
def test_what_a_writer_left_that_ended_before_its_note_is_a_change_of_its_own(
    seeded: Documents, monkeypatch: pytest.MonkeyPatch, next_one: str
) -> None:
    """The next writer notes it first, so that nobody takes it for his."""
    before, note = revision(seeded), configuration._note
    monkeypatch.setattr(configuration, "_note", Mock(side_effect=KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        add_sender(seeded, "lost@example.com", "lost")
    monkeypatch.setattr(configuration, "_note", note)
    if next_one == "form":
        add_sender(seeded, "next@example.com", "ann")
    else:
        switch(seeded, "inboxes", "support", "signature", "Regards", Made(NOW, "ann"))
    first, second = changes_since(seeded, before)
    assert (first.revision, first.by, first.reason, first.updated) == (
        before + 1,
        UNKNOWN,
        INTERRUPTED,
        ("rules/allowed",),
    )
    assert (second.revision, second.by) == (before + 2, "ann")
    versions = ConfigurationVersions(seeded)
    senders_in = [versions.get(each).rules[0].match["sender"] for each in (before, before + 1)]  # type: ignore[union-attr]
    assert senders_in == [("a@example.com",), ("a@example.com", "lost@example.com")]
    assert revision(seeded) == before + 2


def changes_since(documents: Documents, before: int) -> list[ConfigurationChange]:
    """What was changed after a revision, the oldest first."""
    return list(reversed(list(ConfigurationChanges(documents).since(before, 0))))


def test_a_writer_waits_for_another_one_and_gives_up_after_a_while(
    seeded: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(configuration_lock, "WAIT_SECONDS", 0.1)
    with sole_writer(seeded), pytest.raises(Unavailable, match="nothing was changed"):
        add_sender(seeded, "b@example.com", "b")
    add_sender(seeded, "c@example.com", "c")
    assert senders(seeded) == {"c@example.com"}


def test_what_does_not_fit_leaves_the_store_open_for_the_next_writer(seeded: Documents) -> None:
    with pytest.raises(InvalidConfiguration):
        change(seeded, lambda stored: Configuration(inboxes=stored.inboxes * 2, sections=frozenset({"inboxes"})))
    assert list(seeded.find(LEASES, {})) == []
    add_sender(seeded, "b@example.com", "b")


def test_a_second_process_does_not_seed_what_a_first_one_has_configured(documents: Documents) -> None:
    apply(documents, Configuration(rules=(RULE,), sections=frozenset({"rules"})))
    seed_defaults(documents)
    assert [each.name for each in read(documents).rules] == ["allowed"]
