"""Leases: one holder at a time, taken over from the dead, never from the living."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from shared.embedded.documents import EmbeddedDocuments
from shared.runtime.lease import Leases
from shared.store.leases import LEASES


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_lease_has_one_holder_and_is_free_afterwards(documents: EmbeddedDocuments) -> None:
    ours, theirs = Leases(documents), Leases(documents)
    lease = ours.acquire("folder")
    assert lease is not None
    with lease:
        assert lease.held()
        assert theirs.acquire("folder") is None
        assert theirs.acquire("another") is not None
    assert theirs.acquire("folder") is not None


def test_a_lease_that_stands_still_is_taken_over_and_then_lost(documents: EmbeddedDocuments) -> None:
    time = Time()
    ours, theirs = Leases(documents), Leases(documents, ttl=60, monotonic=time)
    stale = ours.acquire("folder")
    assert stale is not None
    assert theirs.acquire("folder") is None
    time.now = 59
    assert theirs.acquire("folder") is None
    time.now = 61
    taken = theirs.acquire("folder")
    assert taken is not None
    assert (taken.held(), stale.held()) == (True, False)


def test_a_lease_that_is_kept_up_is_not_taken_over(documents: EmbeddedDocuments) -> None:
    time = Time()
    ours, theirs = Leases(documents), Leases(documents, ttl=60, monotonic=time)
    lease = ours.acquire("folder")
    assert lease is not None
    for time.now in range(0, 600, 50):
        assert theirs.acquire("folder") is None
        assert lease.held()


def test_the_lease_of_a_dead_process_is_free_at_once(documents: EmbeddedDocuments) -> None:
    leases = Leases(documents)
    assert leases.acquire("folder") is not None
    owner = documents.get(LEASES, "folder")["owner"]  # type: ignore[index]
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    node = owner.rsplit("/", 2)[0]
    documents.update(LEASES, {"_id": "folder"}, {"$set": {"owner": f"{node}/{dead.pid}/1"}})
    assert leases.acquire("folder") is not None


@pytest.mark.parametrize("owner", ["another-machine/{pid}/1", "another-machine/1/1"])
def test_nobody_judges_processes_of_another_machine(documents: EmbeddedDocuments, owner: str) -> None:
    document = {"_id": "folder", "token": "t", "beat": 0, "owner": owner.format(pid=os.getpid())}
    documents.insert(LEASES, document)
    assert Leases(documents).acquire("folder") is None
