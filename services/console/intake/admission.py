"""Decides who may hand in mail to which inbox, and how large it may be.

What the store says of a token and of the configuration is remembered for two seconds, as workers do with the
configuration: so long a revoked token may still be used. The store is read in a thread, never in the event loop.
"""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from starlette.concurrency import run_in_threadpool

from services.console.intake.rate import Rates
from services.console.intake.refusal import Refusal, too_many, unauthorised
from shared.lazy_dataclass import dataclass
from shared.store.intake_tokens import IntakeToken, hash_of

if TYPE_CHECKING:
    from shared.app import App

REMEMBERED_SECONDS: Final = 2.0
MAX_REMEMBERED: Final = 1_000
MAX_TOKEN_CHARACTERS: Final = 200


@dataclass(frozen=True, slots=True)
class Admitted:
    """A valid token, what the configuration says of its inbox, and until when this is known."""

    token: IntakeToken
    inbox_exists: bool
    max_mail_size: int
    until: float


class Admission:
    """Checks tokens. Raises `Refusal`: 401 for an unknown token, 403 for another inbox than the token's, 404, 429."""

    def __init__(self, app: App) -> None:
        self._app, self._known, self.rates = app, dict[str, Admitted](), Rates()

    async def admit(self, token: str | None, inbox: str, scheme: str = "Bearer") -> Admitted:
        """What is known of a token for this inbox. Raises `Unavailable` when the store does not answer."""
        if not token or len(token) > MAX_TOKEN_CHARACTERS:
            raise unauthorised(scheme)
        id_ = hash_of(token)
        found = self._known.get(id_)
        if found is None or found.until < time.monotonic():
            found = await run_in_threadpool(self._look, id_)
            self._remember(id_, found)
        if found is None:
            raise unauthorised(scheme)
        if found.token.inbox != inbox:
            raise Refusal(HTTPStatus.FORBIDDEN, "the token is not for this address")
        if not found.inbox_exists:
            raise Refusal(HTTPStatus.NOT_FOUND, "the inbox of this token does not exist any more")
        self.count(id_, found.token.rate)
        return found

    def count(self, key: str, per_minute: int) -> None:
        """Count a mail. Raises `Refusal` (429) above the rate."""
        if seconds := self.rates.take(key, per_minute):
            raise too_many(seconds)

    def _look(self, id_: str) -> Admitted | None:
        token = self._app.intake_tokens.get(id_)
        if token is None or not token.is_valid:
            return None
        configuration = self._app.directory.current()
        exists = configuration.inbox(token.inbox) is not None
        return Admitted(token, exists, configuration.settings.max_mail_size, time.monotonic() + REMEMBERED_SECONDS)

    def _remember(self, id_: str, found: Admitted | None) -> None:
        """Unknown tokens are not remembered: anybody can invent any number of them."""
        if found is None:
            self._known.pop(id_, None)
            return
        if len(self._known) >= MAX_REMEMBERED:
            self._known.clear()
        self._known[id_] = found
