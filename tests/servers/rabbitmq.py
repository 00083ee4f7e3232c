"""Private RabbitMQ nodes for tests: own folder, own ports, own epmd, no systemd, root or not.

Load it in a conftest with `pytest_plugins = ["tests.servers.rabbitmq"]`; it brings the session fixtures
`rabbit_nodes` (a node of each version) and `rabbit_node` (one of them), and the fixture `rabbit_vhost` (a fresh vhost
per test). A test marked `every_rabbitmq` runs once on each version of `rabbitmq_versions`, others on the newest that is
installed. Every process is ended by the id that this module started.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.presence import PATIENCE_SECONDS, cannot_run, free_ports, freeze
from tests.servers.rabbitmq_versions import VERSIONS, epmd_of, missing, newest, programs_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.servers.tls import Certificate

START_TIMEOUT = 180.0
SETTLING_SECONDS = 12.0
USER, PASSWORD = "guest", "guest"

CONFIG = """\
listeners.tcp.default = 127.0.0.1:{amqp}
management.tcp.ip = 127.0.0.1
management.tcp.port = {management}
loopback_users = none
vm_memory_high_watermark.relative = 0.4
disk_free_limit.absolute = 1MB
collect_statistics_interval = 1000
log.file.level = warning
log.console = false
"""
ADVANCED_CONFIG = """\
[{rabbit, [{dead_letter_worker_publisher_confirm_timeout, 1000}, {quorum_tick_interval, 1000}]}].
"""
TLS_CONFIG = """\
listeners.ssl.default = 127.0.0.1:{tls}
ssl_options.cacertfile = {clients}
ssl_options.certfile = {cert}
ssl_options.keyfile = {key}
ssl_options.verify = verify_peer
ssl_options.fail_if_no_peer_cert = false
"""


class NodeError(RuntimeError):
    """The node did not start, or a command to it failed."""


def wait_until(done: Any, timeout: float, what: str) -> None:
    """Poll `done()` until it is true; fail with `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not done():
        if time.monotonic() > deadline:
            raise NodeError(what)
        time.sleep(0.02)


class RabbitNode:
    """One node in `folder`. Its state survives `stop` and `kill9`; `start` brings it back."""

    def __init__(
        self,
        folder: Path,
        *,
        version: str | None = None,
        tls: Certificate | None = None,
        extra_config: str = "",
    ) -> None:
        self.folder = folder
        self.version = version or newest()
        self._programs = programs_of(self.version)
        self.name = f"postroom{uuid.uuid4().hex[:8]}"
        self.amqp_port, self.management_port, self.tls_port, self._dist_port, self._epmd_port = free_ports(5)
        self._tls = tls
        self._extra_config = extra_config
        self._epmd: subprocess.Popen[bytes] | None = None
        self._server: subprocess.Popen[bytes] | None = None
        self._retired: list[tuple[float, str]] = []
        self._settled_at = 0.0

    @property
    def management_url(self) -> str:
        """Base URL of the management API, without credentials."""
        return f"http://127.0.0.1:{self.management_port}"

    @property
    def pid(self) -> int:
        """The Erlang VM's process id."""
        return int((self.folder / "pid").read_text())

    def url(self, vhost: str = "/", *, port: int | None = None) -> str:
        """AMQP URL of one vhost; `port` may be that of a proxy."""
        return f"amqp://{USER}:{PASSWORD}@127.0.0.1:{port or self.amqp_port}/{urllib.parse.quote(vhost, safe='')}"

    def start(self) -> None:
        """Start the node (again) and return when it takes connections."""
        self._prepare()
        self._start_epmd()
        with (self.folder / "output.log").open("ab") as output:
            self._server = subprocess.Popen(
                [str(self._programs / "rabbitmq-server")],
                env=self._environment(),
                cwd=self.folder,  # a node that ends in the middle leaves a core file where it runs
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        wait_until(self._is_up, START_TIMEOUT, f"RabbitMQ did not start; see {self.folder / 'output.log'}")
        self.settle()

    def settle(self) -> None:
        """The queues have just been started: leave them alone for a while."""
        self._settled_at = time.monotonic() + SETTLING_SECONDS

    def stop(self) -> None:
        """Orderly end of the node and of its epmd. Safe to call twice."""
        if self._server is not None:
            self.thaw()
            self._signal(signal.SIGTERM)
            self._reap(60)
        self._stop_epmd()

    def kill9(self) -> None:
        """The crash: SIGKILL to the VM; the disk keeps what was written."""
        self._signal(signal.SIGKILL)
        self._reap(30)

    def freeze(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        freeze(self.pid)

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def ctl(self, *args: str, tool: str = "rabbitmqctl") -> str:
        """Run rabbitmqctl against this node; its output."""
        done = subprocess.run(
            [str(self._programs / tool), "-q", "-n", f"{self.name}@localhost", *args],
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        if done.returncode:
            raise NodeError(f"{tool} {' '.join(args)}: {done.stdout}{done.stderr}")
        return done.stdout

    def evaluate(self, expression: str) -> str:
        """What an Erlang expression gives on this node, as text. `erl_call` is a small program; `rabbitmqctl` starts a
        virtual machine, which takes a second of processor time."""
        if (program := shutil.which("erl_call")) is None:
            return self.ctl("eval", f"{expression}.")
        cookie = (self.folder / ".erlang.cookie").read_text()
        done = subprocess.run(
            [program, "-sname", f"{self.name}@localhost", "-c", cookie, "-e"],
            input=f"{expression}.\n",
            env=self._environment(),
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        if done.returncode or not done.stdout.startswith("{ok,"):
            raise NodeError(f"{expression}: {done.stdout}{done.stderr}")
        return done.stdout.removeprefix("{ok,").removesuffix("}").strip()

    def limit_free_disk(self, limit: str) -> None:
        """Below so much free space the node takes no messages, as `rabbitmqctl set_disk_free_limit` has it."""
        self.evaluate(f'ok = rabbit_disk_monitor:set_disk_free_limit("{limit}")')

    def api(self, method: str, path: str, body: object | None = None) -> Any:
        """One call of the management API; the decoded answer or None."""
        request = urllib.request.Request(
            f"{self.management_url}/api/{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": "Basic " + b64encode(f"{USER}:{PASSWORD}".encode()).decode(),
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def add_vhost(self, name: str) -> None:
        """Create a vhost that the user may use."""
        quoted = urllib.parse.quote(name, safe="")
        self.api("PUT", f"vhosts/{quoted}")
        self.api("PUT", f"permissions/{quoted}/{USER}", {"configure": ".*", "write": ".*", "read": ".*"})

    @contextlib.contextmanager
    def fresh_vhost(self) -> Iterator[str]:
        """A vhost for one test, removed some time afterwards."""
        name = f"t{uuid.uuid4().hex[:10]}"
        self.sweep()
        self.add_vhost(name)
        yield name
        self.retire_vhost(name)

    def remove_vhost(self, name: str) -> None:
        """Delete a vhost with everything in it."""
        self.api("DELETE", f"vhosts/{urllib.parse.quote(name, safe='')}")

    def retire_vhost(self, name: str) -> None:
        """Delete it later. RabbitMQ 3.10 stops all at-least-once dead-lettering of a node when a quorum queue goes
        while its dead-letter worker is still starting (twice within five seconds)."""
        self._retired.append((time.monotonic() + SETTLING_SECONDS, name))

    def delete_queue(self, vhost: str, name: str) -> None:
        """As an operator may. Its dead-letter worker has started before: see `retire_vhost`."""
        workers = "{_, Worker, _, _} <- supervisor:which_children(rabbit_fifo_dlx_sup), is_pid(Worker)"
        self.evaluate(f"[sys:get_state(Worker) || {workers}], ok")
        self.api("DELETE", f"queues/{vhost}/{name}")

    def sweep(self) -> None:
        """Delete the retired vhosts whose queues have had time to settle."""
        now = time.monotonic()
        due = [name for since, name in self._retired if max(since, self._settled_at) < now]
        self._retired = [each for each in self._retired if each[1] not in due]
        for name in due:
            with contextlib.suppress(urllib.error.HTTPError):
                self.remove_vhost(name)

    def vhosts(self) -> Sequence[str]:
        """Names of all vhosts."""
        return [each["name"] for each in self.api("GET", "vhosts?columns=name")]

    def _prepare(self) -> None:
        for each in ("mnesia", "log"):
            (self.folder / each).mkdir(parents=True, exist_ok=True)
        (self.folder / "enabled_plugins").write_text("[rabbitmq_management].\n")
        (self.folder / "pid").unlink(missing_ok=True)
        text = CONFIG.format(amqp=self.amqp_port, management=self.management_port) + self._extra_config
        if self._tls:
            clients = self._tls.clients or self._tls.certificate
            values = {"cert": self._tls.certificate, "key": self._tls.key, "clients": clients}
            text += TLS_CONFIG.format(tls=self.tls_port, **values)
        (self.folder / "rabbitmq.conf").write_text(text)
        (self.folder / "advanced.config").write_text(ADVANCED_CONFIG)

    def _environment(self) -> dict[str, str]:
        loopback = "-kernel inet_dist_use_interface {127,0,0,1}"
        return {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "HOME": str(self.folder),
            "LC_ALL": "C.UTF-8",
            "RABBITMQ_NODENAME": f"{self.name}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.amqp_port),
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(self.folder / "advanced.config"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_USE_LONGNAME": "false",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": f"{loopback} +sbwt none +sbwtdcpu none +sbwtdio none",
            "RABBITMQ_CTL_ERL_ARGS": loopback,
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }

    def _start_epmd(self) -> None:
        """Our own, in the foreground: a node would start a daemon that outlives it."""
        if self._epmd is None or self._epmd.poll() is not None:
            self._epmd = subprocess.Popen(
                [epmd_of(self._programs) or "epmd", "-port", str(self._epmd_port), "-address", "127.0.0.1"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            wait_until(lambda: _listens(self._epmd_port), PATIENCE_SECONDS, "epmd did not start")

    def _stop_epmd(self) -> None:
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait()
            self._epmd = None

    def _is_up(self) -> bool:
        if self._server is not None and self._server.poll() is not None:
            raise NodeError(f"RabbitMQ ended at start: {(self.folder / 'output.log').read_text()[-2000:]}")
        return _speaks_amqp(self.amqp_port) and _listens(self.management_port)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            os.kill(self.pid, number)

    def _reap(self, timeout: float) -> None:
        """Wait for the start script; it ends with the VM. What is left of its own session goes too."""
        server, self._server = self._server, None
        if server is None:
            return
        try:
            server.wait(timeout)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait(PATIENCE_SECONDS)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _speaks_amqp(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as probe:
            probe.sendall(b"AMQP\x00\x00\x09\x01")
            return probe.recv(1) == b"\x01"
    except OSError:
        return False


class RabbitNodes:
    """The nodes of a session by version, each started when a test first asks for it."""

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self._folders = folders
        self._nodes: dict[str, RabbitNode] = {}

    def node(self, version: str) -> RabbitNode:
        """A running node; without one the test is skipped, in CI it fails."""
        if version not in self._nodes:
            self._nodes[version] = self._started(version)
        return self._nodes[version]

    def _started(self, version: str) -> RabbitNode:
        if reason := missing(version):
            cannot_run(reason)
        node = RabbitNode(self._folders.mktemp("rabbitmq"), version=version)
        try:
            node.start()
        except BaseException:
            end(node)
            raise
        return node

    def end(self) -> None:
        """End them all."""
        for node in self._nodes.values():
            end(node)


def end(node: RabbitNode) -> None:
    """Whatever state it is in."""
    node.kill9()
    node.stop()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run tests marked `every_rabbitmq` on each version; with `often="newest"` on the others in a long run only."""
    mark = metafunc.definition.get_closest_marker("every_rabbitmq")
    if mark and "rabbit_version" in metafunc.fixturenames:
        rarely = [each for each in VERSIONS if mark.kwargs.get("often") == "newest" and each != newest()]
        versions = [pytest.param(each, marks=pytest.mark.slow if each in rarely else ()) for each in VERSIONS]
        metafunc.parametrize("rabbit_version", versions, indirect=True)


@pytest.fixture(scope="session")
def rabbit_nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitNodes]:
    """For the whole session. Tests that stop or freeze a node must leave it running."""
    nodes = RabbitNodes(tmp_path_factory)
    yield nodes
    nodes.end()


@pytest.fixture(scope="session")
def rabbit_version(request: pytest.FixtureRequest) -> str:
    """The version of `rabbit_node`."""
    return str(getattr(request, "param", "")) or newest()


@pytest.fixture(scope="session")
def rabbit_node(rabbit_nodes: RabbitNodes, rabbit_version: str) -> RabbitNode:
    """A running node of `rabbit_version`."""
    return rabbit_nodes.node(rabbit_version)


@pytest.fixture
def rabbit_vhost(rabbit_node: RabbitNode) -> Iterator[str]:
    """A fresh vhost, removed afterwards."""
    with rabbit_node.fresh_vhost() as name:
        yield name
