"""The number of mails of each outcome."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.store.mails import OUTCOMES

if TYPE_CHECKING:
    from shared.app import App


def outcome_counts(app: App) -> dict[str, int]:
    """Mails by outcome, and `in_flight`: messages that the pipeline still has to work on."""
    counts: dict[str, int] = {outcome: app.mails.count(outcome) for outcome in OUTCOMES}
    return counts | {"in_flight": app.broker.in_flight()}
