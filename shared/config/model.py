"""The configuration of a service desk: inboxes, people, rules, record types and the rest.

Attribute names are the keys of the configuration file and of the stored documents, so there is one vocabulary from the
file to the stages; `docs/settings.md` describes every key. Each key is declared here once: its name, its type with the
reader of its values (`shared.config.keys`) and its default; one without a default is needed. Values here are already
checked: stages trust them. Durations are `timedelta`, sizes bytes, and a secret is a reference that is looked up when
it is needed, never its value. Annotations are values here (no `annotations` from `__future__`): the readers of every
start look at all of them, and need not compile them first.
"""

import re
from collections.abc import Mapping
from dataclasses import field, fields
from datetime import timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Annotated, Final, Literal

from shared.addresses import address_key
from shared.config import keys
from shared.config.readers import one_of
from shared.config.values import Secret
from shared.contracts.change import PERSON_EMAIL, PERSON_LOGIN, PERSON_NAME
from shared.lazy_dataclass import dataclass

Tls = Literal["none", "starttls", "implicit"]
InboxProtocol = Literal["imap", "pop3", "ews", "graph", "gmail", "none"]
ServerProtocol = Literal["smtp", "ews", "graph", "gmail"]
After = Literal["archive", "delete", "mark_read"]
AfterOrDefault = Annotated[After | Literal[""], one_of("archive", "delete", "mark_read", "leave")]
"""A file may write `leave` for what is kept as `mark_read`: POP3 cannot mark mail (TI-08)."""
PersonKind = Literal["employee", "external_contact", "requestor"]
Format = Literal["html", "text"]
StatusGroup = Literal["open", "resolved", "closed"]

XML_EXPORT: Final = "xml_export"
PORTS: Final[Mapping[tuple[str, str], int]] = MappingProxyType(
    {
        ("imap", "implicit"): 993,
        ("imap", "starttls"): 143,
        ("imap", "none"): 143,
        ("pop3", "implicit"): 995,
        ("pop3", "starttls"): 110,
        ("pop3", "none"): 110,
        ("smtp", "implicit"): 465,
        ("smtp", "starttls"): 25,
        ("smtp", "none"): 25,
    }
)
"""Default ports (IV-02, NE-20; RFC 8314 for the implicit ones)."""


@dataclass(frozen=True, slots=True)
class AuthFailureTicket:
    """The reaction to several refused logins in a row (TI-10)."""

    enabled: bool = False
    after: keys.FailureCount = 3
    template: keys.Name | None = None


@dataclass(frozen=True, slots=True)
class AutomaticMailCap:
    """Limits of automatic mails in a time (PR-02): to one mailbox, to strangers of one domain, to all strangers.

    A stranger is a sender who is neither authenticated nor in the configuration.
    """

    per_address: keys.MailCap = 10
    per_domain: keys.MailCap = 100
    all_strangers: keys.MailCap = 300
    per: keys.CapPeriod = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of the whole desk."""

    poll_interval: keys.PollInterval = timedelta(seconds=60)
    max_per_poll: keys.MailsPerPoll = 100
    max_subject_length: keys.SubjectLength = 400
    max_mail_size: keys.Size = 50 * 1024 * 1024
    restricted_attachments: tuple[keys.AttachmentType, ...] = ()
    truncate_replies: bool = True
    keep_full_message: bool = False
    trusted_authserv_ids: tuple[keys.Line, ...] = ()
    auth_failure_ticket: AuthFailureTicket = AuthFailureTicket()
    desk_name: keys.Name | None = None
    response_url: keys.Url | None = None
    self_service_url: keys.Url | None = None
    plus_addressing: Literal["ignore", "keep"] = "ignore"
    processing: bool = True
    timezone: keys.TimeZone = "UTC"
    token_key: Secret | None = None
    rabbitmq_management_url: keys.UrlWithLogin | None = None
    log_events: bool = True
    keep_journal: keys.KeepJournal = timedelta(days=90)
    allow_cleartext_auth: bool = False
    fips: bool = False
    format_per_person: bool = True
    require_change_reason: bool = False
    subject_patterns: tuple[keys.SubjectPattern, ...] = ()
    automatic_mail_cap: AutomaticMailCap = AutomaticMailCap()


@dataclass(frozen=True, slots=True)
class OAuth:
    """An application registration at Microsoft (TI-02); the URLs differ in national clouds.

    It identifies itself by `client_secret` or by `client_certificate` (PEM with the private key). With `refresh_token`
    it acts for the person who signed in, and needs neither.
    """

    client_id: keys.Line
    tenant_id: keys.Line
    client_secret: Secret | None = None
    client_secret_ends: keys.Day | None = None
    client_certificate: Secret | None = None
    refresh_token: Secret | None = None
    user_id: keys.Line | None = None
    authority: keys.Url = "https://login.microsoftonline.com"
    resource: keys.Url = "https://outlook.office365.com"
    endpoint: keys.Url = "https://graph.microsoft.com"


@dataclass(frozen=True, slots=True)
class Google:
    """A Google service account and the user it acts for (NE-01)."""

    service_account: keys.Line
    private_key: Secret
    user: keys.Address | None = None
    endpoint: keys.Url = "https://gmail.googleapis.com"


@dataclass(frozen=True, slots=True)
class ConversationId:
    """The mark in outgoing mail by which replies are recognised (NE-23). `prefix` None: the built-in one."""

    enabled: bool = False
    location: Literal["subject", "body"] = "subject"
    prefix: keys.ConversationPrefix | None = None


@dataclass(frozen=True, slots=True)
class MailServer:
    """A server that sends. `port` 0 and `tls` "" in a constructor mean the protocol's default."""

    name: keys.Name
    protocol: ServerProtocol = "smtp"
    host: keys.Host | None = None
    port: keys.Port = 0
    tls: Tls | Literal[""] = ""
    auth: keys.LoginMethod = "auto"
    username: keys.Line | None = None
    password: Secret | None = None
    from_address: keys.Address | None = None
    timeout: keys.ServerTimeout = timedelta(seconds=30)
    block: bool = False
    override_recipient: keys.Address | None = None
    embedded_images: Literal["cid", "inline"] = "cid"
    conversation_id: ConversationId = ConversationId()
    default_format: Format = "html"
    verify_certificate: bool = True
    ca_file: keys.FilePath | None = None
    client_certificate: Secret | None = None
    client_certificate_passphrase: Secret | None = None
    oauth: OAuth | None = None
    google: Google | None = None
    ews_url: keys.Url | None = None
    partition: keys.Name | None = None

    def __post_init__(self) -> None:
        """Fill in port and TLS: 465 speaks TLS at once, every other SMTP port upgrades (NE-20)."""
        tls = self.tls or ("implicit" if self.port == PORTS["smtp", "implicit"] else "starttls")
        object.__setattr__(self, "tls", tls)
        object.__setattr__(self, "port", self.port or PORTS.get((self.protocol, tls), 443))


@dataclass(frozen=True, slots=True)
class Export:
    """Where an `xml_export` inbox writes, whether the body is packed, and where attachments go (IV-40)."""

    connection: keys.Name
    compress: bool = False
    attachments: Literal["content", "files", "names"] = "content"


@dataclass(frozen=True, slots=True)
class StatusMapping:
    """The quick action for a mail to an incident in this status (IV-39)."""

    status: keys.Name
    quick_action: keys.Name
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class MatchValue:
    """A fixed value that finds the object (IV-24)."""

    field: keys.FieldName
    value: keys.AnyValue


@dataclass(frozen=True, slots=True)
class ObjectMatch:
    """Method 2: the record that a mail is linked to. Either `match_from_field` or `match_value` (IV-24)."""

    type: keys.TypeName
    relationship: keys.Name
    match_from_field: keys.FieldName | None = None
    match_value: MatchValue | None = None
    field_mapping: keys.FieldTexts = field(default_factory=dict)

    def matched_by(self, address: str) -> tuple[str, str]:
        """The field that the object is found by, and the value it must have for a mail from this address."""
        if self.match_value is not None:
            return self.match_value.field, "" if self.match_value.value is None else str(self.match_value.value)
        return self.match_from_field or "", address


@dataclass(frozen=True, slots=True)
class SenderPolicy:
    """How an inbox treats its senders (IV-20 to IV-23). `forms`: mail from them is by whom Reply-To names (PR-18)."""

    method: Literal["person", "object"] = "person"
    policy: Literal["create", "existing_only", "without_creating"] = "create"
    contact_type: Literal["employee", "external_contact"] = "external_contact"
    object: ObjectMatch | None = None
    forms: tuple[keys.Address, ...] = ()


@dataclass(frozen=True, slots=True)
class CommandPolicy:
    """Updates of existing records by mail (VF-13 to VF-21). `reopened_to`: last, template or group:<name>."""

    enabled: keys.EnabledCommands = keys.COMMANDS
    update_by: Literal["participant", "recognised"] = "participant"
    trust: Literal["address", "authenticated"] = "address"
    log_new_on_invalid_number: bool = True
    update_closed: bool = False
    reopen_closed: bool = False
    reopened_to: keys.ReopenedTo = "last"
    update_anonymously: bool = False
    unrecognised: Literal["new_record", "ignore"] = "new_record"
    close_anonymously: bool = False
    use_linked_analyst: bool = False
    default_logging_analyst: keys.Name = "admin"
    reply_on_update: bool = True
    reply_on_create: bool = False
    reply_template: keys.Name | None = None
    notify_customer_on_update: bool = False
    notify_handler_on_update: bool = False


@dataclass(frozen=True, slots=True)
class Canary:
    """How often a probe is mailed to an inbox, through which server (None: the one that answers its mail)."""

    every: keys.CanaryInterval
    mail_server: keys.Name | None = None

    @property
    def patience(self) -> timedelta:
        """For how long a probe may be under way before it counts as lost."""
        return 3 * self.every


@dataclass(frozen=True, slots=True)
class Inbox:
    """A mailbox, or a name for mail that others hand in (`protocol` none), and what becomes of its mail.

    `port` 0, `tls` "" and `after` "" in a constructor mean the protocol's default; `mark_read` leaves the
    mail of a POP3 inbox on the server. `poll_interval` and `max_per_poll` None mean the desk's setting.
    """

    name: keys.Name
    address: keys.Address
    enabled: bool = True
    protocol: InboxProtocol = "none"
    host: keys.Host | None = None
    port: keys.Port = 0
    tls: Tls | Literal[""] = ""
    verify_certificate: bool = True
    ca_file: keys.FilePath | None = None
    client_certificate: Secret | None = None
    client_certificate_passphrase: Secret | None = None
    auth: keys.LoginMethod = "auto"
    username: keys.Line | None = None
    password: Secret | None = None
    oauth: OAuth | None = None
    google: Google | None = None
    ews_url: keys.Url | None = None
    folder: keys.Line = "INBOX"
    archive_folder: keys.Line = "Archive"
    create_archive_folder: bool = True
    after: AfterOrDefault = ""
    take: Literal["all", "unseen"] = "all"
    idle: bool = True
    poll_interval: keys.PollInterval | None = None
    max_per_poll: keys.MailsPerPoll | None = None
    ignore_cc: bool = False
    default_domain: keys.Domain | None = None
    include_source_mailbox_name: bool = False
    log_events: bool = True
    partition: keys.Name | None = None
    mail_server: keys.Name | None = None
    language: keys.Language | None = None
    signature: keys.AnyText | None = None
    processor: keys.Name = "incident"
    update_only: bool = False
    take_invitations: bool = False
    reply_by_plus_address: bool = False
    unique_key: keys.FieldName | None = None
    record_marker: keys.Line | None = None
    field_separator: keys.AnyText | None = None
    email_when_no_target: bool = False
    create_incident_on_error: bool = True
    export: Export | None = None
    owner_team: keys.Name | None = None
    task_for_every_email: bool = False
    task_subject: keys.Line = "Review email"
    template: keys.Name | None = None
    field_mapping: keys.FieldTexts = field(default_factory=dict)
    status_mapping: tuple[StatusMapping, ...] = ()
    sender: SenderPolicy = SenderPolicy()
    accept_only: Literal["anyone", "requestors", "technicians", "both"] = "anyone"
    commands: CommandPolicy = CommandPolicy()
    forwarded_for_original_sender: bool = False
    copy_takes_part: bool = False
    copy_on_answers: bool = False
    answers_by_mail: bool = False
    canary: Canary | None = None

    def __post_init__(self) -> None:
        """Fill in what depends on the protocol: TLS by port, port by TLS (IV-02), `after` (TI-08).

        Mail that is only marked as read starts from unread ones; POP3 has no such mark.
        """
        upgrades = self.port in {PORTS["imap", "starttls"], PORTS["pop3", "starttls"]}
        tls = self.tls or ("starttls" if upgrades else "implicit")
        object.__setattr__(self, "tls", tls)
        object.__setattr__(self, "port", self.port or PORTS.get((self.protocol, tls), 443))
        object.__setattr__(self, "after", self.after or ("delete" if self.protocol == "pop3" else "archive"))
        if self.after == "mark_read" and self.protocol != "pop3":
            object.__setattr__(self, "take", "unseen")


@dataclass(frozen=True, slots=True)
class Rule:
    """A filter (TI-20). All parts of `match` that are given must hold.

    - `sender`, `recipient`, `subject`: tuple of texts of at least two characters, one of which is contained;
    - `subject_begins`: such texts, with one of which the subject begins, behind prefixes such as `Re:`;
    - `header`: mapping of header name to a text that it contains;
    - `size`: int, bytes; larger mail matches;
    - `regex`: mapping of `subject`, `body`, `sender`, `recipient` or `any` to a pattern.

    With the action `allow`, `sender` alone is given: whole addresses, or `@domain`.
    """

    name: keys.Name
    match: keys.RuleMatch = field(default_factory=dict)
    direction: Literal["inbound", "outbound", "both"] = "inbound"
    applies_to: Literal["analysts", "requestors", "both"] = "both"
    action: Literal["reject", "allow"] = "reject"
    reason: keys.LineOrNothing = ""
    enabled: bool = True


PRECONFIGURED_RULES: Final = (
    Rule(
        "barred-sender",
        {"sender": ("postmaster", "mail delivery subsystem", "system administrator", "mailer-daemon")},
        direction="both",
        reason="the sender is a mail system",
    ),
    Rule(
        "barred-subject",
        {
            "subject_begins": (
                "undeliverable mail",
                "returned mail",
                "mail system error",
                "delivery error",
                "undeliverable:",
                "failure notice",
                "nondeliverable mail",
                "mail delivery failure",
                "message status - undeliverable",
                "warning: could not send message",
                "delivery notification: delivery has failed",
                "mail undeliverable: failure detected",
                "message status - opened",
                "returned mail: service unavailable",
                "out of office",
            )
        },
        direction="both",
        reason="the subject is that of a delivery report or of an absence notice",
    ),
)
"""The rules of Track-It! (TI-21, TI-22), in force unless the configuration has rules of these names."""


@dataclass(frozen=True, slots=True)
class Person:
    """A person who writes to the desk or works at it. `format` None: the mail server's default (VS-08).

    `language` None: the inbox's. Whoever is not `active` gets no mail; mail from them is handled (TI-26).
    """

    id: keys.Name
    name: keys.Name
    addresses: tuple[keys.KnownAddress, ...] = ()
    kind: PersonKind = "employee"
    roles: tuple[keys.Role, ...] = ("user",)
    permissions: tuple[keys.Name, ...] = ()
    teams: tuple[keys.Name, ...] = ()
    format: Format | None = None
    language: keys.Language | None = None
    active: bool = True
    login_id: keys.Name | None = None


@dataclass(frozen=True, slots=True)
class Statuses:
    """The statuses of a type in three groups. A new record takes the first open one."""

    open: tuple[keys.Name, ...] = ("Logged", "Active", "Waiting")
    resolved: tuple[keys.Name, ...] = ("Resolved",)
    closed: tuple[keys.Name, ...] = ("Closed",)

    def group(self, status: str) -> StatusGroup | None:
        """The group of a status, whatever its case; None for one that the type does not have."""
        folded_status = status.casefold()
        for name, members in self.groups():
            if any(member.casefold() == folded_status for member in members):
                return name
        return None

    def groups(self) -> tuple[tuple[StatusGroup, tuple[str, ...]], ...]:
        """The groups with their names."""
        return ("open", self.open), ("resolved", self.resolved), ("closed", self.closed)


BUILT_IN_FIELDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Summary": "text",
        "Description": "text",
        "Category": "text",
        "Stream": "text",
        "Source": "text",
        "Impact": "text",
        "Urgency": "text",
        "Priority": "number",
    }
)
"""The fields of every built-in type."""
RECORD_FIELDS: Final = ("Status", "Subject", "Owner", "OwnerTeam")
"""Names that mean the record's own property in every type."""
INCIDENT: Final = "incident"
"""The type that a mail makes where nothing else is configured."""
APPROVAL: Final = "approval"
"""The type whose records are decided by its approver alone (VF-18)."""
PEOPLE_TYPES: Final = ("requestor", "employee", "external_contact")
"""The types whose records stand for people (TI-32)."""
REPORTED_FROM: Final = "reported_from"
"""The relationship that every type accepts."""


@dataclass(frozen=True, slots=True)
class RecordType:
    """A kind of record. `fields` maps a field to `text`, `number`, `date` or `boolean`; a number is shown as
    `prefix` and counter; `relationships` maps a name to the type at its other end; `protected` are the fields that only
    analysts set by mail (IV-42).

    `label` and `number_field` "" in a constructor are made from the name.
    """

    name: keys.TypeName
    label: keys.Name = ""
    number_field: keys.FieldName = ""
    prefix: keys.LineOrNothing = ""
    fields: keys.RecordFields = field(default_factory=dict)
    statuses: Statuses = Statuses()
    relationships: Mapping[keys.FieldName, keys.TypeName] = field(default_factory=dict)
    aliases: tuple[keys.TypeName, ...] = ()
    protected: tuple[keys.FieldName, ...] = ()

    def __post_init__(self) -> None:
        """Make label and number field from the name: `service_request`, Service Request, ServiceRequestNumber."""
        words = self.name.replace("_", " ").title()
        object.__setattr__(self, "label", self.label or words)
        object.__setattr__(self, "number_field", self.number_field or f"{words.replace(' ', '')}Number")

    def is_called(self, name: str) -> bool:
        """Whether a text names this type: name, label or alias, whatever the case, spaces or underscores."""
        return folded(name) in {folded(each) for each in (self.name, self.label, *self.aliases)}


@lru_cache(maxsize=1024)
def folded(name: str) -> str:
    """The form in which names of types are compared: `Service Request` is `service_request`."""
    return re.sub(r"[\s_-]+", "_", name.strip()).casefold()


@dataclass(frozen=True, slots=True)
class QuickAction:
    """Fields that are set on a record in one go (IV-39)."""

    name: keys.Name
    on: keys.TypeName
    set: keys.FieldValues = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Template:
    """Initial values of a new record (VS-07); `Partition` in `set` wins over the inbox's."""

    name: keys.Name
    on: keys.TypeName
    set: keys.FieldValues = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Partition:
    """A part of the desk. `priority_matrix` maps `Impact/Urgency` to a priority (VF-10)."""

    name: keys.Name
    priority_matrix: keys.Priorities = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Calendar:
    """Working hours (TI-35). `hours`: days (`mon`, `mon-fri`) → spans of a local day (`09:00-17:30`).

    `holidays`: days without working hours, `2026-12-25` or, in every year, `12-25`. `timezone` None: the desk's.
    """

    name: keys.Name
    hours: keys.WorkingDays
    holidays: tuple[keys.Holiday, ...] = ()
    timezone: keys.TimeZone | None = None


@dataclass(frozen=True, slots=True)
class ApprovalRule:
    """How the approvals below a record of a type decide about it (VF-18).

    `all_of`, `any_of`: whom is asked at the same time; `in_order`: one after another, as they were made. `approved` and
    `rejected` are the statuses that the record gets then; None: it keeps its own.
    """

    name: keys.Name
    on: keys.TypeName
    decide: Literal["all_of", "any_of", "in_order"] = "all_of"
    approved: keys.Name | None = None
    rejected: keys.Name | None = None


@dataclass(frozen=True, slots=True)
class Sla:
    """Targets for the records that meet `when` (TI-35). A target None is not watched.

    The time counts in the working hours of `calendar` (None: always), and not while a record has a status of
    `pause_in`.
    """

    name: keys.Name
    on: keys.TypeName
    when: keys.Conditions = field(default_factory=dict)
    respond: keys.ServiceTarget | None = None
    resolve: keys.ServiceTarget | None = None
    warn_before: keys.ServiceTarget | None = None
    calendar: keys.Name | None = None
    pause_in: tuple[keys.Name, ...] = ()


TEAM_PREFIX: Final = "team:"
"""Before the name of a team among recipients."""


@dataclass(frozen=True, slots=True)
class Notify:
    """Whom a business rule writes to (addresses, person ids, teams, or tokens such as `@Sender`), and with what."""

    to: keys.Recipients
    template: keys.Name


@dataclass(frozen=True, slots=True)
class BusinessRule:
    """On an event, when the conditions hold: set fields, notify (TI-33).

    `on` are `<type>.<event>`, `sla.due`, `sla.breached`, `mail.received`. `quick_action` is run before `set`. `stop`:
    no later rule is asked. `schedule` (five cron fields, in `settings.timezone`) and `calendar` limit notifications to
    the minutes that they match (TI-35).
    """

    name: keys.Name
    on: keys.BusinessEvents
    when: keys.Conditions = field(default_factory=dict)
    notify: Notify | None = None
    set: keys.FieldValues = field(default_factory=dict)
    quick_action: keys.Name | None = None
    stop: bool = False
    schedule: keys.Schedule | None = None
    calendar: keys.Name | None = None
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class MailTemplate:
    """The words of a mail that the desk sends; names in braces, such as `{number}`, are filled in
    (`shared.mail_text.variables`).

    One of `text` and `html` may be left out: it is made from the other. `languages` maps a language to a mapping with
    its own `subject`, `text` and `html`; `images` maps a name, used as `cid:name` in the HTML, to a `data:` address.
    """

    name: keys.Name
    subject: keys.Line
    text: keys.AnyText | None = None
    html: keys.AnyText | None = None
    images: keys.Images = field(default_factory=dict)
    languages: keys.Languages = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Report:
    """A list of records sent by mail (TI-34). `schedule`: five cron fields in `settings.timezone`.

    `query` holds `type`, and may hold `status` (a status or a group of them), `age` (the least) and conditions on
    fields.
    """

    name: keys.Name
    schedule: keys.Schedule
    query: keys.ReportQuery
    group_by: keys.FieldName | None = None
    columns: tuple[keys.FieldName, ...] = ("Number", "Subject", "Status", "Owner", "OwnerTeam", "Created")
    title: keys.Line | None = None
    to: keys.Recipients = field(kw_only=True)


@dataclass(frozen=True, slots=True)
class Connection:
    """The destination of exported mail (IV-40): the folder `path`, or the address `url`, optionally with a token."""

    name: keys.Name
    kind: Literal["directory", "http"] = "directory"
    path: keys.FilePath | None = None
    url: keys.Url | None = None
    token: Secret | None = None


_WORK: Final = Statuses()
_OF_PEOPLE: Final = Statuses(open=("Active",), resolved=(), closed=("Inactive",))
_FIELDS_OF_PEOPLE: Final = MappingProxyType(
    {**BUILT_IN_FIELDS, PERSON_NAME: "text", PERSON_EMAIL: "text", PERSON_LOGIN: "text"}
)


def _built_in(
    name: str,
    prefix: str,
    statuses: Statuses = _WORK,
    aliases: tuple[str, ...] = (),
    fields: Mapping[str, str] = BUILT_IN_FIELDS,
) -> RecordType:
    return RecordType(
        name,
        prefix=prefix,
        fields=fields,
        statuses=statuses,
        aliases=aliases,
    )


BUILT_IN_TYPES: Final = (
    _built_in(INCIDENT, "INC", aliases=("call", "ticket")),
    _built_in("problem", "PRB"),
    _built_in("service_request", "SR", aliases=("request",)),
    _built_in("task", "TSK"),
    _built_in("approval", "APR", Statuses(open=("Pending",), resolved=(), closed=("Approved", "Rejected"))),
    _built_in("change", "CHG", Statuses(open=("Logged", "Active", "Waiting", "Approved"))),
    _built_in("knowledge", "KB", Statuses(open=("Draft", "Published"), resolved=(), closed=("Retired",))),
    _built_in("announcement", "ANN", Statuses(open=("Active",), resolved=(), closed=("Expired",))),
    _built_in("assignment", "ASG"),
    _built_in("requestor", "REQ", _OF_PEOPLE, fields=_FIELDS_OF_PEOPLE),
    _built_in("employee", "EMP", _OF_PEOPLE, fields=_FIELDS_OF_PEOPLE),
    _built_in("external_contact", "EXT", _OF_PEOPLE, fields=_FIELDS_OF_PEOPLE),
)
"""The built-in types."""


def _every_section() -> frozenset[str]:
    return frozenset(each.name for each in fields(Configuration)) - {"sections"}


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything that is configured. `record_types` holds the desk's own; `types` adds the built-in ones.

    `sections` names the parts that are stated: applying a configuration touches no others. A file states the parts
    that it has, a configuration made in code all of them.
    """

    settings: Settings = Settings()
    mail_servers: tuple[MailServer, ...] = ()
    inboxes: tuple[Inbox, ...] = ()
    rules: tuple[Rule, ...] = ()
    people: tuple[Person, ...] = ()
    record_types: tuple[RecordType, ...] = ()
    quick_actions: tuple[QuickAction, ...] = ()
    templates: tuple[Template, ...] = ()
    partitions: tuple[Partition, ...] = ()
    calendars: tuple[Calendar, ...] = ()
    approvals: tuple[ApprovalRule, ...] = ()
    slas: tuple[Sla, ...] = ()
    business_rules: tuple[BusinessRule, ...] = ()
    mail_templates: tuple[MailTemplate, ...] = ()
    reports: tuple[Report, ...] = ()
    connections: tuple[Connection, ...] = ()
    sections: Annotated[frozenset[str], keys.NOT_A_KEY] = field(default_factory=_every_section, compare=False)

    @property
    def types(self) -> tuple[RecordType, ...]:
        """The desk's own types first, then the built-in ones that none of them replaces."""
        if not self.record_types:
            return BUILT_IN_TYPES
        own = {folded(each.name) for each in self.record_types}
        return (*self.record_types, *(each for each in BUILT_IN_TYPES if each.name not in own))

    @property
    def all_rules(self) -> tuple[Rule, ...]:
        """The preconfigured rules that the configuration does not replace, then its own."""
        own = {each.name for each in self.rules}
        return (*(each for each in PRECONFIGURED_RULES if each.name not in own), *self.rules)

    @property
    def own_addresses(self) -> frozenset[str]:
        """The keys of the addresses of all inboxes (`address_key`)."""
        return frozenset(filter(None, (address_key(each.address) for each in self.inboxes)))

    def type_named(self, name: str) -> RecordType | None:
        """The type with this name, label or alias; a name wins over a label or alias of another type."""
        types, folded_name = self.types, folded(name)
        if found := next((each for each in types if folded(each.name) == folded_name), None):
            return found
        return next((each for each in types if each.is_called(name)), None)

    def inbox(self, name: str) -> Inbox | None:
        """The inbox with this name."""
        return next((each for each in self.inboxes if each.name == name), None)

    @property
    def default_inbox(self) -> Inbox | None:
        """The inbox of mail that names none: `support`, or else the first one."""
        return self.inbox(DEFAULT_INBOX) or next(iter(self.inboxes), None)

    def mail_server(self, name: str) -> MailServer | None:
        """The outgoing server with this name."""
        return next((each for each in self.mail_servers if each.name == name), None)

    def quick_action(self, name: str) -> QuickAction | None:
        """The quick action with this name."""
        return next((each for each in self.quick_actions if each.name == name), None)

    def template(self, name: str) -> Template | None:
        """The record template with this name."""
        return next((each for each in self.templates if each.name == name), None)

    def approval_rule(self, type_name: str) -> ApprovalRule | None:
        """How the approvals below a record of this type decide."""
        return next((each for each in self.approvals if each.on == type_name), None)

    def partition(self, name: str) -> Partition | None:
        """The partition with this name."""
        return next((each for each in self.partitions if each.name == name), None)

    def mail_template(self, name: str) -> MailTemplate | None:
        """The mail template with this name."""
        return next((each for each in self.mail_templates if each.name == name), None)

    def calendar(self, name: str) -> Calendar | None:
        """The calendar with this name."""
        return next((each for each in self.calendars if each.name == name), None)

    def connection(self, name: str) -> Connection | None:
        """The data import connection with this name."""
        return next((each for each in self.connections if each.name == name), None)


DEFAULT_INBOX: Final = "support"
DEFAULT: Final = Configuration(
    inboxes=(Inbox(DEFAULT_INBOX, "support@example.com", owner_team="Service Desk"),),
    people=(Person("admin", "Administrator", ("admin@example.com",), roles=("analyst",)),),
    sections=frozenset({"inboxes", "people"}),
)
"""The configuration of an empty store: one intake-only incident inbox and one analyst (IV-10)."""
