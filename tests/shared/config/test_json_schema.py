"""The JSON Schema for editors is current, takes what is right and refuses what is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from services.cli.main import cli
from shared.config.json_schema import Schema, json_schema

ROOT = Path(__file__).parents[3]
FILE = ROOT / "docs/schema/postroom.schema.json"
EXAMPLES = [ROOT / "services/cli/samples/desk.yaml", ROOT / "deploy/postroom.yaml"]
KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}


class Loader(yaml.SafeLoader):
    """YAML 1.2 as editors read it: `on` is a text."""


Loader.yaml_implicit_resolvers = {
    first: [each for each in resolvers if first in "tTfF" or not each[0].endswith(":bool")]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def faults(value: Any, schema: Schema, path: str = "") -> Iterator[str]:
    """The places that break the schema, by the keywords that ours uses."""
    if "anyOf" in schema and all(list(faults(value, each, path)) for each in schema["anyOf"]):
        yield path
    if "enum" in schema and value not in schema["enum"]:
        yield path
    if "const" in schema and value != schema["const"]:
        yield path
    kinds = [schema["type"]] if isinstance(schema.get("type"), str) else schema.get("type", [])
    if kinds and not any(_is(value, kind) for kind in kinds):
        yield path
    elif isinstance(value, dict):
        yield from _faults_of_object(value, schema, path)
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from faults(each, schema.get("items", {}), f"{path}[{index}]")
    elif isinstance(value, str) and not re.search(schema.get("pattern", ""), value):
        yield path


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, KINDS[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _faults_of_object(value: dict[str, Any], schema: Schema, path: str) -> Iterator[str]:
    yield from (f"{path}.{name}" for name in schema.get("required", ()) if name not in value)
    for name, each in value.items():
        rest = schema.get("additionalProperties", {})
        known = schema.get("properties", {}).get(name, rest)
        if known is False:
            yield f"{path}.{name}"
        else:
            yield from faults(each, known, f"{path}.{name}")


def test_the_file_is_current() -> None:
    printed = CliRunner().invoke(cli, ["config", "schema"]).stdout
    assert json.loads(printed) == json_schema()
    assert FILE.read_text() == printed, "write it again: postroom config schema > docs/schema/postroom.schema.json"


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_examples_are_valid(path: Path) -> None:
    assert list(faults(yaml.load(path.read_bytes(), Loader), json_schema())) == []


def test_examples_of_the_settings_page_are_valid() -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/settings.md").read_text(), re.DOTALL)
    assert blocks
    for block in blocks:
        assert list(faults(yaml.load(block, Loader), json_schema())) == []


INBOX = "name: a, address: a@example.com"


@pytest.mark.parametrize(
    "wrong",
    [
        "inboxs: []",
        "inboxes: [{name: a}]",
        f"inboxes: [{{{INBOX}, protocol: imap4}}]",
        f"inboxes: [{{{INBOX}, port: many}}]",
        f"inboxes: [{{{INBOX}, password: secret}}]",
        f"inboxes: [{{{INBOX}, enabled: perhaps}}]",
        f"inboxes: [{{{INBOX}, sender: {{polcy: create}}}}]",
        f"inboxes: {{{INBOX}}}",
        "people: [{id: a, name: A, roles: [king]}]",
        "settings: {poll_interval: 60}",
    ],
)
def test_a_wrong_file_is_not_valid(wrong: str) -> None:
    assert list(faults(yaml.load(wrong, Loader), json_schema()))


def test_a_single_value_in_place_of_a_list_is_valid() -> None:
    assert list(faults({"settings": {"restricted_attachments": "*.exe"}}, json_schema())) == []


def test_a_key_without_a_value_and_a_text_that_looks_like_a_number_are_valid() -> None:
    right = f"inboxes: [{{{INBOX}, host: null, username: 4711, password: '${{PASSWORD}}', enabled: on, after: leave}}]"
    assert list(faults(yaml.load(right, Loader), json_schema())) == []
