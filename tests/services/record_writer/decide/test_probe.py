"""What becomes of a probe that came back: it ends, and counts once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

import pytest

from services.record_writer.decide.plan import decide
from shared.config.model import Canary
from shared.contracts.events import Envelope, History
from shared.store.canaries import CameBack, CanaryState
from shared.store.outbox import OutboxMail
from tests.builders import an_inbox, an_outgoing_mail
from tests.plain import NOW, PlainLookups, facts

pytestmark = pytest.mark.req("PR-14")

SENT: Final = NOW - timedelta(seconds=12)
INBOX: Final = an_inbox(canary=Canary(timedelta(minutes=10)))
OLD: Final = Envelope("m1", "support", "2026-11-20T12:00:00Z", history=History("2026-11-20T12:00:00Z"))


def a_probe(**keys: Any) -> OutboxMail:
    return an_outgoing_mail(
        "p2", **{"kind": "canary", "inbox": "support", "message_key": "t2@desk", "at": SENT, **keys}
    )


def a_state(**keys: Any) -> CanaryState:
    return CanaryState("support", SENT - timedelta(hours=1), **{"probe": "p2", "queued_at": SENT, **keys})


def test_a_probe_that_comes_back_counts_and_makes_nothing() -> None:
    lookups = PlainLookups(probes=(a_probe(),), canaries=(a_state(),))
    found = decide(facts(INBOX, message_id="<t2@desk>"), lookups)
    assert (found.ending, found.step) == ("rejected", "canary")
    assert found.reason == "a probe of the canary of this inbox, back after 12 seconds"
    assert found.came_back == CameBack("support", "p2", SENT, "m1", NOW)
    assert (found.changes, found.notices, found.targets, found.announced) == ([], (), (), False)


def test_a_redelivery_says_the_same_and_counts_nothing_more() -> None:
    state = a_state(back="p2", back_by="m1", back_queued_at=SENT, back_at=NOW)
    later = facts(INBOX, message_id="<t2@desk>", now=NOW + timedelta(hours=5))
    found = decide(later, PlainLookups(probes=(a_probe(),), canaries=(state,)))
    assert found.reason == "a probe of the canary of this inbox, back after 12 seconds"
    assert found.came_back is None


@pytest.mark.parametrize(
    ("state", "probe", "other", "why"),
    [
        (a_state(back="p2", back_by="m0", back_queued_at=SENT), a_probe(), {}, "it has come back before"),
        (
            a_state(back="p3", back_by="m0", back_queued_at=NOW),
            a_probe(),
            {},
            "one that was sent later has come back before",
        ),
        (a_state(), a_probe(at=NOW - timedelta(minutes=31)), {}, "it was under way for more than 30 minutes"),
        (None, a_probe(), {}, "this inbox has no canary any more"),
        (a_state(), a_probe(), {"inbox": an_inbox()}, "this inbox has no canary any more"),
        (a_state(), a_probe(), {"envelope": OLD}, "it came in as old mail"),
    ],
    ids=["replayed", "older than the last", "expired", "without a state", "canary taken away", "imported"],
)
def test_a_probe_that_does_not_count_ends_in_the_same_way(
    state: CanaryState | None, probe: OutboxMail, other: dict[str, Any], why: str
) -> None:
    mail = replace(facts(other.get("inbox", INBOX), message_id="<t2@desk>"), **other)
    found = decide(mail, PlainLookups(probes=(probe,), canaries=(state,) if state else ()))
    assert (found.ending, found.step, found.came_back, found.changes) == ("rejected", "canary", None, [])
    assert found.reason == f"a probe of the canary of this inbox, which does not count: {why}"


def test_the_wait_for_a_mail_server_does_not_count_as_time_under_way() -> None:
    probe = a_probe(at=NOW - timedelta(hours=5), claimed_at=NOW - timedelta(minutes=1))
    found = decide(facts(INBOX, message_id="<t2@desk>"), PlainLookups(probes=(probe,), canaries=(a_state(),)))
    assert found.came_back


def test_a_released_probe_makes_no_record_either() -> None:
    lookups = PlainLookups(probes=(a_probe(),), canaries=(a_state(),))
    found = decide(facts(INBOX, message_id="<t2@desk>", released=True), lookups)
    assert (found.ending, found.changes) == ("rejected", [])


def test_a_mail_that_is_not_a_probe_makes_a_record() -> None:
    found = decide(facts(INBOX), PlainLookups(canaries=(a_state(),)))
    assert found.ending == "recorded"
