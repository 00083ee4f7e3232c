"""What forms say of each key is what the page on settings says; `python -m tests.test_docs_key_help` writes it anew."""

from __future__ import annotations

import json
import re
from pathlib import Path

from services.operator.settings.settings_form import key_help

ROOT = Path(__file__).parents[1]
PAGE, MADE = ROOT / "docs" / "settings.md", ROOT / "services" / "operator" / "settings" / "key_help.json"


def made_from(page: str) -> dict[str, dict[str, str]]:
    """Heading → key → what its row says, as plain text."""
    found: dict[str, dict[str, str]] = {}
    heading = ""
    for line in page.splitlines():
        if title := re.fullmatch(r"#{2,3} (\w+)", line):
            heading = title[1]
        elif row := re.fullmatch(r"\| `(\w+)` \|(?:.*?)\| (.*?) ?\|", line):
            found.setdefault(heading, {})[row[1]] = plain(row[2])
    return {heading: keys for heading, keys in found.items() if keys}


def plain(markdown: str) -> str:
    """Without links and marks of code."""
    linked = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", markdown)
    elsewhere = r"(; )?see (\*Methods\* )?below( and mailboxes\.md)?|; see mailboxes\.md"
    return re.sub(elsewhere, "", linked).replace("`", "").strip()


def test_the_help_of_forms_is_that_of_the_page() -> None:
    assert key_help() == made_from(PAGE.read_text())


if __name__ == "__main__":
    MADE.write_text(json.dumps(made_from(PAGE.read_text()), indent=1, ensure_ascii=False) + "\n")
