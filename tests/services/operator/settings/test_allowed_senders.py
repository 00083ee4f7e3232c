"""Always allow a sender: a change with a reason, which lifts the desk's rules and none that guards the desk."""

from __future__ import annotations

from dataclasses import replace

import pytest

from services.operator.errors import NotAvailable
from services.operator.settings.allowed_senders import allow_sender, why_not
from services.operator.settings.configuration import configuration_changes
from shared.config.model import Rule, Settings
from shared.contracts.errors import Misconfigured
from shared.store.mails import StoredMail
from tests.builders import a_configuration, a_mail, an_inbox
from tests.desk import Desk


def rejected(desk: Desk, raw: bytes) -> StoredMail:
    """A mail that a rule rejects."""
    (found,) = desk.receive(raw)
    mail = desk.app.mails.get(found["_id"])
    assert mail is not None
    assert mail.outcome == "rejected"
    return mail


@pytest.mark.req("PR-01", "TI-20")
def test_later_mail_of_an_allowed_sender_is_accepted(desk: Desk) -> None:
    mail = rejected(desk, a_mail(subject="Out of office"))
    assert allow_sender(desk.app, mail, by="kim", reason="she writes such subjects") == "anna@customer.example"
    assert allow_sender(desk.app, mail, by="kim", reason="again") == "anna@customer.example"
    desk.receive(a_mail("more", subject="Out of office again", sender="ANNA <Anna@Customer.example>"))
    assert [each["outcome"] for each in desk.mails()] == ["rejected", "recorded"]
    (change,) = [each for each in configuration_changes(desk.app, 5) if each.by == "kim"]
    assert (change.reason, change.created) == ("she writes such subjects", ("rules/allowed-senders",))
    rejected(desk, a_mail(subject="Out of office", sender='"anna@customer.example" <eve@evil.example>'))
    rejected(desk, a_mail(subject="Out of office", sender="joanna@customer.example"))


def test_accept_only_is_lifted_and_a_guard_is_not(desk: Desk) -> None:
    desk.configure(a_configuration(replace(an_inbox(), accept_only="technicians")))
    mail = rejected(desk, a_mail())
    allow_sender(desk.app, mail, by="kim", reason="")
    assert desk.receive(a_mail("again"))[0]["outcome"] == "recorded"
    loop = rejected(desk, a_mail("looped", X_Postroom_Loop="x", Auto_Submitted="auto-replied"))
    assert "guards the desk itself" in str(why_not(loop))
    with pytest.raises(NotAvailable, match="guards the desk itself"):
        allow_sender(desk.app, loop, by="kim", reason="")


def test_a_domain_is_allowed(desk: Desk) -> None:
    rule = Rule("friends", {"sender": ("@customer.example",)}, action="allow")
    desk.configure(replace(a_configuration(), rules=(rule,)))
    assert desk.receive(a_mail(subject="Out of office"))[0]["outcome"] == "recorded"
    rejected(desk, a_mail(subject="Out of office", sender="a@not.customer.example"))


def test_a_reason_is_asked_for_where_the_desk_wants_one(desk: Desk) -> None:
    desk.configure(a_configuration(settings=Settings(require_change_reason=True)))
    mail = rejected(desk, a_mail(subject="Out of office"))
    with pytest.raises(Misconfigured, match="say why"):
        allow_sender(desk.app, mail, by="kim", reason=" ")
