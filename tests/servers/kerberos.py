"""A Kerberos server (MIT) of its own realm on a private port: one user, and the services of a mail server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess

from tests.servers.presence import PATIENCE_SECONDS, free_port, missing
from tests.servers.process_server import ProcessServer

REALM, USER, PASSWORD = "POSTROOM.TEST", "bob", "secret"
_CLIENT = """\
[libdefaults]
 default_realm = {realm}
 dns_lookup_kdc = false
 dns_lookup_realm = false
 rdns = false
 dns_canonicalize_hostname = false
 udp_preference_limit = 1
[realms]
 {realm} = {{
  kdc = 127.0.0.1:{port}
 }}
[domain_realm]
 localhost = {realm}
"""
_SERVER = """\
[kdcdefaults]
 kdc_listen = 127.0.0.1:{port}
 kdc_tcp_listen = 127.0.0.1:{port}
[realms]
 {realm} = {{
  database_name = {home}/principal
  key_stash_file = {home}/stash
  max_life = 10h
 }}
"""


class Kerberos(ProcessServer):
    """Started and ended as a `with` block. `keytab` has the keys of the services, `user_keytab` that of the user."""

    name = "Kerberos"

    def __init__(self) -> None:
        super().__init__()
        self.port = free_port()
        self.keytab, self.user_keytab = self.home / "services.keytab", self.home / "user.keytab"

    @property
    def client_environment(self) -> dict[str, str]:
        """What a client or a service needs to find this realm, and no ticket of another one."""
        return {"KRB5_CONFIG": str(self.home / "krb5.conf"), "KRB5CCNAME": f"FILE:{self.home}/tickets"}

    def _start(self) -> None:
        kdc = _program("krb5kdc")
        (self.home / "krb5.conf").write_text(_CLIENT.format(realm=REALM, port=self.port))
        (self.home / "kdc.conf").write_text(_SERVER.format(realm=REALM, port=self.port, home=self.home))
        self._run(_program("kdb5_util"), "create", "-s", "-P", "master", "-r", REALM)
        self._administer(f"addprinc -pw {PASSWORD} +requires_preauth {USER}")
        self._administer(f"ktadd -norandkey -k {self.user_keytab} {USER}")
        for service in ("imap", "pop", "smtp"):
            self._administer(f"addprinc -randkey {service}/localhost")
            self._administer(f"ktadd -k {self.keytab} {service}/localhost")
        self.home.chmod(0o755)
        for each in (self.keytab, self.user_keytab, self.home / "krb5.conf"):
            each.chmod(0o644)
        self._process = subprocess.Popen(
            [kdc, "-n"], env=self._environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._wait_for(lambda: socket.create_connection(("127.0.0.1", self.port), 1))

    def _environment(self) -> dict[str, str]:
        return os.environ | self.client_environment | {"KRB5_KDC_PROFILE": str(self.home / "kdc.conf")}

    def _run(self, *command: str) -> None:
        done = subprocess.run(
            command, env=self._environment(), capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
        )
        assert done.returncode == 0, done.stderr

    def _administer(self, query: str) -> None:
        self._run(_program("kadmin.local"), "-r", REALM, "-q", query)


def _program(name: str) -> str:
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if found is None:
        missing(f"{name} (Debian: krb5-kdc krb5-admin-server)")
    return found
