"""Tokens of HTTP intake, for command line and console: add one, list them, revoke one.

The token itself is returned once, by `add_token`; the store keeps its hash.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from services.operator.errors import NotAvailable, UnknownName
from services.operator.finding import find_one
from services.operator.view import values_of
from shared.lazy_dataclass import dataclass
from shared.store.intake_tokens import IntakeToken, hash_of

if TYPE_CHECKING:
    from shared.app import App

PREFIX: Final = "postroom_"
"""Begins every token, so that programs that look for leaked secrets recognise it."""
TOKEN_BYTES: Final = 32
DEFAULT_RATE: Final = 6_000
"""Mails a minute."""
SHORT_ID: Final = 12
_SHOWN: Final = ("inbox", "note", "rate", "added_at", "added_by", "revoked_at", "revoked_by")


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was just made, and its row. `secret` is known nowhere else."""

    secret: str
    row: IntakeToken

    def as_json(self) -> dict[str, Any]:
        """The row, and once the token."""
        return {**token_as_json(self.row), "token": self.secret}


def add_token(app: App, inbox: str, by: str, *, note: str = "", rate: int = DEFAULT_RATE) -> NewToken:
    """Make a token for an inbox. Raises `UnknownName` when there is no such inbox."""
    if app.directory.renew().inbox(inbox) is None:
        raise UnknownName(f"there is no inbox {inbox!r}; `postroom inbox list` shows those that are")
    secret = PREFIX + secrets.token_urlsafe(TOKEN_BYTES)
    row = IntakeToken(id=hash_of(secret), inbox=inbox, note=note, rate=rate, added_at=app.clock.now(), added_by=by)
    app.intake_tokens.add(row)
    return NewToken(secret, row)


def revoke_tokens(app: App, inbox: str, ids: Sequence[str], by: str) -> list[IntakeToken]:
    """Revoke tokens of an inbox by the beginnings of their ids; without ids, all that are valid.

    Returns those that were revoked now. Raises `NotAvailable` when one is not a token of this inbox: then none is.
    """
    found = [_of_inbox(app, inbox, each) for each in ids] or list(app.intake_tokens.every(inbox))
    now = app.clock.now()
    return [each for each in found if each.is_valid and app.intake_tokens.revoke(each.id, now, by)]


def _of_inbox(app: App, inbox: str, named: str) -> IntakeToken:
    found = find_one(app.intake_tokens, "token", named)
    if found.inbox != inbox:
        raise NotAvailable(f"the inbox {inbox!r} has no token {named!r}")
    return found


def token_as_json(token: IntakeToken) -> dict[str, Any]:
    """The keys that scripts rely on; never the token itself."""
    return {"id": token.id[:SHORT_ID], **values_of(token, _SHOWN)}
