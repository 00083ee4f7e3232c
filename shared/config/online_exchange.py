"""What an administrator has to know about Exchange Online, for `config check` and the connection test of EWS."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from shared.config.complaints import Complaint, Complaints, values_at
from shared.config.model import Configuration, Inbox

HOSTS: Final = frozenset({"outlook.office365.com", "outlook.office.com", "outlook.cloud.microsoft"})
ENDS: Final = (
    "Exchange Online ends EWS on 2027-04-01, and since 2026-10-01 answers only applications that the tenant lists; "
    "use protocol: graph"
)


NAMELESS: Final = (
    "Exchange Online names no server in its Authentication-Results, so that they prove nobody; write address, or name "
    "a mail server before it, which writes its own, in settings.trusted_authserv_ids"
)


def find_online_exchange(config: Configuration) -> Complaints:
    """EWS of Exchange Online, and inboxes of it that ask for a proof of the sender, as far as settings show it."""
    for section in ("inboxes", "mail_servers"):
        for path, end in values_at(config, section):
            host = urlsplit(end.ews_url or "").hostname
            if end.protocol == "ews" and (host in HOSTS or (host is None and end.oauth is not None)):
                yield Complaint(f"{path}.protocol", ENDS)
    for path, inbox in values_at(config, "inboxes"):
        if inbox.commands.trust == "authenticated" and _is_online(inbox):
            yield Complaint(f"{path}.commands.trust", NAMELESS)


def _is_online(inbox: Inbox) -> bool:
    hosts = {inbox.host, urlsplit(inbox.ews_url or "").hostname}
    return inbox.protocol == "graph" or not HOSTS.isdisjoint(hosts)
