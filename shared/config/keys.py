"""Types of configuration values: each alias is a type together with the reader of what a file or a document states.

`shared.config.model` declares every key once with one of them; `shared.config.schema` makes the readers of whole
sections from that. What concerns one value alone is here; what concerns several together is in `shared.config.checks`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, Any, Final

from shared.conditions import LISTS, SWITCHES, WORDS
from shared.config import readers as read
from shared.config import values
from shared.config.problems import InvalidValue, Location, nearest
from shared.config.section import Section, list_of, mapping_of, pairs
from shared.config.tree import Item, Mapped, Sequenced, Text

_SECOND: Final = timedelta(seconds=1)
COMMANDS: Final = ("close", "approve", "reject", "summary", "create", "update", "delete")
AUTH_WORDS: Final = (
    "auto", "regular", "login", "plain", "cram-md5", "digest-md5", "ntlm", "msn", "gssapi",
    "scram-sha-1", "scram-sha-256", "scram-sha-256-plus", "apop", "xoauth2", "oauthbearer", "none", "basic", "oauth",
)  # fmt: skip
"""Every method of any protocol; which protocol has which is a check (IV-11)."""
PERMISSIONS: Final = ("take_over",)
ROLES: Final = ("user", "analyst", "administrator")
RECORD_EVENTS: Final = ("created", "updated", "resolved", "closed", "reopened", "deleted")
SLA_EVENTS: Final = ("sla.due", "sla.breached")
SLA_TARGETS: Final = ("respond", "resolve")
MAIL_RECEIVED: Final = "mail.received"
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
    others = (*SLA_EVENTS, MAIL_RECEIVED)
    if value not in others and (not type_name or event not in RECORD_EVENTS):
        known = (*(f"{type_name or 'incident'}.{each}" for each in RECORD_EVENTS), *others)
        events = ", ".join(RECORD_EVENTS)
        hint = nearest(value, known)
        raise InvalidValue(
            f'"{value}" is not an event; write <type>.<one of {events}>, sla.due, sla.breached or mail.received{hint}'
        )
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
_scalars: Final = list_of(read.scalar, least=1)


def _condition(item: Item, location: Location) -> Any:
    """A value, a list of values, or a mapping of words to what they compare with (`shared.conditions`)."""
    if isinstance(item, Text):
        return read.scalar(item, location)
    if isinstance(item, Sequenced) and not _is_stored_mapping(item):
        return _scalars(item, location)
    return _comparisons(item, location)


def _is_stored_mapping(item: Sequenced) -> bool:
    """Whether a list is a mapping as documents keep it: pairs of a text and a value."""
    return bool(item.items) and all(isinstance(each, Sequenced) for each in item.items)


def _comparisons(item: Item, location: Location) -> dict[str, Any]:
    found = {key.text: _compared(key.text, each, location.at(key.text)) for key, each in pairs(item, location)}
    if not found:
        raise InvalidValue(f"a condition needs something to compare: {', '.join(WORDS)}")
    return found


def _compared(word: str, item: Item, location: Location) -> Any:
    if word not in WORDS:
        raise InvalidValue(
            f'"{word}" compares nothing; it is one of {", ".join(WORDS)}{nearest(word, WORDS)}', item.line
        )
    if word in SWITCHES:
        return read.switch(item, location)
    return _one_or_several(item, location) if word in LISTS else read.scalar(item, location)


def _one_or_several(item: Item, location: Location) -> Any:
    return read.scalar(item, location) if isinstance(item, Text) else _scalars(item, location)


_conditions: Final = mapping_of(read.field_name, _condition)


def _report_query(item: Item, location: Location) -> dict[str, Any]:
    found = _conditions(item, location)
    if not isinstance(found.get("type"), str):
        raise InvalidValue("the query needs a type, such as {type: incident, status: open}")
    return found


_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_SPAN: Final = re.compile(r"([01]?[0-9]|2[0-4]):([0-5][0-9])\s*-\s*([01]?[0-9]|2[0-4]):([0-5][0-9])")


def _weekdays(item: Item, location: Location) -> str:
    value = read.line(item, location).casefold().replace(" ", "")
    if not set(value.split("-")) <= set(_DAYS) or value.count("-") > 1 or len(days_of(value)) == 0:
        raise InvalidValue(f'"{value}" is not a day; write mon, or mon-fri')
    return value


def days_of(written: str) -> range:
    """The days of `mon` or `mon-fri`, Monday 0; empty when the first comes after the last."""
    first, _, last = written.partition("-")
    return range(_DAYS.index(first), _DAYS.index(last or first) + 1)


def _working_span(item: Item, location: Location) -> str:
    value = read.line(item, location)
    found = _SPAN.fullmatch(value)
    if found is None:
        raise InvalidValue(f'"{value}" is not a time of day; write it as "09:00-17:30"')
    begins, ends = minutes_of(value)
    if not begins < ends <= 24 * 60:
        raise InvalidValue(f'"{value}" ends before it begins; hours after midnight belong to the next day')
    return f"{begins // 60:02}:{begins % 60:02}-{ends // 60:02}:{ends % 60:02}"


def minutes_of(span: str) -> tuple[int, int]:
    """Beginning and end of `09:00-17:30` in minutes of the day."""
    found = _SPAN.fullmatch(span)
    assert found is not None  # read before
    first, second, third, fourth = map(int, found.groups())
    return first * 60 + second, third * 60 + fourth


def _holiday(item: Item, location: Location) -> str:
    """A day, `2026-12-25`, or a day of every year, `12-25`."""
    value = read.line(item, location)
    try:
        date.fromisoformat(value if value.count("-") > 1 else f"2024-{value}")
    except ValueError:
        raise InvalidValue(f'"{value}" is not a day; write 2026-12-25, or 12-25 for every year') from None
    return value


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


_WORDS: Final = Section(dict, {"subject": read.line, "text": read.text, "html": read.text})


def _words(item: Item, location: Location) -> Mapping[str, str]:
    """Subject, text and HTML of a mail template in another language."""
    return _WORDS.values(item, location)


_FIELD: Final = Section(dict, {"type": read.one_of(*FIELD_KINDS), "protected": read.switch}, required=("type",))


NOT_A_KEY: Final = object()
"""Marks a field that no file states."""

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
Language = Annotated[str, read.language]
Images = Annotated[Mapping[str, str], mapping_of(read.image_name, read.image)]
ConversationPrefix = Annotated[
    str, read.matching(read.name, r"[A-Za-z0-9_-]{1,20}", "has more than letters, digits, - and _ (20 at most)")
]
Languages = Annotated[Mapping[str, Mapping[str, str]], mapping_of(read.language, _words)]
Host = Annotated[str, read.host]
Port = Annotated[int, read.integer(1, 65535)]
Url = Annotated[str, read.url]
UrlWithLogin = Annotated[str, read.url_with_login]
FilePath = Annotated[str, read.path]
Day = Annotated[str, read.day]
"""A day as text, such as `2027-03-31`."""
TimeZone = Annotated[str, read.timezone]
Schedule = Annotated[str, read.schedule]
Size = Annotated[int, read.size]
AttachmentType = Annotated[str, _attachment_type]
SubjectPattern = Annotated[str, read.pattern("type", "number")]
PollInterval = Annotated[timedelta, read.duration(_SECOND, timedelta(minutes=9999))]
MailsPerPoll = Annotated[int, read.integer(1, 9999)]
CanaryInterval = Annotated[timedelta, read.duration(timedelta(minutes=1), timedelta(days=1))]
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
Conditions = Annotated[Mapping[str, Any], _conditions]
BusinessEvents = Annotated[tuple[str, ...], list_of(_business_event, least=1)]
ReportQuery = Annotated[Mapping[str, Any], _report_query]
WorkingDays = Annotated[Mapping[str, tuple[str, ...]], mapping_of(_weekdays, list_of(_working_span, least=1))]
Holiday = Annotated[str, _holiday]
