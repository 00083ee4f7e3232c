"""docs/openapi.yaml says what the code does: made from it, and every reference in it leads somewhere."""

from __future__ import annotations

from pathlib import Path

import yaml

from services import openapi
from services.console.intake.receive import ENDPOINTS
from tests.test_docs_asyncapi import references, resolved

FILE = Path(__file__).parents[1] / "docs" / "openapi.yaml"


def test_the_file_is_what_the_code_makes() -> None:
    assert FILE.read_text("utf-8") == openapi.rendered(), "run: python -m services.openapi > docs/openapi.yaml"


def test_every_endpoint_is_described_and_every_reference_leads_somewhere() -> None:
    contract = yaml.safe_load(FILE.read_text("utf-8"))
    assert list(contract["paths"]) == [each.path for each in ENDPOINTS]
    found = list(references(contract))
    assert found
    for each in found:
        resolved(contract, each)


def test_every_answer_that_asks_for_a_later_try_says_when() -> None:
    contract = yaml.safe_load(FILE.read_text("utf-8"))
    with_time = {status for status, each in contract["components"]["responses"].items() if "headers" in each}
    assert with_time == {"429", "503"}
