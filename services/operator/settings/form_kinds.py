"""The kinds of things that have a form: which keys belong to which protocol, and in which groups they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from shared.config.checks import METHODS
from shared.config.model import Inbox, MailServer
from shared.lazy_dataclass import dataclass

_LINE: Final = frozenset({"imap", "pop3"})
_WEB: Final = frozenset({"ews", "graph", "gmail"})
_FOLDERS: Final = frozenset({"imap"}) | _WEB
_LOGIN_GROUPS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "Certificates": ("ca_file", "client_certificate", "client_certificate_passphrase"),
        "Application at Microsoft": ("oauth",),
        "Google service account": ("google",),
    }
)
"""What a login needs beside its password is the same for mail that comes in and mail that leaves."""


@dataclass(frozen=True, slots=True)
class FormKind:
    """A section of the configuration whose things have forms.

    `noun`: what people call one; `protocol`: that of a new one which names none. `belongs_to`: key → the protocols that
    it belongs to; all others belong to every protocol. `groups`: title → keys, in order. `choices`: key and protocol →
    the values that it may have there, where these are not those of its declaration. `keeps_name`: why it cannot be
    renamed. `last_is_kept`: whether the last one cannot be deleted.
    """

    section: str
    noun: str
    cls: Any
    protocol: str
    belongs_to: Mapping[str, frozenset[str]]
    groups: Mapping[str, tuple[str, ...]]
    choices: Mapping[tuple[str, str], tuple[str, ...]]
    keeps_name: str
    last_is_kept: bool = False

    @property
    def protocols(self) -> frozenset[str]:
        """Every protocol that it may have."""
        return frozenset(protocol for section, protocol in METHODS if section == self.section)

    def has(self, name: str, protocol: str) -> bool:
        """Whether a field belongs to a protocol."""
        return protocol in self.protocols_of(name, protocol)

    def protocols_of(self, name: str, *otherwise: str) -> frozenset[str]:
        """The protocols that a field belongs to; `otherwise` for one that belongs to all."""
        return self.belongs_to.get(name.split(".", maxsplit=1)[0], frozenset(otherwise))

    def choices_of(self, name: str, protocol: str, declared: tuple[str, ...]) -> tuple[str, ...]:
        """The values that a field may have with a protocol."""
        if name == "auth":
            return METHODS[self.section, protocol]
        return self.choices.get((name, protocol), declared)


INBOX: Final = FormKind(
    section="inboxes",
    noun="inbox",
    cls=Inbox,
    protocol="none",
    belongs_to=MappingProxyType(
        {
            **dict.fromkeys(("host", "port", "tls"), _LINE),
            **dict.fromkeys(("verify_certificate", "ca_file"), _LINE | _WEB),
            **dict.fromkeys(("client_certificate", "client_certificate_passphrase"), _LINE | _WEB),
            **dict.fromkeys(("auth", "username", "password"), _LINE | {"ews"}),
            "ews_url": frozenset({"ews"}),
            "oauth": _LINE | {"ews", "graph"},
            "google": _LINE | {"gmail"},
            **dict.fromkeys(("folder", "archive_folder", "create_archive_folder", "take"), _FOLDERS),
            "idle": frozenset({"imap"}),
            **dict.fromkeys(("after", "poll_interval", "max_per_poll"), _LINE | _WEB),
        }
    ),
    groups=MappingProxyType(
        {
            "Mailbox": (
                *("name", "address", "enabled", "protocol", "host", "port", "tls", "verify_certificate", "auth"),
                *("username", "password", "ews_url"),
            ),
            **_LOGIN_GROUPS,
            "Folders and visits": (
                *("folder", "archive_folder", "create_archive_folder", "after", "take", "idle", "poll_interval"),
                "max_per_poll",
            ),
            "Records": (
                *("processor", "template", "owner_team", "update_only", "partition", "create_incident_on_error"),
                *("take_invitations", "task_for_every_email", "task_subject", "status_mapping"),
                "include_source_mailbox_name",
            ),
            "Fields in the body": (
                *("field_mapping", "field_separator", "record_marker", "unique_key", "email_when_no_target"),
            ),
            "Export": ("export",),
            "Senders": ("accept_only", "sender", "ignore_cc", "default_domain"),
            "Commands and updates by mail": ("commands",),
            "Answers": ("mail_server", "language", "signature", "reply_by_plus_address"),
            "Conversations": (
                *("copy_takes_part", "copy_on_answers", "answers_by_mail", "forwarded_for_original_sender"),
            ),
            "Log and canary": ("log_events", "canary"),
        }
    ),
    choices=MappingProxyType({("after", "pop3"): ("delete", "leave")}),  # TI-08
    keeps_name="An inbox keeps its name: mails and history have it.",
    last_is_kept=True,
)
MAIL_SERVER: Final = FormKind(
    section="mail_servers",
    noun="mail server",
    cls=MailServer,
    protocol="smtp",
    belongs_to=MappingProxyType(
        {
            **dict.fromkeys(("host", "port", "tls"), frozenset({"smtp"})),
            **dict.fromkeys(("auth", "password"), frozenset({"smtp", "ews"})),
            "ews_url": frozenset({"ews"}),
            "oauth": frozenset({"smtp", "ews", "graph"}),
            "google": frozenset({"smtp", "gmail"}),
        }
    ),
    groups=MappingProxyType(
        {
            "Server": (
                *("name", "protocol", "host", "port", "tls", "verify_certificate", "auth", "username", "password"),
                *("ews_url", "timeout"),
            ),
            **_LOGIN_GROUPS,
            "Outgoing mail": ("from_address", "default_format", "embedded_images", "conversation_id", "partition"),
            "While you try things": ("block", "override_recipient"),
        }
    ),
    choices=MappingProxyType({}),
    keeps_name="A mail server keeps its name: inboxes and outgoing mail have it.",
)
