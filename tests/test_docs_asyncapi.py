"""docs/asyncapi.yaml says what the code does: made from it, complete, and valid AsyncAPI 3."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from services import asyncapi
from services.pipeline import ANNOUNCED, ROUTES
from services.queues import QUEUES
from shared.contracts import codec
from shared.rabbitmq import topology
from shared.rabbitmq.wire import MAX_MESSAGE_BYTES
from tests.servers import npm
from tests.shared.contracts.samples import SAMPLES

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docs" / "asyncapi.yaml"
CHECKER = Path(__file__).parent / "asyncapi"


@pytest.fixture(scope="module")
def contract() -> dict[str, Any]:
    """The document as integrators read it."""
    found: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))
    return found


def references(value: Any) -> Iterator[str]:
    """Every `$ref` below a value."""
    match value:
        case {"$ref": str(target)}:
            yield target
        case dict():
            for inner in value.values():
                yield from references(inner)
        case list():
            for inner in value:
                yield from references(inner)


def resolved(contract: Any, reference: str) -> Any:
    """What a reference points to; KeyError when nothing is there."""
    found = contract
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return resolved(contract, found["$ref"]) if set(found) == {"$ref"} else found


def test_the_file_is_what_the_code_makes() -> None:
    made = asyncapi.rendered()
    assert FILE.read_text("utf-8") == made, "run: python -m services.asyncapi > docs/asyncapi.yaml"


def test_every_reference_leads_somewhere(contract: dict[str, Any]) -> None:
    found = list(references(contract))
    assert "#/components/schemas/MailParsed" in found
    for reference in found:
        assert resolved(contract, reference)


def test_every_event_is_a_message_with_a_schema(contract: dict[str, Any]) -> None:
    assert set(contract["components"]["messages"]) == {"RawMail", *codec.EVENTS}
    assert set(codec.EVENTS) <= set(contract["components"]["schemas"])


def test_every_route_is_a_channel_with_an_operation(contract: dict[str, Any]) -> None:
    addresses = {channel["address"] for channel in contract["channels"].values()}
    keys = {key for cls in ANNOUNCED for key in asyncapi.routes_of_the_pipeline().announced[cls]}
    assert addresses == {"intake", *keys, *(f"postroom.{queue}" for queue in ROUTES.values())}
    used = {operation["channel"]["$ref"].rsplit("/", 1)[1] for operation in contract["operations"].values()}
    assert used == set(contract["channels"])


def test_what_integrators_may_use_is_separated_from_what_is_internal(contract: dict[str, Any]) -> None:
    marked = {channel["address"]: [tag["name"] for tag in channel["tags"]] for channel in contract["channels"].values()}
    assert {address for address, tags in marked.items() if tags == ["integrators"]} == {
        "intake",
        "record.created",
        "record.updated",
        "record.resolved",
        "record.closed",
        "record.reopened",
        "record.deleted",
        "record.sla_due",
        "record.sla_breached",
        "record.imported",
        "mail.rejected",
    }


def test_exchanges_queues_and_limits_are_the_brokers(contract: dict[str, Any]) -> None:
    table = topology.topology(QUEUES)
    bindings = [channel["bindings"]["amqp"] for channel in contract["channels"].values()]
    assert {each["exchange"]["name"] for each in bindings if each["is"] == "routingKey"} == {table.work, table.events}
    queues = {each["queue"]["name"] for each in bindings if each["is"] == "queue"}
    assert queues <= {queue.name for queue in table.queues}
    assert contract["components"]["messages"]["RawMail"]["payload"]["maxLength"] == MAX_MESSAGE_BYTES


def test_publishing_to_intake_is_described_as_mandatory_and_persistent(contract: dict[str, Any]) -> None:
    binding = contract["operations"]["takeMail"]["bindings"]["amqp"]
    assert (binding["mandatory"], binding["deliveryMode"]) == (True, 2)


TYPES: dict[str, Any] = {
    "string": str,
    "integer": int,
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": type(None),
}


def fits(contract: Any, schema: Any, value: Any) -> bool:
    """JSON Schema as far as the document uses it."""
    schema = resolved(contract, schema["$ref"]) if "$ref" in schema else schema
    if "oneOf" in schema:
        return sum(fits(contract, each, value) for each in schema["oneOf"]) == 1
    allowed = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if type(value) not in {TYPES[name] for name in allowed} or value not in schema.get("enum", [value]):
        return False
    if isinstance(value, list):
        return all(fits(contract, schema["items"], each) for each in value)
    if isinstance(value, dict):
        known = all(fits(contract, schema["properties"][name], each) for name, each in value.items())
        return known and set(schema.get("required", ())) <= set(value)
    return True


@pytest.mark.parametrize("name", sorted(codec.EVENTS))
def test_the_schema_describes_what_travels(contract: dict[str, Any], name: str) -> None:
    schema, value = contract["components"]["schemas"][name], json.loads(codec.encode(SAMPLES[name]))
    assert fits(contract, schema, value)
    assert not fits(contract, schema, {**value, next(iter(value)): 7.5})
    assert not fits(contract, schema, {})


@pytest.fixture(scope="module")
def checker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with AsyncAPI's schema and the program that checks by it."""
    return npm.install(CHECKER, tmp_path_factory.mktemp("npm") / "asyncapi")


@pytest.mark.parametrize(("broken", "code"), [(False, 0), (True, 1)], ids=["ours", "broken"])
def test_the_document_is_valid_by_asyncapis_own_schema(checker: Path, *, broken: bool, code: int) -> None:
    document = {"asyncapi": "3.0.0", "channels": []} if broken else yaml.safe_load(FILE.read_text("utf-8"))
    (checker / "asyncapi.json").write_text(json.dumps(document), "utf-8")
    command = ["node", "check.js", "asyncapi.json"]
    checked = subprocess.run(command, cwd=checker, capture_output=True, text=True, check=False)
    assert checked.returncode == code, checked.stdout + checked.stderr
