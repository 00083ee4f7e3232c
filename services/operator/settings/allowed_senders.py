"""Always allow a sender: a change of the configuration, with its reason, that lets later mail of this address through.

One rule, `allowed-senders`, has the addresses. It lifts the rules of the configuration and `accept_only` of an inbox,
never a limit or a guard against loops.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from services.filter.rules import may_be_allowed
from services.operator.errors import NotAvailable
from services.operator.mail.actions import journal_action
from shared.addresses import address_key
from shared.config.model import Configuration, Rule
from shared.rules import is_allowed
from shared.store import configuration as store

if TYPE_CHECKING:
    from shared.app import App
    from shared.store.mails import StoredMail

RULE: Final = "allowed-senders"


def why_not(mail: StoredMail) -> str | None:
    """Why the sender of a mail cannot be allowed permanently; None otherwise."""
    if mail.outcome != "rejected":
        return f"the mail is {mail.outcome or 'in flight'}; only the sender of a rejected mail is allowed from here"
    if mail.is_probe:
        return "the mail is a probe of a canary: this desk sent it"
    if mail.from_ is None or address_key(mail.from_.address) is None or "@" not in mail.from_.address:
        return "the mail has no sender"
    if mail.rule is None or not may_be_allowed(mail.rule):
        return f"the rule {mail.rule or '(unknown)'} guards the desk itself; release the mail instead"
    return None


def allow_sender(app: App, mail: StoredMail, *, by: str, reason: str) -> str:
    """Allow the sender of a rejected mail from now on; the address. The mail stays rejected; its journal says so.

    Raises `NotAvailable`, and `Misconfigured` when the desk requires a reason and none is given (VS-12).
    """
    if why := why_not(mail):
        raise NotAvailable(why)
    assert mail.from_ is not None  # asked before
    sender = mail.from_

    def edit(stored: Configuration) -> Configuration:
        if is_allowed(stored.rules, sender):
            return Configuration(sections=frozenset())
        rule = next((each for each in stored.rules if each.name == RULE), Rule(RULE, action="allow"))
        senders = (*rule.match.get("sender", ()), sender.address)
        return Configuration(rules=(replace(rule, match={"sender": senders}),), sections=frozenset({"rules"}))

    store.change(app.documents, edit, clock=app.clock, by=by, reason=reason)
    app.directory.renew()
    why = f"{sender.address}, by {by}" + (f": {reason}" if reason else "")
    journal_action(app, mail.id, app.clock.now(), "sender allowed", why)
    return sender.address
