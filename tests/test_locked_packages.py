"""requirements/*.txt: complete, hashed, what pyproject.toml allows, and what setup.sh and the image install."""

from __future__ import annotations

import fcntl
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.servers.presence import PATIENCE_SECONDS

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
RUN = [*PROJECT["project"]["dependencies"], *PROJECT["build-system"]["requires"]]
DEV = [*RUN, *PROJECT["project"]["optional-dependencies"]["dev"]]


def locked(label: str) -> dict[str, Requirement]:
    """The lines of a lock, by name."""
    text = (ROOT / "requirements" / f"{label}.txt").read_text("utf-8").replace("\\\n", " ")
    lines = [line.split("#")[0].split("--hash")[0].strip() for line in text.splitlines()]
    found = [Requirement(line) for line in lines if line]
    return {canonicalize_name(each.name): each for each in found}


@pytest.mark.parametrize(("label", "wanted"), [("run", RUN), ("dev", DEV)])
def test_the_lock_has_a_version_that_pyproject_allows(label: str, wanted: list[str]) -> None:
    versions = locked(label)
    for each in map(Requirement, wanted):
        (version,) = versions[canonicalize_name(each.name)].specifier
        assert version.operator == "=="
        assert each.specifier.contains(version.version), f"{each}: run requirements/versions.sh renew"


def test_what_tests_run_on_is_what_users_run_on() -> None:
    tested = {name: str(each) for name, each in locked("dev").items()}
    assert {name: str(each) for name, each in locked("run").items()}.items() <= tested.items()


@pytest.mark.parametrize("label", ["run", "dev"])
def test_every_line_has_hashes_and_names_no_place(label: str) -> None:
    text = (ROOT / "requirements" / f"{label}.txt").read_text("utf-8")
    for block in re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE)):
        assert re.match(r"[a-z0-9-]+==\S+( ; [^\\]+)? \\\n    --hash=sha256:[0-9a-f]{64}", block), block
    assert not re.search(r"://|@|^\s*-[a-z]|^\s*--(?!hash=)", text, re.MULTILINE)


@pytest.mark.parametrize("wanted", DEV)
def test_pyproject_states_a_lower_bound_and_no_upper_one(wanted: str) -> None:
    assert [each.operator for each in Requirement(wanted).specifier] == [">="]


def test_the_image_installs_from_the_lock_and_fetches_nothing_else() -> None:
    text = (ROOT / "deploy" / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
    assert [re.sub(r" +", " ", found) for found in re.findall(r"pip install (.*)", text)] == [
        "--no-cache-dir --require-hashes --requirement requirements/run.txt",
        "--no-cache-dir --no-deps --no-index --no-build-isolation .",
    ]
    assert "!requirements/run.txt\n" in (ROOT / ".dockerignore").read_text("utf-8")


STUB = """#!/bin/sh
echo "$*" >>"{log}"
case "$*" in
    "-m venv --clear "*) mkdir -p "$4/bin" && cp "$0" "$4/bin/python" ;;
    "-m pip install"*) [ ! -e "{broken}" ] ;;
    "-c "*) exec "{python}" "$@" ;;
esac
"""


@dataclass(frozen=True, slots=True)
class Checkout:
    """A checkout with a lock of its own, and an interpreter that writes down what it should do."""

    folder: Path

    @property
    def venv(self) -> Path:
        return self.folder / ".venv"

    def start(self, label: str) -> subprocess.Popen[str]:
        command = f'. "{ROOT}/setup.sh"; root="{self.folder}"; prepare {label}'
        environment = {"PATH": "/usr/bin:/bin", "POSTROOM_PYTHON": str(self.folder / "python")}
        return subprocess.Popen(["sh", "-c", command], env=environment, stderr=subprocess.PIPE, text=True)

    def prepare(self, label: str) -> int:
        with self.start(label) as process:
            process.communicate(timeout=PATIENCE_SECONDS)
        return process.returncode

    def installs(self) -> list[str]:
        """What pip was asked for since the last question."""
        log = self.folder / "log"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return [line.removeprefix("-m pip install --quiet ") for line in lines if line.startswith("-m pip install")]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    (tmp_path / "requirements").mkdir()
    for name in ("requirements/run.txt", "requirements/dev.txt", "pyproject.toml", "setup.sh"):
        (tmp_path / name).write_text("1")
    (tmp_path / "python").write_text(
        STUB.format(log=tmp_path / "log", broken=tmp_path / "broken", python=sys.executable)
    )
    (tmp_path / "python").chmod(0o755)
    return Checkout(tmp_path)


def test_set_up_installs_the_lock_by_hash_and_the_project_without_fetching(checkout: Checkout) -> None:
    assert checkout.prepare("run") == 0
    assert checkout.installs() == [
        f"--require-hashes --requirement {checkout.folder}/requirements/run.txt",
        f"--no-deps --no-index --no-build-isolation --editable {checkout.folder}",
    ]


def test_set_up_is_done_once_and_for_testing_serves_running(checkout: Checkout) -> None:
    assert checkout.prepare("dev") == 0
    checkout.installs()
    assert (checkout.prepare("dev"), checkout.prepare("run")) == (0, 0)
    assert checkout.installs() == []


@pytest.mark.parametrize("name", ["requirements/dev.txt", "pyproject.toml", "setup.sh"])
def test_set_up_is_done_again_when_lock_metadata_or_script_changed(checkout: Checkout, name: str) -> None:
    checkout.prepare("dev")
    checkout.installs()
    (checkout.folder / name).write_text("2")
    assert checkout.prepare("dev") == 0
    assert len(checkout.installs()) == 2


def change_interpreter(checkout: Checkout) -> None:
    moved = checkout.folder / "python3.99"
    (checkout.venv / "bin" / "python").rename(moved)
    (checkout.venv / "bin" / "python").symlink_to(moved)


def lose_interpreter(checkout: Checkout) -> None:
    (checkout.venv / "bin" / "python").unlink()


@pytest.mark.parametrize("change", [change_interpreter, lose_interpreter])
def test_set_up_is_done_again_when_the_interpreter_changed(
    checkout: Checkout, change: Callable[[Checkout], None]
) -> None:
    checkout.prepare("run")
    checkout.installs()
    change(checkout)
    assert checkout.prepare("run") == 0
    assert len(checkout.installs()) == 2


def test_set_up_that_failed_is_tried_again(checkout: Checkout) -> None:
    (checkout.folder / "broken").touch()
    assert checkout.prepare("run") == 2
    (checkout.folder / "broken").unlink()
    checkout.installs()
    assert checkout.prepare("run") == 0
    assert len(checkout.installs()) == 2


def test_a_second_set_up_waits_for_the_first_and_does_nothing_when_that_was_enough(checkout: Checkout) -> None:
    assert checkout.prepare("run") == 0
    stamp = checkout.venv / "run.ready"
    done = stamp.read_text()
    stamp.unlink()
    checkout.installs()
    with (checkout.folder / "setup.sh").open() as first:
        fcntl.flock(first, fcntl.LOCK_EX)
        with checkout.start("run") as second:
            assert second.stderr is not None
            assert second.stderr.readline() == "postroom: waiting for another set-up of this checkout\n"
            stamp.write_text(done)
            fcntl.flock(first, fcntl.LOCK_UN)
            second.communicate(timeout=PATIENCE_SECONDS)
    assert (second.returncode, checkout.installs()) == (0, [])
