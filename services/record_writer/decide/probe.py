"""A probe that an inbox's canary sent, and that has come back: it ends here, without record, person or answer. Pure.

A stranger cannot make one (`Outbox.probe`). A probe counts when it is the first to come back of all that were queued
since the last one that counted, and was not under way for too long. One that does not count, such as a copy that
somebody sends once more, ends in the same way: a mail that this desk wrote to itself is never a request, not even when
an operator releases it.
"""

from __future__ import annotations

from datetime import timedelta

from services.record_writer.decide.facts import Facts
from services.record_writer.decide.model import Decision
from shared.store.canaries import PROBE, PROBE_REASON, CameBack, CanaryState
from shared.store.outbox import OutboxMail


def decide_probe(facts: Facts, state: CanaryState | None, probe: OutboxMail) -> Decision:
    """End the probe; `came_back` of the decision says that it counts."""
    mail_id = facts.envelope.mail_id
    if state and (state.back, state.back_by) == (probe.id, mail_id):
        return _ended(f"{PROBE_REASON}, {_after(state.took or timedelta(0))}")
    if why := objection(facts, state, probe):
        return _ended(f"{PROBE_REASON}, which does not count: {why}")
    came_back = CameBack(facts.inbox.name, probe.id, probe.at, mail_id, facts.now)
    return _ended(f"{PROBE_REASON}, {_after(facts.now - probe.at)}", came_back)


def objection(facts: Facts, state: CanaryState | None, probe: OutboxMail) -> str | None:
    """Why a probe does not count; None when it does."""
    canary = facts.inbox.canary
    if canary is None or state is None:
        return "this inbox has no canary any more"
    if facts.history:
        return "it came in as old mail"
    if state.back == probe.id:
        return "it has come back before"
    if state.back_queued_at >= probe.at:
        return "one that was sent later has come back before"
    if facts.now - probe.left_at > canary.patience:
        return f"it was under way for more than {_words(canary.patience)}"
    return None


def _ended(reason: str, came_back: CameBack | None = None) -> Decision:
    return Decision("rejected", reason, PROBE, came_back=came_back, announced=False)


def _after(under_way: timedelta) -> str:
    return f"back after {_words(under_way)}"


def _words(length: timedelta) -> str:
    seconds = max(0, round(length.total_seconds()))
    return f"{seconds} seconds" if seconds < 120 else f"{seconds // 60} minutes"
