"""A real Dovecot on private ports in a private folder, as root or as an ordinary user; ended by its pid."""

from __future__ import annotations

import getpass
import grp
import imaplib
import os
import pwd
import shutil
import ssl
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.servers.presence import PATIENCE_SECONDS, free_ports, missing
from tests.servers.process_server import ProcessServer
from tests.servers.tls import Certificate, make_certificate

POP3 = Path("/usr/lib/dovecot/pop3")
USERS = ("bob", "alice", "carol")
PASSWORD = "secret"
_CONFIG = """\
base_dir = {home}/run
state_dir = {home}/state
instance_name = {name}
log_path = {home}/dovecot.log
protocols = {protocols}
listen = 127.0.0.1
ssl = yes
ssl_cert = <{certificate}
ssl_key = <{key}
ssl_min_protocol = TLSv1.2
disable_plaintext_auth = {disable_plaintext}
auth_mechanisms = {mechanisms}
auth_username_format = %n
auth_failure_delay = 0
default_internal_user = {service_user}
default_internal_group = {service_group}
default_login_user = {login_user}
mail_location = maildir:{home}/mail/%n
mail_max_userip_connections = 50
mail_uid = {mail_uid}
mail_gid = {mail_gid}
first_valid_uid = 0
first_valid_gid = 0
default_vsz_limit = 0
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
    ssl = yes
  }}
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = {pop3_port}
  }}
  inet_listener pop3s {{
    port = {pop3_tls_port}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
passdb {{
  driver = passwd-file
  args = username_format=%n {home}/users
}}
userdb {{
  driver = static
  args = uid={mail_uid} gid={mail_gid} home={home}/mail/%n
}}
namespace inbox {{
  inbox = yes
  prefix = {prefix}
  separator = {separator}
}}
{extra}
"""


_CLIENT_CERTIFICATES = """
ssl_ca = <{clients}
ssl_verify_client_cert = yes
ssl_require_crl = no
protocol imap {{
  auth_ssl_require_client_cert = yes
}}
protocol pop3 {{
  auth_ssl_require_client_cert = yes
}}
"""
WITH_PASSWORD = "plain login cram-md5"
EVERY_PASSWORD = f"{WITH_PASSWORD} digest-md5 apop scram-sha-1 scram-sha-256"


class Dovecot(ProcessServer):
    """One server. `prefix` and `separator` shape the personal namespace, `extra` is added to its configuration.

    `environment` reaches the server and what it starts. `certificate` may require client certificates; then `identity`
    is that of the connections that tests make.
    """

    name = "Dovecot"

    def __init__(
        self,
        *,
        prefix: str = "",
        separator: str = "/",
        extra: str = "",
        disable_plaintext: bool = False,
        mechanisms: str = WITH_PASSWORD,
        environment: Mapping[str, str] | None = None,
        certificate: Certificate | None = None,
        identity: Certificate | None = None,
    ) -> None:
        super().__init__()
        self.port, self.tls_port, self.pop3_port, self.pop3_tls_port = free_ports(4)
        self._environment = dict(environment or {})
        self.certificate: Certificate = certificate or make_certificate(self.home)
        self._identity = identity
        if self.certificate.clients is not None:
            extra += _CLIENT_CERTIFICATES.format(clients=self.certificate.clients)
        self._options = {"prefix": prefix, "separator": separator, "extra": extra, "mechanisms": mechanisms}
        self._options["disable_plaintext"] = "yes" if disable_plaintext else "no"

    def _start(self) -> None:
        program = shutil.which("dovecot") or shutil.which("dovecot", path="/usr/sbin")
        if program is None:
            missing("dovecot (Debian: dovecot-imapd)")
        self._prepare()
        command = [program, "-F", "-c", str(self.home / "dovecot.conf")]
        environment = os.environ | self._environment
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
        self._wait_for(lambda: self.client("bob"))

    def _prepare(self) -> None:
        for folder in ("run", "state", "mail"):
            (self.home / folder).mkdir()
        self.home.chmod(0o755)
        (self.home / "mail").chmod(0o777)
        (self.home / "users").write_text("".join(f"{user}:{{PLAIN}}{PASSWORD}\n" for user in USERS))
        (self.home / "users").chmod(0o644)
        (self.home / "dovecot.conf").write_text(_CONFIG.format(**self._values()))

    def _values(self) -> dict[str, object]:
        root = os.geteuid() == 0
        me, my_group = getpass.getuser(), grp.getgrgid(os.getegid()).gr_name
        mail = pwd.getpwnam("nobody") if root else pwd.getpwuid(os.geteuid())
        return {
            **self._options,
            "home": self.home,
            "name": self.home.name,
            "protocols": "imap pop3" if POP3.exists() else "imap",
            "port": self.port,
            "pop3_port": self.pop3_port,
            "pop3_tls_port": self.pop3_tls_port,
            "tls_port": self.tls_port,
            "certificate": self.certificate.certificate,
            "key": self.certificate.key,
            "service_user": "dovecot" if root else me,
            "service_group": "dovecot" if root else my_group,
            "login_user": "dovenull" if root else me,
            "mail_uid": mail.pw_uid,
            "mail_gid": mail.pw_gid,
        }

    @property
    def log(self) -> str:
        """What it logged."""
        return (self.home / "dovecot.log").read_text()

    # what a test does with it

    def client(self, user: str) -> imaplib.IMAP4:
        """A connection, logged in, as another mail client would have."""
        client: imaplib.IMAP4
        if self._identity is None:
            client = imaplib.IMAP4("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        else:
            context = ssl.create_default_context(cafile=self.certificate.clients)
            context.load_cert_chain(self._identity.certificate, self._identity.key)
            client = imaplib.IMAP4_SSL("localhost", self.tls_port, ssl_context=context, timeout=PATIENCE_SECONDS)
        client.authenticate("PLAIN", lambda _: f"\0{user}\0{PASSWORD}".encode())
        return client

    def deliver(self, user: str, *mails: bytes, folder: str = "INBOX", flags: str = "") -> None:
        """Put mails into a folder."""
        with self.client(user) as client:
            for mail in mails:
                status, said = client.append(folder, flags, "", mail)
                assert status == "OK", said

    def clear(self, user: str) -> None:
        """Empty the account."""
        shutil.rmtree(self.home / "mail" / user, ignore_errors=True)

    def folders(self, user: str) -> list[str]:
        """Names of all folders, as on the wire."""
        with self.client(user) as client:
            _, lines = client.list()
            return sorted(line.rpartition(b" ")[2].decode().strip('"') for line in lines if isinstance(line, bytes))

    def mails(self, user: str, folder: str = "INBOX", criteria: str = "ALL") -> list[bytes]:
        """The content of every mail in a folder that matches, without touching it."""
        with self.client(user) as client:
            status, _ = client.select(f'"{folder}"', readonly=True)
            if status != "OK":
                return []
            _, found = client.search(None, criteria)
            contents = (_content(client, number) for number in found[0].split())
            return [content for content in contents if content is not None]

    def flag(self, user: str, number: int, flag: str) -> None:
        """Set a flag, as another client would."""
        with self.client(user) as client:
            client.select("INBOX")
            client.store(str(number), "+FLAGS", f"({flag})")

    def change_validity(self, user: str, value: int) -> None:
        """Give the INBOX another UIDVALIDITY."""
        command = ["doveadm", "-c", str(self.home / "dovecot.conf")]
        command += ["mailbox", "update", "-u", user, "--uid-validity", str(value), "INBOX"]
        subprocess.run(command, check=True, capture_output=True, timeout=PATIENCE_SECONDS)


def _content(client: imaplib.IMAP4, number: bytes) -> bytes | None:
    """The content of a mail; None when another client has moved it meanwhile."""
    _, data = client.fetch(number.decode(), "(BODY.PEEK[])")
    return data[0][1] if isinstance(data[0], tuple) else None
