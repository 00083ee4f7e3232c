"""What the console answers: one table of endpoints, each with the right that it asks for.

The application is built from it, the navigation is made of it, and tests walk it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from services.operator.permissions.access import Right
from shared.lazy_dataclass import dataclass

if TYPE_CHECKING:
    from starlette.responses import Response

SCREENS: Final = (
    *("overview", "mails", "mail", "rejected", "inboxes", "mail_servers", "queues", "dead_letters", "outbox"),
    *("records", "try_mail", "backtest", "access", "versions", "sign_in", "live", "assets"),
)
"""The modules of `services.console.screens`, in the order of the navigation; each has `ENDPOINTS`."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One method on one path, and the right that it needs. `handler` is given the `Visit`.

    `title`: its name in the navigation, empty without an entry there. `own_proof`: a write that is not made by a form
    and that proves itself where it comes from (a bearer token): it needs no session. `max_body`: bytes of a body.
    `anonymous`: no sign-in is asked for, so it answers without the store.
    """

    method: str
    path: str
    right: Right
    handler: Callable[[Any], Response]
    title: str = ""
    own_proof: bool = False
    max_body: int = 1 << 20
    anonymous: bool = False


def all_endpoints() -> Sequence[Endpoint]:
    """Every endpoint, in the order of the screens."""
    modules = (import_module(f"services.console.screens.{name}") for name in SCREENS)
    return [endpoint for module in modules for endpoint in module.ENDPOINTS]
