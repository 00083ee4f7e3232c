"""From a file to a configuration, or to every problem that it has."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from shared.config import yaml_events
from shared.config.model import Configuration, Inbox, MatchValue, Settings
from shared.config.problems import InvalidConfiguration
from shared.config.reading import load, load_bytes
from shared.config.values import Secret
from shared.contracts.errors import Misconfigured
from tests.shared.config.example import EXAMPLE

INBOX = "inboxes:\n  - name: support\n    address: support@example.com\n"


def problems(text: str) -> list[str]:
    """The problems of a file, as an operator reads them."""
    with pytest.raises(InvalidConfiguration) as refused:
        load_bytes(text.encode())
    return str(refused.value).splitlines()


@pytest.fixture(scope="module")
def example() -> Configuration:
    return load_bytes(EXAMPLE.encode(), base=Path("/etc/postroom"))


def test_an_empty_file_states_nothing() -> None:
    assert load_bytes(b"") == Configuration()
    assert load_bytes(b"").sections == frozenset()


def test_name_and_address_are_enough_for_an_inbox() -> None:
    config = load_bytes(INBOX.encode())
    assert config.inboxes == (Inbox("support", "support@example.com"),)
    assert config.settings == Settings()
    assert config.sections == {"inboxes"}


def test_times_and_sizes_have_units(example: Configuration) -> None:
    assert example.settings.poll_interval == timedelta(minutes=1)
    assert example.settings.automatic_mail_cap.per == timedelta(minutes=90)
    assert example.settings.max_mail_size == 25 * 1024 * 1024
    assert example.mail_servers[0].timeout == timedelta(milliseconds=1500)


def test_words_that_yaml_takes_for_truth_values_are_what_the_key_says(example: Configuration) -> None:
    assert example.settings.processing is False
    assert example.quick_actions[0].on == "incident"


def test_values_of_fields_keep_their_type(example: Configuration) -> None:
    assert example.templates[0].set == {
        "Status": "Logged",
        "Stream": "IT",
        "Owner": None,
        "Priority": 3,
        "Weight": 1.5,
        "Code": "5",
    }
    assert example.templates[1].set == {
        "Answer": "yes",
        "Urgent": True,
        "When": "2024-01-01",
        "Ratio": "1e5",
        "Octal": "010",
        "Off": "off",
    }


def test_types_are_named_as_they_name_themselves(example: Configuration) -> None:
    assert [inbox.processor for inbox in example.inboxes] == [
        "incident",
        "Work Order",
        "service_request",
        "incident",
        "xml_export",
    ]
    assert example.business_rules[0].on == ("incident.created",)
    assert example.reports[0].query == {"type": "incident", "status": "open"}


def test_relative_paths_start_at_the_file(example: Configuration) -> None:
    assert example.inboxes[0].password == Secret("file:/etc/postroom/secrets/support")
    assert example.connections[0].path == "/etc/postroom/exports"


def test_rules_are_read_into_one_form(example: Configuration) -> None:
    assert example.rules[0].match == {
        "sender": ("newsletter@", "News Desk"),
        "recipient": ("all@example.com",),
        "subject": ("Unsubscribe", "News, old"),
        "header": {"List-Id": "news"},
        "size": 10 * 1024 * 1024,
        "regex": {"subject": r"^news\b"},
    }
    assert example.rules[1].match == {"header": {"X-Spam-Flag": "YES"}, "regex": {"any": "win(ner)?"}}


@pytest.mark.parametrize("written", ["{X-Flag: YES}", "'X-Flag: YES'", "{name: X-Flag, value: YES}"])
def test_a_header_is_written_in_any_of_three_ways(written: str) -> None:
    config = load_bytes(f"rules: [{{name: a, match: {{header: {written}}}}}]".encode())
    assert config.rules[0].match == {"header": {"X-Flag": "YES"}}


def test_all_commands_have_a_word() -> None:
    config = load_bytes(f"{INBOX}    commands: {{enabled: all}}\n".encode())
    assert config.inboxes[0].commands.enabled == ("close", "approve", "reject", "summary", "create", "update", "delete")


def test_an_object_is_matched_by_a_fixed_value(example: Configuration) -> None:
    wanted = example.inboxes[1].sender.object
    assert wanted is not None
    assert wanted.match_value == MatchValue("Code", "HQ")


@pytest.mark.req("TI-08")
@pytest.mark.parametrize(
    ("stated", "after"),
    [("protocol: imap", "archive"), ("protocol: pop3", "delete"), ("protocol: pop3\n    after: leave", "mark_read")],
)
def test_what_becomes_of_taken_mail_depends_on_the_protocol(stated: str, after: str) -> None:
    text = f"{INBOX}    host: mail.example.com\n    password: ${{X}}\n    {stated}\n"
    assert load_bytes(text.encode()).inboxes[0].after == after


@pytest.mark.req("IV-02")
@pytest.mark.parametrize(
    ("stated", "port", "tls"),
    [
        ("protocol: imap", 993, "implicit"),
        ("protocol: imap\n    tls: none", 143, "none"),
        ("protocol: imap\n    tls: starttls", 143, "starttls"),
        ("protocol: imap\n    port: 143", 143, "starttls"),
        ("protocol: imap\n    port: 10143", 10143, "implicit"),
        ("protocol: pop3", 995, "implicit"),
        ("protocol: pop3\n    tls: none", 110, "none"),
    ],
)
def test_port_and_tls_follow_from_each_other(stated: str, port: int, tls: str) -> None:
    text = f"{INBOX}    host: mail.example.com\n    password: ${{X}}\n    {stated}\n"
    inbox = load_bytes(text.encode()).inboxes[0]
    assert (inbox.port, inbox.tls) == (port, tls)


@pytest.mark.req("NE-20")
@pytest.mark.parametrize(
    ("stated", "port", "tls"), [("", 25, "starttls"), ("port: 465", 465, "implicit"), ("port: 587", 587, "starttls")]
)
def test_a_mail_server_upgrades_unless_its_port_says_otherwise(stated: str, port: int, tls: str) -> None:
    text = f"mail_servers:\n  - name: out\n    host: smtp.example.com\n    {stated}\n"
    server = load_bytes(text.encode()).mail_servers[0]
    assert (server.port, server.tls) == (port, tls)


def test_a_type_of_ones_own_replaces_the_built_in_one_and_keeps_its_aliases() -> None:
    config = load_bytes(b"record_types: [{name: Incident, prefix: X, statuses: {open: [New]}}]")
    found = config.type_named("call")
    assert found is not None
    assert (found.prefix, found.statuses.open, found.statuses.closed) == ("X", ("New",), ())
    assert [each.name.casefold() for each in config.types].count("incident") == 1


@pytest.mark.parametrize(
    "stated",
    [
        "fields: {Cost: {type: number, protected: true}, Note: text}",
        "fields: {Cost: number, Note: text}, protected: Cost",
    ],
)
def test_a_field_may_be_protected(stated: str) -> None:
    (found,) = load_bytes(f"record_types: [{{name: order, {stated}}}]".encode()).record_types
    assert (dict(found.fields), found.protected) == ({"Cost": "number", "Note": "text"}, ("Cost",))


def test_merge_keys_and_aliases_save_repetition() -> None:
    text = """
inboxes:
  - &base {name: a, address: a@example.com, owner_team: Desk}
  - {<<: *base, name: b}
"""
    assert [(inbox.name, inbox.owner_team) for inbox in load_bytes(text.encode()).inboxes] == [
        ("a", "Desk"),
        ("b", "Desk"),
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (
            INBOX + "    protcol: imap\n",
            'postroom.yaml:4: inboxes[0].protcol: unknown key; did you mean "protocol"?',
        ),
        ("colour: red\n", 'postroom.yaml:1: colour: unknown key; the nearest known key is "calendars"'),
        (INBOX + "    enabled: maybe\n", 'postroom.yaml:4: inboxes[0].enabled: "maybe" is neither true nor false'),
        (
            INBOX + "    protocol: imapp\n",
            'inboxes[0].protocol: "imapp" is not one of imap, pop3, ews, graph, gmail, none; did you mean "imap"?',
        ),
        (
            "inboxes: {name: a}\n",
            "postroom.yaml:1: inboxes: expected a list (start each entry with a dash), found a mapping",
        ),
        ("inboxes:\n  - name: a\n", "postroom.yaml:2: inboxes[0].address: missing, and it is needed"),
        ("inboxes:\n  - just text\n", "postroom.yaml:2: inboxes[0]: expected a mapping, found a text"),
        ("settings: [1]\n", "postroom.yaml:1: settings: expected a mapping, found a list"),
        (
            "settings:\n  poll_interval: 60\n",
            'settings.poll_interval: "60" is not a time; write a number with a unit, such as 30s, 5m or 1h',
        ),
        ("settings: {poll_interval: 5 Minutes}\n", '"5 Minutes" is not a time; write a number with a unit'),
        (
            "settings:\n  poll_interval: 0s\n",
            'postroom.yaml:2: settings.poll_interval: "0s" is not between 1s and 9999m',
        ),
        ("settings: {max_per_poll: 10000}\n", 'settings.max_per_poll: "10000" is not a number from 1 to 9999'),
        ("settings: {max_mail_size: 5 apples}\n", '"5 apples" is not a size; write 50MB, 512KB or a number of bytes'),
        ("settings: {timezone: Mars/Base}\n", '"Mars/Base" is not a time zone'),
        ("settings: {subject_patterns: ['(a']}\n", "settings.subject_patterns[0]: bad regular expression: missing )"),
        ("settings: {subject_patterns: ['(?P<number>1)']}\n", "the pattern lacks the group (?P<type>...)"),
        ("settings: {response_url: desk}\n", "not a web address; write it as https://host/path"),
        (
            "connections: [{name: w, kind: http, url: 'https://me:hunter2@w.example/in'}]\n",
            "connections[0].url: holds a user name or a password; write https://host/path",
        ),
        ("settings: {rabbitmq_management_url: 'http://guest:secret@rabbit:15672'}\n", "holds a password; write"),
        ("settings: {rabbitmq_management_url: 'http://guest:${A}b@rabbit:15672'}\n", "holds a password; write"),
        (INBOX + "    host: mail.example.com:993\n", "is not a host; write the name alone, the port has its own key"),
        (
            INBOX + "    name: again\n",
            "postroom.yaml:4: inboxes[0].name: the key appears twice, first on line 2; keep one",
        ),
        (INBOX + "  - {name: support, address: b@example.com}\n", 'inboxes[1].name: "support" appears twice, first in'),
        ("rules: [{name: a, match: {regex: '(a'}}]\n", "rules[0].match.regex: bad regular expression: missing )"),
        (
            "rules: [{name: a, match: {regex: {subject: '*'}}}]\n",
            "rules[0].match.regex.subject: bad regular expression",
        ),
        ("rules: [{name: a, match: {sender: x}}]\n", "rules[0].match.sender: a filter needs at least 2 characters"),
        ("rules: [{name: a, match: {sender: 'ab, c'}}]\n", "a filter needs at least 2 characters"),
        ("rules: [{name: a, match: {}}]\n", "rules[0].match: a rule needs something to match: sender, recipient,"),
        ("rules: [{name: a, match: {header: x}}]\n", "write a header as name: text"),
        ("people: [{id: a, name: A, addresses: [a b@x]}]\n", 'people[0].addresses[0]: "a b@x" is not an address'),
        ("people: [{id: a, name: A, roles: [analist]}]\n", 'did you mean "analyst"?'),
        ("record_types: [{name: a, statuses: {closed: [x]}}]\n", "a new record takes the first open status"),
        ("record_types: [{name: a, statuses: {open: [x], closed: [X]}}]\n", 'the status "x" appears twice'),
        ("record_types: [{name: a, fields: {A: texts}}]\n", 'did you mean "text"?'),
        ("record_types: [{name: a, protected: [B]}]\n", 'the protected field "B" is not a field of the type'),
        ("record_types: [{name: 1a}]\n", '"1a" is not a valid name'),
        ("templates: [{name: a, on: incident, set: {a.b: 1}}]\n", '"a.b" is not a valid field name; leave out . and $'),
        ("templates: [{name: a, on: incident, set: {a: [1]}}]\n", "expected a single value, found a list"),
        ("templates: [{name: a, on: incident, set: {a: 99999999999999999999}}]\n", "quote it to keep it as text"),
        (
            "reports: [{name: a, schedule: '0 7 * *', query: {type: incident}, to: [a@b]}]\n",
            "a schedule has five fields",
        ),
        ("reports: [{name: a, schedule: '0 25 * * *', query: {type: incident}, to: [a@b]}]\n", "it goes from 0 to 23"),
        (
            "reports: [{name: a, schedule: '0 1 * * *', query: {}, to: []}]\n",
            "reports[0].query: the query needs a type",
        ),
        ("business_rules: [{name: a, on: incident.made}]\n", '"incident.made" is not an event'),
        (
            "partitions: [{name: a, priority_matrix: {Low: 1}}]\n",
            '[0].priority_matrix.Low: "Low" is not a pair',
        ),
        ("a: *b\n", "postroom.yaml:1: *b is not defined before"),
        ("a: &a [*a]\n", "postroom.yaml:1: *a refers to itself"),
        ("a: !!python/object:os.system x\n", "is not used in this file"),
        ("a: [\n", "not valid YAML:"),
        ("a: {b: @Subject}\n", "put a text that starts with @ in quotes"),
        ("a: %%\n", "put a text that starts with % in quotes"),
        ("a:\n\tb: c\n", "there is a tab here; indent with spaces"),
        ("a: b: c\n", "put a text with a colon in quotes"),
        ("a: *b\n", "put a text that starts with * in quotes"),
        ("a: & b\n", "put a text that starts with & in quotes"),
        ("a: > b\n", "put a text that starts with > or | in quotes"),
        ("a: - b\n", "put a text that starts with - in quotes"),
        ("a: [b] c\n", "put a text that starts with a bracket or a quotation mark in quotes"),
        ("a: 'b\n\n", "1: not valid YAML: a quotation mark is not closed"),
        ('a: "C:\\d"\n', "put a text with \\ in single quotes"),
        ("a: 1\nb:c\n", "2: not valid YAML: write a space after the colon of a key"),
        ("a: {b: #c}\n", "not valid YAML: a value is missing here"),
        (
            "settings:\n  timezone: #UTC\n",
            "2: settings.timezone: expected a value, found nothing, because #UTC is a",
        ),
        (
            "people:\n- id: a\n  name: #1\n",
            "3: people[0].name: expected a value, found nothing, because #1 is a",
        ),
        ("inboxes:\n- name: #\n  address: a@b.example", "2: inboxes[0].name: expected a value, found nothing"),
        ("a: 1\n---\nb: 2\n", "postroom.yaml:2: a second document starts here"),
        ("[" * 5000, "postroom.yaml:1: nested more than 30 levels deep"),
        ("[a, b]: 1\n", "a key is a word"),
        ("just text\n", "postroom.yaml:1: expected a mapping, found a text"),
    ],
)
def test_a_problem_is_reported_with_its_place_and_its_remedy(text: str, problem: str) -> None:
    assert any(problem in line for line in problems(text)), problems(text)


@pytest.mark.parametrize("loader", ["CSafeLoader", "SafeLoader"])
@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[" * 31, 1),
        ("[" * 1001, 1),
        ("[" * 5000, 1),
        ("{" * 1001, 1),
        ("[{" * 600, 1),
        ("a: 'x [[['\n" + "b: " + "[" * 1010, 2),
        ("# " + "[" * 40 + "\n" + "[" * 1001, 2),
        ("{a: " * 1100, 1),
        ("- " * 1100 + "a", 1),
        ("[\n" * 1100, 31),
        ("é: [\n" + "[\n" * 28 + "[" * 1001, 30),
    ],
    ids=lambda value: str(value)[:12],
)
def test_deep_nesting_has_one_message_whichever_limit_of_the_yaml_library_it_meets(
    text: str, line: int, loader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yaml_events, "_LOADER", getattr(yaml, loader, yaml.SafeLoader))
    expected = f"postroom.yaml:{line}: nested more than 30 levels deep; remove the levels that are not needed"
    assert problems(text) == [expected]


@pytest.mark.parametrize("text", ["a: [[[[\n", "a: " + "[" * 29, 'a: "[[[[' + "[" * 40 + "\n"])
def test_broken_yaml_that_is_not_deep_keeps_the_message_of_the_library(text: str) -> None:
    assert "not valid YAML: " in problems(text)[0]


def test_all_problems_are_reported_at_once_in_the_order_of_the_file() -> None:
    text = """
settings:
  max_per_poll: 0
  colour: red
inboxes:
  - {name: broken, address: nowhere}
  - name: fine
    address: fine@example.com
    template: missing
rules:
  - {name: r, match: {regex: "("}}
"""
    lines = [(line.split(":")[1], line.split(": ")[1]) for line in problems(text)]
    assert lines == [
        ("3", "settings.max_per_poll"),
        ("4", "settings.colour"),
        ("6", "inboxes[0].address"),
        ("9", "inboxes[1].template"),
        ("11", "rules[0].match.regex"),
    ]


def test_a_secret_in_clear_text_is_refused_and_not_repeated() -> None:
    found = problems(INBOX + "    password: correct-horse\nsettings: {token_key: correct-horse}\n")
    assert len(found) == 2
    assert "inboxes[0].password: a secret is written as ${ENV_NAME} or file:path, never as its value" in found[0]
    assert "correct-horse" not in "".join(found)


def test_a_yaml_bomb_is_refused_before_it_unfolds() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 12))
    assert "aliases unfold to more than" in problems(bomb)[0]


def test_a_file_that_is_not_utf8_is_refused_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes("settings:\n  timezone: Zürich\n".encode("latin-1"))
    with pytest.raises(InvalidConfiguration, match=r"latin\.yaml:2: not UTF-8 text"):
        load(path)


def test_a_byte_order_mark_is_not_part_of_the_text() -> None:
    assert load_bytes(b"\xef\xbb\xbf" + INBOX.encode()).inboxes[0].name == "support"


def test_a_missing_file_is_reported_as_missing(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="cannot be read: No such file"):
        load(tmp_path / "nothing.yaml")


@pytest.mark.parametrize(
    "text",
    [
        "templates: [{name: t, on: incident, color: red, on: incident}]",
        "templates: [{name: t}]",
    ],
)
def test_what_could_not_be_read_is_not_reported_as_missing_too(text: str) -> None:
    inbox = "inboxes: [{name: a, address: a@example.com, template: t, partition: p}]\n"
    told = problems(inbox + text)
    assert not any("there is no template" in line for line in told)
    assert any("there is no partition" in line for line in told)
