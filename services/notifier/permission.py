"""Whether a mail may be sent to its recipients, and in which format they get it (TI-20 to TI-26, TI-40, VS-08).

Reads the configuration and the people who have the addresses; sends and writes nothing. The notifier asks just before
it sends, `try` asks for what it shows.
"""

from __future__ import annotations

from collections.abc import Sequence

from shared import rules
from shared.addresses import address_key, address_keys
from shared.config.model import Configuration, Format, MailServer
from shared.contracts.change import Notification
from shared.contracts.mail import Address
from shared.lazy_dataclass import dataclass
from shared.patterns import PatternTime, PatternTimeSpent
from shared.store.outbox import OutboxState, SendingSide
from shared.store.people import People, StoredPerson


@dataclass(frozen=True, slots=True)
class Recipient:
    """An address that a mail is for, and the person who has it, if there is one."""

    address: str
    person: StoredPerson | None


def recipients_of(addresses: Sequence[str], configuration: Configuration, people: People) -> list[Recipient]:
    """Every recipient with the person who has the address."""
    plus = configuration.settings.plus_addressing
    return [Recipient(each, people.with_address(each, plus_addressing=plus)) for each in addresses]


def objection(recipients: Sequence[Recipient], subject: str, configuration: Configuration) -> str | None:
    """Why a mail with this subject may not be sent to these recipients; one who may not get it is enough."""
    time = PatternTime()
    found = (_objection_to(each, subject, configuration, time) for each in recipients)
    try:
        return next((each for each in found if each), None)
    except PatternTimeSpent as spent:
        return str(spent)


def _objection_to(recipient: Recipient, subject: str, configuration: Configuration, time: PatternTime) -> str | None:
    address, person = recipient.address, recipient.person
    plus = configuration.settings.plus_addressing
    if not configuration.own_addresses.isdisjoint(address_keys(address, plus_addressing=plus)):
        return f"{address} is an inbox of this desk: the mail would come back"
    if person and not person.active:
        return f"{person.name or person.id} is not active (people: active: false)"
    roles, named = (frozenset(person.roles), person.name) if person else (None, "")
    for rule in configuration.all_rules:
        outbound = rules.is_in_force(rule, "outbound", roles)
        if outbound and rules.recipient_matches(rule, Address(named, address), subject, time):
            return f"the rule {rule.name} blocks it"
    return None


def invalid_sender(sender: str | None, configuration: Configuration) -> str | None:
    """Why mail may not be sent under this address: answers have to reach an inbox (TI-40)."""
    if sender and address_key(sender) in configuration.own_addresses:
        return None
    return (
        f"the From address {sender or '(none)'} is not the address of an inbox (TI-40); correct from_address of the "
        "mail server, and send the mail again"
    )


def format_for(recipients: Sequence[Recipient], server: MailServer, configuration: Configuration) -> Format:
    """The format of the person, where the desk lets people have one, else the server's (VS-08).

    Of several recipients one who wants plain text is enough: a mail is the same for all of them.
    """
    wanted: set[str] = set()
    if configuration.settings.format_per_person:
        wanted = {each.person.format or server.default_format for each in recipients if each.person}
    if not wanted:
        return server.default_format
    return "text" if "text" in wanted else "html"


@dataclass(frozen=True, slots=True)
class ExpectedState:
    """What would become of a mail that is queued now: the state that it would have, and why."""

    state: OutboxState
    why: str


def expected_state(
    mail: Notification, sending: SendingSide, configuration: Configuration, people: People
) -> ExpectedState:
    """What would become of this mail."""
    server = configuration.mail_server(sending.server or "")
    if server is None:
        return ExpectedState("unsent", "no mail server is configured")
    if server.block:
        return ExpectedState("blocked", f"mail server {server.name} is blocked: it receives only")
    recipients = recipients_of(mail.to, configuration, people)
    if why := objection(recipients, mail.subject, configuration):
        return ExpectedState("blocked", why)
    if why := invalid_sender(sending.from_, configuration):
        return ExpectedState("failed", why)
    form = format_for(recipients, server, configuration)
    return ExpectedState("waiting", f"from {sending.from_} through {server.name}, as {form}")
