"""The secrets that a start needs (decision 0047). Separate from `configuration`, whose imports take long."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.config.secrets import TOKEN_KEY, Missing, missing
from shared.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from shared.app import App


@dataclass(frozen=True, slots=True)
class RequiredSecrets:
    """Secrets that something enabled needs and that are missing. `problem`: the one that prevents a start."""

    problem: Missing | None
    notes: tuple[Missing, ...]


def required_secrets(app: App) -> RequiredSecrets:
    """Secrets that are missing at a start although something enabled needs them (decision 0047)."""
    lacking = [each for each in missing(app.directory.current()) if each.needed]
    problem = next((each for each in lacking if each.path != TOKEN_KEY), None)
    return RequiredSecrets(problem, tuple(each for each in lacking if each is not problem))
