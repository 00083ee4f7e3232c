"""The RabbitMQ nodes of the tests: the version that was asked for, and nothing left behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.servers import rabbitmq_versions as versions
from tests.servers.rabbitmq import NodeError, RabbitNode


@pytest.mark.every_rabbitmq
def test_a_node_is_of_the_version_that_was_asked_for(rabbit_node: RabbitNode) -> None:
    said = rabbit_node.api("GET", "overview")["rabbitmq_version"]
    assert "/" in rabbit_node.version or said.startswith(f"{rabbit_node.version}.")


@pytest.mark.every_rabbitmq
def test_a_running_node_and_its_commands_leave_no_mount_on_the_machine(rabbit_node: RabbitNode) -> None:
    rabbit_node.ctl("version")
    mounts = Path("/proc/self/mounts").read_text()
    assert str(versions.BESIDE) not in mounts
    assert str(rabbit_node.folder) not in mounts


@pytest.mark.every_rabbitmq
def test_a_node_evaluates_expressions_and_says_when_one_fails(rabbit_node: RabbitNode) -> None:
    assert rabbit_node.evaluate("1 + 1") == "2"
    with pytest.raises(NodeError, match="undef"):
        rabbit_node.evaluate("no:such()")


def test_a_path_is_the_folder_of_the_programs(tmp_path: Path) -> None:
    assert versions.programs_of(str(tmp_path)) == tmp_path
    assert versions.missing(str(tmp_path)) == (
        f"RabbitMQ {tmp_path} is not installed ({tmp_path} has no rabbitmq-server)"
    )


def test_the_machines_own_rabbitmq_is_used_when_it_is_of_the_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "lib/rabbitmq_server-4.0.5").mkdir(parents=True)
    monkeypatch.setattr(versions, "SYSTEM", tmp_path / "bin")
    monkeypatch.setattr(versions, "BESIDE", tmp_path / "beside")
    assert versions.programs_of("4.0") == tmp_path / "bin"
    assert versions.programs_of("3.10") == tmp_path / "beside/rabbitmq-3.10/programs"


def test_a_version_beside_the_machines_own_is_started_as_root_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(versions, "BESIDE", tmp_path)
    programs = tmp_path / "rabbitmq-5.0/programs"
    programs.mkdir(parents=True)
    for name in ("rabbitmq-server", "epmd"):
        (programs / name).touch(mode=0o755)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert versions.missing("5.0") is None
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert versions.missing("5.0") == f"RabbitMQ 5.0 in {tmp_path} can be started as root only"


def test_the_newest_version_that_can_be_started_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "VERSIONS", ("3.10", "4.0"))
    monkeypatch.setattr(versions, "missing", lambda version: "not here" if version == "4.0" else None)
    assert versions.newest() == "3.10"
    monkeypatch.setattr(versions, "missing", lambda _: "not here")
    assert versions.newest() == "4.0"
