"""Guides to a new inbox: its configuration, what an administrator has to do at the provider, and a test of each step.

A guide is made of answers and stores nothing; the person applies the configuration that it prints. The steps use the
same classes as the fetcher and the notifier, so that a step that works here works there.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from services.fetcher.mailbox import InboxAccess, Limits, mailbox_class
from services.notifier import send
from shared.config.model import Configuration, Google, Inbox, MailServer, OAuth
from shared.config.values import Secret
from shared.config.writing import to_yaml
from shared.contracts.errors import Misconfigured, PostroomError
from shared.lazy_dataclass import dataclass
from shared.mail_network import connection_test, microsoft
from shared.mail_network.google import GMAIL_SCOPE
from shared.mail_network.microsoft import DELEGATED
from shared.mail_network.sasl import Credentials
from shared.mail_network.tls import TlsOptions, tls_options

if TYPE_CHECKING:
    from shared.app import App
    from shared.mail_network.connection_test import TestResult
    from shared.mail_network.discovery import Server

SCOPE: Final = "Postroom mailboxes"
CLOUDS: Final[Mapping[str, tuple[str, str]]] = {
    "global": ("https://login.microsoftonline.com", "https://graph.microsoft.com"),
    "us-government": ("https://login.microsoftonline.us", "https://graph.microsoft.us"),
    "us-defense": ("https://login.microsoftonline.us", "https://dod-graph.microsoft.us"),
    "china": ("https://login.chinacloudapi.cn", "https://microsoftgraph.chinacloudapi.cn"),
}
"""National cloud → address of the logins, address of Graph."""


@dataclass(frozen=True, slots=True)
class SetupStep:
    """One step that was tested. `message`: what was found; when it failed, what is missing."""

    name: str
    ok: bool
    message: str


@dataclass(frozen=True, slots=True)
class Guide:
    """What to do. `work`: lines for the administrator of the provider. `other`: a mailbox that must stay closed."""

    inbox: Inbox
    server: MailServer | None
    work: tuple[str, ...]
    other: str | None = None

    @property
    def configuration(self) -> str:
        """The YAML for `postroom config apply`."""
        return to_yaml(Configuration(inboxes=(self.inbox,), mail_servers=(self.server,) if self.server else ()))


def microsoft365(
    name: str,
    address: str,
    application: OAuth,
    *,
    object_id: str = "<object id of the enterprise application>",
    other: str | None = None,
) -> Guide:
    """Microsoft 365 by Graph, with rights to this mailbox alone (RBAC for Applications in Exchange Online)."""
    inbox = Inbox(name, address, protocol="graph", oauth=application, mail_server=f"{name}-out")
    server = MailServer(f"{name}-out", protocol="graph", oauth=application, from_address=address)
    client = application.client_id
    quoted = address.replace("'", "''")
    roles = (
        f"New-ManagementRoleAssignment -App {client} -Role '{role}' -CustomResourceScope '{SCOPE}'"
        for role in ("Application Mail.ReadWrite", "Application Mail.Send")
    )
    work = (
        "# In the Entra admin center: register an application, and give it a client secret or a certificate.",
        "# Grant it no API permission such as Mail.Read there: that would open every mailbox of the tenant.",
        "# Under Enterprise applications, take the application's Object ID. The one under App registrations differs,",
        "# and with it the commands below have no effect and no error.",
        "# Then in PowerShell, with the module ExchangeOnlineManagement, as an Exchange administrator:",
        "Connect-ExchangeOnline",
        f"New-ServicePrincipal -AppId {client} -ObjectId {object_id} -DisplayName Postroom",
        f"New-ManagementScope -Name '{SCOPE}' -RecipientRestrictionFilter \"PrimarySmtpAddress -eq '{quoted}'\"",
        *roles,
        f"Test-ServicePrincipalAuthorization -Identity {client} -Resource {address}",
        "# InScope is True for both roles. It takes effect after 30 minutes to 2 hours.",
    )
    return Guide(inbox, server, work, other)


def microsoft365_sign_in(name: str, address: str, application: OAuth) -> Guide:
    """Microsoft 365 by Graph with the sign-in of a person, where no application may have rights of its own."""
    inbox = Inbox(name, address, protocol="graph", oauth=application, mail_server=f"{name}-out")
    server = MailServer(f"{name}-out", protocol="graph", oauth=application, from_address=address)
    work = (
        "# In the Entra admin center: register an application. Under Authentication, allow public client flows.",
        "# For --browser, add there the platform Mobile and desktop applications with the address http://localhost.",
        f"# Under API permissions, add the delegated permissions {', '.join(DELEGATED)}.",
        "# Set settings.token_key, a secret with which the refresh token is encrypted in the store.",
    )
    return Guide(inbox, server, work)


def sign_in(application: OAuth, file: Path, show: Callable[[str], None]) -> None:
    """Let a person sign in with a code, and keep the refresh token in a file that only its owner can read."""
    _keep(microsoft.sign_in(application, show), file)


def sign_in_by_browser(
    application: OAuth, address: str, file: Path, show: Callable[[str], None], open_page: Callable[[str], object]
) -> None:
    """The same with a browser on this machine. `open_page` opens an address in it; `show` prints the address too."""

    def opened(page: str) -> None:
        show(f"Open this page in a browser on this machine, and sign in: {page}")
        open_page(page)

    _keep(microsoft.sign_in_by_browser(application, address, opened), file)


def _keep(token: str, file: Path) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600), "w") as opened:
        file.chmod(0o600)
        opened.write(token)


def google(name: str, address: str, account: Google) -> Guide:
    """Google Workspace by the Gmail API, with a service account that acts for the user of the mailbox."""
    inbox = Inbox(name, address, protocol="gmail", google=account, mail_server=f"{name}-out")
    server = MailServer(f"{name}-out", protocol="gmail", google=account, from_address=address)
    work = (
        "# In the Google Cloud console: make a project, switch on the Gmail API, make a service account with a key.",
        "# In the admin console of Workspace, under Security > API controls > Domain-wide delegation, add the client",
        "# id of the service account (client_id in the JSON key) with this scope:",
        GMAIL_SCOPE,
        "# Google cannot limit this to one mailbox: the key opens every mailbox of the domain. Keep it as a password.",
    )
    return Guide(inbox, server, work)


@dataclass(frozen=True, slots=True)
class Discovered:
    """The servers of an address, found by DNS or by name. `sending` None: none was found."""

    domain: str
    reading: Server
    sending: Server | None

    @property
    def outside(self) -> tuple[Server, ...]:
        """Those outside the domain of the address: a person has to say that they are right (RFC 6186, section 6)."""
        found = (self.reading, self.sending)
        return tuple(each for each in found if each is not None and each.is_outside(self.domain))


def discovered(address: str, *, dns: str | None = None, ca_file: str | None = None) -> Discovered:
    """Find the servers of an address. `dns`: the server to ask. Raises `NotDiscovered`, `InvalidHost`."""
    from shared.mail_network import discovery

    resolver = discovery.resolver_at(dns) if dns else None
    find = partial(discovery.discover, address, resolver=resolver, tls=TlsOptions(ca_file=ca_file))
    reading, sending = find("imap"), None
    with suppress(discovery.NotDiscovered):
        sending = find("smtp")
    return Discovered(discovery.domain_of(address), reading, sending)


def imap(inbox: Inbox, sending: Server | None = None) -> Guide:
    """A mailbox that is read by IMAP with a user name and a password; the same login sends, where a server is known."""
    server = None
    if sending is not None:
        inbox = replace(inbox, mail_server=f"{inbox.name}-out")
        server = MailServer(
            f"{inbox.name}-out",
            host=sending.host,
            port=sending.port,
            tls=sending.tls,
            username=inbox.username or inbox.address,
            password=inbox.password,
            from_address=inbox.address,
            ca_file=inbox.ca_file,
        )
    work = (
        "# Give the user a folder for what was processed, or let Postroom make it (create_archive_folder).",
        "# Microsoft 365 and Google Workspace take no passwords for IMAP: use setup microsoft365 or setup google.",
    )
    return Guide(inbox, server, work)


def run_steps(app: App, guide: Guide) -> Iterator[SetupStep]:
    """Test each step, one after the other; the first that fails is the last, because those behind it need it."""
    for name, check in _steps(app, guide):
        try:
            result = check()
        except PostroomError as error:
            result = connection_test.failed(error, app.clock.now())
        yield SetupStep(name, result.ok, result.in_full)
        if not result.ok:
            return


Check = Callable[[], "TestResult"]


def _steps(app: App, guide: Guide) -> Sequence[tuple[str, Check]]:
    inbox, server, settings = guide.inbox, guide.server, app.directory.current().settings
    found: list[tuple[str, Check]] = []
    if inbox.oauth or inbox.google:
        found.append(("access token", lambda: _token(app, inbox)))
    found.append(("mailbox", lambda: _mailbox(app, inbox)))
    if server:
        found.append(("sending", lambda: send.check(server, settings, tokens=app.tokens.of)))
    if guide.other:
        other = guide.other
        found.append((f"{other} stays closed", lambda: _closed(app, inbox, other)))
    return found


def _token(app: App, inbox: Inbox) -> TestResult:
    source = app.tokens.of(inbox)
    if source is None:
        raise Misconfigured("no application is configured")
    source.token()
    return replace(connection_test.passed(app.clock.now()), message="An access token was given.")


def _mailbox(app: App, inbox: Inbox) -> TestResult:
    settings = app.directory.current().settings
    limits = Limits(allow_cleartext_auth=settings.allow_cleartext_auth, fips=settings.fips)
    password = inbox.password.reveal() if inbox.password else None
    credentials = Credentials(inbox.username or inbox.address, password, app.tokens.of(inbox))
    return mailbox_class(inbox.protocol)(InboxAccess(inbox, credentials, limits)).check()


def _closed(app: App, inbox: Inbox, other: str) -> TestResult:
    """Whether the application may not read another mailbox. Reads the id of one mail at most."""
    from shared.mail_network.graph import GraphClient
    from shared.mail_network.web import AccessDenied

    tokens = app.tokens.of(inbox)
    client = GraphClient(inbox.oauth, other, tokens, tls=tls_options(inbox), seconds=60)
    try:
        client.get("/mailFolders/inbox/messages", {"$select": "id", "$top": "1"})
    except AccessDenied:
        return replace(connection_test.passed(app.clock.now()), message=f"The application cannot read {other}.")
    finally:
        client.web.close()
    raise Misconfigured(
        f"the application can read {other} too: it has a permission for the whole tenant. Remove Mail.* from its API "
        "permissions in the Entra admin center; a consent there is not limited by the scope in Exchange"
    )


def secret_of(text: str, option: str) -> Secret:
    """A reference to a secret. Raises `Misconfigured`, which names the option, for a secret in clear text."""
    try:
        return Secret(text)
    except Misconfigured:
        raise Misconfigured(f"{option} is written as ${{ENV_NAME}} or file:path, never as the secret itself") from None
