"""Which room may import which: the rules that keep the house in order, checked on the source itself."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from services import pipeline
from services.queues import QUEUES
from shared.runtime.broker import INTAKE
from shared.store.documents import Documents

ROOT = Path(__file__).parents[1]
TECHNOLOGIES = {
    "pika": "shared/rabbitmq",
    "kombu": "shared/rabbitmq",
    "amqp": "shared/rabbitmq",
    "pymongo": "shared/mongodb",
    "bson": "shared/mongodb",
    "gridfs": "shared/mongodb",
    "sqlite3": "shared/embedded",
}
"""Library → the one folder that may import it."""
_CONTRACTS = ("shared.contracts", "shared.lazy_dataclass", "shared.canonical_json")
STAGES = sorted(path.parent.name for path in ROOT.glob("services/*/stage.py"))


OF_COLLECTIONS = {
    name for name, method in vars(Documents).items() if "collection" in getattr(method, "__annotations__", {})
}
"""The methods of the document port that are given the name of a collection."""
DOCUMENTS = "shared.store.documents.Document"
STORE_ROOMS = ("shared.store.", "shared.embedded.", "shared.mongodb.")
"""Where documents are plain dicts, and collections have names. Everywhere else they are rows of a repository."""


def _modules() -> dict[str, Path]:
    files = [path for room in ("services", "shared") for path in (ROOT / room).rglob("*.py")]
    return {_name(path): path for path in files}


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


@dataclass(frozen=True, slots=True)
class Contents:
    """What these tests look at in a file."""

    imports: set[str]
    """Every module or name that it imports."""
    at_start: set[str]
    """Those that are not imported inside functions."""
    asked_of_collections: set[str]
    """The methods by which it asks the document port for a collection."""


@cache
def _contents(path: Path) -> Contents:
    """Each file is parsed once; what it holds is kept, and not its tree."""
    nodes = list(ast.walk(ast.parse(path.read_bytes())))
    importing = [node for node in nodes if isinstance(node, _IMPORTS)]
    functions = [node for node in nodes if isinstance(node, _FUNCTIONS)]
    inner = {each for function in functions for each in ast.walk(function) if isinstance(each, _IMPORTS)}
    at_start = [node for node in importing if node not in inner]
    return Contents(set(_imports(importing)), set(_imports(at_start)), set(_asked_of_collections(nodes)))


def _imports(nodes: Sequence[ast.Import | ast.ImportFrom]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        else:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _asked_of_collections(nodes: Sequence[ast.AST]) -> Iterator[str]:
    for node in nodes:
        match node:
            case ast.Call(ast.Attribute(ast.Name(port) | ast.Attribute(attr=port), attr=method)) if (
                method in OF_COLLECTIONS and port in {"documents", "_documents", "store"}
            ):
                yield method


_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_IMPORTS = (ast.Import, ast.ImportFrom)
MODULES = _modules()


@cache
def _all_imports() -> dict[str, set[str]]:
    """By module. Not a constant: every process of a test run would compute it to collect these tests."""
    return {name: _contents(path).imports for name, path in MODULES.items()}


def _offences(room: str, *forbidden: str) -> list[str]:
    return [
        f"{name} imports {each}"
        for name, imports in _all_imports().items()
        for each in sorted(imports)
        if name.startswith(f"{room}.") and each.startswith(forbidden)
    ]


def test_shared_imports_no_service() -> None:
    assert _offences("shared", "services") == []


def test_contracts_import_the_standard_library_only() -> None:
    """And what stands for its `dataclass` and its `json`."""
    imports = {each for name, found in _all_imports().items() if name.startswith("shared.contracts") for each in found}
    foreign = {each for each in imports if each.split(".")[0] not in sys.stdlib_module_names}
    assert {each for each in foreign if not each.startswith(_CONTRACTS)} == set()


def test_data_classes_are_those_that_are_made_at_first_use() -> None:
    """`from shared.lazy_dataclass import dataclass`: one that the library compiles at import slows every start."""
    compiled = {name for name, found in _all_imports().items() if "dataclasses.dataclass" in found}
    assert compiled - {"shared.lazy_dataclass"} == set()


def test_the_operator_room_knows_no_command_line() -> None:
    """A console shows what `services/operator` returns: nothing there parses words or prints."""
    assert _offences("services.operator", "click", "rich", "services.cli") == []


@pytest.mark.parametrize("stage", STAGES)
def test_no_stage_imports_another_service(stage: str) -> None:
    room = f"services.{stage}."
    found = {each for name in MODULES if name.startswith(room) for each in _all_imports()[name]}
    others = {each for each in found if each.startswith("services.") and not each.startswith(room)}
    assert others == set()


def test_there_are_stages_to_look_at() -> None:
    assert len(STAGES) == 7


NAMED_ALL_THE_SAME = {
    ("shared.runtime.broker", "dead-letter"),  # a queue of the broker port itself
    ("shared.mongodb.documents", "filter"),  # a word of MongoDB's commands
}
"""(module, name of a stage) in shared that stands for something else."""


def test_shared_names_no_stage() -> None:
    quoted = re.compile("[\"'](" + "|".join((*pipeline.STAGES, *QUEUES.names)) + ")[\"']")
    shared = {name: path.read_text() for name, path in MODULES.items() if name.startswith("shared.")}
    found = {(name, match[1]) for name, source in shared.items() for match in quoted.finditer(source)}
    assert {each for each in found if each[1] != INTAKE} - NAMED_ALL_THE_SAME == set()


def test_every_queue_has_its_stage_and_every_route_its_queue() -> None:
    assert set(QUEUES.names) == {INTAKE if name == "parser" else name for name in pipeline.STAGES}
    assert set(pipeline.ROUTES.values()) < set(QUEUES.names)


def test_a_library_is_imported_in_the_folder_of_its_technology_only() -> None:
    offences = [
        f"{name} imports {each}"
        for name, imports in _all_imports().items()
        for each in imports
        if (folder := TECHNOLOGIES.get(each.split(".")[0])) and not MODULES[name].is_relative_to(ROOT / folder)
    ]
    assert offences == []


def test_one_module_looks_at_the_types_of_fields() -> None:
    """Messages, documents, configuration and schemas are all made by `shared.contracts.fields`."""
    looking = re.compile(r"\b(get_type_hints|get_origin|__metadata__)\b")
    found = {name for name, path in MODULES.items() if looking.search(path.read_text())}
    assert found == {"shared.contracts.fields"}


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = {name: _known(_contents(path).at_start) - {name} for name, path in MODULES.items()}
    while leaves := {name for name, needed in graph.items() if not needed}:
        graph = {name: needed - leaves for name, needed in graph.items() if name not in leaves}
    assert sorted(graph) == []


def _known(imports: set[str]) -> set[str]:
    """The modules of ours among them: `a.b.c` is the module `a.b.c`, or a name in the module `a.b`."""
    found = set()
    for each in imports:
        module = each if each in MODULES else each.rpartition(".")[0]
        found |= {module} & set(MODULES)
    return found


def test_a_collection_is_named_by_its_repository_alone() -> None:
    outside = {name: path for name, path in MODULES.items() if not name.startswith(STORE_ROOMS)}
    assert {name for name, path in outside.items() if _contents(path).asked_of_collections} == set()


def test_documents_stay_in_the_store() -> None:
    outside = {name for name, imports in _all_imports().items() if DOCUMENTS in imports}
    assert {name for name in outside if not name.startswith(STORE_ROOMS)} == set()


def test_the_rules_on_documents_find_what_they_look_for() -> None:
    assert _contents(MODULES["shared.store.journal"]).asked_of_collections == {"insert_many", "find", "delete"}
    assert DOCUMENTS in _all_imports()["shared.store.records"]


def test_the_index_of_decisions_lists_every_page_with_its_title() -> None:
    folder = ROOT / "docs/decisions"
    listed = re.findall(r"^- (\d{4}) \[(.+)\]\((.+)\)$", (folder / "README.md").read_text("utf-8"), re.MULTILINE)
    pages = [(page.read_text("utf-8").partition("\n")[0], page.name) for page in sorted(folder.glob("0*.md"))]
    assert [(f"# {number} {title}", name) for number, title, name in listed] == pages
