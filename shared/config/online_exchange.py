"""What an administrator has to know about EWS in Exchange Online, for `config check` and the connection test."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from shared.config.complaints import Complaint, Complaints, values_at
from shared.config.model import Configuration

HOSTS: Final = frozenset({"outlook.office365.com", "outlook.office.com", "outlook.cloud.microsoft"})
ENDS: Final = (
    "Exchange Online ends EWS on 2027-04-01, and since 2026-10-01 answers only applications that the tenant lists; "
    "use protocol: graph"
)


def find_online_exchange(config: Configuration) -> Complaints:
    """Inboxes and mail servers that use EWS of Exchange Online, as far as their settings show it."""
    for section in ("inboxes", "mail_servers"):
        for path, end in values_at(config, section):
            host = urlsplit(end.ews_url or "").hostname
            if end.protocol == "ews" and (host in HOSTS or (host is None and end.oauth is not None)):
                yield Complaint(f"{path}.protocol", ENDS)
