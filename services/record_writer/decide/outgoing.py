"""The server that sends the notifications of a mail, and their From address (VS-07): the inbox's, else the
partition's, else the first that belongs to no partition. Without any, mail stays in the outbox as `unsent`.
"""

from __future__ import annotations

from services.record_writer.decide.create import partition_of
from services.record_writer.decide.facts import Facts
from shared.config.model import MailServer
from shared.store.outbox import NO_DOMAIN, SendingSide


def outgoing(facts: Facts) -> SendingSide:
    """The inbox, server and From address of the notifications that this mail causes."""
    server = server_for(facts)
    sender = (server.from_address if server else None) or facts.inbox.address
    domain = sender.rpartition("@")[2] or NO_DOMAIN
    tagged = facts.inbox.reply_by_plus_address and facts.settings.plus_addressing == "ignore"
    plus_address = facts.inbox.address if tagged else None
    return SendingSide(server.name if server else None, facts.inbox.name, sender, domain, plus_address=plus_address)


def server_for(facts: Facts) -> MailServer | None:
    """The inbox's server wins over the partition's."""
    configuration = facts.configuration
    if named := configuration.mail_server(facts.inbox.mail_server or ""):
        return named
    servers = configuration.mail_servers
    found = partition_of(facts.inbox, facts.configuration, facts.configuration.template(facts.inbox.template or ""))
    of_partition = (each for each in servers if found and each.partition == found.name)
    of_nobody = (each for each in servers if each.partition is None)
    return next(of_partition, None) or next(of_nobody, None) or next(iter(servers), None)
