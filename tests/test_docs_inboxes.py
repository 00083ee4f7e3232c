"""The page on inboxes: each example is carried out, section by section, and comes out as the page says."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from services.operator.service_desk import manual_edits
from services.operator.service_desk.records import view
from shared.config.reading import load_bytes
from shared.store import configuration as configuration_store
from shared.store.documents import Document
from tests.desk import Desk

PAGE = Path(__file__).parents[1] / "docs/inboxes.md"
BLOCK = re.compile(r"^```(\w+) ?(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SECTION = re.compile(r"^## (.+)$", re.MULTILINE)


def sections() -> Iterator[tuple[str, str]]:
    """The sections that hold examples: title and text."""
    text = PAGE.read_text(encoding="utf-8")
    starts = [*SECTION.finditer(text)]
    ends = [*(match.start() for match in starts), len(text)]
    for match, (_, end) in zip(starts, pairwise(ends), strict=True):
        if BLOCK.search(text, match.end(), end):
            yield match[1], text[match.end() : end]


class Reader:
    """Does what the page says, one block after the other."""

    def __init__(self, desk: Desk, folder: Path) -> None:
        self.desk, self.folder = desk, folder
        self.mail: Document = {}

    def do(self, kind: str, about: str, text: str) -> None:
        """One block."""
        getattr(self, f"do_{kind}")(about, text)

    def do_yaml(self, _: str, text: str) -> None:
        """Check and apply a configuration."""
        configuration_store.apply(self.desk.store, load_bytes(text.encode(), base=self.folder))
        self.desk.app.directory.renew()

    def do_eml(self, inbox: str, text: str) -> None:
        """Hand a mail in."""
        (self.mail,) = self.desk.receive(text.encode(), inbox=inbox)

    def do_console(self, _: str, text: str) -> None:
        """Make a record as an operator does."""
        words = shlex.split(text)
        assert words[:3] == ["postroom", "records", "create"]
        type_ = self.desk.app.directory.type_named(words[3])
        assert type_ is not None
        options = dict(zip(words[4::2], words[5::2], strict=True))
        manual_edits.create(
            self.desk.app, type_, manual_edits.NewRecord(options["--subject"], customer=options["--customer"])
        )

    def do_json(self, _: str, text: str) -> None:
        """Compare the mail, records and outgoing mails that a block shows."""
        for line in text.splitlines():
            shown = json.loads(line)
            if "outcome" in shown:
                shown["records"], told = shown["records"], [each["number"] for each in self.mail["records"]]
                assert holds({**self.mail, "records": told}, shown), (shown, self.mail)
            elif "to" in shown:
                assert any(holds(each, shown) for each in self.desk.outbox()), (shown, self.desk.outbox())
            else:
                found = self.record(shown["type"], shown["number"])
                assert holds(found, shown), (shown, found)

    def record(self, type_: str, number: str) -> dict[str, Any]:
        """A record as `records show --json` prints it."""
        (found,) = (each for each in self.desk.app.records.list(100, type_=type_) if each.number == number)
        plain: dict[str, Any] = json.loads(json.dumps(view(self.desk.app, found, 1).as_json(), default=str))
        return plain

    def do_xml(self, _: str, text: str) -> None:
        """Compare the elements that a block shows with the exported file."""
        (file,) = (self.folder / "exports").iterdir()
        found = etree.parse(str(file)).getroot()
        for element in etree.fromstring(text.encode()).iter():
            if not len(element):
                same = [each for each in found.iter(element.tag) if each.get("name") == element.get("name")]
                assert [each.text for each in same] == [element.text]


def holds(found: Any, shown: Any) -> bool:
    """Whether what is found has all that is shown; texts without their line ends, `fields` exactly."""
    if isinstance(shown, dict) and isinstance(found, dict):
        exact = "fields" not in shown or shown["fields"] == found.get("fields")
        return exact and all(name in found and holds(found[name], value) for name, value in shown.items())
    if isinstance(shown, list):
        return len(shown) == len(found) and all(map(holds, found, shown))
    if isinstance(shown, str) and isinstance(found, str):
        return found.strip() == shown.strip()
    return bool(found == shown)


@pytest.mark.req("IV-10", "IV-30", "IV-32", "IV-33", "IV-34", "IV-35", "IV-40", "IV-42", "VF-10", "IV-23")
@pytest.mark.parametrize(("title", "text"), list(sections()), ids=lambda each: each if len(each) < 80 else "")
def test_the_examples_come_out_as_the_page_says(desk: Desk, tmp_path: Path, title: str, text: str) -> None:
    reader = Reader(desk, tmp_path)
    for kind, about, content in BLOCK.findall(text):
        reader.do(kind, about, content)
    assert reader.mail, title


def test_there_is_an_example_of_every_kind_of_inbox() -> None:
    assert len(list(sections())) == 6
