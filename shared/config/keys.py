"""Types of configuration values: each alias is a type together with the reader of what a file or a document states.

`shared.config.model` declares every key once with one of them; `shared.config.schema` makes the readers of whole
sections from that. What concerns one value alone is here; what concerns several together is in `shared.config.checks`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Final, TypeVar

from shared.config import readers as read
from shared.config import values
from shared.config.problems import InvalidValue, Location, nearest
from shared.config.section import Section, list_of, mapping_of, pairs
from shared.config.tree import Item, Mapped, Sequenced, Text

_SECOND: Final = timedelta(seconds=1)
COMMANDS: Final = ("close", "approve", "reject", "summary", "create", "update", "delete")
CARRIED_OUT: Final = ("close", "approve", "reject", "summary")
"""Commands that this version carries out; it refuses the others."""
AUTH_WORDS: Final = (
    "auto", "regular", "login", "plain", "cram-md5", "digest-md5", "ntlm", "msn", "gssapi",
    "scram-sha-256", "apop", "xoauth2", "none", "basic", "oauth",
)  # fmt: skip
"""Every method of any protocol; which protocol has which is a check (IV-11)."""
ROLES: Final = ("user", "analyst", "administrator")
RECORD_EVENTS: Final = ("created", "updated", "resolved", "closed", "reopened", "deleted")
SLA_EVENTS: Final = ("sla.due", "sla.breached")
FIELD_KINDS: Final = ("text", "number", "date", "boolean")
MIN_FILTER_CHARACTERS: Final = 2
"""A filter on one character would match nearly everything (TI-20)."""


def _attachment_type(item: Item, location: Location) -> str:
    value = read.line(item, location).lower()
    if "/" in value and not re.fullmatch(r"[a-z0-9!#$&^_.+-]+/(?:\*|[a-z0-9!#$&^_.+-]+)", value):
        raise InvalidValue(f'"{value}" is neither a file pattern such as *.exe nor a content type')
    return value


def _business_event(item: Item, location: Location) -> str:
    value = read.line(item, location)
    type_name, _, event = value.rpartition(".")
    if value not in SLA_EVENTS and (not type_name or event not in RECORD_EVENTS):
        known = (*(f"{type_name or 'incident'}.{each}" for each in RECORD_EVENTS), *SLA_EVENTS)
        events = ", ".join(RECORD_EVENTS)
        hint = nearest(value, known)
        raise InvalidValue(f'"{value}" is not an event; write <type>.<one of {events}>, sla.due or sla.breached{hint}')
    return value


def _recipient(item: Item, location: Location) -> str:
    """An address, a person's id, or a token such as @Sender."""
    value = read.line(item, location)
    return value if value.startswith("@") or "@" not in value else read.address(item, location)


def _pair_of_levels(item: Item, location: Location) -> str:
    value = read.line(item, location)
    if not re.fullmatch(r"[^/]+/[^/]+", value):
        raise InvalidValue(f'"{value}" is not a pair; write it as Impact/Urgency')
    return "/".join(part.strip() for part in value.split("/"))


_values: Final = mapping_of(read.field_name, read.scalar)


def _report_query(item: Item, location: Location) -> dict[str, values.Scalar]:
    found = _values(item, location)
    if not isinstance(found.get("type"), str):
        raise InvalidValue("the query needs a type, such as {type: incident, status: open}")
    return found


def _terms(*, split: bool) -> read.Read[tuple[str, ...]]:
    """Texts to look for; addresses may be separated by commas, which are checked one by one (TI-20)."""

    def read_terms(item: Item, location: Location) -> tuple[str, ...]:
        written = list_of(read.line)(item, location)
        terms = tuple(
            term.strip() for each in written for term in (each.split(",") if split else [each]) if term.strip()
        )
        if not terms or any(len(term) < MIN_FILTER_CHARACTERS for term in terms):
            raise InvalidValue(f"a filter needs at least {MIN_FILTER_CHARACTERS} characters")
        return terms

    return read_terms


def _larger_than(item: Item, location: Location) -> int:
    """A size: `10MB` and `>10MB` mean the same."""
    if isinstance(item, Text):
        return read.size(Text(item.text.removeprefix(">").strip(), item.line, item.plain), location)
    return read.size(item, location)


_header_name: Final = read.matching(read.line, r"[!-9;-~]+", "is not a valid header name (RFC 5322, section 2.2)")


def _header(item: Item, location: Location) -> dict[str, str]:
    """`{X-Spam-Flag: YES}`, `"X-Spam-Flag: YES"`, or `{name: X-Spam-Flag, value: YES}`."""
    if isinstance(item, Mapped | Sequenced):
        found = mapping_of(_header_name, read.line)(item, location)
        return {found["name"]: found["value"]} if found.keys() == {"name", "value"} else found
    field, colon, value = read.line(item, location).partition(":")
    if not colon:
        raise InvalidValue("write a header as name: text")
    return {_header_name(Text(field.strip(), item.line), location): value.strip()}


def _patterns(item: Item, location: Location) -> dict[str, str]:
    """A pattern for any part of the mail, or a mapping of parts to patterns."""
    part = read.one_of("subject", "body", "sender", "recipient", "any")
    if isinstance(item, Mapped | Sequenced):
        return mapping_of(part, read.pattern())(item, location)
    return {"any": read.pattern()(item, location)}


_MATCH: Final = Section(
    dict,
    {
        "sender": _terms(split=True),
        "recipient": _terms(split=True),
        "subject": _terms(split=False),
        "subject_begins": _terms(split=False),
        "header": _header,
        "size": _larger_than,
        "regex": _patterns,
    },
)


def _match(item: Item, location: Location) -> Mapping[str, Any]:
    if not pairs(item, Location(location.path, type(location.log)())):
        raise InvalidValue(f"a rule needs something to match: {', '.join(_MATCH.readers)}")
    return _MATCH.values(item, location)


def _enabled_commands(item: Item, location: Location) -> tuple[str, ...]:
    """Some of the commands, or `all`."""
    if isinstance(item, Text) and item.text.casefold() == "all":
        return COMMANDS
    return list_of(read.one_of(*COMMANDS))(item, location)


def _field_kind(item: Item, location: Location) -> tuple[str, bool]:
    """`number`, or `{type: number, protected: true}`: its kind, and whether only analysts set it by mail (IV-42)."""
    if not isinstance(item, Mapped):
        return read.one_of(*FIELD_KINDS)(item, location), False
    stated = _FIELD.values(item, location)
    return stated["type"], stated.get("protected", False)


_FIELD: Final = Section(dict, {"type": read.one_of(*FIELD_KINDS), "protected": read.switch}, required=("type",))


T = TypeVar("T")
NOT_A_KEY: Final = object()
"""Marks a field that no file states."""
WITHOUT_EFFECT: Final = object()
Ignored = Annotated[T, WITHOUT_EFFECT]
"""A key that is read, checked and stored, and has no effect in this version."""

AnyText = Annotated[str, read.text]
Line = Annotated[str, read.line]
LineOrNothing = Annotated[str, read.line_or_nothing]
Name = Annotated[str, read.name]
TypeName = Annotated[str, read.type_name]
FieldName = Annotated[str, read.field_name]
Address = Annotated[str, read.address]
KnownAddress = Annotated[str, read.known_address]
Recipients = Annotated[tuple[str, ...], list_of(_recipient, least=1)]
Domain = Annotated[str, read.domain]
Host = Annotated[str, read.host]
Port = Annotated[int, read.integer(1, 65535)]
Url = Annotated[str, read.url]
UrlWithLogin = Annotated[str, read.url_with_login]
FilePath = Annotated[str, read.path]
TimeZone = Annotated[str, read.timezone]
Schedule = Annotated[str, read.schedule]
Size = Annotated[int, read.size]
AttachmentType = Annotated[str, _attachment_type]
SubjectPattern = Annotated[str, read.pattern("type", "number")]
PollInterval = Annotated[timedelta, read.duration(_SECOND, timedelta(minutes=9999))]
MailsPerPoll = Annotated[int, read.integer(1, 9999)]
ServiceTarget = Annotated[timedelta, read.duration(_SECOND, timedelta(days=3650))]
ServerTimeout = Annotated[timedelta, read.duration(_SECOND, timedelta(hours=1))]
KeepJournal = Annotated[timedelta, read.duration(timedelta(days=1), timedelta(days=36500))]
CapPeriod = Annotated[timedelta, read.duration(_SECOND, timedelta(days=365))]
MailCap = Annotated[int, read.integer(1, 100_000)]
SubjectLength = Annotated[int, read.integer(1, 1_000_000)]
FailureCount = Annotated[int, read.integer(1, 1000)]
LoginMethod = Annotated[str, read.one_of(*AUTH_WORDS)]
Role = Annotated[str, read.one_of(*ROLES)]
EnabledCommands = Annotated[tuple[str, ...], _enabled_commands]
ReopenedTo = Annotated[
    str, read.matching(read.line, r"last|template|group:\s*\S.*", "is not one of last, template, group:<name>")
]
RuleMatch = Annotated[Mapping[str, Any], _match]
RecordFields = Annotated[Mapping[str, str], mapping_of(read.field_name, _field_kind)]
FieldTexts = Mapping[FieldName, AnyText]
FieldValues = Annotated[Mapping[str, values.Scalar], _values]
AnyValue = Annotated[values.Scalar, read.scalar]
Priorities = Annotated[Mapping[str, int], mapping_of(_pair_of_levels, read.integer(0, 1000))]
BusinessEvent = Annotated[str, _business_event]
ReportQuery = Annotated[Mapping[str, values.Scalar], _report_query]
