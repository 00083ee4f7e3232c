"""Secrets are references; what cannot be had is named without being shown."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from shared.config.reading import load_bytes
from shared.config.secrets import Missing, missing
from shared.config.values import MAX_SECRET_BYTES, Secret
from shared.contracts.errors import Misconfigured


def test_a_secret_comes_from_the_environment() -> None:
    assert Secret("${KEY}").reveal(environ={"KEY": "value"}) == "value"


def test_a_secret_comes_from_a_file_without_its_line_break(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("value\n")
    assert Secret("file:key").reveal(tmp_path, {}) == "value"
    assert Secret(f"file:{tmp_path}/key").reveal(environ={}) == "value"


@pytest.mark.parametrize("reference", ["hunter2", "", "$KEY", "${KEY", "${1KEY}", "x${KEY}"])
def test_a_clear_text_is_no_reference(reference: str) -> None:
    with pytest.raises(Misconfigured, match="never as its value") as refused:
        Secret(reference)
    assert "hunter2" not in str(refused.value)


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(Misconfigured, match="environment variable KEY is not set"):
        Secret("${KEY}").reveal(environ={"KEY": ""})


@pytest.mark.parametrize(("content", "reason"), [(None, "No such file"), (b"", "is empty"), (b"\xff", "not UTF-8")])
def test_an_unreadable_file_is_named(tmp_path: Path, content: bytes | None, reason: str) -> None:
    if content is not None:
        (tmp_path / "key").write_bytes(content)
    with pytest.raises(Misconfigured, match=f"{tmp_path}/key.*{reason}"):
        Secret("file:key").reveal(tmp_path, {})


def test_missing_secrets_are_listed_with_whether_they_are_needed(tmp_path: Path) -> None:
    text = """
settings: {token_key: "${TOKEN}"}
inboxes:
  - {name: a, address: a@b, protocol: imap, host: h, password: "file:gone",
     google: {service_account: s@b, private_key: "file:unused.pem"}}
  - {name: b, address: b@b, enabled: false, protocol: imap, host: h, password: "${OFF}"}
"""
    found = list(missing(load_bytes(text.encode(), base=tmp_path), environ={}))
    assert [(each.path, each.needed) for each in found] == [
        ("settings.token_key", True),
        ("inboxes[0].password", True),
        ("inboxes[0].google.private_key", False),
        ("inboxes[1].password", False),
    ]
    assert isinstance(found[0], Missing)
    assert "TOKEN" in found[0].message


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("short", ["it has no key of 16 characters or more"]),
        (f"short {'k' * 32}", ["1 of its keys have fewer than 16 characters"]),
        (f"{'k' * 32} {'o' * 16}", []),
    ],
)
def test_a_key_that_is_too_short_to_sign_is_reported_without_the_key(value: str, says: list[str]) -> None:
    config = load_bytes(b'settings: {token_key: "${TOKEN}"}')
    found = [each.message for each in missing(config, environ={"TOKEN": value})]
    assert [message.split(",")[0].split(" and ")[0] for message in found] == says
    assert all("kkk" not in message and "short" not in message for message in found)


@pytest.mark.parametrize("kind", ["pipe", "device", "folder", "huge"])
def test_a_secret_is_read_from_a_regular_file_of_bounded_size(tmp_path: Path, kind: str) -> None:
    """Nobody writes into the pipe, and the device has no end: neither may hold up a check."""
    path = tmp_path / "key"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "device":
            path = Path("/dev/zero")
        case "folder":
            path.mkdir()
        case "huge":
            path.write_bytes(b"x" * (MAX_SECRET_BYTES + 1))
    with pytest.raises(Misconfigured, match="secret file"):
        Secret(f"file:{path}").reveal(environ={})
