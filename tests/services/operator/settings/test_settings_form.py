"""The form of an inbox: made from the declarations of the configuration, read by its readers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from services.operator.settings.form_kinds import INBOX, MAIL_SERVER, FormKind
from services.operator.settings.settings_form import (
    Form,
    changed,
    form_of,
    key_help,
    stated_keys,
)
from shared.config import keys
from shared.config.checks import METHODS
from shared.config.ineffective import find_ineffective
from shared.config.model import (
    Canary,
    CommandPolicy,
    Configuration,
    ConversationId,
    Google,
    Inbox,
    MailServer,
    SenderPolicy,
    StatusMapping,
)
from shared.config.problems import Problem
from shared.config.values import Secret
from shared.contracts.fields import members_of

SERVER = MailServer(
    "out",
    host="mail.example.com",
    port=2525,
    username="desk",
    password=Secret("${SMTP_PASSWORD}"),
    from_address="support@example.com",
    conversation_id=ConversationId(enabled=True),
    verify_certificate=False,
)
PROTOCOLS = ("imap", "pop3", "ews", "graph", "gmail", "none")
SUPPORT = Inbox(
    "support",
    "support@example.com",
    protocol="imap",
    host="imap.example.com",
    password=Secret("${SUPPORT_PASSWORD}"),
    field_mapping={"Title": "@Subject", "Details": "@Body: all"},
    status_mapping=(StatusMapping("Resolved", "Reopen", enabled=False),),
    sender=SenderPolicy(policy="existing_only", forms=("web@example.com", "form@example.com")),
    commands=CommandPolicy(enabled=("close", "update"), reply_on_update=False),
    signature="Regards\nThe desk",
    canary=Canary(timedelta(minutes=15), "main"),
)


def filled_as(inbox: Inbox) -> dict[str, list[str]]:
    """What a browser sends when the form of an inbox is saved as it is."""
    return filled_from(form_of(stated_keys(inbox)))


def filled_from(form: Form) -> dict[str, list[str]]:
    """What a browser sends when a form is saved as it is."""
    return {each.name: _sent(each.kind, each.values) for each in form.fields.values() if each.value != "false"}


def _sent(kind: str, values: tuple[str, ...]) -> list[str]:
    return list(values) if kind == "several" else ["\r\n".join("\n".join(values).split("\n"))]


@pytest.mark.parametrize("kind", [INBOX, MAIL_SERVER], ids=lambda each: each.section)
def test_every_key_has_a_place_in_the_form_and_a_help_text(kind: FormKind) -> None:
    members = [each.name for each in members_of(kind.cls) if keys.NOT_A_KEY not in each.marks]
    assert sorted(members) == sorted(key for names in kind.groups.values() for key in names)
    assert set(key_help()[kind.section]) == set(members)
    protocols = [protocol for section, protocol in METHODS if section == kind.section]
    forms = [form_of({"protocol": protocol}, kind=kind) for protocol in protocols]
    shown = {name: each for form in forms for name, each in form.fields.items()}
    assert [name for name, each in shown.items() if not each.help] == []
    assert {name.split(".")[0] for name in shown} == set(members)


def test_saving_the_form_of_a_mail_server_as_it_is_changes_nothing() -> None:
    stated = stated_keys(SERVER, MAIL_SERVER)
    result = changed(filled_from(form_of(stated, kind=MAIL_SERVER)), stated, MAIL_SERVER)
    assert (result.thing, result.problems) == (SERVER, ())


@pytest.mark.parametrize("protocol", ["smtp", "ews", "graph", "gmail"])
def test_fields_of_a_mail_server_that_are_not_shown_would_have_no_effect(protocol: str) -> None:
    stated = MailServer("a", host="h", protocol=protocol, ews_url="https://x", google=Google("a", Secret("${A}")))  # type: ignore[arg-type]
    ineffective = {each.path.rpartition(".")[2] for each in find_ineffective(Configuration(mail_servers=(stated,)))}
    hidden = {key for key in MAIL_SERVER.belongs_to if not MAIL_SERVER.has(key, protocol)}
    assert ineffective & {"ews_url"} <= hidden


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_form_has_the_fields_of_its_protocol_alone(protocol: str) -> None:
    fields = form_of({"protocol": protocol}).fields
    assert {name.split(".")[0] for name in fields} == {
        key for names in INBOX.groups.values() for key in names if INBOX.has(key, protocol)
    }
    if "auth" in fields:
        assert fields["auth"].choices == METHODS["inboxes", protocol]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_fields_that_are_not_shown_would_have_no_effect(protocol: str) -> None:
    """The checks of the configuration say so of most of them."""
    stated = Inbox("a", "a@example.com", protocol=protocol, username="u", folder="F", archive_folder="A", idle=False, ews_url="https://x")  # type: ignore[arg-type]  # fmt: skip
    ineffective = {each.path.rpartition(".")[2] for each in find_ineffective(Configuration(inboxes=(stated,)))}
    hidden = {key for key in INBOX.belongs_to if not INBOX.has(key, protocol)}
    assert ineffective & {"username", "folder", "archive_folder", "idle", "ews_url"} <= hidden


def test_saving_a_form_as_it_is_changes_nothing() -> None:
    result = changed(filled_as(SUPPORT), stated_keys(SUPPORT))
    assert result.problems == ()
    assert result.thing == SUPPORT


def test_values_types_choices_and_defaults_come_from_the_declaration() -> None:
    fields = form_of(stated_keys(SUPPORT), known={"processor": ["incident", "change"]}).fields
    assert (fields["port"].kind, fields["poll_interval"].kind, fields["idle"].kind) == ("number", "duration", "switch")
    assert fields["tls"].choices == ("none", "starttls", "implicit")
    assert fields["after"].choices == ("archive", "delete", "mark_read")
    assert form_of({"protocol": "pop3"}).fields["after"].choices == ("delete", "leave")
    assert (fields["folder"].default, fields["folder"].values) == ("INBOX", ())
    assert fields["sender.forms"].value == "web@example.com\nform@example.com"
    assert fields["commands.enabled"].values == ("close", "update")
    assert not fields["commands.reply_on_update"].is_on
    assert fields["processor"].choices == ("incident", "change")
    assert fields["create_archive_folder"].help == "make it when it is missing"


def test_a_secret_is_never_shown_and_stays_when_its_field_is_empty() -> None:
    field = form_of(stated_keys(SUPPORT)).fields["password"]
    assert field.help == "typed in, and never shown again"
    assert (field.is_set, field.values) == (True, ())
    filled = filled_as(SUPPORT)
    assert changed(filled, stated_keys(SUPPORT)).thing.password == SUPPORT.password
    other = changed({**filled, "password": ["${OTHER}"]}, stated_keys(SUPPORT)).thing
    assert other.password == Secret("${OTHER}")
    refilled = form_of(stated_keys(SUPPORT), filled={**filled, "password": ["${OTHER}"]}).fields["password"]
    assert refilled.values == ()
    removed = changed({**filled, "remove:password": ["on"]}, stated_keys(SUPPORT)).thing
    assert removed.password is None


def test_a_field_of_another_protocol_falls_back_to_its_default() -> None:
    filled = {**filled_as(SUPPORT), "protocol": ["none"]}
    thing = changed(filled, stated_keys(SUPPORT)).thing
    assert (thing.host, thing.password) == (None, None)
    assert thing.commands == SUPPORT.commands


@pytest.mark.parametrize(
    ("field", "value", "problem"),
    [
        ("port", "many", '"many" is not a number from 1 to 65535'),
        ("address", "support", '"support" is not an address'),
        ("poll_interval", "soon", '"soon" is not a time'),
        ("tls", "ssl", '"ssl" is not one of'),
        ("password", "hunter2", "a secret is written as ${ENV_NAME} or file:path, never as its value"),
        ("status_mapping", "- {status: Resolved", "not valid YAML"),
        ("status_mapping", "- {state: Resolved}", "unknown key"),
        ("field_mapping", "- a", "expected a mapping"),
        ("sender.forms", "nobody", "is not an address"),
        ("commands.enabled", "explode", "is not one of"),
    ],
)
def test_a_problem_stands_at_its_field(field: str, value: str, problem: str) -> None:
    filled = {**filled_as(SUPPORT), field: [value]}
    result = changed(filled, stated_keys(SUPPORT))
    assert result.thing is None
    shown = form_of(stated_keys(SUPPORT), result.problems, filled=filled)
    assert problem in shown.fields[field].problem
    assert [each.name for each in shown.fields.values() if each.problem] == [field]
    assert shown.problems == ()
    if field != "password":
        assert shown.fields[field].value == value
    assert "hunter2" not in repr(shown)


@pytest.mark.parametrize("kind", [INBOX, MAIL_SERVER], ids=lambda each: each.section)
@pytest.mark.parametrize("chosen", [["smoke"], [" "], [], ["smoke", "imap"]], ids=str)
def test_a_protocol_that_a_form_does_not_have_is_a_problem_of_its_field(kind: FormKind, chosen: list[str]) -> None:
    result = changed({"name": ["a"], "protocol": chosen}, {}, kind)
    shown = form_of({}, result.problems, kind=kind, filled={"protocol": chosen})
    assert result.thing is None or not any(each.strip() for each in chosen)
    assert ("is not one of" in shown.fields["protocol"].problem) is (chosen[:1] == ["smoke"])
    assert shown.protocol == kind.protocol


@pytest.mark.req("TI-13")
def test_missing_mandatory_settings_are_flagged() -> None:
    filled = {**filled_as(SUPPORT), "address": [""]}
    result = changed(filled, {})
    form = form_of({}, result.problems, filled=filled)
    assert [each.name for each in form.missing] == ["address"]
    host = Problem("host", "missing, and imap needs it")
    assert [each.name for each in form_of({"name": "a", "address": "a@x.org", "protocol": "imap"}, [host]).missing] == [
        "host"
    ]


def test_a_problem_of_no_field_stands_above_the_form() -> None:
    form = form_of(
        stated_keys(SUPPORT), [Problem("inboxes[2].name", "twice"), Problem("sender.object", "missing, and needed")]
    )
    assert form.problems == ("inboxes[2].name: twice",)
    assert form.fields["sender.object.type"].problem == "missing, and needed"
