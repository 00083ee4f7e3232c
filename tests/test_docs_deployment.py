"""docker-compose.yml and what it mounts: complete, scalable, no secrets, and true to the code."""

from __future__ import annotations

import os
import re
import runpy
import shutil
import socket
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.pipeline import STAGES
from services.runner import SOURCES
from shared.config.reading import load
from tests.desk import Desk
from tests.servers.presence import PATIENCE_SECONDS

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
SECRETS = ("RABBITMQ_PASSWORD", "MONGODB_PASSWORD", "MAIL_PASSWORD", "POSTROOM_TOKEN_KEY")
WORKERS = {*SOURCES, *STAGES}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The file, anchors resolved."""
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    return found


def test_every_stage_and_source_is_a_service(compose: dict[str, Any]) -> None:
    commands = [each["command"] for each in compose["services"].values() if each.get("command", [""])[0] == "worker"]
    assert sorted(each[1] for each in commands) == sorted([*WORKERS, "http-intake"])


def test_the_console_and_http_intake_have_the_rights_and_settings_of_workers(compose: dict[str, Any]) -> None:
    worker = compose["services"]["filter"]
    for name in ("console", "http-intake"):
        service = compose["services"][name]
        assert {**worker["environment"], **service["environment"]} == service["environment"]
        assert all(service[each] == worker[each] for each in ("read_only", "cap_drop", "security_opt", "restart"))
        (port,) = service["ports"]
        assert any(port.rpartition(":")[2] in word for word in (*service["command"], "8025"))
    assert compose["services"]["http-intake"]["profiles"] == ["http-intake"]


def test_prometheus_reads_every_process_on_the_port_that_they_serve(compose: dict[str, Any]) -> None:
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text("utf-8"))
    (job,) = config["scrape_configs"]
    (services,) = job["dns_sd_configs"]  # each container of a service that is scaled, not one of them at each scrape
    assert str(services["port"]) == compose["services"]["filter"]["environment"]["POSTROOM_METRICS_PORT"]
    assert (services["type"], sorted(services["names"])) == ("A", sorted({*WORKERS, "console"}))
    assert all(compose["services"][name]["profiles"] == ["metrics"] for name in ("prometheus", "grafana"))


@pytest.mark.parametrize("stage", sorted(WORKERS))
def test_a_worker_can_be_scaled_restarts_and_leaves_in_order(compose: dict[str, Any], stage: str) -> None:
    service = compose["services"][stage]
    assert {"container_name", "ports", "hostname", "volumes"} & set(service) == set()
    assert service["restart"] == "unless-stopped"
    assert int(service["stop_grace_period"].removesuffix("s")) >= 30
    assert service["depends_on"]["configure"] == {"condition": "service_completed_successfully"}


@pytest.mark.parametrize("stage", sorted(WORKERS))
def test_a_worker_has_no_rights_that_it_does_not_need(compose: dict[str, Any], stage: str) -> None:
    service = compose["services"][stage]
    assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
    assert "no-new-privileges:true" in service["security_opt"]
    assert {"mem_limit", "cpus"} <= set(service)
    assert "\nUSER 10001" in (DEPLOY / "Dockerfile").read_text("utf-8")


def test_workers_verify_the_topology_and_only_configure_makes_it(compose: dict[str, Any]) -> None:
    verifies = {
        name: each.get("environment", {}).get("POSTROOM_VERIFY_TOPOLOGY") for name, each in compose["services"].items()
    }
    assert {name for name, value in verifies.items() if value == "1"} >= WORKERS
    assert [name for name, value in verifies.items() if value == "0"] == ["configure"]


def test_secrets_are_required_and_none_is_in_the_files() -> None:
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    used = set(re.findall(r"\$\{(\w+):\?", text))
    assert used == set(SECRETS)
    assert re.findall(rf"\$\{{(?:{'|'.join(SECRETS)})(?!:\?)", text) == []
    example = (DEPLOY / ".env.example").read_text("utf-8")
    assert re.findall(r"^(\w+)=(.*)$", example, re.MULTILINE) == [(name, "") for name in SECRETS]


def test_ports_are_open_to_this_machine_only(compose: dict[str, Any]) -> None:
    published = [port for service in compose["services"].values() for port in service.get("ports", ())]
    assert published
    assert all(port.startswith("127.0.0.1:") for port in published)


def test_images_name_a_version(compose: dict[str, Any]) -> None:
    images = {service["image"] for service in compose["services"].values()} - {"postroom:${POSTROOM_VERSION:-latest}"}
    assert images
    assert all(re.search(r":v?\d", image) for image in images), images


def test_what_is_copied_and_mounted_exists(compose: dict[str, Any]) -> None:
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", (DEPLOY / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    mounted = [volume for service in compose["services"].values() for volume in service.get("volumes", ())]
    paths = [name for line in copied for name in line.split()]
    paths += [volume.split(":")[0] for volume in mounted if volume.startswith("./")]
    assert [path for path in paths if not (ROOT / path).exists()] == []
    ignored = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    assert [name for line in copied for name in line.split() if f"!{name}" not in ignored] == []


def run_compose(**environ: str) -> subprocess.CompletedProcess[str]:
    """Debian's docker-compose reads the file; it needs no engine for that."""
    program = shutil.which("docker-compose")
    if program is None:
        pytest.skip("docker-compose is not installed")
    clean = {name: value for name, value in os.environ.items() if name not in SECRETS}
    command = [program, "--project-directory", str(ROOT), "-f", str(ROOT / "docker-compose.yml"), "config"]
    return subprocess.run(
        command, env=clean | environ, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )


def test_docker_compose_accepts_the_file() -> None:
    done = run_compose(**dict.fromkeys(SECRETS, "x"))
    assert done.returncode == 0, done.stderr
    assert set(yaml.safe_load(done.stdout)["services"]) >= WORKERS


@pytest.mark.parametrize("name", SECRETS)
def test_docker_compose_refuses_to_start_without_a_secret(name: str) -> None:
    done = run_compose(**dict.fromkeys(SECRETS, "x") | {name: ""})
    assert done.returncode != 0
    assert "deploy/.env.example" in done.stderr


# -- the configuration and the sample mails


def test_the_configuration_has_no_problems() -> None:
    configuration = load(DEPLOY / "postroom.yaml")
    assert [inbox.name for inbox in configuration.inboxes] == ["support"]


def test_the_sample_mails_show_a_record_an_update_an_attachment_and_a_rejection(desk: Desk) -> None:
    mails = sorted((DEPLOY / "mail").glob("*.eml"))
    desk.configure(replace(load(DEPLOY / "postroom.yaml"), mail_servers=()))  # answers stay in the outbox
    outcomes = [mail["outcome"] for path in mails for mail in desk.receive(path.read_bytes(), inbox="support")]
    assert outcomes == ["recorded", "recorded", "recorded", "rejected"]
    assert len(desk.records()) == 2
    assert {file["filename"] for mail in desk.mails() for file in attachments(desk, mail)} == {"rollen.csv"}


def attachments(desk: Desk, mail: dict[str, Any]) -> list[dict[str, Any]]:
    """What the records' activities hold of this mail's files."""
    found = desk.store.find("activities", {"mail_id": mail["_id"]})
    return [file for activity in found for file in activity.get("attachments", ())]


# -- the health check

HEALTHY = runpy.run_path(str(DEPLOY / "healthy.py"))
HEADER = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("amqp://u:p@rabbitmq:5672/%2F", {5672}),
        ("amqps://u:p@rabbitmq/%2F", {5671}),
        ("mongodb://u:p@mongodb/postroom", {27017}),
        ("mongodb://u:p@a:27018,b:27019/postroom?replicaSet=rs0", {27018, 27019}),
    ],
)
def test_the_ports_of_a_url_are_known(url: str, expected: set[int]) -> None:
    assert HEALTHY["ports"](url) == expected


def test_only_established_connections_count() -> None:
    row = "   {}: 0100007F:8F7A 0200007F:{} {} 00000000:00000000 00:00000000 00000000 0 0 1 1 0 20 4 30 10 -1"
    lines = [HEADER, row.format(0, "1628", "01"), row.format(1, "6989", "06"), ""]
    assert HEALTHY["connected"](lines[1:]) == {5672}


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="the kernel's table is Linux's")
def test_a_worker_is_healthy_while_it_is_connected() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"amqp://u:p@127.0.0.1:{server.getsockname()[1]}/%2F"
        with socket.create_connection(server.getsockname()) as client, server.accept()[0]:
            assert client
            assert check_health(POSTROOM_BROKER_URL=url).returncode == 0
        told = check_health(POSTROOM_BROKER_URL=url)
    assert (told.returncode, told.stderr) == (1, "not connected to what POSTROOM_BROKER_URL names\n")


def test_without_servers_there_is_nothing_to_be_connected_to() -> None:
    assert check_health().returncode == 0


def check_health(**environ: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("POSTROOM_")}
    command = ["python3", str(DEPLOY / "healthy.py")]
    return subprocess.run(
        command, env=clean | environ, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )


def test_the_deployment_page_names_every_service_and_variable(compose: dict[str, Any]) -> None:
    page = (ROOT / "docs" / "deployment.md").read_text("utf-8")
    names = [*compose["services"], *SECRETS, "POSTROOM_BROKER_URL", "POSTROOM_STORE_URL", "POSTROOM_VERIFY_TOPOLOGY"]
    assert [name for name in names if f"`{name}`" not in page] == []
