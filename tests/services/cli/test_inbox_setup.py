"""`postroom inbox setup`: what it asks for, what it prints, and which step it finds missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.config.reading import load_bytes
from tests.servers.google import GoogleStub
from tests.servers.microsoft import CLIENT, OTHER, SECRET, SUPPORT, TENANT, MicrosoftStub, error
from tests.servers.tls import Certificate
from tests.services.cli.conftest import Run


def arguments(stub: MicrosoftStub, *more: str) -> tuple[str, ...]:
    """The command with all that it needs."""
    return (
        *("inbox", "setup", "microsoft365", "--address", SUPPORT, "--client-id", CLIENT, "--tenant-id", TENANT),
        *("--secret", "${GRAPH_SECRET}", "--authority", stub.url, "--endpoint", stub.url, *more),
    )


@pytest.mark.req("TI-02", "IV-08")
def test_microsoft_365_prints_the_commands_and_tests_each_step(run: Run, microsoft: MicrosoftStub) -> None:
    result = run(*arguments(microsoft, "--object-id", "obj-1", "--other", OTHER))
    assert result.code == 0, result.out
    for line in (
        f"New-ServicePrincipal -AppId {CLIENT} -ObjectId obj-1 -DisplayName Postroom",
        f"New-ManagementRoleAssignment -App {CLIENT} -Role 'Application Mail.ReadWrite' -CustomResourceScope",
        f"New-ManagementRoleAssignment -App {CLIENT} -Role 'Application Mail.Send' -CustomResourceScope",
        f"-RecipientRestrictionFilter \"PrimarySmtpAddress -eq '{SUPPORT}'\"",
        "ok       access token: An access token was given.",
        "ok       mailbox: The connection works.",
        "ok       sending: The connection works.",
        f"ok       {OTHER} stays closed: The application cannot read {OTHER}.",
    ):
        assert line in result.out
    assert SECRET not in result.out
    assert (microsoft.support.sent, microsoft.support.in_folder("Archive")) == ([], [])


def test_the_configuration_that_it_prints_can_be_applied(run: Run, microsoft: MicrosoftStub) -> None:
    result = run(*arguments(microsoft, "--no-test", "--json"))
    config = load_bytes(result.line["configuration"].encode())
    assert (config.inboxes[0].protocol, config.inboxes[0].mail_server) == ("graph", "support-out")
    assert config.mail_servers[0].from_address == SUPPORT


@pytest.mark.req("TI-02")
@pytest.mark.parametrize(
    ("breaks", "missing"),
    [
        ("secret", "MISSING  access token"),
        ("rights", "MISSING  mailbox: Inbox folder not found!"),
        ("send", "MISSING  sending"),
        ("too much", f"MISSING  {OTHER} stays closed"),
    ],
)
def test_it_says_which_step_is_missing_and_stops_there(
    breaks: str, missing: str, run: Run, microsoft: MicrosoftStub
) -> None:
    if breaks == "secret":
        microsoft.secret = "another"
    elif breaks == "rights":
        microsoft.allowed.clear()
    elif breaks == "send":
        microsoft.fail("POST .*sendMail", 403, error(403, "ErrorAccessDenied").body)
    else:
        microsoft.allowed.add(OTHER)
    result = run(*arguments(microsoft, "--other", OTHER))
    assert result.code == 1
    assert missing in result.out
    assert result.out.rstrip().splitlines()[-1].startswith(missing)


def test_a_person_signs_in_with_a_code_where_no_application_may_have_rights(
    run: Run, microsoft: MicrosoftStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN_KEY", "k" * 32)
    config = tmp_path / "key.yaml"
    config.write_text("settings: {token_key: '${TOKEN_KEY}'}\n")
    assert run("config", "apply", config).code == 0
    microsoft.pending = 1
    file = tmp_path / "refresh-token"
    words = [each for each in arguments(microsoft) if each not in ("--secret", "${GRAPH_SECRET}")]
    result = run(*words, "--sign-in", file)
    assert result.code == 0, result.out + result.err
    assert "enter the code ABC123" in result.err
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("refresh-1", 0o600)
    assert f"file:{file}" in result.out
    assert "ok       sending" in result.out
    assert "refresh-1" not in result.out + result.err


def test_what_is_missing_is_named_without_a_terminal(run: Run) -> None:
    result = run("inbox", "setup", "microsoft365", "--address", SUPPORT)
    assert result.code == 2
    assert "--client-id is missing" in result.out + result.err


@pytest.mark.req("TI-03")
def test_an_address_of_the_wrong_form_is_refused(run: Run) -> None:
    result = run("inbox", "setup", "google", "--address", "support")
    assert result.code == 2
    assert "write it as user@domain" in result.out + result.err


def test_a_secret_in_clear_text_is_refused_and_not_repeated(run: Run, microsoft: MicrosoftStub) -> None:
    result = run(*[each.replace("${GRAPH_SECRET}", "Hunter2!") for each in arguments(microsoft)])
    assert result.code == 1
    assert "--secret is written as ${ENV_NAME} or file:path" in result.out + result.err
    assert "Hunter2!" not in result.out + result.err


@pytest.mark.req("NE-01")
def test_google_prints_the_scope_and_names_a_key_that_is_none(
    run: Run, certificate: Certificate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.certificate))
    monkeypatch.setenv("GOOGLE_KEY", "no key")
    with GoogleStub(certificate) as stub:
        account = ("--service-account", "robot@project.iam.example", "--private-key", "${GOOGLE_KEY}")
        result = run("inbox", "setup", "google", "--address", SUPPORT, *account, "--endpoint", stub.url)
    assert result.code == 1
    assert "https://www.googleapis.com/auth/gmail.modify" in result.out
    assert "MISSING  access token" in result.out


def test_imap_prints_the_configuration_and_tests_the_mailbox(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BOB_PASSWORD", "secret")
    access = ("--host", "localhost", "--port", "1", "--password", "${BOB_PASSWORD}", "--folder", "Team")
    result = run("inbox", "setup", "imap", "--address", SUPPORT, *access)
    assert result.code == 1
    assert "folder: Team" in result.out
    assert "MISSING  mailbox: The request failed. The server could not be reached" in result.out
