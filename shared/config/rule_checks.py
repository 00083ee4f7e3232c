"""Checks of business rules, service levels, calendars and reports: names, values and times that can never fit.

What one of them needs is in `part_checks`, what it refers to by name in `references` (TI-33, TI-34, TI-35).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Any, Final

from shared.addresses import address_key, address_keys
from shared.conditions import OF_CHANGES, values_of, words_of
from shared.config import readers as read
from shared.config.complaints import Complaint, Complaints, unknown, values_at
from shared.config.field_checks import check_field, check_value, known_fields, person_exists
from shared.config.keys import MAIL_RECEIVED, SLA_EVENTS, SLA_TARGETS, days_of, minutes_of
from shared.config.model import TEAM_PREFIX, BusinessRule, Calendar, Configuration, RecordType, Report, Sla
from shared.config.problems import InvalidValue, Location, ProblemLog, nearest, typo_of
from shared.config.tree import Text

OF_RECORDS: Final = ("Number", "Type", "Customer", "Inbox", "Template", "CreatedBy", "Created", "Updated")
"""Names in conditions and columns that every record has besides its fields."""
OF_MAIL: Final = ("@Subject", "@Body", "@From", "@To", "@CC", "@Inbox", "@Attachments")
"""Names in conditions for what the mail says that caused the event; empty when no mail did."""
OF_TARGETS: Final = ("@Sla", "@Target")
"""Names in conditions for the target that is due or breached; empty for other events."""
RECIPIENTS: Final = ("@Sender", "@Customer", "@Owner", "@OwnerTeam", "@LoggingAnalyst", "@Analysts")
"""Roles that a rule can notify."""
RECIPIENTS_OF_REPORTS: Final = ("@Analysts",)
QUERY: Final = frozenset({"type", "status", "age"})
"""Keys of a report's query that do not name a field."""
COMPUTED: Final = ("Age", "Due")
"""Columns of a report that are computed: the time since the record was made, and when its next target is due."""
AGES: Final = (timedelta(seconds=1), timedelta(days=3650))
"""The least and the greatest age that a report can ask for."""


def rules_fit(config: Configuration) -> Complaints:
    """TI-33: rules ask for, set and reach what there is."""
    for path, rule in values_at(config, "business_rules"):
        types = _types_of(rule, config)
        yield from _conditions(f"{path}.when", rule.when, types, config, tokens=(*OF_MAIL, *OF_TARGETS))
        for name, value in rule.set.items():
            yield from _set_value(f"{path}.set.{name}", name, value, types, config)
        yield from _quick_action(f"{path}.quick_action", rule, types, config)
        if rule.notify:
            for index, to in enumerate(rule.notify.to):
                yield from _recipient(f"{path}.notify.to[{index}]", to, RECIPIENTS, config)


def _types_of(rule: BusinessRule, config: Configuration) -> Sequence[RecordType]:
    """The types of the rule's events; all types when an event may be about any."""
    if any(on in (*SLA_EVENTS, MAIL_RECEIVED) for on in rule.on):
        return config.types
    named = (config.type_named(on.rpartition(".")[0]) for on in rule.on)
    return [each for each in named if each]


def _conditions(
    path: str,
    when: Mapping[str, Any],
    types: Sequence[RecordType],
    config: Configuration,
    *,
    tokens: Sequence[str] = (),
) -> Complaints:
    for name, condition in when.items():
        at = f"{path}.{name}"
        if name.startswith("@"):
            yield from _token(at, name, tokens)
            yield from _target(at, name, condition, config)
        elif name.casefold() not in {each.casefold() for each in OF_RECORDS}:
            yield from _name(at, name, types, config)
            for _, value in values_of(condition):
                yield from _value(at, name, value, types, config)
        if not tokens and (words := words_of(condition) & OF_CHANGES):
            yield Complaint(at, f"{min(words)} asks for a change, and nothing changes here; compare the value itself")


def _token(path: str, name: str, known: Sequence[str]) -> Complaints:
    if name.casefold() not in {each.casefold() for each in known}:
        remedy = nearest(name, known) or (f"; it is one of {', '.join(known)}" if known else "; write a field")
        yield Complaint(path, f'there is no "{name}" here{remedy}')


def _target(path: str, name: str, condition: Any, config: Configuration) -> Complaints:
    """A service level or a kind of target that there is not, so that the rule never acts."""
    values = [str(value) for _, value in values_of(condition) if value is not None]
    match name.casefold():
        case "@sla":
            known = {each.name.casefold(): each.name for each in config.slas}
            for each in values:
                yield from unknown(path, "sla", known.get(each.casefold(), each), known.values())
        case "@target":
            for each in values:
                if each.casefold() not in SLA_TARGETS:
                    remedy = nearest(each, SLA_TARGETS) or f"; it is one of {', '.join(SLA_TARGETS)}"
                    yield Complaint(path, f'there is no target "{each}"{remedy}')


def _name(path: str, name: str, types: Sequence[RecordType], config: Configuration) -> Complaints:
    """A field that one type lacks; where the record may be of any type, one that is almost a field of some type."""
    if len(types) == 1:
        yield from check_field(path, name, types[0], config)
        return
    known = {field.casefold(): field for type_ in types for field in known_fields(type_)}
    if types and name.casefold() not in known and (near := typo_of(name, known.values())):
        yield Complaint(path, f'no type has a field "{name}"; did you mean "{near}"?')


def _set_value(path: str, name: str, value: Any, types: Sequence[RecordType], config: Configuration) -> Complaints:
    yield from _name(path, name, types, config)
    yield from _value(path, name, value, types, config)


def _value(path: str, name: str, value: Any, types: Sequence[RecordType], config: Configuration) -> Complaints:
    """A value that the field cannot have in any of the types."""
    refused = [next(check_value(path, name, value, type_, config), None) for type_ in types]
    if refused and all(refused) and refused[0]:
        yield refused[0]


def _quick_action(path: str, rule: BusinessRule, types: Sequence[RecordType], config: Configuration) -> Complaints:
    action = config.quick_action(rule.quick_action or "")
    for type_ in types if action else ():
        if action and len(types) == 1 and config.type_named(action.on) not in (None, type_):
            yield Complaint(path, f'"{action.name}" is for {action.on}, and this rule is about {type_.name}')


def _recipient(path: str, to: str, roles: Sequence[str], config: Configuration) -> Complaints:
    if to.startswith("@"):
        yield from _role(path, to, roles)
    elif "@" not in to and not to.startswith(TEAM_PREFIX):
        yield from person_exists(path, to, config)
    elif not {address_key(each.address) for each in config.inboxes}.isdisjoint(address_keys(to) if "@" in to else ()):
        yield Complaint(path, f"{to} is an inbox of this desk: the mail would come back; write another address")


def _role(path: str, to: str, roles: Sequence[str]) -> Complaints:
    if to.casefold() not in {each.casefold() for each in roles}:
        remedy = nearest(to, roles) or f"; it is one of {', '.join(roles)}, team:<name>, an address or a person's id"
        yield Complaint(path, f'there is no "{to}" to write to here{remedy}')


def levels_fit(config: Configuration) -> Complaints:
    """TI-35: service levels ask for what there is, and warn before their targets."""
    for path, sla in values_at(config, "slas"):
        if (type_ := config.type_named(sla.on)) is None:
            continue
        yield from _conditions(f"{path}.when", sla.when, [type_], config)
        yield from _warning(f"{path}.warn_before", sla)
        for index, status in enumerate(sla.pause_in):
            at = f"{path}.pause_in[{index}]"
            yield from check_value(at, "Status", status, type_, config)
            if type_.statuses.group(status) in ("resolved", "closed"):
                yield Complaint(at, f"a record in {status} has met its targets already; name open statuses")


def _warning(path: str, sla: Sla) -> Complaints:
    targets = {name: each for name in SLA_TARGETS if (each := getattr(sla, name)) is not None}
    for name, target in targets.items():
        if sla.warn_before is not None and sla.warn_before >= target:
            longest, shortest = read.duration_text(sla.warn_before), read.duration_text(target)
            yield Complaint(path, f"{longest} before does not lie before {name}: {shortest}; write a shorter time")
            return


def calendars_fit(config: Configuration) -> Complaints:
    """TI-35: the working hours of a day do not overlap."""
    for path, calendar in values_at(config, "calendars"):
        for day in range(7):
            spans = sorted(_spans_of(calendar, day))
            overlap = next((second for first, second in pairwise(spans) if second[0] < first[1]), None)
            if overlap:
                yield Complaint(f"{path}.hours.{overlap[2]}", f"{overlap[3]} overlaps other hours of the same day")
                break


def _spans_of(calendar: Calendar, day: int) -> Iterator[tuple[int, int, str, str]]:
    """Beginning, end, key and text of each span of a day of the week."""
    for days, spans in calendar.hours.items():
        if day in days_of(days):
            yield from ((*minutes_of(span), days, span) for span in spans)


def reports_fit(config: Configuration) -> Complaints:
    """TI-34: reports ask for and show what there is."""
    for path, report in values_at(config, "reports"):
        if (type_ := config.type_named(str(report.query["type"]))) is None:
            continue
        asked = {name: each for name, each in report.query.items() if name not in QUERY}
        yield from _conditions(f"{path}.query", asked, [type_], config)
        yield from _status(f"{path}.query.status", report, type_, config)
        yield from _age(f"{path}.query.age", report)
        yield from _shown(path, report, type_, config)
        for index, to in enumerate(report.to):
            yield from _recipient(f"{path}.to[{index}]", to, RECIPIENTS_OF_REPORTS, config)


def _status(path: str, report: Report, type_: RecordType, config: Configuration) -> Complaints:
    groups = {name for name, _ in type_.statuses.groups()}
    for word, value in values_of(report.query.get("status", ())):
        if word in OF_CHANGES:
            yield Complaint(path, f"{word} asks for a change, and nothing changes here; compare the value itself")
        elif str(value).casefold() not in groups:
            yield from check_value(path, "Status", value, type_, config)  # type: ignore[arg-type]


def _age(path: str, report: Report) -> Complaints:
    if (age := report.query.get("age")) is not None:
        try:
            read.duration(*AGES)(Text(str(age)), Location(path, ProblemLog()))
        except InvalidValue as refusal:
            yield Complaint(path, str(refusal))


def _shown(path: str, report: Report, type_: RecordType, config: Configuration) -> Complaints:
    columns = [(f"{path}.columns[{index}]", name) for index, name in enumerate(report.columns)]
    grouped = [(f"{path}.group_by", report.group_by)] if report.group_by else []
    for at, name in (*columns, *grouped):
        if name.casefold() not in {each.casefold() for each in (*OF_RECORDS, *COMPUTED)}:
            yield from check_field(at, name, type_, config)


def teams_without_people(config: Configuration) -> Complaints:
    """Teams that a rule or a report writes to, and that no person of the file is in."""
    teams = {team.casefold(): team for person in config.people for team in person.teams}
    for section, lists in (("business_rules", "notify.to"), ("reports", "to")):
        for path, to in values_at(config, f"{section}.{lists}"):
            team = to.removeprefix(TEAM_PREFIX).strip()
            if to.startswith(TEAM_PREFIX) and config.people and team.casefold() not in teams:
                yield Complaint(path, f'nobody is in the team "{team}"{nearest(team, teams.values())}')


def named_in_rules(config: Configuration) -> Iterable[str]:
    """The ids and addresses of people that rules and reports name."""
    written = [to for rule in config.business_rules if rule.notify for to in rule.notify.to]
    owners = [
        str(each) for rule in config.business_rules for name, each in rule.set.items() if name == "Owner" and each
    ]
    return [*owners, *(to for to in (*written, *(to for each in config.reports for to in each.to)) if _is_person(to))]


def _is_person(to: str) -> bool:
    return not to.startswith(("@", TEAM_PREFIX)) and "@" not in to
