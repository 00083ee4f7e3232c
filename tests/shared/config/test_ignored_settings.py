"""What a configuration asks for in vain is told, and told by the page of settings too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from shared.config.ignored_settings import KEPT, Supported, find_ignored
from shared.config.keys import WITHOUT_EFFECT
from shared.config.model import Configuration, Settings
from shared.config.reading import load_bytes
from shared.config.schema import marked
from tests.shared.config.test_settings_page import PARTS

PAGE = Path(__file__).parents[3] / "docs" / "settings.md"
SPOKEN = Supported(("imap",), ("smtp",), ("auto", "plain", "regular", "none"))
IMAP = "inboxes: [{name: a, address: a@example.com, protocol: imap, host: h, password: '${X}', "
SMTP = "mail_servers: [{name: out, host: h, "


def told(text: str) -> list[str]:
    return [f"{each.path}: {each.message}" for each in find_ignored(load_bytes(text.encode()), SPOKEN)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{}", []),
        ("inboxes: [{name: a, address: a@example.com}]", []),
        (IMAP + "auth: plain}]", []),
        (IMAP + "auth: ntlm}]", ["inboxes[0].auth: ntlm is not available in this version; it has auto, plain, "]),
        (
            "inboxes: [{name: a, address: a@example.com, protocol: pop3, host: h, password: '${X}', after: delete}]",
            ["inboxes[0].protocol: pop3 is not available in this version; it has imap"],
        ),
        (
            "mail_servers: [{name: out, protocol: ews, username: a@example.com, password: '${X}'}]",
            ["mail_servers[0].protocol: ews is not available in this version; it has smtp"],
        ),
        (SMTP + "conversation_id: {enabled: true}}]", [f"mail_servers[0].conversation_id: {KEPT}"]),
        ("settings: {response_url: https://desk.example.com}", [f"settings.response_url: {KEPT}"]),
        ("settings: {poll_interval: 5m}", []),
        ("people: [{id: a, name: A}, {id: b, name: B, active: false}]", [f"people[1].active: {KEPT}"]),
        (
            "people: [{id: a, name: A, permissions: [x]}, {id: b, name: B, permissions: [x]}]",
            [f"people[0].permissions: {KEPT}; so for 2 people"],
        ),
        ("slas: [{name: gold, on: incident, respond: 1h}]", [f"slas: {KEPT}"]),
    ],
)
def test_what_this_version_does_not_do_is_told_with_its_place(text: str, expected: list[str]) -> None:
    found = told(text)
    assert len(found) == len(expected)
    assert all(line.startswith(start) for line, start in zip(found, expected, strict=True))


def test_the_page_of_settings_tells_every_key_without_effect() -> None:
    page = re.search(r"## Without effect in this version\n(.*?)\n## ", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert page
    lacking = [
        key
        for part in (Configuration, *PARTS.values())
        for key in marked(part, WITHOUT_EFFECT)
        if f"`{key}`" not in page[1] and f".{key}`" not in page[1] and part.__name__ != "AuthFailureTicket"
    ]
    assert lacking == []
    assert marked(Settings, WITHOUT_EFFECT) == {"response_url", "self_service_url", "token_key", "format_per_person"}
    assert "`auth_failure_ticket`" in page[1]
