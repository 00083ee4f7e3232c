"""A real Postfix on a private port that takes mail after a login by Dovecot's accounts, and keeps it in a folder."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Self

from tests.servers.dovecot import Dovecot
from tests.servers.presence import PATIENCE_SECONDS, free_port, missing

_MAIN = """\
compatibility_level = 3.6
queue_directory = {home}/queue
data_directory = {home}/data
mail_owner = postfix
setgid_group = postdrop
myhostname = test.example
mydestination =
virtual_mailbox_domains = example.com
virtual_mailbox_base = {home}/mail
virtual_mailbox_maps = static:box/
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks =
smtputf8_enable = yes
smtpd_tls_security_level = {tls}
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = inet:127.0.0.1:{auth_port}
smtpd_sasl_security_options = noanonymous
smtpd_sasl_tls_security_options = noanonymous
smtpd_relay_restrictions = permit_sasl_authenticated, reject
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
biff = no
"""
_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
virtual unix - n n - - virtual
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def _each_once(settings: str) -> str:
    """The settings, each with its last value: for each repetition Postfix logs more than it can hold before it runs."""
    last = {line.partition(" = ")[0]: line for line in settings.splitlines()}
    return "".join(f"{line}\n" for line in last.values())


class Postfix:
    """Started and ended as a `with` block, as root only. `dovecot` has an authentication service at `auth_port`.

    It has Dovecot's certificate; `extra` is added to its main configuration.
    """

    def __init__(self, dovecot: Dovecot, auth_port: int, extra: str = "") -> None:
        self.port = free_port()
        self.home = Path(tempfile.mkdtemp(prefix="postfix-"))
        self._dovecot, self._auth_port, self._extra = dovecot, auth_port, extra

    def __enter__(self) -> Self:
        if shutil.which("postfix", path="/usr/sbin") is None:
            missing("postfix")
        if os.geteuid() != 0:
            missing("a root account for postfix")
        owner = pwd.getpwnam("postfix")
        self.home.chmod(0o755)
        for folder in ("queue", "data", "mail/box", "etc"):
            (self.home / folder).mkdir(parents=True)
        for folder in ("data", "mail", "mail/box"):
            os.chown(self.home / folder, owner.pw_uid, owner.pw_gid)
        values = {
            "home": self.home,
            "uid": owner.pw_uid,
            "gid": owner.pw_gid,
            "tls": "may",
            "certificate": self._dovecot.certificate.certificate,
            "key": self._dovecot.certificate.key,
            "auth_port": self._auth_port,
        }
        log = f"maillog_file = {self.home}/log\nmaillog_file_prefixes = {self.home}\n"
        (self.home / "etc/main.cf").write_text(_each_once(_MAIN.format(**values) + log + self._extra))
        (self.home / "etc/master.cf").write_text(_MASTER.format(port=self.port))
        try:
            self._run("start")
            self._wait()
        except BaseException:  # pytest's own way to skip included
            self.__exit__()
            raise
        return self

    def _run(self, action: str) -> None:
        command = ["/usr/sbin/postfix", "-c", str(self.home / "etc"), action]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False)
        assert done.returncode == 0, done.stderr

    def _wait(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < deadline:
            with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as sock:
                if sock.recv(3) == b"220":
                    return
            time.sleep(0.05)
        raise AssertionError(self.log)

    @property
    def log(self) -> str:
        """What it logged."""
        return (self.home / "log").read_text(errors="replace") if (self.home / "log").exists() else ""

    def mails(self, count: int) -> list[bytes]:
        """The mails that arrived, once there are `count`."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        folder = self.home / "mail/box/new"
        while time.monotonic() < deadline:
            found = sorted(folder.glob("*")) if folder.exists() else []
            if len(found) >= count:
                return [each.read_bytes() for each in found]
            time.sleep(0.05)
        raise AssertionError(self.log)

    def clear(self) -> None:
        """Forget what arrived."""
        for each in (self.home / "mail/box/new").glob("*"):
            each.unlink()

    def __exit__(self, *_: object) -> None:
        with suppress(AssertionError, subprocess.TimeoutExpired):
            self._run("stop")
        shutil.rmtree(self.home, ignore_errors=True)
