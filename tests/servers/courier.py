"""A real Courier IMAP server on a private port, in a root directory of its own (`chroot`), started as root.

Its programs know the path of the socket at which logins are checked, so each server gets its own root directory, with
copies of the programs and of the libraries that they need. `_Logins` checks logins in the place of authdaemond.
"""

from __future__ import annotations

import imaplib
import os
import re
import shutil
import socketserver
import subprocess
import threading
from pathlib import Path
from typing import Final

from tests.servers.presence import PATIENCE_SECONDS, cannot_run, free_port, missing
from tests.servers.process_server import ProcessServer

UNPACKED: Final = Path("/var/cache/postroom-tests/courier")
"""Unpacked beside the other programs: Debian's package of it and Dovecot's exclude each other."""
TCPD, LOGIN, IMAPD = "usr/sbin/couriertcpd", "usr/lib/courier/courier/imaplogin", "usr/bin/imapd"
SOCKET: Final = "run/courier/authdaemon/socket"
USER, PASSWORD = "bob", "secret"
_OWNER: Final = 65534
"""User and group of the mailbox (nobody)."""
_LIBRARY: Final = re.compile(r"(?:(\S+) => )?(/\S+) \(0x")
_ENVIRONMENT: Final = {
    "LD_LIBRARY_PATH": "/lib",
    "IMAP_CAPABILITY": "IMAP4rev1 UIDPLUS CHILDREN NAMESPACE SORT QUOTA AUTH=PLAIN AUTH=LOGIN IDLE",
    "IMAP_KEYWORDS": "1",
    "IMAP_IDLE_TIMEOUT": "60",
    "IMAP_USELOCKS": "0",
    "IMAP_UMASK": "022",
}
"""As in Debian's /etc/courier/imapd, with the logins that it offers after TLS. CRAM-MD5 and ACL need authdaemond. With
locks it would look for gamin at each command, for a second."""


class _Logins(socketserver.ThreadingUnixStreamServer):
    """Answers whether a password is right. Asked: `AUTH` and a length; service, kind, user and password, one a line."""

    daemon_threads = True


class _Login(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        line = next(each for each in self.rfile if each.startswith(b"AUTH "))  # before it: where the client is
        size = int(line.split()[-1])
        asked = self.rfile.read(size).decode().splitlines()
        known = asked[1:4] == ["login", USER, PASSWORD]
        found = f"UID={_OWNER}\nGID={_OWNER}\nHOME=/home/{USER}\nADDRESS={USER}\n.\n"
        self.wfile.write((found if known else "FAIL\n").encode())


class Courier(ProcessServer):
    """One server, with an empty mailbox of `USER`."""

    name = "Courier"

    def __init__(self) -> None:
        super().__init__()
        self.maildir = self.home / "home" / USER / "Maildir"
        self.port = free_port()
        self._delivered = 0
        self._logins: _Logins | None = None

    def _start(self) -> None:
        if not (UNPACKED / IMAPD).exists():
            missing("courier (Debian: courier-imap)")
        if os.geteuid() != 0:
            cannot_run("Courier has to be started as root")
        self._prepare()
        (self.home / SOCKET).parent.mkdir(parents=True)
        self._logins = _Logins(str(self.home / SOCKET), _Login)
        threading.Thread(target=self._logins.serve_forever, daemon=True).start()
        command = [
            shutil.which("chroot") or "/usr/sbin/chroot",
            self.home,
            f"/{TCPD}",
            "-address=127.0.0.1",
            "-nodnslookup",
            "-noidentlookup",
        ]
        command += ["-maxprocs=40", "-maxperip=40"]
        command += [str(self.port), f"/{LOGIN}", f"/{IMAPD}", "Maildir"]
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(command, env=_ENVIRONMENT, stdin=quiet, stdout=quiet, stderr=quiet)
        self._wait_for(self.client)

    def _prepare(self) -> None:
        for program in (TCPD, LOGIN, IMAPD):
            (self.home / program).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(UNPACKED / program, self.home / program)
        (self.home / "lib").mkdir()
        for name, library in _libraries():
            target = self.home / "lib" / name if name else self.home / library.relative_to("/")
            target.parent.mkdir(exist_ok=True)
            shutil.copy2(library, target)
        self.home.chmod(0o755)
        self.clear()

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        if self._logins is not None:
            self._logins.shutdown()
            self._logins.server_close()

    def client(self) -> imaplib.IMAP4:
        """A connection, logged in, as another mail client would have. It takes a second: Courier looks for gamin."""
        client = imaplib.IMAP4("127.0.0.1", self.port, timeout=PATIENCE_SECONDS)
        client.login(USER, PASSWORD)
        return client

    def deliver(self, *mails: bytes, folder: str = "") -> None:
        """Put mails into a folder, named as on the disk: `.A.B` is `INBOX.A.B`, nothing the INBOX."""
        for mail in mails:
            self._delivered += 1
            path = self.maildir / folder / "new" / f"{1_700_000_000 + self._delivered}.{self._delivered}.host"
            path.write_bytes(mail.replace(b"\r\n", b"\n"))
            os.chown(path, _OWNER, _OWNER)

    def clear(self) -> None:
        """Empty the account."""
        shutil.rmtree(self.maildir, ignore_errors=True)
        for part in ("new", "cur", "tmp"):
            (self.maildir / part).mkdir(parents=True)
        for path in (self.maildir.parent, self.maildir, *self.maildir.iterdir()):
            os.chown(path, _OWNER, _OWNER)

    def mails(self, folder: str = "", *, unread: bool = False) -> list[bytes]:
        """The content of every mail in a folder, or of those that are not read; read from the disk."""
        paths = [path for part in ("new", "cur") for path in (self.maildir / folder / part).glob("*")]
        by_name = sorted(paths, key=lambda path: path.name)
        return [
            path.read_bytes().replace(b"\n", b"\r\n")
            for path in by_name
            if not (unread and "S" in path.name.partition(":2,")[2])
        ]


def _libraries() -> list[tuple[str, Path]]:
    """Name and place of each library that the programs load; the loader itself has its full path and no name."""
    programs = [str(UNPACKED / program) for program in (TCPD, LOGIN, IMAPD)]
    places = sorted({str(path.parent) for path in UNPACKED.rglob("lib*.so.*")})
    environment = os.environ | {"LD_LIBRARY_PATH": ":".join(places)}
    said = subprocess.run(["ldd", *programs], env=environment, check=True, capture_output=True, text=True).stdout
    return sorted({(name or "", Path(path)) for name, path in _LIBRARY.findall(said)})
