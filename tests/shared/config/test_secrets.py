"""Secrets are references; what is missing is named without being shown."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from shared.config.reading import load_bytes
from shared.config.secrets import Missing, missing
from shared.config.values import MAX_SECRET_BYTES, Secret
from shared.contracts.errors import Misconfigured
from shared.mail_network.tls import InvalidTlsFile, TlsOptions
from tests.servers.tls import Authority


def test_a_secret_comes_from_the_environment() -> None:
    assert Secret("${KEY}").reveal(environ={"KEY": "value"}) == "value"


def test_a_secret_comes_from_a_file_without_its_line_break(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("value\n")
    assert Secret("file:key").reveal(tmp_path, {}) == "value"
    assert Secret(f"file:{tmp_path}/key").reveal(environ={}) == "value"


@pytest.mark.parametrize("reference", ["hunter2", "", "$KEY", "${KEY", "${1KEY}", "x${KEY}"])
def test_a_clear_text_is_not_a_reference(reference: str) -> None:
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


# files of authorities and client certificates (TI-05)

TLS = """
inboxes:
  - {{name: a, address: a@b, protocol: imap, host: h, password: "${{P}}", {keys}}}
"""


def _faults(keys: str, folder: Path, **environ: str) -> list[Missing]:
    config = load_bytes(TLS.format(keys=keys).encode(), base=folder)
    return list(missing(config, environ={"P": "x"} | environ))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def test_files_that_fit_have_no_fault(authority: Authority, tmp_path: Path) -> None:
    locked = authority.issue("desk", passphrase="open")
    keys = f"ca_file: own-ca.pem, client_certificate: 'file:{locked.together}', client_certificate_passphrase: '${{Q}}'"
    assert _faults(keys, tmp_path, Q="open") == []


@pytest.mark.req("TI-05", "TI-13")
@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("ca_file: gone.pem", r"ca_file .*/gone\.pem cannot be read: No such file"),
        ("ca_file: desk.key", r"ca_file .*/desk\.key has no certificate in PEM form"),
        ("client_certificate: 'file:gone.pem'", r"the secret file .*/gone\.pem cannot be read: No such file"),
        ("client_certificate: 'file:desk.pem'", "client_certificate has no private key"),
        ("client_certificate: 'file:desk.key'", "client_certificate has no certificate"),
        ("client_certificate: 'file:mixed.pem'", "private key does not belong to the first certificate"),
        ("client_certificate: 'file:cut.pem'", "has a certificate that cannot be read"),
        ("client_certificate: 'file:cut-key.pem'", "has a private key that cannot be read"),
        ("client_certificate: 'file:locked.both.pem'", "encrypted private key, and its passphrase is missing"),
        (
            "client_certificate: 'file:locked.both.pem', client_certificate_passphrase: '${WRONG}'",
            "cannot be read, or the passphrase is wrong",
        ),
        (
            "client_certificate: 'file:desk.both.pem', client_certificate_passphrase: '${WRONG}'",
            "is not encrypted; remove the passphrase",
        ),
    ],
)
def test_a_file_that_cannot_be_used_is_named(authority: Authority, tmp_path: Path, keys: str, said: str) -> None:
    desk, other = authority.issue("desk"), authority.issue("other")
    desk.together, authority.issue("locked", passphrase="open").together  # written
    (tmp_path / "mixed.pem").write_text(other.key.read_text() + desk.certificate.read_text())
    cut = desk.certificate.read_text().replace("MI", "", 1)
    (tmp_path / "cut.pem").write_text(desk.key.read_text() + cut)
    (tmp_path / "cut-key.pem").write_text(desk.key.read_text().replace("MI", "", 1) + desk.certificate.read_text())
    (found,) = _faults(keys, tmp_path, WRONG="wrong")
    assert re.search(said, found.message), found.message
    assert found.needed
    assert "wrong\n" not in found.message


@pytest.mark.req("TI-05")
def test_a_certificate_that_has_ended_is_named_and_prevents_no_start(authority: Authority, tmp_path: Path) -> None:
    ended = authority.issue("ended", days=-2)
    (found,) = _faults(f"client_certificate: 'file:{ended.together}'", tmp_path)
    assert re.fullmatch(r"client_certificate ended on \d{4}-\d\d-\d\d; renew it", found.message)
    assert not found.needed
    options = TlsOptions(client_certificate=Secret(f"file:{ended.together}"))
    with pytest.raises(InvalidTlsFile, match="ended on"):
        options.context()


def test_a_certificate_in_a_variable_and_with_a_passphrase_is_used(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = authority.issue("desk", passphrase="open").together.read_text().replace("\n", "\\n")
    monkeypatch.setenv("PEM", pem)
    monkeypatch.setenv("Q", "open")
    monkeypatch.setenv("WRONG", "shut")
    certificate = Secret("${PEM}")
    assert TlsOptions(client_certificate=certificate, passphrase=Secret("${Q}")).context()
    with pytest.raises(InvalidTlsFile, match="passphrase is wrong"):
        TlsOptions(client_certificate=certificate, passphrase=Secret("${WRONG}")).context()


def test_without_files_in_memory_the_certificate_is_read_too(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "memfd_create")
    assert TlsOptions(client_certificate=Secret(f"file:{authority.issue('desk').together}")).context()
