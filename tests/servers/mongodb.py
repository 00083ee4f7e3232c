"""A MongoDB for tests: the one `POSTROOM_TEST_MONGODB_URL` names, else a `mongod` on the PATH, else a stand-in.

Load it in a conftest with `pytest_plugins = ["tests.servers.mongodb"]`; it brings the session fixture
`mongodb` (the server), `mongodb_url` and the fixture `mongodb_database` (a fresh name, dropped afterwards).

The stand-in is mongo-java-server with its H2 file, fetched by Maven into `.test-servers/` of the checkout
and started by `mongodb_standin/StandIn.java`. It speaks the wire protocol; it is not MongoDB:

- one request at a time for the whole server; no sessions, no retryable writes, no replica set. Write concern
  and read concern are accepted and mean nothing; an acknowledged write is in the file (it survives the end
  of the process, not the end of the machine: no fsync);
- no `explain`, and only unique indexes exist: other indexes are accepted and forgotten, queries scan;
- `partialFilterExpression` is not read: a unique index over several fields is partial always, over one never;
- `maxTimeMS` is not kept, cursors never expire, user names and passwords are not known;
- `nInserted` of a failed bulk counts the duplicates too;
- some rules of filters and changes differ in corners: DIFFERENCES lists them by the suite's names, and the
  suite expects exactly these to fail on it.

docs/decisions/0031 compares it with the other candidate.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pymongo
import pytest
from pymongo.errors import PyMongoError

from tests.servers.presence import PATIENCE_SECONDS, free_port, freeze

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCES: Final = Path(__file__).parent / "mongodb_standin"
CACHE: Final = Path(__file__).parents[2] / ".test-servers" / "mongodb-standin"
BUILD_TIMEOUT: Final = 600.0

DIFFERENCES: Final[dict[str, str]] = {
    "explain": "it has no explain command",
    "a sum beyond 64 bits": "it wraps around",
    "an array contains": "it looks into arrays within arrays",
    "an array equals": "it does not find an array as an element of an array",
    "an empty array": "it does not find an array as an element of an array",
    "a document in an array": "it compares some fields only",
    "an empty document": "it takes null for an empty document",
    "texts by code point": "it compares UTF-16 units",
    "values sort in mongodb's order of types": "it compares UTF-16 units",
    "a range in an array: each bound by any element": "it wants one element within both bounds",
    "an empty prefix: any text": "it matches numbers with expressions",
    "a prefix and another condition": "it forgets the condition beside an expression",
    "an array of values has no fields": "it takes them for documents without the field",
    "does not exist in an array": "it says that a field of an empty array exists",
    "no array in an array": "it looks into arrays within arrays",
    "add to a set what is there": "it tells 1 from 1.0",
    "pull documents that lack a field": "it pulls elements that are not documents, too",
    "inc null": "it takes null for a missing field",
    "push to null": "it takes null for a missing field",
    "a field in null": "it takes null for a missing field",
}
"""What the stand-in does otherwise than MongoDB: the rule's name in the suite, and what happens instead."""


class ServerFailed(RuntimeError):
    """The server could not be fetched or did not start."""


@dataclass(slots=True)
class MongoServer:
    """A server on a loopback port, or one that is there already (`command` empty: it cannot be ended)."""

    kind: str
    """`configured`, `mongod` or `stand-in`: which of the three it is."""
    url: str
    command: tuple[str, ...] = ()
    folder: Path = Path()
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def is_ours(self) -> bool:
        """Whether the tests may kill and freeze it."""
        return bool(self.command)

    def lacks(self, what: str) -> str | None:
        """What the stand-in does instead of `what` (a key of DIFFERENCES); None when it does as MongoDB."""
        return DIFFERENCES.get(what) if self.kind == "stand-in" else None

    def start(self) -> None:
        """Start it (again) on its port and return when it answers."""
        if not self.is_ours:
            return
        with (self.folder / "output.log").open("ab") as output:
            self._process = subprocess.Popen(
                self.command, stdin=subprocess.PIPE, stdout=output, stderr=output, start_new_session=True
            )
        self._await_answer()

    def _await_answer(self) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not _answers(self.url):
            if self._process is None or self._process.poll() is not None or time.monotonic() > deadline:
                log = (self.folder / "output.log").read_text(errors="replace")[-2000:]
                raise ServerFailed(f"{self.command[0]} did not start: {log}")

    def kill9(self) -> None:
        """The crash: the disk keeps what was written."""
        self._signal(signal.SIGKILL)
        self._reap()

    def freeze(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        assert self._process is not None, "it is not ours, or does not run"
        freeze(self._process.pid)

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def stop(self) -> None:
        """Orderly end. Safe to call twice, and for a server that is not ours."""
        if self._process is not None and self._process.poll() is None:
            self.thaw()
            self._signal(signal.SIGTERM)
        self._reap()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)

    def _reap(self) -> None:
        if self._process is None:
            return
        try:
            self._process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process = None


def _answers(url: str) -> bool:
    try:
        with pymongo.MongoClient[dict[str, object]](url, serverSelectionTimeoutMS=100, connectTimeoutMS=500) as client:
            client.admin.command("ping")
    except PyMongoError:
        return False
    return True


def new_server(folder: Path) -> MongoServer:
    """The best server this machine offers, not yet started; `folder` keeps its files.

    `ServerFailed` when there is none, with what would have to be there.
    """
    if url := os.environ.get("POSTROOM_TEST_MONGODB_URL"):
        return MongoServer("configured", url)
    port = free_port()
    url = f"mongodb://127.0.0.1:{port}/?directConnection=true"
    if mongod := shutil.which("mongod"):
        where = ("--dbpath", str(folder), "--port", str(port), "--bind_ip", "127.0.0.1")
        return MongoServer("mongod", url, (mongod, *where, "--quiet", "--nounixsocket"), folder)
    return MongoServer("stand-in", url, (*stand_in_command(), str(folder / "documents.h2"), str(port)), folder)


def stand_in_command() -> tuple[str, ...]:
    """Fetch and compile the stand-in unless that is done; the command that starts it, without arguments."""
    tools = {name: shutil.which(name) for name in ("java", "javac", "mvn")}
    built = CACHE / _fingerprint()
    if tools["java"] and not built.exists():
        if missing := [name for name, path in tools.items() if path is None]:
            raise ServerFailed(f"no MongoDB here and no {' and '.join(missing)} to build a stand-in with")
        _build_once(built)
    if not tools["java"]:
        raise ServerFailed("no POSTROOM_TEST_MONGODB_URL, no mongod on the PATH, and no java for the stand-in")
    options = ("-Xmx768m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Duser.timezone=UTC")
    return (tools["java"], *options, "-cp", f"{built}/*:{built}", "de.bwaldvogel.mongo.backend.h2.StandIn")


def _fingerprint() -> str:
    """Another source is another build: a folder once complete never changes."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in sorted(SOURCES.iterdir()))).hexdigest()[:12]


def _build_once(built: Path) -> None:
    """Several test processes may want it at once: one builds, the others wait and find it."""
    built.parent.mkdir(parents=True, exist_ok=True)
    with (built.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if built.exists():
            return
        with tempfile.TemporaryDirectory(dir=built.parent) as scratch:
            _build(Path(scratch) / "built")
            (Path(scratch) / "built").rename(built)


def _build(target: Path) -> None:
    target.mkdir()
    repository = CACHE.parent / "maven"
    copy = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies"
    pom = str(SOURCES / "pom.xml")
    _run("mvn", "-q", "-B", f"-Dmaven.repo.local={repository}", "-f", pom, copy, f"-DoutputDirectory={target}")
    _run("javac", "-J-XX:-UsePerfData", "-cp", f"{target}/*", "-d", str(target), str(SOURCES / "StandIn.java"))


def _run(*command: str) -> None:
    options = f"{os.environ.get('MAVEN_OPTS', '')} -XX:-UsePerfData"  # without it Java writes to /tmp/hsperfdata_*
    environment = {**os.environ, "MAVEN_OPTS": options.strip()}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=BUILD_TIMEOUT, check=False)
    if done.returncode:
        raise ServerFailed(f"{command[0]} failed: {(done.stdout + done.stderr)[-2000:]}")


def unavailable(reason: str) -> None:
    """A missing server skips on a laptop and fails where `CI=true` promises one."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@contextlib.contextmanager
def running(folder: Path) -> Iterator[MongoServer]:
    """A server of the caller's own, to be killed and frozen at will."""
    server = new_server(folder)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def mongodb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MongoServer]:
    """The server that all tests of this session share."""
    with contextlib.ExitStack() as stack:
        try:
            server = stack.enter_context(running(tmp_path_factory.mktemp("mongodb")))
        except (ServerFailed, subprocess.TimeoutExpired) as error:
            unavailable(str(error))
        yield server


@pytest.fixture(scope="session")
def mongodb_url(mongodb: MongoServer) -> str:
    """Where the shared server listens."""
    return mongodb.url


@pytest.fixture
def mongodb_database(mongodb: MongoServer) -> Iterator[str]:
    """The name of a database that nobody else uses."""
    name = f"postroom_test_{uuid.uuid4().hex[:12]}"
    yield name
    with pymongo.MongoClient[dict[str, object]](mongodb.url) as client:
        client.drop_database(name)


@pytest.fixture
def own_mongodb(tmp_path: Path, mongodb: MongoServer) -> Iterator[MongoServer]:
    """A server for this test alone, to be killed and frozen; skips when the tests were given one to share."""
    if not mongodb.is_ours:
        pytest.skip("the configured MongoDB is not ours to kill")
    folder = tmp_path / "mongodb"
    folder.mkdir()
    with running(folder) as server:
        yield server


if __name__ == "__main__":  # python -m tests.servers.mongodb: what tests would wait for is built before
    with tempfile.TemporaryDirectory() as unused:
        new_server(Path(unused))
