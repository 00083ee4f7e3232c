"""The server that sends notifications, and their From address (VS-07): the inbox's, else the partition's, else the
first that belongs to no partition. Without any, mail stays in the outbox as `unsent`.
"""

from __future__ import annotations

from services.record_writer.decide.create import partition_of
from services.record_writer.decide.facts import Facts
from shared.config.model import Configuration, Inbox, MailServer
from shared.store.outbox import NO_DOMAIN, SendingSide
from shared.store.record import Record


def outgoing(facts: Facts) -> SendingSide:
    """The inbox, server and From address of the notifications that this mail causes."""
    return _side(server_for(facts), facts.inbox, facts.configuration)


def outgoing_about(record: Record | None, configuration: Configuration) -> SendingSide:
    """The same for notifications that no mail causes: those of the record's inbox and partition, else the desk's."""
    inbox = (configuration.inbox(record.inbox or "") if record else None) or configuration.default_inbox
    return _side(_server(configuration, inbox, record.partition if record else None), inbox, configuration)


def server_for(facts: Facts) -> MailServer | None:
    """The server of the notifications that this mail causes."""
    template = facts.configuration.template(facts.inbox.template or "")
    partition = partition_of(facts.inbox, facts.configuration, template)
    return _server(facts.configuration, facts.inbox, partition.name if partition else None)


def _server(configuration: Configuration, inbox: Inbox | None, partition: str | None) -> MailServer | None:
    """The inbox's server wins over the partition's."""
    if named := configuration.mail_server((inbox.mail_server if inbox else None) or ""):
        return named
    servers = configuration.mail_servers
    of_partition = (each for each in servers if partition and each.partition == partition)
    of_nobody = (each for each in servers if each.partition is None)
    return next(of_partition, None) or next(of_nobody, None) or next(iter(servers), None)


def _side(server: MailServer | None, inbox: Inbox | None, configuration: Configuration) -> SendingSide:
    sender = (server.from_address if server else None) or (inbox.address if inbox else None)
    domain = (sender or "").rpartition("@")[2] or NO_DOMAIN
    name = server.name if server else None
    if inbox is None:
        return SendingSide(name, None, sender, domain)
    tagged = inbox.reply_by_plus_address and configuration.settings.plus_addressing == "ignore"
    return SendingSide(name, inbox.name, sender, domain, plus_address=inbox.address if tagged else None)
