"""What has to fit together in a configuration."""

from __future__ import annotations

import pytest

from shared.config.problems import InvalidConfiguration
from shared.config.reading import load_bytes

HEAD = "inboxes:\n  - {name: a, address: a@example.com, "
IMAP = HEAD + "protocol: imap, host: h, password: '${X}', "
POP3 = HEAD + "protocol: pop3, host: h, password: '${X}', "
SMTP = "mail_servers:\n  - {name: out, host: h, username: a@example.com, password: '${X}', "
LOCATION = "record_types: [{name: location, fields: {Code: text}}]\n"
OBJECT = "sender: {method: object, object: {type: location, relationship: reported_from, "


def refused(text: str) -> str:
    """The problems of a file, or nothing."""
    try:
        load_bytes(text.encode())
    except InvalidConfiguration as error:
        return str(error)
    return ""


@pytest.mark.req("IV-11")
@pytest.mark.parametrize(
    "method", ["regular", "login", "plain", "cram-md5", "digest-md5", "ntlm", "msn", "gssapi", "auto"]
)
def test_imap_and_pop3_have_the_methods_of_the_documents(method: str) -> None:
    assert refused(f"{IMAP}auth: {method}}}") == ""
    assert refused(f"{POP3}auth: {method}}}") == ""


@pytest.mark.req("IV-11")
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"{IMAP}auth: apop}}", "inboxes[0].auth: imap has no method apop"),
        (f"{IMAP}auth: basic}}", "inboxes[0].auth: imap has no method basic"),
        (f"{POP3}auth: none}}", "inboxes[0].auth: pop3 has no method none"),
        (f"{SMTP}auth: regular}}", "mail_servers[0].auth: smtp has no method regular"),
        (f"{SMTP}auth: apop}}", "mail_servers[0].auth: smtp has no method apop"),
        (f"{HEAD}protocol: ews, auth: gssapi}}", "inboxes[0].auth: ews has no method gssapi"),
    ],
)
def test_a_method_that_the_protocol_lacks_is_refused(text: str, problem: str) -> None:
    assert problem in refused(text)


@pytest.mark.req("IV-11")
@pytest.mark.parametrize("method", ["cram-md5", "digest-md5", "apop"])
def test_fips_mode_refuses_methods_that_rest_on_md5(method: str) -> None:
    text = f"settings: {{fips: true}}\n{POP3}auth: {method}}}"
    assert f"inboxes[0].auth: {method} rests on MD5" in refused(text)
    assert refused(f"settings: {{fips: true}}\n{POP3}auth: auto}}") == ""


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"{HEAD}protocol: imap}}", "inboxes[0].host: missing, and imap needs it"),
        (f"{HEAD}protocol: imap, host: h}}", "inboxes[0].password: missing, and it is needed to log in"),
        (f"{HEAD}host: h}}", "inboxes[0].protocol: missing although there is a host"),
        (f"{IMAP}auth: xoauth2}}", "inboxes[0].oauth: missing, and xoauth2 needs it"),
        (f"{HEAD}protocol: graph}}", "inboxes[0].oauth: missing, and graph needs it"),
        (f"{HEAD}protocol: gmail}}", "inboxes[0].google: missing, and gmail needs it"),
        (
            f"{HEAD}protocol: gmail, google: {{service_account: x, private_key: 'file:k'}}}}",
            "service account is an address",
        ),
        (f"{HEAD}protocol: ews, auth: oauth}}", "inboxes[0].oauth: missing, and ews with oauth needs it"),
        (f"{HEAD}protocol: ews, auth: basic}}", "inboxes[0].password: missing, and ews with basic needs it"),
        (f"{HEAD}protocol: graph, oauth: {{client_id: c, tenant_id: t}}}}", "inboxes[0].oauth.client_secret: missing"),
        (
            (
                f"{HEAD}protocol: graph, oauth: {{client_id: c, tenant_id: t, client_secret: '${{X}}', "
                "client_certificate: '${Y}'}}"
            ),
            "inboxes[0].oauth.client_certificate: client_secret is here too",
        ),
        (
            f"{HEAD}protocol: graph, oauth: {{client_id: c, tenant_id: t, refresh_token: '${{X}}'}}}}",
            "inboxes[0].oauth.refresh_token: needs settings.token_key",
        ),
        (
            (
                f"{HEAD}protocol: graph, oauth: {{client_id: c, tenant_id: t, client_secret: '${{X}}', "
                "client_secret_ends: soon}}"
            ),
            "is not a day; write it as 2027-03-31",
        ),
        (
            f"{IMAP}client_certificate_passphrase: '${{X}}'}}",
            "inboxes[0].client_certificate: missing, and client_certificate_passphrase belongs to it",
        ),
        ("mail_servers: [{name: out}]", "mail_servers[0].host: missing, and smtp needs it"),
    ],
)
def test_a_connection_has_what_it_needs(text: str, problem: str) -> None:
    assert problem in refused(text)


@pytest.mark.req("TI-03")
@pytest.mark.parametrize("user", ["jane", "jane@", "EXAMPLE\\jane"])
def test_a_user_account_of_exchange_looks_like_an_address(user: str) -> None:
    text = f"{HEAD}protocol: ews, password: '${{X}}', username: '{user}'}}"
    assert "inboxes[0].username: the user account is an address; write it as user@domain" in refused(text)
    assert refused(text.replace(user, "jane@example.com")) == ""


@pytest.mark.req("NE-20")
def test_the_user_name_of_a_mail_server_is_an_address() -> None:
    text = "mail_servers: [{name: out, host: h, username: apikey, password: '${X}'}]"
    assert "mail_servers[0].username: the user name of a mail server is an address" in refused(text)


@pytest.mark.req("TI-08")
def test_pop3_has_no_archive_folder() -> None:
    assert "inboxes[0].after: pop3 has no folders" in refused(f"{POP3}after: archive}}")
    assert refused(f"{POP3}after: delete}}") == ""
    assert "after: leave is for pop3" in refused(f"{IMAP}after: leave}}")


@pytest.mark.req("TI-10")
def test_the_ticket_option_needs_its_template() -> None:
    assert "settings.auth_failure_ticket.template: missing" in refused(
        "settings: {auth_failure_ticket: {enabled: true}}"
    )
    assert refused("settings: {auth_failure_ticket: {enabled: false}}") == ""


@pytest.mark.req("TI-40")
def test_mail_leaves_under_the_address_of_an_inbox() -> None:
    text = f"{HEAD}}}\n{SMTP}from_address: %s}}"
    assert "from_address: b@example.com is not the address of an inbox" in refused(text % "b@example.com")
    assert refused(text % "A@Example.com") == ""


@pytest.mark.req("TI-40")
@pytest.mark.parametrize(
    ("address", "is_ours"), [("A@Example.com", True), ("a+x@example.com", True), ("b@c.example", False)]
)
def test_mail_is_not_redirected_to_an_inbox_of_ours(address: str, is_ours: bool) -> None:
    text = refused(f"{HEAD}}}\n{SMTP}override_recipient: {address}}}")
    assert ("override_recipient: " in text and "is an inbox of this desk" in text) is is_ours


@pytest.mark.req("IV-24")
@pytest.mark.parametrize(
    ("match", "problem"),
    [
        ("match_from_field: Code, match_value: {field: Code, value: HQ}", "keep one of the two, never both (IV-24)"),
        ("field_mapping: {}", "match_from_field: missing; write it, or match_value"),
        ("match_from_field: Code", ""),
        ("match_value: {field: Code, value: HQ}", ""),
    ],
)
def test_method_2_finds_its_object_in_exactly_one_way(match: str, problem: str) -> None:
    found = refused(f"{LOCATION}{HEAD}{OBJECT}{match}}}}}}}")
    assert problem in found if problem else found == ""


@pytest.mark.req("IV-23")
def test_method_2_needs_its_object_and_makes_no_records_without_one() -> None:
    assert "inboxes[0].sender.object: missing" in refused(f"{HEAD}sender: {{method: object}}}}")
    text = f"{LOCATION}{HEAD}{OBJECT}match_from_field: Code}}, policy: without_creating}}}}"
    assert "without_creating is for persons" in refused(text)


@pytest.mark.req("IV-24")
def test_method_2_does_not_go_with_xml_export() -> None:
    text = f"connections: [{{name: c, path: p}}]\n{LOCATION}{HEAD}processor: xml_export, export: {{connection: c}}, "
    assert "object does not go with xml_export" in refused(f"{text}{OBJECT}match_from_field: Code}}}}}}")


@pytest.mark.req("IV-35")
@pytest.mark.parametrize("name", ["service_request", "request", "Service Request"])
def test_a_service_request_inbox_only_updates(name: str) -> None:
    assert "inboxes[0].update_only: mail never creates service requests" in refused(f"{HEAD}processor: {name}}}")
    assert refused(f"{HEAD}processor: {name}, update_only: true}}") == ""


@pytest.mark.req("IV-42")
def test_the_unique_key_is_the_number_field_of_the_type() -> None:
    assert "must be the number field of problem, ProblemNumber" in refused(
        f"{HEAD}processor: problem, unique_key: Id}}"
    )
    assert refused(f"{HEAD}processor: problem, unique_key: ProblemNumber}}") == ""


@pytest.mark.req("IV-40")
def test_an_export_inbox_needs_its_connection() -> None:
    assert "inboxes[0].export: missing, and xml_export needs it" in refused(f"{HEAD}processor: xml_export}}")
    assert "connections[0].path: missing" in refused("connections: [{name: c}]")
    assert "connections[0].url: missing" in refused("connections: [{name: c, kind: http}]")


@pytest.mark.req("VS-08")
def test_a_format_of_ones_own_cannot_be_set_while_it_is_switched_off() -> None:
    text = "settings: {format_per_person: false}\npeople: [{id: a, name: A, format: html}]"
    assert "people[0].format: cannot be set" in refused(text)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (f"{HEAD}template: x}}", 'inboxes[0].template: there is no template "x"'),
        (f"{HEAD}mail_server: x}}", 'inboxes[0].mail_server: there is no mail server "x"'),
        (f"{HEAD}partition: x}}", 'inboxes[0].partition: there is no partition "x"'),
        (f"{HEAD}export: {{connection: x}}}}", 'inboxes[0].export.connection: there is no connection "x"'),
        (
            f"{HEAD}canary: {{every: 15m, mail_server: x}}}}",
            'inboxes[0].canary.mail_server: there is no mail server "x"',
        ),
        (f"{HEAD}canary: {{every: 5s}}}}", 'inboxes[0].canary.every: "5s" is not between 1m and 1d'),
        (f"{HEAD}processor: incidnt}}", 'there is no record type "incidnt"; did you mean "incident"?'),
        (f"{HEAD}status_mapping: [{{status: Resolved, quick_action: x}}]}}", 'there is no quick action "x"'),
        (f"{HEAD}status_mapping: [{{status: Resolvd, quick_action: x}}]}}", 'incident has no status "Resolvd"'),
        (f"{HEAD}sender: {{object: {{type: x, relationship: reported_from, match_from_field: y}}}}}}", "record type"),
        (
            f"{HEAD}sender: {{object: {{type: task, relationship: x, match_from_field: y}}}}}}",
            "there is no relationship",
        ),
        ("mail_servers: [{name: o, host: h, partition: x}]", 'mail_servers[0].partition: there is no partition "x"'),
        ("templates: [{name: t, on: x}]", 'templates[0].on: there is no record type "x"'),
        ("templates: [{name: t, on: task, set: {Status: Gone}}]", 'task has no status "Gone"'),
        ("quick_actions: [{name: t, on: x}]", 'quick_actions[0].on: there is no record type "x"'),
        ("slas: [{name: t, on: x, respond: 1h}]", 'slas[0].on: there is no record type "x"'),
        ("slas: [{name: t, on: task}]", "slas[0]: a target is missing"),
        ("business_rules: [{name: t, on: x.created}]", 'business_rules[0].on: there is no record type "x"'),
        (
            "business_rules: [{name: t, on: sla.due, notify: {to: a@b, template: x}}]",
            'business_rules[0].notify.template: there is no mail template "x"',
        ),
        ("reports: [{name: t, schedule: '0 7 * * *', query: {type: x}, to: a@b}]", "reports[0].query.type"),
        (
            "record_types: [{name: a, relationships: {r: x}}]",
            'record_types[0].relationships.r: there is no record type "x"',
        ),
        ("record_types: [{name: a, aliases: [call]}]", '"call" already means the type incident'),
        (
            "record_types: [{name: xml_export}]",
            'record_types[0].name: "xml_export" is the processor that exports mails',
        ),
        ("record_types: [{name: a, label: XML Export}]", 'record_types[0].label: "XML Export" is the processor'),
        ("record_types: [{name: a, aliases: [Xml-Export]}]", 'record_types[0].aliases: "Xml-Export" is the processor'),
        ("record_types: [{name: a}, {name: b, label: A}]", 'record_types[1].label: "A" already means the type a'),
        ("settings: {auth_failure_ticket: {template: x}}", "settings.auth_failure_ticket.template"),
        (
            f"templates: [{{name: t, on: task}}]\n{HEAD}template: t}}",
            'inboxes[0].template: "t" is for task, this inbox makes incident',
        ),
    ],
)
def test_a_reference_leads_to_something_that_is_there(text: str, problem: str) -> None:
    assert problem in refused(text)


@pytest.mark.req("IV-33", "IV-34", "IV-42")
@pytest.mark.parametrize("key", ["record_marker", "field_separator", "unique_key"])
@pytest.mark.parametrize("processor", ["incident", "xml_export, export: {connection: c}"])
def test_inboxes_that_read_no_fields_have_no_keys_for_them(key: str, processor: str) -> None:
    connections = "connections: [{name: c, kind: directory, path: out}]\n"
    assert f"inboxes[0].{key}: this inbox" in refused(f"{connections}{HEAD}processor: {processor}, {key}: X}}")
    assert refused(f"{connections}{HEAD}processor: {processor}, {key}: null}}") == ""


@pytest.mark.req("IV-35", "IV-23")
def test_service_requests_are_linked_and_never_made() -> None:
    found = "object: {type: service_request, relationship: reported_from, match_from_field: Category}"
    assert "never creates" in refused(f"{HEAD}sender: {{method: object, {found}}}}}")
    assert refused(f"{HEAD}sender: {{method: object, policy: existing_only, {found}}}}}") == ""


@pytest.mark.req("IV-24", "IV-32", "IV-39", "VF-10")
@pytest.mark.parametrize(
    "text",
    [
        HEAD + "processor: location, field_mapping: {Coed: '@Subject'}}",
        HEAD + OBJECT + "match_from_field: Coed}}}",
        HEAD + OBJECT + "match_value: {field: Coed, value: HQ}}}}",
        HEAD + OBJECT + "match_from_field: Code, field_mapping: {Coed: x}}}}",
        "templates:\n  - {name: t, on: location, set: {Coed: x}}",
        "quick_actions:\n  - {name: q, on: location, set: {Coed: x}}",
    ],
)
def test_a_type_of_ones_own_has_the_fields_that_it_declares(text: str) -> None:
    assert 'location has no field "Coed"; did you mean "Code"?' in refused(LOCATION + text)
    assert "no field" not in refused(LOCATION + text.replace("Coed", "Code"))
    assert "no field" not in refused(text.replace("location", "incident"))


HOUSE = "record_types: [{name: house, fields: {Floors: number, Built: date, Listed: boolean}}]\n"


@pytest.mark.req("VS-07", "IV-39")
@pytest.mark.parametrize("section", ["templates", "quick_actions"])
@pytest.mark.parametrize(
    ("stated", "problem"),
    [
        ("on: house, set: {Floors: many}", "set.Floors: the field Floors takes a number, not 'many'"),
        ("on: house, set: {floors: many}", "set.floors: the field Floors takes a number"),
        ("on: house, set: {Built: someday}", "set.Built: the field Built takes a date"),
        ("on: house, set: {Listed: perhaps}", "set.Listed: the field Listed takes yes or no"),
        ("on: house, set: {Partition: Nowhere}", 'set.Partition: there is no partition "Nowhere"'),
        ("on: incident, set: {Priority: high}", "set.Priority: the field Priority takes a number, not 'high'"),
        ("on: house, set: {Floors: 3, Built: 2026-11-20, Listed: true, Partition: null}", ""),
    ],
)
def test_a_preset_states_what_its_fields_can_hold(section: str, stated: str, problem: str) -> None:
    found = refused(f"{HOUSE}{section}: [{{name: p, {stated}}}]")
    assert f"{section}[0].{problem}" in found if problem else found == ""


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("record_types: [{name: x, fields: {A: text, a: number}}]", 'record_types[0].fields: "a" is the name of two'),
        ("record_types: [{name: x, fields: {status: text}}]", 'record_types[0].fields: "status" is the name of two'),
        ("record_types: [{name: x, fields: {XNumber: text}}]", 'record_types[0].fields: "XNumber" is the name'),
        ("templates: [{name: t, on: incident, set: {Status: Logged, status: Active}}]", 'set: "status" is the name'),
        ("quick_actions: [{name: t, on: incident, set: {Impact: Low, impact: High}}]", 'set: "impact" is the name'),
        (
            "partitions: [{name: p, priority_matrix: {Low/Low: 3, low/low: 4}}]",
            'priority_matrix: "low/low" is the name',
        ),
        (f"{HEAD}field_mapping: {{Impact: a, impact: b}}}}", 'field_mapping: "impact" is the name of two things'),
        (
            "settings: {restricted_attachments: [zip, '*.exe, *.js']}",
            "attachments[1]: a comma is not allowed",
        ),
        (
            f"{HEAD}processor: problem, record_marker: '$', field_separator: '$'}}",
            "record_marker: is the field_separator",
        ),
    ],
)
def test_names_and_marks_that_mean_two_things_are_refused(text: str, problem: str) -> None:
    assert problem in refused(text)


@pytest.mark.req("IV-40")
def test_files_beside_a_document_need_a_directory() -> None:
    text = (
        f"{HEAD}processor: xml_export, export: {{connection: c, attachments: files}}}}\nconnections: [{{name: c, %s}}]"
    )
    assert "export.attachments: files go with kind: directory" in refused(text % "kind: http, url: https://x.example")
    assert refused(text % "path: out") == ""
