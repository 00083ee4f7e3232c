"""A real Cyrus IMAP server on private ports in a private folder, started as root; its processes run as its user."""

from __future__ import annotations

import imaplib
import os
import pwd
import signal
import ssl
import subprocess
import time
from pathlib import Path

from tests.servers.presence import PATIENCE_SECONDS, cannot_run, free_ports, missing
from tests.servers.process_server import ProcessServer
from tests.servers.tls import Certificate, make_certificate

PROGRAMS = Path("/usr/lib/cyrus/bin")
IMAPD = Path("/var/cache/postroom-tests/cyrus/usr/lib/cyrus/bin/imapd")
"""Unpacked beside the other programs: Debian's package of it and Dovecot's exclude each other."""
SASL = Path("/usr/sbin/saslpasswd2")
USERS = ("bob",)
ADMIN = "cyrus"
PASSWORD = "secret"
GREETING_SECONDS = 5.0
_IMAPD = """\
configdirectory: {home}/config
partition-default: {home}/spool
defaultpartition: default
proc_path: {home}/proc
mboxname_lockpath: {home}/lock
idlesocket: {home}/socket/idle
lmtpsocket: {home}/socket/lmtp
admins: cyrus
allowplaintext: yes
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: {home}/sasldb2
sasl_mech_list: PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1
unixhierarchysep: yes
altnamespace: yes
servername: localhost
defaultdomain: localhost
tls_server_cert: {certificate}
tls_server_key: {key}
"""
_MASTER = """\
START {{
  recover cmd="{programs}/ctl_cyrusdb -C {home}/imapd.conf -r"
}}
SERVICES {{
  imap cmd="{imapd} -C {home}/imapd.conf" listen="127.0.0.1:{port}" prefork=0
  imaps cmd="{imapd} -s -C {home}/imapd.conf" listen="127.0.0.1:{tls_port}" prefork=0
}}
EVENTS {{
}}
"""


class Cyrus(ProcessServer):
    """One server, with an empty mailbox for each of `USERS`."""

    name = "Cyrus"

    def __init__(self) -> None:
        super().__init__()
        self.port, self.tls_port = free_ports(2)
        self.certificate: Certificate = make_certificate(self.home)

    def _start(self) -> None:
        if not all(each.exists() for each in (PROGRAMS / "master", IMAPD, SASL)):
            missing("cyrus (Debian: cyrus-imapd, sasl2-bin)")
        if os.geteuid() != 0:
            cannot_run("Cyrus has to be started as root")
        self._prepare()
        conf = self.home / "imapd.conf"
        command = [PROGRAMS / "master", "-C", conf, "-M", self.home / "cyrus.conf", "-p", self.home / "pid"]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._wait()
        with self.client(ADMIN) as client:
            for user in USERS:
                assert client.create(f"user/{user}")[0] == "OK"

    def _prepare(self) -> None:
        values = {
            "home": self.home,
            "programs": PROGRAMS,
            "imapd": IMAPD,
            "port": self.port,
            "tls_port": self.tls_port,
            "certificate": self.certificate.certificate,
            "key": self.certificate.key,
        }
        (self.home / "imapd.conf").write_text(_IMAPD.format(**values))
        (self.home / "cyrus.conf").write_text(_MASTER.format(**values))
        for user in (ADMIN, *USERS):
            command = [SASL, "-p", "-c", "-f", self.home / "sasldb2", "-u", "localhost", user]
            subprocess.run(command, input=PASSWORD.encode(), check=True, capture_output=True)
        owner = pwd.getpwnam("cyrus")
        for folder in ("config", "spool", "proc", "lock", "socket"):
            (self.home / folder).mkdir()
        for path in (self.home, *self.home.iterdir()):
            os.chown(path, owner.pw_uid, owner.pw_gid)

    def _wait(self, signal_: int = 0) -> None:
        """Until both ports greet; `signal_` is sent as long as one does not."""
        assert self._process is not None
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._greets():
            if time.monotonic() > deadline:
                raise AssertionError(f"Cyrus does not greet within {PATIENCE_SECONDS:.0f} s; its log is the system's")
            self._process.send_signal(signal_)
            time.sleep(0.2)

    def _greets(self) -> bool:
        """Whether both ports do. One that Cyrus has closed still takes connections, and says nothing on them."""
        try:
            with self.client(ADMIN, GREETING_SECONDS), self._encrypted():
                return True
        except (OSError, imaplib.IMAP4.error):
            return False

    def client(self, user: str, timeout: float = PATIENCE_SECONDS) -> imaplib.IMAP4:
        """A plain connection, logged in, as another mail client would have."""
        client = imaplib.IMAP4("127.0.0.1", self.port, timeout=timeout)
        client.login(user, PASSWORD)
        return client

    def _encrypted(self) -> imaplib.IMAP4_SSL:
        context = ssl.create_default_context(cafile=str(self.certificate.certificate))
        return imaplib.IMAP4_SSL("localhost", self.tls_port, ssl_context=context, timeout=GREETING_SECONDS)

    def revive(self) -> None:
        """Open both ports: after several failures of a service Cyrus closes its port until SIGHUP.

        Where both greet none is sent: it also ends the connections that are there by then.
        """
        self._wait(signal.SIGHUP)

    def deliver(self, user: str, *mails: bytes) -> None:
        """Put mails into the INBOX."""
        with self.client(user) as client:
            for mail in mails:
                assert client.append("INBOX", "", "", mail)[0] == "OK"

    def clear(self, user: str) -> None:
        """Empty the account."""
        with self.client(user) as client:
            for line in client.list()[1]:
                if isinstance(line, bytes) and not line.endswith(b"INBOX"):
                    client.delete(line.rpartition(b'"/" ')[2].decode())
            client.select("INBOX")
            client.store("1:*", "+FLAGS", r"(\Deleted)")
            client.expunge()

    def mails(self, user: str, folder: str = "INBOX", criteria: str = "ALL") -> list[bytes]:
        """The content of every mail in a folder that matches, without touching it."""
        with self.client(user) as client:
            if client.select(f'"{folder}"', readonly=True)[0] != "OK":
                return []
            numbers = client.search(None, criteria)[1][0].split()
            fetched = (client.fetch(number.decode(), "(BODY.PEEK[])")[1][0] for number in numbers)
            return [each[1] for each in fetched if isinstance(each, tuple)]
