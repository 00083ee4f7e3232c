"""Notes on a configuration."""

from __future__ import annotations

import pytest

from shared.config.notes import Supported, find_notes
from shared.config.reading import load_bytes

SUPPORTED = Supported(("imap",), ("smtp",), ("auto", "plain", "regular", "none"))
IMAP = "inboxes: [{name: a, address: a@example.com, protocol: imap, host: h, password: '${X}', "
EWS = IMAP.replace("imap", "ews")
SMTP = "mail_servers: [{name: out, host: h, "
OAUTH = "oauth: {client_id: c, tenant_id: t, client_secret: '${X}'}"
GRAPH = f"inboxes: [{{name: a, address: a@example.com, protocol: graph, {OAUTH}, "


def told(text: str) -> list[str]:
    return [f"{each.path}: {each.message}" for each in find_notes(load_bytes(text.encode()), SUPPORTED)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", []),
        ("inboxes: [{name: a, address: a@example.com}]", []),
        (IMAP + "auth: plain}]", []),
        (IMAP + "auth: ntlm}]", ["inboxes[0].auth: ntlm is not available in this version; it has auto, plain, "]),
        (
            "inboxes: [{name: a, address: a@example.com, protocol: pop3, host: h, password: '${X}', after: delete}]",
            ["inboxes[0].protocol: pop3 is not available in this version; it has imap"],
        ),
        (
            "mail_servers: [{name: out, protocol: ews, username: a@example.com, password: '${X}'}]",
            ["mail_servers[0].protocol: ews is not available in this version; it has smtp"],
        ),
        (SMTP + "conversation_id: {enabled: true}, embedded_images: inline, default_format: text}]", []),
        ("settings: {response_url: https://desk.example.com}", []),
        ("settings: {poll_interval: 5m}", []),
        ("people: [{id: a, name: A}, {id: b, name: B, active: false, format: text}]", []),
        ("inboxes: [{name: a, address: a@example.com, commands: {enabled: []}}]", []),
    ],
)
def test_what_this_version_does_not_do_is_reported_with_its_place(text: str, expected: list[str]) -> None:
    found = told(text)
    assert len(found) == len(expected)
    assert all(line.startswith(start) for line, start in zip(found, expected, strict=True))


@pytest.mark.parametrize(
    ("address", "is_online"),
    [
        ("ews_url: https://outlook.office365.com/EWS/Exchange.asmx", True),
        ("oauth: {client_id: a, client_secret: '${S}', tenant_id: t}", True),
        ("ews_url: https://mail.example.com/EWS/Exchange.asmx", False),
    ],
)
def test_the_end_of_ews_in_exchange_online_is_noted(address: str, *, is_online: bool) -> None:
    text = f"inboxes: [{{name: a, address: a@example.com, protocol: ews, password: '${{X}}', {address}}}]"
    assert any("ends EWS on 2027-04-01" in each for each in told(text)) == is_online


@pytest.mark.parametrize(
    ("mailbox", "is_online"),
    [
        ("protocol: graph, oauth: {client_id: a, client_secret: '${S}', tenant_id: t, user_id: a@example.com}", True),
        ("protocol: imap, host: outlook.office365.com, password: '${X}'", True),
        ("protocol: imap, host: imap.example.com, password: '${X}'", False),
    ],
)
def test_mail_of_exchange_online_proves_no_sender(mailbox: str, *, is_online: bool) -> None:
    trust = "commands: {trust: authenticated}"
    text = (
        f"settings: {{trusted_authserv_ids: [mx]}}\ninboxes: [{{name: a, address: a@example.com, {mailbox}, {trust}}}]"
    )
    assert any("commands.trust: Exchange Online names no server" in each for each in told(text)) == is_online


WATCHED = "address: a@b.example, canary: {every: 15m}"
BOX = "inboxes: [{name: a, address: a@example.com, "
RULE = "business_rules: [{name: r, on: call.created, notify: {to: '@Sender', template: t}, "
LEVELS = """
slas:
  - {name: a, on: call, when: {Priority: [1, 2]}, resolve: 1h}
  - {name: b, on: incident, when: {Category: x, Priority: [1, 2]}, resolve: 2h}
  - {name: c, on: incident, when: {Priority: 1}, resolve: 2h}
  - {name: d, on: incident, resolve: 2h}
"""


@pytest.mark.req("IV-07", "IV-36", "IV-38", "IV-39", "IV-42")
@pytest.mark.parametrize(
    ("text", "path"),
    [
        (BOX + "processor: problem, include_source_mailbox_name: true}]", "inboxes[0].include_source_mailbox_name"),
        (BOX + "processor: problem, task_for_every_email: true}]", "inboxes[0].task_for_every_email"),
        (BOX + "email_when_no_target: true}]", "inboxes[0].email_when_no_target"),
        (BOX + "task_subject: Look}]", "inboxes[0].task_subject"),
        (BOX + "processor: change, unique_key: ChangeNumber}]", "inboxes[0].unique_key"),
        (BOX + "export: {connection: c}}]\nconnections: [{name: c, path: x}]", "inboxes[0].export"),
        (BOX + "processor: change, update_only: true, field_mapping: {Summary: x}}]", "inboxes[0].field_mapping"),
        (BOX + "max_per_poll: 5}]", "inboxes[0].max_per_poll"),
        (BOX + "sender: {policy: existing_only, contact_type: employee}}]", "inboxes[0].sender.contact_type"),
        (BOX + "commands: {trust: authenticated}}]", "inboxes[0].commands.trust"),
        (IMAP + "after: delete, archive_folder: Old}]", "inboxes[0].archive_folder"),
        (IMAP + "ews_url: https://mail.example.com}]", "inboxes[0].ews_url"),
        (SMTP + "auth: none, tls: none, ca_file: ca.pem}]", "mail_servers[0].ca_file"),
        (SMTP + "auth: none, tls: none, client_certificate: 'file:a'}]", "mail_servers[0].client_certificate"),
        (IMAP + "verify_certificate: false, ca_file: ca.pem}]", "inboxes[0].ca_file"),
        (SMTP + "auth: none, username: a@example.com}]", "mail_servers[0].username"),
        (SMTP + "block: true, override_recipient: x@example.com}]", "mail_servers[0].override_recipient"),
        ("connections: [{name: c, path: x, url: https://example.com}]", "connections[0].url"),
        ("connections: [{name: c, kind: http, path: x, url: https://example.com}]", "connections[0].path"),
        ("rules: [{name: r, match: {size: 5MB}, direction: outbound}]", "rules[0].match"),
        ("rules: [{name: r, match: {regex: {body: xy}}, direction: both}]", "rules[0].match"),
        ("people: [{id: a, name: A, permissions: [takeover]}]", "people[0].permissions"),
        ("reports: [{name: r, schedule: 0 7 31 2 *, query: {type: call}, to: [a@b.example]}]", "reports[0].schedule"),
        (
            RULE + "schedule: 0 7 30 2 *}]\nmail_templates: [{name: t, subject: x, text: x}]",
            "business_rules[0].schedule",
        ),
    ],
)
def test_a_setting_that_can_do_nothing_is_noted(text: str, path: str) -> None:
    assert [line.partition(": ")[0] for line in told(text)] == [path]


@pytest.mark.parametrize("key", ["host: outlook.office365.com", "password: 'file:/dev/null'"])
def test_what_belongs_to_imap_is_noted_with_graph(key: str) -> None:
    found = find_notes(load_bytes(f"{GRAPH}{key}}}]".encode()), Supported(("graph",), ("smtp",), ("auto",)))
    assert [each.path for each in found] == [f"inboxes[0].{key.partition(':')[0]}"]


@pytest.mark.req("IV-09", "VS-03")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "inboxes: [{name: a, address: A@bücher.example}, {name: b, address: a@xn--bcher-kva.example}]",
            ["inboxes[1].address: the inbox a has this address too"],
        ),
        (
            f"inboxes: [{{name: a, {WATCHED}}}, {{name: b, {WATCHED}}}, {{name: c, {WATCHED}, enabled: false}}]",
            [
                "inboxes[1].address: the inbox a has this address too",
                "inboxes[2].address: the inbox a has this address too",
                "inboxes[0].canary: the inbox b has this address and a canary too; all probes arrive in one folder",
                "inboxes[1].canary: the inbox a has this address and a canary too; all probes arrive in one folder",
            ],
        ),
        (
            "people: [{id: a, name: A, addresses: [x@b.example]}, {id: b, name: B, addresses: [y@b, X@b.example]}]",
            ["people[1].addresses: a has one of these addresses too"],
        ),
        (
            BOX + "}]\npeople: [{id: x, name: X, addresses: [x@example.com, A@Example.com]}]",
            ["people[0].addresses: the inbox a has one of these addresses"],
        ),
        ("slas: [{name: a, on: incident, resolve: 1h}, {name: b, on: problem, resolve: 1h}]", []),
        (
            LEVELS,
            ["slas[1]: never holds: a comes first and fits the same records"],
        ),
        (IMAP + "auth: plain, tls: none}]", ["inboxes[0].tls: the password travels in clear text; write starttls"]),
        (IMAP + "tls: none}]", ["inboxes[0].tls: without TLS auto never sends a password in clear text"]),
        (SMTP + "auth: none, tls: none}]", []),
        (IMAP + "auth: plain, tls: starttls}]", []),
        ("inboxes: [{name: a, address: a@b.example}, {name: b, address: b@b.example}]", []),
        (
            "connections: [{name: c, kind: http, url: 'http://x.example/?api_key=1', token: '${T}'}]",
            ["connections[0].url: the token travels in clear text", "connections[0].url: a secret in an address"],
        ),
        (BOX + "field_mapping: {Title: x, Summary: y}}]", ["inboxes[0].field_mapping: Title: no declared field"]),
    ],
)
def test_what_is_probably_not_meant_is_noted(text: str, expected: list[str]) -> None:
    found = told(text)
    assert len(found) == len(expected)
    assert all(line.startswith(start) for line, start in zip(found, expected, strict=True))


RULE = "rules: [{name: r, match: "
SET_TEAM = "{name: %s, on: task, set: {OwnerTeam: Service Desk}}"
TEAM = "owner_team: Service Desk}]\n"


@pytest.mark.req("TI-20", "TI-27", "IV-31", "IV-32", "VS-07")
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "record_types: [{name: a, prefix: inc}]",
            ["record_types[0].prefix: a number such as inc1 is one of incident too"],
        ),
        ("record_types: [{name: a}, {name: b}]", ["record_types[1].prefix: a number such as 1 is one of a too"]),
        ("record_types: [{name: a, prefix: A}, {name: b, prefix: B}, {name: incident, prefix: INC}]", []),
        (
            "settings: {restricted_attachments: ['*.exe', '*']}",
            ['settings.restricted_attachments[1]: "*" matches every'],
        ),
        (
            "settings: {restricted_attachments: ['*.*']}",
            ['settings.restricted_attachments[0]: "*.*" matches every file'],
        ),
        ("settings: {restricted_attachments: ['*.e*', 'image/*']}", []),
        (RULE + "{subject_begins: 'Re:'}}]", ['rules[0].match.subject_begins: "Re:" matches nothing: subjects count']),
        (
            "rules: [{name: barred-subject, match: {subject_begins: ['AW: Unzustellbar', spam]}}]",
            ['rules[0].match.subject_begins: "AW: Unzustellbar" matches nothing: subjects count without it; write'],
        ),
        (RULE + "{subject: 'Re:'}}]", ['rules[0].match: "Re:" rejects every reply or forwarded mail; add what else']),
        (RULE + "{subject: [spam, 'Fwd: ']}, direction: both}]", ['rules[0].match: "Fwd:" rejects every reply or']),
        (
            RULE + "{regex: {subject: '^re:'}}, direction: outbound}]",
            ['rules[0].match: "^re:" keeps back every answer'],
        ),
        (RULE + "{regex: {any: '(aw|fwd?):'}}}]", ['rules[0].match: "(aw|fwd?):" rejects every reply or']),
        (RULE + "{regex: {any: '^re:', sender: spam}}}]", []),
        (RULE + "{header: {subject: 'AW:'}}}]", ['rules[0].match: "AW:" rejects every reply or forwarded mail']),
        (RULE + "{header: {List-Id: 'Re:'}}}]", []),
        (RULE + "{header: {Subject: 'Re:', X-Spam: 'yes'}}}]", []),
        (RULE + "{subject: 'Re:', sender: '@spam.example'}}]", []),
        (RULE + "{subject: 'Re:'}, enabled: false}]", []),
        (RULE + "{subject: 'Re: your order'}}]", []),
        (RULE + "{regex: {subject: 'viagra'}}}]", []),
        (
            BOX + TEAM + "templates: [{name: t, on: incident, set: {OwnerTeam: service desk}}]",
            ['templates[0].set.OwnerTeam: the team "service desk" is another one than "Service Desk"; write one name'],
        ),
        (
            BOX + TEAM + "quick_actions: [{name: t, on: incident, set: {OwnerTeam: Servce Desk}}]",
            ['quick_actions[0].set.OwnerTeam: the team "Servce Desk" is another one than "Service Desk"'],
        ),
        (
            BOX + f"field_mapping: {{ownerteam: Service-Desk}}}}]\ntemplates: [{SET_TEAM % 't'}, {SET_TEAM % 'u'}]",
            ['inboxes[0].field_mapping.ownerteam: the team "Service-Desk" is another one than "Service Desk"'],
        ),
        (BOX + TEAM + "templates: [{name: t, on: incident, set: {OwnerTeam: Service Team}}]", []),
        (BOX + "owner_team: Floor12}]\ntemplates: [{name: t, on: incident, set: {OwnerTeam: Floor13}}]", []),
        (BOX + "field_mapping: {OwnerTeam: '@Subject'}, " + TEAM, []),
    ],
)
def test_a_name_or_pattern_that_means_more_or_less_than_it_seems_is_noted(text: str, expected: list[str]) -> None:
    found = told(text)
    assert len(found) == len(expected)
    assert all(line.startswith(start) for line, start in zip(found, expected, strict=True))


@pytest.mark.req("IV-09")
@pytest.mark.parametrize(
    ("text", "places"),
    [
        (EWS + "ews_url: 'http://mail.example/EWS/Exchange.asmx'}]", ["inboxes[0].ews_url"]),
        (EWS + "ews_url: 'https://mail.example/EWS/Exchange.asmx'}]", []),
        (
            GRAPH.replace("tenant_id: t", "tenant_id: t, authority: 'HTTP://a.example', endpoint: 'http://g.example'")
            + "}]",
            ["inboxes[0].oauth.authority", "inboxes[0].oauth.endpoint"],
        ),
        (GRAPH + "}]", []),
    ],
)
def test_passwords_and_tokens_over_http_are_noted(text: str, places: list[str]) -> None:
    noted = [line for line in told(text) if line.endswith("the password or token travels in clear text; write https")]
    assert [line.partition(": ")[0] for line in noted] == places
