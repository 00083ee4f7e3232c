"""What templates, quick actions and mappings set: known fields, tokens and people, values that fields can hold."""

from __future__ import annotations

import pytest

from shared.config.problems import InvalidConfiguration
from shared.config.reading import load_bytes
from shared.store.configuration import apply
from shared.store.documents import Documents
from tests.shared.config.test_checks import HEAD, LOCATION, OBJECT, refused

PEOPLE = "people: [{id: ann, name: Ann, addresses: [ann@bücher.example], roles: [analyst]}]\n"
MAPPED = HEAD + "field_mapping: {%s}}\n"
TEMPLATE = "templates: [{name: t, on: incident, set: {%s}}]\n"


@pytest.mark.req("IV-32")
@pytest.mark.parametrize(
    ("mapping", "problem"),
    [
        ("Priority: high", "field_mapping.Priority: the field Priority takes a number, not 'high'"),
        ("priority: 'P1'", "field_mapping.priority: the field Priority takes a number"),
        ("Priority: 'P@Subject'", "field_mapping.Priority: the field Priority takes a number"),
        ("Status: Nope", 'field_mapping.Status: incident has no status "Nope"; it has Logged, '),
        ("Status: Closd", 'incident has no status "Closd"; did you mean "Closed"?'),
        ("Status: 'Now @Subject'", "field_mapping.Status: incident has no status"),
        ("Partition: moon", 'there is no partition "moon"; none is configured'),
        ("Sorce: mail", 'incident has no field "Sorce"; did you mean "Source"?'),
        ("Owner Team: A", 'has no field "Owner Team"; did you mean "OwnerTeam"?'),
        ("Summary: '@FristName'", 'there is no token @FristName; did you mean "@FirstName"?'),
        ("Summary: '@FirstName@LastNmae'", 'there is no token @LastNmae; did you mean "@LastName"?'),
        ("Summary: 'by @Sender'", "there is no token @Sender; it is one of @From, @To, @CC"),
        ("Summary: '@To[first]'", "the index of @To is not a number; write @To[2]"),
    ],
)
def test_a_mapping_that_no_mail_can_fill_is_refused(mapping: str, problem: str) -> None:
    assert problem in refused(MAPPED % mapping)


@pytest.mark.req("IV-32")
@pytest.mark.parametrize(
    "mapping",
    [
        "Priority: '3'",
        "Priority: '@Subject'",
        "Priority: ''",
        "status: 'closed'",
        "Status: '@Subject'",
        "Title: '@Subject', Details: '@Body', Keywords: '@From'",
        "Subcategory: x, Object: y, Urgent: 'yes', Team: z",
        "Summary: 'ask ops@desk.example or @@ops, @CC [2] @to[ 2 ] @FIRSTNAME@lastname a@From'",
        "Owner: '@From', OwnerTeam: Nobody knows teams",
    ],
)
def test_a_mapping_that_some_mail_can_fill_is_right(mapping: str) -> None:
    assert refused(MAPPED % mapping) == ""


@pytest.mark.req("IV-24", "IV-41")
@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("match_from_field: Floor}}}", "match_from_field: Floor cannot hold an address; match a text field"),
        (
            "match_value: {field: Floor, value: high}}}}",
            "match_value.value: the field Floor takes a number, not 'high'",
        ),
        ("match_from_field: Code, field_mapping: {Floor: low}}}}", "the field Floor takes a number, not 'low'"),
        ("match_from_field: Code, field_mapping: {Code: '@Form'}}}}", 'did you mean "@From"?'),
    ],
)
def test_an_object_is_found_and_filled_by_what_its_fields_can_hold(keys: str, problem: str) -> None:
    assert problem in refused(LOCATION.replace("Code: text", "Code: text, Floor: number") + HEAD + OBJECT + keys)


@pytest.mark.req("VS-07", "IV-39")
@pytest.mark.parametrize("section", ["templates", "quick_actions"])
@pytest.mark.parametrize(
    ("stated", "problem"),
    [
        ("Imapct: Low", 'set.Imapct: incident has no field "Imapct"; did you mean "Impact"?'),
        ("Summary: '@Subject'", "set.Summary: @Subject stays text here; tokens belong in the field_mapping"),
        ("Summary: '@FristName'", "@FristName stays text here"),
        ("Status: 5", 'incident has no status "5"'),
        ("Status: true", 'incident has no status "true"'),
    ],
)
def test_a_preset_with_a_misspelling_or_a_token_is_refused(section: str, stated: str, problem: str) -> None:
    assert problem in refused((TEMPLATE % stated).replace("templates", section))


@pytest.mark.req("IV-37", "VS-04")
@pytest.mark.parametrize(
    "text",
    [
        TEMPLATE % "Owner: WHO",
        (TEMPLATE % "owner: WHO").replace("templates", "quick_actions"),
        MAPPED % "Owner: WHO",
        LOCATION + HEAD + OBJECT + "match_from_field: Code, field_mapping: {Owner: WHO}}}}",
        HEAD + "commands: {default_logging_analyst: WHO}}",
    ],
)
def test_an_owner_or_analyst_is_one_of_the_people(text: str) -> None:
    assert 'there is no person "anm"; did you mean "ann"?' in refused(PEOPLE + text.replace("WHO", "anm"))
    assert "there is no person" not in refused(PEOPLE + text.replace("WHO", "ann"))
    assert "there is no person" not in refused(PEOPLE + text.replace("WHO", "Ann@XN--BCHER-KVA.example"))
    assert "there is no person" not in refused(text.replace("WHO", "anm"))  # the people are in the store


@pytest.mark.req("IV-37")
def test_an_apply_looks_for_owners_among_stored_people(documents: Documents) -> None:
    apply(documents, load_bytes(PEOPLE.encode()))
    apply(documents, load_bytes((TEMPLATE % "Owner: ann@bücher.example").encode()))
    with pytest.raises(InvalidConfiguration, match='there is no person "bob"'):
        apply(documents, load_bytes((TEMPLATE % "Owner: bob").encode()))
    apply(documents, load_bytes((HEAD + "commands: {default_logging_analyst: ann}}").encode()))
    with pytest.raises(
        InvalidConfiguration, match=r"the stored configuration: inboxes\[a\]\.commands\.default_logging"
    ):
        apply(documents, load_bytes(b"people: [{id: tom, name: Tom}]"), prune=True)


@pytest.mark.req("TI-33", "TI-34", "TI-35")
@pytest.mark.parametrize(
    "text",
    [
        "slas: [{name: s, on: incident, respond: 1h, when: {Priorty: 1}}]",
        "business_rules: [{name: b, on: incident.created, when: {Priorty: 1}}]",
        "business_rules: [{name: b, on: incident.created, set: {Priorty: 1}}]",
        "reports: [{name: r, schedule: '0 7 * * *', query: {type: incident}, group_by: Priorty, to: [a@b.example]}]",
    ],
)
def test_rules_targets_and_reports_name_fields_that_exist(text: str) -> None:
    assert 'has no field "Priorty"; did you mean "Priority"?' in refused(text)
