"""The examples for Postfix, Exim and systemd, tried with the programs of Debian: a mail arrives, or stays with the MTA.

Each server runs from a private folder on a high port of the loopback interface, with the lines of the examples; only
paths and users are replaced. `apt-get install postfix` or `exim4-daemon-light`: Debian has one of them at a time.
"""

from __future__ import annotations

import json
import os
import pwd
import re
import shutil
import smtplib
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Protocol, Self

import pytest

from tests.builders import a_mail
from tests.conformance.lanes import eventually
from tests.servers.presence import free_port

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
USER = "nobody"
"""Runs the pipe in the tests: mail servers refuse to run it as root."""
SECONDS = 120
PACKAGES = sysconfig.get_paths()["purelib"]
POSTFIX_MAIN = """\
compatibility_level = 3.6
queue_directory = {home}/spool
data_directory = {home}/data
maillog_file = {home}/maillog
maillog_file_prefixes = {home}
myhostname = mx.example
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
smtpd_relay_restrictions = reject_unauth_destination
"""
POSTFIX_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""
EXIM = """\
spool_directory = {home}/spool
log_file_path = {home}/%slog
pid_file_path = {home}/exim.pid
primary_hostname = mx.example
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
tls_advertise_hosts =
keep_environment =
queue_only = true
acl_smtp_rcpt = accept
begin acl
accept:
  accept
begin routers
{router}
begin transports
{transport}
begin retry
* * F,1h,1s
"""


def python_for_all() -> str:
    """A Python of this version that `USER` may run, or skip: a Python below /root is for root alone."""
    name = f"python3.{sys.version_info.minor}"
    known = (sys.executable, f"/usr/bin/{name}", f"/usr/local/bin/{name}")
    return next(filter(_runs, known), "") or pytest.skip(f"no {name} that {USER} may run")


def _runs(python: str) -> bool:
    as_user = {"user": USER} if is_root() else {}
    with suppress(OSError):
        return subprocess.run([python, "-c", ""], capture_output=True, check=False, cwd="/", **as_user).returncode == 0
    return False


def is_root() -> bool:
    """Whether the tests may start a mail server and run programs as another user."""
    return os.getuid() == 0


class MailServer(Protocol):
    """A mail server that pipes mail into Postroom."""

    port: int

    def deliver_queue(self) -> None:
        """Try to deliver what waits in the queue."""

    def waiting(self) -> int:
        """How many mails are in the queue."""


class Pipe:
    """The example `postroom-pipe` with private paths; `calls` are the arguments of the calls that succeeded."""

    def __init__(self, home: Path) -> None:
        self.home, self.script, self.data = home, home / "postroom-pipe", home / "desk"
        self.data.mkdir()
        self.environment = home / "environment"
        self._done = home / "done"
        self._done.touch(mode=0o666)
        command = home / "postroom"
        command.write_text(
            f"#!/bin/sh\ncd {ROOT} || exit\n"
            f'PYTHONPATH={ROOT}:{PACKAGES} {python_for_all()} -B -m services.cli.main "$@" || exit\n'
            f'printf "%s\\n" "$@" END >>{self._done}\n'
        )
        self.script.write_text(self.with_paths((EXAMPLES / "mta" / "postroom-pipe").read_text()))
        for each in (command, self.script):
            each.chmod(0o755)
        self._done.chmod(0o666)
        user = pwd.getpwnam(USER)
        if is_root():
            os.chown(self.data, user.pw_uid, user.pw_gid)

    def with_paths(self, example: str) -> str:
        """An example with the paths and the user of this test."""
        group = subprocess.run(["id", "-gn", USER], capture_output=True, text=True, check=True).stdout.strip()
        replaced = example.replace("/opt/postroom/examples/mta", str(self.home))
        replaced = replaced.replace("/opt/postroom/.venv/bin", str(self.home))
        replaced = replaced.replace("/etc/postroom/environment", str(self.environment))
        return re.sub(r"group = postroom", f"group = {group}", re.sub(r"(user ?= ?)postroom", rf"\1{USER}", replaced))

    def allow(self) -> None:
        """Let Postroom be reached: until then its environment is missing."""
        self.environment.write_text(f"POSTROOM_DATA={self.data}\n")

    @property
    def calls(self) -> list[list[str]]:
        """The arguments of each call that succeeded."""
        return [call.split("\n") for call in self._done.read_text().removesuffix("\nEND\n").split("\nEND\n") if call]

    def mails(self) -> list[str]:
        """The subjects of the mails on intake and later."""
        done = self.run("mails", "list", "--json")
        return sorted(json.loads(line)["subject"] for line in done.splitlines())

    def run(self, *words: str) -> str:
        """Run a command on the desk."""
        command = [sys.executable, "-m", "services.cli.main", *words, "--data", str(self.data)]
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=SECONDS).stdout


class Postfix:
    """Postfix in a private folder."""

    def __init__(self, home: Path, pipe: Pipe) -> None:
        self.home, self.port, self.conf = home, free_port(), home / "conf"
        for name in ("conf", "spool", "data"):
            (home / name).mkdir()
        os.chown(home / "data", pwd.getpwnam("postfix").pw_uid, -1)
        mta = EXAMPLES / "mta"
        main = POSTFIX_MAIN.format(home=home) + (mta / "postfix-main.cf").read_text()
        master = POSTFIX_MASTER.format(port=self.port) + pipe.with_paths((mta / "postfix-master.cf").read_text())
        (self.conf / "main.cf").write_text(main)
        (self.conf / "master.cf").write_text(master)

    def __enter__(self) -> Self:
        self._run("postfix", "start")
        return self

    def __exit__(self, *_: object) -> None:
        self._run("postfix", "stop")

    def deliver_queue(self) -> None:
        self._run("postqueue", "-f")

    def waiting(self) -> int:
        """How many mails there are: one that moves from queue to queue meanwhile is listed in both."""
        return len({json.loads(line)["queue_id"] for line in self._run("postqueue", "-j").splitlines()})

    def _run(self, program: str, *words: str) -> str:
        command = [shutil.which(program, path="/usr/sbin") or program, "-c", str(self.conf), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=SECONDS).stdout


class Exim:
    """Exim in a private folder. Root delivers its queue: with another configuration Exim gives up root by itself."""

    def __init__(self, home: Path, pipe: Pipe) -> None:
        self.home, self.port = home, free_port()
        exim = pwd.getpwnam("Debian-exim")
        (home / "spool").mkdir()
        for each in (home, home / "spool"):
            os.chown(each, exim.pw_uid, exim.pw_gid)
        parts = {name: (EXAMPLES / "mta" / f"exim-{name}").read_text() for name in ("router", "transport")}
        added = {name: pipe.with_paths(text) for name, text in parts.items()}
        self.conf = home / "exim.conf"
        self.conf.write_text(EXIM.format(home=home, port=self.port, **added))
        self.conf.chmod(0o644)

    def __enter__(self) -> Self:
        self._daemon = subprocess.Popen(["/usr/sbin/exim4", "-C", str(self.conf), "-bdf"])
        return self

    def __exit__(self, *_: object) -> None:
        self._daemon.terminate()
        self._daemon.wait(SECONDS)

    def deliver_queue(self) -> None:
        self._run("-qff")

    def waiting(self) -> int:
        return int(self._run("-bpc"))

    def _run(self, *words: str) -> str:
        command = ["/usr/sbin/exim4", "-C", str(self.conf), *words]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=SECONDS).stdout


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    home = Path(tempfile.mkdtemp(prefix="postroom-mta-"))
    home.chmod(0o755)
    yield Pipe(home)
    shutil.rmtree(home)


@pytest.fixture(params=["postfix", "exim4"])
def mta(request: pytest.FixtureRequest, pipe: Pipe) -> Iterator[MailServer]:
    if not is_root() or shutil.which(request.param, path="/usr/sbin") is None:
        pytest.skip(f"{request.param} is not installed, or this is not root")
    home = pipe.home / request.param
    home.mkdir(mode=0o755)
    with (Postfix if request.param == "postfix" else Exim)(home, pipe) as running:
        yield running


def send(port: int, sender: str, recipients: list[str], mail: bytes) -> None:
    """Hand a mail to the server, once it listens."""
    connections: list[smtplib.SMTP] = []

    def connected() -> bool:
        with suppress(OSError):
            connections.append(smtplib.SMTP("127.0.0.1", port, timeout=SECONDS))
        return bool(connections)

    eventually(connected)
    with connections[0] as client:
        client.sendmail(sender, recipients, mail)


def arguments(call: list[str], name: str) -> list[str]:
    """The values of an option in a call."""
    return [word.removeprefix(f"{name}=") for word in call if word.startswith(f"{name}=")]


def test_a_mail_server_hands_mail_over_and_keeps_it_until_it_is_stored(mta: MailServer, pipe: Pipe) -> None:
    send(mta.port, "anna@customer.example", ["support@example.com"], a_mail(subject="Printer"))
    send(mta.port, "", ["sales@example.com"], a_mail(subject="Undeliverable"))
    mta.deliver_queue()
    eventually(lambda: mta.waiting() == 2)  # one that moves from queue to queue may be listed in neither
    pipe.allow()

    def delivered() -> bool:
        mta.deliver_queue()
        return len(pipe.calls) == 2

    eventually(delivered)
    eventually(lambda: mta.waiting() == 0)
    calls = sorted(pipe.calls, key=lambda call: arguments(call, "--inbox"))
    assert [arguments(call, "--inbox") for call in calls] == [["sales"], ["support"]]
    assert [arguments(call, "--envelope-from") for call in calls] == [[""], ["anna@customer.example"]]
    assert [arguments(call, "--envelope-to") for call in calls] == [["sales@example.com"], ["support@example.com"]]
    pipe.run("up", "--once")
    assert "Printer" in pipe.mails()


def test_the_pipe_keeps_a_mail_whatever_fails(pipe: Pipe) -> None:
    def code(*words: str) -> int:
        return subprocess.run(
            ["env", "SENDER=anna@customer.example", pipe.script, *words],
            input=a_mail(),
            capture_output=True,
            timeout=SECONDS,
            check=False,
        ).returncode

    given = ("support", "support@example.com", "boss@example.com")
    assert code(*given) == 75  # no environment
    pipe.allow()
    assert code("support") == 75
    pipe.environment.write_text("POSTROOM_STORE_URL=nonsense\n")
    assert code(*given) == 75
    pipe.allow()
    assert code(*given) == 0
    assert arguments(pipe.calls[-1], "--envelope-from") == ["anna@customer.example"]
    assert arguments(pipe.calls[-1], "--envelope-to") == ["support@example.com", "boss@example.com"]


def test_the_unit_is_one_that_systemd_accepts(pipe: Pipe) -> None:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd-analyze is not installed")
    unit = pipe.home / "postroom.service"
    text = pipe.with_paths((EXAMPLES / "systemd" / "postroom.service").read_text()).replace(
        "User=postroom", f"User={USER}"
    )
    unit.write_text(text.replace(f"User={USER}", "User=daemon"))
    done = subprocess.run([analyze, "verify", str(unit)], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert [line for line in done.stderr.splitlines() if "postroom.service" in line] == []
    assert "EnvironmentFile=" in text


def test_the_commands_of_the_unit_and_the_pipe_exist(pipe: Pipe) -> None:
    unit = (EXAMPLES / "systemd" / "postroom.service").read_text()
    (words,) = re.findall(r"^ExecStart=\S+/postroom (.*)$", unit, re.MULTILINE)
    (pipe.home / "postroom.yaml").write_text("inboxes: [{name: sales, address: sales@example.com}]\n")
    pipe.run(*words.replace("/etc/postroom", str(pipe.home)).split(), "--once")
    assert "sales" in pipe.run("inbox", "list")
