"""`postroom inbox setup`: what it asks for, what it prints, and which step it finds missing."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from services.cli import inbox_setup
from shared.config.reading import load_bytes
from shared.mail_network import discovery
from shared.mail_network import microsoft as microsoft_logins
from tests.servers.browser import chromium
from tests.servers.dns import DnsServer
from tests.servers.dovecot import PASSWORD, Dovecot
from tests.servers.google import GoogleStub
from tests.servers.microsoft import CLIENT, OTHER, SECRET, SUPPORT, TENANT, MicrosoftStub, error
from tests.servers.presence import PATIENCE_SECONDS
from tests.servers.smtp import SmtpServer
from tests.servers.tls import Authority, Certificate
from tests.services.cli.conftest import Ran, Run


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


Signing = Callable[..., Ran]


@pytest.fixture
def signing(run: Run, microsoft: MicrosoftStub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Signing:
    """Runs `setup microsoft365 --sign-in --browser`; `visit` is what the browser does with the page."""
    monkeypatch.setenv("TOKEN_KEY", "k" * 32)
    config = tmp_path / "key.yaml"
    config.write_text("settings: {token_key: '${TOKEN_KEY}'}\n")
    assert run("config", "apply", config).code == 0

    def sign(visit: Callable[[str], object]) -> Ran:
        browser = ThreadPoolExecutor(1)
        monkeypatch.setattr(inbox_setup, "_open_page", lambda page: browser.submit(visit, page))
        words = [each for each in arguments(microsoft) if each not in ("--secret", "${GRAPH_SECRET}")]
        try:
            return run(*words, "--sign-in", tmp_path / "refresh-token", "--browser")
        finally:
            browser.shutdown()

    return sign


def agree(page: str) -> None:
    """Open the page and send the form in it, as a browser does."""
    answer = requests.get(page, verify=os.environ["SSL_CERT_FILE"], timeout=PATIENCE_SECONDS).text
    action = re.findall(r'action="([^"]+)"', answer)
    form = dict(re.findall(r'name="([^"]+)" value="([^"]+)"', answer))
    assert requests.post(action[0], data=form, timeout=PATIENCE_SECONDS).status_code == 200


@pytest.mark.req("TI-02", "TI-41")
def test_a_person_signs_in_with_a_browser_on_this_machine(
    signing: Signing, microsoft: MicrosoftStub, tmp_path: Path
) -> None:
    result, file = signing(agree), tmp_path / "refresh-token"
    assert result.code == 0, result.out + result.err
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("refresh-1", 0o600)
    assert "ok       sending" in result.out
    (asked,) = microsoft.requests("GET .*/authorize")
    assert (asked.query["code_challenge_method"], asked.query["login_hint"]) == ("S256", SUPPORT)
    assert "Mail.ReadWrite" in asked.query["scope"]
    assert "refresh-1" not in result.out + result.err
    assert "code-1" not in result.out + result.err


@pytest.mark.req("TI-02")
def test_a_real_browser_brings_the_answer(signing: Signing, tmp_path: Path) -> None:
    """The form goes from a page over TLS to a port of this machine without a warning in between."""
    pages: list[str] = []

    def visit(page: str) -> None:
        with chromium() as browser:
            tab = browser.new_context(ignore_https_errors=True).new_page()
            tab.goto(page)
            tab.wait_for_selector("text=Close this window")
            pages.append(tab.url)

    assert signing(visit).code == 0
    assert (tmp_path / "refresh-token").read_text() == "refresh-1"
    assert re.fullmatch(r"http://localhost:\d+/", pages[0])  # no code in the address


def test_an_answer_with_another_state_is_ignored_and_the_sign_in_goes_on(signing: Signing, tmp_path: Path) -> None:
    def attacked(page: str) -> None:
        target = parse_qs(urlsplit(page).query)["redirect_uri"][0]
        forged = requests.post(f"{target}/", data={"code": "stolen", "state": "guessed"}, timeout=PATIENCE_SECONDS)
        assert forged.status_code == 404
        agree(page)

    assert signing(attacked).code == 0
    assert (tmp_path / "refresh-token").read_text() == "refresh-1"


def test_a_code_that_was_given_for_another_sign_in_is_refused(signing: Signing, tmp_path: Path) -> None:
    """PKCE: whoever has got a code, and the state too, has not got the verifier."""

    def injected(page: str) -> None:
        query = {name: values[0] for name, values in parse_qs(urlsplit(page).query).items()}
        requests.post(
            f"{query['redirect_uri']}/", data={"code": "stolen", "state": query["state"]}, timeout=PATIENCE_SECONDS
        )

    result = signing(injected)
    assert result.code == 1
    assert "the token endpoint refuses: invalid_grant" in result.out + result.err
    assert not (tmp_path / "refresh-token").exists()


def test_a_person_who_declines_is_reported(signing: Signing, microsoft: MicrosoftStub, tmp_path: Path) -> None:
    microsoft.person = "declines"
    result = signing(agree)
    assert result.code == 1
    assert "access_denied AADSTS65004: User declined to consent" in result.out + result.err
    assert not (tmp_path / "refresh-token").exists()


def test_nobody_signs_in(signing: Signing, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(microsoft_logins, "SIGN_IN_SECONDS", 0.1)
    result = signing(lambda _: None)
    assert result.code == 1
    assert "nobody signed in within 0 seconds" in result.out + result.err
    assert not (tmp_path / "refresh-token").exists()


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
def test_google_prints_the_scope_and_names_an_invalid_key(
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


# discovery


@pytest.fixture
def domain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Domain]:
    """example.com with a real Dovecot for reading, a scripted server for sending, and its own DNS."""
    real, authority = socket.getaddrinfo, Authority(tmp_path)

    def resolve(host: Any, *args: Any, **options: Any) -> Any:
        return real("127.0.0.1" if str(host).endswith((".example.com", ".example.net")) else host, *args, **options)

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setenv("BOB_PASSWORD", PASSWORD)
    tmp_path.chmod(0o755)
    certificate = authority.issue("imap.example.com")
    with (
        Dovecot(certificate=certificate) as dovecot,
        SmtpServer(tls="starttls", certificate=authority.issue("out.example.com"), auth=True) as smtp,
        DnsServer({}) as dns,
    ):
        yield Domain(dovecot, smtp, dns, authority)


@dataclass
class Domain:
    """The servers of example.com."""

    dovecot: Dovecot
    smtp: SmtpServer
    dns: DnsServer
    authority: Authority

    def arguments(self, *more: str) -> tuple[str, ...]:
        words = ("inbox", "setup", "imap", "--address", "bob@example.com", "--password", "${BOB_PASSWORD}")
        return (*words, "--dns", self.dns.address, "--ca-file", str(self.authority.certificate), *more)


@pytest.mark.req("IV-01", "TI-04")
def test_imap_without_a_host_finds_the_servers_of_the_address(run: Run, domain: Domain) -> None:
    domain.dns.records = {
        "_imaps._tcp.example.com": (f"0 1 {domain.dovecot.tls_port} imap.example.com.",),
        "_submission._tcp.example.com": (f"0 1 {domain.smtp.port} out.example.com.",),
    }
    result = run(*domain.arguments())
    assert f"Discovered for reading: imap.example.com:{domain.dovecot.tls_port} (implicit), by DNS" in result.err
    assert "ok       mailbox: The connection works." in result.out
    for line in ("host: imap.example.com", "host: out.example.com", "mail_server: support-out"):
        assert line in result.out
    assert "sending: The request failed. The server refused the login." in result.out  # it has another password


@pytest.mark.req("TI-04")
def test_a_server_outside_the_domain_is_not_given_the_password_without_a_person(run: Run, domain: Domain) -> None:
    domain.dns.records = {"_imap._tcp.example.com": (f"0 1 {domain.dovecot.port} imap.example.net.",)}
    result = run(*domain.arguments())
    assert result.code == 2
    assert "DNS names imap.example.net, which is outside example.com, and gets the password" in result.err
    assert f"write --host imap.example.net --port {domain.dovecot.port} if it is right" in result.err


def test_what_was_tried_is_said_when_nothing_was_found(
    run: Run, domain: Domain, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "NAMES", {"imap": ()})
    result = run(*domain.arguments())
    assert result.code == 2
    assert "--host is missing, and it was not discovered: no imap server could be found" in result.err
